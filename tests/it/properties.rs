//! What must hold of any input, tried on random ones.
//!
//! Each property has a corpus in `tests/corpus/NAME/`: every run tries these inputs first, as they are.
//! Then come random changes of them: the same ones in every run of the gate, and new ones for as long
//! as `SHOPWARM_FUZZ_SECONDS` says in `scripts/hunt properties`. An input that breaks the property is
//! put into the corpus, and the seed is printed; `SHOPWARM_FUZZ_SEED` starts from that seed again.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;
use shopwarm::contexts::definitions::Definitions;
use shopwarm::contexts::sql::owns::Owns;
use shopwarm::contexts::sql::{ownership, with};
use shopwarm::domain::encode::{Date, Hint, Scalar, encode};
use shopwarm::domain::key::KeyTemplate;
use shopwarm::domain::order_by::OrderBy;
use shopwarm::domain::redaction;
use shopwarm::domain::row::RowBatch;
use shopwarm::interfaces::cli::plan::SealedPlan;

use sqlx::{Connection as _, Row as _};

use crate::support::servers::Postgres;

/// How a database reads SQL, by the scheme of its URLs.
fn grammar(scheme: &str) -> &'static shopwarm::application::ports::grammar::Grammar {
    let dialect = shopwarm::infrastructure::source::dialect(&format!("{scheme}:"));
    dialect.expect("a database").grammar()
}

/// Of the gate: where its random changes start, and how many inputs a property tries.
const SEED: u64 = 1;
const INPUTS: u64 = 1500;

/// One at a time: whose panic it was could not be told else.
static TURN: Mutex<()> = Mutex::new(());

/// Panics of this process, those too that somebody else has caught.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name)
}

fn kept(name: &str) -> Vec<Vec<u8>> {
    let dir = fs::read_dir(corpus(name)).expect("a corpus");
    let mut files: Vec<PathBuf> = dir.map(|file| file.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a file")).collect()
}

/// Tries `holds` on the corpus, and then on what `make` makes of it until enough is tried.
/// Returns how many inputs were tried, and for how many it said `true`.
fn property(
    name: &str,
    mut make: impl FnMut(&mut Rng, &[Vec<u8>]) -> Vec<u8>,
    mut holds: impl FnMut(&[u8]) -> bool,
) -> (u64, u64) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        usual(info);
    }));
    let seed = setting("SHOPWARM_FUZZ_SEED").unwrap_or(SEED);
    let time = setting("SHOPWARM_FUZZ_SECONDS").map(Duration::from_secs);
    let (mut tried, mut useful) = (0, 0);
    let mut attempt = |input: &[u8]| -> u64 {
        let before = PANICS.load(Ordering::SeqCst);
        let held = catch_unwind(AssertUnwindSafe(|| holds(input)));
        tried += 1;
        useful += u64::from(matches!(held, Ok(true)));
        if held.is_err() || PANICS.load(Ordering::SeqCst) > before {
            let file = corpus(name).join(format!("found-{seed:016x}-{tried}"));
            let _ = fs::write(&file, input);
            let shown = String::from_utf8_lossy(input);
            panic!("{name}, seed {seed}, kept as {}:\n{shown}", file.display());
        }
        tried
    };
    let kept = kept(name);
    assert!(!kept.is_empty(), "{name} has no corpus");
    for input in &kept {
        attempt(input);
    }
    let mut random = Rng::with_seed(seed);
    let since = Instant::now();
    let goes_on = |tried| time.map_or(tried < INPUTS, |time| since.elapsed() < time);
    while goes_on(attempt(&make(&mut random, &kept))) {}
    eprintln!("{name}: {tried} inputs, {useful} of them valid, seed {seed}");
    (tried, useful)
}

/// Bytes and words that break parsers.
const SPICE: &[&str] = &[
    "\0",
    "\n",
    "\r\n",
    "\t",
    " ",
    "'",
    "\"",
    "`",
    "\\",
    "\\'",
    "''",
    "$$",
    "$x$",
    "--",
    "#",
    "/*",
    "*/",
    "/*!",
    ";",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "{{",
    "}}",
    ",",
    ".",
    ":",
    "::",
    "@",
    "/",
    "?",
    "&",
    "=",
    "%",
    "%00",
    "%zz",
    "%40",
    "+",
    "-",
    "0",
    "1e999",
    "-0",
    "99999999999999999999",
    "\u{feff}",
    "\u{202e}",
    "\u{e9}",
    "\u{1f511}",
    "\u{130}",
    "null",
    "true",
    "id",
    "E'\\'",
    "U&'",
    "N'",
    "x'00'",
    "SELECT",
    "FROM",
    "users",
    "orders",
    "WITH",
    "AS",
    "UNION",
    "LATERAL",
    "TABLE",
    "ONLY",
    "JOIN",
    "VALUES",
    "redis+cluster://",
    "postgres://",
    "[strategies.x]",
    "sql.any = ",
];

/// An input with a few changes: parts left out, said twice, put elsewhere, mixed with another's.
fn mutated(random: &mut Rng, kept: &[Vec<u8>]) -> Vec<u8> {
    let mut input = random.choice(kept).cloned().unwrap_or_default();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=input.len());
        let end = (at + random.usize(..12)).min(input.len());
        match random.u8(..7) {
            0 => drop(input.drain(at..end)),
            1 => {
                let part = input[at..end].to_vec();
                let to = random.usize(..=input.len());
                input.splice(to..to, part);
            }
            2 => {
                let other = random.choice(kept).cloned().unwrap_or_default();
                let from = random.usize(..=other.len());
                let to = (from + random.usize(..40)).min(other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
            3 if end > at => input[at] = random.u8(..),
            4 => input.truncate(at.max(1).min(input.len())),
            _ => {
                let word = random.choice(SPICE).expect("some");
                input.splice(at..at, word.bytes());
            }
        }
    }
    input
}

fn utf8(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

#[test]
fn a_key_template_is_read_as_it_is_written() {
    let columns = |input: &[u8]| -> Option<(KeyTemplate, String)> {
        let (template, key) = input.split_at(input.iter().position(|b| *b == b'\n')?);
        Some((utf8(template).parse().ok()?, utf8(&key[1..])))
    };
    let (_, valid) = property("template", mutated, |input| {
        let text = utf8(input);
        if let Ok(template) = text.parse::<KeyTemplate>() {
            assert_eq!(template.to_string(), text);
        }
        let Some((template, key)) = columns(input) else {
            return false;
        };
        // Whatever is read from a key makes the same key again.
        let names: Vec<String> = template.columns().into_iter().map(str::to_owned).collect();
        let bound =
            template.bind(|name| names.iter().position(|n| n == name)).expect("its own columns");
        for values in template.read(&key, &|_, _| true).unwrap_or_default() {
            let mut rows = RowBatch::new(names.len().max(1));
            for value in &values {
                rows.push_cell(|out| encode(Scalar::Text(value.as_bytes()), None, out));
            }
            if values.is_empty() {
                rows.push_cell(|out| encode(Scalar::Null, None, out));
            }
            let mut made = Vec::new();
            bound.render(rows.row(0), &mut made).expect("a key");
            assert_eq!(utf8(&made), key);
        }
        let prefixed = template.clone().with_prefix(&key);
        assert_eq!(
            prefixed.to_string().parse::<KeyTemplate>().expect("a template").shape(),
            prefixed.shape()
        );
        // And a key that is made is read again, into the same columns.
        let made = template.with_columns("v");
        let same = vec!["v".to_owned(); names.len()];
        let read = template.read(&made, &|_, _| true);
        assert!(read.is_ok_and(|read| read.contains(&same)), "{made}");
        assert!(template.makes(&made), "{made}");
        true
    });
    assert!(valid > 10, "{valid}");
}

/// `@` in a corpus' URL is what must not be seen.
const CANARY: &str = "cAn4ry";

#[test]
fn a_url_is_shown_without_its_secret() {
    let (_, valid) = property("url", mutated, |input| {
        let text = utf8(input);
        let shown = redaction::url(&text);
        let said = redaction::text(&text).into_owned();
        redaction::holds_password(&text);
        let ambiguous = redaction::is_ambiguous(&text);
        // The drivers read it as well.
        let postgres = sqlx::postgres::PgConnectOptions::from_str(&text);
        let mysql = sqlx::mysql::MySqlConnectOptions::from_str(&text);
        let sqlite = sqlx::sqlite::SqliteConnectOptions::from_str(&text);
        let redis = redis::IntoConnectionInfo::into_connection_info(text.as_str());
        let is_read = postgres.is_ok() || mysql.is_ok() || sqlite.is_ok() || redis.is_ok();
        // What a URL of one password shows once it is planted there.
        for (user, rest) in [("u:", "h:1/db"), (":", "h"), ("u:", "a:1,b:2/main/0")] {
            for scheme in ["postgres", "mysql", "redis", "rediss+sentinel", "redis+cluster"] {
                let planted = format!("{scheme}://{user}{CANARY}{text}{CANARY}@{rest}");
                let shown = redaction::url(&planted);
                assert!(!shown.contains(CANARY), "{planted}: {shown}");
                let line = format!("cannot read '{planted}'");
                // A URL inside the password may end it, and a line does.
                if !text.contains("://") && !text.contains('\n') {
                    let said = redaction::text(&line).into_owned();
                    assert!(!said.contains(CANARY), "{line}: {said}");
                }
            }
        }
        // Shown again it is the same: nothing in it is taken for a secret.
        let again = redaction::url(&shown);
        assert!(shown.starts_with('(') || again == shown, "{shown}: {again}");
        let _ = (said, ambiguous);
        is_read
    });
    assert!(valid > 10, "{valid}");
}

#[test]
fn a_definition_file_is_valid_or_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("own.toml");
    let (_, valid) = property("definitions", mutated, |input| {
        fs::write(&file, input).expect("a file");
        let checked =
            Definitions::load(std::slice::from_ref(&file), &shopwarm::Registry::default())
                .and_then(|definitions| {
                    definitions
                        .validate(&[grammar("postgres")], &shopwarm::domain::parameter::Vars::new())
                });
        match checked {
            // A file may have a context and no strategy.
            Ok(definitions) => !definitions.is_empty(),
            Err(failure) => {
                let said = failure.to_string();
                assert!(said.contains("own.toml"), "{said}");
                false
            }
        }
    });
    assert!(valid > 0, "{valid}");
}

#[test]
fn a_plan_is_whole_or_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("plan.json");
    let plans: Vec<Value> =
        kept("plan").iter().filter_map(|plan| serde_json::from_slice(plan).ok()).collect();
    let (_, valid) = property("plan", mutated, |input| {
        fs::write(&file, input).expect("a file");
        let Ok(plan) = SealedPlan::read(&file) else {
            return false;
        };
        let read = serde_json::to_value(&plan).expect("a plan");
        assert!(plans.contains(&read), "{read:#}");
        true
    });
    assert!(valid > 0, "{valid}");
}

#[test]
fn encoded_json_is_valid_and_the_same_again() {
    let (tried, valid) = property("json", mutated, |input| {
        let text = std::str::from_utf8(input);
        let number = input.iter().fold(0_u64, |n, byte| n.rotate_left(9) ^ u64::from(*byte));
        let micros = number as i64;
        let mut scalars = vec![
            Scalar::Null,
            Scalar::Bool(number & 1 == 1),
            Scalar::Int(micros),
            Scalar::Uint(number),
            Scalar::Float32(f32::from_bits(number as u32)),
            Scalar::Float64(f64::from_bits(number)),
            Scalar::Text(input),
            Scalar::Bytes(input),
            Scalar::Json(input),
            Scalar::Uuid(u128::from(number).to_be_bytes()),
            Scalar::Date(Date::from_unix_days(micros >> 20)),
            Scalar::Time { micros: micros.rem_euclid(86_400_000_000), utc: number & 2 == 2 },
            Scalar::date_time_from_unix_micros(micros, number & 1 == 1),
        ];
        scalars.extend(text.map(Scalar::Decimal));
        let hints = [
            None,
            Some(Hint::Bool),
            Some(Hint::Number),
            Some(Hint::String),
            Some(Hint::Json),
            Some(Hint::Base64),
        ];
        let mut encoded = 0;
        for scalar in scalars {
            for hint in hints {
                let mut out = b"before".to_vec();
                if encode(scalar, hint, &mut out).is_err() {
                    continue;
                }
                encoded += 1;
                let json = out.strip_prefix(b"before").expect("it appends");
                let value: Value = serde_json::from_slice(json)
                    .unwrap_or_else(|e| panic!("{scalar:?} as {hint:?}: {e}: {}", utf8(json)));
                match (scalar, hint) {
                    (Scalar::Null, _) => assert!(value.is_null()),
                    (Scalar::Text(bytes), None | Some(Hint::String)) => {
                        assert_eq!(value.as_str().map(str::as_bytes), Some(bytes));
                    }
                    // Digit by digit: nothing is rounded.
                    (Scalar::Decimal(digits), None | Some(Hint::Number)) => {
                        assert_eq!(utf8(json), digits);
                    }
                    (Scalar::Int(n), None) => assert_eq!(value.as_i64(), Some(n)),
                    (Scalar::Uint(n), None) => assert_eq!(value.as_u64(), Some(n)),
                    (Scalar::Float64(f), None) => {
                        let read: f64 = utf8(json).parse().expect("a number");
                        assert_eq!(read.to_bits(), f.to_bits());
                    }
                    (Scalar::Float32(f), None) => {
                        let read: f32 = utf8(json).parse().expect("a number");
                        assert_eq!(read.to_bits(), f.to_bits());
                    }
                    (Scalar::Json(bytes), _) if hint != Some(Hint::String) => {
                        assert_eq!(Some(value), serde_json::from_slice(bytes).ok());
                    }
                    _ => {}
                }
            }
        }
        encoded > 40
    });
    assert!(tried > 100 && valid > 0, "{tried} {valid}");
}

// ── tables ────────────────────────────────────────────────────────────────────────────────────

const OWNED: [&str; 3] = ["orders", "order_items", "sales.refunds"];

/// The shop of these queries: what is owned, and what is not, some of it by the same name.
const TABLES: &str = "
    CREATE SCHEMA sales; CREATE SCHEMA hidden;
    CREATE TABLE orders (id int, user_id int, total int);
    CREATE TABLE order_items (id int, order_id int, user_id int);
    CREATE TABLE users (id int, user_id int, total int);
    CREATE TABLE \"Orders\" (id int, user_id int, total int);
    CREATE TABLE sales.refunds (id int, user_id int, total int);
    CREATE TABLE sales.orders (id int, user_id int, total int);
    CREATE TABLE hidden.orders (id int, user_id int, total int);
    CREATE TABLE refunds (id int, user_id int, total int);";

/// A random query over owned tables, foreign ones, and names that a WITH gives to either.
struct Grammar<'r>(&'r mut Rng, Names);

/// Which tables a query is made of.
#[derive(Clone, Copy, PartialEq)]
enum Names {
    Owned,
    Any,
}

impl Grammar<'_> {
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        self.0.choice(of).expect("some")
    }

    fn table(&mut self) -> &'static str {
        if self.1 == Names::Owned {
            return self.one(&[
                "orders",
                "Orders",
                "\"orders\"",
                "order_items",
                "sales.refunds",
                "SALES.\"refunds\"",
            ]);
        }
        self.one(&[
            "orders",
            "orders",
            "Orders",
            "\"orders\"",
            "order_items",
            "order_items",
            "sales.refunds",
            "sales.refunds",
            "SALES.\"refunds\"",
            "users",
            "\"Orders\"",
            "refunds",
            "sales.orders",
            "hidden.orders",
            "public.orders",
            "a",
            "b",
            "pg_class",
            "pg_catalog.pg_tables",
            "information_schema.tables",
            "U&\"orders\"",
            "\"users\"",
        ])
    }

    fn name(&mut self) -> &'static str {
        self.one(&["a", "b", "users", "orders", "refunds", "\"Orders\"", "x"])
    }

    fn space(&mut self) -> &'static str {
        self.one(&[
            " ",
            " ",
            " ",
            "\n",
            " /* FROM users */ ",
            " -- users\n",
            "/**/",
            " /* /* users */ */ ",
            "\t",
        ])
    }

    fn from(&mut self, depth: u32) -> String {
        let alias = format!("t{}", self.0.u32(..1000));
        let space = self.space();
        match self.0.u8(..10) {
            0 if depth > 0 => format!("({}) {alias}", self.query(depth - 1)),
            1 if depth > 0 => {
                format!("(SELECT 1 AS id) {alias}, LATERAL ({}) l{alias}", self.query(depth - 1))
            }
            2 if depth > 0 => {
                let (left, right) = (self.from(depth - 1), self.from(depth - 1));
                let join = self.one(&["CROSS JOIN", ", ", "NATURAL JOIN", "LEFT JOIN"]);
                let on = if join == "LEFT JOIN" { " ON true" } else { "" };
                format!("{left} {join} {right}{on}")
            }
            3 => format!("ONLY{space}({})", self.table()),
            4 => format!("ONLY {} {alias}", self.table()),
            5 => format!("generate_series(1, 3) {alias}(id)"),
            6 => format!("(VALUES (1, 2, 3)) {alias}(id, user_id, total)"),
            7 => format!("{}{space}*", self.table()),
            _ => format!("{}{space}AS {alias}", self.table()),
        }
    }

    fn select(&mut self, depth: u32) -> String {
        let column = match self.0.u8(..6) {
            0 if depth > 0 => format!("(SELECT count(*) FROM {})", self.from(depth - 1)),
            1 => "'FROM users'".to_owned(),
            2 => "$$ FROM users $$".to_owned(),
            3 => "E'\\' FROM users'".to_owned(),
            _ => "1".to_owned(),
        };
        let space = self.space();
        let from = self.from(depth);
        let filter = match self.0.u8(..8) {
            0 if depth > 0 => format!(" WHERE EXISTS ({})", self.query(depth - 1)),
            1 if depth > 0 => format!(" WHERE 1 IN ({})", self.query(depth - 1)),
            2 => format!(" WHERE 1 IN (TABLE{space}{})", self.table()),
            3 => " WHERE false".to_owned(),
            _ => String::new(),
        };
        format!("SELECT{space}{column} AS id{space}FROM{space}{from}{filter}")
    }

    fn query(&mut self, depth: u32) -> String {
        let with = if depth > 0 && self.0.u8(..3) == 0 {
            let recursive = self.one(&["", "RECURSIVE "]);
            let count = self.0.usize(1..3);
            let bodies: Vec<String> = (0..count)
                .map(|_| {
                    let (name, body) = (self.name(), self.query(depth - 1));
                    let kind = self.one(&["AS", "AS MATERIALIZED", "(id) AS"]);
                    format!("{name} {kind} ({body})")
                })
                .collect();
            format!("WITH {recursive}{} ", bodies.join(", "))
        } else {
            String::new()
        };
        let body = match self.0.u8(..8) {
            0 if depth > 0 => {
                let (left, right) = (self.select(depth - 1), self.select(depth - 1));
                let set = self.one(&["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]);
                format!("({left}) {set} ({right})")
            }
            1 => format!("TABLE {}", self.table()),
            _ => self.select(depth),
        };
        format!("{with}{body}")
    }
}

/// The relations that PostgreSQL's planner reads for a query; `None`: it refuses the query.
async fn relations(connection: &mut sqlx::PgConnection, sql: &str) -> Option<Vec<String>> {
    let explain = format!("EXPLAIN (VERBOSE, FORMAT JSON) {sql}");
    let row = match sqlx::raw_sql(sqlx::AssertSqlSafe(explain)).fetch_one(connection).await {
        Ok(row) => row,
        Err(sqlx::Error::Database(_)) => return None,
        Err(error) => panic!("{error}"),
    };
    let plan = row.try_get_raw(0).expect("a plan");
    let plan = plan.as_str().expect("text");
    let plan: Value = serde_json::from_str(plan).expect("a plan");
    let mut found = Vec::new();
    let mut nodes = vec![&plan];
    while let Some(node) = nodes.pop() {
        match node {
            Value::Array(all) => nodes.extend(all),
            Value::Object(fields) => {
                if let (Some(name), Some(schema)) =
                    (fields.get("Relation Name"), fields.get("Schema"))
                {
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    found.push(match text(schema).as_str() {
                        "public" => text(name),
                        schema => format!("{schema}.{}", text(name)),
                    });
                }
                nodes.extend(fields.values());
            }
            _ => {}
        }
    }
    Some(found)
}

#[test]
fn sql_that_is_let_through_reads_owned_tables_only() {
    let database = Postgres::database();
    database.sql(TABLES);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let url = database.admin_url();
    let mut connection = runtime.block_on(sqlx::PgConnection::connect(&url)).expect("connected");
    let mut owns = Owns::default();
    owns.add(OWNED.map(str::to_owned).into());
    let make = |random: &mut Rng, kept: &[Vec<u8>]| match random.u8(..8) {
        0 => mutated(random, kept),
        1 => {
            let query = Grammar(random, Names::Owned).query(2).into_bytes();
            mutated(random, &[query])
        }
        2..5 => Grammar(random, Names::Any).query(2).into_bytes(),
        _ => Grammar(random, Names::Owned).query(3).into_bytes(),
    };
    let mut refused = 0_u64;
    let (tried, read) = property("sql", make, |input| {
        let sql = utf8(input);
        for database in ["mysql", "sqlite"].map(grammar) {
            let _ = ownership::check(&sql, database, &owns);
            let _ = with::leading_with(&sql, database);
        }
        let _ = sql.parse::<OrderBy>();
        let _ = with::leading_with(&sql, grammar("postgres"));
        let passes = ownership::check(&sql, grammar("postgres"), &owns).is_ok();
        // The protocol's texts end there.
        if sql.contains('\0') || !(passes || sql.len().is_multiple_of(4)) {
            return false;
        }
        let Some(found) = runtime.block_on(relations(&mut connection, &sql)) else {
            return false;
        };
        let foreign = found.iter().find(|table| !OWNED.contains(&table.as_str()));
        refused += u64::from(foreign.is_some());
        assert!(!passes || foreign.is_none(), "{foreign:?} is read by\n{sql}");
        passes && !found.is_empty()
    });
    // Neither side is empty: both what passes and what must not were there.
    assert!(read > 0 && refused > 0, "{tried} {read} {refused}");
}
