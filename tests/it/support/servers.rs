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

mod front;
mod haproxy;
mod pooler;
mod process;
mod resp;
mod run;
mod server;

use std::fs::File;
use std::net::TcpListener;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::id;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

pub use haproxy::HaProxy;
pub use pooler::PgBouncer;
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
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// TLS with certificates on both sides, for a server alone and for one of a cluster.
pub const MUTUAL_TLS: &str =
    "--port 0 --tls-port @PORT@ --tls-auth-clients yes --tls-ca-cert-file ca.crt
     --tls-cert-file server.crt --tls-key-file server.key
     --tls-client-cert-file client.crt --tls-client-key-file client.key
     --tls-cluster yes --tls-replication yes";

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

    /// A Valkey instead.
    pub fn start_valkey(extra_args: &[&str]) -> Redis {
        let server = Server::start(Kind::Valkey, extra_args, id());
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

    /// A sentinel that watches over nothing yet.
    fn start_sentinel() -> Redis {
        let server = Server::start(Kind::Sentinel, &[], id());
        Redis { server, tls: false }
    }

    /// Speaks TLS only, with clients that show a certificate of [`Server::ca_file`]'s.
    pub fn start_mutual_tls() -> Redis {
        let server = Server::start(Kind::Redis, &words(MUTUAL_TLS), id());
        Redis { server, tls: true }
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}", self.port())
    }

    /// What `redis-cli ARGS` prints, without the last newlines. Without options it is asked here: the
    /// tests ask thousands of times, and a process each time took a tenth of all their processor time.
    pub fn cli(&self, args: &[&str]) -> String {
        if args.first().is_some_and(|word| !word.starts_with('-')) {
            return resp::ask(&self.socket(), args);
        }
        let mut cli = bounded([find("redis-cli")]);
        cli.arg("-s").arg(self.socket()).args(args);
        succeed(cli, "").trim_end_matches('\n').to_owned()
    }
}

/// A cluster of one test.
pub struct RedisCluster {
    /// The primaries first, then a replica of each, and so on.
    pub nodes: Vec<Redis>,
    password: Option<String>,
}

impl RedisCluster {
    /// So many primaries, with so many replicas each.
    pub fn start(primaries: usize, replicas: usize) -> RedisCluster {
        Self::start_with(primaries, replicas, &[], None)
    }

    /// A cluster of Valkey.
    pub fn start_valkey(primaries: usize, extra_args: &[&str]) -> RedisCluster {
        Self::start_of(Redis::start_valkey, (primaries, 0), extra_args, None)
    }

    /// `extra_args` are every node's.
    pub fn start_with(
        primaries: usize,
        replicas: usize,
        extra_args: &[&str],
        password: Option<&str>,
    ) -> RedisCluster {
        Self::start_of(Redis::start, (primaries, replicas), extra_args, password)
    }

    fn start_of(
        start: impl Fn(&[&str]) -> Redis,
        (primaries, replicas): (usize, usize),
        extra_args: &[&str],
        password: Option<&str>,
    ) -> RedisCluster {
        let nodes = (0..primaries * (1 + replicas)).map(|_| {
            let bus = free_port().to_string();
            let mut args = words(
                "--cluster-enabled yes --cluster-node-timeout 3000 --cluster-config-file nodes.conf
                 --repl-diskless-sync-delay 0 --repl-ping-replica-period 1",
            );
            args.extend(["--cluster-port", &bus]);
            args.extend(extra_args);
            if let Some(password) = password {
                args.extend(["--requirepass", password, "--masterauth", password]);
            }
            start(&args)
        });
        let cluster =
            RedisCluster { nodes: nodes.collect(), password: password.map(str::to_owned) };
        cluster.join(primaries);
        cluster
    }

    /// What `redis-cli ARGS` prints at a node.
    pub fn cli(&self, node: usize, args: &[&str]) -> String {
        let mut all = Vec::new();
        if let Some(password) = &self.password {
            all.extend(["--no-auth-warning", "-a", password]);
        }
        all.extend(args);
        self.nodes[node].cli(&all)
    }

    /// The same, following the cluster's redirections.
    pub fn ask(&self, args: &[&str]) -> String {
        let port = self.nodes[0].port().to_string();
        let mut cli = bounded([find("redis-cli")]);
        cli.args(["-c", "-p", &port]);
        if let Some(password) = &self.password {
            cli.args(["--no-auth-warning", "-a", password]);
        }
        cli.args(args);
        succeed(cli, "").trim_end_matches('\n').to_owned()
    }

    /// What a node answers to all these commands.
    pub fn pipe(&self, node: usize, commands: &[String]) -> String {
        let mut cli = bounded([find("redis-cli")]);
        cli.arg("-s").arg(self.nodes[node].socket());
        succeed(cli, &commands.join("\n"))
    }

    pub fn id(&self, node: usize) -> String {
        self.cli(node, &["CLUSTER", "MYID"])
    }

    /// `redis+cluster://` of all nodes.
    pub fn url(&self) -> String {
        let places = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port()));
        let places: Vec<String> = places.collect();
        let user = self.password.as_ref().map(|password| format!(":{password}@"));
        format!("redis+cluster://{}{}", user.unwrap_or_default(), places.join(","))
    }

    /// Gives every primary its slots, and lets all meet.
    fn join(&self, primaries: usize) {
        const SLOTS: usize = 16_384;
        for node in 0..primaries {
            let (first, end) = (node * SLOTS / primaries, (node + 1) * SLOTS / primaries);
            let (first, last) = (first.to_string(), (end - 1).to_string());
            self.cli(node, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            self.cli(node, &["CLUSTER", "SET-CONFIG-EPOCH", &(node + 1).to_string()]);
        }
        for node in 1..self.nodes.len() {
            let port = self.nodes[node].port().to_string();
            let bus = self.cli(node, &["CONFIG", "GET", "cluster-port"]);
            let bus = bus.lines().last().unwrap();
            self.cli(0, &["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
        }
        let all = 0..self.nodes.len();
        let says =
            |node, what: &str, words: &str| self.cli(node, &["CLUSTER", what]).contains(words);
        let known = format!("cluster_known_nodes:{}", self.nodes.len());
        patiently(|| all.clone().all(|node| says(node, "INFO", &known)));
        for replica in primaries..self.nodes.len() {
            let id = self.id(replica % primaries);
            patiently(|| self.cli(replica, &["CLUSTER", "REPLICATE", &id]) == "OK");
        }
        patiently(|| all.clone().all(|node| says(node, "INFO", "cluster_state:ok")));
        let replicas = self.nodes.len() - primaries;
        patiently(|| {
            all.clone().all(|node| {
                self.cli(node, &["CLUSTER", "NODES"]).matches("slave").count() == replicas
            })
        });
        for replica in primaries..self.nodes.len() {
            patiently(|| {
                let info = self.cli(replica, &["INFO", "replication"]);
                info.contains("master_link_status:up")
            });
        }
    }
}

/// A primary with replicas, and sentinels that watch over it under the name `shop`.
pub struct Sentinels {
    /// The primary of the beginning is the first.
    pub nodes: Vec<Redis>,
    pub sentinels: Vec<Redis>,
}

impl Sentinels {
    pub fn start(replicas: usize, sentinels: usize) -> Sentinels {
        Self::start_with(replicas, sentinels, &[], &[])
    }

    /// More arguments of the servers, and more settings of the name `shop`.
    pub fn start_with(
        replicas: usize,
        sentinels: usize,
        of_servers: &[&str],
        settings: &[(&str, &str)],
    ) -> Sentinels {
        let mut args = words("--repl-diskless-sync-delay 0 --repl-ping-replica-period 1");
        args.extend(of_servers);
        let primary = Redis::start(&args);
        let port = primary.port().to_string();
        args.extend(["--replicaof", "127.0.0.1", &port]);
        let mut nodes = vec![primary];
        nodes.extend((0..replicas).map(|_| Redis::start(&args)));
        let quorum = (sentinels / 2 + 1).to_string();
        let sentinels = (0..sentinels).map(|_| Redis::start_sentinel());
        let all = Sentinels { nodes, sentinels: sentinels.collect() };
        for replica in 1..all.nodes.len() {
            patiently(|| {
                all.nodes[replica].cli(&["INFO", "replication"]).contains("link_status:up")
            });
        }
        for sentinel in 0..all.sentinels.len() {
            all.tell(sentinel, &["MONITOR", "shop", "127.0.0.1", &port, &quorum]);
            let short = [("down-after-milliseconds", "1000"), ("failover-timeout", "5000")];
            for (name, value) in short.iter().chain(settings) {
                all.tell(sentinel, &["SET", "shop", name, value]);
            }
        }
        let others = format!("num-other-sentinels\n{}", all.sentinels.len() - 1);
        let slaves = format!("num-slaves\n{replicas}");
        for sentinel in 0..all.sentinels.len() {
            patiently(|| {
                let said = all.tell(sentinel, &["MASTER", "shop"]);
                said.contains(&others) && said.contains(&slaves) && said.contains("flags\nmaster\n")
            });
        }
        all
    }

    /// What a sentinel answers to `SENTINEL ARGS`.
    pub fn tell(&self, sentinel: usize, args: &[&str]) -> String {
        let all: Vec<&str> = ["SENTINEL"].iter().chain(args).copied().collect();
        self.sentinels[sentinel].cli(&all)
    }

    pub fn hosts(&self) -> String {
        let places = self.sentinels.iter().map(|node| format!("127.0.0.1:{}", node.port()));
        places.collect::<Vec<_>>().join(",")
    }

    pub fn url(&self) -> String {
        format!("redis+sentinel://{}/shop/0", self.hosts())
    }

    /// The server that the sentinels name now.
    pub fn primary(&self) -> &Redis {
        let said = self.tell(0, &["GET-MASTER-ADDR-BY-NAME", "shop"]);
        let port: u16 = said.lines().last().unwrap().parse().unwrap();
        self.nodes.iter().find(|node| node.port() == port).unwrap()
    }
}

/// Waits for servers to agree.
#[track_caller]
fn patiently(mut is_so: impl FnMut() -> bool) {
    let asked = std::time::Instant::now();
    while !is_so() {
        assert!(asked.elapsed() < PATIENCE, "the servers do not agree in a minute");
        std::thread::sleep(std::time::Duration::from_millis(20));
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

impl MariaDb {
    /// A database that another server's changes will create.
    pub fn database_named(&self, name: &str) -> Database {
        let grant = format!("GRANT ALL ON {name}.* TO shop");
        self.run(&grant);
        Database { at: self.0.at.clone(), name: name.to_owned(), clean_up: CleanUp::Nothing }
    }

    /// Runs statements as the administrator, in no database of a test's.
    #[track_caller]
    pub fn run(&self, sql: &str) {
        let at = &self.0.at;
        if let Err(error) = at.sql(at.home(), sql) {
            panic!("{error}\n{}", at.log_tail());
        }
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
        let at = Address { kind: Kind::Sqlite, dir: dir.path().to_owned(), port: 0 };
        Database { at, name: file.to_str().unwrap().to_owned(), clean_up: CleanUp::File(dir) }
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
        let clean_up = if shared { CleanUp::Drop } else { CleanUp::Nothing };
        let sql = match at.dialect() {
            Dialect::Postgres => format!("CREATE DATABASE {name}"),
            Dialect::MySql => format!("CREATE DATABASE {name}; GRANT ALL ON {name}.* TO shop"),
            Dialect::Sqlite => unreachable!("a file needs no server"),
        };
        at.sql(at.home(), &sql).unwrap_or_else(|error| panic!("{error}\n{}", at.log_tail()));
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
        match self.try_query(sql) {
            Ok(rows) => rows,
            Err(error) => panic!("{error}\n{}", self.at.log_tail()),
        }
    }

    /// The same, or what the server objects to.
    pub fn try_query(&self, sql: &str) -> Result<String, String> {
        let rows = self.at.sql(&self.name, sql)?;
        Ok(rows.trim_end_matches('\n').to_owned())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let CleanUp::Drop = self.clean_up {
            let force = if self.dialect() == Dialect::Postgres { "WITH (FORCE)" } else { "" };
            // The run's end removes what this cannot, and a panic here would hide the test's own.
            let _ = self.at.sql(self.at.home(), &format!("DROP DATABASE {} {force}", self.name));
        }
    }
}
