//! PgBouncer in front of the database, with the defaults of its package: runs work, and the shop,
//! which shares the pooler's sessions, never notices them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::faults::{calm, count, some_cache, warm};
use crate::support::servers::{Database, PgBouncer, Postgres, Redis};
use crate::support::shopwarm::{Finished, file, finish, shopwarm};

const ROWS: u64 = 6_000;

/// Rows that no buffer on the way holds all.
const MANY: u64 = 20_000;
const LONG: u32 = 600;

fn products() -> (Database, TempDir, PathBuf) {
    products_of(ROWS, 1)
}

/// Rows with a version, an enumeration and an array of it, which the driver asks the server about.
fn products_of(rows: u64, length: u32) -> (Database, TempDir, PathBuf) {
    let database = Postgres::database();
    database.sql(&format!(
        "CREATE TYPE colour AS ENUM ('red', 'green');
         CREATE TABLE products (id int PRIMARY KEY, name text NOT NULL, colour colour NOT NULL,
             colours colour[] NOT NULL, updated_at timestamptz(6) NOT NULL);
         INSERT INTO products SELECT g, repeat('n', {length}) || g, 'red', '{{green,red}}', now()
             FROM generate_series(1, {rows}) g;
         GRANT ALL ON products TO shop"
    ));
    let (dir, contexts) = file(
        "pooled.toml",
        "[context]
         name = \"pooled\"
         owns = [\"products\"]
         [strategies.products]
         key = \"product:{id}\"
         value = \"object\"
         sql.any = \"SELECT id, name, colour, colours, updated_at AS _version FROM products\"",
    );
    (database, dir, contexts)
}

/// A run through the pooler whose keys are all in the cache.
#[track_caller]
fn is_whole(run: Finished) {
    is_whole_of(run, ROWS);
}

#[track_caller]
fn is_whole_of(run: Finished, rows: u64) -> Value {
    let run = calm(run).expect(0);
    let report = run.json();
    assert_eq!(report["outcome"], "complete", "{report:#}");
    let totals = &report["totals"];
    let known = count(totals, "warmed") + count(totals, "skipped");
    assert_eq!(known, rows, "{report:#}");
    report
}

/// Each of the pooler's sessions has the shop's own settings and nothing prepared, and is not read-only.
#[track_caller]
fn nothing_is_left(pooler: &PgBouncer, database: &Database, fresh: &[String]) {
    assert_eq!(found(pooler, database, fresh.len()), fresh);
    let insert = "INSERT INTO products VALUES (-pg_backend_pid(), 'new', 'red', '{}', now());
                  DELETE FROM products WHERE id < 0; SELECT pg_backend_pid()";
    pooler.shop_holds(database, fresh.len(), insert, |said| {
        let sessions: HashSet<String> = said.into_iter().collect();
        assert_eq!(sessions.len(), fresh.len(), "not each session was looked at");
    });
}

/// Every setting of the shop's sessions, of which its client names only a few itself, and what is
/// prepared there.
fn found(pooler: &PgBouncer, database: &Database, sessions: usize) -> Vec<String> {
    let all = "SELECT name, setting FROM pg_settings ORDER BY name;
               SELECT name, statement FROM pg_prepared_statements";
    pooler.shop_holds(database, sessions, all, |said| said)
}

fn through(pooler: &PgBouncer, database: &Database, contexts: &Path, redis: &Redis) -> Finished {
    let run = warm(contexts, database.url_via(pooler.port()), redis.url());
    run.run()
}

#[test]
fn runs_through_a_pooler_leave_nothing_behind() {
    let (database, _dir, contexts) = products();
    for (mode, size) in [("transaction", 2), ("session", 4)] {
        let settings_of = format!("pool_mode = {mode}\ndefault_pool_size = {size}");
        let pooler = PgBouncer::start(&database, &settings_of);
        let fresh = found(&pooler, &database, size);
        let redis = Redis::start(&[]);
        for _ in 0..2 {
            is_whole(through(&pooler, &database, &contexts, &redis));
            nothing_is_left(&pooler, &database, &fresh);
        }
        // What else asks the database something.
        for command in [
            "verify context pooled",
            "dry-run context pooled",
            "warmup context pooled --changed",
            "warmup keys product:1 product:2",
            "keys list",
            "keys get product:1",
            "strategies",
            "doctor",
        ] {
            let run = shopwarm(command).contexts(&contexts).cache(redis.url());
            let run = run.database(database.url_via(pooler.port())).run();
            assert!(!run.stderr.contains("panicked"), "{command}: {}", run.stderr);
            nothing_is_left(&pooler, &database, &fresh);
        }
    }
}

/// The pooler lets whoever comes second wait, without a word.
#[test]
fn one_session_of_a_pool_is_enough() {
    thread::scope(|scope| {
        for mode in ["transaction", "session"] {
            scope.spawn(move || {
                let (database, _dir, contexts) = products_of(MANY, LONG);
                let settings = format!("pool_mode = {mode}\ndefault_pool_size = 1");
                let pooler = PgBouncer::start(&database, &settings);
                let redis = Redis::start(&[]);
                let run = through(&pooler, &database, &contexts, &redis);
                let report = is_whole_of(run, MANY);
                assert_eq!(report["strategies"][0]["protected"], true, "{report:#}");
            });
        }
    });
}

#[test]
fn a_slow_query_in_the_only_session_of_a_pool_is_not_lost() {
    let (database, _dir, _) = products();
    database.sql(
        "CREATE FUNCTION nap() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN
             PERFORM pg_sleep(13); RETURN 0; END $$",
    );
    let (_slow_dir, contexts) = file(
        "slow.toml",
        "[context]
         name = \"slow\"
         owns = [\"products\"]
         [strategies.one]
         key = \"one:{id}\"
         value = \"object\"
         sql.any = \"WITH s AS MATERIALIZED (SELECT nap()) SELECT id FROM products, s\"",
    );
    let settings = "pool_mode = transaction\ndefault_pool_size = 1";
    let pooler = PgBouncer::start(&database, settings);
    let (_cache_dir, cache) = some_cache();
    let run = warm(&contexts, database.url_via(pooler.port()), cache).run();
    let report = is_whole_of(run, ROWS);
    let warnings = &report["strategies"][0]["warnings"];
    assert!(!warnings.to_string().contains("sent again"), "{warnings}");
}

#[test]
fn a_pool_whose_sessions_others_use_is_named() {
    let (database, _dir, contexts) = products();
    let settings = "pool_mode = session\ndefault_pool_size = 1";
    let pooler = PgBouncer::start(&database, settings);
    let (_cache_dir, cache) = some_cache();
    let run = pooler.shop_holds(&database, 1, "SELECT 1", |_| {
        warm(&contexts, database.url_via(pooler.port()), cache).run()
    });
    let run = calm(run).expect(5);
    for word in ["a pooler", "default_pool_size"] {
        assert!(run.stderr.contains(word), "no {word:?} in\n{}", run.stderr);
    }
}

#[test]
fn two_runs_share_a_pooler() {
    let (database, _dir, contexts) = products();
    for mode in ["transaction", "session"] {
        let settings = format!("pool_mode = {mode}\ndefault_pool_size = 8");
        let pooler = PgBouncer::start(&database, &settings);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let redis = Redis::start(&[]);
                    is_whole(through(&pooler, &database, &contexts, &redis));
                });
            }
        });
    }
}

/// A run that is killed in the middle of its transaction, and one that fails.
#[test]
fn a_run_that_breaks_off_leaves_nothing_behind() {
    let (database, _dir, contexts) = products();
    let settings_of = "pool_mode = transaction\ndefault_pool_size = 2";
    let pooler = PgBouncer::start(&database, settings_of);
    let fresh = found(&pooler, &database, 2);
    let (_odd_dir, odd) = file(
        "odd.toml",
        "[context]
         name = \"odd\"
         owns = [\"products\"]
         [strategies.fails]
         key = \"odd:{id}\"
         value = \"object\"
         sql.any = \"SELECT id, 1 / (id - 5000) AS n FROM products\"",
    );
    let redis = Redis::start(&[]);
    calm(through(&pooler, &database, &odd, &redis)).expect(3);
    nothing_is_left(&pooler, &database, &fresh);

    let run = warm(&contexts, database.url_via(pooler.port()), redis.url());
    let mut child = run.args("--rate 100").start();
    crate::support::faults::until("it reads", || {
        let reads = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'
                     AND datname = current_database()";
        database.query(reads) == "1"
    });
    child.kill().unwrap();
    finish(child);
    nothing_is_left(&pooler, &database, &fresh);
}

#[test]
fn a_pooler_in_statement_mode_is_refused_at_once() {
    let (database, _dir, contexts) = products();
    let pooler = PgBouncer::start(&database, "pool_mode = statement");
    let (_cache_dir, cache) = some_cache();
    let run = warm(&contexts, database.url_via(pooler.port()), cache);
    let run = calm(run.args("--wait 10m").run()).expect(4);
    for word in ["statement pooling mode", "pool_mode = transaction or session"] {
        assert!(run.stderr.contains(word), "no {word:?} in\n{}", run.stderr);
    }
}

/// Only PGOPTIONS makes the driver send a parameter that PgBouncer does not know.
#[test]
fn a_parameter_that_the_pooler_refuses_is_named() {
    let (database, _dir, contexts) = products();
    let run = |pooler: &PgBouncer, cache: &str| {
        let run = warm(&contexts, database.url_via(pooler.port()), cache);
        let run = run.env("PGOPTIONS", "-c search_path=public");
        calm(run.args("--wait 10m").run())
    };
    let (_cache_dir, cache) = some_cache();
    let pooler = PgBouncer::start(&database, "pool_mode = transaction");
    let refused = run(&pooler, &cache).expect(4);
    for word in ["unsupported startup parameter: options", "ignore_startup_parameters = options"] {
        assert!(refused.stderr.contains(word), "no {word:?} in\n{}", refused.stderr);
    }
    let ignoring = "pool_mode = transaction\nignore_startup_parameters = options";
    let pooler = PgBouncer::start(&database, ignoring);
    is_whole(run(&pooler, &cache));
}

#[test]
fn doctor_names_a_pooler() {
    let (database, _dir, contexts) = products();
    let (_cache_dir, cache) = some_cache();
    let said = |url: String| {
        let doctor = shopwarm("doctor -o json").contexts(&contexts).database(url);
        doctor.cache(&cache).run().stdout
    };
    assert!(!said(database.url()).contains("pooler"));
    for (settings, mode) in [
        ("pool_mode = transaction", "in transaction mode"),
        ("pool_mode = session", "in session mode"),
        ("pool_mode = transaction\nignore_startup_parameters = options", "in transaction mode"),
    ] {
        let pooler = PgBouncer::start(&database, settings);
        let said = said(database.url_via(pooler.port()));
        assert!(said.contains("a pooler such as PgBouncer"), "{settings}: {said}");
        assert!(said.contains(mode), "{settings}: {said}");
    }
}
