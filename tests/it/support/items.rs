//! A shop with one table that takes several portions, and an application that changes it meanwhile.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Child;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::faults::{calm, keys, until, warm};
use super::servers::{Database, Dialect, Redis};
use super::shopwarm::{Finished, Shopwarm, file, finish, send, shopwarm};

/// Rows of about 1 KiB: more than a portion has.
pub const ROWS: u64 = 6_000;

/// Slow enough that something can happen in the middle of a run.
const SLOW: &str = "--rate 500";

pub struct Shop {
    pub database: Database,
    pub redis: Redis,
    _dir: TempDir,
    pub contexts: PathBuf,
}

impl Shop {
    /// Its definition selects no version, and the key that `key` makes of an id has no index.
    pub fn new(database: Database, key: &str) -> Self {
        let ids = match database.dialect() {
            Dialect::Postgres => "generate_series(1, ROWS) AS s (n)",
            Dialect::MySql => "(SELECT seq AS n FROM seq_1_to_ROWS) s",
            Dialect::Sqlite => {
                "(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ROWS)
                  SELECT n FROM s) s"
            }
        };
        let ids = ids.replace("ROWS", &ROWS.to_string());
        let pad = "x".repeat(1000);
        database.sql(&format!(
            "CREATE TABLE items (id integer PRIMARY KEY, v integer NOT NULL, name text NOT NULL);
             INSERT INTO items SELECT n, 0, '{pad}' FROM {ids};"
        ));
        let (dir, contexts) = file(
            "shop.toml",
            &format!(
                "[context]\nname = \"shop\"\nowns = [\"items\"]\n[strategies.items]
                 key = \"{{_key}}\"\nvalue = \"object\"
                 sql.any = \"SELECT {key} AS _key, id, v FROM items\"\n"
            ),
        );
        settled(&database);
        Self { database, redis: Redis::start(&[]), _dir: dir, contexts }
    }

    /// Another query and its tables instead, of which the first has the rows.
    pub fn define(&self, tables: &str, sql: &str) {
        let text = format!(
            "[context]\nname = \"shop\"\nowns = [{tables}]\n[strategies.items]
             key = \"item:{{id}}\"\nvalue = \"object\"\nsql.any = \"{sql}\"\n"
        );
        std::fs::write(&self.contexts, text).expect("a file");
        settled(&self.database);
    }

    pub fn start(&self) -> Child {
        self.start_until(ROWS / 4)
    }

    /// A run that has written this many keys, and is slow.
    pub fn start_until(&self, written: u64) -> Child {
        let run = warm(&self.contexts, self.database.url(), self.redis.url());
        self.slow(run, written)
    }

    fn slow(&self, run: Shopwarm, written: u64) -> Child {
        let child = run.args(SLOW).start();
        until("the run is under way", || keys(&self.redis) > written);
        child
    }

    /// A run beside an application that changes rows of every portion leaves nothing stale.
    pub fn is_true_whatever_changes(&self) {
        self.is_true_whatever_changes_in(warm(
            &self.contexts,
            self.database.url(),
            self.redis.url(),
        ));
    }

    /// The same of a run with other arguments.
    pub fn is_true_whatever_changes_in(&self, run: Shopwarm) {
        let child = self.slow(run, ROWS / 4);
        // What was read and not yet written, and what was written and not yet verified.
        for v in 1..40 {
            self.database.sql(&format!("UPDATE items SET v = {v} WHERE id % 40 = {v}"));
            thread::sleep(Duration::from_millis(50));
        }
        let written: Vec<u64> = (1..=ROWS).filter(|id| id % 40 != 0).collect();
        let run = end(child);
        assert!(total(&run, "withdrawn") + total(&run, "repaired") > 0, "nothing was overtaken");
        // An application drops what it changed after it was verified; here all that was changed.
        self.change("SELECT 1", &written);
        self.is_true();
        assert_eq!(total(&run, "warmed") + total(&run, "skipped"), ROWS, "{}", run.stdout);
        assert_eq!(run.strategy("shop/items")["protected"], true);
    }

    /// What `doctor` says of a strategy of this context.
    pub fn diagnosis(&self, strategy: &str) -> String {
        let doctor = shopwarm("doctor -o json").contexts(&self.contexts);
        let report = doctor.database(self.database.url()).cache(self.redis.url()).run().json();
        let checks = report["checks"].as_array().expect("a list");
        let id = format!("shop/{strategy}");
        let check = checks.iter().find(|check| check["check"] == id).expect("a check");
        check["text"].as_str().expect("a text").to_owned()
    }

    /// An application changes rows and then drops their keys.
    pub fn change(&self, sql: &str, changed: &[u64]) {
        self.database.sql(sql);
        let keys: Vec<String> = changed.iter().map(|id| format!("item:{id}")).collect();
        let keys = keys.iter().map(String::as_str);
        self.redis.cli(&["DEL"].into_iter().chain(keys).collect::<Vec<_>>());
    }

    /// What readers get, as far as it is there.
    pub fn cached(&self) -> BTreeMap<String, Value> {
        let script = "local all = {} for _, key in ipairs(redis.call('KEYS', 'item:*')) do
            all[#all + 1] = key .. '=' .. redis.call('GET', key) end return all";
        let all = self.redis.cli(&["EVAL", script, "0"]);
        let all = all.lines().filter_map(|line| line.split_once('='));
        all.map(|(key, value)| (key.to_owned(), value.parse().expect("JSON"))).collect()
    }

    pub fn rows(&self) -> BTreeMap<String, Value> {
        let rows = self.database.query("SELECT id, v FROM items");
        let row = |row: &str| {
            let (id, v) = row.split_once(['\t', '|']).expect("two columns");
            let id: u64 = id.parse().expect("a number");
            (format!("item:{id}"), json!({ "id": id, "v": v.parse::<u64>().expect("a number") }))
        };
        rows.lines().map(row).collect()
    }

    /// Everything that is there is as the database has it.
    #[track_caller]
    pub fn is_true(&self) -> BTreeMap<String, Value> {
        let (cached, rows) = (self.cached(), self.rows());
        let stale: Vec<_> = cached.iter().filter(|(key, v)| rows.get(*key) != Some(v)).collect();
        assert!(stale.is_empty(), "{stale:?}");
        cached
    }
}

/// Rows that are newer than an open transaction, also one of another test, are not read in portions.
fn settled(database: &Database) {
    if database.dialect() == Dialect::Postgres {
        let last: u64 = database.query("SELECT txid_current()").parse().expect("a number");
        let oldest = "SELECT txid_snapshot_xmin(txid_current_snapshot())";
        let is_over = || database.query(oldest).parse::<u64>().expect("a number") > last;
        until("older transactions have ended", is_over);
    }
}

pub fn hurry(child: &Child) {
    for _ in 0..8 {
        send(child, "USR2");
        thread::sleep(Duration::from_millis(30));
    }
}

/// Lets a run go on to its end.
pub fn end(child: Child) -> Finished {
    hurry(&child);
    calm(finish(child)).expect(0)
}

pub fn total(run: &Finished, name: &str) -> u64 {
    run.json()["totals"][name].as_u64().expect("a number")
}
