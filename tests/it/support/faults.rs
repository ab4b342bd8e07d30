//! Runs that something breaks, and what holds for every one of them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::proxy::FaultProxy;
use crate::support::servers::{Database, Dialect, PATIENCE, Redis};
use crate::support::shopwarm::{Finished, Shopwarm, file, finish, shopwarm};

/// No password of these tests may be seen anywhere.
const SECRETS: [&str; 3] = ["shop-secret", "admin-secret", "hunter2"];

/// What a driver or the runtime says when it speaks instead of us.
const DUMPS: [&str; 7] =
    ["panicked", "RUST_BACKTRACE", "Error {", "Io(", "Database(", "Kind::", "Some("];

/// Wide rows: what is still to come fits into no socket's buffer.
pub const PAD: usize = 400;

/// What holds for every run, whatever happened to it.
#[track_caller]
pub fn calm(run: Finished) -> Finished {
    let said = format!("--- stdout\n{}\n--- stderr\n{}", run.stdout, run.stderr);
    for word in SECRETS.iter().chain(&DUMPS) {
        assert!(!said.contains(word), "{word:?} in\n{said}");
    }
    assert!(run.stderr.lines().count() <= 15, "too long:\n{said}");
    run
}

/// A JSON report whose counts agree with each other and, key by key, with what is in the cache.
/// The keys of the strategy `bulk/NAME` begin with `NAME:`.
#[track_caller]
pub fn true_counts(run: &Finished, redis: &Redis) {
    true_counts_of(run, redis, Least::Acknowledged);
}

/// What a cache must hold at least.
#[derive(Clone, Copy, PartialEq)]
pub enum Least {
    /// All that a report calls warmed or skipped.
    Acknowledged,
    /// It may have been emptied afterwards.
    Nothing,
}

#[track_caller]
pub fn true_counts_of(run: &Finished, redis: &Redis, least: Least) {
    let report = run.json();
    let all = redis.cli(&["KEYS", "*"]);
    for strategy in sums(&report) {
        let prefix = format!("{}:", strategy["name"].as_str().unwrap());
        let there: HashSet<&str> = all.lines().filter(|k| k.starts_with(&prefix)).collect();
        let [warmed, skipped, unknown] =
            ["warmed", "skipped", "unknown"].map(|n| count(strategy, n));
        let (found, known) = (there.len() as u64, warmed + skipped);
        let least = match least {
            Least::Acknowledged => known,
            Least::Nothing => 0,
        };
        assert!((least..=known + unknown).contains(&found), "{found} keys, but {strategy:#}");
        let errors = strategy["errors"].as_array().unwrap();
        let wrong = count(strategy, "failed") + unknown;
        // Nobody has an error to tell of keys that a restart may have taken.
        let voided =
            strategy["warnings"].to_string().contains("keys that were written may be gone");
        if !voided {
            assert_eq!(errors.len() as u64, wrong.min(20), "{strategy:#}");
        }
        for error in errors.iter().filter(|_| unknown == 0) {
            assert!(!there.contains(error["key"].as_str().unwrap()), "{error}");
        }
    }
    // Nothing half-written, and nothing that stays for ever.
    let broken = redis.cli(&[
        "EVAL",
        "local broken = 0
         for _, key in ipairs(redis.call('KEYS', '*')) do if not key:find('shopwarm:', 1, true) then
           local value = '{\"id\":' .. key:match('%d+') .. ',\"pad\":\"' .. ('x'):rep(ARGV[1]) .. '\"}'
           if redis.call('GET', key) ~= value or redis.call('PTTL', key) <= 0 then broken = broken + 1 end
         end end
         return broken",
        "0",
        &PAD.to_string(),
    ]);
    assert_eq!(broken, "0");
}

/// The strategies of a report whose sums are right.
#[track_caller]
pub fn sums(report: &Value) -> &Vec<Value> {
    let strategies = report["strategies"].as_array().unwrap();
    let classes = ["warmed", "skipped", "failed", "unknown"];
    for part in strategies.iter().chain([&report["totals"]]) {
        let sum: u64 = classes.iter().map(|class| count(part, class)).sum();
        assert_eq!(count(part, "total"), sum, "{part:#}");
    }
    for class in classes {
        let sum: u64 = strategies.iter().map(|s| count(s, class)).sum();
        assert_eq!(count(&report["totals"], class), sum, "{report:#}");
    }
    strategies
}

pub fn count(part: &Value, class: &str) -> u64 {
    part[class].as_u64().unwrap()
}

#[track_caller]
pub fn statuses(run: &Finished) -> Vec<String> {
    let report = run.json();
    let strategies = report["strategies"].as_array().unwrap().iter();
    strategies.map(|s| s["status"].as_str().unwrap().to_owned()).collect()
}

/// A run that is to be told apart from an empty and from a complete one.
#[track_caller]
pub fn is_incomplete(run: &Finished) {
    assert_eq!(run.json()["outcome"], "incomplete", "{}", run.stdout);
}

/// The context `bulk` with the strategies `first`, `second` and so on, in this order, each with so
/// many rows of about [`PAD`] bytes.
pub fn bulk(rows: &[u32]) -> (TempDir, PathBuf) {
    let names = ["first", "second", "third"];
    let strategies = rows.iter().zip(names).enumerate().map(|(i, (rows, name))| {
        let pad = format!("x', {PAD}) AS pad");
        let priority = 100 - i;
        format!(
            "[strategies.{name}]
             key = \"{name}:{{id}}\"
             value = \"object\"
             priority = {priority}
             sql.postgres = \"SELECT g AS id, repeat('{pad} FROM generate_series(1, {rows}) g\"
             sql.mysql = \"SELECT seq AS id, repeat('{pad} FROM seq_1_to_{rows}\"
             sql.sqlite = \"WITH RECURSIVE s(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM s WHERE id < {rows}) \
                           SELECT id, printf('%.*c', {PAD}, 'x') AS pad FROM s\"\n"
        )
    });
    let tables: HashSet<_> = rows.iter().map(|n| format!("\"seq_1_to_{n}\"")).collect();
    let tables: Vec<_> = tables.into_iter().collect();
    let tables = tables.join(", ");
    let text: String = strategies.collect();
    file("bulk.toml", &format!("[context]\nname = \"bulk\"\nowns = [{tables}]\n{text}"))
}

/// The context `odd` with one strategy of this SQL on every database; it may read `t`.
pub fn odd(sql: &str) -> (TempDir, PathBuf) {
    let text = format!(
        "[context]\nname = \"odd\"\nowns = [\"t\"]\n[strategies.one]\nkey = \"one:{{id}}\"\nvalue = \"object\"\nsql.any = \"{sql}\"\n"
    );
    file("odd.toml", &text)
}

pub fn warm(contexts: &Path, database: impl Into<String>, cache: impl Into<String>) -> Shopwarm {
    let name = contexts.file_stem().unwrap().to_str().unwrap();
    shopwarm(&format!("warmup context {name} -o json"))
        .contexts(contexts)
        .database(database.into())
        .cache(cache.into())
}

/// A cache that is always there.
pub fn some_cache() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/cache.db", dir.path().display());
    (dir, url)
}

/// Waits for something to come true.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let asked = Instant::now();
    while !is_so() {
        assert!(asked.elapsed() < PATIENCE, "not so after a minute: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// How many keys there are, without what the tool keeps for itself.
pub fn keys(redis: &Redis) -> u64 {
    let all: u64 = redis.cli(&["DBSIZE"]).parse().unwrap();
    let own = redis.cli(&["KEYS", "shopwarm:*"]);
    let own = own.lines().filter(|key| !key.is_empty()).count() as u64;
    // The run has begun between the two questions.
    all.saturating_sub(own)
}

/// Starts a run of [`bulk`] through the proxy and holds it in the middle: what comes next happens to a
/// run that has written something and has more to write.
pub fn start_and_hold(run: Shopwarm, proxy: &FaultProxy, redis: &Redis) -> Child {
    proxy.stall_after_to_server(2000 * PAD);
    let child = run.start();
    until("the run is held", || proxy.is_stalled());
    until("what came through is there", || keys(redis) > 1000);
    child
}

/// Starts a run through the proxy and keeps what it has in flight from being answered.
pub fn start_and_freeze(run: Shopwarm, proxy: &FaultProxy, redis: &Redis) -> Child {
    let child = start_and_hold(run, proxy, redis);
    redis.cli(&["CLIENT", "PAUSE", "600000", "WRITE"]);
    proxy.flow();
    until("a batch waits", || redis.cli(&["CLIENT", "LIST"]).contains("flags=b"));
    child
}

pub fn proxied(redis: &Redis) -> (FaultProxy, String) {
    let proxy = FaultProxy::to(redis.port());
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    (proxy, url)
}

/// A run that comes through: everything is there in the end.
#[track_caller]
pub fn comes_through(child: Child, redis: &Redis, rows: u64) {
    let run = calm(finish(child)).expect(0);
    assert_eq!(run.json()["outcome"], "complete");
    assert_eq!(keys(redis), rows);
    true_counts(&run, redis);
}

/// Ends the one session that the run has with its database.
pub fn end_session(database: &Database) {
    let name = database.name();
    if database.dialect() == Dialect::Postgres {
        database.sql(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = '{name}' AND application_name = 'shopwarm'"
        ));
    } else {
        let ids = database.query(&format!(
            "SELECT id FROM information_schema.processlist WHERE db = '{name}' AND user = 'shop'"
        ));
        for id in ids.lines() {
            database.sql(&format!("KILL {id}"));
        }
    }
}
