//! `shopwarm runs`: what earlier runs left in the cache. And the log of a run.

use serde_json::Value;

use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::Dialect;
use crate::support::shop;
use crate::support::shopwarm::{Finished, shopwarm};

/// Two strategies of one table; `t` has a key for each row, `u` for the first two.
fn definitions() -> String {
    let t = strategy("t", "object", "T:{id}", "SELECT id, name FROM t");
    let u = strategy("u", "text", "U:{id}", "SELECT id, name FROM t WHERE id < 3");
    let u = u.replace("U:{id}", "U:{_id}").replace("SELECT id,", "SELECT id AS _id,");
    own(&["t"], &(t + &u))
}

fn lab(rows: u32) -> Lab {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL)");
    fill(&lab, 1, rows);
    lab
}

fn fill(lab: &Lab, from: u32, to: u32) {
    let rows: Vec<String> = (from..=to).map(|n| format!("({n}, 'n{n}')")).collect();
    lab.database.sql(&format!("INSERT INTO t VALUES {}", rows.join(",")));
}

/// Warms, and returns the run's id.
fn warm(lab: &Lab, arguments: &str) -> (String, Finished) {
    let run = lab.with(&definitions(), "warmup context own -o json").args(arguments).run();
    let id = run.json()["run_id"].as_str().expect("a text").to_owned();
    (id, run)
}

fn runs(lab: &Lab, arguments: &str) -> Finished {
    lab.command("runs").args(arguments).run()
}

#[test]
fn runs_are_listed_newest_first_and_shown_as_they_were_reported() {
    let lab = lab(10);
    let none = runs(&lab, "").expect(0);
    assert!(none.stdout.contains("no runs recorded"), "{}", none.stdout);
    assert_eq!(runs(&lab, "-o json").expect(0).json()["runs"], Value::Array(vec![]));

    let (first, report) = warm(&lab, "");
    let report = report.expect(0).json();
    fill(&lab, 11, 15);
    lab.database.sql("UPDATE t SET name = CAST(x'ff' AS TEXT) WHERE id = 12");
    let (second, broken) = warm(&lab, "");
    let broken = broken.expect(3).json();

    let list = runs(&lab, "-o json").expect(0).json();
    let list = list["runs"].as_array().expect("a list");
    let ids: Vec<&str> = list.iter().filter_map(|run| run["run_id"].as_str()).collect();
    assert_eq!(ids, [second.as_str(), &first]);
    let [newest, oldest] = list.as_slice() else { panic!("two runs") };
    assert_eq!(
        (&newest["status"], &newest["failed"]),
        (&"incomplete".into(), &broken["totals"]["failed"])
    );
    assert_eq!((&oldest["status"], &oldest["warmed"]), (&"complete".into(), &12.into()));
    assert_eq!((&oldest["trigger"], &oldest["job"]), (&"cli".into(), &Value::Null));
    let table = runs(&lab, "").expect(0).stdout;
    for word in ["warmup context own", "complete", "incomplete", &first[first.len() - 4..], "cli"] {
        assert!(table.contains(word), "{word} in\n{table}");
    }

    // One run, by its id, a part of it, or as the last one. Its time is the moment of its record.
    let part = &first[first.len() - 8..];
    for name in [first.as_str(), part] {
        let mut shown = runs(&lab, &format!("{name} -o json")).expect(0).json();
        for told in ["elapsed_ms", "verdict"] {
            shown[told] = report[told].clone();
        }
        assert_eq!(shown, report);
    }
    let last = runs(&lab, "last").expect(0).stdout;
    for word in [second.as_str(), "own/t", "T:12", "incomplete: 1 key failed; 16 of 17 keys"] {
        assert!(last.contains(word), "{word} in\n{last}");
    }
    // As git counts back.
    for (name, id) in [("last~1", &first), ("last~", &first), ("last~0", &second)] {
        let shown = runs(&lab, &format!("{name} -o json")).expect(0).json();
        assert_eq!(shown["run_id"], id.as_str(), "{name}");
    }
    let far = runs(&lab, "last~2").expect(2).stderr;
    assert!(far.contains("no run `last~2`: 2 runs recorded"), "{far}");
    let diff = runs(&lab, "last --diff last~1").expect(0).stdout;
    assert!(diff.contains("own/t") && diff.contains("1 strategy without a difference"), "{diff}");
    let same = runs(&lab, "last --diff last").expect(0).stdout;
    assert!(same.contains("it is the same run") && !same.contains("own/t"), "{same}");
    let all = runs(&lab, "last --diff last -v").expect(0).stdout;
    assert!(all.contains("own/t"), "{all}");
    let json = runs(&lab, "last --diff last -o json").expect(0).json();
    assert_eq!(json["strategies"].as_array().map(Vec::len), Some(2));
    let unknown = runs(&lab, "nobody").expect(2);
    assert!(unknown.stderr.contains("no run `nobody`"), "{}", unknown.stderr);
    let several = runs(&lab, "-").expect(2);
    assert!(several.stderr.contains("matches 2 runs: give more of the id"), "{}", several.stderr);
    for form in ["ndjson", "csv", "markdown"] {
        let text = runs(&lab, &format!("-o {form}")).expect(0).stdout;
        assert!(text.contains(&first[first.len() - 4..]) && text.lines().count() >= 2, "{text}");
    }
}

#[test]
fn two_runs_are_compared_strategy_by_strategy() {
    let lab = lab(10);
    let (first, _) = warm(&lab, "");
    fill(&lab, 11, 14);
    let (second, _) = warm(&lab, "--exclude own/u");
    let diff = runs(&lab, &format!("{second} --diff {first} -o json")).expect(0);
    let diff = diff.json();
    assert_eq!(diff["before"]["run_id"], first.as_str());
    assert_eq!(diff["after"]["run_id"], second.as_str());
    let line = |id: &str| {
        let all = diff["strategies"].as_array().expect("a list").iter();
        all.clone().find(|line| line["id"] == id).expect(id).clone()
    };
    let (t, u) = (line("own/t"), line("own/u"));
    assert_eq!((&t["total_before"], &t["total_after"]), (&10.into(), &14.into()));
    assert_eq!((&u["total_before"], &u["total_after"]), (&2.into(), &Value::Null));
    let table = runs(&lab, &format!("last --diff {first}")).expect(0).stdout;
    assert!(table.contains("10 → 14 (+4)"), "{table}");
    assert!(table.contains("only in the first"), "{table}");
    runs(&lab, "last --diff nobody").expect(2);
}

#[test]
fn the_last_complete_run_of_a_strategy_is_kept_apart() {
    let lab = lab(10);
    let (first, _) = warm(&lab, "");
    fill(&lab, 11, 12);
    let (second, _) = warm(&lab, "--exclude own/u");
    lab.redis.cli(&["DEL", "shopwarm:runs"]);
    let kept = runs(&lab, "--last-complete -o json").expect(0).json();
    let line = |n: usize, name: &str| kept["strategies"][n][name].clone();
    assert_eq!(
        (line(0, "id"), line(0, "keys"), line(0, "run_id")),
        ("own/t".into(), 12.into(), second.into())
    );
    assert_eq!(
        (line(1, "id"), line(1, "keys"), line(1, "run_id")),
        ("own/u".into(), 2.into(), first.into())
    );
    assert!(runs(&lab, "").expect(0).stdout.contains("no runs recorded"));
}

#[test]
fn a_run_that_could_not_begin_is_in_the_history() {
    let lab = lab(3);
    let down = "postgres://shop:hunter2@127.0.0.1:1/shop";
    lab.command("warmup all").database(down).run().expect(5);
    let list = runs(&lab, "-o json").expect(0).json();
    let run = &list["runs"][0];
    assert_eq!((&run["command"], &run["status"]), (&"warmup all".into(), &"incomplete".into()));
    let error = run["error"].as_str().expect("a text");
    assert!(error.contains("cannot reach the database"), "{error}");
    let shown = runs(&lab, "last").expect(0).stdout;
    assert!(shown.contains("did not start: cannot reach"), "{shown}");
    assert!(!shown.contains("hunter2") && !list.to_string().contains("hunter2"));
    // Whoever mistypes a name knows.
    lab.command("warmup context nobody").run().expect(2);
    assert_eq!(runs(&lab, "-o json").expect(0).json()["runs"].as_array().map(Vec::len), Some(1));
}

#[test]
fn the_embedded_cache_has_a_history_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let demo = |arguments: &str| {
        shopwarm("--demo").arg("--demo-dir").arg(dir.path()).args(arguments).run()
    };
    let none = demo("runs").expect(0);
    assert!(none.stdout.contains("no runs recorded"), "{}", none.stdout);
    let report = demo("warmup all -o json").expect(0).json();
    let mut shown = demo("runs last -o json").expect(0).json();
    // The command line counts until it prints, which is after the record.
    for told in ["elapsed_ms", "verdict"] {
        shown[told] = report[told].clone();
    }
    assert_eq!(shown, report);
}

#[test]
fn a_log_has_a_span_for_the_run_and_for_each_strategy() {
    let database = shop::database(Dialect::Sqlite);
    let quiet = |form: &str| {
        let run = shopwarm("warmup all -q --log-format").arg(form);
        run.database(database.url()).cache("sqlite::memory:").run().expect(0)
    };
    // Quiet is quiet.
    assert_eq!(quiet("json").stderr, "");
    let run = shopwarm("warmup all --log-format json -o json");
    let run = run.database(database.url()).cache("sqlite::memory:").run().expect(0);
    let lines: Vec<Value> = run
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    let id = &run.json()["run_id"];
    let ended: Vec<&Value> =
        lines.iter().filter(|line| line["message"] == "strategy ended").collect();
    assert_eq!(ended.len(), 7, "{lines:#?}");
    for line in ended {
        let spans = line["spans"].as_array().expect("spans");
        assert_eq!((&spans[0]["name"], &spans[0]["run_id"]), (&"run".into(), id));
        assert_eq!(spans[1]["name"], "strategy");
        assert!(spans[1]["id"].as_str().is_some_and(|id| id.contains('/')), "{line}");
        assert!(line["warmed"].is_u64() && line["elapsed_ms"].is_u64() && line["level"] == "INFO");
    }
    let end = lines.last().expect("a line");
    assert_eq!((&end["message"], &end["outcome"]), (&"run ended".into(), &"complete".into()));
    assert_eq!(end["warmed"], run.json()["totals"]["warmed"]);
    let text = shopwarm("warmup all --log-format text").database(database.url());
    let text = text.cache("sqlite::memory:").run().expect(0).stderr;
    assert!(text.contains("strategy ended status=\"completed\""), "{text}");
}
