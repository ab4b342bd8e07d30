//! What the database server is to others: primary, replica, or not known. A question that the server
//! does not answer is never taken for "primary".

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::lab::{own, strategy};
use crate::support::servers::{Database, Dialect, MariaDb, PATIENCE, Postgres, Redis};
use crate::support::shop;
use crate::support::shopwarm::{Finished, file, shopwarm};

/// A MariaDB primary and a replica of it that takes writes, as is the default.
struct Pair {
    primary: Database,
    replica: Database,
    // Before their servers are dropped.
    servers: [MariaDb; 2],
}

impl Pair {
    fn start() -> Pair {
        let primary = MariaDb::private(&["--server-id=1", "--log-bin=@DIR@/data/changes"]);
        let replica = MariaDb::private(&["--server-id=2", "--skip-slave-start"]);
        primary.run(
            "CREATE USER copy@'%' IDENTIFIED BY 'copy-secret';
             GRANT REPLICATION SLAVE ON *.* TO copy@'%'",
        );
        let shop = primary.new_database();
        shop.sql(
            "CREATE TABLE t (id int PRIMARY KEY, stock int, version int, updated_at timestamp(6));
             INSERT INTO t SELECT seq, 0, 1, now(6) FROM seq_1_to_20",
        );
        let copy = replica.database_named(shop.name());
        Pair { primary: shop, replica: copy, servers: [primary, replica] }
    }

    /// Lets the replica replicate through a channel; `` is the one without a name.
    fn replicate(&self, channel: &str) {
        self.servers[1].run(&format!(
            "CHANGE MASTER '{channel}' TO master_host = '127.0.0.1', master_port = {},
                 master_user = 'copy', master_password = 'copy-secret', master_ssl = 0;
             START SLAVE '{channel}'",
            self.servers[0].port()
        ));
        let rows = "SELECT count(*) FROM t";
        patiently(|| self.replica.try_query(rows).is_ok_and(|rows| rows == "20"));
    }
}

#[track_caller]
fn patiently(mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < PATIENCE, "it does not become so");
        thread::sleep(Duration::from_millis(20));
    }
}

fn definitions() -> String {
    let sql = "SELECT id, stock, version AS _version, updated_at AS _changed_at FROM t";
    own(&["t"], &strategy("stock", "object", "T:{id}", sql))
}

/// `shopwarm ARGUMENTS` for the strategy `own/stock`.
fn run(url: &str, redis: &Redis, arguments: &str) -> Finished {
    let (_dir, contexts) = file("own.toml", &definitions());
    let run = shopwarm(arguments).database(url).cache(redis.url());
    run.contexts(&contexts).run()
}

fn warm(url: &str, redis: &Redis, more: &str) -> Finished {
    run(url, redis, &format!("warmup context own -o json {more}")).expect(0)
}

/// What `doctor` says under a name.
fn says(url: &str, redis: &Redis, name: &str, more: &str) -> String {
    let report = run(url, redis, &format!("doctor -o json {more}")).json();
    let all = report["checks"].as_array().expect("a list");
    let found = all.iter().find(|check| check["check"] == name);
    let text = |field: &str| found.map_or("", |check| check[field].as_str().unwrap_or_default());
    format!("{}: {} → {}", text("level"), text("text"), text("hint"))
}

#[track_caller]
fn is_protected(run: &Finished) -> Result<(), String> {
    let strategy = run.strategy("own/stock");
    let because = strategy["unprotected_because"].as_str();
    assert_eq!(strategy["protected"], because.is_none(), "{strategy:#}");
    because.map_or(Ok(()), |because| Err(because.to_owned()))
}

#[track_caller]
fn holds(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
}

#[test]
fn a_replica_is_known_to_a_user_that_may_not_ask() {
    let pair = Pair::start();
    let redis = Redis::start(&[]);
    let (primary, replica) = (pair.primary.url(), pair.replica.url());
    let role = |more: &str| says(&replica, &redis, "database role", more);
    pair.replicate("");
    holds(&role(""), &["ok: replica", "lacks the privilege", "REPLICA MONITOR"]);
    holds(
        &says(&replica, &redis, "protection", ""),
        &["warning: the database is a replica", "--primary-url"],
    );
    let because = is_protected(&warm(&replica, &redis, "")).expect_err("a replica");
    holds(&because, &["is a replica"]);
    // How far behind it is nobody says: nothing can be left out.
    let again = warm(&replica, &redis, "--changed").strategy("own/stock");
    assert_eq!(again["read"], "full", "{again:#}");
    holds(again["read_why"].as_str().expect("why"), &["its lag is unknown", "lacks the privilege"]);
    // The primary is known, and tells.
    holds(&says(&primary, &redis, "database role", ""), &["ok: primary"]);
    assert_eq!(is_protected(&warm(&primary, &redis, "")), Ok(()));
    let named = format!("--primary-url {primary}");
    assert_eq!(is_protected(&warm(&replica, &redis, &named)), Ok(()));

    // It has stopped, and is as far behind as one likes.
    pair.servers[1].run("STOP SLAVE SQL_THREAD");
    pair.primary.sql("UPDATE t SET stock = 5, version = 2");
    holds(&role(""), &["warning: not known", "has replicated"]);
    let because = is_protected(&warm(&replica, &redis, "")).expect_err("a replica");
    holds(&because, &["does not say whether it is a replica"]);
    holds(&redis.cli(&["GET", "T:1"]), &["\"stock\":0"]);
    holds(&warm(&replica, &redis, "--changed").stdout, &["it may be a replica"]);

    // Who may ask is told.
    pair.servers[1].run("GRANT REPLICA MONITOR ON *.* TO shop@'%'");
    holds(&role(""), &["ok: replica", "does not replicate now"]);
    pair.servers[1].run("START SLAVE SQL_THREAD");
    patiently(|| role("").contains("replica, 0.0 s behind"));
}

#[test]
fn a_replica_of_a_named_channel_is_one() {
    let pair = Pair::start();
    let redis = Redis::start(&[]);
    pair.replicate("other");
    // The administrator may ask, and the default channel is empty.
    let role = says(&pair.replica.admin_url(), &redis, "database role", "");
    holds(&role, &["ok: replica", "s behind"]);
    let role = says(&pair.replica.url(), &redis, "database role", "");
    holds(&role, &["ok: replica", "lacks the privilege"]);
}

#[test]
fn a_server_that_was_a_replica_is_taken_for_the_primary_where_it_is_named() {
    let pair = Pair::start();
    let redis = Redis::start(&[]);
    pair.replicate("");
    pair.servers[1].run("STOP SLAVE; RESET SLAVE ALL");
    let url = pair.replica.url();
    holds(&says(&url, &redis, "database role", ""), &["warning: not known", "REPLICA MONITOR"]);
    assert!(is_protected(&warm(&url, &redis, "")).is_err());
    let named = format!("--primary-url {url}");
    holds(&says(&url, &redis, "protection", &named), &["ok: "]);
    assert_eq!(is_protected(&warm(&url, &redis, &named)), Ok(()));
    let admin = pair.replica.admin_url();
    holds(&says(&admin, &redis, "database role", ""), &["ok: primary"]);
    assert_eq!(is_protected(&warm(&admin, &redis, "")), Ok(()));
}

/// Of the shop's strategies: none is protected, for a reason with these words.
#[track_caller]
fn none_is_protected(database: &Database, redis: &Redis, words: &[&str]) {
    let run = shopwarm("warmup all -o json").cache(redis.url());
    let report = run.database(database.url()).run().expect(0).json();
    for strategy in report["strategies"].as_array().expect("strategies") {
        assert_eq!(strategy["protected"], Value::from(false));
        holds(strategy["unprotected_because"].as_str().unwrap(), words);
    }
}

#[track_caller]
fn doctor_says(url: &str, redis: &Redis, more: &str, name: &str, words: &[&str]) {
    let run = shopwarm("doctor -o json").args(more).cache(redis.url());
    let report = run.database(url).run().json();
    let all = report["checks"].as_array().expect("a list");
    let found = all.iter().find(|check| check["check"] == name);
    holds(&found.expect("the check").to_string(), words);
}

#[test]
fn a_server_that_takes_no_writes_is_not_called_primary() {
    let server = MariaDb::private(&["--read-only"]);
    let database = server.new_database();
    database.sql(&shop::load(Dialect::MySql));
    let redis = Redis::start(&[]);
    // Whoever may ask is told that it replicates from nowhere; that does not make it the primary.
    for url in [database.url(), database.admin_url()] {
        let words = ["refuses writes", "read_only is on", "standby reader"];
        doctor_says(&url, &redis, "", "database role", &words);
        let words = ["warning", "refuses writes", "--primary-url"];
        doctor_says(&url, &redis, "", "protection", &words);
        let named = format!("--primary-url {url}");
        let words = ["warning", "--primary-url names", "refuses writes"];
        doctor_says(&url, &redis, &named, "protection", &words);
    }
    none_is_protected(&database, &redis, &["refuses writes"]);
    database.sql("SET GLOBAL read_only = 0");
    doctor_says(&database.url(), &redis, "", "database role", &["primary"]);
}

#[test]
fn a_reader_whose_storage_takes_no_writes_is_not_called_primary() {
    let server = MariaDb::private(&["--innodb-read-only"]);
    let redis = Redis::start(&[]);
    let url = format!("mysql://admin:admin-secret@127.0.0.1:{}/mysql", server.port());
    let words = ["refuses writes", "innodb_read_only is on"];
    doctor_says(&url, &redis, "", "database role", &words);
}

#[test]
fn a_postgres_whose_sessions_begin_read_only_is_not_called_primary() {
    let server = Postgres::private(&[]);
    let database = server.new_database();
    database.sql(&shop::load(Dialect::Postgres));
    let redis = Redis::start(&[]);
    let url = database.url();
    // What a user of ours is limited to says nothing of the server.
    database.sql("ALTER ROLE shop SET default_transaction_read_only = on");
    doctor_says(&url, &redis, "", "database role", &["ok", "primary"]);
    database.sql(
        "ALTER ROLE shop RESET default_transaction_read_only;
         ALTER SYSTEM SET default_transaction_read_only = on",
    );
    database.sql("SELECT pg_reload_conf()");
    patiently(|| database.query("SHOW default_transaction_read_only") == "on");
    let words = ["refuses writes", "default_transaction_read_only is on"];
    doctor_says(&url, &redis, "", "database role", &words);
    none_is_protected(&database, &redis, &["refuses writes"]);
}

/// A pooler that spreads queries over standbys sends a query to the primary where it calls a function
/// that may not be run anywhere else, as the question for the role does.
#[test]
fn what_is_looked_up_again_goes_where_the_role_was_asked() {
    let server = Postgres::private(&["-c", "log_statement=all"]);
    let database = server.new_database();
    database
        .sql("CREATE TABLE t (id int PRIMARY KEY, stock int, version int, updated_at timestamptz)");
    database.sql("INSERT INTO t SELECT n, 0, 1, now() FROM generate_series(1, 20) n");
    let redis = Redis::start(&[]);
    assert_eq!(is_protected(&warm(&database.url(), &redis, "")), Ok(()));
    // In one stream, with a look at each key.
    assert_eq!(is_protected(&warm(&database.url(), &redis, "--limit 20")), Ok(()));
    let log = server.log();
    let ours: Vec<&str> = log.split("/* shopwarm own/stock */").skip(1).collect();
    let lookups: Vec<&str> = ours.iter().copied().filter(|q| q.contains("= ANY")).collect();
    assert!(!lookups.is_empty(), "{log}");
    // A portion, and the count that verifies it.
    let portions = ours.into_iter().filter(|query| query.contains("_shopwarm_place >= "));
    let (counts, reads): (Vec<&str>, Vec<&str>) = portions.partition(|q| q.contains("count(*)"));
    assert!(!counts.is_empty() && !reads.is_empty(), "{log}");
    for query in counts.into_iter().chain(reads).chain(lookups) {
        assert!(query.contains("(SELECT pg_is_in_recovery()) IS NOT NULL"), "{query}");
    }
}
