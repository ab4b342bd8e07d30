//! What is most important is written first, until the cache is full; what it evicts for it is told.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::faults::{bulk, calm, count, true_counts, warm};
use crate::support::servers::{Database, Redis, Sqlite};
use crate::support::shopwarm::{Finished, Shopwarm};

/// A cache with so many bytes left, and strategies of so many keys of about 400 bytes.
struct Tight {
    redis: Redis,
    database: Database,
    contexts: PathBuf,
    _files: TempDir,
}

impl Tight {
    fn new(rows: &[u32], left: u64, policy: &str) -> Tight {
        let redis = Redis::start(&["--maxmemory-policy", policy]);
        let (files, contexts) = bulk(rows);
        let tight = Tight { redis, database: Sqlite::database(), contexts, _files: files };
        tight.leave(left);
        tight
    }

    /// Sets the limit to so much more than is used now.
    fn leave(&self, left: u64) {
        let max = self.info("memory", "used_memory") + left;
        self.redis.cli(&["CONFIG", "SET", "maxmemory", &max.to_string()]);
    }

    fn info(&self, section: &str, field: &str) -> u64 {
        let info = self.redis.cli(&["INFO", section]);
        let line = info.lines().find_map(|line| line.strip_prefix(&format!("{field}:")));
        line.and_then(|n| n.trim().parse().ok()).expect("a figure")
    }

    fn evicted(&self) -> u64 {
        self.info("stats", "evicted_keys")
    }

    /// Commands that the server refused for want of memory.
    fn refused(&self) -> u64 {
        let errors = self.redis.cli(&["INFO", "errorstats"]);
        let line = errors.lines().find_map(|line| line.strip_prefix("errorstat_OOM:count="));
        line.map_or(0, |n| n.trim().parse().expect("a count"))
    }

    fn warm(&self, arguments: &str) -> Shopwarm {
        let warm = warm(&self.contexts, self.database.url(), self.redis.url());
        warm.args("--ttl-jitter 0").args(arguments)
    }
}

const MIB: u64 = 1024 * 1024;

fn error(run: &Finished, strategy: &str) -> String {
    let error = &run.strategy(strategy)["error"];
    error.as_str().unwrap_or_else(|| panic!("no error: {}", run.stdout)).to_owned()
}

fn warmed(run: &Finished, strategy: &str) -> u64 {
    count(&run.strategy(strategy), "warmed")
}

#[test]
fn what_is_most_important_is_written_before_the_cache_is_full() {
    // About 2.5, 25 and 1.2 MiB.
    let tight = Tight::new(&[5000, 50_000, 2500], 14 * MIB, "noeviction");
    let run = calm(tight.warm("").run()).expect(3);
    assert_eq!(warmed(&run, "bulk/first"), 5000);
    assert!(error(&run, "bulk/second").contains(" is full: "));
    assert_eq!(run.strategy("bulk/third")["status"], "cancelled");
    assert!(run.stderr.contains("maxmemory"), "{}", run.stderr);
    true_counts(&run, &tight.redis);
}

#[test]
fn a_full_warm_cache_is_refreshed() {
    let tight = Tight::new(&[20_000], 100 * MIB, "noeviction");
    calm(tight.warm("").run()).expect(0);
    // Less than a tenth of what is there already.
    tight.leave(MIB);
    for mode in ["refresh", "only-missing"] {
        let run = calm(tight.warm(&format!("--mode {mode}")).run()).expect(0);
        assert_eq!(count(&run.strategy("bulk/first"), "failed"), 0);
    }
    assert_eq!((tight.refused(), tight.evicted()), (0, 0));
}

#[test]
fn evictions_are_told_ignored_or_end_the_run() {
    let fill = |tight: &Tight| {
        tight.redis.cli(&["DEBUG", "POPULATE", "4000", "shop", "1000"]);
        tight.leave(2 * MIB);
    };
    let tight = |rows: &[u32]| {
        let redis =
            Redis::start(&["--maxmemory-policy", "allkeys-lru", "--enable-debug-command", "local"]);
        let (files, contexts) = bulk(rows);
        let tight = Tight { redis, database: Sqlite::database(), contexts, _files: files };
        fill(&tight);
        tight
    };

    let told = tight(&[10_000]);
    let run = calm(told.warm("").run()).expect(0);
    let warning = run.strategy("bulk/first")["warnings"][0].clone();
    let warning = warning.as_str().expect("a warning").to_owned();
    assert!(warning.contains("evicted"), "{warning}");
    // What the run writes down of itself may make room for itself too.
    let number =
        warning.split_whitespace().find_map(|word| word.replace(',', "").parse::<u64>().ok());
    assert!(number.is_some_and(|n| n > 0 && n <= told.evicted()), "{warning}");

    let ignored = tight(&[10_000]);
    let run = calm(ignored.warm("--on-eviction ignore").run()).expect(0);
    assert_eq!(run.strategy("bulk/first")["warnings"], Value::Null);
    assert!(ignored.evicted() > 0);

    let stopped = tight(&[10_000, 500]);
    let run = calm(stopped.warm("--on-eviction stop").run()).expect(3);
    assert!(error(&run, "bulk/first").contains("the cache evicts keys"));
    assert_eq!(run.strategy("bulk/second")["status"], "cancelled");
}

#[test]
fn a_run_ends_where_others_make_the_cache_evict() {
    let tight = Tight::new(&[60_000, 10], 200 * MIB, "allkeys-lru");
    let child = tight.warm("--on-eviction stop --rate 2000").start();
    crate::support::faults::until("it is under way", || {
        crate::support::faults::keys(&tight.redis) > 1000
    });
    let max = tight.info("memory", "used_memory") - 300 * 1024;
    tight.redis.cli(&["CONFIG", "SET", "maxmemory", &max.to_string()]);
    let run = calm(crate::support::shopwarm::finish(child)).expect(3);
    let (first, second) = (run.strategy("bulk/first"), run.strategy("bulk/second"));
    assert_eq!((&first["status"], &second["status"]), (&json!("failed"), &json!("cancelled")));
    let error = error(&run, "bulk/first");
    assert!(error.contains("evict"), "{error}");
    assert!(count(&first, "warmed") < 60_000);
}

#[test]
fn a_cache_without_a_limit_is_not_asked_about_it() {
    let redis = Redis::start(&[]);
    let (_dir, contexts) = bulk(&[1000]);
    let database = Sqlite::database();
    redis.cli(&["ACL", "SETUSER", "blind", "on", ">hunter2", "~*", "+@all", "-info"]);
    let url = format!("redis://blind:hunter2@127.0.0.1:{}", redis.port());
    let run = calm(warm(&contexts, database.url(), url).run()).expect(0).json();
    // Whether there is one cannot be known: said once, and the run goes on.
    let warnings = run["warnings"].as_array().expect("warnings");
    let said: Vec<_> = warnings.iter().filter_map(Value::as_str).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("memory is not watched") && said[0].contains("info"), "{said:?}");
    let run = calm(warm(&contexts, database.url(), redis.url()).run()).expect(0).json();
    assert_eq!(run["warnings"], Value::Null);
}

/// A user who may do all, but for INFO, until it is allowed.
fn blind(redis: &Redis) -> String {
    redis.cli(&["ACL", "SETUSER", "blind", "on", ">hunter2", "~*", "+@all", "-info"]);
    format!("redis://blind:hunter2@127.0.0.1:{}", redis.port())
}

fn warnings(run: &Finished, strategy: &str) -> Vec<String> {
    let strategy = run.strategy(strategy);
    let warnings = strategy["warnings"].as_array().into_iter().flatten();
    let texts = warnings.map(|text| text.as_str().expect("a text").to_owned());
    texts.collect()
}

/// Writes 20 MiB of the shop's keys.
fn fill(tight: &Tight) {
    for i in 0..40 {
        let fill = "for i = 1, 500 do redis.call('SET', 'shop:' .. ARGV[1] .. ':' .. i, ('x'):rep(1000)) end";
        tight.redis.cli(&["EVAL", fill, "0", &i.to_string()]);
    }
}

/// A cache full of the shop's keys, of which it has evicted some.
fn evicting(rows: &[u32], left: u64) -> Tight {
    let tight = Tight::new(rows, 8 * MIB, "allkeys-lru");
    fill(&tight);
    assert!(tight.evicted() > 1000);
    tight.leave(left);
    tight
}

#[test]
fn a_cache_that_says_nothing_at_first_is_asked_again() {
    let tight = evicting(&[4000, 10_000], 4 * MIB);
    let run = warm(&tight.contexts, tight.database.url(), blind(&tight.redis));
    let child = run.args("--ttl-jitter 0 --rate 4000 --no-lock").start();
    crate::support::faults::until("it is under way", || {
        tight.redis.cli(&["EXISTS", "first:100"]) == "1"
    });
    tight.redis.cli(&["ACL", "SETUSER", "blind", "+info"]);
    let run = calm(crate::support::shopwarm::finish(child)).expect(0);
    let second = warnings(&run, "bulk/second");
    let tells = second.iter().any(|warning| warning.contains("evicted"));
    assert!(tells, "{second:?}");
    let said = run.json()["warnings"].to_string();
    assert!(said.contains("memory is not watched"), "{said}");
}

#[test]
fn a_run_that_is_to_stop_at_evictions_must_see_them() {
    // From the start,
    let tight = Tight::new(&[1000, 10], 50 * MIB, "allkeys-lru");
    let url = blind(&tight.redis);
    let stop = |rest: &str| {
        let run = warm(&tight.contexts, tight.database.url(), &url);
        run.args(&format!("--on-eviction stop {rest}"))
    };
    let run = calm(stop("").run());
    assert_ne!(run.code, 0, "{}", run.stdout);
    assert_eq!(count(&run.json()["totals"], "total"), 0);
    let text = error(&run, "bulk/first");
    assert!(text.contains("memory is not watched"), "{text}");
    assert_eq!(run.strategy("bulk/second")["status"], "cancelled");

    // and to the end.
    tight.redis.cli(&["ACL", "SETUSER", "blind", "+info"]);
    let child = stop("--rate 500").start();
    crate::support::faults::until("it is under way", || {
        crate::support::faults::keys(&tight.redis) > 100
    });
    tight.redis.cli(&["ACL", "SETUSER", "blind", "-info"]);
    let run = calm(crate::support::shopwarm::finish(child));
    assert_ne!(run.code, 0, "{}", run.stdout);
    let text = error(&run, "bulk/first");
    assert!(text.contains("memory is not watched"), "{text}");
    assert_eq!(run.strategy("bulk/second")["status"], "cancelled");
    true_counts(&run, &tight.redis);
}

#[test]
fn a_count_of_evictions_that_was_reset_is_no_count() {
    for on_eviction in ["warn", "stop"] {
        let tight = evicting(&[1000], 20 * MIB);
        let child = tight.warm(&format!("--on-eviction {on_eviction} --rate 500")).start();
        crate::support::faults::until("it is under way", || {
            let first = tight.redis.cli(&["EXISTS", "first:100"]);
            first == "1"
        });
        tight.redis.cli(&["CONFIG", "RESETSTAT"]);
        let run = calm(crate::support::shopwarm::finish(child));
        if on_eviction == "warn" {
            let said = warnings(&run.expect(0), "bulk/first");
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].contains("was reset"), "{said:?}");
        } else {
            let text = error(&run, "bulk/first");
            assert!(text.contains("was reset"), "{text}");
        }
    }
}

#[test]
fn evictions_are_told_once_a_strategy() {
    let tight = evicting(&[15_000], MIB);
    let before = tight.evicted();
    // Two windows.
    let keys: String = (1..=15_000).map(|id| format!("first:{id}\n")).collect();
    let run = crate::support::shopwarm::shopwarm("warmup keys - -o json").stdin(keys);
    let run = run.contexts(&tight.contexts).database(tight.database.url()).cache(tight.redis.url());
    let run = calm(run.run()).expect(0);
    let said = warnings(&run, "bulk/first");
    assert_eq!(said.len(), 1, "{said:?}");
    let number = said[0].split_whitespace().find_map(|word| word.replace(',', "").parse().ok());
    // Those of both: the first writes two thirds of all.
    let all = tight.evicted() - before;
    let is_sum = |n: u64| n <= all && n > all * 3 / 4;
    assert!(number.is_some_and(is_sum), "{all}, {said:?}");
}
