//! `dry-run`, and the plans that it seals.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::cached::{
    self, CLASSES, Embedded, classes, counted, definitions, dump, objects, planned, reported,
    spread,
};
use crate::support::lab::{Lab, own, strategy};
use crate::support::proxy::FaultProxy;
use crate::support::servers::{Dialect, Redis};
use crate::support::shop::DIALECTS;
use crate::support::shopwarm::{Finished, Shopwarm, finish, shopwarm};

fn dry_run(lab: &Lab, arguments: &str) -> Shopwarm {
    lab.with(&definitions(), "dry-run context own -o json").args(arguments)
}

/// A line a key, then the report.
fn with_keys(lab: &Lab, arguments: &str) -> Finished {
    let run = lab.with(&definitions(), "dry-run context own -o ndjson --keys").args(arguments);
    run.run().expect(0)
}

/// The keys of `dry-run --keys -o ndjson` in a state.
fn keys_in(run: &Finished, state: &str) -> BTreeSet<String> {
    let lines = objects(&run.stdout).into_iter();
    let keys = lines.filter(|line| line["type"] == "key" && line["state"] == state);
    keys.map(|line| line["key"].as_str().expect("a text").to_owned()).collect()
}

fn set(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(ToString::to_string).collect()
}

#[test]
fn each_class_is_counted_rightly() {
    for dialect in DIALECTS {
        let lab = cached::lab(dialect);
        spread(&lab.redis, "");
        let before = dump(&lab.redis);
        let planned = planned("");
        for (within, millis) in
            [("", 3_600_000), ("--expiring-within 1s", 1_000), ("--expiring-within 1d", 86_400_000)]
        {
            let run = dry_run(&lab, within).run().expect(0);
            let counts = counted(&planned, &before, millis);
            assert_eq!(reported(&run), counts, "{dialect:?} {within}");
            let totals = &run.json()["totals"];
            for class in CLASSES {
                let sum: u64 = counts.iter().filter(|((_, c), _)| c == class).map(|(_, n)| n).sum();
                assert_eq!(totals[class], sum, "{class}");
            }
            assert_eq!(totals["keys"], planned.len());
        }
        let run = with_keys(&lab, "");
        let found = classes(&planned, &before, 3_600_000);
        for class in CLASSES {
            let wanted: BTreeSet<String> =
                found.iter().filter(|(_, c)| **c == class).map(|(k, _)| k.clone()).collect();
            assert_eq!(keys_in(&run, class), wanted, "{dialect:?} {class}");
        }
        let values = |dump: cached::Dump| -> Vec<_> {
            dump.into_iter().map(|(k, s)| (k, s.kind, s.value)).collect()
        };
        assert_eq!(values(dump(&lab.redis)), values(before), "only looked");
        // Writing makes all of it identical.
        lab.with(&definitions(), "warmup context own -q --default-ttl 2h").run().expect(0);
        assert_eq!(
            dry_run(&lab, "--exit-code").run().expect(0).json()["totals"]["identical"],
            planned.len()
        );
    }
}

#[test]
fn what_the_shops_own_writer_wrote_is_identical() {
    for dialect in DIALECTS {
        let lab = Lab::shop(dialect);
        lab.command("warmup all -q").run().expect(0);
        let mut stood = dump(&lab.redis);
        stood.retain(|key, _| !key.starts_with("shopwarm:"));
        let values: Vec<Value> = stood
            .values()
            .map(|s| match &s.value {
                Value::String(text) => serde_json::from_str(text).expect("JSON"),
                other => other.clone(),
            })
            .collect();
        let python = cached::python_dumps(&values.iter().collect::<Vec<_>>());
        let mut set = Vec::new();
        let mut changed = 0;
        for ((key, stood), python) in stood.iter().zip(python) {
            if stood.kind == "string" {
                changed += usize::from(stood.value != python);
                set.push(["SET", key, &python, "EX", "40000"].map(str::to_owned).to_vec());
            }
        }
        assert!(changed > 150, "{changed} are written in another way");
        cached::commands(&lab.redis, &set);
        // The same to Python, byte for byte another: floats have fewer digits.
        let run = lab.command("dry-run -o json").run().expect(0);
        assert_eq!(run.json()["totals"]["identical"], 170, "{dialect:?} {:#}", run.json());
    }
}

#[test]
fn a_dry_run_says_what_a_run_would_do() {
    let costs = DIALECTS.map(|dialect| {
        let lab = Lab::shop(dialect);
        let report = lab.command("dry-run -o json").run().expect(0).json();
        let strategies = report["strategies"].as_array().expect("strategies").clone();
        let run = lab.command("warmup all -o json").run().expect(0).json();
        let warmed = run["strategies"].as_array().expect("strategies");
        for (looked, warmed) in strategies.iter().zip(warmed) {
            for field in ["id", "priority", "ttl_seconds", "bytes"] {
                assert_eq!(looked[field], warmed[field], "{dialect:?} {field}");
            }
            assert_eq!(looked["keys"], warmed["warmed"]);
            let lives = looked["ttl_seconds"].as_u64().expect("seconds");
            assert_eq!(looked["spread_seconds"], lives / 10);
            let sample = looked["sample"].as_array().expect("a list");
            assert_eq!(sample.len() as u64, looked["keys"].as_u64().map_or(0, |n| n.min(3)));
            let there = dump(&lab.redis);
            assert!(
                sample.iter().all(|key| there.contains_key(key.as_str().expect("a text"))),
                "{looked:#}"
            );
        }
        assert_eq!(strategies.len(), warmed.len());
        let own = |key: &String| key.starts_with("shopwarm:");
        let bytes: usize = dump(&lab.redis)
            .iter()
            .filter(|(key, _)| !own(key))
            .map(|(key, stood)| key.len() + stood.value.as_str().expect("a text").len())
            .sum();
        assert_eq!(report["totals"]["bytes"], bytes);
        assert!(report["estimated_ms"].is_u64(), "{report:#}");
        let known = strategies.iter().all(|strategy| strategy["cost"].as_f64() > Some(0.0));
        let version = match dialect {
            Dialect::MySql => lab.database.query("SELECT VERSION()"),
            _ => String::new(),
        };
        (known, version)
    });
    let [(postgres, _), (mariadb, version), (sqlite, _)] = costs;
    // MariaDB's planner tells it from version 11 on, SQLite's never.
    let version: u32 = version.split('.').next().and_then(|n| n.parse().ok()).expect("a version");
    assert_eq!([postgres, mariadb, sqlite], [true, version >= 11, false]);
}

#[test]
fn the_exit_code_says_whether_something_would_change() {
    let lab = Lab::shop(Dialect::Sqlite);
    let dry_run = |arguments: &str, code: i32| {
        lab.command("dry-run -o json").args(arguments).run().expect(code).json()
    };
    assert_eq!(dry_run("--exit-code", 10)["would_change"], 170);
    dry_run("", 0);
    lab.command("warmup all -q").run().expect(0);
    // What lives shorter than an hour from its first moment on is no change.
    assert_eq!(dry_run("--exit-code", 0)["would_change"], 0);
    lab.redis.cli(&["EXPIRE", "Product:id:prod-0011", "60"]);
    assert_eq!(dry_run("--exit-code", 10)["would_change"], 1);
    dry_run("--exit-code --expiring-within 10s", 0);
    dry_run("--exit-code --mode only-missing", 0);
    lab.redis.cli(&["SET", "Category:id:cat-01", "mine"]);
    dry_run("--exit-code --mode only-missing", 0);
    assert_eq!(dry_run("--exit-code", 10)["would_change"], 2);
    lab.redis.cli(&["DEL", "Category:id:cat-01"]);
    assert_eq!(dry_run("--exit-code --mode only-missing", 10)["would_change"], 1);
}

#[test]
fn a_plan_that_cannot_be_saved_is_refused_before_anything_is_read() {
    let lab = Lab::shop(Dialect::Sqlite);
    let run = lab.command("dry-run --plan /nosuch/plan.json").run();
    let run = run.expect(4);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("there is no such folder"), "{}", run.stderr);
}

#[test]
fn without_a_cache_nothing_is_compared() {
    for dialect in DIALECTS {
        let lab = Lab::shop(dialect);
        let alone =
            |arguments: &str| shopwarm(arguments).database(lab.database.url()).run().expect(0);
        let report = alone("dry-run -o json").json();
        assert_eq!(
            (&report["compared"], &report["memory"], &report["would_change"]),
            (&json!(false), &Value::Null, &Value::Null)
        );
        assert_eq!(report["totals"]["keys"], 170);
        for class in CLASSES {
            assert_eq!(
                (&report["totals"][class], &report["strategies"][0][class]),
                (&Value::Null, &Value::Null)
            );
        }
        assert!(alone("dry-run").stdout.contains("no cache is configured"));
        assert_eq!(
            alone("dry-run --keys")
                .stdout
                .lines()
                .filter(|line| line.starts_with("Product:id:"))
                .count(),
            100
        );
        assert_eq!(alone("keys list").stdout.lines().count(), 170);
    }
}

// ── orphans ───────────────────────────────────────────────────────────────────────────────────

#[test]
fn orphans_are_keys_without_a_row() {
    for dialect in DIALECTS {
        let lab = cached::lab(dialect);
        lab.with(&definitions(), "warmup context own -q --prefix p:").run().expect(0);
        lab.database.sql("DELETE FROM t WHERE id IN (7, 8)");
        lab.redis.cli(&[
            "MSET",
            "p:O:9001",
            "x",
            "p:T:none",
            "x",
            "p:L:",
            "x",
            "p:else:1",
            "x",
            "O:1",
            "x",
            "p:shopwarm:mine",
            "x",
            "p:O:1:2",
            "x",
        ]);
        lab.redis.cli(&["RPUSH", "p:H:9002", "x"]);
        let run = with_keys(&lab, "--prefix p: --orphans");
        let mut expected = set(&[
            "p:O:7", "p:O:8", "p:T:7", "p:T:8", "p:H:7", "p:H:8", "p:O:9001", "p:T:none",
            "p:H:9002", "p:O:1:2",
        ]);
        // A key with an empty column is none that a template makes.
        assert_eq!(keys_in(&run, "orphan"), expected, "{dialect:?}");
        let report = dry_run(&lab, "--prefix p: --orphans").run().expect(0).json();
        assert_eq!(report["totals"]["orphans"], expected.len());
        let one = lab
            .with(
                &definitions(),
                "dry-run strategy own/objects -o ndjson --prefix p: --orphans --keys",
            )
            .run()
            .expect(0);
        expected.retain(|key| key.starts_with("p:O:"));
        assert_eq!(keys_in(&one, "orphan"), expected);
        assert_eq!(
            dry_run(&lab, "--prefix p:").run().expect(0).json()["totals"]["orphans"],
            Value::Null
        );
    }
}

#[test]
fn the_embedded_cache_has_orphans_too() {
    let (lab, embedded) = (cached::lab(Dialect::Sqlite), Embedded::new());
    let run = |arguments: &str| embedded.on(lab.with(&definitions(), arguments)).run().expect(0);
    run("warmup context own -q");
    lab.database.sql("DELETE FROM t WHERE id <= 3");
    let found = keys_in(&run("dry-run context own -o ndjson --orphans --keys"), "orphan");
    assert_eq!(found, set(&["O:1", "O:2", "O:3", "T:1", "T:2", "T:3", "H:1", "H:2", "H:3"]));
    let planned = planned("");
    let without_row = embedded.dump().into_keys().filter(|key| {
        planned.contains_key(key) && ["1", "2", "3"].contains(&&key[2..]) && !key.starts_with("L:")
    });
    assert_eq!(found, without_row.collect());
}

/// The shop's list and tree of categories stand behind the same words as a strategy of one's own.
#[test]
fn keys_of_strategies_that_are_not_asked_about_are_no_orphans() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database
        .sql("CREATE TABLE t (id TEXT, v TEXT); INSERT INTO t VALUES ('1', 'a'), ('2', 'b')");
    let definitions = own(
        &["t"],
        &[
            strategy("wide", "text", "C:{_id}", "SELECT id AS _id, v FROM t"),
            strategy("close", "text", "C:vip:{_id}", "SELECT id AS _id, v FROM t"),
            strategy("whole", "list", "C:whole", "SELECT id, v FROM t"),
        ]
        .concat(),
    );
    lab.warm(&definitions).expect(0);
    lab.redis.cli(&["MSET", "C:3", "x", "C:vip:4", "x", "C:other:5", "x"]);
    let orphans = |what: &str| {
        let run =
            lab.with(&definitions, "dry-run -o ndjson --orphans --keys").args(what).run().expect(0);
        keys_in(&run, "orphan")
    };
    assert_eq!(orphans("strategy own/wide"), set(&["C:3", "C:other:5"]));
    assert_eq!(orphans("strategy own/close"), set(&["C:vip:4"]));
    assert_eq!(orphans("strategy own/whole"), set(&[]));
    assert_eq!(orphans("context own"), set(&["C:3", "C:other:5", "C:vip:4"]));
    let all = "dry-run all -o ndjson --orphans --keys --exclude own/close";
    let run = lab.with(&definitions, all).run().expect(0);
    assert_eq!(keys_in(&run, "orphan"), set(&["C:3", "C:other:5"]));
}

/// Rows that a limit leaves out are rows; what the database takes for equal is not the same key.
#[test]
fn a_key_that_a_limit_leaves_out_is_no_orphan() {
    for dialect in DIALECTS {
        let lab = Lab::shop(dialect);
        lab.command("warmup all -q").run().expect(0);
        let ids = |which: &str| {
            let sql = format!("SELECT id FROM products WHERE {which} ORDER BY sales_count, id");
            let ids = lab.database.query(&sql);
            let first = ids.lines().next().expect("a product");
            format!("Product:id:{first}")
        };
        let [worst, deleted] =
            ["is_active AND deleted_at IS NULL", "deleted_at IS NOT NULL"].map(ids);
        assert!(!lab.keys().contains(&worst));
        let upper = "Product:id:PROD-0011";
        for key in [&worst, &deleted, upper, "Product:id:prod-0011 ", "Category:tree:other"] {
            lab.redis.cli(&["SET", key, "x"]);
        }
        // A key that is no text has the template's form, and no row can have it.
        lab.redis.cli(&["EVAL", "redis.call('SET', 'Product:id:\\255\\254', 'x')", "0"]);
        let run = lab.command("dry-run -o ndjson --orphans --keys").run().expect(0);
        let no_text = "Product:id:\\xff\\xfe";
        let expected = set(&[&deleted, upper, "Product:id:prod-0011 ", no_text]);
        assert_eq!(keys_in(&run, "orphan"), expected, "{dialect:?}");
    }
}

#[test]
fn numbers_are_the_same_key_only_as_they_are_written() {
    for dialect in DIALECTS {
        let lab = cached::lab(dialect);
        let others =
            ["O:007", "O:+7", "O:7.0", "O:7 ", "O:7a", "O:99999999999999999999", "O:-7", "O:'"];
        lab.redis.cli(&["SET", "O:7", "x"]);
        for key in others {
            lab.redis.cli(&["SET", key, "x"]);
        }
        let run = with_keys(&lab, "--orphans");
        assert_eq!(keys_in(&run, "orphan"), set(&others), "{dialect:?}");
    }
}

#[test]
fn keys_and_report_are_one_document() {
    let lab = cached::lab(Dialect::Sqlite);
    spread(&lab.redis, "");
    lab.redis.cli(&["SET", "O:9999", "x"]);
    let keys = planned("").len();
    let run = |form: &str| {
        lab.with(&definitions(), "dry-run context own --orphans --keys -o")
            .arg(form)
            .run()
            .expect(0)
    };
    let whole = run("json").json();
    assert_eq!(whole["total"], keys + 1);
    assert_eq!(whole["keys"].as_array().map(Vec::len), Some(keys + 1));
    assert_eq!(whole["report"]["totals"]["keys"], keys);
    let lines = objects(&run("ndjson").stdout);
    let types = |name: &str| lines.iter().filter(|line| line["type"] == name).count();
    assert_eq!([types("key"), types("strategy"), types("run")], [keys + 1, 4, 1]);
    // A table of one kind of thing.
    assert_eq!(run("csv").stdout.lines().count(), 1 + keys + 1);
    let table = run("table").stdout;
    assert!(table.contains("O:9999") && table.contains("would change"), "{table}");
}

/// A template that begins with its column, and keys that a scan's pattern could take for one.
#[test]
fn orphans_are_searched_behind_any_prefix() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql("CREATE TABLE t (id TEXT, v TEXT); INSERT INTO t VALUES ('1', 'a')");
    for (key, prefix) in [("{_id}", "a[b]*?\\:"), ("x*:{_id}", ""), ("{_id}", "")] {
        let definitions = own(&["t"], &strategy("t", "text", key, "SELECT id AS _id, v FROM t"));
        lab.redis.cli(&["FLUSHALL"]);
        let run = |arguments: &str| {
            lab.with(&definitions, arguments).arg(format!("--prefix={prefix}")).run().expect(0)
        };
        run("warmup context own -q");
        let orphan = format!("{prefix}{}", key.replace("{_id}", "9"));
        lab.redis.cli(&["SET", &orphan, "x"]);
        let run = run("dry-run context own -o ndjson --orphans --keys");
        assert_eq!(keys_in(&run, "orphan"), set(&[&orphan]), "{prefix} {key}");
    }
}

// ── nothing is written ────────────────────────────────────────────────────────────────────────

/// Commands that a Redis has run since its figures were reset.
fn commands_run(redis: &Redis) -> BTreeSet<String> {
    let stats = redis.cli(&["INFO", "commandstats"]);
    let names = stats.lines().filter_map(|line| line.strip_prefix("cmdstat_"));
    names.filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect()
}

#[test]
fn looking_sends_no_write_and_never_keys() {
    let lab = cached::lab(Dialect::Sqlite);
    spread(&lab.redis, "");
    lab.redis.cli(&["SET", "O:9999", "x"]);
    let harmless = lab.redis.cli(&["ACL", "CAT", "read"]);
    let harmless: BTreeSet<&str> = harmless
        .lines()
        .chain([
            "eval_ro",
            "eval",
            "info",
            "ping",
            "hello",
            "client|setinfo",
            "client|setname",
            "select",
            "config|get",
            "config|resetstat",
            "command",
            "script|exists",
        ])
        .filter(|name| *name != "keys")
        .collect();
    for command in [
        "keys list --context own --cached",
        "keys list --context own --state missing",
        "dry-run context own --orphans --keys --exit-code",
        "verify context own",
        "verify context own --sample 10",
        "keys get L:3",
        "keys get H:9",
        "keys get --raw O:2",
    ] {
        lab.redis.cli(&["CONFIG", "RESETSTAT"]);
        let run = lab.with(&definitions(), command).run();
        assert!([0, 10].contains(&run.code), "{run:?}");
        let sent = commands_run(&lab.redis);
        let bad: Vec<&String> =
            sent.iter().filter(|name| !harmless.contains(name.as_str())).collect();
        assert!(bad.is_empty(), "{command}: {bad:?} of {sent:?}");
        if command.contains("--orphans") {
            assert!(sent.contains("scan"), "{sent:?}");
        }
    }
}

/// The URL for a user `one` with these permissions.
fn restricted(redis: &Redis, permissions: &str) -> String {
    let mut acl = vec!["ACL", "SETUSER", "one", "reset", "on", ">hunter2", "~*"];
    acl.extend(permissions.split_whitespace());
    assert_eq!(redis.cli(&acl), "OK");
    redis.url().replace("//", "//one:hunter2@")
}

#[test]
fn a_user_who_may_only_read_sees_the_same() {
    for dialect in [Dialect::Postgres, Dialect::Sqlite] {
        let lab = cached::lab(dialect);
        spread(&lab.redis, "");
        lab.redis.cli(&["SET", "O:9999", "x"]);
        let all = dry_run(&lab, "--orphans").run().expect(0);
        let list = lab.with(&definitions(), "keys list --context own --cached").run().expect(0);
        for permissions in [
            "+@read +ping +info",
            "+@read +ping +info -eval_ro -eval -script",
            "+@read +ping +info +eval -eval_ro",
            "+@read +ping +info +eval_ro -eval",
            "+@all -eval -eval_ro",
            // What is needed, one by one.
            "+pttl +strlen +hlen +type +get +hgetall +scan +info",
        ] {
            let url = restricted(&lab.redis, permissions);
            let run = dry_run(&lab, "--orphans").cache(&url).run().expect(0);
            assert_eq!(reported(&run), reported(&all), "{permissions}");
            let (run, all) = (run.json(), all.json());
            assert_eq!(run["totals"]["orphans"], 1, "{permissions}: {:#}", run["warnings"]);
            assert_eq!(run["would_change"], all["would_change"]);
            for strategy in run["strategies"].as_array().expect("strategies") {
                assert_eq!(strategy["not_known"], 0, "{permissions}");
            }
            let verified = lab.with(&definitions(), "verify context own -q").cache(&url).run();
            assert_eq!(verified.code, 10, "{permissions}: {verified:?}");
            let listed = lab
                .with(&definitions(), "keys list --context own --cached")
                .cache(&url)
                .run()
                .expect(0);
            let states = |list: &Finished| {
                let rows = list.stdout.lines().map(|row| {
                    let mut cells = row.split('\t').map(str::to_owned);
                    (cells.next(), cells.next_back())
                });
                rows.collect::<Vec<_>>()
            };
            let (listed, list) = (states(&listed), states(&list));
            assert!(listed == list, "{permissions}");
        }
    }
}

#[test]
fn what_is_denied_is_not_known_and_the_rest_is() {
    let lab = cached::lab(Dialect::Sqlite);
    spread(&lab.redis, "");
    let all = reported(&dry_run(&lab, "").run().expect(0));
    let with = |permissions: &str| {
        let run =
            dry_run(&lab, "--orphans").cache(restricted(&lab.redis, permissions)).run().expect(0);
        assert_eq!(reported(&run), all, "{permissions}");
        run.json()
    };
    let report = with("+@all -info");
    for figure in ["used_bytes", "max_bytes", "policy"] {
        assert_eq!(report["memory"][figure], Value::Null);
        let why = report["memory"]["not_known"][figure].as_str().expect("why");
        assert!(why.contains("info"), "{why}");
    }
    assert!(report["memory"]["needed_bytes"].as_u64() > Some(0));

    let report = with("+@all -scan");
    assert_eq!(report["totals"]["orphans"], Value::Null);
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("orphans are not known") && warnings.contains("scan"), "{warnings}");

    for permissions in ["+@all -info -scan -eval -eval_ro", "+@all -info -scan -@scripting"] {
        let url = restricted(&lab.redis, permissions);
        let table = lab
            .with(&definitions(), "dry-run context own --orphans")
            .cache(&url)
            .run()
            .expect(0)
            .stdout;
        for words in ["the free memory is not known", "orphans are not known"] {
            assert!(table.contains(words), "no {words:?} in {table}");
        }
    }
}

/// Keys that the user may not read are not known; all others are.
#[test]
fn keys_out_of_reach_are_not_known() {
    let lab = cached::lab(Dialect::Sqlite);
    spread(&lab.redis, "");
    let all = reported(&dry_run(&lab, "").run().expect(0));
    lab.redis.cli(&[
        "ACL", "SETUSER", "one", "reset", "on", ">hunter2", "~O:*", "~T:*", "~H:1*", "+@all",
    ]);
    let url = lab.redis.url().replace("//", "//one:hunter2@");
    let run = dry_run(&lab, "").cache(&url).run().expect(0);
    let found = reported(&run);
    for ((id, class), count) in &found {
        if ["own/objects", "own/texts"].contains(&id.as_str()) {
            assert_eq!(count, &all[&(id.clone(), class.clone())], "{id} {class}");
        }
    }
    let [objects, hashes, lists] =
        ["own/objects", "own/hashes", "own/lists"].map(|id| run.strategy(id));
    assert_eq!((&objects["not_known"], &lists["not_known"]), (&json!(0), &json!(70)));
    // 1, 10 to 19, 100 to 199 can be read.
    assert_eq!(hashes["not_known"], 210 - 111);
    assert!(lists["why_not_known"].as_str().is_some_and(|why| why.contains("NOPERM")), "{lists:#}");
    // What is not known is neither equal nor different.
    let verify = |arguments: &str| {
        let command = lab.with(&definitions(), arguments);
        command.cache(&url).run().expect(7)
    };
    let lists = verify("verify strategy own/lists -o json --require 1%").json();
    assert_eq!(lists["verified"]["not_known"], 70);
    let all = verify("verify context own").stdout;
    assert_eq!(all.matches("NOPERM").count(), 1, "{all}");
    assert!(all.contains(" could not be compared: NOPERM"), "{all}");
    let last = all.lines().last().expect("a verdict");
    assert!(last.contains(" keys could not be compared; own: "), "{last}");
}

// ── memory ────────────────────────────────────────────────────────────────────────────────────

fn used(redis: &Redis) -> f64 {
    let info = redis.cli(&["INFO", "memory"]);
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    line.expect("a figure").trim().parse().expect("a number")
}

fn numbers(rows: u64) -> String {
    own(
        &["t"],
        &(strategy(
            "t",
            "object",
            "Number:id:{id}",
            &format!(
                "WITH RECURSIVE s(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM s WHERE id < {rows}) \
             SELECT id, printf('a product of some words %d', id) AS name, id * 7 AS stock FROM s"
            ),
        ) + "order_by = \"id DESC\"\n"),
    )
}

#[test]
fn the_memory_that_a_run_needs_is_estimated() {
    let lab = Lab::empty(Dialect::Sqlite);
    let run = |arguments: &str| lab.with(&numbers(50_000), arguments).run().expect(0);
    run("warmup context own -q --limit 100");
    let memory = run("dry-run context own -o json").json()["memory"].clone();
    let before = used(&lab.redis);
    run("warmup context own -q");
    let grown = used(&lab.redis) - before;
    let needed = memory["needed_bytes"].as_f64().expect("a number");
    let off = (needed - grown).abs() / grown;
    assert!(off < 0.25, "{needed} foreseen, {grown} needed: {off:.3} off; {memory:#}");
    // What is there need not be paid for again.
    let memory = run("dry-run context own -o json").json()["memory"].clone();
    assert_eq!(memory["needed_bytes"], 0);
}

#[test]
fn what_is_free_is_told_beside_what_is_needed() {
    let lab = cached::lab(Dialect::Sqlite);
    let dry_run = |form: &str| {
        let run = lab.with(&definitions(), &format!("dry-run context own {form}"));
        run.run().expect(0)
    };
    assert!(dry_run("").stdout.contains("used, no limit is set"));
    let max = used(&lab.redis) as u64 + 100_000_000;
    lab.redis.cli(&["CONFIG", "SET", "maxmemory", &max.to_string()]);
    let memory = dry_run("-o json").json()["memory"].clone();
    assert_eq!((&memory["max_bytes"], &memory["policy"]), (&json!(max), &json!("noeviction")));
    assert!(memory["free_bytes"].as_u64() > Some(90_000_000), "{memory:#}");
    let table = dry_run("").stdout;
    let line = table.lines().find(|line| line.starts_with("memory: ~"));
    let line = line.unwrap_or_else(|| panic!("no estimate in {table}"));
    assert!(line.contains("more;") && line.contains(" free of "), "{line}");
    assert!(!table.contains("too small"), "{table}");
    for (policy, what) in [("noeviction", "fail"), ("allkeys-lru", "evict keys")] {
        let max = (used(&lab.redis) as u64 + 1000).to_string();
        for (name, value) in [("maxmemory-policy", policy), ("maxmemory", &max)] {
            lab.redis.cli(&["CONFIG", "SET", name, value]);
        }
        let table = dry_run("").stdout;
        let shortage = format!("too small: a run would {what}");
        assert!(table.contains(&shortage), "{table}");
    }
}

// ── plans ─────────────────────────────────────────────────────────────────────────────────────

struct Sealed {
    lab: Lab,
    plan: PathBuf,
    _dir: tempfile::TempDir,
}

impl Sealed {
    /// A plan of everything in the context `own`, sealed with more arguments.
    fn new(arguments: &str) -> Self {
        let lab = cached::lab(Dialect::Sqlite);
        let dir = tempfile::tempdir().expect("a folder");
        let plan = dir.path().join("plan.json");
        let run = dry_run(&lab, arguments).arg("--plan").arg(&plan).run().expect(0);
        assert!(run.stderr.contains("saved the plan"), "{}", run.stderr);
        Self { lab, plan, _dir: dir }
    }

    fn warm(&self, definitions: &str, arguments: &str) -> Finished {
        let command = self.lab.with(definitions, "warmup").args(arguments);
        command.arg("--plan").arg(&self.plan).arg("-o=json").run()
    }

    /// Refused before anything is written.
    #[track_caller]
    fn refuses(&self, definitions: &str, arguments: &str, words: &[&str]) {
        let run = self.warm(definitions, arguments).expect(4);
        for word in words {
            assert!(run.stderr.contains(word), "no {word:?} in {}", run.stderr);
        }
        assert_eq!(run.stdout, "");
        assert!(self.lab.keys().is_empty());
    }
}

#[test]
fn a_plan_is_run_as_it_was_sealed() {
    for (arguments, keys) in [
        ("", planned("").len()),
        ("--limit 5", 20),
        ("--exclude own/lists", planned("").len() - 70),
    ] {
        let sealed = Sealed::new(arguments);
        let run = sealed.warm(&definitions(), "").expect(0).json();
        assert_eq!(run["totals"]["warmed"], keys, "{arguments}");
        assert_eq!(sealed.lab.keys().len(), keys);
    }
    let sealed = Sealed::new("--prefix p:");
    sealed.warm(&definitions(), "").expect(0);
    assert!(sealed.lab.keys().iter().all(|key| key.starts_with("p:")));
    sealed.warm(&definitions(), "context own --prefix p:").expect(0);

    let sealed = Sealed::new("--mode only-missing");
    sealed.lab.redis.cli(&["SET", "O:1", "mine"]);
    sealed.warm(&definitions(), "").expect(0);
    assert_eq!(sealed.lab.get("O:1"), "mine");
}

#[test]
fn a_plan_refuses_another_selection_or_definition() {
    let sealed = Sealed::new("");
    let own = definitions();
    let hint = "dry-run --plan FILE";
    sealed.refuses(
        &own,
        "strategy own/objects",
        &["is out of date", "the selection", "own/texts", hint],
    );
    sealed.refuses(&own, "context own --limit 7", &["--limit: planned none, now 7", hint]);
    sealed.refuses(&own, "context own --exclude own/lists", &["the selection"]);
    sealed.refuses(
        &own,
        "context own --mode only-missing",
        &["--mode: planned refresh, now only-missing"],
    );
    sealed.refuses(&own, "context own --prefix q:", &["--prefix: planned \"\", now \"q:\""]);
    sealed.refuses(&own, "--prefix q:", &["--prefix"]);
    for (old, new) in [
        ("SELECT id, v FROM t", "SELECT id, v FROM t WHERE 1 = 1"),
        ("priority = 20", "priority = 20\nttl = \"3h\""),
        ("priority = 20", "priority = 21"),
        ("value = \"hash\"", "value = \"object\""),
        ("\"T:{_id}\"", "\"T2:{_id}\""),
        ("order_by = \"_id\"", "order_by = \"_id DESC\""),
    ] {
        assert!(own.contains(old), "{old}");
        sealed.refuses(
            &own.replacen(old, new, 1),
            "",
            &["the definitions of own/", " have changed", hint],
        );
    }
    let more = own.clone() + &strategy("more", "text", "M:{_id}", "SELECT id AS _id, v FROM t");
    sealed.refuses(&more, "", &["the selection", "own/more"]);
    sealed.warm(&own, "").expect(0);
}

/// Of 210 rows 21 are a tenth.
#[test]
fn a_plan_refuses_counts_that_moved() {
    let sealed = Sealed::new("--exclude own/lists");
    let own = definitions();
    sealed.lab.database.sql("DELETE FROM t WHERE id BETWEEN 101 AND 121");
    sealed.warm(&own, "").expect(0);
    sealed.lab.redis.cli(&["FLUSHALL"]);
    sealed.refuses(&own, "--plan-tolerance 9.9%", &["own/objects: planned 210 keys, now 189"]);
    sealed.lab.database.sql("DELETE FROM t WHERE id = 99");
    sealed.refuses(&own, "", &["own/objects: planned 210 keys, now 188", "10%"]);
    sealed.warm(&own, "--plan-tolerance 15%").expect(0);
    sealed.lab.redis.cli(&["FLUSHALL"]);
    let more: Vec<String> = (1001..=1050).map(|n| format!("({n}, 1, 'x')")).collect();
    sealed.lab.database.sql(&format!("INSERT INTO t VALUES {}", more.join(",")));
    sealed.refuses(&own, "", &["own/objects: planned 210 keys, now 238"]);
    let run = sealed.warm(&own, "--plan-tolerance lots").expect(2);
    assert!(run.stderr.contains("lots"), "{}", run.stderr);
}

/// Also of texts and hashes without a value, and of lists.
#[test]
fn counts_are_the_databases_own_everywhere() {
    for dialect in DIALECTS {
        let dir = tempfile::tempdir().expect("a folder");
        let plan = dir.path().join("plan");
        let (shop, lab) = (Lab::shop(dialect), cached::lab(dialect));
        let all = |arguments: &str| shop.command(arguments);
        let own = |arguments: &str| lab.with(&definitions(), arguments);
        let check = |lab: &Lab, command: &dyn Fn(&str) -> Shopwarm, keys: usize| {
            command("dry-run --plan").arg(&plan).run().expect(0);
            // Nothing moved: no count is off by one.
            let run = command("warmup --plan-tolerance 0 -q --plan").arg(&plan);
            run.run().expect(0);
            assert_eq!(lab.keys().len(), keys, "{dialect:?}");
            command("warmup all -q --max-shrink 0%").run().expect(0);
        };
        check(&shop, &all, 170);
        check(&lab, &own, planned("").len());
    }
}

#[test]
fn a_plan_keeps_its_selection() {
    let lab = Lab::shop(Dialect::Sqlite);
    let dir = tempfile::tempdir().expect("a folder");
    let plan = dir.path().join("plan");
    for (selection, keys) in [
        ("all --tag category", 13),
        ("context ordering identity", 53),
        ("strategy catalog/categories catalog/category-tree", 12),
        ("context catalog --exclude catalog/hot-products --limit 3", 3 + 3 + 1 + 1),
    ] {
        lab.redis.cli(&["FLUSHALL"]);
        lab.command("dry-run").args(selection).arg("--plan").arg(&plan).run().expect(0);
        lab.command("warmup -q --plan").arg(&plan).run().expect(0);
        assert_eq!(lab.keys().len(), keys, "{selection}");
        // Said again it is the same.
        lab.command("warmup").args(selection).arg("-q").arg("--plan").arg(&plan).run().expect(0);
    }
}

#[test]
fn a_plan_that_was_changed_or_is_none_is_noticed() {
    let sealed = Sealed::new("");
    let own = definitions();
    let text = std::fs::read_to_string(&sealed.plan).expect("text");
    let write = |text: &str| std::fs::write(&sealed.plan, text).expect("a file");
    let place = sealed.plan.display().to_string();
    let plan: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(plan["strategies"][0]["keys"], 210);
    for (old, new) in [
        ("\"keys\": 210", "\"keys\": 21"),
        ("\"limit\": null", "\"limit\": 9"),
        ("\"refresh\"", "\"only-missing\""),
        ("own/texts", "own/tests"),
        ("\"seal\": \"sha256:", "\"seal\": \"sha256:0"),
    ] {
        assert!(text.contains(old), "{old} in {text}");
        write(&text.replacen(old, new, 1));
        sealed.refuses(&own, "", &[&place, "edited after it was saved"]);
    }
    write(&text.replacen("\"limit\"", "\"limits\"", 1));
    sealed.refuses(&own, "", &[&place, "limits", "line"]);
    write(&text[..text.len() / 2]);
    sealed.refuses(&own, "", &[&place, "line"]);
    write("a text");
    sealed.refuses(&own, "", &[&place, "line 1"]);
    write("");
    sealed.refuses(&own, "", &[&place]);
    std::fs::remove_file(&sealed.plan).expect("a file");
    sealed.refuses(&own, "", &[&place, "No such file"]);
    // Written in another way it is the same plan.
    write(&serde_json::to_string(&plan).expect("JSON"));
    sealed.warm(&own, "").expect(0);
}

#[test]
fn what_cannot_be_run_is_not_sealed() {
    let lab = cached::lab(Dialect::Sqlite);
    let dir = tempfile::tempdir().expect("a folder");
    let plan = dir.path().join("plan.json");
    let seal = |definitions: &str, plan: &Path, code: i32| {
        lab.with(definitions, "dry-run context own --plan").arg(plan).run().expect(code)
    };
    let broken = own(
        &["t"],
        &(strategy("t", "text", "T:{_id}", "SELECT id AS _id, v FROM t WHERE id < 0")
            + "min_keys = 1\n"),
    );
    let run = seal(&broken, &plan, 3);
    assert!(run.stderr.contains("not saved"), "{}", run.stderr);
    assert!(!plan.exists());
    let nowhere = dir.path().join("no/folder/plan.json");
    // What is there and is no file stays: a rename would put a file in the place of a device.
    let socket = dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    for place in [&nowhere, &socket] {
        let run = seal(&definitions(), place, 4);
        let said = &run.stderr;
        assert!(said.contains("cannot write the plan to"), "{said}");
    }
    assert!(!socket.metadata().expect("still there").is_file());
    // No selection and no plan.
    let run = lab.command("warmup").run().expect(2);
    assert!(run.stderr.contains("--plan FILE"), "{}", run.stderr);
}

#[test]
fn what_is_wrong_with_a_selection_is_said() {
    let lab = Lab::shop(Dialect::Sqlite);
    for (arguments, words) in [
        ("everything", "there is no context or strategy `everything`"),
        ("context", "`context` needs a name"),
        ("strategy catalog/hot-product", "catalog/hot-products"),
        ("all catalog", "not a selection"),
        ("--expiring-within never", "never"),
        ("--mode gently", "gently"),
    ] {
        let run = lab.command("dry-run").args(arguments).run().expect(2);
        assert!(run.stderr.contains(words), "{arguments}: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}

/// A strategy that reads for longer than anybody waits.
fn endless() -> (Lab, String) {
    let lab = Lab::empty(Dialect::Sqlite);
    let sql = "WITH RECURSIVE s(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM s) SELECT id AS _id, 'v' AS v FROM s";
    (lab, own(&["t"], &strategy("t", "text", "K:{_id}", sql)))
}

#[test]
fn looking_can_be_stopped() {
    let (lab, definitions) = endless();
    let dir = tempfile::tempdir().expect("a folder");
    let plan = dir.path().join("plan");
    for command in [
        "dry-run context own --keys",
        "keys list --context own",
        "keys list --context own --cached",
    ] {
        let mut run = lab.with(&definitions, command);
        if command.starts_with("dry-run") {
            run = run.arg("--plan").arg(&plan);
        }
        let mut child = run.start();
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        out.read_line(&mut String::new()).expect("a line");
        let id = child.id().to_string();
        let kill = std::process::Command::new("kill").args(["-s", "INT", &id]).status();
        assert!(kill.expect("kill").success());
        std::io::copy(&mut out, &mut std::io::sink()).expect("the rest");
        finish(child).expect(130);
        assert!(!plan.exists(), "half a plan");
    }
    let run = lab.with(&definitions, "dry-run context own -o json --deadline 1s").run().expect(9);
    assert_eq!(run.json()["outcome"], "deadline");
    lab.with(&definitions, "verify context own -q --deadline 1s").run().expect(9);
    assert!(dump(&lab.redis).is_empty());
}

#[test]
fn the_sample_shop_can_be_looked_at() {
    let dir = tempfile::tempdir().expect("a folder");
    let demo = |arguments: &str, code: i32| {
        let run = shopwarm("--demo --demo-dir").arg(dir.path()).args(arguments);
        run.run().expect(code)
    };
    demo("dry-run -q --exit-code", 10);
    demo("verify -q", 10);
    let list = demo("keys list", 0).stdout;
    demo("warmup all -q", 0);
    demo("verify -q", 0);
    demo("dry-run -q --exit-code", 0);
    assert_eq!(demo("keys list --state identical,expiring", 0).stdout, list);
    let report = demo("dry-run -o json --orphans", 0).json();
    assert_eq!(report["totals"]["orphans"], 0);
    assert_eq!(report["memory"]["max_bytes"], Value::Null);
}

#[test]
fn a_look_changes_no_cache_file() {
    let lab = cached::lab(Dialect::Sqlite);
    let cache = Embedded::new();
    let file = PathBuf::from(cache.url().trim_start_matches("sqlite:"));
    let command = |arguments: &str| cache.on(lab.with(&definitions(), arguments));
    let looks = [
        "dry-run context own",
        "verify context own",
        "keys list --context own --cached",
        "keys get O:1",
    ];
    for look in looks {
        command(look).run();
        assert!(!file.exists(), "{look}");
    }
    assert_eq!(dry_run(&lab, "").run().expect(0).json()["totals"]["identical"], 0);
    command("warmup context own -q").run().expect(0);
    cache.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    let before = std::fs::read(&file).expect("a file");
    for look in looks {
        command(look).run().expect(0);
        assert!(std::fs::read(&file).expect("a file") == before, "{look}");
    }
    // A file of something else stays as it is, and is no empty cache.
    let other = lab.database.url().to_string();
    let refused = lab.with(&definitions(), "dry-run context own").cache(other).run().expect(4);
    assert!(refused.stderr.contains("not a shopwarm cache"), "{}", refused.stderr);
}

#[test]
fn what_is_not_known_may_change() {
    let lab = cached::lab(Dialect::Sqlite);
    lab.redis.cli(&["ACL", "SETUSER", "one", "on", ">hunter2", "~*", "+ping"]);
    let url = lab.redis.url().replace("//", "//one:hunter2@");
    let run = dry_run(&lab, "--exit-code").cache(url).run().expect(10).json();
    let keys = planned("").len();
    assert_eq!(run["would_change"], keys);
    let shown = lab
        .with(&definitions(), "dry-run context own -o table")
        .cache(lab.redis.url().replace("//", "//one:hunter2@"))
        .run()
        .expect(0)
        .stdout;
    let says = format!("would change up to {keys} of {keys} keys: {keys} not compared");
    assert!(
        shown.contains(&says) && shown.contains("not compared; next: shopwarm doctor"),
        "{shown}"
    );
    let strategies = run["strategies"].as_array().expect("a list");
    let not_known = strategies.iter().map(|s| s["not_known"].as_u64().expect("a count"));
    assert_eq!(not_known.sum::<u64>(), keys as u64);
    // Without a cache the question has no answer.
    let none = lab.with(&definitions(), "dry-run context own --exit-code");
    none.env("CACHE_URL", "").run().expect(4);
}

#[test]
fn a_cache_over_its_limit_has_nothing_free() {
    let lab = cached::lab(Dialect::Sqlite);
    lab.with(&definitions(), "warmup context own -q").run().expect(0);
    lab.redis.cli(&["CONFIG", "SET", "maxmemory", "500kb"]);
    let memory = dry_run(&lab, "").run().expect(0).json()["memory"].clone();
    assert_eq!(memory["free_bytes"], 0, "{memory:#}");
    lab.with(&definitions(), "warmup context own -q").run().expect(3);
}

/// The server stands still in the middle: whoever stops the look is not kept waiting for figures.
#[test]
fn a_look_that_is_stopped_does_not_wait_for_figures() {
    let (lab, definitions) = endless();
    let proxy = FaultProxy::to(lab.redis.port());
    let look = lab
        .with(&definitions, "dry-run context own --deadline 3s --progress none")
        .cache(format!("redis://127.0.0.1:{}", proxy.port()))
        .start();
    while !lab.redis.cli(&["INFO", "commandstats"]).contains("eval_ro") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    proxy.stall();
    let stalled = std::time::Instant::now();
    finish(look).expect(9);
    // The deadline, the grace for what is in flight, and not the three patient questions after it.
    let waited = stalled.elapsed();
    assert!(waited.as_secs() < 20, "{waited:?}");
}
