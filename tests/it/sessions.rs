//! Sessions are ours: no default of the server's changes what is stored.

use std::fmt::Write as _;

use crate::support::faults::until;
use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::MariaDb;
use crate::support::shopwarm::finish;

const TABLES: &str = "
    SET NAMES utf8mb4; SET time_zone = '+00:00';
    CREATE TABLE t (id int PRIMARY KEY, code char(8), at datetime, ts timestamp NULL,
        name varchar(99) CHARACTER SET utf8mb4, price decimal(10,2), body text);
    INSERT INTO t SELECT seq, 'ab', '2026-05-03 10:00:00', '2026-05-03 10:00:00', 'Pizza 🍕\\n',
        seq, CONCAT(REPEAT('x', 100), 1000 - seq) FROM seq_1_to_400;
    CREATE TABLE h (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING;
    INSERT INTO h VALUES (1, 1)";

/// Strategies, each of which some setting of a server's changes.
fn definitions() -> String {
    let rows = "SELECT id, code, name, price / 3 AS third, DATE_FORMAT(at, '%M %W') AS day, \
        WEEK(at) AS week, ts, name REGEXP '^Pizza.{3}$' AS fits, \
        CAST(TIME '10:00:00' AS DATETIME) > '2000-01-01' AS today FROM t";
    let deep = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900) \
        SELECT 1 AS _k, COUNT(*) AS n FROM n";
    [
        strategy("rows", "object", "r:{id}", rows),
        strategy("list", "list", "l", "SELECT id, body AS _body FROM t") + "order_by = \"_body\"",
        strategy(
            "whole",
            "object",
            "g:{_k}",
            "SELECT 1 AS _k, GROUP_CONCAT(id ORDER BY id) AS ids FROM t",
        ),
        strategy("deep", "object", "d:{_k}", deep),
        strategy("join", "object", "j:{_k}", "SELECT 1 AS _k, COUNT(*) AS n FROM t a, t b"),
        strategy("history", "object", "h:{id}", "SELECT id, v FROM h"),
        strategy("nulls", "list", "n", "SELECT id FROM t WHERE id IS NULL OR id = 1"),
    ]
    .concat()
}

/// Every key with its value, after a run that was complete.
fn stored(lab: &Lab) -> String {
    stored_from(lab, lab.database.url())
}

fn stored_from(lab: &Lab, url: String) -> String {
    lab.redis.cli(&["FLUSHALL"]);
    let run = lab.with(&own(&["t", "h"], &definitions()), "warmup context own -o json");
    run.database(url).run().expect(0);
    let keys = lab.keys();
    let mut all = String::new();
    for (key, value) in keys.iter().zip(lab.get_all(&keys)) {
        let _ = writeln!(all, "{key} {value}");
    }
    all
}

/// Each default of the server's that can change what a SELECT returns, with an odd value.
const ODD: [(&str, &str); 24] = [
    ("autocommit", "0"),
    ("completion_type", "'RELEASE'"),
    ("default_regex_flags", "'DOTALL'"),
    ("default_week_format", "3"),
    ("div_precision_increment", "1"),
    ("group_concat_max_len", "20"),
    ("lc_time_names", "'de_DE'"),
    ("max_error_count", "0"),
    ("max_join_size", "10"),
    ("max_recursive_iterations", "5"),
    ("max_sort_length", "64"),
    ("max_statement_time", "0.001"),
    ("old_mode", "'ZERO_DATE_TIME_CAST'"),
    ("query_cache_type", "1"),
    ("sql_auto_is_null", "1"),
    ("sql_buffer_result", "1"),
    ("sql_mode", "'PAD_CHAR_TO_FULL_LENGTH'"),
    ("sql_select_limit", "7"),
    ("standard_compliant_cte", "0"),
    ("system_versioning_asof", "'2001-01-01'"),
    ("time_zone", "'+05:30'"),
    ("tx_isolation", "'SERIALIZABLE'"),
    ("tx_read_only", "1"),
    ("collation_server", "'latin1_bin'"),
];

#[test]
fn no_default_of_the_server_changes_what_is_stored() {
    let server = MariaDb::private(&[]);
    let lab = Lab::on(server.new_database());
    lab.database.sql(TABLES);
    let expected = stored(&lab);
    assert!(expected.contains("Pizza 🍕") && expected.contains("d:1 {\"n\":900}"), "{expected}");
    for (name, odd) in ODD {
        let usual = lab.database.query(&format!("SELECT QUOTE(@@GLOBAL.{name})"));
        let is_number = usual.trim_matches('\'').parse::<f64>().is_ok();
        let usual = if is_number { usual.trim_matches('\'') } else { &usual };
        let usual = if name == "system_versioning_asof" { "DEFAULT" } else { usual };
        lab.database.sql(&format!("SET GLOBAL {name} = {odd}"));
        assert_eq!(stored(&lab), expected, "{name}");
        lab.database.sql(&format!("SET GLOBAL {name} = {usual}"));
    }
    // What a user that is no administrator is set to when it connects.
    for set in [
        "SET NAMES latin1",
        "SET collation_connection = latin1_bin, character_set_results = latin1",
        "SET sql_select_limit = 7, group_concat_max_len = 20, timestamp = 1",
        "SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH,ANSI_QUOTES,PIPES_AS_CONCAT'",
        "SET SESSION TRANSACTION READ WRITE; SET time_zone = '+05:30', autocommit = 0",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT",
    ] {
        lab.database.sql(&format!("SET GLOBAL init_connect = \"{set}\""));
        assert_eq!(stored(&lab), expected, "{set}");
    }
}

/// A table without an integer as its primary key refuses the query for its portions.
#[test]
fn a_query_that_is_refused_does_not_cost_its_session() {
    let server = MariaDb::private(&[]);
    let lab = Lab::on(server.new_database());
    lab.database.sql("CREATE TABLE t (code char(8)); INSERT INTO t VALUES ('a'), ('b')");
    let sessions =
        || lab.database.query("SELECT CONNECTION_ID()").parse::<u64>().expect("a number");
    let all: String = (0..20)
        .map(|i| {
            strategy(&format!("s{i}"), "object", &format!("k{i}:{{code}}"), "SELECT code FROM t")
        })
        .collect();
    let before = sessions();
    lab.warm(&own(&["t"], &all)).expect(0);
    let opened = sessions() - before - 1;
    assert!(opened <= 10, "{opened} sessions for 20 strategies");
}

/// Here each session may hold all statements that the server allows. If one was kept after error 1461, no
/// later strategy could prepare anything.
#[test]
fn a_session_without_statements_left_is_closed() {
    let server = MariaDb::private(&[]);
    let lab = Lab::on(server.new_database());
    lab.database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
    let query =
        |i| strategy(&format!("s{i}"), "object", &format!("k{i}:{{id}}"), "SELECT id FROM t");
    let all: String = (0..30).map(query).collect();
    lab.database.sql("SET GLOBAL max_prepared_stmt_count = 60");
    let run = lab.warm(&own(&["t"], &all)).json();
    lab.database.sql("SET GLOBAL max_prepared_stmt_count = 16382");
    let all = run["strategies"].as_array().expect("a list");
    let status: String =
        all.iter().map(|one| if one["status"] == "completed" { '.' } else { 'F' }).collect();
    assert!(status.contains("F."), "{status}");
}

/// A session that sees the past would take every row for unchanged.
#[test]
fn a_row_that_changes_is_seen_whatever_sessions_begin_with() {
    let server = MariaDb::private(&[]);
    for default in [
        "SET GLOBAL autocommit = 0",
        "SET GLOBAL init_connect = 'SET autocommit = 0'",
        "SET GLOBAL init_connect = 'START TRANSACTION WITH CONSISTENT SNAPSHOT'",
    ] {
        let database = server.new_database();
        database.sql(
            "CREATE TABLE t (id int PRIMARY KEY, stock int, v int);
             INSERT INTO t SELECT seq, 0, 1 FROM seq_1_to_12000",
        );
        database.sql(default);
        nothing_of_the_past_is_left(Lab::on(database), default);
    }
}

fn nothing_of_the_past_is_left(lab: Lab, default: &str) {
    let rows = strategy("t", "object", "t:{id}", "SELECT id, stock, v AS _version FROM t");
    let run = lab.with(&own(&["t"], &rows), "warmup context own -o json --rate 4k");
    let child = run.start();
    let size = || lab.redis.cli(&["DBSIZE"]).parse::<u64>().expect("a number");
    until("keys are stored", || size() > 1500);
    // As the shop does it: the row, then its key.
    lab.database.sql("SET autocommit = 1; UPDATE t SET stock = 5, v = v + 1");
    let script = "for _, key in ipairs(redis.call('KEYS', 't:*')) do redis.call('DEL', key) end";
    lab.redis.cli(&["EVAL", script, "0"]);
    finish(child).expect(0);
    lab.database.sql("SET GLOBAL autocommit = 1; SET GLOBAL init_connect = ''");
    let keys: Vec<String> = lab.keys();
    assert!(keys.len() > 1000, "{default}: the change came too late");
    let stale = lab.get_all(&keys);
    let stale = stale.iter().filter(|value| value.contains("\"stock\":0"));
    assert_eq!(stale.count(), 0, "{default}: of {} keys", keys.len());
}

#[test]
fn no_parameter_of_the_url_changes_what_is_stored() {
    let lab = Lab::on(MariaDb::database());
    lab.database.sql(TABLES);
    let expected = stored(&lab);
    for parameters in [
        "charset=utf8",
        "charset=latin1&collation=latin1_swedish_ci",
        "timezone=%2B05:30",
        "time-zone=%2B05:30&serverVersion=10.11&parseTime=true",
    ] {
        let url = format!("{}?{parameters}", lab.database.url());
        let all = stored_from(&lab, url);
        assert_eq!(all, expected, "{parameters}");
    }
    let url = format!("{}?sslMode=REQUIRED", lab.database.url());
    let run = lab.command("doctor").database(url).run();
    assert!(run.stderr.contains("`sslMode`") || run.stdout.contains("`sslMode`"), "{run:?}");
    assert_eq!(run.code, 4);
}

/// What the text of the SQL means is the server's business, as it is for the shop.
#[test]
fn operators_mean_what_the_server_says() {
    let server = MariaDb::private(&[]);
    let lab = Lab::on(server.new_database());
    lab.database
        .sql("CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t VALUES (1, 0, 1)");
    let hot = strategy("t", "object", "t:{id}", "SELECT id, a || b AS hot FROM t");
    let hot = own(&["t"], &hot);
    lab.warm(&hot).expect(0);
    assert_eq!(lab.get("t:1"), r#"{"id":1,"hot":1}"#);
    lab.database.sql("SET GLOBAL sql_mode = 'PIPES_AS_CONCAT'");
    lab.warm(&hot).expect(0);
    assert_eq!(lab.get("t:1"), r#"{"id":1,"hot":"01"}"#);
}

/// Where `"x"` is a name, as it is not for who checks the definitions, no foreign table is read.
#[test]
fn quotes_that_name_things_do_not_hide_a_table() {
    let server = MariaDb::private(&["--sql-mode=ANSI_QUOTES"]);
    let lab = Lab::on(server.new_database());
    lab.database.sql(
        "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 2);
         CREATE TABLE secret (id int PRIMARY KEY, a int); INSERT INTO secret VALUES (1, 42)",
    );
    for sql in [
        "SELECT id, a FROM \"secret\"",
        "SELECT id, (SELECT a FROM \"secret\") AS a FROM t",
        "SELECT id, a FROM t UNION SELECT id, a FROM \"secret\"",
        "SELECT t.id, \"secret\".a FROM t JOIN \"secret\"",
        "WITH \"t\" AS (SELECT * FROM \"secret\") SELECT id, a FROM t",
        "SELECT id, \"a\\\" FROM t UNION SELECT id, a FROM secret -- \"",
        "SELECT id, \"load_file\"('/etc/hostname') AS a FROM t",
    ] {
        let run = lab.warm(&own(&["t"], &strategy("t", "object", "t:{id}", sql)));
        run.expect(4);
        assert!(lab.keys().is_empty(), "{sql}");
    }
    // Of these two texts one is a name to the server.
    let named = "SELECT id, \"a\" \" FROM t UNION SELECT id, a FROM secret -- \" FROM t";
    lab.warm(&own(&["t"], &strategy("t", "object", "t:{id}", named))).expect(0);
    assert!(!lab.get("t:1").contains("42"));
    let fine = strategy("t", "object", "t:{id}", "SELECT id, \"a\" FROM t");
    lab.warm(&own(&["t"], &fine)).expect(0);
    assert_eq!(lab.get("t:1"), r#"{"id":1,"a":2}"#);
}

/// The server says it in a warning, and hands on what is left.
#[test]
fn what_the_server_cuts_short_is_an_error() {
    let server = MariaDb::private(&["--max-allowed-packet=1M"]);
    let lab = Lab::on(server.new_database());
    lab.database
        .sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT seq FROM seq_1_to_20");
    let deep = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 2000) \
        SELECT 1 AS _k, COUNT(*) AS n FROM n";
    for (sql, words) in [
        (
            "SELECT 1 AS _k, GROUP_CONCAT(REPEAT('x', 100000)) AS v FROM t",
            "was cut by GROUP_CONCAT()",
        ),
        (
            "SELECT 1 AS _k, JSON_ARRAYAGG(REPEAT('x', 100000)) AS v FROM t",
            "was cut by JSON_ARRAYAGG()",
        ),
        ("SELECT 1 AS _k, REPEAT('x', 2000000) AS v", "max_allowed_packet"),
        (deep, "max_recursive_iterations"),
    ] {
        let run = lab.warm(&own(&["t"], &strategy("t", "object", "t:{_k}", sql)));
        let error = run.expect(3).strategy("own/t")["error"].to_string();
        assert!(error.contains("cut the result short") && error.contains(words), "{error}");
    }
}
