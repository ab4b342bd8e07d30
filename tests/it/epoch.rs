//! A cache that is not the same any more in the middle of a run, and one that only seems so.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::faults::{
    bulk, calm, comes_through, count, is_incomplete, proxied, start_and_hold, until, warm,
};
use crate::support::proxy::FaultProxy;
use crate::support::replica::{follow, info};
use crate::support::servers::{Postgres, Redis, Sqlite, bounded, find};
use crate::support::shopwarm::{Finished, finish};

/// What a report says that begins a strategy again.
const AGAIN: &str = "sent again";

// ── Redis ─────────────────────────────────────────────────────────────────────────────────────

/// A backup (`redis-cli --rdb`) or a first replica attaches and leaves, and the backlog is freed: each
/// gives the history a new name, and no key is lost.
#[test]
fn a_backup_in_mid_run_sends_nothing_again() {
    let (_dir, contexts) = bulk(&[15_000, 5000]);
    let redis = Redis::start(&["--repl-backlog-ttl", "1", "--repl-diskless-sync-delay", "0"]);
    let (database, (proxy, url)) = (Sqlite::database(), proxied(&redis));
    let child = start_and_hold(warm(&contexts, database.url(), url), &proxy, &redis);
    let history = || info(&redis, "master_replid");
    let before = history();
    follow(&Redis::start(&[]), &redis);
    let attached = history();
    assert_ne!(attached, before, "a new replica starts a new history");
    until("the backlog is freed", || history() != attached);
    proxy.flow();
    let run = calm(finish(child)).expect(0);
    assert!(!run.stdout.contains(AGAIN), "{}", run.stdout);
    assert_eq!(count(&run.json()["totals"], "warmed"), 20_000);
}

/// The process is the same one, and its keys are another's.
#[test]
fn a_cache_that_was_a_replica_in_mid_run_is_written_again() {
    let (_dir, contexts) = bulk(&[15_000, 5000]);
    let redis = Redis::start(&[]);
    let (database, (proxy, url)) = (Sqlite::database(), proxied(&redis));
    let child = start_and_hold(warm(&contexts, database.url(), url), &proxy, &redis);
    follow(&redis, &Redis::start(&["--repl-diskless-sync-delay", "0"]));
    redis.cli(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(redis.cli(&["DBSIZE"]), "0");
    proxy.flow();
    comes_through(child, &redis, 20_000);
}

// ── the embedded cache ────────────────────────────────────────────────────────────────────────

/// A run into `c.db` in a folder, to which something happens in the middle of its second strategy.
/// Returns how it ended, and how many of its keys are in the file at that path then.
fn file_in_the_middle(happens: impl FnOnce(&Path)) -> (Finished, u64) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("cache");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("c.db");
    let (_dir, contexts) = bulk(&[500, 15_000]);
    let database = Postgres::database();
    let network = FaultProxy::to(database.port());
    let cache = format!("sqlite:{}", file.display());
    let run = warm(&contexts, database.url_via(network.port()), cache);
    // The lock is renewed between two batches: on a busy machine twenty that wait take too long.
    let child = run.args("--concurrency 2").start();
    until("the run is under way", || keys_in(&file) > 1000);
    network.stall();
    happens(&folder);
    network.flow();
    (calm(finish(child)), keys_in(&file))
}

/// The shop's keys in a cache file; none where there is no file.
fn keys_in(file: &Path) -> u64 {
    if !file.exists() {
        return 0;
    }
    let mut sqlite = bounded([find("sqlite3")]);
    let sql = "SELECT count(*) FROM entries WHERE CAST(key AS TEXT) NOT LIKE 'shopwarm:%'";
    let said = sqlite.arg(file).arg(sql).output().unwrap();
    // Before the run has made its table, the file says nothing.
    let count = String::from_utf8(said.stdout).unwrap();
    count.trim().parse().unwrap_or_default()
}

#[test]
fn a_cache_file_that_is_deleted_or_moved_in_mid_run_is_written_again() {
    type Happens = fn(&Path);
    let cases: [(&str, Happens); 3] = [
        ("deleted", |folder| {
            for file in fs::read_dir(folder).unwrap() {
                fs::remove_file(file.unwrap().path()).unwrap();
            }
        }),
        ("moved", |folder| {
            fs::rename(folder.join("c.db"), folder.join("old.db")).unwrap();
        }),
        ("replaced", |folder| {
            let other = folder.join("other.db");
            let mut sqlite = bounded([find("sqlite3")]);
            sqlite.arg(&other).arg("VACUUM").status().unwrap();
            fs::rename(other, folder.join("c.db")).unwrap();
        }),
    ];
    for (what, happens) in cases {
        let (run, keys) = file_in_the_middle(happens);
        let run = run.expect(0);
        assert!(run.stdout.contains(AGAIN), "{what}: {}", run.stdout);
        let totals = &run.json()["totals"];
        assert_eq!((keys, count(totals, "warmed")), (15_500, 15_500), "{what}");
    }
}

#[test]
fn a_cache_file_that_cannot_be_made_again_leaves_nothing_warmed() {
    let (run, keys) = file_in_the_middle(|folder| fs::remove_dir_all(folder).unwrap());
    assert_eq!(keys, 0);
    let run = run.expect(3);
    is_incomplete(&run);
    assert_eq!(count(&run.json()["totals"], "warmed"), 0, "{}", run.stdout);
    assert!(run.stderr.contains("lost the cache file"), "{}", run.stderr);
}

/// After seconds of waiting it is no disk that is full.
#[test]
fn a_cache_file_that_another_program_has_locked_is_said_to_be_locked() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.db");
    let (_dir, contexts) = bulk(&[20_000]);
    let database = Sqlite::database();
    let run = warm(&contexts, database.url(), format!("sqlite:{}", file.display()));
    let child = run.args("--rate 500 --no-lock").start();
    until("the run is under way", || keys_in(&file) > 500);
    let mut locker = Command::new("sqlite3")
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = locker.stdin.take().unwrap();
    input.write_all(b".timeout 10000\nBEGIN IMMEDIATE; SELECT 'locked';\n").unwrap();
    locker.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
    let run = calm(finish(child)).expect(6);
    assert!(run.stderr.contains("another program holds its lock"), "{}", run.stderr);
    assert!(!run.stderr.contains("free space"), "{}", run.stderr);
    drop(input);
    locker.wait().unwrap();
}
