//! Passwords that change while a run goes on, or between the runs of a server.

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::thread;

use tempfile::TempDir;

use crate::support::faults::{calm, keys, until, warm};
use crate::support::http::Server;
use crate::support::items::{ROWS, Shop, end, total};
use crate::support::servers::{Database, Dialect, MariaDb, Postgres, Sqlite};
use crate::support::shopwarm::{Shopwarm, finish, shopwarm};

/// A file with a URL whose password is replaced now and then.
struct Lease {
    dir: TempDir,
}

impl Lease {
    fn new(url: &str) -> Self {
        let lease = Self { dir: tempfile::tempdir().expect("a folder") };
        lease.give(url);
        lease
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("url")
    }

    fn give(&self, url: &str) {
        fs::write(self.path(), url).expect("a file");
    }

    fn command(&self) -> String {
        format!("cat {}", self.path().display())
    }
}

/// A user of a database whose password can be set.
struct User<'a> {
    database: &'a Database,
    name: String,
}

impl<'a> User<'a> {
    fn new(database: &'a Database) -> Self {
        let schema = database.name();
        let name = format!("lease_{}", schema.replace(|c: char| !c.is_alphanumeric(), "_"));
        database.sql(&match database.dialect() {
            Dialect::Postgres => format!(
                "CREATE ROLE {name} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}"
            ),
            _ => format!("CREATE USER {name}; GRANT SELECT ON {schema}.* TO {name}"),
        });
        Self { database, name }
    }

    fn url(&self, password: &str) -> String {
        let url = self.database.url();
        url.replace("shop:shop-secret", &format!("{}:{password}", self.name))
    }

    /// No other password counts from now on.
    fn set(&self, password: &str) {
        let name = &self.name;
        self.database.sql(&match self.database.dialect() {
            Dialect::Postgres => format!("ALTER ROLE {name} PASSWORD '{password}'"),
            _ => format!("ALTER USER {name} IDENTIFIED BY '{password}'"),
        });
    }

    /// A file with its URL and this password.
    fn lease(&self, password: &str) -> Lease {
        self.set(password);
        Lease::new(&self.url(password))
    }

    /// The file has the new password first: a session may be opened at any moment.
    fn replace(&self, lease: &Lease, password: &str) {
        lease.give(&self.url(password));
        self.set(password);
        self.end_sessions();
    }

    fn end_sessions(&self) {
        let name = &self.name;
        self.database.sql(&match self.database.dialect() {
            Dialect::Postgres => format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}'"
            ),
            _ => format!("KILL USER {name}"),
        });
    }
}

fn under_way(shop: &Shop, run: Shopwarm) -> Child {
    let child = run.args("--rate 500").start();
    until("the run is under way", || keys(&shop.redis) > ROWS / 4);
    child
}

fn complete(child: Child) {
    let run = end(child);
    assert_eq!(run.json()["outcome"], "complete", "{}", run.stdout);
    assert_eq!(total(&run, "warmed"), ROWS);
}

/// Every session of the run ends after its password was replaced.
#[test]
fn a_run_signs_in_again_with_the_new_password_of_its_database() {
    let on = |database: Database, key: &str| {
        let shop = Shop::new(database, key);
        let user = User::new(&shop.database);
        let lease = user.lease("first-hunter2");
        let run = || warm(&shop.contexts, String::new(), shop.redis.url());
        let file = lease.path().display().to_string();
        for (flag, value, next) in [
            ("--database-url-command", lease.command(), "second-hunter2"),
            ("--database-url-file", file, "third-hunter2"),
        ] {
            shop.redis.cli(&["FLUSHALL"]);
            let child = under_way(&shop, run().arg(flag).arg(value));
            user.replace(&lease, next);
            complete(child);
        }
        // A password that stays wrong is refused as ever.
        user.set("fourth-hunter2");
        let refused = run().arg("--database-url-command").arg(lease.command()).run();
        calm(refused).expect(7);
    };
    thread::scope(|scope| {
        scope.spawn(|| on(Postgres::database(), "'item:' || id"));
        scope.spawn(|| on(MariaDb::database(), "CONCAT('item:', id)"));
    });
}

#[test]
fn a_run_signs_in_again_with_the_new_password_of_its_cache() {
    let shop = Shop::new(Sqlite::database(), "CAST('item:' || id AS text)");
    let url = |password| format!("redis://warm:{password}@127.0.0.1:{}/0", shop.redis.port());
    let set = |password: &str| {
        let added = format!(">{password}");
        let words = ["ACL", "SETUSER", "warm", "resetpass", "on", "~*", "&*", "+@all", &added];
        assert_eq!(shop.redis.cli(&words), "OK");
    };
    set("first-hunter2");
    let lease = Lease::new(&url("first-hunter2"));
    let run = || {
        let run = warm(&shop.contexts, shop.database.url(), String::new());
        run.arg("--cache-url-command").arg(lease.command())
    };
    let child = under_way(&shop, run());
    lease.give(&url("second-hunter2"));
    set("second-hunter2");
    shop.redis.cli(&["CLIENT", "KILL", "USER", "warm"]);
    complete(child);
    set("third-hunter2");
    calm(run().run()).expect(7);
}

/// A server needs no reload for it.
#[test]
fn the_next_run_of_a_server_signs_in_with_the_new_password() {
    let shop = Shop::new(Postgres::database(), "'item:' || id");
    let user = User::new(&shop.database);
    let lease = user.lease("first-hunter2");
    let command = shopwarm("serve --listen 127.0.0.1:0 --database-url-command")
        .arg(lease.command())
        .contexts(&shop.contexts)
        .cache(shop.redis.url());
    let server = Server::start(command);
    server.post("/admin/warmup/shop").expect(200);
    user.replace(&lease, "second-hunter2");
    let run = server.post("/admin/warmup/shop").expect(200).json();
    assert_eq!(run["report"]["totals"]["warmed"], ROWS, "{run}");
}

/// What names another server is another shop.
#[test]
fn another_server_is_not_taken_for_the_same_one() {
    let shop = Shop::new(Postgres::database(), "'item:' || id");
    let user = User::new(&shop.database);
    let lease = user.lease("first-hunter2");
    let run = warm(&shop.contexts, String::new(), shop.redis.url());
    let child = under_way(&shop, run.arg("--database-url-command").arg(lease.command()));
    lease.give("postgres://shop:hunter2@127.0.0.1:1/shop");
    user.set("second-hunter2");
    user.end_sessions();
    let run = calm(finish(child));
    assert_eq!(run.code, 7, "{}", run.stderr);
}
