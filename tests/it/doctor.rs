//! `shopwarm doctor`: what works and what does not, before a run; nothing is written.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::lab::{Lab, over_shipped, own, strategy};
use crate::support::proxy::FaultProxy;
use crate::support::servers::{Dialect, Postgres, Redis, free_port};
use crate::support::shop::{self, DIALECTS};
use crate::support::shopwarm::{Finished, Shopwarm, file, shopwarm};

/// The promise is ten seconds; the machine may be slow and busy.
const BOUND: Duration = Duration::from_secs(40);

const SECRETS: [&str; 3] = ["shop-secret", "admin-secret", "hunter2"];

/// A doctor's run with JSON, in which no secret is.
#[track_caller]
fn examine(doctor: Shopwarm, code: i32) -> Value {
    let run = sound(doctor.arg("-o").arg("json").run()).expect(code);
    let report = run.json();
    assert_eq!(report["schema_version"], 1);
    report
}

#[track_caller]
fn sound(run: Finished) -> Finished {
    for secret in SECRETS {
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    run
}

/// The checks of a name: `LEVEL: TEXT → HINT`.
fn checks(report: &Value, name: &str) -> Vec<String> {
    let all = report["checks"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.filter(|check| check["check"] == name)
        .map(|c| format!("{}: {} → {}", text(&c["level"]), text(&c["text"]), text(&c["hint"])))
        .collect()
}

/// The one check of a name, with all these words in it.
#[track_caller]
fn check(report: &Value, name: &str, words: &[&str]) {
    let found = checks(report, name);
    let [found] = &found[..] else {
        panic!("not one {name} in {report:#}");
    };
    for word in words {
        assert!(found.contains(word), "no {word:?} in {found}");
    }
}

#[track_caller]
fn some_check(report: &Value, name: &str, words: &[&str]) {
    let found = checks(report, name);
    let fits = |check: &String| words.iter().all(|word| check.contains(word));
    assert!(found.iter().any(fits), "{words:?} not in {found:#?}");
}

/// No key is there, and no command that writes has had an effect.
#[track_caller]
fn untouched(redis: &Redis) {
    assert_eq!(redis.cli(&["DBSIZE"]), "0");
    assert_eq!(
        redis
            .cli(&["INFO", "persistence"])
            .lines()
            .find(|l| l.starts_with("rdb_changes"))
            .map(str::trim),
        Some("rdb_changes_since_last_save:0")
    );
    for line in redis.cli(&["INFO", "commandstats"]).lines() {
        let writes = ["cmdstat_set:", "cmdstat_hset:", "cmdstat_pexpire:"];
        if writes.iter().any(|name| line.starts_with(name)) {
            let count = |name: &str| {
                let (_, rest) = line.split_once(name).expect("a figure");
                let digits = rest.split(',').next().expect("a number").trim();
                digits.parse::<u64>().expect("a number")
            };
            assert_eq!(count(":calls="), count("failed_calls="), "{line}");
        }
    }
}

#[test]
fn a_healthy_shop_is_all_well() {
    for dialect in DIALECTS {
        let lab = Lab::shop(dialect);
        let report = examine(lab.command("doctor"), 0);
        assert_eq!(report["worst"], "ok", "{report:#}");
        let (version, role) = match dialect {
            Dialect::Postgres => ("PostgreSQL 1", 1),
            Dialect::MySql => ("MariaDB", 1),
            Dialect::Sqlite => ("SQLite 3", 0),
        };
        check(&report, "database", &[version]);
        let session = ["read-only", "statement timeout 5m"];
        // PostgreSQL writes its own 5min.
        check(&report, "database session", &session);
        assert_eq!(checks(&report, "database role").len(), role);
        check(&report, "clock", &["ok"]);
        check(&report, "configuration", &["no file"]);
        check(&report, "definitions", &["7 strategies"]);
        check(&report, "cache", &["Redis", "standalone"]);
        check(&report, "cache role", &["primary"]);
        check(&report, "cache permissions", &["ok"]);
        check(&report, "cache memory", &["no limit"]);
        check(&report, "cache persistence", &["ok"]);
        check(&report, "terminal", &["stdout is not a terminal"]);
        check(&report, "catalog/hot-products", &["Product:id:{id}", "from products"]);
        check(&report, "catalog/category-tree", &["Category:tree:root"]);
        untouched(&lab.redis);
    }
}

#[test]
fn the_embedded_cache_is_looked_at_and_not_made() {
    let (database, dir) = (shop::database(Dialect::Sqlite), tempfile::tempdir().unwrap());
    let cache = dir.path().join("cache.db");
    let url = format!("sqlite:{}", cache.display());
    let command = |arguments: &str| shopwarm(arguments).database(database.url()).cache(&url);
    let report = examine(command("doctor"), 0);
    check(&report, "cache", &["ok", "the first run will create"]);
    assert!(!cache.exists());
    command("warmup all").run().expect(0);
    let report = examine(command("doctor"), 0);
    check(&report, "cache", &["ok", "SQLite 3"]);
    check(&report, "cache memory", &[" keys, "]);
    let url = format!("sqlite:{}/nowhere/cache.db", dir.path().display());
    let report = examine(shopwarm("doctor").database(database.url()).cache(url), 6);
    check(&report, "cache", &["failed", "no folder"]);
}

#[test]
fn a_server_that_is_down_is_named_and_the_other_one_is_checked() {
    let lab = Lab::shop(Dialect::Postgres);
    let dead = free_port();
    let database = lab.database.url_via(dead);
    let report = examine(lab.command("doctor").database(database), 5);
    check(&report, "database", &["failed", &dead.to_string(), "check that it is running"]);
    check(&report, "cache", &["ok: "]);
    let cache = format!("redis://127.0.0.1:{dead}");
    let report = examine(lab.command("doctor").cache(cache), 6);
    check(&report, "cache", &["failed", &dead.to_string()]);
    check(&report, "database", &["ok: "]);
    check(&report, "catalog/hot-products", &["ok: "]);
}

#[test]
fn what_is_not_configured_is_said() {
    let report = examine(shopwarm("doctor"), 4);
    check(&report, "database", &["no database is configured", "--database-url"]);
    check(&report, "cache", &["no cache is configured", "--cache-url"]);
}

#[test]
fn wrong_passwords_are_refusals() {
    for dialect in [Dialect::Postgres, Dialect::MySql] {
        let lab = Lab::shop(dialect);
        let url = lab.database.url().replace("shop-secret", "hunter2");
        let report = examine(lab.command("doctor").database(url), 7);
        check(&report, "database", &["failed", "refused the login", "check user and password"]);
    }
    let lab = Lab::shop(Dialect::Sqlite);
    lab.redis.cli(&["CONFIG", "SET", "requirepass", "admin-secret"]);
    let report = examine(lab.command("doctor"), 7);
    check(&report, "cache", &["failed", "requires a password"]);
    let url = lab.redis.url().replace("redis://", "redis://:hunter2@");
    let report = examine(lab.command("doctor").cache(url), 7);
    check(&report, "cache", &["failed", "refuses the password"]);
}

#[test]
fn it_ends_whatever_hangs() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    for scheme in ["postgres", "mysql"] {
        let since = Instant::now();
        let doctor = shopwarm("doctor")
            .database(format!("{scheme}://shop:hunter2@{silent}/shop"))
            .cache(format!("redis://:hunter2@{silent}"));
        let report = examine(doctor, 6);
        assert!(since.elapsed() < BOUND, "{:?}", since.elapsed());
        check(&report, "database", &["failed", "no answer"]);
        check(&report, "cache", &["failed", "no answer"]);
    }
}

#[test]
fn a_cache_that_stops_answering_does_not_hang_it() {
    let lab = Lab::shop(Dialect::Postgres);
    lab.redis.pause();
    let since = Instant::now();
    let report = examine(lab.command("doctor"), 6);
    assert!(since.elapsed() < BOUND, "{:?}", since.elapsed());
    lab.redis.resume();
    check(&report, "cache", &["failed", "no answer"]);
    check(&report, "database", &["ok: "]);
}

#[test]
fn denied_commands_and_keys_are_named() {
    let lab = Lab::shop(Dialect::Sqlite);
    lab.redis.cli(&["ACL", "SETUSER", "warm", "on", ">hunter2", "+set", "+ping", "~Product:*"]);
    let url = lab.redis.url().replace("redis://", "redis://warm:hunter2@");
    let report = examine(lab.command("doctor").cache(&url), 7);
    let permissions = checks(&report, "cache permissions");
    // One cause, one finding.
    let strategies = "catalog/categories, catalog/category-list, catalog/category-tree, catalog/recommendations, ";
    some_check(
        &report,
        "cache permissions",
        &["failed", strategies, "~Category:id:* ~Category:list:all "],
    );
    assert!(!permissions.iter().any(|c| c.contains("hot-products")), "{permissions:#?}");
    let words = ["warning", "SCAN for --orphans", "INFO", "EVAL", "PTTL", "HSET", "+scan"];
    some_check(&report, "cache permissions", &words);
    // What cannot be asked is not known, and why.
    check(&report, "cache", &["ok", "not known: NOPERM"]);
    check(&report, "cache memory", &["ok", "not known: NOPERM", "info"]);
    untouched(&lab.redis);

    lab.redis.cli(&["ACL", "SETUSER", "warm", "allkeys", "+@all", "-info"]);
    let report = examine(lab.command("doctor").cache(&url), 0);
    assert_eq!(report["worst"], "warning");
    check(&report, "cache role", &["ok", "not known"]);
    check(&report, "cache permissions", &["warning", "INFO"]);

    lab.redis.cli(&["ACL", "SETUSER", "warm", "-set"]);
    let report = examine(lab.command("doctor").cache(&url), 7);
    some_check(&report, "cache permissions", &["failed", "SET for every run", "+set"]);
    untouched(&lab.redis);
}

#[test]
fn hashes_need_more_commands_and_none_of_them_is_carried_out() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql("CREATE TABLE things (id TEXT, a TEXT); INSERT INTO things VALUES ('x', 'y')");
    let definitions = own(&["things"], &strategy("each", "hash", "things", "SELECT a FROM things"));
    lab.redis.cli(&["HSET", "things", "a", "kept"]);
    lab.redis.cli(&[
        "ACL", "SETUSER", "warm", "on", ">hunter2", "+@all", "-multi", "-exec", "-pexpire", "~*",
    ]);
    let url = lab.redis.url().replace("redis://", "redis://warm:hunter2@");
    let doctor = || lab.with(&definitions, "doctor");
    let report = examine(doctor().cache(&url), 7);
    let words = ["failed", "PEXPIRE, MULTI, EXEC for hashes"];
    some_check(&report, "cache permissions", &words);
    let report = examine(doctor(), 0);
    check(&report, "cache permissions", &["ok"]);
    // The template has no column: the probe's key is the strategy's own.
    assert_eq!(lab.redis.cli(&["HGETALL", "things"]), "a\nkept");
    assert_eq!(lab.redis.cli(&["TTL", "things"]), "-1");
    assert_eq!(lab.redis.cli(&["DBSIZE"]), "1");
}

#[test]
fn a_replica_takes_no_writes() {
    let lab = Lab::shop(Dialect::Sqlite);
    let primary = Redis::start(&[]);
    let port = primary.port().to_string();
    lab.redis.cli(&["REPLICAOF", "127.0.0.1", &port]);
    let report = examine(lab.command("doctor"), 3);
    check(&report, "cache role", &["failed", "a replica of 127.0.0.1", "the URL of its primary"]);
    lab.redis.cli(&["CONFIG", "SET", "replica-read-only", "no"]);
    let report = examine(lab.command("doctor"), 0);
    check(&report, "cache role", &["warning", "lost"]);
}

#[test]
fn a_full_cache_and_a_nearly_full_one() {
    let lab = Lab::shop(Dialect::Sqlite);
    lab.redis.cli(&["SETRANGE", "filler", "8000000", "x"]);
    let info = lab.redis.cli(&["INFO", "memory"]);
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    let used: u64 = used.expect("a figure").trim().parse().expect("a number");
    let limit = |bytes: u64| lab.redis.cli(&["CONFIG", "SET", "maxmemory", &bytes.to_string()]);
    limit(used + 500_000);
    let report = examine(lab.command("doctor"), 0);
    check(&report, "cache memory", &["warning", "noeviction", "raise maxmemory"]);
    lab.redis.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let report = examine(lab.command("doctor"), 0);
    check(&report, "cache memory", &["ok", "allkeys-lru"]);
    lab.redis.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    limit(1000);
    let report = examine(lab.command("doctor"), 3);
    check(&report, "cache writes", &["failed", "full", "raise maxmemory"]);
}

#[test]
fn a_cache_that_cannot_save_takes_no_writes() {
    let (database, redis) = (shop::database(Dialect::Sqlite), Redis::start(&["--save", "3600 1"]));
    // The dump cannot take the place of a folder.
    fs::create_dir(redis.ca_file().with_file_name("dump.rdb")).unwrap();
    redis.cli(&["BGSAVE"]);
    let since = Instant::now();
    while !redis.cli(&["INFO", "persistence"]).contains("last_bgsave_status:err") {
        assert!(since.elapsed() < Duration::from_mins(1), "the save does not fail");
        thread::sleep(Duration::from_millis(20));
    }
    let doctor = shopwarm("doctor").database(database.url()).cache(redis.url());
    let report = examine(doctor, 3);
    check(&report, "cache writes", &["failed", "MISCONF"]);
    check(&report, "cache persistence", &["warning", "rdb_last_bgsave_status is err"]);
}

#[test]
fn each_server_is_tried_once() {
    let lab = Lab::shop(Dialect::Postgres);
    let database = FaultProxy::to(lab.database.port());
    let cache = FaultProxy::to(lab.redis.port());
    let doctor = || {
        let cache = format!("redis://127.0.0.1:{}", cache.port());
        let doctor = shopwarm("doctor").cache(cache);
        doctor.database(lab.database.url_via(database.port()))
    };
    examine(doctor(), 0);
    // One session finds out whether there is a pooler. One connection checks the cache, and is not
    // used again.
    let (sessions, connections) = (database.accepted(), cache.accepted());
    assert!(sessions <= 2 && connections <= 2, "{sessions} {connections}");
    database.refuse();
    cache.refuse();
    examine(doctor(), 6);
    assert_eq!((database.accepted(), cache.accepted()), (sessions + 1, connections + 1));
}

#[test]
fn permissions_are_asked_for_with_the_prefix() {
    let lab = Lab::shop(Dialect::Sqlite);
    lab.redis.cli(&["ACL", "SETUSER", "warm", "on", ">hunter2", "+@all", "~eu:*"]);
    let url = lab.redis.url().replace("redis://", "redis://warm:hunter2@");
    let report = examine(lab.command("doctor --prefix eu:").cache(&url), 0);
    check(&report, "cache permissions", &["ok: "]);
    let report = examine(lab.command("doctor --prefix us:").cache(&url), 7);
    let words = ["failed", "catalog/hot-products", "~us:Product:id:*"];
    some_check(&report, "cache permissions", &words);
    some_check(&report, "cache permissions", &["warning", "the record", "~us:shopwarm:*"]);
    untouched(&lab.redis);
}

#[test]
fn a_cluster_without_slots_is_no_cache() {
    let lab = Lab::shop(Dialect::Sqlite);
    let cluster = Redis::start(&["--cluster-enabled", "yes"]);
    let report = examine(lab.command("doctor").cache(cluster.url()), 3);
    check(&report, "cache", &["failed", "serves no keys", "--cluster create"]);
}

#[test]
fn broken_definitions_and_files_do_not_hide_the_servers() {
    let lab = Lab::shop(Dialect::Sqlite);
    let report = examine(lab.with("[context]\nnam = 1\n", "doctor"), 4);
    check(&report, "definitions", &["failed", "own.toml", "line 2"]);
    check(&report, "database", &["ok: "]);
    check(&report, "cache", &["ok: "]);

    let wrong = own(&["products"], &strategy("one", "object", "x:{id}", "SELECT id FROM users"));
    let report = examine(lab.with(&over_shipped(&wrong), "doctor"), 4);
    some_check(&report, "definitions", &["failed", "own/one", "users"]);
    assert!(checks(&report, "definitions").iter().all(|check| check.starts_with("failed")));
    check(&report, "other definitions", &["ok: 7 strategies"]);
    check(&report, "catalog/hot-products", &["ok: "]);

    let wrong = own(
        &["products"],
        &strategy("one", "object", "x:{id}", "SELECT id, nothing FROM products"),
    );
    let report = examine(lab.with(&over_shipped(&wrong), "doctor"), 4);
    check(&report, "own/one", &["failed", "nothing"]);
    check(&report, "catalog/hot-products", &["ok: "]);

    let urls =
        format!("database_url = {:?}\ncache_url = {:?}\n", lab.database.url(), lab.redis.url());
    for broken in ["batch_sise = 3", "batch_size = 0"] {
        let (_dir, path) = file("shopwarm.toml", &format!("{urls}{broken}\n"));
        let report = examine(shopwarm("doctor --config").arg(&path), 4);
        check(&report, "database", &["ok: "]);
        check(&report, "cache", &["ok: "]);
    }
    let twice = format!("{urls}database_url_file = \"/nowhere\"\n");
    let (_dir, path) = file("shopwarm.toml", &twice);
    let report = examine(shopwarm("doctor --config").arg(&path), 4);
    check(&report, "configuration", &["failed", "are both given"]);
    check(&report, "cache", &["ok: "]);
    let doctor = shopwarm("doctor --database-url-file /nowhere").cache(lab.redis.url());
    let report = examine(doctor, 4);
    some_check(&report, "configuration", &["failed", "/nowhere"]);
    check(&report, "cache", &["ok: "]);
}

#[test]
fn a_strategy_that_may_not_be_read_is_a_refusal() {
    let lab = Lab::shop(Dialect::Postgres);
    lab.database.sql("REVOKE ALL ON orders FROM shop, public; ALTER TABLE orders OWNER TO admin");
    let report = examine(lab.command("doctor"), 7);
    check(&report, "ordering/recent-orders", &["failed", "permission denied", "GRANT SELECT"]);
    check(&report, "catalog/hot-products", &["ok: "]);
}

#[test]
fn a_missing_index_on_a_big_table_is_a_warning() {
    for dialect in DIALECTS {
        let lab = Lab::empty(dialect);
        let digits = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
             UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
        let analyze = match dialect {
            Dialect::MySql => "ANALYZE TABLE big",
            _ => "ANALYZE big",
        };
        lab.database.sql(&format!(
            "CREATE TABLE big (id INT PRIMARY KEY, sales INT NOT NULL);
             INSERT INTO big SELECT a.d + 10*b.d + 100*c.d + 1000*e.d + 10000*f.d, a.d
             FROM {digits} a, {digits} b, {digits} c, {digits} e, {digits} f WHERE f.d < 3;
             {analyze};"
        ));
        let grant = match dialect {
            Dialect::Postgres => "GRANT SELECT ON big TO shop",
            _ => "SELECT 1",
        };
        lab.database.sql(grant);
        let best = strategy("best", "object", "big:{id}", "SELECT id, sales FROM big");
        let limited = "\norder_by = \"sales DESC, id DESC\"\nlimit = 100\nsql.any";
        let definitions = own(&["big"], &best).replace("\nsql.any", limited);
        let doctor = || lab.with(&definitions, "doctor");
        let report = examine(doctor(), 0);
        check(
            &report,
            "own/best",
            &["warning", "all of big", "without an index for 100", "an index on big"],
        );
        lab.database.sql(&format!("CREATE INDEX big_sales ON big (sales, id); {analyze};"));
        let report = examine(doctor(), 0);
        check(&report, "own/best", &["ok: ", "reads by index"]);
    }
}

#[test]
fn files_with_secrets_are_for_their_owner_only() {
    let lab = Lab::shop(Dialect::Postgres);
    let (_dir, path) = file("database-url", &lab.database.url());
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let doctor = || {
        let doctor = shopwarm("doctor --database-url-file").arg(&path);
        doctor.cache(lab.redis.url())
    };
    mode(&path, 0o644);
    let report = examine(doctor(), 0);
    check(&report, "secret files", &["warning", "database-url", "mode 644", "chmod 600"]);
    mode(&path, 0o600);
    let report = examine(doctor(), 0);
    check(&report, "secret files", &["ok: "]);

    let text =
        format!("database_url = {:?}\ncache_url = {:?}\n", lab.database.url(), lab.redis.url());
    let (_dir, config) = file("shopwarm.toml", &text);
    mode(&config, 0o640);
    let report = examine(shopwarm("doctor --config").arg(&config), 0);
    check(&report, "secret files", &["warning", "shopwarm.toml", "chmod 600"]);
    check(&report, "configuration", &["shopwarm.toml"]);
    check(&report, "database URL", &["shop:***@", "shopwarm.toml"]);
}

#[test]
fn a_table_that_another_session_holds_does_not_hang_it() {
    let lab = Lab::shop(Dialect::Postgres);
    thread::scope(|scope| {
        scope.spawn(|| {
            let hold = "BEGIN; LOCK TABLE products; SELECT pg_sleep(15); ROLLBACK";
            lab.database.sql(hold);
        });
        thread::sleep(Duration::from_secs(1));
        let since = Instant::now();
        let report = examine(lab.command("doctor"), 5);
        assert!(since.elapsed() < BOUND, "{:?}", since.elapsed());
        check(&report, "database", &["ok: "]);
        check(&report, "cache", &["ok: "]);
        assert_eq!(report["worst"], "failed");
        assert!(report.to_string().contains("a lock on one of its tables"));
    });
}

#[test]
fn a_standby_is_a_replica() {
    let server = Postgres::private(&["-c", "wal_level=replica"]);
    let database = server.new_database();
    database.sql(&shop::load(Dialect::Postgres));
    server.stop();
    let signal = server.at.dir.join("data/standby.signal");
    std::fs::write(&signal, "").expect("a file");
    server.at.kind.hand_over(&signal);
    server.restart();
    let redis = Redis::start(&[]);
    let doctor = shopwarm("doctor").cache(redis.url());
    let report = examine(doctor.database(database.url()), 0);
    check(&report, "database role", &["replica"]);
    check(&report, "database session", &["read-only"]);
    // A standby is a good place to read from.
    let dry_run = shopwarm("dry-run -o json").cache(redis.url());
    let seen = dry_run.database(database.url()).run().expect(0).json();
    assert_eq!(seen["totals"]["missing"], seen["totals"]["keys"]);
    // To know what changes meanwhile it is none.
    check(&report, "protection", &["warning", "a replica", "--primary-url"]);
    let warmup = shopwarm("warmup all -o json").cache(redis.url());
    let report = warmup.database(database.url()).run().expect(0).json();
    for strategy in report["strategies"].as_array().expect("strategies") {
        assert_eq!(strategy["protected"], false);
        let because = strategy["unprotected_because"].as_str().expect("a reason");
        assert!(because.contains("replica"), "{because}");
    }
}

#[test]
fn what_the_lock_and_the_history_need_is_asked_for() {
    let lab = Lab::shop(Dialect::Sqlite);
    let rules = "+@all -eval -pexpire -lpush -ltrim -lrange ~*";
    let mut acl = vec!["ACL", "SETUSER", "warm", "on", ">hunter2"];
    acl.extend(rules.split(' '));
    lab.redis.cli(&acl);
    let url = lab.redis.url().replace("redis://", "redis://warm:hunter2@");
    let report = examine(lab.command("doctor").cache(&url), 0);
    let words = [
        "warning",
        "EVAL, PEXPIRE for the lock that keeps runs apart",
        "LPUSH, LTRIM, PEXPIRE, LRANGE for the history of runs",
        "+ltrim",
    ];
    check(&report, "cache permissions", &words);

    lab.redis.cli(&["ACL", "SETUSER", "warm", "+@all", "-lpush"]);
    let report = examine(lab.command("doctor").cache(&url), 0);
    let words = ["warning", "denied (optional): LPUSH for the history", "+lpush"];
    check(&report, "cache permissions", &words);

    lab.redis.cli(&["ACL", "SETUSER", "warm", "+@all"]);
    let report = examine(lab.command("doctor").cache(&url), 0);
    check(&report, "cache permissions", &["ok: "]);
    untouched(&lab.redis);
}

/// What a query reads in vain, a plan does not say: the last run does.
#[test]
fn a_scan_of_a_big_table_says_what_it_cost() {
    let lab = Lab::empty(Dialect::Sqlite);
    lab.database.sql(
        "CREATE TABLE big (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); \
         WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 120000) \
         INSERT INTO big SELECT x, x % 7 FROM c",
    );
    let most = "SELECT * FROM (SELECT 'n' AS _of, sum(n) AS n FROM big) most";
    let every = "SELECT id, n FROM big";
    let definitions = own(
        &["big"],
        &(strategy("most", "object", "Most:{_of}", most)
            + &strategy("every", "object", "B:{id}", every)),
    );
    let doctor = || examine(lab.with(&definitions, "doctor"), 0);
    let before = doctor();
    let reads = "reads all of big (~120,000 rows)";
    check(&before, "own/most", &["ok: ", reads]);
    lab.warm(&definitions).expect(0);
    let after = doctor();
    check(
        &after,
        "own/most",
        &["warning: ", reads, "; the last run took ", "s for 1 key", "LIMIT"],
    );
    // Every row is wanted.
    check(&after, "own/every", &["ok: ", "s for 120,000 keys"]);
    // What a run with a limit did not store says nothing.
    lab.with(&definitions, "warmup all -q --limit 5").run().expect(0);
    check(&doctor(), "own/every", &["ok: ", "s for 120,000 keys"]);
}

#[test]
fn what_was_not_checked_is_not_ok() {
    let lab = Lab::empty(Dialect::Postgres);
    lab.database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let slow = strategy(
        "slow",
        "object",
        "S:{id}",
        "SELECT id FROM t WHERE (SELECT count(*) FROM generate_series(1, 30000000)) > 0",
    );
    let report = examine(lab.with(&own(&["t"], &slow), "doctor"), 0);
    let words = ["warning: sample not checked: the query took longer than 1 s"];
    some_check(&report, "own/slow", &words);
}
