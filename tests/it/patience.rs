//! Waiting for servers that are still starting (`--wait`), and ending what has no hope.

use std::thread;
use std::time::Duration;

use crate::support::faults::{bulk, calm, count, keys, proxied, true_counts, until, warm};
use crate::support::proxy::FaultProxy;
use crate::support::servers::{Postgres, Redis, Sqlite};
use crate::support::shopwarm::{Shopwarm, finish, send};

/// A run that needs both servers through proxies that let nobody in yet.
fn early(wait: &str) -> (Shopwarm, [FaultProxy; 2], impl Sized, Redis) {
    let (dir, contexts) = bulk(&[300]);
    let (database, redis) = (Postgres::database(), Redis::start(&[]));
    let (cache, url) = proxied(&redis);
    let network = FaultProxy::to(database.port());
    cache.refuse();
    network.refuse();
    let run = warm(&contexts, database.url_via(network.port()), url).args(wait);
    (run, [cache, network], (dir, database), redis)
}

#[test]
fn servers_that_come_up_late_are_waited_for() {
    let (run, [cache, network], _kept, redis) = early("--wait 60s");
    let child = run.start();
    until("both were tried again", || cache.accepted() > 2 && network.accepted() > 2);
    network.flow();
    let tried = cache.accepted();
    until("the other is still waited for", || cache.accepted() > tried + 2);
    cache.flow();
    let run = calm(finish(child)).expect(0);
    assert!(run.stderr.contains("waiting up to 1m: "), "{}", run.stderr);
    assert!(run.stderr.contains("the cache at") && run.stderr.contains("the database at"));
    assert_eq!(keys(&redis), 300);
}

#[test]
fn without_being_asked_nobody_waits() {
    let (run, _proxies, _kept, redis) = early("");
    let run = calm(run.run());
    assert!([5, 6].contains(&run.code), "{}", run.stderr);
    assert!(!run.stderr.contains("waiting"), "{}", run.stderr);
    let hint = "use --wait 30s if it is still starting or asleep";
    assert!(run.stderr.contains(hint), "{}", run.stderr);
    assert_eq!(keys(&redis), 0);
}

#[test]
fn waiting_has_an_end() {
    let (run, [cache, _], _kept, _redis) = early("--wait 1s");
    let run = calm(run.run());
    assert!([5, 6].contains(&run.code), "{}", run.stderr);
    assert!(cache.accepted() > 2);
    assert!(run.stderr.contains("error: cannot reach"), "{}", run.stderr);
    assert!(!run.stderr.contains("--wait"), "{}", run.stderr);
}

#[test]
fn a_deadline_ends_waiting() {
    let (run, _proxies, _kept, _redis) = early("--wait 60s --deadline 1s");
    let run = calm(run.run()).expect(9);
    assert_eq!(run.json()["outcome"], "deadline");
}

#[test]
fn a_signal_ends_waiting() {
    let (run, [cache, _], _kept, _redis) = early("--wait 60s");
    let child = run.start();
    until("it waits", || cache.accepted() > 2);
    send(&child, "TERM");
    let run = calm(finish(child)).expect(143);
    assert_eq!(run.json()["outcome"], "interrupted");
}

/// Asking again and again gets a user locked out.
#[test]
fn a_wrong_password_is_no_reason_to_wait() {
    let (_dir, contexts) = bulk(&[300]);
    let redis = Redis::start(&["--requirepass", "hunter2"]);
    let (cache, url) = proxied(&redis);
    let url = url.replace("redis://", "redis://:wrong@");
    let sqlite = Sqlite::database();
    let run = warm(&contexts, sqlite.url(), url).args("--wait 60s");
    let run = calm(run.run()).expect(7);
    assert!(run.stderr.contains("refuses the password"), "{}", run.stderr);
    assert_eq!(cache.accepted(), 1);

    let database = Postgres::database();
    let network = FaultProxy::to(database.port());
    let url = database.url_via(network.port()).replace("shop-secret", "wrong");
    let open = Redis::start(&[]);
    let run = warm(&contexts, url, open.url()).args("--wait 60s");
    calm(run.run()).expect(7);
    assert_eq!(network.accepted(), 1);
}

/// It takes connections at once, and a minute to read its file.
#[test]
fn a_cache_that_loads_for_long_is_waited_for() {
    let redis = Redis::start(&[
        "--enable-debug-command",
        "yes",
        "--key-load-delay",
        "500",
        "--loading-process-events-interval-bytes",
        "1024",
    ]);
    let fill = "for i = 1, 6000 do redis.call('SET', 'old:' .. i, ('x'):rep(100)) end";
    redis.cli(&["EVAL", fill, "0"]);
    let (_dir, contexts) = bulk(&[300]);
    let database = Sqlite::database();
    thread::scope(|scope| {
        scope.spawn(|| redis.cli(&["DEBUG", "RELOAD"]));
        until("it is loading", || redis.cli(&["INFO", "persistence"]).contains("loading:1"));
        let run = warm(&contexts, database.url(), redis.url()).args("--wait 60s");
        calm(run.run()).expect(0);
    });
    assert_eq!(keys(&redis), 6300);
}

#[test]
fn a_run_that_fails_batch_after_batch_is_ended() {
    let (_dir, contexts) = bulk(&[60_000, 50]);
    let database = Sqlite::database();
    let redis = Redis::start(&[]);
    redis.cli(&["ACL", "SETUSER", "warm", "on", ">hunter2", "+@all", "~second:*", "~shopwarm:*"]);
    let url = redis.url().replace("redis://", "redis://warm:hunter2@");
    let run = calm(warm(&contexts, database.url(), url).run()).expect(3);
    let first = run.strategy("bulk/first");
    assert_eq!(first["status"], "failed");
    let failed = count(&first, "failed");
    assert!((10_000..30_000).contains(&failed), "{failed}");
    assert!(run.stderr.contains("none of the last"), "{}", run.stderr);
    assert_eq!(run.strategy("bulk/second")["status"], "cancelled");
    true_counts(&run, &redis);

    // A small one is not worth ending a run for.
    let (_dir, contexts) = bulk(&[5000, 50]);
    let url = redis.url().replace("redis://", "redis://warm:hunter2@");
    let run = calm(warm(&contexts, database.url(), url).run()).expect(3);
    assert_eq!(count(&run.strategy("bulk/second"), "warmed"), 50);
}

/// A server that is only slow for some time is none that has no hope.
#[test]
fn a_pause_between_batches_is_no_failure() {
    let (_dir, contexts) = bulk(&[3000]);
    let (database, redis) = (Sqlite::database(), Redis::start(&[]));
    let child = warm(&contexts, database.url(), redis.url()).args("--batch-size 10").start();
    for _ in 0..5 {
        redis.cli(&["CLIENT", "PAUSE", "100", "WRITE"]);
        thread::sleep(Duration::from_millis(120));
    }
    let run = calm(finish(child)).expect(0);
    true_counts(&run, &redis);
}
