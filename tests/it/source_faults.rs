//! The database and what goes wrong with it: what a slow cache does not cost, streams that go on
//! or begin anew, limits that are kept, sessions that are not to be had.

use std::io::Read;
use std::path::PathBuf;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::faults::{
    PAD, bulk, calm, comes_through, count, end_session, is_incomplete, keys, odd, proxied,
    some_cache, start_and_hold, statuses, true_counts, until, warm,
};
use crate::support::proxy::FaultProxy;
use crate::support::servers::{Database, Dialect, MariaDb, Postgres, Redis, Sqlite};
use crate::support::shopwarm::{Finished, Shopwarm, file, finish};

/// What a run says in its report where it had to begin a strategy anew.
#[track_caller]
fn warnings(run: &Finished, id: &str) -> String {
    match &run.strategy(id)["warnings"] {
        serde_json::Value::Null => "[]".to_owned(),
        warnings => warnings.to_string(),
    }
}

// ── a slow cache ──────────────────────────────────────────────────────────────────────────────

/// Redis takes no writes for longer than any limit of the databases, theirs and ours.
#[test]
fn no_query_is_lost_while_the_cache_is_slow() {
    let (_dir, contexts) = bulk(&[60_000, 100]);
    let postgres = Postgres::private(&[
        "-c",
        "statement_timeout=1s",
        "-c",
        "idle_in_transaction_session_timeout=1s",
    ]);
    let mariadb = MariaDb::private(&["--net-write-timeout=1", "--max-statement-time=1"]);
    let databases = [postgres.new_database(), mariadb.new_database(), Sqlite::database()];
    thread::scope(|scope| {
        for database in &databases {
            let contexts = contexts.as_path();
            scope.spawn(move || {
                let redis = Redis::start(&[]);
                let (proxy, url) = proxied(&redis);
                let run = warm(contexts, database.url(), url).args("--statement-timeout 1s");
                let child = start_and_hold(run, &proxy, &redis);
                redis.cli(&["CLIENT", "PAUSE", "4000", "WRITE"]);
                proxy.flow();
                let run = calm(finish(child)).expect(0);
                assert_eq!(count(&run.json()["totals"], "warmed"), 60_100);
                assert_eq!(warnings(&run, "bulk/first"), "[]");
                true_counts(&run, &redis);
            });
        }
    });
}

/// What a server is busy with for the run, but for what it was asked last.
fn queries(database: &Database) -> String {
    match database.dialect() {
        Dialect::Postgres => database.query(&format!(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = '{}' AND application_name = 'shopwarm' AND state = 'active'",
            database.name()
        )),
        _ => database.query(&format!(
            "SELECT count(*) FROM information_schema.processlist
             WHERE db = '{}' AND user = 'shop' AND command <> 'Sleep'",
            database.name()
        )),
    }
}

/// A query that gives no row for minutes.
const ENDLESS: [&str; 2] = [
    "SELECT count(*) AS id FROM generate_series(1, 100000) a, generate_series(1, 100000) b",
    "WITH RECURSIVE s AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM s WHERE i < 900) \
     SELECT count(*) AS id FROM s a, s b, s c, s d WHERE a.i + b.i <> c.i + d.i",
];

#[test]
fn a_query_that_nobody_waits_for_any_more_ends_at_the_server() {
    let databases = [Postgres::database(), MariaDb::database()];
    thread::scope(|scope| {
        for (database, sql) in databases.iter().zip(ENDLESS) {
            scope.spawn(move || {
                let (_dir, contexts) = odd(sql);
                let (_cache_dir, cache) = some_cache();
                for (limit, signal, code) in [("500ms", None, 3), ("5m", Some("TERM"), 143)] {
                    let run = warm(&contexts, database.url(), &cache);
                    let child = run.args("--statement-timeout").arg(limit).start();
                    if let Some(signal) = signal {
                        until("the query runs", || queries(database) == "1");
                        let id = child.id().to_string();
                        let kill = std::process::Command::new("kill");
                        let mut kill = kill;
                        assert!(kill.args(["-s", signal, &id]).status().unwrap().success());
                    }
                    calm(finish(child)).expect(code);
                    until("the query has ended", || queries(database) == "0");
                }
            });
        }
    });
}

#[test]
fn a_query_that_an_administrator_cancels_is_not_asked_again() {
    let databases = [Postgres::database(), MariaDb::database()];
    thread::scope(|scope| {
        for (database, sql) in databases.iter().zip(ENDLESS) {
            scope.spawn(move || {
                let (_dir, contexts) = odd(sql);
                let (_cache_dir, cache) = some_cache();
                let mut child = warm(&contexts, database.url(), cache).start();
                until("the query runs", || queries(database) == "1");
                // Over and over: there are moments before the query that counts.
                let cancel = match database.dialect() {
                    Dialect::Postgres => format!(
                        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
                         WHERE datname = '{}' AND application_name = 'shopwarm'",
                        database.name()
                    ),
                    _ => {
                        let ids = database.query(&format!(
                            "SELECT id FROM information_schema.processlist
                             WHERE db = '{}' AND user = 'shop'",
                            database.name()
                        ));
                        let kills = ids.lines().map(|id| format!("KILL QUERY {id};"));
                        kills.collect::<String>()
                    }
                };
                until("the query is cancelled", || {
                    if child.try_wait().expect("a process").is_some() {
                        return true;
                    }
                    database.sql(&cancel);
                    database.dialect() != Dialect::Postgres && queries(database) == "0"
                });
                let run = calm(finish(child)).expect(3);
                is_incomplete(&run);
                let error = run.strategy("odd/one")["error"].to_string();
                assert!(error.contains("refused the query"), "{error}");
                assert_eq!(warnings(&run, "odd/one"), "[]");
            });
        }
    });
}

// ── a stream that is lost ─────────────────────────────────────────────────────────────────────

/// A table whose order has ties, NULLs, mixed directions, and texts that its collation takes for
/// one; and a strategy that reads it in that order.
fn ordered(database: &Database, rows: u32, limit: u32) -> (TempDir, PathBuf) {
    let key = "n + 0";
    let (series, text, decimal) = match database.dialect() {
        Dialect::Postgres => {
            (format!("generate_series(1, {rows}) n"), "text", "(n % 11)::numeric / 3")
        }
        _ => (format!("(SELECT seq AS n FROM seq_1_to_{rows}) s"), "varchar(20)", "n % 11 / 3"),
    };
    database.sql(&format!(
        "CREATE TABLE t (id bigint PRIMARY KEY, name {text}, price decimal(20, 6), grade int);
         INSERT INTO t SELECT {key}, CASE n % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'A' ELSE 'b' END,
         {decimal}, CASE WHEN n % 5 = 0 THEN NULL ELSE n % 5 END FROM {series}"
    ));
    if database.dialect() == Dialect::Postgres {
        database.sql("GRANT SELECT ON t TO shop");
    }
    let nulls = match database.dialect() {
        Dialect::Postgres => "NULLS LAST",
        _ => "",
    };
    let sql = match database.dialect() {
        Dialect::Postgres => format!("repeat('x', {PAD})"),
        _ => format!("REPEAT('x', {PAD})"),
    };
    file(
        "bulk.toml",
        &format!(
            "[context]\nname = \"bulk\"\nowns = [\"t\"]\n[strategies.first]
             key = \"first:{{id}}\"\nvalue = \"object\"\nlimit = {limit}
             order_by = \"_grade DESC {nulls}, _name, _price DESC, id\"
             sql.any = \"SELECT id, {sql} AS pad, grade AS _grade, name AS _name, price AS _price FROM t\"\n"
        ),
    )
}

#[test]
fn a_stream_goes_on_at_its_last_row_where_it_has_an_order() {
    let databases = [Postgres::database(), MariaDb::database()];
    thread::scope(|scope| {
        for database in &databases {
            scope.spawn(move || {
                let (_dir, contexts) = ordered(database, 60_000, 50_000);
                let redis = Redis::start(&[]);
                let (proxy, url) = proxied(&redis);
                let network = FaultProxy::to(database.port());
                let run = warm(&contexts, database.url_via(network.port()), url);
                let child = start_and_hold(run, &proxy, &redis);
                // By its end at the server, and by the network, where that comes later.
                network.cut_after_to_client(5_000_000);
                end_session(database);
                proxy.flow();
                let run = calm(finish(child)).expect(0);
                let first = run.strategy("bulk/first");
                assert_eq!(count(&first, "warmed"), 50_000, "{first:#}");
                assert_eq!(warnings(&run, "bulk/first"), "[]");
                true_counts(&run, &redis);
                assert!(network.accepted() >= 2, "it was not lost");
                // The very rows that one query would have given.
                let order = match database.dialect() {
                    Dialect::Postgres => "grade DESC NULLS LAST, name, price DESC, id",
                    _ => "grade DESC, name, price DESC, id",
                };
                let left_out = database
                    .query(&format!("SELECT id FROM t ORDER BY {order} LIMIT 10000 OFFSET 50000"));
                let left_out: Vec<String> =
                    left_out.lines().map(|id| format!("first:{id}")).collect();
                assert_eq!(left_out.len(), 10_000);
                for keys in left_out.chunks(1000) {
                    let mut exists = vec!["EXISTS"];
                    exists.extend(keys.iter().map(String::as_str));
                    assert_eq!(redis.cli(&exists), "0");
                }
            });
        }
    });
}

/// What a run that has ended printed.
fn said(child: &mut Child) -> String {
    let mut text = String::new();
    let pipes: [Option<Box<dyn Read>>; 2] = [
        child.stdout.take().map(|pipe| Box::new(pipe) as _),
        child.stderr.take().map(|pipe| Box::new(pipe) as _),
    ];
    for mut pipe in pipes.into_iter().flatten() {
        pipe.read_to_string(&mut text).expect("text");
    }
    text
}

/// Lets a run that is held go on, and holds it again with another session.
fn hold_again(child: &mut Child, proxy: &FaultProxy, database: &Database) {
    let session = || {
        database.query(&format!(
            "SELECT min(pid) FROM pg_stat_activity
             WHERE datname = '{}' AND application_name = 'shopwarm'",
            database.name()
        ))
    };
    let former = session();
    end_session(database);
    // More than the former session has left in any buffer, and less than all.
    proxy.stall_after_to_server(20_000_000);
    proxy.flow();
    until("there is another session", || {
        let now = session();
        !now.is_empty() && now != former
    });
    until("the run is held again", || {
        let ended = child.try_wait().expect("a process");
        assert_eq!(ended, None, "{}", said(child));
        proxy.is_stalled()
    });
}

#[test]
fn a_stream_without_an_order_begins_anew_once() {
    let (_dir, contexts) = bulk(&[150_000, 100]);
    let (database, redis) = (Postgres::database(), Redis::start(&[]));
    let (proxy, url) = proxied(&redis);
    let mut child = start_and_hold(warm(&contexts, database.url(), url), &proxy, &redis);
    hold_again(&mut child, &proxy, &database);
    end_session(&database);
    proxy.flow();
    let run = calm(finish(child)).expect(3);
    is_incomplete(&run);
    assert_eq!(statuses(&run), ["failed", "completed"]);
    let first = run.strategy("bulk/first");
    assert!(first["error"].to_string().contains("lost the database"));
    assert!(count(&first, "total") < 150_000);
    true_counts(&run, &redis);
    assert_eq!(count(&run.strategy("bulk/second"), "warmed"), 100);
}

/// An import that empties the table first, and a session that ends with it.
#[test]
fn a_stream_that_begins_anew_may_have_no_rows() {
    let text = format!(
        "[context]\nname = \"bulk\"\nowns = [\"t\"]\n[strategies.first]\nkey = \"first:{{id}}\"
         value = \"object\"\nsql.any = \"SELECT id, repeat('x', {PAD}) AS pad FROM t\"\n"
    );
    let (_dir, contexts) = file("bulk.toml", &text);
    let (database, redis) = (Postgres::database(), Redis::start(&[]));
    database.sql("CREATE TABLE t AS SELECT id FROM generate_series(1, 60000) id");
    database.sql("GRANT SELECT ON t TO shop");
    let (proxy, url) = proxied(&redis);
    let child = start_and_hold(warm(&contexts, database.url(), url), &proxy, &redis);
    end_session(&database);
    until("the table is empty", || {
        database.sql("TRUNCATE t");
        database.query("SELECT count(*) FROM t") == "0"
    });
    proxy.flow();
    let run = calm(finish(child)).expect(3);
    assert_eq!(statuses(&run), ["failed"]);
    let error = run.strategy("bulk/first")["error"].to_string();
    assert!(error.contains("min_keys"), "{error}");
}

#[test]
fn keys_that_had_been_stored_before_are_skipped_where_only_missing_ones_are_written() {
    let (_dir, contexts) = bulk(&[60_000]);
    let (database, redis) = (Postgres::database(), Redis::start(&[]));
    let (proxy, url) = proxied(&redis);
    let run = warm(&contexts, database.url(), url).args("--mode only-missing");
    let child = start_and_hold(run, &proxy, &redis);
    end_session(&database);
    proxy.flow();
    let run = calm(finish(child)).expect(0);
    let first = run.strategy("bulk/first");
    assert_eq!(count(&first, "total"), 60_000);
    assert!(count(&first, "skipped") > 1000 && count(&first, "warmed") > 1000);
    let said = warnings(&run, "bulk/first");
    assert!(said.contains("count as skipped"), "{said}");
    assert_eq!(keys(&redis), 60_000);
}

#[test]
fn a_run_comes_through_a_restart_of_the_database() {
    let (_dir, contexts) = bulk(&[60_000, 100]);
    let (postgres, mariadb) = (Postgres::private(&[]), MariaDb::private(&[]));
    let databases = [postgres.new_database(), mariadb.new_database()];
    let servers: [&crate::support::servers::Server; 2] = [&postgres, &mariadb];
    thread::scope(|scope| {
        for (database, server) in databases.iter().zip(servers) {
            let contexts = contexts.as_path();
            scope.spawn(move || {
                let redis = Redis::start(&[]);
                let (proxy, url) = proxied(&redis);
                let child = start_and_hold(warm(contexts, database.url(), url), &proxy, &redis);
                server.stop();
                proxy.flow();
                server.restart();
                comes_through(child, &redis, 60_100);
            });
        }
    });
}

// ── a cache that is replaced ──────────────────────────────────────────────────────────────────

/// The same as [`start_and_hold`], where the first strategy of 3,000 rows is through.
fn start_and_hold_in_the_second(run: Shopwarm, proxy: &FaultProxy, redis: &Redis) -> Child {
    proxy.stall_after_to_server(5000 * (PAD + 80));
    let child = run.start();
    until("the run is held", || proxy.is_stalled());
    until("the second is under way", || keys(redis) > 4000);
    child
}

#[test]
fn what_went_with_a_former_cache_is_sent_again() {
    let (_dir, contexts) = bulk(&[3000, 20_000, 100]);
    let (database, redis) = (Sqlite::database(), Redis::start(&[]));
    let (proxy, url) = proxied(&redis);
    let run = warm(&contexts, database.url(), url).arg("--no-lock");
    let child = start_and_hold_in_the_second(run, &proxy, &redis);
    redis.kill();
    redis.restart();
    proxy.flow();
    let run = calm(finish(child)).expect(0);
    assert_eq!(statuses(&run), ["completed", "completed", "completed"]);
    for (id, rows, again) in
        [("first", 3000, true), ("second", 20_000, true), ("third", 100, false)]
    {
        let id = format!("bulk/{id}");
        assert_eq!(count(&run.strategy(&id), "warmed"), rows);
        let said = warnings(&run, &id).contains("restarted or replaced");
        assert_eq!(said, again, "{id}");
    }
    true_counts(&run, &redis);
    assert_eq!(keys(&redis), 23_100);
}

#[test]
fn what_went_with_a_former_cache_is_unknown_where_the_run_is_stopped() {
    let (_dir, contexts) = bulk(&[3000, 60_000]);
    let (database, redis) = (Sqlite::database(), Redis::start(&[]));
    let (proxy, url) = proxied(&redis);
    let run = warm(&contexts, database.url(), url).arg("--no-lock");
    let child = start_and_hold_in_the_second(run, &proxy, &redis);
    redis.kill();
    redis.restart();
    redis.cli(&["CLIENT", "PAUSE", "600000", "WRITE"]);
    crate::support::shopwarm::send(&child, "INT");
    proxy.flow();
    let run = calm(finish(child)).expect(130);
    let first = run.strategy("bulk/first");
    assert_eq!(count(&first, "warmed"), 0, "{first:#}");
    assert_eq!(count(&first, "unknown"), 3000, "{first:#}");
}

// ── sessions ──────────────────────────────────────────────────────────────────────────────────

/// How many sessions of the run are at work, or in the middle of something.
fn sessions(database: &Database) -> u32 {
    let count = database.query(&match database.dialect() {
        Dialect::Postgres => format!(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = '{}' AND application_name = 'shopwarm' AND state <> 'idle'",
            database.name()
        ),
        _ => format!(
            "SELECT count(*) FROM information_schema.processlist
             WHERE db = '{}' AND user = 'shop' AND command <> 'Sleep'",
            database.name()
        ),
    });
    count.parse().unwrap()
}

#[test]
fn queries_are_opened_ahead_and_never_more_than_asked_for() {
    // What has been sent is a session at rest: more than the buffers of a connection may grow to.
    let (_dir, contexts) = bulk(&[40_000, 40_000, 1000]);
    for database in [Postgres::database(), MariaDb::database()] {
        for n in [1, 2] {
            let redis = Redis::start(&[]);
            until("the run before is gone", || sessions(&database) == 0);
            // Nothing is written, so the first strategy stays at work.
            redis.cli(&["CLIENT", "PAUSE", "600000", "WRITE"]);
            let run = warm(&contexts, database.url(), redis.url());
            let run = run.arg("--no-lock").arg("--db-concurrency");
            let child = run.arg(n.to_string()).start();
            until("they are open", || sessions(&database) >= n);
            let mut too_many = 0;
            for _ in 0..30 {
                thread::sleep(Duration::from_millis(50));
                // One more looks whether somebody waits for them. The server counts a session for a
                // moment after it was closed.
                let open = sessions(&database);
                too_many = if open > n + 1 { too_many + 1 } else { 0 };
                assert!(too_many < 4, "{open} sessions");
            }
            until("they are still open", || sessions(&database) >= n);
            redis.cli(&["CLIENT", "UNPAUSE"]);
            comes_through(child, &redis, 81_000);
        }
    }
}

#[test]
fn a_server_without_connections_for_more_is_read_one_after_another() {
    let (_dir, contexts) = bulk(&[20_000, 10_000, 5000]);
    let (postgres, mariadb) = (Postgres::database(), MariaDb::private(&[]));
    let mariadb = mariadb.new_database();
    postgres.sql(&format!("ALTER DATABASE {} CONNECTION LIMIT 1", postgres.name()));
    mariadb.sql("ALTER USER shop WITH MAX_USER_CONNECTIONS 1");
    for database in [&postgres, &mariadb] {
        let redis = Redis::start(&[]);
        let run = warm(&contexts, database.url(), redis.url());
        let child = run.args("--db-concurrency 3").start();
        comes_through(child, &redis, 35_000);
    }
}

#[test]
fn a_server_without_any_connection_left_is_named() {
    let (_dir, contexts) = bulk(&[1]);
    let (_cache_dir, cache) = some_cache();
    let postgres = Postgres::database();
    postgres.sql(&format!("ALTER DATABASE {} CONNECTION LIMIT 0", postgres.name()));
    let mariadb = MariaDb::private(&["--max-connections=10"]);
    let limited = mariadb.new_database();
    limited.sql("ALTER USER shop WITH MAX_USER_CONNECTIONS 1");
    let url = limited.url();
    let (_slow, endless) = odd(ENDLESS[1]);
    let mut holder = warm(&endless, &url, &cache).start();
    until("there is a session", || queries(&limited) == "1");
    for url in [postgres.url(), url] {
        let asked = Instant::now();
        let run = calm(warm(&contexts, url, &cache).run()).expect(5);
        assert!(run.stderr.contains("connection"), "{}", run.stderr);
        assert!(run.stderr.contains("no free connection"), "{}", run.stderr);
        assert!(asked.elapsed() < Duration::from_mins(1));
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
}

#[test]
fn a_file_that_another_program_has_locked_is_waited_for_a_little() {
    let (_dir, contexts) = bulk(&[100]);
    let (_cache_dir, cache) = some_cache();
    let database = Sqlite::database();
    database.sql("CREATE TABLE t (id INTEGER)");
    // It lets go when its input ends.
    let mut locker = std::process::Command::new("sqlite3")
        .arg(database.name())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = locker.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"BEGIN EXCLUSIVE; SELECT 'locked';\n").unwrap();
    let mut said = [0; 6];
    std::io::Read::read_exact(locker.stdout.as_mut().unwrap(), &mut said).unwrap();
    let run = calm(warm(&contexts, database.url(), &cache).run()).expect(5);
    assert!(run.stderr.contains("locked"), "{}", run.stderr);
    let child = warm(&contexts, database.url(), &cache).start();
    thread::sleep(Duration::from_secs(1));
    drop(input);
    locker.wait().unwrap();
    let run = calm(finish(child)).expect(0);
    assert_eq!(count(&run.json()["totals"], "warmed"), 100);
}
