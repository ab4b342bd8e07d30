//! What can break, broken: the right exit code, one screen that says what failed, why and what to
//! do next, a report whose counts are true; no secret, no panic, no driver's dump.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::faults::{
    bulk, calm, comes_through, count, end_session, is_incomplete, keys, odd, proxied, some_cache,
    start_and_hold, statuses, sums, true_counts, until, warm,
};
use crate::support::proxy::FaultProxy;
use crate::support::servers::{
    Database, Dialect, MariaDb, PATIENCE, Postgres, Redis, Sqlite, free_port,
};
use crate::support::shop::DIALECTS;
use crate::support::shopwarm::{Finished, Shopwarm, file, finish, shopwarm};

/// A run that could not begin: one error on stderr with these words in it, and a hint.
#[track_caller]
fn refused(run: Shopwarm, code: i32, words: &[&str]) -> Finished {
    let run = calm(run.run()).expect(code);
    // What is wrong with a definition may need no hint.
    let hint = if code == 4 { "error: " } else { "  hint: " };
    for word in ["error: ", hint].iter().chain(words) {
        assert!(run.stderr.contains(word), "no {word:?} in\n{}", run.stderr);
    }
    run
}

fn new_database(dialect: Dialect) -> Database {
    match dialect {
        Dialect::Postgres => Postgres::database(),
        Dialect::MySql => MariaDb::database(),
        Dialect::Sqlite => Sqlite::database(),
    }
}

// ── before the first key ──────────────────────────────────────────────────────────────────────

#[test]
fn a_database_that_is_not_there_is_named() {
    let (_dir, contexts) = bulk(&[1]);
    let (dir, cache) = some_cache();
    let port = free_port();
    let text = dir.path().join("text.db");
    std::fs::write(&text, "This is a shopping list and no database. ".repeat(50)).unwrap();
    let (dir, text) = (dir.path().display(), text.display().to_string());
    let at = format!("127.0.0.1:{port}");
    for (url, code, words) in [
        (format!("postgres://shop:hunter2@{at}/shop"), 5, [at.as_str(), "refused"]),
        (format!("mysql://shop:hunter2@{at}/shop"), 5, [&at, "refused"]),
        (
            format!("postgres://shop:hunter2@h/shop?host={dir}&port={port}"),
            5,
            ["No such file", "hint"],
        ),
        (format!("mysql://shop:hunter2@h/shop?socket={dir}/none"), 5, ["No such file", "hint"]),
        (
            "postgres://shop:hunter2@no-such-host.invalid/shop".into(),
            5,
            ["no-such-host.invalid", "lookup"],
        ),
        (format!("sqlite:{dir}/missing.db"), 5, ["missing.db", "unable to open"]),
        (format!("sqlite:{text}"), 4, ["text.db", "not a database"]),
        (format!("oracle://shop:hunter2@{at}/shop"), 4, ["postgres://", "mysql://"]),
        ("postgres://shop:hunter2@[::1/shop".into(), 4, ["the database URL is not valid", "hint"]),
    ] {
        refused(warm(&contexts, url, &cache), code, &words);
    }
}

#[test]
fn a_cache_that_is_not_there_is_named() {
    let (_dir, contexts) = bulk(&[1]);
    let database = Sqlite::database();
    let port = free_port();
    let at = format!("127.0.0.1:{port}");
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().display();
    for (url, code, words) in [
        (format!("redis://:hunter2@{at}"), 6, [at.as_str(), "refused"]),
        (format!("rediss://:hunter2@{at}"), 6, [&at, "refused"]),
        (format!("redis+unix://{dir}/none"), 6, ["none", "No such file"]),
        ("redis://:hunter2@no-such-host.invalid".into(), 6, ["no-such-host.invalid", "lookup"]),
        (format!("sqlite:{dir}/none/cache.db"), 6, ["none/cache.db", "unable to open"]),
        (format!("memcached://:hunter2@{at}"), 4, ["redis://", "sqlite:"]),
        ("redis://:hunter2@[::1".into(), 4, ["the cache URL is not valid", "hint"]),
    ] {
        refused(warm(&contexts, database.url(), url), code, &words);
    }
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_noticed_in_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    let (_dir, contexts) = bulk(&[1]);
    let (_cache_dir, cache) = some_cache();
    let database = Sqlite::database();
    thread::scope(|scope| {
        for (database, cache, code) in [
            (format!("postgres://shop:hunter2@{silent}/shop"), cache.clone(), 5),
            (format!("mysql://shop:hunter2@{silent}/shop"), cache, 5),
            (database.url(), format!("redis://:hunter2@{silent}"), 6),
            (database.url(), format!("rediss://:hunter2@{silent}"), 6),
        ] {
            let (contexts, silent) = (&contexts, silent.as_str());
            scope.spawn(move || {
                let asked = Instant::now();
                refused(warm(contexts, database, cache), code, &[silent, "no answer"]);
                assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
            });
        }
    });
}

#[test]
fn a_wrong_password_is_refused_and_never_shown() {
    let (_dir, contexts) = bulk(&[1]);
    let (_cache_dir, cache) = some_cache();
    for database in [Postgres::database(), MariaDb::database()] {
        let url = database.url().replace("shop-secret", "hunter2");
        refused(warm(&contexts, url, &cache), 7, &["shop", "check user and password"]);
    }
    let database = Sqlite::database();
    let redis = Redis::start(&["--requirepass", "shop-secret"]);
    let open = Redis::start(&[]);
    let at = format!("127.0.0.1:{}", redis.port());
    for (url, words) in [
        (format!("redis://:hunter2@{at}"), ["refuses the password", "user and password"]),
        (format!("redis://nobody:hunter2@{at}"), ["refuses the password", "user and password"]),
        (
            format!("redis://{at}"),
            ["requires a password", "into the cache URL: redis://:PASSWORD@HOST"],
        ),
        (format!("redis://hunter2@{at}"), ["was read as the user name", "redis://:PASSWORD@HOST"]),
        (format!("redis://:hunter2@127.0.0.1:{}", open.port()), ["password", "cache URL"]),
    ] {
        refused(warm(&contexts, database.url(), url), 7, &words);
    }
    let url = format!("redis://:shop-secret@{at}");
    calm(warm(&contexts, database.url(), url).run()).expect(0);
}

#[test]
fn a_name_that_the_server_does_not_have_is_a_configuration_error() {
    let (_dir, contexts) = bulk(&[1]);
    let (_cache_dir, cache) = some_cache();
    for database in [Postgres::database(), MariaDb::database()] {
        let url = database.admin_url().replace(database.name(), "nowhere");
        refused(warm(&contexts, url, &cache), 4, &["nowhere", "check the database's name"]);
    }
    let redis = Redis::start(&[]);
    let database = Sqlite::database();
    let url = format!("{}/99", redis.url());
    refused(warm(&contexts, database.url(), url), 4, &["index", "cache URL"]);
}

#[test]
fn sql_that_the_database_refuses_is_a_configuration_error() {
    let (_cache_dir, cache) = some_cache();
    for dialect in DIALECTS {
        let database = new_database(dialect);
        database.sql("CREATE TABLE t (id int)");
        for (sql, word) in [
            ("SELECT id FROM t_is_not_there", "t_is_not_there"),
            ("SELECT id, colour FROM t", "colour"),
            ("SELECT id FROM t WHERE id ==== 1", "="),
            ("SELECT 1 AS other FROM t", "id"),
        ] {
            let (_dir, contexts) = odd(sql);
            refused(warm(&contexts, database.url(), &cache), 4, &["odd/one", word]);
        }
    }
}

#[test]
fn a_table_that_the_user_may_not_read_is_refused() {
    let (_cache_dir, cache) = some_cache();
    let (_dir, contexts) = odd("SELECT id FROM t");
    let postgres = Postgres::database();
    postgres.sql("CREATE TABLE t (id int); REVOKE ALL ON t FROM PUBLIC, shop");
    refused(warm(&contexts, postgres.url(), &cache), 7, &["permission denied", "GRANT SELECT"]);

    let mariadb = MariaDb::database();
    let (name, user) = (mariadb.name(), format!("r_{}", mariadb.name()));
    mariadb.sql(&format!(
        "CREATE TABLE t (id int); CREATE TABLE other (id int);
         CREATE USER {user} IDENTIFIED BY 'hunter2'; GRANT SELECT ON {name}.other TO {user}"
    ));
    let url = mariadb.url().replace("shop:shop-secret", &format!("{user}:hunter2"));
    refused(warm(&contexts, url, &cache), 7, &["denied", "GRANT SELECT"]);
    mariadb.sql(&format!("DROP USER {user}"));
}

#[test]
fn tls_is_spoken_where_it_is_asked_for_and_missed_where_not() {
    let (_dir, contexts) = bulk(&[10]);
    let (_cache_dir, cache) = some_cache();
    let database = Sqlite::database();
    let (tls, plain) = (Redis::start_tls(), Redis::start(&[]));
    let trusting =
        |url: String| warm(&contexts, database.url(), url).env("SSL_CERT_FILE", tls.ca_file());
    true_counts(&calm(trusting(tls.url()).run()).expect(0), &tls);
    refused(warm(&contexts, database.url(), tls.url()), 6, &["certificate", "trusted"]);
    let unencrypted = tls.url().replace("rediss:", "redis:");
    refused(warm(&contexts, database.url(), unencrypted), 6, &["rediss://"]);
    let encrypted = plain.url().replace("redis:", "rediss:");
    refused(trusting(encrypted), 6, &["uses TLS on this port"]);

    for (database, strict, root) in [
        (Postgres::database(), "sslmode=verify-full", "sslrootcert"),
        (MariaDb::database(), "ssl-mode=VERIFY_CA", "ssl-ca"),
    ] {
        let url = format!("{}?{strict}", database.url());
        let trusted = format!("{url}&{root}={}", database.ca_file().display());
        calm(warm(&contexts, trusted, &cache).run()).expect(0);
        refused(warm(&contexts, url, &cache), 4, &["TLS", "certificate"]);
    }
}

#[test]
fn unix_sockets_work_for_every_server() {
    let (_dir, contexts) = bulk(&[10]);
    let redis = Redis::start(&[]);
    let cache = format!("redis+unix://{}", redis.socket().display());
    let (postgres, mariadb) = (Postgres::database(), MariaDb::database());
    let (user, port) = ("shop:shop-secret", postgres.port());
    let dir = |database: &Database| database.ca_file().parent().unwrap().display().to_string();
    for database in [
        format!(
            "postgres://{user}@localhost/{}?host={}&port={port}",
            postgres.name(),
            dir(&postgres)
        ),
        format!("mysql://{user}@localhost/{}?socket={}/socket", mariadb.name(), dir(&mariadb)),
    ] {
        redis.cli(&["FLUSHALL"]);
        let run = calm(warm(&contexts, database, &cache).run()).expect(0);
        true_counts(&run, &redis);
        assert_eq!(keys(&redis), 10);
    }
}

// ── a cache that refuses ──────────────────────────────────────────────────────────────────────

#[test]
fn a_cache_that_takes_no_writes_ends_the_run() {
    let (_dir, contexts) = bulk(&[2000, 2000]);
    let database = Sqlite::database();
    let run = |url: String, code: i32, words: [&str; 2]| {
        let run = calm(warm(&contexts, database.url(), url).run()).expect(code);
        is_incomplete(&run);
        assert_eq!(statuses(&run), ["failed", "cancelled"]);
        for word in words {
            assert!(run.stderr.contains(word), "no {word:?} in\n{}", run.stderr);
        }
        run
    };

    let replica = Redis::start(&[]);
    replica.cli(&["REPLICAOF", "127.0.0.1", &free_port().to_string()]);
    let report = run(replica.url(), 3, ["READONLY", "primary"]);
    true_counts(&report, &replica);

    let diskless = Redis::start(&["--save", "3600 1"]);
    // The dump cannot take the place of a folder.
    let dump = diskless.ca_file().with_file_name("dump.rdb");
    std::fs::create_dir(&dump).unwrap();
    diskless.cli(&["BGSAVE"]);
    until("the save failed", || {
        diskless.cli(&["INFO", "persistence"]).contains("last_bgsave_status:err")
    });
    run(diskless.url(), 3, ["MISCONF", "rdb_last_bgsave_status"]);
    assert_eq!(keys(&diskless), 0);

    let guarded = Redis::start(&[]);
    guarded.cli(&["ACL", "SETUSER", "reader", "on", ">hunter2", "~*", "+@read", "+ping"]);
    let url = guarded.url().replace("//", "//reader:hunter2@");
    let report = run(url, 7, ["NOPERM", "+set"]);
    true_counts(&report, &guarded);

    // A full cache ends the run, also for a user who may not ask for its figures.
    let full = Redis::start(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]);
    full.cli(&["ACL", "SETUSER", "blind", "on", ">hunter2", "~*", "+@all", "-info"]);
    let url = full.url().replace("//", "//blind:hunter2@");
    let (_dir, many) = bulk(&[20_000, 10]);
    let report = calm(warm(&many, database.url(), url).run()).expect(3);
    is_incomplete(&report);
    assert_eq!(statuses(&report), ["failed", "cancelled"]);
    assert!(report.stderr.contains("maxmemory-policy"), "{}", report.stderr);
    let _ = full.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    true_counts(&report, &full);
    assert!(count(&report.json()["totals"], "warmed") > 1000);
    assert!(count(&report.json()["totals"], "failed") > 0);

    // For a person: the same on one screen.
    let run = shopwarm("warmup context bulk").contexts(&contexts);
    let run = run.database(database.url()).cache(replica.url());
    let run = calm(run.run()).expect(3);
    for word in ["READONLY", "hint: give the URL of its primary", "incomplete"] {
        assert!(run.stdout.contains(word), "no {word:?} in\n{}", run.stdout);
    }
    assert!(run.stdout.lines().count() < 24, "{}", run.stdout);
}

/// A user `warm` who may run these commands and no others.
fn user(redis: &Redis, commands: &str) -> String {
    let rule = format!("ACL SETUSER warm reset on >hunter2 ~* +ping {commands}");
    redis.cli(&rule.split_whitespace().collect::<Vec<_>>());
    redis.url().replace("//", "//warm:hunter2@")
}

/// Written in pieces, a hash can be seen half-written, and stays for ever where the TTL is missing.
#[test]
fn hashes_are_written_in_one_step_or_not_at_all() {
    let strategy = |extra: &str| {
        let sql = "SELECT g AS id, g AS version FROM generate_series(1, 3000) g";
        let text = format!(
            "[context]\nname = \"odd\"\nowns = [\"t\"]\n[strategies.one]\n\
             key = \"one:{{id}}\"\nvalue = \"hash\"\nsql.any = \"{sql}\"\n{extra}"
        );
        file("odd.toml", &text)
    };
    let (_dir, plain) = strategy("");
    let (_dir2, versioned) = strategy("version_field = \"version\"\n");
    let (redis, database) = (Redis::start(&[]), Postgres::database());
    let run = |contexts, url: String, flags| {
        let run = warm(contexts, database.url(), url).args("--no-lock");
        calm(run.args(flags).run())
    };
    let refused = |run: Finished, says| {
        let totals = &run.json()["totals"];
        let there = count(totals, "warmed") + count(totals, "unknown");
        assert_eq!(there, 0, "{totals}");
        assert!(run.stderr.contains(says), "no {says:?} in\n{}", run.stderr);
        run.expect(7);
    };
    for (contexts, flags, commands, missing) in [
        (&plain, "", "+exec +del +hset", "+multi"),
        (&plain, "", "+exec +del +hset +pexpire", "+multi"),
        (&plain, "", "+multi +discard +del +hset +pexpire", "+exec"),
        (&plain, "", "+multi +exec +del +hset", "+pexpire"),
        (&plain, "--mode only-missing", "+eval +exists +hset", "+pexpire"),
        (&versioned, "", "+eval +hget +hset +del", "+pexpire"),
    ] {
        refused(run(contexts, user(&redis, commands), flags), missing);
        assert_eq!(keys(&redis), 0, "with {commands}");
    }
    let without_multi = Redis::start(&["--rename-command", "MULTI", ""]);
    refused(run(&plain, without_multi.url(), ""), "MULTI");
    assert_eq!(keys(&without_multi), 0);
    // With the permissions that are named it works.
    let user = user(&redis, "+multi +exec +del +hset +pexpire");
    run(&plain, user, "").expect(0);
    assert_eq!(keys(&redis), 3000);
}

#[test]
fn a_cache_without_connections_left_is_named() {
    let (_dir, contexts) = bulk(&[1]);
    let database = Sqlite::database();
    let redis = Redis::start(&["--maxclients", "1"]);
    let _taken = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    refused(warm(&contexts, database.url(), redis.url()), 6, &["maxclients"]);
}

#[test]
fn a_cache_that_is_loading_is_waited_for() {
    let slow = ["--enable-debug-command", "yes", "--key-load-delay", "500"];
    let redis =
        Redis::start(&[&slow[..], &["--loading-process-events-interval-bytes", "1024"]].concat());
    redis.cli(&[
        "EVAL",
        "for i = 1, 4000 do redis.call('SET', 'old:' .. i, ('x'):rep(100)) end",
        "0",
    ]);
    let (_dir, contexts) = bulk(&[2000]);
    let database = Sqlite::database();
    thread::scope(|scope| {
        scope.spawn(|| redis.cli(&["DEBUG", "RELOAD"]));
        until("it is loading", || redis.cli(&["INFO", "persistence"]).contains("loading:1"));
        calm(warm(&contexts, database.url(), redis.url()).run()).expect(0);
    });
    assert_eq!(keys(&redis), 6000);
}

#[test]
fn a_user_of_some_keys_only_warms_those() {
    let (_dir, contexts) = bulk(&[50, 40]);
    let (redis, database) = (Redis::start(&[]), Sqlite::database());
    redis.cli(&["ACL", "SETUSER", "one", "on", ">hunter2", "~second:*", "+set"]);
    let url = redis.url().replace("//", "//one:hunter2@");
    let run = calm(warm(&contexts, database.url(), url).run()).expect(3);
    is_incomplete(&run);
    assert_eq!(statuses(&run), ["completed", "completed"]);
    assert_eq!(count(&run.strategy("bulk/first"), "failed"), 50);
    assert_eq!(count(&run.strategy("bulk/second"), "warmed"), 40);
    true_counts(&run, &redis);
}

#[test]
fn a_value_too_large_costs_its_own_key_only() {
    let sql = "WITH RECURSIVE s(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM s WHERE id < 3000) \
               SELECT id, printf('%.*c', CASE id WHEN 700 THEN 2000000 ELSE 9 END, 'x') AS pad FROM s";
    let (_dir, contexts) = odd(sql);
    let database = Sqlite::database();
    let told = Redis::start(&["--proto-max-bulk-len", "1mb"]);
    let newer = Redis::start(&["--proto-max-bulk-len", "1mb"]);
    let untold = Redis::start(&["--proto-max-bulk-len", "1mb"]);
    // Not told the limit, the run finds out by losing the connection.
    untold.cli(&["ACL", "SETUSER", "default", "-config"]);
    for (redis, protocol) in [(told, "resp2"), (newer, "resp3"), (untold, "resp2")] {
        let url = format!("{}?protocol={protocol}", redis.url());
        let run = calm(warm(&contexts, database.url(), url).run()).expect(3);
        is_incomplete(&run);
        let one = run.strategy("odd/one");
        assert_eq!(count(&one, "warmed"), 2999, "{one:#}");
        assert_eq!(count(&one, "failed") + count(&one, "unknown"), 1, "{one:#}");
        assert_eq!(one["errors"][0]["key"], "one:700");
        let is_told = one["errors"].to_string().contains("proto-max-bulk-len");
        assert_eq!(is_told, !redis.cli(&["ACL", "LIST"]).contains("-config"));
        assert_eq!(keys(&redis), 2999);
    }
}

// ── a cache that goes away ────────────────────────────────────────────────────────────────────

#[test]
fn a_run_comes_through_cut_connections() {
    let (_dir, contexts) = bulk(&[15_000]);
    let (database, redis) = (Sqlite::database(), Redis::start(&[]));
    type Fault = fn(&FaultProxy);
    let faults: [Fault; 7] = [
        |proxy| proxy.cut_after_to_server(0),
        |proxy| proxy.cut_after_to_server(1),
        |proxy| proxy.cut_after_to_server(77_777),
        |proxy| proxy.cut_after_to_client(0),
        |proxy| proxy.cut_after_to_client(3),
        |proxy| proxy.cut_after_to_client(1234),
        FaultProxy::reset,
    ];
    for fault in faults {
        redis.cli(&["FLUSHALL"]);
        let (proxy, url) = proxied(&redis);
        let child = start_and_hold(warm(&contexts, database.url(), url), &proxy, &redis);
        fault(&proxy);
        proxy.flow();
        comes_through(child, &redis, 15_000);
        assert!(proxy.has_cut(), "the fault did not happen");
    }
}

#[test]
fn a_run_comes_through_a_pause_of_the_cache() {
    let (_dir, contexts) = bulk(&[15_000]);
    let (database, redis) = (Sqlite::database(), Redis::start(&[]));
    type Pause = fn(&Redis, &FaultProxy);
    let pauses: [Pause; 4] = [
        |_, _| thread::sleep(Duration::from_secs(2)),
        |redis, _| {
            redis.pause();
            thread::sleep(Duration::from_secs(2));
            redis.resume();
        },
        |redis, proxy| {
            redis.cli(&["CLIENT", "PAUSE", "2000"]);
            proxy.flow();
        },
        |redis, proxy| {
            proxy.flow();
            redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
        },
    ];
    for pause in pauses {
        redis.cli(&["FLUSHALL"]);
        let (proxy, url) = proxied(&redis);
        let child = start_and_hold(warm(&contexts, database.url(), url), &proxy, &redis);
        pause(&redis, &proxy);
        proxy.flow();
        comes_through(child, &redis, 15_000);
    }
}

#[test]
fn a_run_comes_through_a_restart_of_the_cache() {
    let (_dir, contexts) = bulk(&[15_000, 5000]);
    let (database, redis) = (Sqlite::database(), Redis::start(&[]));
    let (proxy, url) = proxied(&redis);
    let child = start_and_hold(warm(&contexts, database.url(), url), &proxy, &redis);
    redis.restart();
    proxy.flow();
    // What went with the old process is written again.
    comes_through(child, &redis, 20_000);
}

/// A run that waits for a server that says nothing has hung if it takes longer than this. It takes 15
/// seconds without a cache and 25 without a database; a busy machine adds its own.
const SILENCE: Duration = Duration::from_mins(2);

/// Redis gone for good, frozen, or taking connections and no writes; a database behind a dead
/// network. All of them at once, as each is a wait.
#[test]
fn what_falls_silent_ends_the_run_in_well_under_a_minute() {
    let (_dir, contexts) = bulk(&[60_000, 10]);
    type Fault = fn(&Redis);
    let faults: [Fault; 3] = [
        |redis| redis.kill(),
        |redis| redis.pause(),
        |redis| drop(redis.cli(&["CLIENT", "PAUSE", "600000", "WRITE"])),
    ];
    let contexts = contexts.as_path();
    thread::scope(|scope| {
        for fault in faults {
            scope.spawn(move || {
                let (database, redis) = (Sqlite::database(), Redis::start(&[]));
                let (proxy, url) = proxied(&redis);
                // A lock that cannot be renewed ends a run too, with 8: sooner, where a busy machine takes
                // long to make the fault.
                let run = warm(contexts, database.url(), url).arg("--no-lock");
                let child = start_and_hold(run, &proxy, &redis);
                fault(&redis);
                proxy.flow();
                let asked = Instant::now();
                let run = calm(finish(child)).expect(6);
                assert!(asked.elapsed() < SILENCE, "{:?}", asked.elapsed());
                is_incomplete(&run);
                assert_eq!(statuses(&run), ["failed", "cancelled"]);
                let report = run.json();
                sums(&report);
                let totals = &report["totals"];
                assert!(count(totals, "warmed") > 0 && count(totals, "warmed") < 60_000);
                assert!(count(totals, "unknown") > 0, "{totals}");
                assert!(run.stderr.contains("in the middle of the run"), "{}", run.stderr);
            });
        }
        scope.spawn(|| {
            let (database, redis) = (Postgres::database(), Redis::start(&[]));
            let network = FaultProxy::to(database.port());
            let (proxy, url) = proxied(&redis);
            let run = warm(contexts, database.url_via(network.port()), url);
            let child = start_and_hold(run, &proxy, &redis);
            network.stall();
            proxy.flow();
            let asked = Instant::now();
            let run = calm(finish(child)).expect(5);
            assert!(asked.elapsed() < SILENCE, "{:?}", asked.elapsed());
            is_incomplete(&run);
            assert_eq!(statuses(&run), ["failed", "cancelled"]);
            true_counts(&run, &redis);
        });
    });
}

// ── a database that goes away ─────────────────────────────────────────────────────────────────

#[test]
fn a_run_comes_through_a_lost_connection_to_the_database() {
    let (_dir, contexts) = bulk(&[60_000, 100, 50]);
    for database in [Postgres::database(), MariaDb::database()] {
        let redis = Redis::start(&[]);
        let (proxy, url) = proxied(&redis);
        let network = FaultProxy::to(database.port());
        let run = warm(&contexts, database.url_via(network.port()), url);
        let child = start_and_hold(run, &proxy, &redis);
        network.cut_after_to_client(100_000);
        proxy.flow();
        comes_through(child, &redis, 60_150);
    }
}

#[test]
fn a_run_comes_through_the_end_of_its_session() {
    let (_dir, contexts) = bulk(&[60_000, 100, 50]);
    for database in [Postgres::database(), MariaDb::database()] {
        let redis = Redis::start(&[]);
        let (proxy, url) = proxied(&redis);
        let child = start_and_hold(warm(&contexts, database.url(), url), &proxy, &redis);
        end_session(&database);
        proxy.flow();
        comes_through(child, &redis, 60_150);
    }
}

/// An administrator ends all sessions of a run, and the run notices the first before the last has ended.
#[test]
fn sessions_that_end_one_after_the_other_are_one_loss() {
    let (_dir, contexts) = bulk(&[60_000, 100]);
    let (database, redis) = (Postgres::database(), Redis::start(&[]));
    let (proxy, url) = proxied(&redis);
    let child = start_and_hold(warm(&contexts, database.url(), url), &proxy, &redis);
    let sessions = |condition: &str| {
        database.query(&format!(
            "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'shopwarm'
             AND xact_start IS {condition}",
            database.name()
        ))
    };
    until("it has an idle session, too", || !sessions("NULL").is_empty());
    let [reading, idle] = ["NOT NULL", "NULL"].map(sessions);
    let end = |ids: &str| {
        let ids = ids.lines().map(|id| format!("SELECT pg_terminate_backend({id});"));
        database.sql(&ids.collect::<String>());
    };
    end(&reading);
    proxy.flow();
    thread::sleep(Duration::from_millis(300));
    end(&idle);
    comes_through(child, &redis, 60_100);
}

#[test]
fn a_session_closed_while_nothing_ran_on_it_is_opened_again() {
    let (_dir, contexts) = bulk(&[5000, 100]);
    let (database, redis) = (Postgres::database(), Redis::start(&[]));
    redis.cli(&["CLIENT", "PAUSE", "600000", "WRITE"]);
    // Taking a lock would be waiting for Redis already.
    let run = warm(&contexts, database.url(), redis.url()).arg("--no-lock");
    let child = run.start();
    // All rows are read and wait for Redis; the sessions wait for the next strategy. Between the
    // steps of a query they are idle too, but not for a second.
    let sessions = format!(
        "FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'shopwarm'",
        database.name()
    );
    let end = format!(
        "SELECT count(pg_terminate_backend(pid)) {sessions} AND state = 'idle'
         AND clock_timestamp() - state_change > '1 s'
         AND NOT EXISTS (SELECT {sessions} AND state <> 'idle')"
    );
    until("a session is ended", || database.query(&end) != "0");
    redis.cli(&["CLIENT", "UNPAUSE"]);
    comes_through(child, &redis, 5100);
}

#[test]
fn a_database_killed_in_mid_stream_ends_the_run() {
    let (_dir, contexts) = bulk(&[60_000, 100]);
    let (_dir, last) = bulk(&[60_000]);
    type Kill = Box<dyn Fn()>;
    let (postgres, mariadb) = (Postgres::private(&[]), MariaDb::private(&[]));
    let databases = [postgres.new_database(), mariadb.new_database()];
    let kills: [Kill; 2] = [Box::new(move || postgres.kill()), Box::new(move || mariadb.kill())];
    for ((database, kill), contexts) in databases.iter().zip(kills).zip([contexts, last]) {
        let redis = Redis::start(&[]);
        let (proxy, url) = proxied(&redis);
        let child = start_and_hold(warm(&contexts, database.url(), url), &proxy, &redis);
        kill();
        proxy.flow();
        let run = calm(finish(child)).expect(5);
        is_incomplete(&run);
        let expected = &["failed", "cancelled"][..statuses(&run).len()];
        assert_eq!(statuses(&run), expected);
        assert!(run.stderr.contains("run again when the database is back"), "{}", run.stderr);
        true_counts(&run, &redis);
    }
}

// ── queries that fail, find nothing, or take too long ─────────────────────────────────────────

#[test]
fn a_row_that_cannot_be_encoded_costs_its_key() {
    let (_dir, contexts) = odd(
        "SELECT id, CASE id WHEN 7 THEN 'NaN'::numeric ELSE 1.50 END AS price FROM generate_series(1, 1000) AS id",
    );
    let (database, redis) = (Postgres::database(), Redis::start(&[]));
    let run = calm(warm(&contexts, database.url(), redis.url()).run()).expect(3);
    is_incomplete(&run);
    let one = run.strategy("odd/one");
    assert_eq!([count(&one, "warmed"), count(&one, "failed")], [999, 1]);
    assert_eq!(one["errors"][0]["key"], "one:7");
    assert!(one["errors"][0]["error"].as_str().unwrap().contains("price"), "{one:#}");
    assert_eq!(redis.cli(&["EXISTS", "one:7"]), "0");
    assert_eq!(keys(&redis), 999);
    // A gate that this run passes.
    let gated =
        |percent| warm(&contexts, database.url(), redis.url()).arg("--fail-under").arg(percent);
    calm(gated("99.9").run()).expect(0);
    calm(gated("99.91").run()).expect(3);
}

#[test]
fn a_query_that_takes_too_long_is_ended() {
    let (_cache_dir, cache) = some_cache();
    for (dialect, sql) in [
        (
            Dialect::Postgres,
            "SELECT count(*) AS id FROM generate_series(1, 100000) a, generate_series(1, 100000) b",
        ),
        (
            Dialect::MySql,
            "WITH RECURSIVE s AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM s WHERE i < 900) SELECT count(*) AS id FROM s a, s b, s c, s d WHERE a.i + b.i <> c.i + d.i",
        ),
        (
            Dialect::Sqlite,
            "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 1000000000) SELECT count(*) AS id FROM s",
        ),
    ] {
        let (_dir, contexts) = odd(sql);
        let database = new_database(dialect);
        let run = warm(&contexts, database.url(), &cache).arg("--statement-timeout").arg("300ms");
        let asked = Instant::now();
        let run = calm(run.run()).expect(3);
        assert!(asked.elapsed() < Duration::from_secs(20), "{dialect:?}");
        is_incomplete(&run);
        assert_eq!(statuses(&run), ["failed"]);
        assert!(run.stderr.contains("--statement-timeout"), "{dialect:?}: {}", run.stderr);
    }
}

/// Two strategies, the first of which fails at its third row.
fn one_that_fails() -> (TempDir, PathBuf) {
    let text = "[context]
        name = \"half\"
        owns = [\"t\"]
        [strategies.bad]
        key = \"bad:{id}\"
        value = \"object\"
        priority = 9
        sql.any = \"SELECT 1 / (g - 3) AS id FROM generate_series(1, 5) g\"
        [strategies.good]
        key = \"good:{id}\"
        value = \"object\"
        sql.any = \"SELECT g AS id FROM generate_series(1, 5) g\"";
    file("half.toml", text)
}

#[test]
fn a_failed_query_is_not_the_others_business_unless_asked() {
    let (_dir, contexts) = one_that_fails();
    let (database, redis) = (Postgres::database(), Redis::start(&[]));
    let run = || warm(&contexts, database.url(), redis.url());
    let stopped = calm(run().arg("--stop-on-error").run()).expect(3);
    assert_eq!(statuses(&stopped), ["failed", "cancelled"]);
    assert_eq!(redis.cli(&["EXISTS", "good:5"]), "0");
    // A gate on keys does not excuse a strategy.
    let all = calm(run().arg("--fail-under").arg("0").run()).expect(3);
    is_incomplete(&all);
    assert_eq!(statuses(&all), ["failed", "completed"]);
    assert_eq!(redis.cli(&["EXISTS", "good:5"]), "1");
    let place = format!("division by zero ({}, line ", contexts.display());
    assert!(all.stderr.contains(&place), "{}", all.stderr);
}

#[test]
fn nothing_to_warm_is_a_failure_unless_allowed() {
    let (_cache_dir, cache) = some_cache();
    let with_min_keys = |n: u32, sql: &str| {
        let text = format!(
            "[context]\nname = \"few\"\nowns = [\"t\"]\n[strategies.one]\nkey = \"one:{{id}}\"\n\
             value = \"object\"\nmin_keys = {n}\nsql.any = \"{sql}\"\n"
        );
        file("few.toml", &text)
    };
    let none = "SELECT 1 AS id WHERE 1 = 0";
    let database = Sqlite::database();
    for (min_keys, sql, outcome, (code, allowed)) in [
        (0, none, "empty", (3, 0)),
        (1, none, "incomplete", (3, 0)),
        (2, "SELECT 1 AS id", "incomplete", (3, 3)),
    ] {
        let (_dir, contexts) = with_min_keys(min_keys, sql);
        let run = || warm(&contexts, database.url(), &cache);
        let plain = calm(run().run()).expect(code);
        assert_eq!(plain.json()["outcome"], outcome);
        let named = outcome == "empty" || plain.stderr.contains("min_keys");
        assert!(named, "{}", plain.stderr);
        calm(run().arg("--allow-empty").run()).expect(allowed);
    }
}

#[test]
fn a_deadline_ends_the_run_and_says_so() {
    let (_dir, contexts) = odd(
        "SELECT id, (SELECT count(*) FROM generate_series(1, 30000) g WHERE g % 7 = id % 7) AS pad FROM generate_series(1, 10000) AS id",
    );
    let (database, redis) = (Postgres::database(), Redis::start(&[]));
    let run = warm(&contexts, database.url(), redis.url()).arg("--deadline").arg("1s");
    let asked = Instant::now();
    let run = calm(run.run()).expect(9);
    assert!(asked.elapsed() < Duration::from_secs(20));
    assert_eq!(run.json()["outcome"], "deadline");
    assert_eq!(statuses(&run), ["cancelled"]);
    assert_eq!(count(&run.json()["totals"], "warmed"), keys(&redis));
}
