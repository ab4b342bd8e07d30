//! Migrations in the middle of a run: whoever waits for a lock that the run holds gets it, at once
//! and whatever the cache does, and the run ends complete.

use std::path::PathBuf;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::faults::{calm, keys, until, warm};
use crate::support::http::Server;
use crate::support::servers::{Database, Dialect, MariaDb, Postgres, Redis, Sqlite};
use crate::support::shopwarm::{Finished, file, finish, send, shopwarm};
use crate::support::site::ended;

const ROWS: u64 = 10_000;

/// Bytes of a name: no buffer on the way holds all rows.
const NAME: u32 = 2000;

/// The longest that a migration takes, on machines as slow as any: two seconds are what is promised. A
/// run that lets nobody through takes longer.
const PROMPT: Duration = Duration::from_secs(15);

/// Makes a run last longer than that, also where the machine takes seconds to notice that it has begun.
const SLOW: &str = "--rate 200";

/// A table, and a strategy that reads it in one stream: in an order that it can go on in, or in none.
fn products(database: &Database, order: &str) -> (TempDir, PathBuf) {
    let (series, time) = match database.dialect() {
        Dialect::Postgres => (format!("generate_series(1, {ROWS}) n"), "timestamptz"),
        Dialect::MySql => (format!("(SELECT seq AS n FROM seq_1_to_{ROWS}) s"), "timestamp(6)"),
        Dialect::Sqlite => (format!("(SELECT value AS n FROM generate_series(1, {ROWS}))"), "text"),
    };
    let name = match database.dialect() {
        Dialect::Sqlite => format!("printf('%.*c', {NAME}, 'x')"),
        _ => format!("repeat('x', {NAME})"),
    };
    database.sql(&format!(
        "CREATE TABLE products (id integer PRIMARY KEY, name varchar({NAME}), updated_at {time});
         INSERT INTO products SELECT n, {name}, '2026-01-01 00:00:00' FROM {series}"
    ));
    if database.dialect() == Dialect::Postgres {
        database.sql("GRANT SELECT ON products TO shop");
    }
    file(
        "shop.toml",
        &format!(
            "[context]\nname = \"shop\"\nowns = [\"products\"]\n[strategies.products]
             key = \"product:{{id}}\"\nvalue = \"object\"\n{order}
             sql.any = \"SELECT p.*, updated_at AS _version FROM products p WHERE {STREAM}\"\n"
        ),
    )
}

/// With a subquery a table is not read in portions.
const STREAM: &str = "id <> (SELECT -1)";

const ORDERED: &str = "order_by = \"id\"";

/// What may keep a run from going on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cache {
    /// The run is to write slowly.
    Paced,
    /// It takes no writes.
    Paused,
    /// It answers nothing.
    Frozen,
}

/// What another session wants.
#[derive(Clone, Copy, Debug)]
enum Wish {
    /// To change the table.
    Change,
    /// To have it for itself for a moment.
    Lock,
}

impl Wish {
    fn sql(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Wish::Change, _) => "ALTER TABLE products ADD COLUMN x integer",
            (Wish::Lock, Dialect::Postgres) => {
                "BEGIN; LOCK TABLE products IN ACCESS EXCLUSIVE MODE; COMMIT"
            }
            (Wish::Lock, _) => "LOCK TABLES products WRITE; UNLOCK TABLES",
        }
    }
}

/// A session that wants the table, and one that comes after it and only reads: neither waits for long.
#[track_caller]
fn migrate(database: &Database, wish: Wish) {
    let began = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| database.sql(wish.sql(database.dialect())));
        thread::sleep(Duration::from_millis(200));
        scope.spawn(|| database.query("SELECT name FROM products LIMIT 1"));
    });
    let took = began.elapsed();
    println!("{:?} {wish:?}: {took:?}", database.dialect());
    assert!(took < PROMPT, "{took:?}");
}

/// A migration beside a run that is held up by its cache; and then the run comes to its end.
fn migration_beside_a_run(database: &Database, wish: Wish, order: &str, cache: Cache) {
    let (_dir, contexts) = products(database, order);
    let redis = Redis::start(&[]);
    let run = warm(&contexts, database.url(), redis.url());
    let child = run.args(SLOW).start();
    hold(cache, &redis);
    migrate(database, wish);
    if cache == Cache::Frozen {
        redis.resume();
    }
    redis.cli(&["CLIENT", "UNPAUSE"]);
    hurry(&child);
    let run = ends_complete(child, &redis);
    let warnings = run.strategy("shop/products")["warnings"].to_string();
    assert!(warnings.contains("paused for a migration"), "{warnings}");
    assert_eq!(warnings.contains("sent again"), order.is_empty(), "{warnings}");
}

/// Between two portions nothing is held, so that nobody is in the way of anybody.
#[test]
fn a_table_in_portions_can_be_changed_and_locked_whatever_the_cache_does() {
    thread::scope(|scope| {
        for cache in [Cache::Paced, Cache::Paused, Cache::Frozen] {
            for wish in [Wish::Change, Wish::Lock] {
                scope.spawn(move || {
                    let database = Postgres::database();
                    let (_dir, contexts) = products(&database, "");
                    let text = std::fs::read_to_string(&contexts).unwrap();
                    std::fs::write(&contexts, text.replace(STREAM, "true")).unwrap();
                    let redis = Redis::start(&[]);
                    let run = warm(&contexts, database.url(), redis.url());
                    let child = run.args(SLOW).start();
                    hold(cache, &redis);
                    migrate(&database, wish);
                    if cache == Cache::Frozen {
                        redis.resume();
                    }
                    redis.cli(&["CLIENT", "UNPAUSE"]);
                    hurry(&child);
                    let run = ends_complete(child, &redis);
                    assert!(run.strategy("shop/products")["warnings"].is_null(), "{}", run.stdout);
                });
            }
        }
    });
}

/// The pace has done what it was for; what is left may go fast.
fn hurry(child: &Child) {
    for _ in 0..6 {
        send(child, "USR2");
        thread::sleep(Duration::from_millis(50));
    }
}

fn hold(cache: Cache, redis: &Redis) {
    until("the run is under way", || keys(redis) > 300);
    match cache {
        Cache::Paced => {}
        Cache::Paused => {
            redis.cli(&["CLIENT", "PAUSE", "600000", "WRITE"]);
        }
        Cache::Frozen => redis.pause(),
    }
}

#[track_caller]
fn ends_complete(child: Child, redis: &Redis) -> Finished {
    let run = calm(finish(child)).expect(0);
    assert_eq!(run.json()["outcome"], "complete", "{}", run.stdout);
    assert_eq!(run.json()["totals"]["warmed"], ROWS, "{}", run.stdout);
    assert_eq!(keys(redis), ROWS);
    run
}

fn each_way(database: fn() -> Database, wish: Wish) {
    thread::scope(|scope| {
        for cache in [Cache::Paced, Cache::Paused, Cache::Frozen] {
            for order in ["", ORDERED] {
                scope.spawn(move || migration_beside_a_run(&database(), wish, order, cache));
            }
        }
    });
}

#[test]
fn a_migration_of_a_postgres_gets_through_whatever_the_cache_does() {
    each_way(Postgres::database, Wish::Change);
}

#[test]
fn a_migration_of_a_mariadb_gets_through_whatever_the_cache_does() {
    each_way(MariaDb::database, Wish::Change);
}

/// `LOCK TABLES` waits in another queue than a change of the table does.
#[test]
fn a_table_of_a_mariadb_can_be_locked_whatever_the_cache_does() {
    each_way(MariaDb::database, Wish::Lock);
}

#[test]
fn a_table_of_a_postgres_can_be_locked_whatever_the_cache_does() {
    each_way(Postgres::database, Wish::Lock);
}

/// `shopwarm serve` whose cache is paused, and locks of others in the middle of its runs.
#[test]
fn a_server_keeps_nobody_waiting_whatever_its_cache_does() {
    thread::scope(|scope| {
        for database in [Postgres::database, MariaDb::database] {
            for wish in [Wish::Lock, Wish::Change] {
                scope.spawn(move || migration_beside_a_server(&database(), wish));
            }
        }
    });
}

fn migration_beside_a_server(database: &Database, wish: Wish) {
    let (_dir, contexts) = products(database, ORDERED);
    let redis = Redis::start(&[]);
    let serve = shopwarm("serve --listen 127.0.0.1:0 --rate 500");
    let serve = serve.contexts(&contexts).database(database.url());
    let server = Server::start(serve.cache(redis.url()));
    let run = server.start_run("/admin/warmup/shop");
    hold(Cache::Paused, &redis);
    migrate(database, wish);
    redis.cli(&["CLIENT", "UNPAUSE"]);
    let report = ended(&server, &run);
    assert_eq!(report["outcome"], "complete", "{report:#}");
    assert_eq!(report["totals"]["warmed"], ROWS, "{report:#}");
    assert_eq!(keys(&redis), ROWS);
    let warnings = report["strategies"][0]["warnings"].to_string();
    assert!(warnings.contains("paused for a migration"), "{warnings}");
}

/// A definition that reads all of its table, and takes its time, for every few keys that are looked up
/// again.
#[test]
fn a_migration_gets_through_while_look_backs_are_slow() {
    let database = Postgres::database();
    let (_dir, contexts) = products(&database, ORDERED);
    database.sql(
        "CREATE TABLE slow (); GRANT SELECT ON slow TO shop;
         CREATE FUNCTION nap() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN
             IF EXISTS (SELECT FROM slow) THEN PERFORM pg_sleep(0.1); END IF;
             RETURN 0;
         END $$",
    );
    let text = std::fs::read_to_string(&contexts).unwrap();
    let all = "WITH p AS MATERIALIZED (SELECT p.*, nap() AS nap FROM products p) SELECT";
    std::fs::write(
        &contexts,
        text.replacen("SELECT", all, 1).replace("FROM products p W", "FROM p W"),
    )
    .unwrap();
    let redis = Redis::start(&[]);
    let run = warm(&contexts, database.url(), redis.url());
    let child = run.args(SLOW).start();
    until("the run is under way", || keys(&redis) > 100);
    database.sql("INSERT INTO slow DEFAULT VALUES");
    until("a look-back is slow", || {
        database.query(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'
             AND query LIKE '/* shopwarm shop/products */ WITH%'
             AND now() - query_start > interval '1 s'",
        ) != "0"
    });
    migrate(&database, Wish::Change);
    database.sql("DELETE FROM slow");
    hurry(&child);
    ends_complete(child, &redis);
}

/// A session that locks `table` against everybody for some seconds.
fn lock_for(database: &Database, table: &str, seconds: u32) {
    database.sql(&match database.dialect() {
        Dialect::Postgres => format!(
            "BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({seconds}); COMMIT"
        ),
        _ => format!("LOCK TABLES {table} WRITE; SELECT SLEEP({seconds}); UNLOCK TABLES"),
    });
}

/// A run that needs two tables, one of which is locked: it waits, and holds the other one meanwhile
/// for moments only.
#[test]
fn a_run_that_waits_for_a_lock_keeps_nobody_waiting() {
    thread::scope(|scope| {
        for database in [Postgres::database(), MariaDb::database()] {
            scope.spawn(move || {
                let (_dir, contexts) = products(&database, "");
                database
                    .sql("CREATE TABLE prices AS SELECT id AS product, 1 AS price FROM products");
                if database.dialect() == Dialect::Postgres {
                    database.sql("GRANT SELECT ON prices TO shop");
                }
                let text = std::fs::read_to_string(&contexts).unwrap();
                let text = text.replace("[\"products\"]", "[\"products\", \"prices\"]").replace(
                    "FROM products p",
                    "FROM products p LEFT JOIN prices q ON q.product < 0",
                );
                std::fs::write(&contexts, text).unwrap();
                let redis = Redis::start(&[]);
                thread::scope(|scope| {
                    scope.spawn(|| lock_for(&database, "prices", 20));
                    thread::sleep(Duration::from_secs(1));
                    let child = warm(&contexts, database.url(), redis.url()).start();
                    thread::sleep(Duration::from_secs(2));
                    migrate(&database, Wish::Change);
                    assert_eq!(keys(&redis), 0, "it did not wait");
                    ends_complete(child, &redis);
                });
            });
        }
    });
}

/// A full cache ends a run; until then and after it nobody waits for it.
#[test]
fn a_migration_gets_through_while_the_cache_is_full() {
    for database in [Postgres::database(), MariaDb::database()] {
        let (_dir, contexts) = products(&database, "");
        let redis = Redis::start(&[]);
        let run = warm(&contexts, database.url(), redis.url());
        let child = run.args(SLOW).start();
        until("the run is under way", || keys(&redis) > 300);
        redis.cli(&["CONFIG", "SET", "maxmemory", "1mb"]);
        migrate(&database, Wish::Change);
        calm(finish(child)).expect(3);
    }
}

/// Without a write-ahead log a writer of a file waits until nobody reads it.
#[test]
fn a_writer_of_a_sqlite_file_gets_in_while_the_cache_is_paused() {
    let database = Sqlite::database();
    let (_dir, contexts) = products(&database, "");
    let redis = Redis::start(&[]);
    let run = warm(&contexts, database.url(), redis.url());
    let child = run.args("--rate 1k").start();
    hold(Cache::Paused, &redis);
    let began = Instant::now();
    // It waits for ten seconds at most.
    database.sql("UPDATE products SET name = 'another' WHERE id = 1");
    println!("{:?}", began.elapsed());
    redis.cli(&["CLIENT", "UNPAUSE"]);
    let run = ends_complete(child, &redis);
    let warnings = run.strategy("shop/products")["warnings"].to_string();
    assert!(!warnings.contains("sent again"), "{warnings}");
}

/// A run looks back and reads with as few sessions as it is given.
#[test]
fn one_session_or_two_are_enough() {
    thread::scope(|scope| {
        for sessions in [1, 2] {
            for order in ["", ORDERED] {
                scope.spawn(move || few_sessions(&Postgres::database(), sessions, order));
                scope.spawn(move || {
                    let server = MariaDb::private(&[]);
                    few_sessions(&server.new_database(), sessions, order);
                });
            }
        }
    });
}

fn few_sessions(database: &Database, sessions: u32, order: &str) {
    let (_dir, contexts) = products(database, order);
    database.sql(&match database.dialect() {
        Dialect::Postgres => {
            format!("ALTER DATABASE {} CONNECTION LIMIT {sessions}", database.name())
        }
        _ => format!("ALTER USER shop WITH MAX_USER_CONNECTIONS {sessions}"),
    });
    let redis = Redis::start(&[]);
    let child = warm(&contexts, database.url(), redis.url()).start();
    let run = ends_complete(child, &redis);
    let products = run.strategy("shop/products");
    assert_eq!(products["protected"], true, "{products:#}");
}
