//! What stops a run before it writes what it should not: `--max-shrink` and `--shape`.

use serde_json::{Value, json};

use crate::support::cached::{Embedded, dump};
use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::{Dialect, Redis};
use crate::support::shop::DIALECTS;
use crate::support::shopwarm::Finished;

/// Two strategies on as many rows as the table has.
fn definitions() -> String {
    own(
        &["t"],
        &[
            strategy("t", "object", "K:{id}", "SELECT id, v FROM t"),
            "priority = 9\n".to_owned(),
            strategy("u", "text", "U:{_id}", "SELECT id AS _id, v FROM t WHERE id <= 5"),
        ]
        .concat(),
    )
}

fn lab(dialect: Dialect, rows: i64) -> Lab {
    let lab = Lab::empty(dialect);
    lab.database.sql("CREATE TABLE t (id int PRIMARY KEY, v varchar(20))");
    fill(&lab, rows);
    lab
}

fn fill(lab: &Lab, rows: i64) {
    let rows: Vec<String> = (1..=rows).map(|n| format!("({n}, 'v{n}')")).collect();
    lab.database.sql(&format!("DELETE FROM t; INSERT INTO t VALUES {}", rows.join(",")));
}

fn warm(lab: &Lab, arguments: &str) -> Finished {
    lab.with(&definitions(), "warmup context own -o json").args(arguments).run()
}

/// The number of keys of each strategy's last complete run; an earlier version's is all it kept.
fn counts(hash: &Value) -> Value {
    let count = |last: &Value| {
        let text = last.as_str().expect("a text");
        let kept: Value = serde_json::from_str(text).expect("JSON");
        match kept.get("keys") {
            Some(keys) => {
                assert!(kept["run_id"].is_string() && kept["at"].is_string(), "{kept}");
                keys.to_string()
            }
            None => text.to_owned(),
        }
    };
    let fields = hash.as_object().expect("a hash").iter();
    fields.map(|(id, last)| (id.clone(), Value::from(count(last)))).collect()
}

fn remembered(redis: &Redis, prefix: &str) -> Value {
    let all = dump(redis);
    let hash = all.get(&format!("{prefix}shopwarm:last-complete"));
    hash.map_or(Value::Null, |hash| {
        assert_eq!((hash.kind.as_str(), hash.ttl), ("hash", -1));
        counts(&hash.value)
    })
}

#[test]
fn a_strategy_that_shrinks_too_much_writes_nothing() {
    for dialect in DIALECTS {
        let lab = lab(dialect, 100);
        warm(&lab, "--prefix p: --max-shrink 50%").expect(0);
        assert_eq!(remembered(&lab.redis, "p:"), json!({ "own/t": "100", "own/u": "5" }));
        // Half of them is what is allowed.
        fill(&lab, 50);
        warm(&lab, "--prefix p: --max-shrink 50%").expect(0);
        assert_eq!(remembered(&lab.redis, "p:")["own/t"], "50");

        fill(&lab, 24);
        lab.redis.cli(&["FLUSHDB"]);
        lab.redis.cli(&["HSET", "p:shopwarm:last-complete", "own/t", "50", "own/u", "5"]);
        let run = warm(&lab, "--prefix p: --max-shrink 50%").expect(3);
        let [t, u] = ["own/t", "own/u"].map(|id| run.strategy(id));
        assert_eq!((&t["status"], &u["status"]), (&json!("failed"), &json!("completed")));
        let error = t["error"].as_str().expect("a text");
        assert!(error.contains("24 keys, 50 in the last complete run"), "{error}");
        assert!(dump(&lab.redis).keys().all(|key| !key.starts_with("p:K:")), "{dialect:?}");
        // What failed keeps its last count, so that the next run fails too.
        assert_eq!(remembered(&lab.redis, "p:"), json!({ "own/t": "50", "own/u": "5" }));
        warm(&lab, "--prefix p: --max-shrink 50%").expect(3);
        // Another prefix, another shop; a wider limit; none.
        warm(&lab, "--prefix q: --max-shrink 50%").expect(0);
        warm(&lab, "--prefix p: --max-shrink 52%").expect(0);
        assert_eq!(remembered(&lab.redis, "p:")["own/t"], "24");
        fill(&lab, 5);
        warm(&lab, "--prefix p:").expect(0);
        assert_eq!(remembered(&lab.redis, "p:")["own/t"], "5");
    }
}

#[test]
fn a_shrunken_strategy_leaves_the_old_values() {
    let lab = lab(Dialect::Sqlite, 20);
    warm(&lab, "").expect(0);
    let before = dump(&lab.redis);
    lab.database.sql("UPDATE t SET v = 'new'; DELETE FROM t WHERE id > 6");
    warm(&lab, "--max-shrink 10 --stop-on-error").expect(3);
    let values = |dump: crate::support::cached::Dump| -> Vec<(String, Value)> {
        dump.into_iter().map(|(k, s)| (k, s.value)).collect()
    };
    assert_eq!(values(dump(&lab.redis)), values(before));
}

#[test]
fn the_embedded_cache_remembers_likewise() {
    let (lab, embedded) = (lab(Dialect::Sqlite, 40), Embedded::new());
    let warm = |arguments: &str| {
        embedded.on(lab.with(&definitions(), "warmup context own -o json").args(arguments)).run()
    };
    warm("").expect(0);
    let own = &embedded.dump()["shopwarm:last-complete"];
    assert_eq!((own.kind.as_str(), own.ttl), ("hash", -1));
    assert_eq!(counts(&own.value), json!({ "own/t": "40", "own/u": "5" }));
    fill(&lab, 10);
    embedded.sql("DELETE FROM entries WHERE CAST(key AS TEXT) LIKE 'K:%'");
    let run = warm("--max-shrink 50%").expect(3);
    assert_eq!(run.strategy("own/t")["status"], "failed");
    assert!(embedded.dump().keys().all(|key| !key.starts_with("K:")));
    let own = &embedded.dump()["shopwarm:last-complete"];
    assert_eq!(counts(&own.value)["own/t"], "40");
}

/// A part of a selection, or one that failed, is no measure of a whole one.
#[test]
fn only_complete_runs_are_remembered() {
    let lab = lab(Dialect::Sqlite, 30);
    warm(&lab, "--limit 3").expect(0);
    assert_eq!(remembered(&lab.redis, ""), Value::Null);
    lab.with(&definitions(), "warmup strategy own/u -q").run().expect(0);
    assert_eq!(remembered(&lab.redis, ""), json!({ "own/u": "5" }));
    warm(&lab, "").expect(0);
    assert_eq!(remembered(&lab.redis, "")["own/t"], "30");
    for command in
        ["dry-run context own -q", "verify context own -q", "keys list --context own --cached"]
    {
        lab.redis.cli(&["DEL", "shopwarm:last-complete"]);
        lab.with(&definitions(), command).run().expect(0);
        assert_eq!(remembered(&lab.redis, ""), Value::Null, "{command}");
    }
    lab.with(&definitions(), "warmup keys K:1 -q").run().expect(0);
    assert_eq!(remembered(&lab.redis, ""), Value::Null);
    // A limited run is measured by its limit.
    warm(&lab, "").expect(0);
    warm(&lab, "--limit 3 --max-shrink 10%").expect(0);
    let run = warm(&lab, "--max-shrink half").expect(2);
    assert!(run.stderr.contains("half"), "{}", run.stderr);
}

#[test]
fn a_guard_that_cannot_see_lets_nothing_through() {
    let lab = lab(Dialect::Sqlite, 10);
    lab.redis.cli(&["ACL", "SETUSER", "one", "on", ">hunter2", "~K:*", "~U:*", "+@all"]);
    let url = lab.redis.url().replace("//", "//one:hunter2@");
    let run =
        lab.with(&definitions(), "warmup context own --max-shrink 50%").cache(&url).run().expect(7);
    assert!(
        run.stdout.contains("cannot be read") && run.stdout.contains("--max-shrink"),
        "{}",
        run.stdout
    );
    assert_eq!(lab.keys().len(), 0);
    let run = lab.with(&definitions(), "warmup context own").cache(url);
    run.run().expect(0);
    assert_eq!(lab.keys().len(), 15);
}

const THEIRS: &str = r#"{"id": "1", "title": "v1", "tags": []}"#;

#[test]
fn another_shape_is_a_warning_or_a_failure() {
    for dialect in DIALECTS {
        let lab = lab(dialect, 30);
        let theirs = || lab.redis.cli(&["SET", "K:7", THEIRS]);
        theirs();
        let looked = lab.with(&definitions(), "dry-run own -o json").run();
        let warned = looked.expect(0).strategy("own/t")["warnings"].to_string();
        for word in [
            "own/t would change the format of cached values",
            "`id` is a string and would be a number",
            "`title` would be gone",
            "`v` would be new",
        ] {
            assert!(warned.contains(word), "no {word} in {warned}");
        }
        let verified = lab.with(&definitions(), "verify own -o json").run();
        assert_eq!(verified.expect(10).strategy("own/t")["warnings"], json!([]));
        let warnings = warm(&lab, "").expect(0).json().to_string();
        for word in [
            "own/t changed the format of cached values",
            "`id` was a string and is now a number",
            "`title` is gone",
            "`v` is new",
        ] {
            assert!(warnings.contains(word), "no {word} in {warnings}");
        }
        assert_eq!(lab.get("K:7"), "{\"id\":7,\"v\":\"v7\"}");

        lab.redis.cli(&["FLUSHALL"]);
        theirs();
        let failed = warm(&lab, "--shape fail").expect(3);
        let [t, u] = ["own/t", "own/u"].map(|id| failed.strategy(id));
        assert_eq!(
            (&t["status"], &t["total"], &u["status"]),
            (&json!("failed"), &json!(0), &json!("completed"))
        );
        assert!(t["error"].as_str().expect("a text").contains("`title` would be gone"), "{t:#}");
        assert_eq!(lab.get("K:7"), THEIRS);
        assert_eq!(lab.keys().len(), 5 + 1, "nothing of it is written");

        let off = warm(&lab, "--shape off").expect(0);
        assert!(!off.json().to_string().contains("`title`"), "{}", off.stdout);
        assert_eq!(lab.get("K:7"), "{\"id\":7,\"v\":\"v7\"}");
    }
}

/// The same fields with other values, however they are written, are what a run is for.
#[test]
fn the_same_shape_is_written_over_in_silence() {
    let lab = lab(Dialect::Sqlite, 30);
    lab.redis.cli(&["SET", "K:3", "{ \"v\" : \"\\u00fc\", \"id\" : 3.0 }"]);
    lab.redis.cli(&["SET", "K:4", "{\"id\": 4, \"v\": null}"]);
    lab.redis.cli(&["SET", "U:1", "any text"]);
    let run = warm(&lab, "--shape fail").expect(0);
    assert!(!run.json().to_string().contains("would"), "{}", run.stdout);
    lab.database.sql("UPDATE t SET v = NULL WHERE id = 3");
    warm(&lab, "--shape fail").expect(0);
    assert_eq!(lab.get("K:3"), "{\"id\":3,\"v\":null}");
}

#[test]
fn another_type_is_another_shape() {
    let lab = lab(Dialect::Sqlite, 30);
    lab.redis.cli(&["RPUSH", "U:2", "a"]);
    lab.redis.cli(&["SET", "K:9", "no JSON"]);
    let run = warm(&lab, "--shape fail").expect(3);
    let error = |id: &str| run.strategy(id)["error"].to_string();
    assert!(
        error("own/u").contains(
            "a value of type list would be replaced with one of type string, for example at U:2"
        ),
        "{}",
        error("own/u")
    );
    assert!(error("own/t").contains("not JSON"), "{}", error("own/t"));
    assert_eq!(lab.redis.cli(&["TYPE", "U:2"]), "list");
    assert_eq!(lab.keys(), ["K:9", "U:2"]);
}

#[test]
fn a_hash_has_the_shape_of_its_fields_and_so_in_the_embedded_cache() {
    let (lab, embedded) = (lab(Dialect::Sqlite, 10), Embedded::new());
    let hash = |column: &str| {
        own(
            &["t"],
            &strategy(
                "h",
                "hash",
                "H:{_id}",
                &format!("SELECT id AS _id, id, v AS {column} FROM t"),
            ),
        )
    };
    for url in [lab.redis.url(), embedded.url()] {
        let warm = |column: &str, arguments: &str| {
            lab.with(&hash(column), "warmup context own -o json").args(arguments).cache(&url).run()
        };
        warm("v", "--shape fail").expect(0);
        lab.database.sql("UPDATE t SET v = 'other'");
        warm("v", "--shape fail").expect(0);
        let run = warm("w", "--shape fail").expect(3);
        let error = run.strategy("own/h")["error"].to_string();
        assert!(
            error.contains("`v` would be gone") && error.contains("`w` would be new"),
            "{error}"
        );
        let raw = lab.with(&hash("v"), "keys get --raw H:1").cache(&url).run().expect(0);
        assert_eq!(
            serde_json::from_str::<Value>(&raw.stdout).expect("JSON"),
            json!({ "id": "1", "v": "other" })
        );
        lab.database.sql("UPDATE t SET v = 'v'");
    }
}

#[test]
fn values_that_may_not_be_read_are_written_unless_shape_is_to_hold() {
    let lab = lab(Dialect::Sqlite, 10);
    lab.redis.cli(&["SET", "K:7", THEIRS]);
    lab.redis.cli(&["ACL", "SETUSER", "writer", "on", ">hunter2", "~*", "+set", "+hset", "+ping"]);
    let url = lab.redis.url().replace("//", "//writer:hunter2@");
    let warm = |arguments: &str| {
        lab.with(&definitions(), "warmup context own -o json").args(arguments).cache(&url).run()
    };
    warm("").expect(0);
    assert_eq!(lab.keys().len(), 15);
}

#[test]
fn what_is_not_written_over_may_have_any_shape() {
    let lab = lab(Dialect::Sqlite, 10);
    lab.redis.cli(&["SET", "K:7", THEIRS]);
    warm(&lab, "--shape fail --mode only-missing").expect(0);
    assert_eq!(lab.get("K:7"), THEIRS);
    assert_eq!(lab.keys().len(), 15);
}

/// Up to twenty values are looked at, however many there are.
#[test]
fn one_of_twenty_other_values_is_enough() {
    let lab = lab(Dialect::Sqlite, 200);
    let theirs = |n: u32| lab.redis.cli(&["SET", &format!("K:{n}"), "{\"id\":0,\"v\":\"theirs\"}"]);
    for n in 1..20 {
        theirs(n * 10);
    }
    warm(&lab, "--shape fail").expect(0);
    for n in 1..20 {
        theirs(n * 10);
    }
    lab.redis.cli(&["SET", "K:191", THEIRS]);
    warm(&lab, "--shape fail").expect(3);
    assert_eq!(lab.get("K:191"), THEIRS);
}

/// Someone else's key, by the very name.
#[test]
fn what_is_no_record_is_none() {
    let lab = lab(Dialect::Sqlite, 10);
    lab.redis.cli(&["SET", "shopwarm:last-complete", "mine"]);
    let refused = warm(&lab, "--max-shrink 0%").expect(3);
    assert!(refused.stdout.contains("something other"), "{}", refused.stdout);
    assert_eq!(lab.get("shopwarm:last-complete"), "mine");
    lab.redis.cli(&["DEL", "shopwarm:last-complete"]);
    lab.redis.cli(&["HSET", "shopwarm:last-complete", "own/t", "many", "own/gone", "7"]);
    warm(&lab, "--max-shrink 0%").expect(0);
    // Strategies that this run is not about are kept.
    assert_eq!(remembered(&lab.redis, ""), json!({ "own/t": "10", "own/u": "5", "own/gone": "7" }));
}

/// A run that could not store a key is no measure of the next one.
#[test]
fn a_strategy_with_failed_keys_is_not_remembered() {
    let lab = lab(Dialect::Sqlite, 10);
    lab.redis.cli(&["ACL", "SETUSER", "one", "on", ">hunter2", "~U:*", "~shopwarm:*", "+@all"]);
    let url = lab.redis.url().replace("//", "//one:hunter2@");
    let run = lab.with(&definitions(), "warmup context own -o json").cache(url);
    let run = run.run().expect(3);
    assert_eq!(run.strategy("own/t")["failed"], 10);
    assert_eq!(remembered(&lab.redis, ""), json!({ "own/u": "5" }));
}

/// A user of the lab's Redis with these permissions.
fn user(lab: &Lab, permissions: &str) -> String {
    let mut command = vec!["ACL", "SETUSER", "one", "on", ">hunter2"];
    command.extend(permissions.split(' '));
    lab.redis.cli(&command);
    lab.redis.url().replace("//", "//one:hunter2@")
}

#[test]
fn who_may_not_read_is_not_let_through_by_shape_fail() {
    let lab = lab(Dialect::Sqlite, 30);
    lab.redis.cli(&["SET", "K:7", THEIRS]);
    let url = user(&lab, "~* +set +ping +hset");
    let warm = |arguments: &str| {
        let command = lab.with(&definitions(), "warmup strategy own/t -o json");
        command.args(arguments).cache(&url).run()
    };
    let refused = warm("--shape fail").expect(3);
    assert!(refused.stdout.contains("NOPERM"), "{}", refused.stdout);
    assert_eq!(lab.get("K:7"), THEIRS);
    assert_eq!(warm("").expect(0).json()["totals"]["warmed"], 30);
}

#[test]
fn the_canary_sees_later_batches_and_keys_by_name() {
    let lab = lab(Dialect::Sqlite, 300);
    for n in 201..=300 {
        lab.redis.cli(&["SET", &format!("K:{n}"), THEIRS]);
    }
    let run = warm(&lab, "--shape fail --batch-size 50 --concurrency 1").expect(3);
    assert!(run.strategy("own/t")["error"].to_string().contains("`title` would be gone"));
    assert_eq!(lab.get("K:250"), THEIRS);
    assert_eq!(lab.get("K:200"), "{\"id\":200,\"v\":\"v200\"}");

    let by_name = |shape: &str| {
        let command = lab.with(&definitions(), "warmup keys K:250 -o json");
        command.args(shape).run()
    };
    by_name("--shape fail").expect(3);
    assert_eq!(lab.get("K:250"), THEIRS);
    let warned = by_name("").expect(0);
    assert!(warned.stdout.contains("`title` is gone"), "{}", warned.stdout);
}

#[test]
fn a_guard_says_when_it_has_nothing_to_compare_with_or_cannot_keep_it() {
    let lab = lab(Dialect::Sqlite, 10);
    let first = warm(&lab, "--max-shrink 50%").expect(0).json();
    assert!(first["warnings"].to_string().contains("no earlier complete run"), "{first:#}");
    assert!(warm(&lab, "--max-shrink 50%").expect(0).json()["warnings"].is_null());
    let url = user(&lab, "~K:* ~U:* %R~shopwarm:* +@all");
    let command = lab.with(&definitions(), "warmup context own -o json --max-shrink 50%");
    let run = command.cache(url).run().expect(0).json();
    assert!(run["warnings"].to_string().contains("could not be kept"), "{run:#}");
}
