//! A key that cannot be found again is not gone: what was written is looked up by the row that made
//! it, and nothing is deleted because a key cannot be read.

use serde_json::json;

use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::Dialect;

const ALL: [Dialect; 3] = [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite];

/// Pages whose slugs hold the hyphen that ends them in the key.
fn pages(dialect: Dialect, count: u32) -> Lab {
    let lab = Lab::empty(dialect);
    let at = match dialect {
        Dialect::Sqlite => "timestamp",
        Dialect::Postgres => "timestamptz",
        Dialect::MySql => "timestamp(6) NULL",
    };
    lab.database.sql(&format!(
        "CREATE TABLE page (id int PRIMARY KEY, slug varchar(190), body varchar(20), \
         version int, updated_at {at})"
    ));
    let words = "the-long-title-of-a-page-that-somebody-made-for-search-engines-with-many-words";
    let row = |id| format!("({id}, '{words}-{id}', 'x', 1, '2026-01-01 00:00:00')");
    let rows: Vec<String> = (1..=count).map(row).collect();
    lab.database.sql(&format!("INSERT INTO page VALUES {}", rows.join(",")));
    lab
}

fn page_definitions() -> String {
    let sql = "SELECT id, slug, body, version AS _version, updated_at AS _changed_at FROM page";
    own(&["page"], &strategy("page", "object", "page:{slug}-{id}", sql))
}

#[test]
fn a_key_that_can_be_read_in_many_ways_is_found_again() {
    for dialect in ALL {
        let lab = pages(dialect, 50);
        let report = lab.warm(&page_definitions()).expect(0);
        let page = report.strategy("own/page");
        assert_eq!(
            (&page["warmed"], &page["protected"], &page["withdrawn"]),
            (&json!(50), &json!(true), &json!(0)),
            "{page:#}"
        );
        let keys = lab.keys();
        assert_eq!(keys.len(), 50);
        let named: Vec<&str> = keys.iter().map(String::as_str).collect();
        let report = lab.warm_keys(&page_definitions(), &named).expect(0).json();
        assert_eq!(report["totals"]["warmed"], 50, "{report:#}");
        let got = lab.with(&page_definitions(), &format!("keys get {}", keys[7]));
        let got = got.run().expect(0).stdout;
        assert!(!got.contains("no row"), "{got}");
    }
}

#[test]
fn no_such_key_is_removed_by_changed_or_by_prune() {
    for dialect in ALL {
        let lab = pages(dialect, 50);
        lab.warm(&page_definitions()).expect(0);
        lab.database
            .sql("UPDATE page SET body = 'new', version = 2, updated_at = '2037-01-01 00:00:00' WHERE id <= 5");
        let run = lab.with(&page_definitions(), "warmup context own --changed -o json");
        let page = run.run().expect(0).strategy("own/page");
        assert_eq!((&page["removed"], &page["warmed"]), (&json!(0), &json!(50)));
        let values = lab.get_all(&lab.keys());
        let new = values.iter().filter(|value| value.contains("new")).count();
        assert_eq!((values.len(), new), (50, 5));
        // Rows that are only out of a limit keep their keys.
        let limited = format!("{}limit = 40\norder_by = \"id\"\n", page_definitions());
        let run = lab.with(&limited, "warmup context own --prune --yes -o json");
        let page = run.run().expect(0).strategy("own/page");
        assert_eq!(page["pruned"].as_u64().unwrap_or(0), 0, "{page:#}");
        assert_eq!(lab.keys().len(), 50);
    }
}

/// What a column of a kind holds, and that all of it is written and found again.
fn is_found_again(dialect: Dialect, kind: &str, values: &[&str]) {
    let lab = Lab::empty(dialect);
    lab.database.sql(&format!("CREATE TABLE tk (k {kind}, n int, v int)"));
    let row = |(n, value): (usize, &&str)| format!("({value}, {n}, 1)");
    let rows: Vec<String> = values.iter().enumerate().map(row).collect();
    lab.database.sql(&format!("INSERT INTO tk VALUES {}", rows.join(",")));
    let sql = "SELECT k, n, v AS _version FROM tk";
    let definitions = own(&["tk"], &strategy("tk", "object", "K:{k}", sql));
    let tk = lab.warm(&definitions).expect(0).strategy("own/tk");
    let all = json!(values.len());
    assert_eq!(
        (&tk["warmed"], &tk["withdrawn"], &tk["protected"]),
        (&all, &json!(0), &json!(true)),
        "{kind} {tk:#}"
    );
    let keys = lab.keys();
    assert_eq!(keys.len(), values.len(), "{kind}: {keys:?}");
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let report = lab.warm_keys(&definitions, &keys).expect(0).json();
    assert_eq!(report["totals"]["warmed"], all, "{kind} {report:#}");
}

#[test]
fn keys_of_every_kind_of_column_are_found_again() {
    let floats = ["0.1", "0.2", "0.5", "16777216", "-1.5"];
    for (kind, values) in [
        ("real", &floats[..]),
        ("double precision", &floats),
        ("numeric(10,2)", &["1.50", "2.00", "-3.10"]),
        ("date", &["'2026-01-31'", "'2025-12-01'"]),
        ("timestamp", &["'2026-01-31 10:00:00.25'", "'2026-01-31 10:00'"]),
        ("timestamptz", &["'2026-01-31 10:00:00+02'"]),
        ("bool", &["true", "false"]),
    ] {
        is_found_again(Dialect::Postgres, kind, values);
    }
    for (kind, values) in [
        ("float", &floats[..]),
        ("double", &floats),
        ("decimal(10,2)", &["1.50", "2.00"]),
        ("date", &["'2026-01-31'"]),
        ("datetime(6)", &["'2026-01-31 10:00:00.25'", "'2026-01-31 10:00'"]),
        ("timestamp", &["'2026-01-31 10:00:00'"]),
        ("bigint unsigned", &["18446744073709551615", "7"]),
    ] {
        is_found_again(Dialect::MySql, kind, values);
    }
    for (kind, values) in [
        ("integer", &["1", "3", "5"][..]),
        ("", &["1", "'1a'", "1.5", "'x'", "2.0"]),
        ("real", &floats),
        ("decimal(10,2)", &["1.5", "2"]),
        ("date", &["'2026-01-31'"]),
        ("boolean", &["true", "false"]),
        ("text", &["'a'", "'1'"]),
    ] {
        is_found_again(Dialect::Sqlite, kind, values);
    }
}

#[test]
fn a_column_that_is_not_stored_as_its_text_is_named_and_its_keys_stay() {
    for (dialect, kind, value) in [
        (Dialect::Postgres, "timetz", "'10:00+02'"),
        (Dialect::Sqlite, "datetime", "'2026-01-31 10:00:00'"),
    ] {
        let lab = Lab::empty(dialect);
        lab.database.sql(&format!(
            "CREATE TABLE tk (k {kind}, n int, v int); INSERT INTO tk VALUES ({value}, 1, 1)"
        ));
        let sql = "SELECT k, n, v AS _version FROM tk";
        let definitions = own(&["tk"], &strategy("tk", "object", "K:{k}", sql));
        let tk = lab.warm(&definitions).expect(0).strategy("own/tk");
        assert_eq!(
            (&tk["warmed"], &tk["withdrawn"], &tk["protected"]),
            (&json!(1), &json!(0), &json!(false))
        );
        let because = "keys cannot be looked up again";
        assert_eq!(tk["unprotected_because"], because);
        let warning = tk["warnings"][0].as_str().expect("a warning");
        assert!(warning.contains("key column k") && warning.contains("CAST"), "{warning}");
        let doctor = lab.with(&definitions, "doctor").run().stdout;
        assert!(doctor.contains("rows cannot be found by key"), "{doctor}");
        let keys = lab.keys();
        assert_eq!(keys.len(), 1);
        // By name it is not known, and with the row gone it is not known either.
        let run = lab.warm_keys(&definitions, &[&keys[0]]).expect(3);
        assert!(run.stdout.contains("is not known"), "{}", run.stdout);
        lab.database.sql("DELETE FROM tk; INSERT INTO tk VALUES (NULL, 2, 1)");
        let none = definitions.replace("FROM tk", "FROM tk WHERE n < 0");
        let prune = "warmup context own --prune --yes --allow-empty -o json";
        let tk = lab.with(&none, prune).run().expect(0).strategy("own/tk");
        assert_eq!(tk["pruned"].as_u64().unwrap_or(0), 0, "{tk:#}");
        assert_eq!(lab.keys(), keys);
    }
}
