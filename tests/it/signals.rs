//! Ctrl-C and its kin: once for a clean end with a report, twice for an end at once.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::faults::{
    bulk, calm, count, keys, proxied, start_and_freeze, start_and_hold, true_counts, until, warm,
};
use crate::support::servers::{Database, Postgres, Redis, Sqlite};
use crate::support::shopwarm::{file, finish, read_until, send, shopwarm};

const ROWS: u32 = 60_000;

fn queries(database: &Database) -> String {
    database.query(&format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'
         AND application_name = 'shopwarm' AND state = 'active'",
        database.name()
    ))
}

#[test]
fn one_signal_ends_the_run_cleanly_with_a_true_report() {
    let (_dir, contexts) = bulk(&[ROWS, 10]);
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 143)] {
        let (database, redis) = (Postgres::database(), Redis::start(&[]));
        let (proxy, url) = proxied(&redis);
        let run = warm(&contexts, database.url(), url);
        let mut child = start_and_hold(run, &proxy, &redis);
        send(&child, signal);
        let said = read_until(&mut child, "stopping");
        assert!(said.contains("again to quit now"), "{said}");
        proxy.flow();
        let run = calm(finish(child)).expect(code);
        let report = run.json();
        assert_eq!(report["outcome"], "interrupted");
        for strategy in ["bulk/first", "bulk/second"] {
            assert_eq!(run.strategy(strategy)["status"], "cancelled");
        }
        // What was in flight has come through: nothing is in doubt.
        let totals = &report["totals"];
        assert_eq!([count(totals, "failed"), count(totals, "unknown")], [0, 0]);
        assert!(count(totals, "warmed") < u64::from(ROWS));
        true_counts(&run, &redis);
        until("the query has ended", || queries(&database) == "0");
    }
}

#[test]
fn a_run_under_nohup_goes_on_without_its_terminal() {
    let (_dir, contexts) = bulk(&[20_000]);
    let (database, redis) = (Sqlite::database(), Redis::start(&[]));
    let (proxy, url) = proxied(&redis);
    proxy.stall();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" warmup context bulk -q"]);
    shell.arg(crate::support::shopwarm::binary());
    shell
        .env("DATABASE_URL", database.url())
        .env("CACHE_URL", url)
        .env("SHOPWARM_CONTEXTS", &contexts);
    shell.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = shell.spawn().unwrap();
    until("it connects", || proxy.accepted() > 0);
    send(&child, "HUP");
    proxy.flow();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(keys(&redis), 20_000);
}

#[test]
fn a_signal_ends_the_databases_query_too() {
    let text = "[context]\nname = \"slow\"\nowns = [\"t\"]\n[strategies.one]\nkey = \"one:{id}\"\nvalue = \"object\"\n\
                sql.any = \"SELECT count(*) AS id FROM generate_series(1, 100000) a, generate_series(1, 100000) b\"\n";
    let (_dir, contexts) = file("slow.toml", text);
    let (database, redis) = (Postgres::database(), Redis::start(&[]));
    let child = warm(&contexts, database.url(), redis.url()).start();
    until("the query runs", || queries(&database) == "1");
    send(&child, "INT");
    let run = calm(finish(child)).expect(130);
    assert_eq!(run.json()["outcome"], "interrupted");
    let ended = Instant::now();
    until("the query has ended", || queries(&database) == "0");
    assert!(ended.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_cache_that_does_not_answer_holds_a_signal_up_for_seconds_only() {
    let (_dir, contexts) = bulk(&[ROWS]);
    let (database, redis) = (Sqlite::database(), Redis::start(&[]));
    let (proxy, url) = proxied(&redis);
    let child = start_and_freeze(warm(&contexts, database.url(), url), &proxy, &redis);
    send(&child, "INT");
    let asked = Instant::now();
    let run = calm(finish(child)).expect(130);
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    redis.cli(&["CLIENT", "UNPAUSE"]);
    assert_eq!(run.json()["outcome"], "interrupted");
    let first = run.strategy("bulk/first");
    assert!(count(&first, "unknown") > 0, "{first:#}");
    let why = first["errors"][0]["error"].as_str().unwrap();
    assert!(why.contains("stopped before the cache answered"), "{why}");
    true_counts(&run, &redis);
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let (_dir, contexts) = bulk(&[ROWS]);
    let (database, redis) = (Sqlite::database(), Redis::start(&[]));
    for (first, second, code) in [("INT", "INT", 130), ("TERM", "INT", 130), ("INT", "TERM", 143)] {
        redis.cli(&["CLIENT", "UNPAUSE"]);
        redis.cli(&["FLUSHALL"]);
        let (proxy, url) = proxied(&redis);
        let run = warm(&contexts, database.url(), url);
        let mut child = start_and_freeze(run, &proxy, &redis);
        send(&child, first);
        read_until(&mut child, "stopping");
        send(&child, second);
        let run = calm(finish(child)).expect(code);
        // A clean end waits for the batches in flight and reports.
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn a_signal_while_connecting_ends_the_process() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    let (_dir, contexts) = bulk(&[1]);
    let database = Sqlite::database();
    for (database, cache) in [
        (format!("postgres://shop@{silent}/shop"), "sqlite::memory:".to_owned()),
        (database.url(), format!("redis://{silent}")),
    ] {
        let child = warm(&contexts, database, cache).start();
        // Connected: from here on it waits for a word.
        drop(listener.accept().map(std::mem::forget));
        send(&child, "INT");
        // A server that says nothing would end it with 5 or 6.
        let run = calm(finish(child)).expect(130);
        assert_eq!(run.json()["outcome"], "interrupted");
    }
}

#[test]
fn a_signal_is_heard_while_keys_are_awaited_on_stdin() {
    let (_dir, contexts) = bulk(&[100]);
    let (database, redis) = (Sqlite::database(), Redis::start(&[]));
    let run = shopwarm("warmup keys - -o json --progress json");
    let run = run.contexts(&contexts);
    let mut child = run.database(database.url()).cache(redis.url()).start();
    let mut stdin = child.stdin.take().unwrap();
    read_until(&mut child, "run_started");
    stdin.write_all(b"first:1\n").unwrap();
    send(&child, "INT");
    let run = calm(finish(child)).expect(130);
    assert_eq!(run.json()["outcome"], "interrupted");
    drop(stdin);
}

#[test]
fn a_killed_run_leaves_whole_values_and_the_next_one_completes() {
    let (_dir, contexts) = bulk(&[15_000]);
    let (database, redis) = (Sqlite::database(), Redis::start(&[]));
    let (proxy, url) = proxied(&redis);
    let child = start_and_hold(warm(&contexts, database.url(), url), &proxy, &redis);
    send(&child, "KILL");
    assert_eq!(finish(child).code, -9);
    proxy.flow();
    // The lock of a killed run ends by itself, and not sooner.
    let next = || warm(&contexts, database.url(), redis.url());
    let busy = next().run().expect(8);
    assert!(busy.stderr.contains("warmup context bulk"), "{}", busy.stderr);
    let asked = Instant::now();
    let run = calm(next().arg("--lock-wait=60s").run()).expect(0);
    assert!(asked.elapsed() > Duration::from_secs(10));
    assert_eq!(run.json()["outcome"], "complete");
    assert_eq!(keys(&redis), 15_000);
    true_counts(&run, &redis);
}

#[test]
fn nobody_listening_is_no_error() {
    let (_dir, contexts) = bulk(&[200]);
    let (database, redis) = (Sqlite::database(), Redis::start(&[]));
    for form in ["table", "json", "ndjson", "csv", "markdown"] {
        for progress in ["lines", "json", "bars"] {
            let command = format!("warmup context bulk -o {form} --progress {progress}");
            let run = shopwarm(&command).contexts(&contexts);
            let mut child = run.database(database.url()).cache(redis.url()).start();
            drop((child.stdout.take(), child.stderr.take()));
            assert_eq!(child.wait().unwrap().code(), Some(0), "{form} {progress}");
        }
    }
    assert_eq!(keys(&redis), 200);
    // Closed from the beginning, as `>&-` does it.
    let line = "exec \"$0\" --contexts \"$1\" warmup context bulk >&- 2>&-";
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).arg(crate::support::shopwarm::binary()).arg(&contexts);
    shell.env("DATABASE_URL", database.url()).env("CACHE_URL", redis.url());
    let status = shell.stdin(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(0));
}
