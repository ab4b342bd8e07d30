//! What a Redis can answer in the middle of a run beside OK, each from a real one.

use std::process::Child;
use std::thread;
use std::time::Duration;

use crate::support::faults::{bulk, calm, count, keys, proxied, start_and_hold, true_counts, warm};
use crate::support::servers::{Redis, Sqlite, bounded, find};
use crate::support::shopwarm::{Finished, finish, shopwarm};

const ROWS: u64 = 15_000;

/// A run over [`ROWS`] rows to which something happens when it has written some of them.
fn in_the_middle(redis: &Redis, happens: impl FnOnce()) -> Finished {
    let (_dir, contexts) = bulk(&[15_000]);
    let (database, (proxy, url)) = (Sqlite::database(), proxied(redis));
    let child = start_and_hold(warm(&contexts, database.url(), url), &proxy, redis);
    happens();
    proxy.flow();
    let run = calm(finish(child));
    true_counts(&run, redis);
    run
}

/// It is over after a while, and everything is there in the end.
#[track_caller]
fn comes_through(run: Finished, redis: &Redis) {
    run.expect(0);
    assert_eq!(keys(redis), ROWS);
}

/// A command that holds the server up.
fn background(redis: &Redis, args: &[&str]) -> Child {
    let mut cli = bounded([find("redis-cli")]);
    cli.arg("-s").arg(redis.socket()).args(args);
    cli.stdout(std::process::Stdio::null());
    cli.spawn().unwrap()
}

#[test]
fn too_few_replicas_are_waited_for() {
    let redis = Redis::start(&[]);
    let set = |replicas| redis.cli(&["CONFIG", "SET", "min-replicas-to-write", replicas]);
    thread::scope(|scope| {
        let run = in_the_middle(&redis, || {
            set("1");
            scope.spawn(|| {
                thread::sleep(Duration::from_secs(2));
                set("0");
            });
        });
        comes_through(run, &redis);
    });
}

#[test]
fn a_busy_script_is_waited_for() {
    let redis = Redis::start(&["--busy-reply-threshold", "20"]);
    thread::scope(|scope| {
        let run = in_the_middle(&redis, || {
            let mut script = background(&redis, &["EVAL", "while true do end", "0"]);
            scope.spawn(|| {
                thread::sleep(Duration::from_secs(2));
                redis.cli(&["SCRIPT", "KILL"])
            });
            scope.spawn(move || script.wait());
        });
        comes_through(run, &redis);
    });
}

/// What was sent is unknown when the time for an answer is over, and is sent again.
#[test]
fn a_pause_longer_than_an_answer_may_take_loses_nothing() {
    let redis = Redis::start(&[]);
    let run = in_the_middle(&redis, || {
        redis.cli(&["CLIENT", "PAUSE", "12000", "WRITE"]);
    });
    comes_through(run, &redis);
}

#[test]
fn what_stays_unready_ends_the_run() {
    let redis = Redis::start(&[]);
    let run = in_the_middle(&redis, || {
        redis.cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    });
    assert!(run.stderr.contains("NOREPLICAS"), "{}", run.stderr);
    let run = run.expect(6);
    assert_eq!(run.json()["outcome"], "incomplete");
    assert_eq!(count(&run.json()["totals"], "warmed"), keys(&redis));
}

#[test]
fn a_replica_that_has_lost_its_master_is_not_ready_to_be_looked_at() {
    let (_dir, contexts) = bulk(&[100]);
    let database = Sqlite::database();
    let redis = Redis::start(&["--replica-serve-stale-data", "no"]);
    redis.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let look = shopwarm("verify context bulk")
        .contexts(&contexts)
        .database(database.url())
        .cache(redis.url());
    let run = calm(look.run()).expect(6);
    for word in ["MASTERDOWN", "master_link_status"] {
        assert!(run.stdout.contains(word), "{}", run.stdout);
    }
}

#[test]
fn a_password_that_changes_ends_the_run_at_once() {
    let redis = Redis::start(&[]);
    redis.cli(&["ACL", "SETUSER", "warm", "on", ">old", "~*", "+@all"]);
    let (_dir, contexts) = bulk(&[15_000]);
    let (database, (proxy, url)) = (Sqlite::database(), proxied(&redis));
    let url = url.replace("//", "//warm:old@");
    let child = start_and_hold(warm(&contexts, database.url(), url), &proxy, &redis);
    redis.cli(&["ACL", "SETUSER", "warm", "resetpass", ">hunter2"]);
    // Sessions that are open stay so.
    redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    let before = proxy.accepted();
    proxy.flow();
    let run = calm(finish(child));
    true_counts(&run, &redis);
    // Each of the few connections may have tried once.
    assert!(proxy.accepted() - before <= 8, "{}", proxy.accepted() - before);
    assert!(run.stderr.contains("refuses the password"), "{}", run.stderr);
    run.expect(7);
}

/// The same words in both protocols, and one attempt.
#[test]
fn passwords_are_refused_in_both_protocols() {
    let (_dir, contexts) = bulk(&[10]);
    let database = Sqlite::database();
    let locked = Redis::start(&["--requirepass", "hunter2"]);
    for protocol in ["", "?protocol=resp3"] {
        for (redis, user, words) in [
            (&locked, "", "requires a password"),
            (&locked, ":wrong@", "refuses the password"),
            (&locked, "nobody:wrong@", "refuses the password"),
        ] {
            let (proxy, url) = proxied(redis);
            let url = format!("{}{protocol}", url.replace("//", &format!("//{user}")));
            let run = calm(warm(&contexts, database.url(), url).run()).expect(7);
            assert!(run.stderr.contains(words), "{}", run.stderr);
            assert_eq!(proxy.accepted(), 1, "{user}{protocol}");
        }
        let (_proxy, url) = proxied(&locked);
        let url = format!("{}{protocol}", url.replace("//", "//:hunter2@"));
        calm(warm(&contexts, database.url(), url).run()).expect(0);
    }
    let open = Redis::start(&[]);
    let url = open.url().replace("//", "//:hunter2@");
    let run = calm(warm(&contexts, database.url(), url).run()).expect(7);
    assert!(run.stderr.contains("a server without a password refuses any"), "{}", run.stderr);
}

/// A server closes a connection whose answers or questions grow over its limit, and says nothing.
#[test]
fn small_buffers_are_enough() {
    let redis = Redis::start(&[
        "--client-output-buffer-limit",
        "normal 16384 0 0",
        "--client-query-buffer-limit",
        "1mb",
    ]);
    let (_dir, contexts) = bulk(&[15_000]);
    let database = Sqlite::database();
    calm(warm(&contexts, database.url(), redis.url()).run()).expect(0);
    let limit = "normal 262144 0 0";
    redis.cli(&["CONFIG", "SET", "client-output-buffer-limit", limit]);
    assert_eq!(keys(&redis), ROWS);
    let look = shopwarm("verify context bulk")
        .contexts(&contexts)
        .database(database.url())
        .cache(redis.url());
    calm(look.run()).expect(0);
}
