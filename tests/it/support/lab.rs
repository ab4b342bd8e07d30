//! A database and a Redis for definitions of one's own.

use serde_json::Value;
use tempfile::TempDir;

use crate::support::servers::{Database, Dialect, MariaDb, Postgres, Redis, Sqlite};
use crate::support::shop;
use crate::support::shopwarm::{Finished, Shopwarm, shopwarm};

/// The shipped strategies.
pub const SHIPPED: [&str; 7] = [
    "catalog/hot-products",
    "catalog/recommendations",
    "catalog/categories",
    "catalog/category-list",
    "catalog/category-tree",
    "ordering/recent-orders",
    "identity/active-user-sessions",
];

pub struct Lab {
    pub database: Database,
    pub redis: Redis,
    files: TempDir,
}

impl Lab {
    /// On an empty database.
    pub fn empty(dialect: Dialect) -> Lab {
        Lab::on(match dialect {
            Dialect::Postgres => Postgres::database(),
            Dialect::MySql => MariaDb::database(),
            Dialect::Sqlite => Sqlite::database(),
        })
    }

    /// On the test shop.
    pub fn shop(dialect: Dialect) -> Lab {
        Lab::on(shop::database(dialect))
    }

    /// On a table that no shop has, with two rows.
    pub fn things(dialect: Dialect) -> Lab {
        let lab = Lab::empty(dialect);
        lab.database.sql(
            "CREATE TABLE things (id INTEGER, name VARCHAR(20));
             INSERT INTO things VALUES (1, 'a'), (2, 'b')",
        );
        lab
    }

    pub fn on(database: Database) -> Lab {
        Lab {
            database,
            redis: Redis::start(&[]),
            files: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// `shopwarm ARGUMENTS` on this database and Redis.
    pub fn command(&self, arguments: &str) -> Shopwarm {
        shopwarm(arguments).database(self.database.url()).cache(self.redis.url())
    }

    /// The same with these definitions alone.
    pub fn with(&self, definitions: &str, arguments: &str) -> Shopwarm {
        let path = self.files.path().join("own.toml");
        std::fs::write(&path, definitions).expect("a file");
        self.command(arguments).contexts(&path)
    }

    /// Warms the context `own` of these definitions.
    pub fn warm(&self, definitions: &str) -> Finished {
        self.with(definitions, "warmup context own -o json").run()
    }

    /// Warms keys by name, with these definitions alone.
    pub fn warm_keys(&self, definitions: &str, keys: &[&str]) -> Finished {
        self.with(definitions, "warmup keys - -o json").stdin(keys.join("\n")).run()
    }

    /// All keys, in order; without what the tool keeps for itself.
    pub fn keys(&self) -> Vec<String> {
        let keys = self.redis.cli(&["KEYS", "*"]);
        let mut keys: Vec<String> = keys.lines().map(str::to_owned).collect();
        keys.retain(|key| !key.is_empty() && !key.contains("shopwarm:"));
        keys.sort();
        keys
    }

    pub fn get(&self, key: &str) -> String {
        self.redis.cli(&["GET", key])
    }

    /// The values of many keys at once; one that is missing is empty.
    pub fn get_all(&self, keys: &[String]) -> Vec<String> {
        let mut command = vec!["MGET"];
        command.extend(keys.iter().map(String::as_str));
        let values = self.redis.cli(&command);
        let mut values: Vec<String> = values.split('\n').map(str::to_owned).collect();
        // Empty ones at the end are lost with the newlines after them.
        values.resize(keys.len(), String::new());
        values
    }
}

/// A file for the context `own`: which tables it reads, and its strategies.
pub fn own(tables: &[&str], strategies: &str) -> String {
    format!("[context]\nname = \"own\"\nowns = {tables:?}\n{strategies}")
}

/// Definitions that change the shipped ones.
pub fn over_shipped(definitions: &str) -> String {
    format!("extends = \"shipped\"\n{definitions}")
}

/// A strategy of `own`.
pub fn strategy(name: &str, value: &str, key: &str, sql: &str) -> String {
    format!(
        "\n[strategies.{name}]\nkey = {}\nvalue = \"{value}\"\nsql.any = {}\n",
        Value::from(key),
        Value::from(sql)
    )
}

/// Warmed, skipped, failed, unknown; panics where `total` is not their sum.
#[track_caller]
pub fn counts(report: &Value) -> [u64; 4] {
    let count = |name: &str| report[name].as_u64().expect("a count");
    let counts = ["warmed", "skipped", "failed", "unknown"].map(count);
    assert_eq!(count("total"), counts.iter().sum::<u64>(), "{report:#}");
    counts
}

/// The error of each key that failed: `KEY: ERROR`.
pub fn errors(report: &Value) -> Vec<String> {
    let errors = report["errors"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    errors.map(|e| format!("{}: {}", text(&e["key"]), text(&e["error"]))).collect()
}
