//! A cache behind one address, at which another server answers after a failover.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

use crate::support::faults::{keys, until, warm};
use crate::support::items::{ROWS, Shop, end, hurry, total};
use crate::support::replica::{follow, info};
use crate::support::servers::{HaProxy, Postgres, Redis};
use crate::support::shopwarm::{Finished, binary, finish, program};

/// The second server takes the place of the first, which follows it from now on.
fn fail_over(from: &Redis, to: &Redis) {
    to.cli(&["REPLICAOF", "NO", "ONE"]);
    from.cli(&["REPLICAOF", "127.0.0.1", &to.port().to_string()]);
}

#[track_caller]
fn came_through(run: &Finished, now: &Redis) {
    assert_eq!(run.json()["outcome"], "complete");
    assert_eq!(keys(now), ROWS);
    assert_eq!(total(run, "warmed"), ROWS, "{}", run.stdout);
    assert_eq!(total(run, "failed"), 0, "{}", run.stdout);
}

/// A slow run that has written a quarter of its keys.
fn start(shop: &Shop, cache: &str, arguments: &str) -> Child {
    let run = warm(&shop.contexts, shop.database.url(), cache).args("--rate 500").args(arguments);
    let child = run.start();
    until("the run is under way", || keys(&shop.redis) > ROWS / 4);
    child
}

fn shop() -> Shop {
    Shop::new(Postgres::database(), "'item:' || id")
}

#[test]
fn a_proxy_leads_to_the_new_primary() {
    for is_killed in [false, true] {
        let (shop, other) = (shop(), Redis::start(&[]));
        follow(&other, &shop.redis);
        let proxy = HaProxy::start(&[&shop.redis, &other]);
        let child = start(&shop, &proxy.url(), "");
        if is_killed {
            shop.redis.kill();
            sleep(Duration::from_secs(2));
            other.cli(&["REPLICAOF", "NO", "ONE"]);
        } else {
            fail_over(&shop.redis, &other);
        }
        let run = end(child);
        came_through(&run, &other);
        let said = run.strategy("shop/items")["warnings"].to_string();
        assert!(said.contains("the cache was restarted or replaced"), "{said}");
    }
}

/// The lock lasts for half a minute.
#[test]
fn a_failover_may_take_longer_than_the_lock_lasts() {
    let (shop, other) = (shop(), Redis::start(&[]));
    follow(&other, &shop.redis);
    let proxy = HaProxy::start(&[&shop.redis, &other]);
    let child = start(&shop, &proxy.url(), "--failover-timeout 2m");
    shop.redis.kill();
    sleep(Duration::from_secs(35));
    other.cli(&["REPLICAOF", "NO", "ONE"]);
    came_through(&end(child), &other);
}

/// With a private `/etc/hosts`, and the same port on two addresses. The first server follows the second, or
/// does not know of it: then it goes on taking writes that nobody reads.
#[test]
fn a_name_is_resolved_again() {
    for is_demoted in [true, false] {
        let shop = shop();
        let port = shop.redis.port();
        let other = Redis::start(&["--bind", "127.0.0.2", "--port", &port.to_string()]);
        let dir = tempfile::tempdir().unwrap();
        let hosts = dir.path().join("hosts");
        fs::write(&hosts, "127.0.0.1 cache.test localhost\n").unwrap();
        let script = dir.path().join("shopwarm");
        let text = format!(
            "#!/bin/sh\nexec unshare -m sh -c 'mount --bind {} /etc/hosts && exec {} \"$@\"' sh \"$@\"\n",
            hosts.display(),
            binary().display()
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        let run = program(&script, "warmup context shop -o json --rate 500");
        let run = run.contexts(&shop.contexts).database(shop.database.url());
        let child = run.cache(format!("redis://cache.test:{port}")).start();
        until("the run is under way", || keys(&shop.redis) > ROWS / 4);
        if is_demoted {
            fail_over(&shop.redis, &other);
            sleep(Duration::from_secs(1));
        }
        fs::write(&hosts, "127.0.0.2 cache.test localhost\n").unwrap();
        came_through(&end(child), &other);
    }
}

#[test]
fn without_a_successor_the_run_ends_after_the_failover_timeout() {
    let (shop, other) = (shop(), Redis::start(&[]));
    follow(&other, &shop.redis);
    let child = start(&shop, &shop.redis.url(), "--failover-timeout 2s");
    fail_over(&shop.redis, &other);
    hurry(&child);
    let run = finish(child).expect(3);
    for words in ["has become a replica", "--failover-timeout"] {
        assert!(run.stdout.contains(words), "{}", run.stdout);
    }
    let warmed = total(&run, "warmed");
    assert!(warmed <= keys(&shop.redis), "{warmed} of {}", info(&other, "db0"));
}
