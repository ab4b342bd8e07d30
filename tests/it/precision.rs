//! How well a strategy is protected is said as it is: a version in whole seconds does not tell two
//! changes within one second apart.

use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::Dialect;
use crate::support::shop::DIALECTS;

/// Rows whose versions are of every precision.
fn table(dialect: Dialect) -> String {
    let (types, now, clock, day) = match dialect {
        Dialect::Postgres => {
            (["timestamptz(0)", "timestamp(0)", "timestamptz", "date"], "now()", "now()", "now()")
        }
        Dialect::MySql => {
            (["timestamp", "datetime", "datetime(6)", "date"], "now()", "now()", "now()")
        }
        Dialect::Sqlite => (
            ["text", "text", "text", "text"],
            "datetime('now')",
            "strftime('%Y-%m-%dT%H:%M:%SZ', 'now')",
            "date('now')",
        ),
    };
    let [zoned, local, micros, date] = types;
    let rows = (1..=20)
        .map(|id| format!("({id}, {now}, {clock}, '2026-01-01 00:00:00.00000{}', {day})", id % 9));
    format!(
        "CREATE TABLE t (id int PRIMARY KEY, zoned {zoned} NOT NULL, local {local} NOT NULL,
             micros {micros} NOT NULL, day {date} NOT NULL);
         INSERT INTO t VALUES {}",
        rows.collect::<Vec<_>>().join(", ")
    )
}

/// With a subquery a table is not read in portions.
const STREAM: &str = "id <> (SELECT -1)";

fn definitions() -> String {
    let of = |column: &str| {
        let sql = format!("SELECT id, {column} AS _version FROM t WHERE {STREAM}");
        strategy(column, "object", &format!("{column}:{{id}}"), &sql)
    };
    let list = strategy("list", "list", "list:{day}", "SELECT id, day, day AS _version FROM t");
    let all = ["zoned", "local", "micros", "day"].map(of);
    own(&["t"], &(all.concat() + &list))
}

#[test]
fn a_version_in_whole_seconds_protects_to_the_second() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        lab.database.sql(&table(dialect));
        let run = lab.warm(&definitions()).expect(0);
        for (name, protected, to, because) in [
            ("zoned", true, Some("second"), None),
            ("local", true, Some("second"), None),
            ("micros", true, None, None),
            ("day", false, None, Some("a date, which changes once a day")),
            // Of a list all that is in its rows counts.
            ("list", true, None, None),
        ] {
            let strategy = run.strategy(&format!("own/{name}"));
            assert_eq!(strategy["protected"], protected, "{dialect:?}: {strategy:#}");
            assert_eq!(strategy["protected_to"].as_str(), to, "{strategy:#}");
            let said = strategy["unprotected_because"].as_str();
            assert_eq!(said.is_some(), because.is_some(), "{strategy:#}");
            assert!(said.unwrap_or_default().contains(because.unwrap_or_default()));
        }
        let table = lab.with(&definitions(), "warmup context own").run();
        let table = table.expect(0).stdout;
        let words = "protected only to the second, because _version has whole seconds: own/local, own/zoned";
        assert!(table.contains(words), "{table}");
        assert!(table.contains("xmin::text on PostgreSQL"), "{table}");
    }
}

/// Where a portion is verified as a whole, it does not matter what its rows say of themselves.
#[test]
fn in_portions_every_change_is_seen() {
    let lab = Lab::empty(Dialect::Postgres);
    lab.database.sql(&table(Dialect::Postgres));
    let definitions = definitions().replace(STREAM, "true");
    let run = lab.warm(&definitions).expect(0);
    for name in ["zoned", "day"] {
        let strategy = run.strategy(&format!("own/{name}"));
        assert_eq!(strategy["protected"], true, "{strategy:#}");
        assert!(strategy["protected_to"].is_null(), "{strategy:#}");
    }
    let doctor = lab.with(&definitions, "doctor").run();
    assert!(!doctor.stdout.contains("may miss the later"), "{}", doctor.stdout);
}

#[test]
fn doctor_warns_of_versions_that_are_too_coarse() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        lab.database.sql(&table(dialect));
        let doctor = lab.with(&definitions(), "doctor -o json").run();
        let report = doctor.json();
        let all = report["checks"].as_array().expect("a list").iter();
        let all = all.filter(|check| check["check"] == "protection");
        let said: Vec<String> = all.map(ToString::to_string).collect();
        let said = said.join("\n");
        for words in [
            "own/local, own/zoned may miss the later of two changes within a second",
            "own/day may leave stale values",
            "xmin::text on PostgreSQL",
        ] {
            assert!(said.contains(words), "{dialect:?}: no {words:?} in {said}");
        }
        assert!(!said.contains("own/micros") && !said.contains("own/list"), "{said}");
    }
}
