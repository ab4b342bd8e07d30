//! A cache in which every class of key stands, and a count of them that owes nothing to shopwarm:
//! what a run would store is put together here, what stands there is read by redis-cli or sqlite3.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::{Dialect, Redis};
use crate::support::shopwarm::{Finished, Shopwarm};

/// Rows of the table; some of them without a text.
pub const ROWS: i64 = 210;

const STRATEGIES: [&str; 4] = ["objects", "texts", "hashes", "lists"];

/// The classes as a report names them.
pub const CLASSES: [&str; 5] = ["wrong_type", "missing", "different", "expiring", "identical"];

/// What a run would store at a key.
pub struct Planned {
    pub strategy: &'static str,
    pub kind: &'static str,
    /// A text is a string, a hash an object of strings, all else is JSON.
    pub value: Value,
}

/// What stands at a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Stood {
    pub kind: String,
    /// Milliseconds; -1: for ever.
    pub ttl: i64,
    /// A string as it is, a hash as an object.
    pub value: Value,
}

pub type Dump = BTreeMap<String, Stood>;
/// How many keys of each strategy are in each class.
pub type Counts = BTreeMap<(String, String), u64>;

fn text(n: i64) -> Option<String> {
    (n % 10 != 0).then(|| format!("Ü{n} \"q\" 日本🎵"))
}

/// Four strategies, one of each shape, on the table of [`lab`].
pub fn definitions() -> String {
    own(
        &["t"],
        &[
            strategy("objects", "object", "O:{id}", "SELECT id, v FROM t"),
            "priority = 40\norder_by = \"id\"\n".to_owned(),
            strategy("texts", "text", "T:{_id}", "SELECT id AS _id, v FROM t"),
            "priority = 30\norder_by = \"_id\"\n".to_owned(),
            strategy("hashes", "hash", "H:{_id}", "SELECT id AS _id, id, v FROM t"),
            "priority = 20\norder_by = \"_id\"\n".to_owned(),
            strategy("lists", "list", "L:{_g}", "SELECT g AS _g, id, v FROM t"),
            "priority = 10\norder_by = \"id\"\n".to_owned(),
        ]
        .concat(),
    )
}

pub fn lab(dialect: Dialect) -> Lab {
    let lab = Lab::empty(dialect);
    let mut sql = match dialect {
        Dialect::MySql => {
            format!(
                "SET NAMES utf8mb4; ALTER DATABASE {} CHARACTER SET utf8mb4;",
                lab.database.name()
            )
        }
        _ => String::new(),
    };
    sql += "CREATE TABLE t (id int PRIMARY KEY, g int NOT NULL, v varchar(100));";
    for n in 1..=ROWS {
        let v = text(n).map_or("NULL".to_owned(), |text| format!("'{text}'"));
        sql += &format!("INSERT INTO t VALUES ({n}, {}, {v});", n % 70);
    }
    lab.database.sql(&sql);
    lab
}

/// By key, with this prefix.
pub fn planned(prefix: &str) -> BTreeMap<String, Planned> {
    let mut all = BTreeMap::new();
    let mut put = |strategy, kind, key: String, value| {
        let planned = Planned { strategy, kind, value };
        all.insert(format!("{prefix}{key}"), planned);
    };
    let mut lists: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    for n in 1..=ROWS {
        let row = json!({ "id": n, "v": text(n) });
        lists.entry(n % 70).or_default().push(row.clone());
        put("objects", "string", format!("O:{n}"), row);
        let mut fields = Map::from_iter([("id".to_owned(), n.to_string().into())]);
        if let Some(text) = text(n) {
            put("texts", "string", format!("T:{n}"), text.clone().into());
            fields.insert("v".to_owned(), text.into());
        }
        put("hashes", "hash", format!("H:{n}"), fields.into());
    }
    for (group, list) in lists {
        put("lists", "string", format!("L:{group}"), list.into());
    }
    all
}

/// As Python's `json.dumps` writes them: spaces, and \u for what is not ASCII.
pub fn python_dumps(values: &[&Value]) -> Vec<String> {
    let program =
        "import json, sys; print(json.dumps([json.dumps(v) for v in json.loads(sys.argv[1])]))";
    let input = serde_json::to_string(values).expect("JSON");
    let output = Command::new("python3").args(["-c", program, &input]).output();
    let output = output.expect("python3");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("a list of texts")
}

/// Runs many commands at once.
pub fn commands(redis: &Redis, commands: &[Vec<String>]) {
    let script =
        "for _, c in ipairs(cjson.decode(ARGV[1])) do redis.call(unpack(c)) end return 'done'";
    // A command line has its limits.
    for some in commands.chunks(400) {
        let some = serde_json::to_string(some).expect("JSON");
        assert_eq!(redis.cli(&["EVAL", script, "0", &some]), "done");
    }
}

/// Every seventh key is missing, every seventh is as Python writes it, and so on.
pub fn spread(redis: &Redis, prefix: &str) {
    let planned = planned(prefix);
    let values: Vec<&Value> = planned.values().map(|planned| &planned.value).collect();
    let mut set = Vec::new();
    for (i, ((key, planned), python)) in planned.iter().zip(python_dumps(&values)).enumerate() {
        let mut run = |words: &[&str]| set.push(words.iter().map(ToString::to_string).collect());
        let value = match (&planned.value, i % 7) {
            (Value::String(text), _) => text.clone(),
            (_, 2) => python,
            (value, _) => value.to_string(),
        };
        let mut store = |more: &str| match &planned.value {
            Value::Object(fields) if planned.kind == "hash" => {
                for (name, value) in fields {
                    let value = value.as_str().expect("a text");
                    run(&["HSET", key, name, &format!("{value}{more}")]);
                }
            }
            Value::String(text) => run(&["SET", key, &format!("{text}{more}")]),
            // Still JSON, of another meaning.
            _ if !more.is_empty() => run(&["SET", key, &format!("[{value}]")]),
            _ => run(&["SET", key, &value]),
        };
        match i % 7 {
            0 => continue,
            3 => store("!"),
            5 if planned.kind == "hash" => run(&["SET", key, "{\"id\":1}"]),
            5 if i % 2 == 0 => run(&["RPUSH", key, "a", "b"]),
            5 => run(&["HSET", key, "id", "1"]),
            _ => store(""),
        }
        match i % 7 {
            4 => run(&["EXPIRE", key, "600"]),
            6 => {}
            _ => run(&["EXPIRE", key, "7200"]),
        }
    }
    commands(redis, &set);
}

/// Everything that stands in a Redis.
pub fn dump(redis: &Redis) -> Dump {
    let script = "local all = {} for _, key in ipairs(redis.call('KEYS', '*')) do
        local kind = redis.call('TYPE', key).ok local value = ''
        if kind == 'string' then value = redis.call('GET', key)
        elseif kind == 'hash' then
            value = {} local flat = redis.call('HGETALL', key)
            for i = 1, #flat, 2 do value[flat[i]] = flat[i + 1] end
        end
        all[#all + 1] = {key, kind, redis.call('PTTL', key), value} end
        return cjson.encode(all)";
    let all = redis.cli(&["EVAL", script, "0"]);
    if all == "{}" {
        return Dump::new();
    }
    let all: Vec<(String, String, i64, Value)> = serde_json::from_str(&all).expect("JSON");
    let stood = |(key, kind, ttl, value)| (key, Stood { kind, ttl, value });
    all.into_iter().map(stood).collect()
}

/// The class that a planned key is in, by the words of the definition: the first that fits.
fn class(planned: &Planned, stood: Option<&Stood>, within_ms: i64) -> &'static str {
    let Some(stood) = stood else {
        return "missing";
    };
    if stood.kind != planned.kind {
        return "wrong_type";
    }
    let equal = match (&stood.value, &planned.value) {
        (Value::String(stood), Value::String(text)) => stood == text,
        (Value::String(stood), value) => {
            serde_json::from_str::<Value>(stood).is_ok_and(|stood| stood == *value)
        }
        (stood, value) => stood == value,
    };
    match equal {
        false => "different",
        true if (0..=within_ms).contains(&stood.ttl) => "expiring",
        true => "identical",
    }
}

/// Each planned key with its class.
pub fn classes(
    planned: &BTreeMap<String, Planned>,
    dump: &Dump,
    within_ms: i64,
) -> BTreeMap<String, &'static str> {
    let class =
        |(key, planned): (&String, _)| (key.clone(), class(planned, dump.get(key), within_ms));
    planned.iter().map(class).collect()
}

/// The same, counted by strategy.
pub fn counted(planned: &BTreeMap<String, Planned>, dump: &Dump, within_ms: i64) -> Counts {
    let mut counts = Counts::new();
    for name in STRATEGIES {
        for class in CLASSES {
            counts.insert((format!("own/{name}"), class.to_owned()), 0);
        }
    }
    for (key, class) in classes(planned, dump, within_ms) {
        let id = format!("own/{}", planned[&key].strategy);
        *counts.get_mut(&(id, class.to_owned())).expect("known") += 1;
    }
    counts
}

/// What a report of `dry-run` or `verify` counts.
#[track_caller]
pub fn reported(run: &Finished) -> Counts {
    let report = run.json();
    let mut counts = Counts::new();
    for strategy in report["strategies"].as_array().expect("strategies") {
        for class in CLASSES {
            let id = strategy["id"].as_str().expect("an id").to_owned();
            let count = strategy[class].as_u64();
            counts.insert(
                (id, class.to_owned()),
                count.unwrap_or_else(|| panic!("no {class} in {strategy:#}")),
            );
        }
    }
    counts
}

/// The objects of newline-separated JSON.
#[track_caller]
pub fn objects(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// An embedded cache.
pub struct Embedded {
    pub file: PathBuf,
    _dir: TempDir,
}

impl Embedded {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("cache.db");
        Self { file, _dir: dir }
    }

    pub fn url(&self) -> String {
        format!("sqlite:{}", self.file.display())
    }

    pub fn on(&self, command: Shopwarm) -> Shopwarm {
        command.cache(self.url())
    }

    pub fn sql(&self, sql: &str) -> String {
        let mut sqlite = Command::new("sqlite3");
        // A run may be writing.
        sqlite.args(["-cmd", ".timeout 10000"]).arg(&self.file);
        let output = sqlite.arg(sql).output();
        let output = output.expect("sqlite3; scripts/test installs it");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Everything that stands in it, read by SQLite's own shell.
    pub fn dump(&self) -> Dump {
        let sql = "SELECT json_array(CAST(key AS TEXT), type, CASE expires_at WHEN 9223372036854775807
            THEN -1 ELSE expires_at - CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) END, CAST(value AS TEXT))
            FROM entries WHERE expires_at > unixepoch() * 1000";
        let rows = objects(&self.sql(sql)).into_iter().map(|row| {
            let text = |i: usize| row[i].as_str().expect("a text").to_owned();
            let value = match text(1).as_str() {
                "hash" => serde_json::from_str(&text(3)).expect("an object"),
                _ => text(3).into(),
            };
            let stood = Stood { kind: text(1), ttl: row[2].as_i64().expect("a number"), value };
            (text(0), stood)
        });
        rows.collect()
    }
}
