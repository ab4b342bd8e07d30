//! The harness itself: servers come up, obey and go; the proxy fails as it is told to; the shop is
//! the same everywhere.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::support::proxy::FaultProxy;
use crate::support::servers::{MariaDb, Postgres, Redis};
use crate::support::shop;

#[test]
fn redis_obeys() {
    let redis = Redis::start(&["--maxmemory", "100mb"]);
    assert_eq!(redis.cli(&["SET", "a", "1"]), "OK");
    assert_eq!(redis.cli(&["GET", "a"]), "1");
    redis.pause();
    redis.resume();
    redis.kill();
    redis.restart();
    assert_eq!(redis.cli(&["DBSIZE"]), "0");
    redis.stop();
    assert!(TcpStream::connect(("127.0.0.1", redis.port())).is_err());
}

#[test]
fn redis_speaks_tls() {
    let redis = Redis::start_tls();
    assert_eq!(redis.cli(&["PING"]), "PONG");
    assert!(redis.ca_file().is_file());
}

#[test]
fn private_servers_keep_their_data() {
    let postgres = Postgres::private(&["-c", "max_connections=20"]);
    let database = postgres.new_database();
    database.sql("CREATE TABLE t (a text); INSERT INTO t VALUES ('x')");
    postgres.kill();
    postgres.restart();
    assert_eq!(database.query("SELECT a FROM t"), "x");
    assert_eq!(database.query("SHOW max_connections"), "20");
    postgres.stop();

    let mariadb = MariaDb::private(&["--max-connections=20"]);
    let database = mariadb.new_database();
    database.sql("CREATE TABLE t (a text); INSERT INTO t VALUES ('x')");
    mariadb.stop();
    mariadb.restart();
    assert_eq!(database.query("SELECT a, @@max_connections FROM t"), "x\t20");
    mariadb.kill();
}

#[test]
fn the_shop_is_the_same_everywhere() {
    let [postgres, mysql, sqlite] = shop::DIALECTS.map(|dialect| {
        let database = shop::database(dialect);
        let products = database.query(
            "SELECT id, name, description, sku, stock, sales_count, category_id, version
             FROM products WHERE is_active AND deleted_at IS NULL AND id <> 'prod-0006'
             ORDER BY sales_count DESC, id DESC",
        );
        let orders = database.query("SELECT id FROM orders ORDER BY created_at DESC, id DESC");
        // The clients spell NULL and control characters each in their way.
        let control = database
            .query("SELECT length(name), length(description) FROM products WHERE id = 'prod-0006'");
        [products.replace("NULL", ""), control, orders].join("\n")
    });
    assert_eq!(postgres.lines().count(), 119 + 3 + 1 + 60);
    assert!(postgres == mysql && postgres == sqlite);
}

#[test]
fn the_proxy_cuts_where_it_is_told() {
    let proxy = FaultProxy::to(echo());
    let talk = |bytes: usize| {
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        let _ = stream.write_all(&vec![b'x'; bytes]);
        let mut answer = vec![0; bytes];
        let mut read = 0;
        while read < bytes {
            match stream.read(&mut answer[read..]) {
                Ok(0) | Err(_) => break,
                Ok(n) => read += n,
            }
        }
        read
    };
    assert_eq!(talk(100_000), 100_000);
    proxy.cut_after_to_client(40_000);
    assert_eq!(talk(100_000), 40_000);
    assert_eq!(talk(100_000), 100_000);
    proxy.cut_after_to_server(0);
    assert_eq!(talk(10), 0);
    proxy.refuse();
    assert_eq!(talk(10), 0);
    proxy.flow();
    assert_eq!(talk(10), 10);
    assert_eq!(proxy.accepted(), 6);
}

#[test]
fn the_proxy_stalls_and_resets() {
    let proxy = FaultProxy::to(echo());
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    let mut answer = [0; 2];
    stream.write_all(b"ab").unwrap();
    stream.read_exact(&mut answer).unwrap();

    proxy.stall();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    stream.write_all(b"cd").unwrap();
    assert_eq!(stream.read(&mut answer).unwrap_err().kind(), ErrorKind::WouldBlock);
    proxy.flow();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"cd");

    proxy.reset();
    assert_eq!(stream.read(&mut answer).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// A server that sends back what it gets.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    port
}
