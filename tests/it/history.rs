//! What a run leaves for those who ask later: its report, as it was printed, and of each strategy
//! the last complete run. How it is shown is in `runs`.

use serde_json::Value;

use crate::support::cached::Embedded;
use crate::support::faults::calm;
use crate::support::held::Held;
use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::Dialect;
use crate::support::shopwarm::{Finished, Shopwarm};

const LIST: &str = "shopwarm:runs";

/// How many runs are kept.
const KEPT: usize = 200;

const MONTH: i64 = 30 * 24 * 3600 * 1000;

/// A strategy with as many keys as the table has rows.
fn warm(lab: &Lab, arguments: &str) -> Shopwarm {
    let sql = "SELECT id, v FROM t";
    let strategy = strategy("t", "object", "K:{id}", sql) + "min_keys = 0\n";
    let definitions = own(&["t"], &strategy);
    lab.with(&definitions, arguments).args("-o json")
}

fn lab(rows: u32) -> Lab {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql("CREATE TABLE t (id int, v text)");
    for id in 0..rows {
        let insert = format!("INSERT INTO t VALUES ({id}, 'v')");
        lab.database.sql(&insert);
    }
    lab
}

/// The history, newest first.
fn history(lab: &Lab, prefix: &str) -> Vec<Value> {
    let items = lab.redis.cli(&["LRANGE", &format!("{prefix}{LIST}"), "0", "-1"]);
    let items = items.lines().filter(|line| !line.is_empty());
    items.map(|item| serde_json::from_str(item).expect("JSON")).collect()
}

/// A report without what is known only after it was recorded.
fn lasting(mut report: Value) -> Value {
    let fields = report.as_object_mut().expect("an object");
    let elapsed = fields.remove("elapsed_ms");
    assert!(elapsed.is_some_and(|ms| ms.is_u64()));
    // It says how long the run took, too.
    let verdict = fields.remove("verdict");
    assert!(verdict.is_some_and(|verdict| verdict.is_string()));
    report
}

/// The newest run of the history is this one.
#[track_caller]
fn is_recorded(lab: &Lab, prefix: &str, run: &Finished, outcome: &str) {
    let newest = history(lab, prefix).swap_remove(0);
    assert_eq!(newest["outcome"], outcome, "{run:?}");
    assert_eq!(lasting(newest), lasting(run.json()));
}

#[test]
fn every_run_leaves_its_report_whatever_became_of_it() {
    let lab = lab(3);
    let run = warm(&lab, "warmup context own").run().expect(0);
    is_recorded(&lab, "", &run, "complete");
    let run = warm(&lab, "warmup keys K:1 K:7 X:1").run().expect(3);
    is_recorded(&lab, "", &run, "incomplete");
    assert_eq!(run.json()["command"], "warmup keys");
    lab.database.sql("INSERT INTO t VALUES (NULL, 'no key')");
    let run = warm(&lab, "warmup strategy own/t").run().expect(3);
    is_recorded(&lab, "", &run, "incomplete");
    lab.database.sql("DELETE FROM t");
    let run = warm(&lab, "warmup context own").run().expect(3);
    is_recorded(&lab, "", &run, "empty");
    let all = history(&lab, "");
    assert_eq!(all.len(), 4);
    for run in &all {
        assert_eq!(run["trigger"], "cli");
        assert!(run.get("job").is_none_or(Value::is_null));
    }
    // What only looks, and what could not begin for a word that was mistyped, is no run.
    warm(&lab, "dry-run context own").run();
    warm(&lab, "verify context own").run();
    warm(&lab, "warmup context owm").run().expect(2);
    assert_eq!(history(&lab, "").len(), 4);
}

#[test]
fn a_run_that_was_stopped_is_recorded_and_the_cache_may_be_full_by_then() {
    let lab = Lab::shop(Dialect::Postgres);
    let held = Held::start(&lab, "warmup context catalog", "a:");
    held.signal("INT");
    is_recorded(&lab, "a:", &held.end().expect(130), "interrupted");

    let held = Held::start(&lab, "warmup context catalog --deadline 5s", "b:");
    is_recorded(&lab, "b:", &held.end().expect(9), "deadline");

    let held = Held::start(&lab, "warmup context catalog", "c:");
    std::thread::sleep(std::time::Duration::from_secs(1));
    lab.redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    held.signal("TERM");
    let run = held.end();
    lab.redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(history(&lab, "c:"), [Value::Null; 0]);
    // A batch that came too late has met the full cache itself.
    if run.json()["totals"]["failed"] == 0 {
        let run = run.expect(143);
        let warnings = run.json()["warnings"].to_string();
        assert!(warnings.contains("this run is not in the history: OOM"), "{warnings}");
    }
}

#[test]
fn a_run_that_cannot_be_recorded_ends_as_it_would_have() {
    let lab = lab(2);
    lab.redis.cli(&["ACL", "SETUSER", "warm", "on", ">hunter2", "+@all", "-lpush", "~*"]);
    let url = lab.redis.url().replace("redis://", "redis://warm:hunter2@");
    let run = calm(warm(&lab, "warmup context own").cache(url).run()).expect(0);
    let warnings = run.json()["warnings"].to_string();
    assert!(warnings.contains("this run is not in the history: NOPERM"), "{warnings}");
    assert_eq!(run.json()["outcome"], "complete");

    lab.redis.cli(&["SET", LIST, "mine"]);
    let run = calm(warm(&lab, "warmup context own").run()).expect(0);
    let warnings = run.json()["warnings"].to_string();
    assert!(warnings.contains("not in the history: WRONGTYPE"), "{warnings}");
    assert_eq!(lab.redis.cli(&["GET", LIST]), "mine");
}

#[test]
fn the_list_is_bounded_and_the_last_complete_runs_are_kept_apart() {
    let lab = lab(2);
    let first = warm(&lab, "warmup context own").run().expect(0).json();
    let mut push = vec!["LPUSH", LIST];
    push.extend(vec!["{}"; KEPT + 4]);
    lab.redis.cli(&push);
    lab.redis.cli(&["PERSIST", LIST]);

    lab.database.sql("INSERT INTO t VALUES (NULL, 'no key')");
    let newest = warm(&lab, "warmup context own").run().expect(3).json();
    let all = history(&lab, "");
    assert_eq!(all.len(), KEPT);
    assert_eq!(all[0]["run_id"], newest["run_id"]);
    let ttl: i64 = lab.redis.cli(&["PTTL", LIST]).parse().expect("a number");
    assert!((MONTH - 60_000..=MONTH).contains(&ttl), "{ttl}");

    let last = || {
        let kept = lab.redis.cli(&["HGET", "shopwarm:last-complete", "own/t"]);
        serde_json::from_str::<Value>(&kept).expect("JSON")
    };
    assert_eq!(last()["run_id"], first["run_id"]);
    assert_eq!(last()["at"], first["started_at"]);
    lab.redis.cli(&["DEL", LIST]);
    assert_eq!(last()["keys"], 2);
    assert_eq!(lab.redis.cli(&["TTL", "shopwarm:last-complete"]), "-1");
}

#[test]
fn the_embedded_cache_keeps_the_same() {
    let (lab, cache) = (lab(2), Embedded::new());
    // Each item is a row at the list's key, a NUL and its number.
    const START: &str = "73686F707761726D3A72756E7300";
    let rows = &format!("FROM entries WHERE type = 'item' AND hex(key) LIKE '{START}%'");
    let run = cache.on(warm(&lab, "warmup context own")).run().expect(0);
    let list = || {
        let items = format!("SELECT CAST(value AS TEXT) AS item {rows} ORDER BY key");
        let list = cache.sql(&format!("SELECT json_group_array(item) FROM ({items})"));
        let items: Vec<String> = serde_json::from_str(&list).expect("a list");
        let parsed = items.iter().map(|item| serde_json::from_str(item));
        parsed.collect::<Result<Vec<Value>, _>>().expect("JSON")
    };
    assert_eq!(lasting(list().swap_remove(0)), lasting(run.json()));
    let first = cache.sql(&format!("SELECT hex(substr(key, 15)) {rows}"));
    let first = u64::from_str_radix(&first, 16).expect("a number");
    let more: Vec<String> = (1..KEPT as u64 + 4)
        .map(|n| {
            let number = first + n;
            format!("(x'{START}{number:016x}', 'item', CAST('{{}}' AS BLOB), 9000000000000000)")
        })
        .collect();
    let more = more.join(", ");
    cache.sql(&format!("INSERT INTO entries (key, type, value, expires_at) VALUES {more}"));
    let run = cache.on(warm(&lab, "warmup keys K:1")).run().expect(0);
    assert_eq!(list().len(), KEPT);
    assert_eq!(list()[0]["run_id"], run.json()["run_id"]);
    let left = format!("SELECT DISTINCT expires_at - unixepoch() * 1000 {rows}");
    let left = cache.sql(&left);
    let left: i64 = left.parse().expect("a number");
    assert!((MONTH - 60_000..=MONTH + 1000).contains(&left), "{left}");
}
