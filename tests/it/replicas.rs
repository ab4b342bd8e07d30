//! Replicas of a cache that cannot keep up with a run.

use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::faults::{bulk, calm, keys, until, warm};
use crate::support::replica::{follow, info};
use crate::support::servers::{Database, Redis, Sqlite};
use crate::support::shopwarm::{finish, send};

const MIB: &str = "1048576";

/// A primary that cuts a replica off when it is so many bytes behind, and its replica.
fn pair(most: &str) -> (Redis, Redis) {
    let limit = format!("replica {most} 0 0");
    let args = ["--repl-backlog-size", MIB, "--client-output-buffer-limit", &limit];
    let mut words = vec!["--repl-diskless-sync-delay", "0"];
    words.extend(args);
    let (primary, replica) = (Redis::start(&words), Redis::start(&[]));
    follow(&replica, &primary);
    (primary, replica)
}

fn full_syncs(redis: &Redis) -> u64 {
    info(redis, "sync_full").parse().expect("a count")
}

/// A run of many megabytes that has begun to write.
fn start(primary: &Redis, arguments: &str) -> (TempDir, Database, Child) {
    let ((dir, contexts), database) = (bulk(&[300_000]), Sqlite::database());
    let child = warm(&contexts, database.url(), primary.url()).args(arguments).start();
    until("the run is under way", || keys(primary) > 1000);
    (dir, database, child)
}

fn is_running(child: &mut Child) -> bool {
    child.try_wait().expect("a child").is_none()
}

#[test]
fn a_run_says_that_a_replica_could_not_keep_up() {
    let (primary, replica) = pair(MIB);
    let before = full_syncs(&primary);
    let (_dir, _database, mut child) = start(&primary, "--rate 10k");
    replica.pause();
    until("it is cut off", || info(&primary, "connected_slaves") == "0");
    replica.resume();
    until("it resynchronizes", || full_syncs(&primary) > before);
    assert!(is_running(&mut child), "the run is over");
    send(&child, "INT");
    let run = calm(finish(child)).expect(130);
    let said = run.json()["warnings"].to_string();
    assert!(said.contains("full resynchronization of a replica of the cache"), "{said}");
}

#[test]
fn a_gentle_run_waits_for_a_slow_replica() {
    let (primary, replica) = pair("16777216");
    let before = full_syncs(&primary);
    let (_dir, _database, mut child) = start(&primary, "--gentle --rate 5k");
    replica.pause();
    let behind = || {
        let offset: u64 = info(&primary, "master_repl_offset").parse().expect("a number");
        let line = info(&primary, "slave0");
        let confirmed = line.split("offset=").nth(1).and_then(|rest| rest.split(',').next());
        // The second answer may be newer than the first.
        offset.saturating_sub(confirmed.expect("an offset").parse().expect("a number"))
    };
    // Half the limit: from here on the run is slowed down.
    until("it is far behind", || behind() > 8 << 20);
    sleep(Duration::from_secs(5));
    assert!(is_running(&mut child), "the run is over");
    assert_eq!(info(&primary, "connected_slaves"), "1");
    replica.resume();
    until("it has caught up", || behind() < 4 << 20);
    send(&child, "INT");
    let run = calm(finish(child)).expect(130);
    assert_eq!(full_syncs(&primary), before);
    let pace = run.json()["pace"]["limited_by"].to_string();
    assert!(pace.contains("replicas of the cache"), "{pace}");
}
