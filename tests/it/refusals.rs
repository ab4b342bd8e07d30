//! Refusals of the database that are no fault of a definition: what they are called, and what to do.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::Instant;

use crate::support::lab::{own, strategy};
use crate::support::servers::{MariaDb, PATIENCE, Postgres};
use crate::support::shopwarm::{Finished, file, shopwarm};

fn definitions() -> String {
    let sql = "SELECT id, name FROM t";
    own(&["t"], &strategy("rows", "object", "T:{id}", sql))
}

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'a')";

/// A run of these definitions that ends with `code` and says all these words, and none of a wrong
/// definition.
#[track_caller]
fn refused(url: &str, more: &str, code: i32, words: &[&str]) {
    let (dir, contexts) = file("own.toml", &definitions());
    let cache = format!("sqlite://{}", dir.path().join("cache.db").display());
    let run = shopwarm("warmup context own").args(more).contexts(&contexts);
    let run: Finished = run.database(url).cache(cache).run().expect(code);
    let said = format!("{}{}", run.stdout, run.stderr);
    for word in words {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
    for word in ["is not valid", "fit the database", "shop-secret"] {
        assert!(!said.contains(word), "{word:?} in {said}");
    }
}

#[test]
fn a_file_that_the_url_names_and_nobody_can_read_is_a_configuration_error() {
    for (url, parameters) in [
        (Postgres::database().url(), ["sslmode=verify-ca", "sslrootcert"]),
        (MariaDb::database().url(), ["ssl-mode=VERIFY_CA", "ssl-ca"]),
    ] {
        let [mode, file] = parameters;
        let url = format!("{url}?{mode}&{file}=/none/root.pem");
        refused(&url, "", 4, &[file, "/none/root.pem", "No such file"]);
    }
}

#[test]
fn a_certificate_for_another_name_is_a_configuration_error() {
    let server = Postgres::private(&["-c", "listen_addresses=127.0.0.2"]);
    let database = server.new_database();
    database.sql(TABLE);
    let url = database.url().replace("@127.0.0.1:", "@127.0.0.2:");
    let root = database.ca_file();
    let url = format!("{url}?sslmode=verify-full&sslrootcert={}", root.display());
    refused(&url, "", 4, &["cannot set up TLS", "certificate", "127.0.0.2", "sslmode"]);
}

#[test]
fn a_server_without_prepared_statements_left_is_busy() {
    let server = MariaDb::private(&[]);
    let database = server.new_database();
    database.sql(TABLE);
    database.sql("SET GLOBAL max_prepared_stmt_count = 0");
    refused(&database.url(), "", 5, &["max_prepared_stmt_count", "raise"]);
}

#[test]
fn a_timeout_while_definitions_are_prepared_is_no_fault_of_theirs() {
    let database = Postgres::database();
    database.sql(TABLE);
    let url = database.url();
    thread::scope(|scope| {
        scope.spawn(|| database.sql("BEGIN; LOCK TABLE t; SELECT pg_sleep(10); ROLLBACK"));
        let held = "SELECT count(*) FROM pg_locks
                    WHERE relation = 't'::regclass AND mode = 'AccessExclusiveLock' AND granted";
        let since = Instant::now();
        while database.query(held) != "1" {
            assert!(since.elapsed() < PATIENCE, "the table is not locked");
        }
        refused(&url, "--statement-timeout 300ms", 5, &["timeout"]);
    });
}

/// A MySQL server without TLS that wants to be told the password, as far as that.
fn wants_a_password() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            // Version 10, name, session 1, half a nonce; capabilities without TLS; collation and status;
            // the rest of the nonce; how passwords are checked.
            let greeting = b"\x0a8.0.35\0\x01\0\0\0abcdefgh\0\xff\xf7\xff\x02\0\xff\xc7\x15\
                             \0\0\0\0\0\0\0\0\0\0abcdefghijkl\0caching_sha2_password\0";
            let length = greeting.len().to_le_bytes();
            let mut packet = vec![length[0], length[1], length[2], 0];
            packet.extend_from_slice(greeting);
            let _ = client.write_all(&packet);
            let mut answer = [0; 1024];
            let _ = client.read(&mut answer);
            // All of it, please.
            let _ = client.write_all(&[2, 0, 0, 2, 1, 4]);
            let _ = client.read(&mut answer);
            // A public key, to encrypt it with.
            let _ = client.write_all(&[4, 0, 0, 4, 1, b'k', b'e', b'y']);
            let _ = client.read(&mut answer);
        }
    });
    port
}

#[test]
fn a_password_that_may_not_be_sent_in_the_clear_wants_tls() {
    let url = format!("mysql://shop:shop-secret@127.0.0.1:{}/shop", wants_a_password());
    let words = ["cannot log in", "caching_sha2_password", "not encrypted", "ssl-mode=REQUIRED"];
    refused(&url, "", 4, &words);
    let (_dir, contexts) = file("own.toml", &definitions());
    let run = shopwarm("doctor").contexts(&contexts).database(&url).run();
    assert!(!run.stdout.contains("postgres://"), "{}", run.stdout);
}
