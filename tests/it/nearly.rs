//! Servers that are nearly MySQL or PostgreSQL.

use crate::support::faults::warm;
use crate::support::items::{ROWS, Shop, total};
use crate::support::lab::{Lab, own, strategy};
use crate::support::rewriting::{Edit, as_it_is, replace, rewriting};
use crate::support::servers::{Dialect, HaProxy, MariaDb, Postgres};
use crate::support::shopwarm::shopwarm;

/// MySQL 9 has VECTOR: here the type of a column is changed, which comes after its name twice and 6 bytes.
#[test]
fn a_type_that_the_driver_does_not_know_is_a_definition_error() {
    const COLUMN: &[u8] = b"\x09embedding\x09embedding\x0c";
    const VECTOR: u8 = 0xf2;
    let change_type = |said: &mut [u8]| {
        if let Some(at) = said.windows(COLUMN.len()).position(|part| part == COLUMN) {
            said[at + COLUMN.len() + 6] = VECTOR;
        }
    };
    let lab = Lab::empty(Dialect::MySql);
    lab.database.sql("CREATE TABLE t (id int PRIMARY KEY, embedding varchar(9))");
    let port = rewriting(lab.database.port(), as_it_is, change_type);
    let url = lab.database.url_via(port) + "?ssl-mode=DISABLED";
    let rows = strategy("t", "object", "t:{id}", "SELECT * FROM t");
    let run = lab.with(&own(&["t"], &rows), "warmup context own -o json");
    let run = run.database(url).run().expect(4);
    assert!(run.stderr.contains("has the type number 0xf2"), "{}", run.stderr);
    assert!(run.stderr.contains("own/t"), "{}", run.stderr);
}

/// TiDB refuses read-only transactions with error 1235. Here a word that does not exist gives error 1064.
#[test]
fn a_mysql_without_read_only_transactions_is_read() {
    let shop = Shop::new(MariaDb::database(), "concat('item:', id)");
    let port = rewriting(
        shop.database.port(),
        |said| replace(said, b"READ ONLY", b"READ OMLY"),
        |said| replace(said, b"\xff\x28\x04#42000", b"\xff\xd3\x04#42000"),
    );
    let url = shop.database.url_via(port) + "?ssl-mode=DISABLED";
    let run = warm(&shop.contexts, url, shop.redis.url()).run().expect(0);
    assert_eq!(total(&run, "warmed"), ROWS);
    assert_eq!(shop.is_true(), shop.rows());
}

/// CockroachDB has no binary cursors, and says so with 0A000. Here such a word is a syntax error.
#[test]
fn a_postgresql_without_binary_cursors_is_read() {
    let shop = Shop::new(Postgres::database(), "'item:' || id");
    shop.define("'items'", "SELECT DISTINCT id, v FROM items");
    let port = rewriting(
        shop.database.port(),
        |said| replace(said, b"BINARY NO SCROLL", b"BINARI NO SCROLL"),
        |said| replace(said, b"C42601\0", b"C0A000\0"),
    );
    let run = warm(&shop.contexts, shop.database.url_via(port), shop.redis.url()).run().expect(0);
    assert_eq!(total(&run, "warmed"), ROWS);
    assert_eq!(shop.is_true(), shop.rows());
}

/// ProxySQL answers this question itself. Its error 9006 comes when its rules lead one session to several
/// groups of servers.
#[test]
fn proxysql_is_named() {
    let shop = Shop::new(MariaDb::database(), "concat('item:', id)");
    let url = |to_server, to_client| {
        let port = rewriting(shop.database.port(), to_server, to_client);
        shop.database.url_via(port) + "?ssl-mode=DISABLED"
    };
    let comment: Edit = |said| {
        let (asked, answered) =
            ("select @@version_comment limit 1", "select '(ProxySQL)' limit 1     ");
        replace(said, asked.as_bytes(), answered.as_bytes());
    };
    let doctor = shopwarm("doctor").contexts(&shop.contexts).cache(shop.redis.url());
    let said = doctor.database(url(comment, as_it_is)).run().stdout;
    assert!(said.contains("ProxySQL") && said.contains("fast_forward"), "{said}");
    let url = url(
        |said| replace(said, b"FROM items", b"FORM items"),
        |said| replace(said, b"\xff\x28\x04#42000", b"\xff\x2e\x23#42000"),
    );
    let run = warm(&shop.contexts, url, shop.redis.url()).run().expect(4);
    assert!(run.stderr.contains("ProxySQL's rules"), "{}", run.stderr);
}

/// A run that writes slowly leaves its sessions idle for longer than the proxy likes.
#[test]
fn sessions_that_a_proxy_closes_when_idle_are_opened_again() {
    for (database, key) in
        [(Postgres::database(), "'item:' || id"), (MariaDb::database(), "concat('item:', id)")]
    {
        let shop = Shop::new(database, key);
        let proxy = HaProxy::closing_idle(shop.database.port(), "700ms");
        let run = warm(&shop.contexts, shop.database.url_via(proxy.port()), shop.redis.url());
        let run = run.args("--rate 900").run().expect(0);
        assert_eq!(run.json()["outcome"], "complete");
        assert_eq!(total(&run, "warmed"), ROWS);
        assert_eq!(shop.is_true(), shop.rows());
    }
}
