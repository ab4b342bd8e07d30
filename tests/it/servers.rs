//! Real servers for the tests: Redis, PostgreSQL, MariaDB, and SQLite files.
//!
//! Redis starts in milliseconds, so a test has its own. PostgreSQL and MariaDB take a second or
//! more, so one server of each is shared by a whole test run, where a test has a database of its
//! own ([`Postgres::database`]); a test that has to break the server takes a private one
//! ([`Postgres::private`]).
//!
//! `cargo nextest` runs a process per test and `cargo test` one process for all of them. Both must
//! leave nothing behind, also after Ctrl-C, so each server has a small shell process beside it that
//! stops it when its owner has gone.
#![allow(dead_code, reason = "a toolbox: not every test run uses every tool")]

mod process;
mod run;
mod server;

use std::fs::File;
use std::net::TcpListener;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::id;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

pub use process::{PATIENCE, bounded, find, supervise, temp_dir};
use process::{succeed, words};
pub use server::Server;
use server::{Address, Kind, shared};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Postgres,
    MySql,
    Sqlite,
}

/// A port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A Redis of one test. Nothing is written to disk: after a restart it is empty.
pub struct Redis {
    server: Server,
    tls: bool,
}

impl Redis {
    /// `extra_args` as for `redis-server`, such as `["--requirepass", "x"]`. For all servers,
    /// `@DIR@` and `@PORT@` in them stand for the server's own.
    pub fn start(extra_args: &[&str]) -> Redis {
        let server = Server::start(Kind::Redis, extra_args, id());
        Redis { server, tls: false }
    }

    /// Speaks TLS only, with a certificate that [`Server::ca_file`] vouches for.
    pub fn start_tls() -> Redis {
        let args = words(
            "--port 0 --tls-port @PORT@ --tls-auth-clients no
             --tls-ca-cert-file ca.crt --tls-cert-file server.crt --tls-key-file server.key",
        );
        let server = Server::start(Kind::Redis, &args, id());
        Redis { server, tls: true }
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}", self.port())
    }

    /// What `redis-cli ARGS` prints, without the last newline.
    pub fn cli(&self, args: &[&str]) -> String {
        let mut cli = bounded([find("redis-cli")]);
        cli.arg("-s").arg(self.socket()).args(args);
        succeed(cli, "").trim_end_matches('\n').to_owned()
    }
}

/// The PostgreSQL of this test run, or one of this test.
pub struct Postgres(Server);

impl Postgres {
    /// A new, empty database on the server that the test run shares.
    pub fn database() -> Database {
        Database::create(shared(Kind::Postgres), true)
    }

    /// A server that is this test's alone; `extra_args` as for `postgres`, such as `["-c",
    /// "max_connections=5"]`.
    pub fn private(extra_args: &[&str]) -> Postgres {
        Postgres(Server::start(Kind::Postgres, extra_args, id()))
    }

    /// A new, empty database on a private server.
    pub fn new_database(&self) -> Database {
        Database::create(self.0.at.clone(), false)
    }
}

/// The MariaDB of this test run, or one of this test.
pub struct MariaDb(Server);

impl MariaDb {
    /// A new, empty database on the server that the test run shares.
    pub fn database() -> Database {
        Database::create(shared(Kind::MariaDb), true)
    }

    /// A server that is this test's alone; `extra_args` as for `mariadbd`, such as
    /// `["--max-connections=5"]`.
    pub fn private(extra_args: &[&str]) -> MariaDb {
        MariaDb(Server::start(Kind::MariaDb, extra_args, id()))
    }

    /// A new, empty database on a private server.
    pub fn new_database(&self) -> Database {
        Database::create(self.0.at.clone(), false)
    }
}

/// SQLite has no server; this is here for tests that run on all three databases.
pub struct Sqlite;

impl Sqlite {
    /// A new, empty database file.
    pub fn database() -> Database {
        let dir = temp_dir();
        let file = dir.path().join("shop.db");
        File::create(&file).unwrap();
        let at = Address {
            kind: Kind::Sqlite,
            dir: dir.path().to_owned(),
            port: 0,
        };
        Database {
            at,
            name: file.to_str().unwrap().to_owned(),
            clean_up: CleanUp::File(dir),
        }
    }
}

impl Deref for Redis {
    type Target = Server;
    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Deref for Postgres {
    type Target = Server;
    fn deref(&self) -> &Server {
        &self.0
    }
}

impl Deref for MariaDb {
    type Target = Server;
    fn deref(&self) -> &Server {
        &self.0
    }
}

/// A database of one test, dropped with it.
pub struct Database {
    at: Address,
    name: String,
    clean_up: CleanUp,
}

enum CleanUp {
    /// The server goes away with all that is in it.
    Nothing,
    Drop,
    File(TempDir),
}

impl Database {
    fn create(at: Address, shared: bool) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("it_{}_{}", id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let clean_up = if shared {
            CleanUp::Drop
        } else {
            CleanUp::Nothing
        };
        let sql = match at.dialect() {
            Dialect::Postgres => format!("CREATE DATABASE {name}"),
            Dialect::MySql => format!("CREATE DATABASE {name}; GRANT ALL ON {name}.* TO shop"),
            Dialect::Sqlite => unreachable!("a file needs no server"),
        };
        at.sql(at.home(), &sql)
            .unwrap_or_else(|error| panic!("{error}\n{}", at.log_tail()));
        Database { at, name, clean_up }
    }

    pub fn dialect(&self) -> Dialect {
        self.at.dialect()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's port; 0 for SQLite.
    pub fn port(&self) -> u16 {
        self.at.port
    }

    /// For the application: the user `shop` with the password `shop-secret`.
    pub fn url(&self) -> String {
        self.url_via(self.at.port)
    }

    /// The same through another port, a proxy's.
    pub fn url_via(&self, port: u16) -> String {
        self.url_of("shop:shop-secret", port)
    }

    /// For what `shop` may not do.
    pub fn admin_url(&self) -> String {
        self.url_of("admin:admin-secret", self.at.port)
    }

    fn url_of(&self, user: &str, port: u16) -> String {
        let name = &self.name;
        match self.dialect() {
            Dialect::Postgres => format!("postgres://{user}@127.0.0.1:{port}/{name}"),
            Dialect::MySql => format!("mysql://{user}@127.0.0.1:{port}/{name}"),
            Dialect::Sqlite => format!("sqlite://{name}"),
        }
    }

    /// The authority behind the server's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.at.dir.join("ca.crt")
    }

    /// Runs statements as the administrator.
    pub fn sql(&self, sql: &str) {
        self.query(sql);
    }

    /// What a query run by the administrator gives: a line per row, a tab between columns, no
    /// heading.
    pub fn query(&self, sql: &str) -> String {
        match self.at.sql(&self.name, sql) {
            Ok(rows) => rows.trim_end_matches('\n').to_owned(),
            Err(error) => panic!("{error}\n{}", self.at.log_tail()),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let CleanUp::Drop = self.clean_up {
            let force = if self.dialect() == Dialect::Postgres {
                "WITH (FORCE)"
            } else {
                ""
            };
            // The run's end removes what this cannot, and a panic here would hide the test's own.
            let _ = self.at.sql(
                self.at.home(),
                &format!("DROP DATABASE {} {force}", self.name),
            );
        }
    }
}
