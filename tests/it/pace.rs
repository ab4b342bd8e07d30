//! A run on a live shop: as fast as it may be, and no faster.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::faults::{bulk, calm, count, keys, true_counts, until, warm};
use crate::servers::{Redis, Sqlite};
use crate::shopwarm::finish;

/// Starts a run of so many keys, an SQLite file each, and of about 400 bytes.
fn start(rows: u32, redis: &Redis, arguments: &str) -> (Child, impl Sized) {
    let (dir, contexts) = bulk(&[rows]);
    let database = Sqlite::database();
    let child = warm(&contexts, database.url(), redis.url())
        .args(arguments)
        .start();
    (child, (dir, database))
}

fn send(child: &Child, signal: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &id]).status();
    assert!(sent.expect("kill runs").success(), "it has ended already");
}

fn seconds_limited(report: &Value, by: &str) -> f64 {
    let limited = report["pace"]["limited_by"].as_array().expect("a list");
    let seconds = limited.iter().find(|limited| limited["by"] == by);
    seconds.map_or(0.0, |limited| {
        limited["seconds"].as_f64().expect("a number")
    })
}

#[test]
fn keys_leave_at_the_rate_and_evenly() {
    let redis = Redis::start(&[]);
    let begun = Instant::now();
    let (mut child, _kept) = start(3000, &redis, "--rate 1000");
    // The most that came between two looks, a tenth of a second apart or more.
    let (mut last, mut most) = ((keys(&redis), Instant::now()), 0.0_f64);
    while child.try_wait().expect("a process").is_none() {
        std::thread::sleep(Duration::from_millis(100));
        let now = (keys(&redis), Instant::now());
        let rate = (now.0 - last.0) as f64 / (now.1 - last.1).as_secs_f64();
        most = most.max(rate);
        last = now;
    }
    let run = calm(finish(child)).expect(0);
    assert!(
        begun.elapsed() >= Duration::from_millis(2800),
        "{:?}",
        begun.elapsed()
    );
    // A batch of 500 at once would be 5,000 a second; the two slices that may come late are 1,500.
    assert!(most <= 2500.0, "{most} keys/s");
    let report = run.json();
    assert_eq!(report["pace"]["rate"], 1000);
    assert_eq!(report["pace"]["lowest_rate"], 1000);
    let limited = seconds_limited(&report, "rate");
    assert!(limited > 1.5, "{report:#}");
    true_counts(&run, &redis);
}

#[test]
fn bytes_have_a_rate_too() {
    let redis = Redis::start(&[]);
    let begun = Instant::now();
    let (child, _kept) = start(1000, &redis, "--max-bytes-rate 200kB");
    let run = calm(finish(child)).expect(0);
    // A key and its value have more than 400 bytes.
    assert!(
        begun.elapsed() >= Duration::from_millis(1900),
        "{:?}",
        begun.elapsed()
    );
    assert!(seconds_limited(&run.json(), "bytes rate") > 1.0);
    true_counts(&run, &redis);
}

#[test]
fn a_run_without_a_rate_says_nothing_of_it() {
    let redis = Redis::start(&[]);
    let (child, _kept) = start(100, &redis, "");
    let run = calm(finish(child)).expect(0);
    assert_eq!(run.json()["pace"], json!(null));
}

#[test]
fn a_slow_run_can_be_stopped_and_nothing_is_in_doubt() {
    let redis = Redis::start(&[]);
    let (child, _kept) = start(10_000, &redis, "--rate 100");
    until("it is under way", || keys(&redis) > 20);
    send(&child, "INT");
    let run = calm(finish(child)).expect(130);
    let totals = &run.json()["totals"];
    assert_eq!([count(totals, "failed"), count(totals, "unknown")], [0, 0]);
    assert!(count(totals, "warmed") < 5000);
    true_counts(&run, &redis);
}
