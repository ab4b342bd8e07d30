//! A definition that compares the database's clock, in UTC, with local time is warned of.

use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::{Dialect, Postgres};
use crate::support::shopwarm::Finished;

/// Eight hours ahead of UTC: the MariaDB of the tests is, and a database of PostgreSQL's says so.
fn lab(dialect: Dialect) -> Lab {
    let (zoned, local) = match dialect {
        Dialect::Postgres => ("timestamptz", "timestamp"),
        Dialect::MySql | Dialect::Sqlite => ("timestamp", "datetime"),
    };
    let lab = Lab::empty(dialect);
    lab.database.sql(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, seen {zoned} NULL, made {local} NULL, offered date NULL)"
    ));
    if dialect == Dialect::Postgres {
        let name = lab.database.name();
        let zone = format!("ALTER DATABASE \"{name}\" SET timezone = 'Asia/Shanghai'");
        lab.database.sql(&zone);
    }
    lab
}

/// What `doctor` says of the clock, of a definition with this condition.
fn said(lab: &Lab, condition: &str) -> String {
    said_in(lab, condition, "UTC")
}

fn said_in(lab: &Lab, condition: &str, zone: &str) -> String {
    let sql = format!("SELECT id, id AS _version FROM t WHERE {condition}");
    let definitions = own(&["t"], &strategy("recent", "object", "T:{id}", &sql));
    let run: Finished = lab.with(&definitions, "doctor -o json --session-timezone").arg(zone).run();
    let report = run.json();
    let all = report["checks"].as_array().expect("a list").iter();
    let all = all.filter(|check| {
        check["check"] == "clock" && check["text"].to_string().contains("own/recent")
    });
    all.map(ToString::to_string).collect()
}

#[test]
fn doctor_warns_where_the_clock_meets_columns_in_local_time() {
    for (dialect, zone) in [(Dialect::MySql, "+08:00"), (Dialect::Postgres, "Asia/Shanghai")] {
        let lab = lab(dialect);
        for (condition, column) in [
            ("made > now() - INTERVAL '1' HOUR", "t.made"),
            ("offered = CURRENT_DATE", "t.offered"),
            ("id = 5 OR CURRENT_TIMESTAMP BETWEEN made AND seen", "t.made"),
        ] {
            let said = said(&lab, condition);
            for words in ["warning", zone, "8 h away", column] {
                assert!(said.contains(words), "{condition}: no {words:?} in {said:?}");
            }
            assert!(!said.contains("t.seen"), "{said}");
        }
        for condition in ["seen > now() - INTERVAL '1' HOUR", "made > '2026-01-01'"] {
            assert_eq!(said(&lab, condition), "", "{condition}");
        }
    }
    for (dialect, zone) in [(Dialect::MySql, "+08:00"), (Dialect::Postgres, "Asia/Shanghai")] {
        let hinted = said(&lab(dialect), "made > now()");
        let hint = format!("set session_timezone to \\\"{zone}\\\"");
        assert!(hinted.contains(&hint), "{hinted}");
        assert_eq!(said_in(&lab(dialect), "made > now()", zone), "");
        let other = said_in(&lab(dialect), "made > now()", "+05:30");
        assert!(other.contains("is in +05:30, as shopwarm's"), "{other}");
        assert!(other.contains("2 h 30 min away"), "{other}");
    }
    let hinted = said(&lab(Dialect::MySql), "made > now()");
    assert!(hinted.contains("CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', '+08:00')"), "{hinted}");
    let converted = "made > CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', '+08:00')";
    assert_eq!(said(&lab(Dialect::MySql), converted), "");
    let named = said(&lab(Dialect::Postgres), "made > now() AT TIME ZONE 'Asia/Shanghai'");
    assert_eq!(named, "");
}

/// What `doctor` says of a private server, to the shop's user, where `made` meets the clock.
fn said_by(settings: &[&str]) -> String {
    let server = Postgres::private(&[]);
    let lab = Lab::on(server.new_database());
    lab.database.sql("CREATE TABLE t (id int PRIMARY KEY, made timestamp)");
    for setting in ["timezone", "log_timezone"] {
        lab.database.sql(&format!("ALTER SYSTEM SET {setting} = 'UTC'"));
    }
    for setting in settings {
        lab.database.sql(setting);
    }
    said(&lab, "made > now()")
}

const SHANGHAI: &str = "ALTER SYSTEM SET timezone = 'Asia/Shanghai'";
const RELOAD: &str = "SELECT pg_reload_conf(), pg_sleep(0.5)";
const GRANT: &str = "GRANT EXECUTE ON FUNCTION pg_show_all_file_settings() TO shop";

#[test]
fn doctor_knows_a_zone_that_only_the_servers_configuration_has() {
    let said = said_by(&[SHANGHAI, RELOAD, GRANT]);
    for words in ["warning", "own zone is Asia/Shanghai", "8 h away", "t.made"] {
        assert!(said.contains(words), "no {words:?} in {said:?}");
    }
}

#[test]
fn doctor_says_that_the_server_does_not_show_its_zone() {
    let hidden = said_by(&[SHANGHAI, RELOAD]);
    for words in ["\"ok\"", "does not show this user its own zone", "GRANT EXECUTE", "t.made"] {
        assert!(hidden.contains(words), "no {words:?} in {hidden:?}");
    }
    let log = "ALTER SYSTEM SET log_timezone = 'Asia/Shanghai'";
    let guessed = said_by(&[SHANGHAI, log, RELOAD]);
    for words in ["warning", "but that of its log is Asia/Shanghai", "8 h away"] {
        assert!(guessed.contains(words), "no {words:?} in {guessed:?}");
    }
}

#[test]
fn another_roles_zone_is_not_the_servers() {
    let role = "CREATE ROLE reporting";
    let zone = "ALTER ROLE reporting SET timezone = 'Asia/Tokyo'";
    assert_eq!(said_by(&[role, zone, RELOAD, GRANT]), "");
    let here = "DO $$ BEGIN EXECUTE format('ALTER ROLE reporting IN DATABASE %I SET timezone = %L',
                current_database(), 'Asia/Tokyo'); END $$";
    let all = "ALTER ROLE ALL SET timezone = 'Asia/Shanghai'";
    let said = said_by(&[role, here, all]);
    assert!(said.contains("own zone is Asia/Shanghai"), "{said}");
}
