//! What one definition costs that is invalid or does not fit the database: its strategy, or with
//! `--strict` everything before anything is written.

use serde_json::{Value, json};

use crate::support::http::Server;
use crate::support::lab::{Lab, counts, own, strategy};
use crate::support::servers::Dialect;
use crate::support::shop::DIALECTS;
use crate::support::shopwarm::Finished;
use crate::support::site::Site;

const GOOD: &str = "SELECT id, name FROM things";

/// `own/good`, and beside it `own/bad` with this SQL.
fn beside(bad: &str) -> String {
    let good = strategy("good", "object", "G:{id}", GOOD);
    let bad = strategy("bad", "object", "B:{id}", bad) + "priority = 100\n";
    own(&["things", "gone"], &(good + &bad))
}

/// A table that was renamed, a column that was.
const UNFIT: [&str; 2] = ["SELECT id FROM gone", "SELECT id, gone FROM things"];

/// `own/good` came through, and `own/bad` failed with an error that says this.
#[track_caller]
fn only_bad_failed(run: &Finished, says: &str) {
    let report = run.json();
    let all = report["strategies"].as_array().expect("a list");
    let ids: Vec<&Value> = all.iter().map(|strategy| &strategy["id"]).collect();
    assert_eq!(ids, ["own/bad", "own/good"], "in the order of the run");
    let (bad, good) = (&all[0], &all[1]);
    assert_eq!((&bad["status"], &good["status"]), (&"failed".into(), &"completed".into()));
    let error = bad["error"].as_str().unwrap_or_default();
    assert!(error.contains(says), "{says}: {error}");
    assert_eq!(report["outcome"], "incomplete");
    // A person beside the reader of the report is told too.
    assert!(run.stderr.contains("own/bad"), "{}", run.stderr);
}

#[test]
fn a_definition_that_does_not_fit_costs_its_strategy() {
    for dialect in DIALECTS {
        for sql in UNFIT {
            let lab = Lab::things(dialect);
            let run = lab.with(&beside(sql), "warmup all -o json").run().expect(4);
            only_bad_failed(&run, "gone");
            assert_eq!(counts(&run.strategy("own/good")), [2, 0, 0, 0]);
            assert_eq!(lab.keys(), ["G:1", "G:2"]);
            let table = lab.with(&beside(sql), "warmup all").run().expect(4);
            assert!(table.stdout.contains("✗ own/bad: "), "{}", table.stdout);
            // The run is in the history, with what failed.
            let runs = lab.command("runs -o json").run().expect(0).json();
            assert_eq!(runs["runs"][0]["status"], "incomplete", "{runs:#}");
        }
    }
}

#[test]
fn an_invalid_definition_costs_its_strategy() {
    let lab = Lab::things(Dialect::Sqlite);
    let valid = beside("SELECT id FROM things");
    for (from, to, says) in [
        ("B:{id}", "B:{id", "is not closed"),
        ("B:{id}", "G:{id}", "make the same keys"),
        ("priority = 100", "priority = 100\nttl = \"soon\"", "not a duration"),
        ("SELECT id FROM things", "SELECT id FROM users", "not in `owns`"),
        ("SELECT id FROM things", "DELETE FROM things", "own/bad"),
    ] {
        let definitions = valid.replace(from, to);
        let run = lab.with(&definitions, "warmup all -o json").run().expect(4);
        match says {
            // Neither is known to be the one that is meant.
            "make the same keys" => assert!(run.stderr.contains(says), "{}", run.stderr),
            says => only_bad_failed(&run, says),
        }
        let check = lab.with(&definitions, "config check").run().expect(4);
        assert!(check.stderr.contains("own/bad"), "{}", check.stderr);
    }
}

#[test]
fn a_table_that_is_not_granted_costs_its_strategy() {
    for dialect in [Dialect::Postgres, Dialect::MySql] {
        let lab = Lab::things(dialect);
        let (name, user) = (lab.database.name(), format!("r_{}", lab.database.name()));
        let url = lab.database.url();
        let gone = "CREATE TABLE gone (id INTEGER); INSERT INTO gone VALUES (1)";
        let (denied, url) = match dialect {
            Dialect::Postgres => ("REVOKE ALL ON gone FROM PUBLIC, shop".to_owned(), url),
            _ => (
                format!(
                    "CREATE USER {user} IDENTIFIED BY 'hunter2'; GRANT SELECT ON {name}.things TO {user}"
                ),
                url.replace("shop:shop-secret", &format!("{user}:hunter2")),
            ),
        };
        lab.database.sql(&format!("{gone}; {denied}"));
        let run = lab.with(&beside(UNFIT[0]), "warmup all -o json");
        only_bad_failed(&run.database(url).run().expect(7), "denied");
        assert_eq!(lab.keys(), ["G:1", "G:2"], "{dialect:?}");
        if dialect == Dialect::MySql {
            lab.database.sql(&format!("DROP USER {user}"));
        }
    }
}

#[test]
fn every_command_goes_on_with_what_fits() {
    let lab = Lab::things(Dialect::Postgres);
    for sql in UNFIT {
        let with = |arguments: &str| lab.with(&beside(sql), arguments);
        let listed = with("keys list").run().expect(4);
        assert_eq!(listed.stdout, "G:1\nG:2\n");
        assert!(listed.stderr.contains("own/bad"), "{}", listed.stderr);
        let planned = with("dry-run -o json --orphans").run().expect(4);
        only_bad_failed(&planned, "gone");
        assert_eq!(planned.strategy("own/good")["orphans"], 0);
        assert_eq!(planned.strategy("own/bad")["orphans"], Value::Null);
        with("warmup all").run().expect(4);
        let verified = with("verify -o json").run().expect(4);
        only_bad_failed(&verified, "gone");
        let doctor = with("doctor -o json").run().expect(4).json();
        let failed: Vec<&Value> = doctor["checks"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|check| check["level"] == "failed")
            .collect();
        assert_eq!(failed.len(), 1, "{doctor:#}");
        assert_eq!(failed[0]["check"], "own/bad");
        // Options that ask more of the database than the run does.
        with("warmup all --prune --yes").run().expect(4);
        with("warmup all --changed").run().expect(4);
        let keys = with("warmup keys G:1 B:1 -o json").run().expect(4);
        assert_eq!(counts(&keys.strategy("own/good")), [1, 0, 0, 0]);
        lab.redis.cli(&["FLUSHALL"]);
    }
}

/// Also where nobody sees a table, each is named with its reason, and what comes next is not the
/// command that fails again.
#[test]
fn of_several_definitions_that_do_not_fit_each_is_named() {
    let lab = Lab::things(Dialect::Sqlite);
    let bad = |name: &str| {
        let key = format!("{name}:{{id}}");
        strategy(name, "object", &key, &format!("SELECT id FROM gone_{name}"))
    };
    let names = ["b1", "b2", "b3", "b4"];
    let all = strategy("good", "object", "G:{id}", GOOD) + &names.map(bad).concat();
    let definitions = own(&["things", "gone_b1", "gone_b2", "gone_b3", "gone_b4"], &all);
    for command in [
        "warmup all -q",
        "warmup all -q -o json",
        "warmup all -o ndjson",
        "verify -q",
        "dry-run -q",
        "keys list -q",
    ] {
        let run = lab.with(&definitions, command).run().expect(4);
        for name in names {
            let says = format!("gone_{name}");
            assert!(run.stderr.contains(&says), "{command}: {}", run.stderr);
        }
        if !command.starts_with("keys") {
            let last = run.stderr.lines().last().unwrap_or_default();
            assert!(last.ends_with("next: shopwarm doctor"), "{command}: {last}");
        }
    }
    let listed = lab.with(&definitions, "keys list -o json").run().expect(4);
    let error = listed.json()["error"].to_string();
    assert!(names.iter().all(|name| error.contains(name)), "{error}");
}

#[test]
fn strict_stops_before_anything_is_written() {
    let lab = Lab::things(Dialect::Postgres);
    let invalid = beside("SELECT id FROM users");
    for definitions in [&beside(UNFIT[0]), &invalid] {
        let refused = |run: Finished| {
            let run = run.expect(4);
            assert!(run.stdout.is_empty(), "{}", run.stdout);
            assert!(run.stderr.contains("own/bad"), "{}", run.stderr);
            assert!(lab.keys().is_empty());
        };
        for command in ["warmup all", "dry-run", "verify", "keys list"] {
            refused(lab.with(definitions, command).arg("--strict").run());
        }
        let all = || lab.with(definitions, "warmup all");
        refused(all().env("SHOPWARM_STRICT", "true").run());
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("shopwarm.toml"), "strict = true").expect("a file");
        refused(all().dir(dir.path()).run());
        let shown = lab.command("config show -o json").dir(dir.path()).run().expect(0);
        let settings = shown.json()["settings"].take();
        let strict = settings.as_array().expect("a list").iter().find(|s| s["name"] == "strict");
        assert_eq!(strict.expect("a setting")["value"], "true");
    }
    // What does not fit and is not selected stops nothing.
    lab.with(&beside(UNFIT[0]), "warmup strategy own/good --strict").run().expect(0);
}

#[test]
fn where_nothing_fits_the_run_does_not_begin() {
    let lab = Lab::things(Dialect::Postgres);
    let run = lab.with(&beside(UNFIT[0]), "warmup strategy own/bad -o json").run();
    let run = run.expect(4);
    assert!(run.stdout.is_empty(), "{}", run.stdout);
    assert!(run.stderr.contains("gone"), "{}", run.stderr);
}

/// A server starts with what is valid, says what is not, and its runs go on as others do.
#[test]
fn a_server_runs_what_fits() {
    let site = Site::shop(Dialect::Postgres);
    site.lab
        .database
        .sql("CREATE TABLE things (id INTEGER, name TEXT); INSERT INTO things VALUES (1, 'a')");
    site.config("[schedule.x]\ncron = \"0 2 * * *\"\nwarmup = [\"own\"]\n[schedule.y]\ncron = \"0 2 * * *\"\nwarmup = [\"own\"]\nstrict = true");
    let invalid = beside("SELECT id FROM users");
    for (definitions, logged) in [(beside(UNFIT[0]), false), (invalid.clone(), true)] {
        site.define(&definitions);
        let server = site.serve();
        server.hears(if logged { "own/bad" } else { "listening" });
        assert_eq!(server.said().contains("own/bad"), logged);
        let ran = |path: &str, body: Value| {
            let answer = server.post_json(path, &body).expect(200).json();
            assert_eq!(answer["success"], false);
            let report = &answer["report"];
            assert_eq!(report["totals"]["warmed"], 1, "{report:#}");
            let bad = &report["strategies"][0];
            assert_eq!((&bad["id"], &bad["status"]), (&"own/bad".into(), &"failed".into()));
        };
        ran("/admin/warmup/all", json!({}));
        let said = server.hears("run ended");
        let end = said.lines().find(|line| line.contains("run ended"));
        let end = end.expect("a line");
        assert!(end.contains("WARN") && end.contains("next=\"shopwarm doctor"), "{end}");
        ran("/admin/schedule/x/run?wait=true", json!({}));
        server.post("/admin/schedule/y/run?wait=true").expect(502);
        let strict = json!({ "strict": true });
        server.post_json("/admin/warmup/all", &strict).expect(502);
    }
}

/// A reload that brings an invalid definition changes nothing.
#[test]
fn a_reload_takes_no_invalid_definition() {
    let site = Site::shop(Dialect::Sqlite);
    site.define(&beside("SELECT id FROM things"));
    let server: Server = site.serve();
    site.define(&beside("SELECT id FROM users"));
    server.signal("HUP");
    crate::support::faults::until("the reload is refused", || {
        server.said().contains("not reloaded")
    });
    assert!(server.said().contains("own/bad"), "{}", server.said());
}
