//! A primary that sentinels name: found, and followed when another takes its place.

use std::process::Child;

use crate::support::faults::{bulk, calm, count, keys, true_counts, until, warm};
use crate::support::servers::{Redis, Sentinels, Sqlite, free_port};
use crate::support::shopwarm::{Shopwarm, finish, shopwarm};

/// A run that is in the middle of it.
fn under_way(run: Shopwarm, redis: &Redis) -> Child {
    // So that it is still under way when that is seen, on a busy machine too.
    let child = run.args("--rate 10k").start();
    until("the run is under way", || keys(redis) > 1000);
    child
}

#[test]
fn the_primary_is_whom_the_sentinels_name() {
    let all = Sentinels::start(1, 2);
    let (_dir, contexts) = bulk(&[2000]);
    let database = Sqlite::database();
    for url in [
        all.url(),
        format!("redis+sentinel://{}/shop", all.hosts()),
        format!("redis+sentinel://{}/shop/2?protocol=resp3", all.hosts()),
        // Some that are not there do no harm.
        format!("redis+sentinel://127.0.0.1:{},{}/shop/0", free_port(), all.hosts()),
    ] {
        let run = calm(warm(&contexts, database.url(), url).run()).expect(0);
        assert_eq!(count(&run.strategy("bulk/first"), "warmed"), 2000);
        assert_eq!(keys(&all.nodes[0]), 2000);
    }
    let two = all.nodes[0].cli(&["-n", "2", "EXISTS", "first:1", "first:2000"]);
    assert_eq!(two, "2");
    let doctor = shopwarm("doctor -o json").database(database.url()).cache(all.url());
    let doctor = doctor.run();
    let words = format!("2 sentinels name 127.0.0.1:{}", all.nodes[0].port());
    assert!(doctor.stdout.contains(&words), "{}", doctor.stdout);
}

#[test]
fn what_does_not_fit_sentinels_is_said() {
    let args = ["--requirepass", "shop-secret", "--masterauth", "shop-secret"];
    let settings = [("auth-pass", "shop-secret")];
    let all = Sentinels::start_with(0, 1, &args, &settings);
    all.sentinels[0].cli(&["ACL", "SETUSER", "default", "resetpass", ">admin-secret"]);
    let (_dir, contexts) = bulk(&[10]);
    let database = Sqlite::database();
    let (at, hosts) = (all.nodes[0].port(), all.hosts());
    let refused = |url: String, code: i32, words: &[&str]| {
        let run = calm(warm(&contexts, database.url(), url).run()).expect(code);
        for word in words {
            assert!(run.stderr.contains(word), "no {word:?} in\n{}", run.stderr);
        }
    };
    let own = "sentinel_password=admin-secret";
    refused(
        format!("redis+sentinel://:shop-secret@{hosts}/shop/0"),
        7,
        &["the sentinel at", "sentinel_password"],
    );
    refused(
        format!("redis+sentinel://:shop-secret@{hosts}/shop/0?sentinel_password=hunter2"),
        7,
        &["the sentinel at", "sentinel_password"],
    );
    refused(
        format!("redis+sentinel://:hunter2@{hosts}/shop/0?{own}"),
        7,
        &[&format!("127.0.0.1:{at}"), "refuses the password"],
    );
    refused(
        format!("redis+sentinel://:shop-secret@{hosts}/warehouse/0?{own}"),
        4,
        &["no primary named warehouse", "they know: shop"],
    );
    refused(
        format!(
            "redis+sentinel://:shop-secret@127.0.0.1:{at}/shop/0?sentinel_password=shop-secret"
        ),
        4,
        &["it is not a sentinel", "redis://"],
    );
    refused(format!("redis://:admin-secret@{hosts}"), 4, &["it is a sentinel", "/NAME", "shop"]);
    refused(format!("redis+sentinel://{hosts}"), 4, &["/NAME/0"]);
    refused(format!("redis+sentinel://127.0.0.1:{}/shop", free_port()), 6, &["refused"]);
    let url = format!("redis+sentinel://:shop-secret@{hosts}/shop/0?{own}");
    calm(warm(&contexts, database.url(), url).run()).expect(0);
}

#[test]
fn a_failover_during_a_run_loses_nothing() {
    let all = Sentinels::start(1, 1);
    let (_dir, contexts) = bulk(&[60_000]);
    let database = Sqlite::database();
    let run = warm(&contexts, database.url(), all.url());
    let child = under_way(run, &all.nodes[0]);
    // A connection to a sentinel that broke long ago does not keep its word from being heard.
    all.sentinels[0].cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert_eq!(all.tell(0, &["FAILOVER", "shop"]), "OK");
    let run = calm(finish(child)).expect(0);
    let port = all.nodes[1].port();
    until("the other is the primary", || all.primary().port() == port);
    until("it is alone", || all.nodes[1].cli(&["ROLE"]).starts_with("master"));
    assert_eq!(count(&run.strategy("bulk/first"), "warmed"), 60_000);
    true_counts(&run, &all.nodes[1]);
}

#[test]
fn a_primary_that_dies_during_a_run_is_replaced() {
    let all = Sentinels::start(1, 1);
    let (_dir, contexts) = bulk(&[60_000]);
    let database = Sqlite::database();
    let run = warm(&contexts, database.url(), all.url());
    let child = under_way(run, &all.nodes[0]);
    all.nodes[0].kill();
    let run = calm(finish(child)).expect(0);
    assert_eq!(all.primary().port(), all.nodes[1].port());
    assert_eq!(count(&run.strategy("bulk/first"), "warmed"), 60_000);
    true_counts(&run, &all.nodes[1]);
}
