//! Runs that read only what changed leave what a full run leaves.
//!
//! The gate runs the same random histories every time, and `scripts/hunt changes` new ones. A failure
//! prints how to repeat its history: `SHOPWARM_CHANGED_SEED=...`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use fastrand::Rng;
use serde_json::Value;
use sqlx::Connection as _;

use crate::support::cached::{Dump, Embedded, dump};
use crate::support::faults::calm;
use crate::support::lab::{own, strategy};
use crate::support::replica;
use crate::support::servers::{Database, Dialect, MariaDb, Postgres, Redis, Sqlite};
use crate::support::shopwarm::{Finished, Shopwarm, file, shopwarm};

const TTL_MS: i64 = 3_600_000;

/// One of every kind, and how each is read.
const READ: [(&str, &str); 10] = [
    ("rows", "changed"),
    ("hash", "changed"),
    ("top", "keys"),
    ("slug", "keys"),
    ("text", "keys"),
    ("fresh", "keys"),
    ("joined", "keys"),
    ("offer", "keys"),
    ("price", "full"),
    ("list", "full"),
];

fn definitions(dialect: Dialect) -> String {
    let now = second(dialect);
    let valid = format!("FROM p WHERE valid_from <= {now} AND valid_to > {now}");
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
        // Each row has its time: it comes and goes without being changed.
        strategy(
            "offer",
            "object",
            "O:{id}",
            &format!("SELECT id, product, price, updated_at AS _changed_at {valid}"),
        ),
        strategy(
            "price",
            "object",
            "P:{product}",
            &format!("SELECT product, price, updated_at AS _changed_at {valid}"),
        ),
        strategy("list", "list", "L:{g}", &format!("SELECT g, id, name {there}"))
            + "order_by = \"id\"\n",
    ];
    own(&["t", "g", "p"], &all.concat())
}

/// How a database writes the present moment.
fn moment(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "strftime('%Y-%m-%d %H:%M:%f', 'now')",
        Dialect::Postgres => "now()",
        Dialect::MySql => "now(6)",
    }
}

/// How it writes a moment a day before another: a moment without a zone counts as half a day later.
fn a_day_before(dialect: Dialect, moment: &str) -> String {
    match dialect {
        Dialect::Sqlite => format!("strftime('%Y-%m-%d %H:%M:%f', {moment}, '-1 day')"),
        Dialect::Postgres => format!("{moment} - interval '1 day'"),
        Dialect::MySql => format!("{moment} - interval 1 day"),
    }
}

/// Days that a price is valid at most, products, and prices of each.
const DAYS: u32 = 3;
const PRODUCTS: u32 = 8;
const PRICES: u32 = 40;

/// A shop of a few rows, on any database.
struct Shop {
    database: Database,
    dialect: Dialect,
    /// How its application writes the present moment.
    now: &'static str,
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
        // The moment that it was, whatever the session's time zone is; or what a clock says there.
        let (at, now) = match (dialect, seed % 3) {
            (Dialect::Sqlite, _) => ("timestamp", moment(dialect)),
            (Dialect::Postgres, 0) => ("timestamp", "(now() AT TIME ZONE 'America/Los_Angeles')"),
            (Dialect::Postgres, 2) => ("timestamp", "(now() AT TIME ZONE 'Asia/Shanghai')"),
            (Dialect::Postgres, _) => ("timestamptz", moment(dialect)),
            (Dialect::MySql, 0) => {
                ("datetime(6)", "convert_tz(utc_timestamp(6), '+00:00', '-08:00')")
            }
            (Dialect::MySql, _) => ("timestamp(6) NULL DEFAULT NULL", moment(dialect)),
        };
        database.sql(&format!(
            "CREATE TABLE g (id int PRIMARY KEY, title varchar(40), updated_at {at});
             CREATE TABLE t (id int PRIMARY KEY, slug varchar(40) UNIQUE, name varchar(40),
                 price decimal(10,2), sales int, note varchar(40), g int, active int,
                 version int, deleted_at {at}, updated_at {at});
             CREATE INDEX t_updated_at ON t (updated_at);
             CREATE TABLE p (id int PRIMARY KEY, product int, price int, valid_from bigint,
                 valid_to bigint, updated_at {at});"
        ));
        let mut shop = Self { database, dialect, now, rng: Rng::with_seed(seed), rows: 0 };
        let groups: Vec<String> = (0..5).map(|g| format!("({g}, 'group {g}', {now})")).collect();
        let mut sql = format!("INSERT INTO g VALUES {};", groups.join(","));
        sql.push_str(&shop.prices());
        for _ in 0..60 {
            sql.push_str(&shop.insert());
        }
        shop.database.sql(&sql);
        shop.age();
        shop
    }

    /// Prices of some products, one after the other, for the days that come.
    fn prices(&mut self) -> String {
        let mut rows = Vec::new();
        for product in 1..=PRODUCTS {
            let mut day = 0;
            for _ in 0..PRICES {
                let (from, id) = (day, rows.len() + 1);
                day += self.rng.u32(1..=DAYS);
                let price = self.rng.u32(1..100);
                let at = |day: u32| format!("{} - 43200 + {day} * 86400", second(self.dialect));
                let (from, to) = (at(from), at(day));
                rows.push(format!("({id}, {product}, {price}, {from}, {to}, {})", self.now));
            }
        }
        format!("INSERT INTO p VALUES {};", rows.join(","))
    }

    fn insert(&mut self) -> String {
        self.rows += 1;
        let (id, price, sales) = (self.rows, self.rng.u32(1..40), self.rng.u32(..1000));
        let note = if self.rng.u32(..12) == 0 { "NULL" } else { "'a note'" };
        let (g, now) = (self.rng.u32(..5), self.now);
        let slug = ["s", "slug"][self.rng.usize(..2)];
        format!(
            "INSERT INTO t VALUES ({id}, '{slug}-{id}', 'name {id}', {price}, {sales}, {note}, {g}, 1, \
             1, NULL, {now});"
        )
    }

    /// Something happens to a row, and to its `updated_at`.
    fn change(&mut self) -> String {
        let (id, n) = (self.rng.u32(1..=self.rows), self.rng.u32(..100_000));
        let now = self.now;
        let set = match self.rng.u32(..14) {
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
            11 => return format!("DELETE FROM t WHERE id = {id};"),
            12 => {
                let price = self.rng.u32(1..=PRODUCTS * PRICES);
                return format!(
                    "UPDATE p SET price = {}, updated_at = {now} WHERE id = {price};",
                    n % 100
                );
            }
            _ => format!("name = 'name {n}'"),
        };
        format!("UPDATE t SET {set}, version = version + 1, updated_at = {now} WHERE id = {id};")
    }

    /// Lets a day pass for everything that has happened.
    fn age(&self) {
        let earlier = a_day_before(self.dialect, "updated_at");
        self.database.sql(&format!(
            "UPDATE t SET updated_at = {earlier}; UPDATE g SET updated_at = {earlier};
             UPDATE p SET updated_at = {earlier}, valid_from = valid_from - 86400,
                 valid_to = valid_to - 86400"
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
                file.sql(&format!("DELETE FROM entries WHERE key = CAST('{key}' AS BLOB)"));
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
    shopwarm(arguments).database(database).cache(cache).contexts(definitions)
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
    full.map(|s| (text(&s["name"]), text(&s["read_why"]))).collect()
}

/// What two caches hold, without the time.
fn values(dump: &Dump) -> BTreeMap<&String, (&String, &Value)> {
    let value = |(key, stood)| {
        let stood: &crate::support::cached::Stood = stood;
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
        "offer" => "O:",
        "price" => "P:",
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
                shop.now
            ));
            store.set(&format!("R:{id}"));
            let gone = shop.database.query(&format!(
                "SELECT count(*) FROM t WHERE id = {id} AND active = 1 AND deleted_at IS NULL"
            ));
            // A value that this tool did not write stays, whatever becomes of the row.
            if gone.trim() == "0" {
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
            assert!((TTL_MS * 9 / 10 - 60_000..=TTL_MS).contains(&ttl), "{key}: {ttl}");
        }
        for (name, _) in READ {
            let (changed, full) = (of(&report, name), of(&full, name));
            assert_eq!(changed["warmed"], full["warmed"], "{name} {changed:#}");
            assert_eq!(changed["failed"], 0);
        }
        shop.age();
    }
    for key in &applications {
        assert!(store.dump().contains_key(key), "{key} was not ours to remove");
    }
    ways
}

fn random_histories(dialect: Dialect, histories: u64, rounds: u64) {
    let rounds =
        std::env::var("SHOPWARM_CHANGED_ROUNDS").map_or(rounds, |n| n.parse().expect("a number"));
    let asked: Option<u64> =
        std::env::var("SHOPWARM_CHANGED_SEED").map_or(None, |n| Some(n.parse().expect("a number")));
    let seeds: Vec<u64> = asked.map_or((1..=histories).collect(), |seed| vec![seed]);
    let mut ways: BTreeMap<String, u32> = BTreeMap::new();
    for seed in seeds {
        let mut story = String::new();
        let run = catch_unwind(AssertUnwindSafe(|| history(dialect, seed, rounds, &mut story)));
        match run {
            Ok(of_one) => {
                of_one.into_iter().for_each(|(way, n)| *ways.entry(way).or_default() += n);
            }
            Err(panic) => {
                eprintln!("SHOPWARM_CHANGED_SEED={seed}\n{story}");
                resume_unwind(panic);
            }
        }
    }
    // The gate's seeds reach every way of reading; one that was asked for need not.
    for (name, read) in READ {
        let reached = asked.is_some() || ways.contains_key(&format!("{name}:{read}"));
        assert!(reached, "{ways:?}");
    }
}

#[test]
fn random_histories_on_sqlite() {
    random_histories(Dialect::Sqlite, 2, 12);
}

#[test]
fn random_histories_on_postgres() {
    random_histories(Dialect::Postgres, 3, 4);
}

#[test]
fn random_histories_on_mariadb() {
    random_histories(Dialect::MySql, 3, 4);
}

/// Warmed once, and ready to be warmed by its changes.
struct Warm {
    shop: Shop,
    store: Store,
    definitions: std::path::PathBuf,
    /// Whom the database takes the tool for.
    url: String,
    _folder: tempfile::TempDir,
}

impl Warm {
    fn new(dialect: Dialect) -> Self {
        let (folder, definitions) = file("own.toml", &definitions(dialect));
        let shop = Shop::new(dialect, 1);
        Self {
            url: shop.database.url(),
            shop,
            store: Store::new(dialect),
            definitions,
            _folder: folder,
        }
    }

    fn run(&self, arguments: &str) -> Finished {
        let arguments = format!("warmup all --changed-overlap 0s -o json {arguments}");
        calm(command(&arguments, &self.definitions, &self.url, &self.store.url()).run())
    }

    /// Why the strategy `rows` was read whole; empty: it was not.
    #[track_caller]
    fn why(&self, arguments: &str) -> String {
        let report = self.run(&format!("--changed {arguments}")).expect(0).json();
        reasons(&report).remove("rows").unwrap_or_default()
    }

    /// What a full run into an empty cache leaves is what is there.
    #[track_caller]
    fn is_as_after_a_full_run(&self, report: &Value) {
        let fresh = Embedded::new();
        let (url, cache) = (self.shop.database.url(), fresh.url());
        ok(command("warmup all -o json", &self.definitions, &url, &cache).run());
        compare(&self.store.dump(), &Store::File(fresh).dump(), report);
    }
}

#[test]
fn everything_is_read_where_less_would_not_be_safe_and_the_reason_is_told() {
    let warm = Warm::new(Dialect::Sqlite);
    assert_eq!(warm.why(""), "no earlier run was complete");
    assert_eq!(warm.why(""), "");
    assert!(warm.why("--limit 3").contains("--limit"));
    // A run that wrote some of the keys has left the mark as it was.
    assert_eq!(warm.why(""), "");
    assert!(warm.why("--mode only-missing").contains("only-missing"));
    assert!(warm.why("").contains("did not record"), "that one left none");
    assert!(warm.why("--full-every 1ms").contains("--full-every"));

    let text = std::fs::read_to_string(&warm.definitions).expect("text");
    let other = text.replace("SELECT id, name, price", "SELECT id, name, price, sales");
    std::fs::write(&warm.definitions, &other).expect("a file");
    assert_eq!(warm.why(""), "its definition has changed");
    assert_eq!(warm.why(""), "");
    let limited = other.replace("key = \"R:{id}\"", "limit = 1000\nkey = \"R:{id}\"");
    std::fs::write(&warm.definitions, &limited).expect("a file");
    assert_eq!(warm.why(""), "its definition has changed");
    let report = warm.run("--changed").expect(0).json();
    assert_eq!(of(&report, "rows")["read"], "keys", "with a limit others decide");
    std::fs::write(&warm.definitions, &other).expect("a file");
    warm.why("");

    let Store::File(cache) = &warm.store else { unreachable!("of SQLite") };
    cache.sql("DELETE FROM entries WHERE CAST(key AS TEXT) = 'shopwarm:keys'");
    assert!(warm.why("").contains("are no longer known"));
    cache.sql("DELETE FROM entries WHERE CAST(key AS TEXT) LIKE 'shopwarm:keys:own/rows:%'");
    assert!(warm.why("").contains("part of the list is gone"));
    cache.sql("DELETE FROM entries WHERE CAST(key AS TEXT) = 'shopwarm:last-complete'");
    assert_eq!(warm.why(""), "no earlier run was complete");

    warm.shop.database.sql("UPDATE t SET price = 1, updated_at = datetime('now') WHERE id <= 30");
    let why = warm.why("");
    assert!(why.contains("too many keys have changed"), "{why}");
    assert!(why.contains("(at most "), "{why}");

    let report = warm.run("--changed").expect(0).json();
    warm.is_as_after_a_full_run(&report);
}

/// Its history got another name when a replica came, and no key was lost.
#[test]
fn a_backup_of_the_cache_is_no_reason_to_read_everything() {
    let warm = Warm::new(Dialect::Postgres);
    let Store::Redis(redis) = &warm.store else { unreachable!("of PostgreSQL") };
    warm.run("").expect(0);
    let before = replica::info(redis, "master_replid");
    redis.cli(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
    replica::follow(&Redis::start(&[]), redis);
    assert_ne!(replica::info(redis, "master_replid"), before);
    assert_eq!(warm.why(""), "");
}

#[test]
fn a_run_that_was_not_complete_moves_no_mark() {
    let warm = Warm::new(Dialect::Postgres);
    warm.run("").expect(0);
    let database = &warm.shop.database;
    database.sql(
        "UPDATE t SET name = 'changed', updated_at = now() WHERE id = 6;
         UPDATE t SET price = 'NaN', updated_at = now() WHERE id = 5",
    );
    // So that a mark of this run would be later.
    std::thread::sleep(std::time::Duration::from_secs(4));
    let report = warm.run("--changed").expect(3).json();
    assert_eq!(of(&report, "rows")["read"], "changed");
    assert_eq!(of(&report, "rows")["failed"], 1);
    // Then it is repaired by somebody who does not say so.
    database.sql("UPDATE t SET price = 12 WHERE id = 5");
    let report = warm.run("--changed").expect(0).json();
    warm.is_as_after_a_full_run(&report);
}

#[test]
fn keys_that_others_wrote_stay_whatever_happens_to_their_rows() {
    let warm = Warm::new(Dialect::Sqlite);
    let database = &warm.shop.database;
    database.sql("UPDATE t SET active = 0 WHERE id = 9");
    warm.run("").expect(0);
    // The application caches what it shows, in the selection or not.
    warm.store.set("R:9");
    database.sql("UPDATE t SET name = 'other', updated_at = datetime('now') WHERE id IN (9, 10)");
    database.sql("UPDATE t SET deleted_at = 'now', updated_at = datetime('now') WHERE id = 11");
    let report = warm.run("--changed").expect(0).json();
    let rows = of(&report, "rows");
    assert_eq!((&rows["read"], &rows["removed"]), (&"changed".into(), &1.into()));
    let there = warm.store.dump();
    assert_eq!(there["R:9"].value, "of the application");
    assert!(!there.contains_key("R:11"));
    assert!(there["R:10"].value.as_str().expect("text").contains("other"));
}

/// A transaction that was open when a run began, and is committed after it, is not missed, however
/// short the overlap is.
fn an_open_transaction_is_not_missed(dialect: Dialect) {
    let mut warm = Warm::new(dialect);
    let report = warm.run("--changed").expect(0).json();
    // PostgreSQL has nothing to hide where nobody else is there.
    if dialect == Dialect::MySql {
        let warning = report["warnings"][0].as_str().expect("a warning");
        assert!(warning.contains("GRANT"), "not all is shown: {warning}");
    }
    warm.url = warm.shop.database.admin_url();
    let now = moment(dialect);
    let statement = format!("UPDATE t SET name = 'late', updated_at = {now} WHERE id = 3");
    let url = warm.shop.database.admin_url();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let check = |report: &Value| {
        assert_eq!(of(report, "rows")["read"], "changed", "{report:#}");
        warm.is_as_after_a_full_run(report);
    };
    macro_rules! history {
        ($connection:ty) => {
            runtime.block_on(async {
                let mut writer = <$connection>::connect(&url).await.expect("a session");
                let mut begun = writer.begin().await.expect("a transaction");
                let update = sqlx::raw_sql(sqlx::AssertSqlSafe(statement));
                update.execute(&mut *begun).await.expect("an update");
                // Far enough for the clock alone to miss it.
                tokio::time::sleep(std::time::Duration::from_secs(4)).await;
                warm.run("").expect(0);
                begun.commit().await.expect("committed");
                let report = warm.run("--changed").expect(0).json();
                assert!(report["warnings"].is_null(), "{report:#}");
                check(&report);
            })
        };
    }
    match dialect {
        Dialect::Postgres => history!(sqlx::PgConnection),
        _ => history!(sqlx::MySqlConnection),
    }
}

#[test]
fn an_open_transaction_is_not_missed_on_postgres() {
    an_open_transaction_is_not_missed(Dialect::Postgres);
}

#[test]
fn an_open_transaction_is_not_missed_on_mariadb() {
    an_open_transaction_is_not_missed(Dialect::MySql);
}

/// Rows that PostgreSQL has read of a table, once all sessions have told.
fn rows_read(database: &Database) -> u64 {
    let sql = "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_user_tables WHERE relname = 't'";
    let mut last = None;
    for _ in 0..50 {
        let now: u64 = database.query(sql).trim().parse().expect("a number");
        if last == Some(now) {
            return now;
        }
        last = Some(now);
        std::thread::sleep(std::time::Duration::from_millis(400));
    }
    panic!("the counts do not come to rest");
}

#[test]
fn few_changes_cost_few_rows() {
    let warm = Warm::new(Dialect::Postgres);
    let database = &warm.shop.database;
    database.sql(
        "INSERT INTO t SELECT id, 's' || id, 'name', 20, 1, 'x', 1, 1, 1, NULL, now() - interval '1 hour'
         FROM generate_series(1000, 20999) id; ANALYZE t",
    );
    let warm_rows = |arguments: &str| {
        let arguments =
            format!("warmup strategy own/rows --changed-overlap 0s -o json {arguments}");
        let url = database.url();
        ok(command(&arguments, &warm.definitions, &url, &warm.store.url()).run())
    };
    let before = rows_read(database);
    warm_rows("");
    let full = rows_read(database) - before;
    database.sql("UPDATE t SET name = 'other', updated_at = now() WHERE id BETWEEN 2000 AND 2019");
    let before = rows_read(database);
    let report = warm_rows("--changed");
    let changed = rows_read(database) - before;
    let rows = of(&report, "rows");
    assert_eq!((&rows["read"], &rows["warmed"]), (&"changed".into(), &20_060.into()));
    assert_eq!(rows["unchanged"], 20_040);
    // Besides, the database counts them: a row that was deleted says nothing.
    let beside = changed.saturating_sub(20_060);
    assert!(full >= 20_000 && beside * 50 <= full, "{changed} rows beside {full}");

    // Many keys are looked at together: one that is missing is found, and times that are short.
    let rows_there = || {
        let all = warm.store.dump().into_iter();
        all.filter(|(key, _)| key.starts_with("R:")).collect::<Dump>()
    };
    warm.store.delete("R:5000");
    let report = warm_rows("--changed");
    let unchanged = of(&report, "rows")["unchanged"].as_u64();
    assert!((Some(20_039)..=Some(20_059)).contains(&unchanged));
    assert!(rows_there().contains_key("R:5000"));
    warm.store.wear();
    warm_rows("--changed");
    let times = rows_there();
    assert_eq!(times.len(), 20_060);
    for (key, stood) in times {
        assert!(stood.ttl > TTL_MS * 9 / 10 - 180_000, "{key}: {}", stood.ttl);
    }
}

#[test]
fn a_row_that_is_deleted_without_a_trace_is_noticed() {
    let warm = Warm::new(Dialect::Postgres);
    warm.run("").expect(0);
    let database = &warm.shop.database;
    database.sql("DELETE FROM t WHERE id = 7");
    database
        .sql(&format!("UPDATE t SET name = 'other', updated_at = {} WHERE id = 8", warm.shop.now));
    let report = warm.run("--changed").expect(0).json();
    let rows = of(&report, "rows");
    assert_eq!((&rows["read"], &rows["removed"]), (&"keys".into(), &1.into()));
    warm.is_as_after_a_full_run(&report);
    let report = warm.run("--changed").expect(0).json();
    assert_eq!(of(&report, "rows")["read"], "changed");
}

#[test]
fn what_an_application_wrote_itself_is_never_removed() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let warm = Warm::new(dialect);
        warm.run("").expect(0);
        let before = warm.store.dump();
        // One key of each kind and way, which the application writes; and one that nobody touches.
        let overwritten = ["R:11", "S:s-11", "S:slug-11", "F:11"];
        let overwritten = overwritten.into_iter().filter(|key| before.contains_key(*key));
        let overwritten: Vec<&str> = overwritten.collect();
        overwritten.iter().for_each(|key| warm.store.set(key));
        warm.shop.database.sql(&format!(
            "UPDATE t SET active = 0, updated_at = {} WHERE id IN (11, 12)",
            warm.shop.now
        ));
        let report = warm.run("--changed").expect(0).json();
        let there = warm.store.dump();
        for key in &overwritten {
            assert_eq!(there[*key].value, "of the application", "{dialect:?} {key}");
        }
        for gone in ["R:12", "F:12", "S:s-12", "S:slug-12"] {
            assert!(!there.contains_key(gone), "{dialect:?} {gone}");
        }
        let rows = of(&report, "rows");
        assert_eq!((&rows["read"], &rows["removed"]), (&"changed".into(), &1.into()));
        let warning = rows["warnings"][0].as_str().expect("a warning");
        assert!(warning.contains("kept 1 orphan: "), "{warning}");
        assert_eq!(of(&report, "hash")["removed"], 2 - removed_before(&before, "H:"));
    }
}

/// How many of two rows were no key of a strategy before.
fn removed_before(before: &Dump, start: &str) -> u64 {
    let keys = [11, 12].map(|id| format!("{start}{id}"));
    keys.iter().filter(|key| !before.contains_key(*key)).count() as u64
}

#[test]
fn a_key_that_another_strategy_makes_too_is_left_to_it() {
    let database = Sqlite::database();
    database.sql(
        "CREATE TABLE o (id int PRIMARY KEY, kind text, sale int, updated_at timestamp);
         WITH RECURSIVE s(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM s WHERE id < 30)
         INSERT INTO o SELECT id, 'P', 1, '2020-01-01 00:00:00' FROM s",
    );
    let all = [
        strategy(
            "sale",
            "object",
            "P:{id}",
            "SELECT id, updated_at AS _changed_at FROM o WHERE sale = 1",
        ) + "priority = 9\n",
        strategy(
            "featured",
            "object",
            "{_kind}:{id}",
            "SELECT id, kind AS _kind, updated_at AS _changed_at FROM o WHERE kind = 'P'",
        ),
    ];
    let (_folder, definitions) = file("own.toml", &own(&["o"], &all.concat()));
    let store = Embedded::new();
    let run = |arguments: &str| {
        let arguments = format!("warmup all -o json {arguments}");
        ok(command(&arguments, &definitions, &database.url(), &store.url()).run())
    };
    run("");
    database.sql("UPDATE o SET kind = 'X', updated_at = datetime('now') WHERE id <= 2");
    let report = run("--changed --changed-overlap 0s");
    let featured = of(&report, "featured");
    assert_eq!((&featured["read"], &featured["removed"]), (&"keys".into(), &0.into()));
    assert_eq!(of(&report, "sale")["warmed"], 30);
    let there = Store::File(store).dump();
    assert_eq!(there.len(), 30, "{there:#?}");
}

#[test]
fn nothing_counts_twice_where_everything_is_read_after_all() {
    let warm = Warm::new(Dialect::Sqlite);
    warm.run("").expect(0);
    let Store::File(cache) = &warm.store else { unreachable!("of SQLite") };
    let slug = cache.dump().into_keys().find(|key| key.starts_with("S:"));
    let keys = format!("warmup keys {}", slug.expect("a key"));
    let named = command(&format!("{keys} -o json"), &warm.definitions, &warm.url, &cache.url());
    let run = ok(named.run())["run_id"].as_str().expect("an id").to_owned();
    // The list of that run is evicted.
    cache.sql(&format!(
        "DELETE FROM entries WHERE CAST(key AS TEXT) LIKE 'shopwarm:keys:own/slug:{run}%'"
    ));
    warm.shop
        .database
        .sql("UPDATE t SET name = 'other', updated_at = datetime('now') WHERE id <= 8");
    let report = warm.run("--changed").expect(0).json();
    let slugs = of(&report, "slug");
    assert_eq!(slugs["read"], "full", "{slugs:#}");
    let there = warm.store.dump();
    let there = there.keys().filter(|key| key.starts_with("S:")).count();
    assert_eq!(slugs["total"], there, "{slugs:#}");
    // It is in the way once.
    let report = warm.run("--changed").expect(0).json();
    assert_eq!(of(&report, "slug")["read"], "keys");
}

/// The present second, as a number.
fn second(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "unixepoch()",
        Dialect::Postgres => "extract(epoch FROM now())",
        Dialect::MySql => "unix_timestamp()",
    }
}

#[test]
fn another_row_that_takes_the_place_of_a_key_is_seen() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres, Dialect::MySql] {
        let shop = Shop::new(dialect, 1);
        let (database, now) = (&shop.database, second(dialect));
        database.sql(&format!(
            "CREATE TABLE prices (id int PRIMARY KEY, product_id int, price int, valid_from bigint,
                 valid_to bigint, updated_at timestamp NULL);
             INSERT INTO prices VALUES (1, 1, 10, 0, {now} + 86400, '2026-01-01 00:00:00'),
                 (2, 1, 99, {now} + 86400, 99999999999, '2026-01-01 00:00:00'),
                 (3, 2, 20, 0, 99999999999, '2026-01-01 00:00:00')"
        ));
        let others =
            (4..24).map(|id| format!("({id}, {id}, 5, 0, 99999999999, '2026-01-01 00:00:00')"));
        let others = others.collect::<Vec<_>>().join(",");
        database.sql(&format!("INSERT INTO prices VALUES {others}"));
        let definition = |key: &str| {
            let sql = format!(
                "SELECT {key}, price, updated_at AS _changed_at FROM prices
                 WHERE valid_from <= {now} AND valid_to > {now}"
            );
            let strategy = strategy("price", "object", &format!("P:{{{key}}}"), &sql);
            file("own.toml", &own(&["prices"], &strategy))
        };
        let (_folder, by_product) = definition("product_id");
        let (_folder, by_row) = definition("id");
        let (store, rows) = (Embedded::new(), Embedded::new());
        let run = |definitions: &Path, cache: &Embedded, arguments: &str| {
            let arguments = format!("warmup all -o json {arguments}");
            ok(command(&arguments, definitions, &database.url(), &cache.url()).run())
        };
        run(&by_product, &store, "");
        run(&by_row, &rows, "");
        // More than a day passes.
        database
            .sql("UPDATE prices SET valid_from = valid_from - 90000, valid_to = valid_to - 90000");
        let report = run(&by_product, &store, "--changed");
        let price = of(&report, "price");
        assert_eq!(price["read"], "full", "{dialect:?} {price:#}");
        let why = price["read_why"].as_str().expect("why");
        assert!(why.contains("one row of prices"), "{why}");
        let value = &store.dump()["P:1"].value;
        assert!(value.as_str().expect("text").contains("99"), "{value}");
        // A row's own key tells it, and time decides only whether it is there.
        let report = run(&by_row, &rows, "--changed");
        let price = of(&report, "price");
        assert_eq!(
            (&price["read"], &price["removed"], &price["unchanged"]),
            (&"keys".into(), &1.into(), &21.into()),
            "{dialect:?} {price:#}"
        );
        let there = rows.dump();
        assert!(!there.contains_key("P:1") && there.contains_key("P:2"));
    }
}

/// `1` equals the texts `1` and `01` of a MariaDB column; 1 and '1' of a SQLite column without a type make
/// the same key.
#[test]
fn a_unique_column_that_a_number_does_not_tell_is_not_trusted() {
    for (dialect, table, second_row, condition) in [
        (
            Dialect::MySql,
            "CREATE TABLE labels (id int, lang varchar(5), n int, valid_from bigint,
                 updated_at timestamp NULL, PRIMARY KEY (id, lang))",
            "(1, '01', 99, ",
            "lang = 1 AND",
        ),
        (
            Dialect::Sqlite,
            "CREATE TABLE labels (id PRIMARY KEY, lang varchar(5), n int, valid_from int,
                 updated_at timestamp)",
            "('1', '1', 99, ",
            "",
        ),
    ] {
        let database = Shop::new(dialect, 1).database;
        let now = second(dialect);
        database.sql(&format!(
            "{table}; INSERT INTO labels VALUES (1, '1', 10, {now} - 9, '2026-01-01 00:00:00'),
                 {second_row} {now} + 90000, '2026-01-01 00:00:00')"
        ));
        // The newer of those that count by now.
        let sql = format!(
            "SELECT id, n, updated_at AS _changed_at FROM labels WHERE {condition}
             valid_from <= {now} AND valid_from > {now} - 86400"
        );
        let strategy = strategy("one", "object", "T:{id}", &sql);
        let (_folder, definitions) = file("own.toml", &own(&["labels"], &strategy));
        let cache = Embedded::new();
        let run = |arguments: &str| {
            let arguments = format!("warmup all -o json {arguments}");
            let run = command(&arguments, &definitions, &database.url(), &cache.url());
            ok(run.run())
        };
        run("");
        database.sql("UPDATE labels SET valid_from = valid_from - 90000");
        let report = run("--changed");
        let why = of(&report, "one")["read_why"].to_string();
        assert!(why.contains("one row of labels"), "{dialect:?} {why}");
        let value = &cache.dump()["T:1"].value;
        assert!(value.to_string().contains("99"), "{dialect:?} {value}");
    }
}

#[test]
fn of_a_view_nothing_is_known() {
    let warm = Warm::new(Dialect::Sqlite);
    warm.shop
        .database
        .sql("CREATE VIEW shown AS SELECT id, slug, name, updated_at FROM t WHERE unixepoch() > 0");
    let definition = strategy(
        "rows",
        "object",
        "R:{id}",
        "SELECT id, name, updated_at AS _changed_at FROM shown",
    );
    std::fs::write(&warm.definitions, own(&["shown", "t"], &definition)).expect("a file");
    warm.run("").expect(0);
    let why = warm.why("");
    assert!(why.contains("one row of shown"), "{why}");
}

#[test]
fn moments_of_every_kind_are_compared_safely() {
    let (_folder, path) = file(
        "own.toml",
        &own(&["m"], &strategy("m", "object", "M:{id}", "SELECT id, v, at AS _changed_at FROM m")),
    );
    for (dialect, kind, moments) in [
        (
            Dialect::Postgres,
            "timestamp",
            &[
                "now()",
                "now() AT TIME ZONE 'UTC'",
                "now() AT TIME ZONE 'America/Los_Angeles'",
                "now() AT TIME ZONE 'Etc/GMT+12'",
            ][..],
        ),
        (Dialect::Postgres, "date", &["now()"][..]),
        (
            Dialect::MySql,
            "datetime",
            &["now()", "utc_timestamp()", "convert_tz(utc_timestamp(), '+00:00', '-08:00')"],
        ),
        (Dialect::MySql, "date", &["now()"]),
        (
            Dialect::Sqlite,
            "text",
            &[
                "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
                "strftime('%Y-%m-%dT%H:%M:%S', 'now', '+9 hours') || '+09:00'",
                "datetime('now', '-11 hours') || '-11:00'",
                "NULL",
            ],
        ),
        (
            Dialect::Sqlite,
            "text",
            &[
                "strftime('%s', 'now')",
                "strftime('%s', 'now') || '123'",
                "strftime('%d.%m.%Y', 'now')",
                "date('now')",
            ],
        ),
        (Dialect::Sqlite, "timestamp", &["datetime('now')", "julianday('now')", "unixepoch()"]),
        (
            Dialect::Sqlite,
            "integer",
            // Days since 1970, and a number that is no time.
            &["unixepoch()", "unixepoch() / 86400", "7"],
        ),
    ] {
        let database = match dialect {
            Dialect::Sqlite => Sqlite::database(),
            Dialect::Postgres => Postgres::database(),
            Dialect::MySql => MariaDb::database(),
        };
        let long_ago = "'2020-01-01 00:00:00'";
        let rows: Vec<String> = (1..=40).map(|id| format!("({id}, 'v', {long_ago})")).collect();
        database.sql(&format!(
            "CREATE TABLE m (id int PRIMARY KEY, v varchar(20), at {kind}); INSERT INTO m VALUES {}",
            rows.join(",")
        ));
        let store = Embedded::new();
        let (url, cache) = (database.url(), store.url());
        let run = |arguments: &str| {
            let arguments = format!("warmup all --changed-overlap 0s -o json {arguments}");
            ok(command(&arguments, &path, &url, &cache).run())
        };
        run("");
        for (n, moment) in moments.iter().enumerate() {
            let id = n + 1;
            database.sql(&format!("UPDATE m SET v = 'new {id}', at = {moment} WHERE id = {id}"));
            let report = run("--changed");
            assert_eq!(of(&report, "m")["read"], "changed", "{kind} {moment} {report:#}");
            let value = store.dump()[&format!("M:{id}")].value.clone();
            assert!(value.as_str().expect("text").contains("new"), "{kind} {moment}: {value}");
            assert!(
                of(&report, "m")["unchanged"].as_u64() >= Some(35),
                "{kind} {moment} {report:#}"
            );
        }
    }
}
