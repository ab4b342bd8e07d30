//! Runs that read only what changed leave what a full run leaves.
//!
//! `SHOPWARM_CHANGED_ROUNDS=2000 cargo nextest run random_histories` for a long night; what a failure
//! prints repeats its history: `SHOPWARM_CHANGED_SEED=...`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use fastrand::Rng;
use serde_json::Value;

use crate::faults::calm;
use crate::lab::{SHIPPED, own, strategy};
use crate::looking::{Dump, Embedded, dump};
use crate::servers::{Database, Dialect, MariaDb, Postgres, Redis, Sqlite};
use crate::shopwarm::{Finished, Shopwarm, file, shopwarm};

const TTL_MS: i64 = 3_600_000;

/// One of every kind, and how each is read.
const READ: [(&str, &str); 8] = [
    ("rows", "changed"),
    ("hash", "changed"),
    ("top", "keys"),
    ("slug", "keys"),
    ("text", "keys"),
    ("fresh", "keys"),
    ("joined", "keys"),
    ("list", "full"),
];

fn definitions(dialect: Dialect) -> String {
    let there = "FROM t WHERE active = 1 AND deleted_at IS NULL";
    let latest = match dialect {
        Dialect::Sqlite => "max(t.updated_at, g.updated_at)",
        Dialect::Postgres | Dialect::MySql => "greatest(t.updated_at, g.updated_at)",
    };
    let all = [
        strategy(
            "rows",
            "object",
            "R:{id}",
            &format!(
                "SELECT id, name, price, version AS _version, updated_at AS _changed_at {there}"
            ),
        ),
        strategy(
            "hash",
            "hash",
            "H:{id}",
            &format!(
                "SELECT id, upper(name) AS name, updated_at AS _changed_at {there} AND price > 10"
            ),
        ),
        strategy(
            "top",
            "object",
            "Top:{id}",
            &format!("SELECT id, name, sales, updated_at AS _changed_at {there}"),
        ) + "order_by = \"sales DESC, id DESC\"\nlimit = 15\n",
        strategy(
            "slug",
            "object",
            "S:{slug}",
            &format!("SELECT slug, id, name, updated_at AS _changed_at {there}"),
        ),
        strategy(
            "text",
            "text",
            "T:{_id}",
            &format!("SELECT id AS _id, note, updated_at AS _changed_at {there}"),
        ),
        strategy(
            "fresh",
            "object",
            "F:{id}",
            &format!("SELECT id, name, updated_at AS _changed_at {there} AND length(slug) > 3"),
        ),
        strategy(
            "joined",
            "object",
            "J:{id}",
            &format!(
                "SELECT t.id, t.name, g.title, {latest} AS _changed_at FROM t \
                 JOIN g ON g.id = t.g WHERE t.deleted_at IS NULL"
            ),
        ),
        strategy(
            "list",
            "list",
            "L:{g}",
            &format!("SELECT g, id, name {there}"),
        ) + "order_by = \"id\"\n",
    ];
    own(&["t", "g"], &all.concat())
}

/// How a database writes the present moment.
fn moment(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "strftime('%Y-%m-%d %H:%M:%f', 'now')",
        Dialect::Postgres => "now()",
        Dialect::MySql => "now(6)",
    }
}

/// How it writes a moment an hour before another.
fn an_hour_before(dialect: Dialect, moment: &str) -> String {
    match dialect {
        Dialect::Sqlite => format!("strftime('%Y-%m-%d %H:%M:%f', {moment}, '-1 hour')"),
        Dialect::Postgres | Dialect::MySql => format!(
            "{moment} - interval {}",
            match dialect {
                Dialect::Postgres => "'1 hour'",
                _ => "1 hour",
            }
        ),
    }
}

/// A shop of a few rows, on any database.
struct Shop {
    database: Database,
    dialect: Dialect,
    rng: Rng,
    rows: u32,
}

impl Shop {
    fn new(dialect: Dialect, seed: u64) -> Self {
        let database = match dialect {
            Dialect::Sqlite => Sqlite::database(),
            Dialect::Postgres => Postgres::database(),
            Dialect::MySql => MariaDb::database(),
        };
        // The moment that it was, whatever the session's time zone is.
        let at = match dialect {
            Dialect::Sqlite => "timestamp",
            Dialect::Postgres => "timestamptz",
            Dialect::MySql => "timestamp(6) NULL DEFAULT NULL",
        };
        database.sql(&format!(
            "CREATE TABLE g (id int PRIMARY KEY, title varchar(40), updated_at {at});
             CREATE TABLE t (id int PRIMARY KEY, slug varchar(40) UNIQUE, name varchar(40),
                 price decimal(10,2), sales int, note varchar(40), g int, active int,
                 version int, deleted_at {at}, updated_at {at});
             CREATE INDEX t_updated_at ON t (updated_at);"
        ));
        let mut shop = Self {
            database,
            dialect,
            rng: Rng::with_seed(seed),
            rows: 0,
        };
        let groups: Vec<String> = (0..5)
            .map(|g| format!("({g}, 'group {g}', {})", moment(dialect)))
            .collect();
        let mut sql = format!("INSERT INTO g VALUES {};", groups.join(","));
        for _ in 0..60 {
            sql.push_str(&shop.insert());
        }
        shop.database.sql(&sql);
        shop.age();
        shop
    }

    fn insert(&mut self) -> String {
        self.rows += 1;
        let (id, price, sales) = (self.rows, self.rng.u32(1..40), self.rng.u32(..1000));
        let note = if self.rng.u32(..12) == 0 {
            "NULL"
        } else {
            "'a note'"
        };
        let (g, now) = (self.rng.u32(..5), moment(self.dialect));
        let slug = ["s", "slug"][self.rng.usize(..2)];
        format!(
            "INSERT INTO t VALUES ({id}, '{slug}-{id}', 'name {id}', {price}, {sales}, {note}, {g}, 1, \
             1, NULL, {now});"
        )
    }

    /// Something happens to a row, and to its `updated_at`.
    fn change(&mut self) -> String {
        let (id, n) = (self.rng.u32(1..=self.rows), self.rng.u32(..100_000));
        let now = moment(self.dialect);
        let set = match self.rng.u32(..12) {
            0 => return self.insert(),
            1 => {
                let g = self.rng.u32(..5);
                return format!(
                    "UPDATE g SET title = 'group {n}', updated_at = {now} WHERE id = {g};"
                );
            }
            2 | 3 => format!("deleted_at = {now}"),
            4 => "deleted_at = NULL".to_owned(),
            5 => format!("sales = {}", n % 1000),
            6 => format!("slug = 'slug-{n}-{id}'"),
            7 => format!("active = {}", n % 2),
            8 => format!("note = {}", if n % 2 == 0 { "NULL" } else { "'other'" }),
            9 => format!("price = {}", n % 40),
            10 => format!("g = {}", n % 5),
            _ => format!("name = 'name {n}'"),
        };
        format!("UPDATE t SET {set}, version = version + 1, updated_at = {now} WHERE id = {id};")
    }

    /// Lets an hour pass for everything that has happened.
    fn age(&self) {
        let earlier = an_hour_before(self.dialect, "updated_at");
        self.database.sql(&format!(
            "UPDATE t SET updated_at = {earlier}; UPDATE g SET updated_at = {earlier}"
        ));
    }
}

/// A cache of either kind.
enum Store {
    File(Embedded),
    Redis(Redis),
}

impl Store {
    fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Sqlite => Self::File(Embedded::new()),
            Dialect::Postgres | Dialect::MySql => Self::Redis(Redis::start(&[])),
        }
    }

    fn url(&self) -> String {
        match self {
            Self::File(file) => file.url(),
            Self::Redis(redis) => redis.url(),
        }
    }

    /// What is there, without what the tool keeps for itself.
    fn dump(&self) -> Dump {
        let mut all = match self {
            Self::File(file) => file.dump(),
            Self::Redis(redis) => dump(redis),
        };
        all.retain(|key, _| !key.contains("shopwarm:"));
        all
    }

    fn delete(&self, key: &str) {
        match self {
            Self::File(file) => {
                file.sql(&format!(
                    "DELETE FROM entries WHERE key = CAST('{key}' AS BLOB)"
                ));
            }
            Self::Redis(redis) => {
                redis.cli(&["DEL", key]);
            }
        }
    }

    /// An application sets a value of its own.
    fn set(&self, key: &str) {
        match self {
            Self::File(file) => {
                file.sql(&format!(
                    "INSERT OR REPLACE INTO entries VALUES (CAST('{key}' AS BLOB), 'string', \
                     CAST('of the application' AS BLOB), (unixepoch() + 600) * 1000)"
                ));
            }
            Self::Redis(redis) => {
                redis.cli(&["SET", key, "of the application", "EX", "600"]);
            }
        }
    }

    /// Leaves every key a minute to live.
    fn wear(&self) {
        match self {
            Self::File(file) => {
                file.sql(
                    "UPDATE entries SET expires_at = (unixepoch() + 60) * 1000
                     WHERE CAST(key AS TEXT) NOT LIKE '%shopwarm:%'",
                );
            }
            Self::Redis(redis) => {
                let script = "for _, key in ipairs(redis.call('KEYS', '*')) do
                    if not key:find('shopwarm:') then redis.call('PEXPIRE', key, 60000) end end";
                redis.cli(&["EVAL", script, "0"]);
            }
        }
    }
}

/// A command about these definitions alone.
fn command(arguments: &str, definitions: &Path, database: &str, cache: &str) -> Shopwarm {
    shopwarm(arguments)
        .database(database)
        .cache(cache)
        .contexts(definitions)
        .env("SHOPWARM_EXCLUDE", SHIPPED.join(","))
}

fn ok(run: Finished) -> Value {
    calm(run).expect(0).json()
}

fn of<'a>(report: &'a Value, name: &str) -> &'a Value {
    let strategies = report["strategies"].as_array().expect("a list");
    let found = strategies.iter().find(|strategy| strategy["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

/// Why each strategy was read whole.
fn reasons(report: &Value) -> BTreeMap<String, String> {
    let strategies = report["strategies"].as_array().expect("a list").iter();
    let full = strategies.filter(|strategy| strategy["read"] == "full");
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    full.map(|s| (text(&s["name"]), text(&s["read_why"])))
        .collect()
}

/// What two caches hold, without the time.
fn values(dump: &Dump) -> BTreeMap<&String, (&String, &Value)> {
    let value = |(key, stood)| {
        let stood: &crate::looking::Stood = stood;
        (key, (&stood.kind, &stood.value))
    };
    dump.iter().map(value).collect()
}

/// What was found must be what was expected. What has left the selection of a strategy that was read
/// whole is left to end by itself, as by any full run.
#[track_caller]
fn compare(found: &Dump, expected: &Dump, report: &Value) {
    let (found, expected) = (values(found), values(expected));
    let may_be_left = |key: &str| {
        READ.iter().any(|(name, _)| {
            let starts = key.starts_with(start(name));
            starts && of(report, name)["read"] == "full"
        })
    };
    let mut wrong = Vec::new();
    for (key, value) in &found {
        match expected.get(key) {
            Some(right) if right == value => {}
            None if may_be_left(key) => {}
            right => wrong.push(format!("{key}: {value:?}, expected {right:?}")),
        }
    }
    let missing = expected.keys().filter(|key| !found.contains_key(*key));
    wrong.extend(missing.map(|key| format!("{key} is missing")));
    assert!(wrong.is_empty(), "{}\n{report:#}", wrong.join("\n"));
}

/// What the keys of a strategy begin with.
fn start(name: &str) -> &'static str {
    match name {
        "rows" => "R:",
        "hash" => "H:",
        "top" => "Top:",
        "slug" => "S:",
        "text" => "T:",
        "fresh" => "F:",
        "joined" => "J:",
        _ => "L:",
    }
}

/// A history of so many rounds. Each changes rows and keys, runs, and compares.
fn history(dialect: Dialect, seed: u64, rounds: u64, story: &mut String) -> BTreeMap<String, u32> {
    let mut shop = Shop::new(dialect, seed);
    let (_folder, definitions) = file("own.toml", &definitions(dialect));
    let store = Store::new(dialect);
    let url = shop.database.url();
    let run = |arguments: &str, cache: &str| {
        let arguments = format!("warmup {arguments} --default-ttl 1h -o json --progress none");
        command(&arguments, &definitions, &url, cache).run()
    };
    let mut ways: BTreeMap<String, u32> = BTreeMap::new();
    let mut rng = Rng::with_seed(seed ^ 7);
    let mut applications: BTreeSet<String> = BTreeSet::new();
    ok(run("all", &store.url()));
    for round in 0..rounds {
        let _ = write!(story, "\nround {round}: ");
        store.wear();
        let mut sql = String::new();
        // Now and then more than is worth reading one by one.
        let changes = if rng.u32(..8) == 0 { 40 } else { rng.u32(..6) };
        for _ in 0..changes {
            let change = shop.change();
            let _ = write!(story, "{change} ");
            sql.push_str(&change);
        }
        if !sql.is_empty() {
            shop.database.sql(&sql);
        }
        let there: Vec<String> = store.dump().into_keys().collect();
        for _ in 0..rng.u32(..4) {
            let key = rng.choice(&there).expect("some");
            let _ = write!(story, "DEL {key} ");
            store.delete(key);
            applications.remove(key);
        }
        if rng.bool() {
            // Of no row, though it looks like one.
            let key = format!("R:app{round}");
            store.set(&key);
            applications.insert(key);
        }
        if rng.u32(..4) == 0 {
            let id = rng.u32(1..=shop.rows);
            let _ = write!(story, "SET R:{id} ");
            shop.database.sql(&format!(
                "UPDATE t SET version = version + 1, updated_at = {} WHERE id = {id}",
                moment(dialect)
            ));
            store.set(&format!("R:{id}"));
            let gone = shop.database.query(&format!(
                "SELECT count(*) FROM t WHERE id = {id} AND active = 1 AND deleted_at IS NULL"
            ));
            // A key that this tool never wrote stays, whoever is right.
            if gone.trim() == "0" && !there.contains(&format!("R:{id}")) {
                store.delete(&format!("R:{id}"));
            }
        }
        let extra = match rng.u32(..8) {
            0 => Some("all"),
            1 => Some("all --mode only-missing"),
            2 => Some("strategy own/rows own/top --limit 5"),
            3 => Some("keys R:1 R:2 H:3 S:s-4 F:9999"),
            _ => None,
        };
        if let Some(extra) = extra {
            let _ = write!(story, "warmup {extra} ");
            calm(run(extra, &store.url()));
            if rng.bool() {
                let change = shop.change();
                let _ = write!(story, "{change} ");
                shop.database.sql(&change);
            }
        }
        let report = ok(run("all --changed --changed-overlap 0s", &store.url()));
        for (name, _) in READ {
            let read = of(&report, name)["read"].as_str().expect("told").to_owned();
            let _ = write!(story, "{name}:{read} ");
            *ways.entry(format!("{name}:{read}")).or_default() += 1;
        }
        let fresh = Embedded::new();
        let full = ok(run("all", &fresh.url()));
        let expected = Store::File(fresh).dump();
        let mut found = store.dump();
        found.retain(|key, _| !applications.contains(key));
        compare(&found, &expected, &report);
        for (key, stood) in found.iter().filter(|(key, _)| expected.contains_key(*key)) {
            let ttl = stood.ttl;
            assert!(
                (TTL_MS * 9 / 10 - 60_000..=TTL_MS).contains(&ttl),
                "{key}: {ttl}"
            );
        }
        for (name, _) in READ {
            let (changed, full) = (of(&report, name), of(&full, name));
            assert_eq!(changed["warmed"], full["warmed"], "{name} {changed:#}");
            assert_eq!(changed["failed"], 0);
        }
        shop.age();
    }
    for key in &applications {
        assert!(
            store.dump().contains_key(key),
            "{key} was not ours to remove"
        );
    }
    ways
}

fn random_histories(dialect: Dialect, histories: u64, rounds: u64) {
    let rounds =
        std::env::var("SHOPWARM_CHANGED_ROUNDS").map_or(rounds, |n| n.parse().expect("a number"));
    let seeds: Vec<u64> = match std::env::var("SHOPWARM_CHANGED_SEED") {
        Ok(seed) => vec![seed.parse().expect("a number")],
        Err(_) => (0..histories).map(|_| fastrand::u64(..)).collect(),
    };
    let mut ways: BTreeMap<String, u32> = BTreeMap::new();
    for seed in seeds {
        let mut story = String::new();
        let run = catch_unwind(AssertUnwindSafe(|| {
            history(dialect, seed, rounds, &mut story)
        }));
        match run {
            Ok(of_one) => of_one
                .into_iter()
                .for_each(|(way, n)| *ways.entry(way).or_default() += n),
            Err(panic) => {
                eprintln!("SHOPWARM_CHANGED_SEED={seed}\n{story}");
                resume_unwind(panic);
            }
        }
    }
    // Otherwise nothing was tested.
    for (name, read) in READ {
        assert!(ways.contains_key(&format!("{name}:{read}")), "{ways:?}");
    }
}

#[test]
fn random_histories_on_sqlite() {
    random_histories(Dialect::Sqlite, 3, 12);
}

#[test]
fn random_histories_on_postgres() {
    random_histories(Dialect::Postgres, 1, 10);
}

#[test]
fn random_histories_on_mariadb() {
    random_histories(Dialect::MySql, 1, 10);
}
