//! `session_timezone`: what the present moment is in a definition, and that no stored value depends
//! on it.

use std::collections::BTreeMap;

use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::{Dialect, MariaDb, Redis};

const SERVERS: [Dialect; 2] = [Dialect::Postgres, Dialect::MySql];

#[test]
fn now_means_what_it_means_to_the_shop() {
    for dialect in SERVERS {
        let lab = Lab::empty(dialect);
        // A minute ago, by a clock in Kolkata.
        let (kind, ago) = match dialect {
            Dialect::Postgres => {
                ("timestamp", "(now() AT TIME ZONE 'UTC') + interval '329 minutes'")
            }
            Dialect::MySql | Dialect::Sqlite => {
                ("datetime", "UTC_TIMESTAMP() + INTERVAL 329 MINUTE")
            }
        };
        lab.database.sql(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, starts {kind}); INSERT INTO t SELECT 1, {ago}"
        ));
        let offers = "SELECT id FROM t WHERE starts <= now()";
        let offers =
            own(&["t"], &(strategy("offers", "object", "O:{id}", offers) + "min_keys = 0\n"));
        let warm = |arguments: &str| {
            let run = lab.with(&offers, "warmup all --allow-empty -o json").args(arguments).run();
            run.expect(0).strategy("own/offers")["warmed"].clone()
        };
        assert_eq!(warm(""), 0, "{dialect:?}");
        assert_eq!(warm("--session-timezone +05:30"), 1, "{dialect:?}");
        assert_eq!(warm("--session-timezone -05:30"), 0, "{dialect:?}");
        let run = lab.with(&offers, "verify").env("SHOPWARM_SESSION_TIMEZONE", "+05:30").run();
        run.expect(0);
        // Nothing is left set at the server.
        assert_eq!(warm("--session-timezone utc"), 0, "{dialect:?}");
        let unknown =
            lab.with(&offers, "warmup all --session-timezone Europe/Nowhere").run().expect(4);
        assert!(unknown.stderr.contains("Europe/Nowhere"), "{}", unknown.stderr);
    }
    let lab = Lab::things(Dialect::Postgres);
    let wrong = lab.command("warmup all --session-timezone +1").run().expect(2);
    assert!(wrong.stderr.contains("such as +05:30"), "{}", wrong.stderr);
}

#[test]
fn sqlite_has_no_time_zone_to_set() {
    let lab = Lab::things(Dialect::Sqlite);
    let run = lab.command("warmup all --session-timezone Europe/Berlin").run().expect(4);
    for says in ["session_timezone", "SQLite has no time zone", "datetime('now'"] {
        assert!(run.stderr.contains(says), "{says}: {}", run.stderr);
    }
}

/// Berlin's two days of 2026 on which clocks are set, as `mysql_tzinfo_to_sql` writes them.
const BERLIN: &str = "
    INSERT INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES (900, 'N');
    INSERT INTO mysql.time_zone_name VALUES ('Europe/Berlin', 900);
    INSERT INTO mysql.time_zone_transition_type VALUES (900, 0, 3600, 0, 'CET'), (900, 1, 7200, 1, 'CEST');
    INSERT INTO mysql.time_zone_transition VALUES (900, 1774746000, 1), (900, 1792890000, 0);";

fn dump(redis: &Redis) -> BTreeMap<String, String> {
    let keys = redis.cli(&["KEYS", "*"]);
    let keys: Vec<&str> = keys.lines().filter(|key| !key.contains("shopwarm:")).collect();
    let values = redis.cli(&[&["MGET"], keys.as_slice()].concat());
    let values = values.lines().map(str::to_owned);
    keys.iter().map(|key| (*key).to_owned()).zip(values).collect()
}

/// The hour from two to three comes twice in that night.
#[test]
fn stored_moments_are_the_same_in_every_zone() {
    let server = MariaDb::private(&[]);
    server.run(BERLIN);
    for dialect in SERVERS {
        let lab = match dialect {
            Dialect::Postgres => Lab::empty(dialect),
            Dialect::MySql | Dialect::Sqlite => Lab::on(server.new_database()),
        };
        let (zone, zoned, local) = match dialect {
            Dialect::Postgres => ("SET TIME ZONE 'UTC'", "timestamptz(3)", "timestamp(3)"),
            Dialect::MySql | Dialect::Sqlite => {
                ("SET time_zone = '+00:00'", "timestamp(3)", "datetime(3)")
            }
        };
        let more = (5..40).map(|id| format!(", ({id}, '2026-01-01', '2026-01-01', NULL)"));
        let more: Vec<String> = more.collect();
        lab.database.sql(&format!(
            "{zone};
             CREATE TABLE t (id int PRIMARY KEY, at {zoned} NULL, made {local} NULL, day date NULL);
             INSERT INTO t VALUES
                 (1, '2026-10-25 00:30:00.5', '2026-10-25 02:30:00.5', '2026-10-25'),
                 (2, '2026-10-25 01:30:00.25', '2026-10-25 02:30:00.25', '2026-10-25'),
                 (3, NULL, NULL, NULL), (4, '2026-07-01 12:00:00', '2026-07-01 12:00:00', NULL){}",
            more.concat()
        ));
        let sql = "SELECT id, at, made, day, id AS _version, at AS _changed_at FROM t";
        let definitions = own(
            &["t"],
            &(strategy("rows", "object", "T:{id}", sql)
                + &strategy(
                    "list",
                    "list",
                    "L",
                    "SELECT id, at, made, at AS _a FROM t WHERE at IS NOT NULL",
                )
                + "order_by = \"at DESC, id\"\n"
                + &strategy(
                    "versions",
                    "object",
                    "V:{id}",
                    "SELECT id, at AS _version FROM t WHERE at IS NOT NULL",
                )),
        );
        let in_zone = |command: &str, zone: &str| {
            lab.with(&definitions, command).args("--session-timezone").arg(zone)
        };
        let elsewhere = Redis::start(&[]);
        lab.with(&definitions, "warmup all").run().expect(0);
        let warm =
            in_zone("warmup all -o json", "Europe/Berlin").cache(elsewhere.url()).run().expect(0);
        assert_eq!(dump(&lab.redis), dump(&elsewhere), "{dialect:?}");
        let report = warm.strategy("own/versions");
        assert_eq!(
            (&report["withdrawn"], &report["repaired"]),
            (&0.into(), &0.into()),
            "{report:#}"
        );
        assert_eq!(
            lab.get("T:1"),
            r#"{"id":1,"at":"2026-10-25T00:30:00.500000+00:00","made":"2026-10-25T02:30:00.500000","day":"2026-10-25"}"#
        );
        for command in ["verify", "doctor", "keys get T:2"] {
            in_zone(command, "Europe/Berlin").run().expect(0);
        }
        // What has changed is found in that zone, and a zone that was another makes all be read.
        let changed = "warmup all --changed --changed-overlap 0s -o json";
        let read = |zone: &str| in_zone(changed, zone).run().expect(0).strategy("own/rows");
        let first = read("Europe/Berlin");
        assert_eq!(first["read"], "full", "{first:#}");
        let why = first["read_why"].to_string();
        assert!(why.contains("session_timezone"), "{why}");
        let now = "UPDATE t SET at = CURRENT_TIMESTAMP(3), made = NULL WHERE id = 4";
        lab.database.sql(now);
        let second = read("Europe/Berlin");
        assert_eq!(second["read"], "changed", "{second:#}");
        assert!(lab.get("T:4").contains("\"made\":null"), "{dialect:?}");
        in_zone("verify", "UTC").run().expect(0);
    }
}

/// A zero date is a zero date, whatever it is turned into on its way.
#[test]
fn a_zero_date_fails_its_key_in_every_zone() {
    let lab = Lab::empty(Dialect::MySql);
    lab.database.sql(
        "SET sql_mode = ''; CREATE TABLE t (id int PRIMARY KEY, at timestamp NULL);
         INSERT INTO t VALUES (1, '0000-00-00'), (2, '2026-01-01')",
    );
    let definitions = own(&["t"], &strategy("t", "object", "T:{id}", "SELECT id, at FROM t"));
    for zone in ["UTC", "+05:30"] {
        let run = lab
            .with(&definitions, "warmup all")
            .args("--session-timezone")
            .arg(zone)
            .run()
            .expect(3);
        assert!(run.stdout.contains("zero date"), "{zone}: {}", run.stdout);
        assert_eq!(lab.keys(), ["T:2"], "{zone}");
    }
}
