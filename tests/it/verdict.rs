//! What a run says of itself: how many keys it expected, what failed, and a last line that agrees with
//! the exit code.

use serde_json::Value;

use crate::support::faults::{bulk, count, keys, until, warm};
use crate::support::lab::{Lab, own, strategy};
use crate::support::proxy::FaultProxy;
use crate::support::servers::Dialect;
use crate::support::shopwarm::{Finished, finish, send};

/// Rows of the table `t`.
const ROWS: u64 = 2000;

/// Slow enough to be ended in the middle.
const SLOWLY: &str = "--rate 200 --batch-size 20";

/// A database with the table `t`; the server knows how long it is.
fn lab(dialect: Dialect) -> Lab {
    let lab = Lab::empty(dialect);
    let rows: Vec<String> = (1..=ROWS).map(|id| format!("({id}, '{{}}')")).collect();
    let rows = rows.join(", ");
    lab.database.sql(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, v varchar(9)); INSERT INTO t VALUES {rows}"
    ));
    lab.database.sql(match dialect {
        Dialect::MySql => "ANALYZE TABLE t",
        Dialect::Postgres | Dialect::Sqlite => "ANALYZE t",
    });
    lab
}

fn whole(name: &str) -> String {
    strategy(name, "object", &format!("{name}:{{id}}"), "SELECT id, v FROM t")
}

/// A strategy whose query breaks at row 900.
fn broken(lab: &Lab) -> String {
    lab.database.sql("UPDATE t SET v = 'x' WHERE id = 900");
    let sql = "SELECT id, json(v) AS v FROM t";
    // In one stream, which ends at that row.
    strategy("broken", "object", "broken:{id}", sql) + "order_by = \"id\"\n"
}

/// Runs slowly, and ends it in the middle.
#[track_caller]
fn interrupted(lab: &Lab, definitions: &str, arguments: &str) -> Finished {
    lab.redis.cli(&["FLUSHDB"]);
    interrupted_again(lab, definitions, arguments)
}

/// The same in a cache that remembers earlier runs.
#[track_caller]
fn interrupted_again(lab: &Lab, definitions: &str, arguments: &str) -> Finished {
    let command = format!("warmup context own {SLOWLY} {arguments}");
    let child = lab.with(definitions, &command).start();
    until("the run is under way", || lab.redis.cli(&["EXISTS", "t:40"]) == "1");
    send(&child, "INT");
    finish(child).expect(130)
}

#[track_caller]
fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

/// That of a partial run nothing claims the whole.
#[track_caller]
fn is_partial(report: &Value, expected: u64, is_exact: bool) {
    let strategy = &report["strategies"][0];
    for part in [strategy, &report["totals"]] {
        assert_eq!(part["expected"], expected, "{report:#}");
        assert_eq!(part["expected_is_exact"], is_exact, "{report:#}");
        let share = count(part, "warmed") as f64 / expected as f64;
        assert_eq!(part["success_rate"], share, "{report:#}");
        assert!(share < 1.0, "{report:#}");
    }
}

#[test]
fn an_interrupted_run_says_of_how_many_keys() {
    let lab = lab(Dialect::Sqlite);
    let definitions = whole("t");
    let definitions = own(&["t"], &definitions);
    let report = interrupted(&lab, &definitions, "-o json").json();
    assert_eq!((&report["outcome"], &report["passed"]), (&"interrupted".into(), &false.into()));
    is_partial(&report, ROWS, true);
    let verdict = report["verdict"].as_str().expect("a text").to_owned();
    let warmed = count(&report["totals"], "warmed");
    let says = format!("interrupted: {warmed} of 2,000 keys warmed (");
    assert!(verdict.starts_with(&says), "{verdict}");

    for form in ["table", "markdown"] {
        let run = interrupted(&lab, &definitions, &format!("-o {form}"));
        let last = last_line(&run.stdout);
        assert!(last.starts_with("! interrupted: ") && last.contains(" of 2,000 keys"), "{last}");
        assert!(
            last.ends_with("next: shopwarm warmup context own --resume --rate 200 --batch-size 20"),
            "{last}"
        );
        assert!(
            run.stdout.contains("expected") && !run.stdout.contains("100.0%"),
            "{}",
            run.stdout
        );
        assert!(run.stderr.contains("2,000 expected"), "{}", run.stderr);
    }
    let csv = interrupted(&lab, &definitions, "-o csv").stdout;
    let row = csv.lines().nth(1).expect("a row");
    assert!(row.contains(",cancelled,2000,true,"), "{csv}");

    // Whoever asks later hears the same.
    let runs = lab.command("runs -o json").run().expect(0).json();
    assert_eq!(runs["runs"][0]["expected"], ROWS, "{runs:#}");
    let table = lab.command("runs").run().expect(0).stdout;
    assert!(table.contains("2,000"), "{table}");
    let shown = lab.command("runs last").run().expect(0).stdout;
    let last = last_line(&shown);
    assert!(last.contains("interrupted: ") && last.contains(" of 2,000 keys"), "{shown}");
}

#[test]
fn what_the_database_cannot_say_the_last_complete_run_does() {
    let lab = lab(Dialect::MySql);
    let definitions = own(&["t"], &whole("t"));
    let run = interrupted(&lab, &definitions, "-o json");
    let report = run.json();
    for part in [&report["strategies"][0], &report["totals"]] {
        assert!(part["expected"].is_null() && part["success_rate"].is_null(), "{report:#}");
    }
    let verdict = report["verdict"].as_str().expect("a text");
    let warmed = count(&report["totals"], "warmed");
    assert!(verdict.starts_with(&format!("interrupted: {warmed} keys warmed in ")), "{verdict}");

    let complete = lab.with(&definitions, "warmup context own -o json").run().expect(0);
    assert_eq!(complete.json()["totals"]["expected"], ROWS);
    let keys: Vec<String> = lab.keys();
    for chunk in keys.chunks(500) {
        let mut delete = vec!["DEL"];
        delete.extend(chunk.iter().map(String::as_str));
        lab.redis.cli(&delete);
    }
    is_partial(&interrupted_again(&lab, &definitions, "-o json").json(), ROWS, false);
}

#[test]
fn postgresql_estimates_and_the_run_says_about() {
    let lab = lab(Dialect::Postgres);
    let definitions = own(&["t"], &whole("t"));
    let report = interrupted(&lab, &definitions, "-o json").json();
    is_partial(&report, ROWS, false);
    let verdict = report["verdict"].as_str().expect("a text");
    assert!(verdict.contains(" of about 2,000 keys warmed"), "{verdict}");
}

/// What was found present and left alone on purpose is not missing.
#[test]
fn keys_that_are_there_already_are_no_failure() {
    let lab = lab(Dialect::Sqlite);
    let definitions = own(&["t"], &whole("t"));
    let only_missing = |definitions: &str, arguments: &str| {
        let command = format!("warmup context own --mode only-missing {arguments}");
        lab.with(definitions, &command).run().expect(0)
    };
    only_missing(&definitions, "");
    let again = only_missing(&definitions, "");
    let last = last_line(&again.stdout);
    let says = "✓ complete: 0 of 2,000 keys warmed, 2,000 already there in ";
    assert!(last.starts_with(says), "{last}");
    // Nothing is said of shares where all are whole.
    assert!(!again.stdout.contains('%'), "{}", again.stdout);
    let json = only_missing(&definitions, "-o json").json();
    for part in [&json["strategies"][0], &json["totals"]] {
        assert_eq!(part["success_rate"], 1.0, "{json:#}");
    }
    let runs = lab.command("runs -o json").run().expect(0).json();
    assert_eq!(runs["runs"][0]["success_rate"], 1.0, "{runs:#}");

    let sql = "SELECT id, CASE WHEN id <= 4 THEN 9e999 ELSE 1.5 END AS v FROM t";
    let lossy = own(&["t"], &strategy("t", "object", "t:{id}", sql));
    let gated = only_missing(&lossy, "--fail-under 99");
    let last = last_line(&gated.stdout);
    let says =
        "✓ enough: 4 keys failed; 0 of 2,000 keys warmed, 1,996 already there, 99% required, ";
    assert!(last.starts_with(says), "{last}");

    // The command that an interrupted run recommends.
    lab.redis.cli(&["DEL", "t:40"]);
    let half = interrupted_again(&lab, &definitions, "--mode only-missing -o json").json();
    let totals = &half["totals"];
    let warm = count(totals, "warmed") + count(totals, "skipped");
    assert_eq!(totals["success_rate"], warm as f64 / ROWS as f64, "{half:#}");
    let verdict = half["verdict"].as_str().expect("a text");
    assert!(verdict.contains(" already there ("), "{verdict}");
}

#[test]
fn a_strategy_that_broke_off_has_no_success_rate_and_meets_no_gate() {
    let lab = lab(Dialect::Sqlite);
    let definitions = own(&["t"], &(whole("t") + &broken(&lab)));
    let warm_own = |arguments: &str| {
        let command = format!("warmup context own {arguments}");
        lab.with(&definitions, &command).run().expect(3)
    };
    let report = warm_own("-o json --fail-under 1").json();
    let failed = &report["strategies"][0];
    assert_eq!(failed["id"], "own/broken", "{report:#}");
    assert_eq!(
        (&failed["status"], &failed["expected"]),
        (&"failed".into(), &ROWS.into()),
        "{report:#}"
    );
    assert!(failed["success_rate"].is_null(), "{report:#}");
    assert!(count(failed, "warmed") < ROWS, "{report:#}");
    let totals = &report["totals"];
    assert_eq!((&totals["strategies"], &totals["strategies_failed"]), (&2.into(), &1.into()));
    assert_eq!(totals["expected"], 2 * ROWS, "{report:#}");
    let share = count(totals, "warmed") as f64 / (2 * ROWS) as f64;
    assert_eq!(totals["success_rate"], share, "{report:#}");

    for arguments in ["", "--fail-under 1", "--verify=1%", "-o markdown --verify=1%"] {
        let run = warm_own(arguments);
        let last = last_line(&run.stdout);
        let says = "✗ incomplete: 1 of 2 strategies failed (own/broken); ";
        assert!(last.starts_with(says), "{arguments}: {last}");
        assert!(last.ends_with("next: shopwarm runs last -v"), "{last}");
        assert!(!run.stdout.contains("✓ all"), "{arguments}: {}", run.stdout);
    }
    // What was asked for last is in the history.
    let runs = lab.command("runs").run().expect(0).stdout;
    assert!(runs.contains("✗ incomplete, 1 strategy failed"), "{runs}");

    let verify = lab.with(&definitions, "verify context own --require 1%").run().expect(3);
    let last = last_line(&verify.stdout);
    assert!(
        last.starts_with("✗ incomplete: 1 of 2 strategies failed (own/broken); own: "),
        "{last}"
    );
    assert!(last.contains(" of 4,000 keys match the database"), "{last}");
    let dry_run = lab.with(&definitions, "dry-run context own").run().expect(3);
    let last = last_line(&dry_run.stdout);
    assert!(
        last.starts_with(
            "✗ incomplete: 1 of 2 strategies failed (own/broken); nothing to change in "
        ),
        "{last}"
    );
    let json = lab.with(&definitions, "verify context own -o json").run().expect(3).json();
    assert_eq!(json["requirements"][0]["met"], false, "{json:#}");
    assert_eq!(json["requirements"][0]["strategies_unfinished"], 1, "{json:#}");
}

#[test]
fn a_strategy_that_was_cut_off_is_not_all_of_it() {
    // Wide rows: most of them are still at the database when it is cut off.
    let (_dir, contexts) = bulk(&[20_000]);
    let lab = Lab::empty(Dialect::Postgres);
    let proxy = FaultProxy::to(lab.database.port());
    let url = lab.database.url_via(proxy.port());
    let run = warm(&contexts, url, lab.redis.url()).args("--rate 1000");
    let child = run.start();
    until("the run is under way", || keys(&lab.redis) > 500);
    proxy.refuse();
    proxy.reset();
    let run = finish(child).expect(5);
    let failed = run.strategy("bulk/first");
    assert_eq!(failed["status"], "failed", "{failed:#}");
    assert_eq!(failed["expected"], 20_000, "{failed:#}");
    assert!(failed["success_rate"].is_null(), "{failed:#}");
    let last = last_line(&run.stderr);
    let says = "✗ incomplete: bulk/first failed; ";
    assert!(last.starts_with(says), "{last}");
    assert!(last.contains(" of about 20,000 keys warmed ("), "{last}");
}

#[test]
fn quiet_is_not_silent_about_a_failure() {
    let lab = lab(Dialect::Sqlite);
    let sql = "SELECT id, CASE WHEN id = 7 THEN 9e999 ELSE 1.5 END AS v FROM t";
    let lossy = own(&["t"], &strategy("lossy", "object", "lossy:{id}", sql));
    let run = lab.with(&lossy, "warmup context own -q").run().expect(3);
    assert_eq!(run.stdout, "");
    let says = "✗ incomplete: 1 key failed; 1,999 of 2,000 keys warmed in ";
    assert!(run.stderr.starts_with(says) && run.stderr.lines().count() == 1, "{}", run.stderr);
    let run = lab.with(&lossy, "warmup context own -q --fail-under 99").run().expect(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));

    // A machine's form on stdout, the verdict for whoever is there.
    let run = lab.with(&lossy, "warmup context own -q -o json").run().expect(3);
    assert!(run.stderr.starts_with(says), "{}", run.stderr);
    let verify = lab.with(&lossy, "verify context own -q").run().expect(3);
    assert!(
        last_line(&verify.stderr).starts_with("✗ incomplete: 1 key failed; "),
        "{}",
        verify.stderr
    );
    let dry_run = lab.with(&lossy, "dry-run context own -q").run().expect(3);
    assert!(
        last_line(&dry_run.stderr).starts_with("✗ incomplete: 1 key failed; "),
        "{}",
        dry_run.stderr
    );

    let good = own(&["t"], &whole("t"));
    lab.redis.cli(&["FLUSHDB"]);
    let missing = lab.with(&good, "verify context own -q").run().expect(10);
    assert!(
        missing.stderr.starts_with("✗ own: 0 of 2,000 keys match the database"),
        "{}",
        missing.stderr
    );
    let differs = lab.with(&good, "dry-run context own -q --exit-code").run().expect(10);
    assert!(
        differs.stderr.starts_with("! would change 2,000 of 2,000 keys: 2,000 missing"),
        "{}",
        differs.stderr
    );
}

/// What was read back is in the record too, under the lock of the run.
#[test]
fn the_history_agrees_with_a_run_that_was_read_back() {
    let lab = lab(Dialect::Sqlite);
    // What is written lives shorter than the run: when it is read back, keys are missing.
    let slow = own(&["t"], &(whole("t") + "ttl = \"2s\"\n"));
    let run = lab.with(&slow, "warmup all --verify --rate 400 --ttl-jitter 0").run().expect(10);
    let last = last_line(&run.stdout).to_owned();
    assert!(last.starts_with("✗ warmed, but not verified: "), "{last}");
    let list = lab.command("runs").run().expect(0).stdout;
    assert!(list.contains("✗ not verified"), "{list}");
    assert_eq!(last_line(&lab.command("runs last").run().expect(0).stdout), last);
    let runs = lab.command("runs -o json").run().expect(0).json();
    assert_eq!(runs["runs"][0]["passed"], false, "{runs:#}");

    let sql = "SELECT id, CASE WHEN id <= 4 THEN 9e999 ELSE 1.5 END AS v FROM t";
    let lossy = own(&["t"], &strategy("t", "object", "t:{id}", sql));
    let run = lab.with(&lossy, "warmup all --fail-under 99 --verify=99%").run().expect(0);
    let last = last_line(&run.stdout);
    let shown = lab.command("runs last").run().expect(0).stdout;
    // The time that it took is the only difference.
    let words = |line: &str| line.replace(|c: char| c.is_ascii_digit(), "");
    let until = |line: &str| words(line).split(" in ").next().map(str::to_owned);
    assert_eq!(until(last_line(&shown)), until(last));
    assert!(last_line(&shown).starts_with("✓ enough and verified: "), "{shown}");
}

/// Four keys of 2,000 fail: both gates are met, or the requirement alone says what is missing.
#[test]
fn a_requirement_that_is_met_lets_keys_fail() {
    let lab = lab(Dialect::Sqlite);
    let sql = "SELECT id, CASE WHEN id <= 4 THEN 9e999 ELSE 1.5 END AS v FROM t";
    let lossy = own(&["t"], &strategy("t", "object", "t:{id}", sql));
    let gate = "1,996 of 2,000 keys match the database (99.8%), ";
    for (command, code, says) in [
        ("warmup all --fail-under 99 --verify=99%", 0, "✓ enough and verified: 4 keys failed; "),
        ("warmup all --fail-under 99 --verify=99.9%", 10, "✗ warmed, but not verified: "),
        ("verify --require 99%", 0, "✓ enough: 4 keys failed; "),
        ("verify --require 99.9%", 3, "✗ incomplete: 4 keys failed; "),
        ("verify", 3, "✗ incomplete: 4 keys failed; "),
    ] {
        let run = lab.with(&lossy, command).run().expect(code);
        let last = last_line(&run.stdout);
        assert!(last.starts_with(says) && last.contains(gate), "{command}: {last}");
    }
    // The run itself failed: nothing says that a gate was met.
    let run = lab.with(&lossy, "warmup all --verify=99%").run().expect(3);
    let last = last_line(&run.stdout);
    assert!(last.starts_with("✗ incomplete: 4 keys failed; "), "{last}");
    assert!(!run.stdout.contains("✓ all"), "{}", run.stdout);
    let json = lab.with(&lossy, "verify --require 99% -o json").run().expect(0).json();
    assert_eq!(json["passed"], true, "{json:#}");
}

#[test]
fn a_good_run_ends_on_its_verdict() {
    let lab = lab(Dialect::Sqlite);
    let definitions = own(&["t"], &whole("t"));
    for (arguments, says) in [
        ("dry-run context own", "~ would change 2,000 of 2,000 keys: 2,000 missing"),
        ("warmup context own", "✓ complete: 2,000 of 2,000 keys warmed in "),
        ("warmup context own --verify", "✓ complete and verified: 2,000 of 2,000 keys warmed in "),
        (
            "verify context own",
            "✓ own: 2,000 of 2,000 keys match the database (100.0%), 100% required",
        ),
        ("verify context own --require 99%,t=1%", "✓ all 2 requirements met"),
        ("verify context own -o markdown", "✓ own: 2,000 of 2,000 keys match the database"),
    ] {
        let run = lab.with(&definitions, arguments).run().expect(0);
        let last = last_line(&run.stdout);
        assert!(last.starts_with(says), "{arguments}: {last}");
    }
    let json = lab.with(&definitions, "verify context own -o json").run().expect(0).json();
    assert_eq!((&json["passed"], &json["totals"]["expected"]), (&true.into(), &ROWS.into()));
}
