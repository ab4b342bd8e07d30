//! Every column type of the three servers, with its smallest, largest and odd values, as a value, a
//! text, a hash field and a key, and with every hint, compared with what the server itself says.
//!
//! Two rules: what the server says as text is what is stored, in the JSON form of its class; and
//! what has no such form fails its row and names the column. Nothing is ever silently something
//! else.

use std::collections::HashMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::support::lab::{Lab, own, strategy};
use crate::support::servers::Dialect;

/// The JSON form of a type, given the server's text.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Class {
    /// The same digits, without zeros in front.
    Exact,
    /// The shortest digits that give the same number back.
    Float,
    /// At least the declared decimals; SQLite stores none.
    Decimal,
    Bool,
    /// As it is.
    Text,
    /// A text of its own: a uuid; ISO 8601, with `T` between date and time, no fraction or six
    /// digits, `+00:00` for UTC.
    Moment,
    /// Embedded.
    Json,
    /// A list of values, each as a column of its type would have it.
    Array,
    /// No form without a hint.
    Bytes,
}
use Class::{Array, Bool, Bytes, Decimal, Exact, Float, Json, Moment, Text};

/// A type, its class, and values as SQL; one after `!` has no JSON form.
type Type = (&'static str, Class, &'static [&'static str]);

#[rustfmt::skip]
const POSTGRES: &[Type] = &[
    ("boolean", Bool, &["true", "false"]),
    ("smallint", Exact, &["-32768", "0", "32767"]),
    ("integer", Exact, &["-2147483648", "2147483647"]),
    ("bigint", Exact, &["-9223372036854775808", "9223372036854775807"]),
    ("oid", Exact, &["0", "4294967295"]),
    ("real", Float, &["0.1", "16777216", "-0", "1e38", "!'NaN'", "!'Infinity'"]),
    ("double precision", Float, &["0.1", "1e300", "5e-324", "!'NaN'", "!'-Infinity'"]),
    ("numeric", Exact, &["0", "1e30", "-0.00000000000000000001", "10000.0001", "!'NaN'"]),
    ("numeric(10,2)", Exact, &["0", "-0.01", "99999999.99"]),
    ("text", Text, &["''", "'🍕 \"q\" \\ é'", "'1'", "'true'", "E'\\t\\x01'", "'[1]'", "'007'"]),
    ("varchar(9)", Text, &["'a  '", "'null'"]),
    ("char(5)", Text, &["'ab'"]),
    ("name", Text, &["'n'"]),
    ("\"char\"", Text, &["'x'", "''", "'1'", "!'\\377'"]),
    ("xml", Text, &["'<a b=\"é\"/>'"]),
    ("uuid", Moment, &["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"]),
    ("mood", Text, &["'so so'", "'läuft'"]),
    ("price", Exact, &["3"]),
    ("date", Moment, &["'0001-01-01'", "'9999-12-31'", "!'infinity'", "!'0044-03-15 BC'", "!'10000-01-01'"]),
    ("time", Moment, &["'00:00'", "'23:59:59.999999'", "'24:00'"]),
    ("timetz", Moment, &["'00:00+00'", "'23:59:59.5+00'", "'24:00+00'"]),
    ("timestamp", Moment, &["'2026-01-02 03:04:05'", "'2026-01-02 03:04:05.6'", "!'infinity'"]),
    ("timestamptz", Moment, &["'2026-01-02 03:04:05.000001+02'", "!'-infinity'"]),
    ("json", Json, &["'{ \"a\": [1.50, 1e400] }'", "'null'", "'\"x\"'"]),
    ("jsonb", Json, &["'[]'", "'{\"n\": 12345678901234567890.10}'"]),
    ("bytea", Bytes, &["''", "'\\x00ff'", "'\\x31'"]),
    ("int[]", Array, &["'{}'", "'{0,1,NULL}'", "'{{1,NULL},{2,3}}'", "'[0:1]={1,1}'"]),
    ("boolean[]", Array, &["'{t,f,NULL}'"]),
    ("numeric[]", Array, &["'{1.5,20}'", "!'{1,NaN}'"]),
    ("text[]", Array, &["'{a,\"b \\\"c\\\"\",NULL,\"NULL\",\"\"}'", "'{1,2}'", "'{yes,no}'", "'{\"[1]\"}'"]),
    ("mood[]", Array, &["'{\"so so\",läuft}'"]),
    ("grid", Array, &["'{{1,2}}'"]),
    ("amount[]", Array, &["'{3,0}'"]),
    ("fee", Exact, &["3"]),
    ("\"Odd mood\"", Text, &["'so so'"]),
    // Where the server has it.
    ("citext", Text, &["'Ä b'", "'1'", "'YES'"]),
];

#[rustfmt::skip]
const MARIADB: &[Type] = &[
    ("tinyint(1)", Exact, &["-128", "0", "1", "2", "127"]),
    ("tinyint(1) unsigned", Exact, &["0", "1", "200", "255"]),
    ("tinyint", Exact, &["-128", "127"]),
    ("tinyint unsigned", Exact, &["255"]),
    ("smallint", Exact, &["-32768", "32767"]),
    ("smallint unsigned", Exact, &["65535"]),
    ("mediumint", Exact, &["-8388608", "8388607"]),
    ("mediumint unsigned", Exact, &["16777215"]),
    ("int", Exact, &["-2147483648", "2147483647"]),
    ("int unsigned", Exact, &["4294967295"]),
    ("int(8) unsigned zerofill", Exact, &["0", "42"]),
    ("bigint", Exact, &["-9223372036854775808", "9223372036854775807"]),
    ("bigint unsigned", Exact, &["18446744073709551615"]),
    ("bit(1)", Exact, &["0", "1"]),
    ("bit(8)", Exact, &["2", "255"]),
    ("bit(64)", Exact, &["18446744073709551615"]),
    ("year", Exact, &["2026", "1901"]),
    ("decimal(65,30)", Exact, &["0", "-0.000000000000000000000000000001"]),
    ("decimal(10,2)", Exact, &["0", "-0.01", "99999999.99"]),
    ("decimal(6,2) zerofill", Exact, &["1.5"]),
    ("float", Float, &["0.1", "16777216", "-1e30"]),
    ("double", Float, &["0.1", "1e300", "0.30000000000000004"]),
    ("float unsigned", Float, &["0", "0.1", "3e38"]),
    ("float(7,3) zerofill", Float, &["1.5"]),
    ("double unsigned", Float, &["0", "1e300"]),
    ("double zerofill", Float, &["0.1"]),
    ("decimal(10,2) unsigned", Exact, &["0", "99999999.99"]),
    ("char(5)", Text, &["'ab'", "''"]),
    ("varchar(40)", Text, &["'🍕 \"q\" é'", "'1'", "'true'", "CONCAT('a', CHAR(0, 27 USING utf8mb4))"]),
    ("varchar(40) COLLATE utf8mb4_bin", Text, &["'Ü'", "'[1]'", "'007'"]),
    ("varchar(40) CHARACTER SET latin1", Text, &["'é€'"]),
    ("varchar(40) CHARACTER SET ucs2", Text, &["'日'"]),
    ("tinytext", Text, &["'x'"]),
    ("text", Text, &["'x'", "'12.50'"]),
    ("mediumtext", Text, &["'x'"]),
    ("longtext", Text, &["'x'", "'{\"a\": 1}'"]),
    ("enum('so so','läuft')", Text, &["'läuft'"]),
    ("set('a','b')", Text, &["''", "'a,b'"]),
    ("uuid", Text, &["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"]),
    ("inet4", Text, &["'10.0.0.1'"]),
    ("inet6", Text, &["'::1'"]),
    ("json", Json, &["'{ \"a\": [1.50] }'", "'[]'", "'null'"]),
    ("date", Moment, &["'1000-01-01'", "'9999-12-31'", "!'0000-00-00'", "!'2024-01-00'"]),
    ("datetime", Moment, &["'2026-01-02 00:00:00'", "!'0000-00-00 00:00:00'"]),
    ("datetime(6)", Moment, &["'2026-01-02 03:04:05.6'", "'2026-01-02 00:00:00'"]),
    ("timestamp(6) NULL", Moment, &["'2026-01-02 03:04:05.000001'"]),
    ("time", Moment, &["'00:00:00'", "'23:59:59'", "'24:00:00'", "!'-00:00:01'", "!'838:59:59'"]),
    ("time(6)", Moment, &["'23:59:59.5'"]),
    ("binary(3)", Bytes, &["'ab'"]),
    ("varbinary(9)", Bytes, &["''", "X'00FF'", "'1'"]),
    ("tinyblob", Bytes, &["X'FF'"]),
    ("blob", Bytes, &["'[1]'"]),
    ("mediumblob", Bytes, &["X'FF'"]),
    ("longblob", Bytes, &["X'FF'"]),
];

#[rustfmt::skip]
const SQLITE: &[Type] = &[
    ("INTEGER", Exact, &["-9223372036854775808", "0", "9223372036854775807", "!'seven'", "!x'00'"]),
    ("TINYINT(1)", Exact, &["1", "2", "-1"]),
    ("", Exact, &["7", "-7"]),
    ("REAL", Float, &["0.1", "1e300", "!9e999", "!'n/a'"]),
    ("NUMERIC(10,2)", Decimal, &["20", "19.9", "-0.01", "!'n/a'"]),
    ("BOOLEAN", Bool, &["1", "0", "!2", "!'yes'"]),
    ("TEXT", Text, &["''", "'🍕 \"q\" é'", "'1'", "'a' || char(0)", "'[1]'", "!CAST(x'ff' AS TEXT)"]),
    ("VARCHAR(9)", Text, &["'true'", "123"]),
    ("UUID", Text, &["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"]),
    ("MONEY", Exact, &["7", "'8'", "!'x'"]),
    ("DATE", Moment, &["'2024-02-29'", "!19782", "!'tomorrow'", "!'2026-02-31'", "!'2026-01-01 10:00:00'"]),
    ("TIME", Moment, &["'03:04:05'", "'03:04:05.5'", "'24:00:00'", "!'25:00'"]),
    ("DATETIME", Moment, &["'2026-01-02 03:04:05'", "!'03.05.2026 10:00'"]),
    ("TIMESTAMP", Moment, &["'2026-01-02 03:04:05'", "'2026-01-02 03:04:05.6'", "!1767323045"]),
    ("JSON", Json, &["'{ \"a\": [1.50] }'", "'null'", "!'{'"]),
    ("BLOB", Bytes, &["x''", "x'00ff'", "x'31'"]),
];

#[test]
fn postgres_says_what_is_stored() {
    let set_up = "SET TimeZone = 'UTC'; CREATE TYPE mood AS ENUM ('so so', 'läuft');
                  CREATE DOMAIN price AS numeric(10,2); CREATE DOMAIN grid AS int[];
                  CREATE DOMAIN amount AS numeric; CREATE DOMAIN fee AS price;
                  CREATE TYPE \"Odd mood\" AS ENUM ('so so')";
    let server = Lab::empty(Dialect::Postgres).database;
    let citext = "SELECT count(*) FROM pg_available_extensions WHERE name = 'citext'";
    match server.query(citext).as_str() {
        "1" => {
            let set_up = format!("CREATE EXTENSION citext; {set_up}");
            Matrix::new(Dialect::Postgres, &set_up, POSTGRES).check();
        }
        _ => Matrix::new(Dialect::Postgres, set_up, &POSTGRES[..POSTGRES.len() - 1]).check(),
    }
}

#[test]
fn mariadb_says_what_is_stored() {
    let set_up = "SET NAMES utf8mb4; SET sql_mode = ''; SET time_zone = '+00:00'";
    Matrix::new(Dialect::MySql, set_up, MARIADB).check();
}

#[test]
fn sqlite_says_what_is_stored() {
    Matrix::new(Dialect::Sqlite, "SELECT 1", SQLITE).check();
}

const HINTS: [&str; 5] = ["bool", "number", "string", "json", "base64"];

struct Matrix {
    lab: Lab,
    dialect: Dialect,
    types: &'static [Type],
    /// What the server says: its text, or the bytes.
    said: HashMap<(usize, usize), Vec<u8>>,
    /// What the run says of each key that failed.
    errors: HashMap<String, String>,
    wrong: String,
}

impl Matrix {
    /// Fills a table per type, and warms them in every shape and with every hint.
    fn new(dialect: Dialect, set_up: &str, types: &'static [Type]) -> Self {
        let lab = Lab::empty(dialect);
        let (mut script, mut strategies) = (format!("{set_up};\n"), String::new());
        if dialect == Dialect::MySql {
            let name = lab.database.name();
            let _ = writeln!(script, "ALTER DATABASE {name} CHARACTER SET utf8mb4;");
        }
        for (t, (declared, _, values)) in types.iter().enumerate() {
            let _ = writeln!(script, "CREATE TABLE t{t} (k int, v {declared});");
            for (k, value) in values.iter().enumerate() {
                let value = value.trim_start_matches('!');
                let _ = writeln!(script, "INSERT INTO t{t} VALUES ({k}, {value});");
            }
            let _ = writeln!(script, "INSERT INTO t{t} VALUES (99, NULL);");
            let all = format!("SELECT k AS _k, v FROM t{t}");
            for (name, shape) in [("o", "object"), ("x", "text"), ("h", "hash")] {
                let (name, key) = (format!("{name}{t}"), format!("{name}{t}:{{_k}}"));
                strategies += &strategy(&name, shape, &key, &all);
            }
            let keys = format!("SELECT k, v FROM t{t}");
            strategies +=
                &strategy(&format!("k{t}"), "object", &format!("k{t}:{{k}}:{{v}}"), &keys);
            for hint in HINTS {
                let (name, key) = (format!("{hint}{t}"), format!("{hint}{t}:{{_k}}"));
                strategies += &strategy(&name, "object", &key, &all);
                let _ = writeln!(strategies, "types = {{ v = \"{hint}\" }}");
            }
        }
        lab.database.sql(&script);
        let tables: Vec<String> = (0..types.len()).map(|t| format!("t{t}")).collect();
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        let run = lab.warm(&own(&tables, &strategies)).expect(3);
        Self {
            said: said(&lab, dialect, types),
            errors: errors(&run.json()),
            lab,
            dialect,
            types,
            wrong: String::new(),
        }
    }

    /// `EVAL` on keys: what stands there, or nothing.
    fn stored(&self, command: &str, keys: &[String]) -> Vec<Option<String>> {
        let script = format!(
            "local all = {{}} for i, key in ipairs(KEYS) do local v = {command}
             all[i] = v and '=' .. v or '-' end return all"
        );
        let count = keys.len().to_string();
        let mut words = vec!["EVAL", &script, &count];
        words.extend(keys.iter().map(String::as_str));
        let answer = self.lab.redis.cli(&words);
        let lines = answer.split('\n');
        lines.map(|line| line.strip_prefix('=').map(str::to_owned)).collect()
    }

    fn objects(&self, name: &str, cells: &[(usize, usize)]) -> Vec<Option<String>> {
        let keys: Vec<String> = cells.iter().map(|(t, k)| format!("{name}{t}:{k}")).collect();
        let cell =
            |json: String| json.strip_prefix("{\"v\":")?.strip_suffix('}').map(str::to_owned);
        let all = self.stored("redis.call('GET', key)", &keys);
        all.into_iter().map(|json| json.and_then(cell)).collect()
    }

    fn check(mut self) {
        let cells: Vec<(usize, usize)> = self
            .types
            .iter()
            .enumerate()
            .flat_map(|(t, (_, _, values))| (0..values.len()).map(move |k| (t, k)))
            .collect();
        let plain = self.objects("o", &cells);
        let keys = |name: &str| -> Vec<String> {
            cells.iter().map(|(t, k)| format!("{name}{t}:{k}")).collect()
        };
        let texts = self.stored("redis.call('GET', key)", &keys("x"));
        let fields = self.stored("redis.call('HGET', key, 'v')", &keys("h"));
        let all_keys = self.lab.keys();
        for (at, &(t, k)) in cells.iter().enumerate() {
            let json = plain[at].as_deref();
            self.check_plain(t, k, json);
            // JSON's null is not there as a text, no hash has it, and no key.
            let is_null = self.types[t].1 == Json && json == Some("null");
            let form = json.filter(|_| !is_null).and_then(form);
            self.compare("text", t, k, form.as_deref(), texts[at].as_deref());
            self.compare("hash field", t, k, form.as_deref(), fields[at].as_deref());
            if let Some(form) = form.filter(|form| !form.is_empty() && !form.contains('\0')) {
                let key = format!("k{t}:{k}:{form}");
                if !all_keys.contains(&key) {
                    self.complain("key", t, k, &format!("there is no {key:?}"));
                }
            }
        }
        let nulls: Vec<(usize, usize)> = (0..self.types.len()).map(|t| (t, 99)).collect();
        for name in HINTS.iter().chain(&["o"]) {
            let found = self.objects(name, &nulls);
            let all_null = found.iter().all(|json| json.as_deref() == Some("null"));
            assert!(all_null, "{name}: {found:?}");
        }
        for hint in HINTS {
            let hinted = self.objects(hint, &cells);
            for (at, &(t, k)) in cells.iter().enumerate() {
                self.check_hint(hint, t, k, plain[at].as_deref(), hinted[at].as_deref());
            }
        }
        assert!(self.wrong.is_empty(), "\n{}", self.wrong);
    }

    fn complain(&mut self, what: &str, t: usize, k: usize, why: &str) {
        let (declared, _, values) = self.types[t];
        let said = String::from_utf8_lossy(&self.said[&(t, k)]).into_owned();
        let _ = writeln!(self.wrong, "{declared} {} ({said:?}): {what}: {why}", values[k]);
    }

    fn compare(
        &mut self,
        what: &str,
        t: usize,
        k: usize,
        right: Option<&str>,
        found: Option<&str>,
    ) {
        if right != found {
            self.complain(what, t, k, &format!("{found:?} instead of {right:?}"));
        }
    }

    /// A value is what the server says, or it failed by name.
    fn check_plain(&mut self, t: usize, k: usize, json: Option<&str>) {
        let (_, class, values) = self.types[t];
        let has_form = !values[k].starts_with('!') && class != Bytes;
        match json {
            Some(json) if !has_form => {
                self.complain("value", t, k, &format!("has none, got {json}"));
            }
            Some(json) => {
                let said = String::from_utf8_lossy(&self.said[&(t, k)]).into_owned();
                if !class.is(json, &said) {
                    self.complain("value", t, k, json);
                }
            }
            None if has_form => {
                let error = self.errors.get(&format!("o{t}:{k}")).cloned();
                self.complain("value", t, k, &format!("missing: {error:?}"));
            }
            None => self.check_error("o", t, k),
        }
    }

    fn check_error(&mut self, name: &str, t: usize, k: usize) {
        let error = self.errors.get(&format!("{name}{t}:{k}")).cloned();
        if !error.as_deref().is_some_and(|error| error.starts_with("column `v`: ")) {
            self.complain(name, t, k, &format!("failed without a name: {error:?}"));
        }
    }

    /// With a hint a value is the same in another form; where it has no such form it failed by name.
    fn check_hint(
        &mut self,
        hint: &str,
        t: usize,
        k: usize,
        plain: Option<&str>,
        json: Option<&str>,
    ) {
        let right = self.hinted(hint, t, k, plain);
        match (right, json) {
            (None, None) => self.check_error(hint, t, k),
            (Some(right), Some(json)) if same(&right, json) => {}
            (right, json) => {
                let error = self.errors.get(&format!("{hint}{t}:{k}")).cloned();
                let why = format!("{json:?} instead of {right:?}: {error:?}");
                self.complain(hint, t, k, &why);
            }
        }
    }

    /// What a hint makes of a value: JSON, or nothing.
    fn hinted(&self, hint: &str, t: usize, k: usize, plain: Option<&str>) -> Option<String> {
        let (declared, class, values) = self.types[t];
        let said = &self.said[&(t, k)];
        if class == Array {
            // An array is JSON already.
            return match hint {
                "json" => Some(plain?.to_owned()),
                _ => elements(hint, &serde_json::from_str(plain?).ok()?).map(|v| v.to_string()),
            };
        }
        if let (Some(width), "base64") = (width(declared), hint) {
            let number: u64 = std::str::from_utf8(said).ok()?.parse().ok()?;
            let bytes = &number.to_be_bytes()[8 - width.div_ceil(8)..];
            return Some(quoted(&BASE64_STANDARD.encode(bytes)));
        }
        let class = match values[k].strip_prefix('!') {
            Some(value) if self.dialect == Dialect::Sqlite => class.of_stored(value),
            // It comes as bytes that are no text.
            Some(_) if class != Text => return None,
            _ => class,
        };
        class.hinted(hint, said, plain)
    }
}

/// Whether a value is the right one: two documents may have other blanks.
fn same(right: &str, json: &str) -> bool {
    let parsed = |text| serde_json::from_str::<Value>(text).ok();
    let is_document = right.starts_with(['[', '{']);
    right == json || (is_document && parsed(right) == parsed(json))
}

/// The bits of a MySQL type that is nothing else.
fn width(declared: &str) -> Option<usize> {
    declared.strip_prefix("bit(")?.strip_suffix(')')?.parse().ok()
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// What a hint makes of each element of an array.
fn elements(hint: &str, plain: &Value) -> Option<Value> {
    let class = match plain {
        Value::Null => return Some(Value::Null),
        Value::Array(all) => return all.iter().map(|one| elements(hint, one)).collect(),
        Value::Bool(_) => Bool,
        Value::Number(_) => Exact,
        _ => Text,
    };
    let (json, said) = (plain.to_string(), form(&plain.to_string())?);
    let hinted = class.hinted(hint, said.as_bytes(), Some(&json))?;
    serde_json::from_str(&hinted).ok()
}

impl Class {
    /// Of a value of another kind than its column, in SQLite.
    fn of_stored(self, value: &str) -> Self {
        match value.as_bytes() {
            [b'x', ..] => Bytes,
            [b'\'', ..] if self != Json => Text,
            [b'C' | b'\'', ..] => self,
            _ if value.parse::<i64>().is_ok() => Exact,
            _ => Float,
        }
    }

    /// What a hint makes of a value of this class; `None`: it fails.
    fn hinted(self, hint: &str, said: &[u8], plain: Option<&str>) -> Option<String> {
        let text = std::str::from_utf8(said);
        let is_text = matches!(self, Text | Bytes);
        match hint {
            "bool" => match (self, text.ok()?.to_ascii_lowercase().as_str()) {
                (Bool, _) => plain.map(str::to_owned),
                (Text | Bytes, "1" | "t" | "true" | "y" | "yes") => Some("true".into()),
                (Text | Bytes, "0" | "f" | "false" | "n" | "no") => Some("false".into()),
                (Bytes, "\u{1}") => Some("true".into()),
                (Bytes, "\0") => Some("false".into()),
                (Exact, digits) => match without_zeros(digits).as_str() {
                    "1" => Some("true".into()),
                    "0" => Some("false".into()),
                    _ => None,
                },
                _ => None,
            },
            "number" => match self {
                Bool => Some(if plain? == "true" { "1" } else { "0" }.into()),
                Text | Bytes => text.ok().filter(|text| is_number(text)).map(str::to_owned),
                Exact => Some(without_zeros(text.ok()?)),
                Float | Decimal => plain.map(str::to_owned),
                Moment | Json | Array => None,
            },
            "string" => match self {
                // The document's own text.
                Text | Bytes | Json => text.ok().map(quoted),
                Exact => Some(quoted(&without_zeros(text.ok()?))),
                _ => Some(quoted(&form(plain?)?)),
            },
            "json" => match self {
                Text | Bytes => text.ok().filter(|text| is_json(text)).map(str::to_owned),
                Exact => Some(without_zeros(text.ok()?)),
                _ => plain.map(str::to_owned),
            },
            _ => is_text.then(|| quoted(&BASE64_STANDARD.encode(said))),
        }
    }

    /// Whether `json` is this class's form of what the server says.
    fn is(self, json: &str, said: &str) -> bool {
        match self {
            Self::Exact => json == without_zeros(said),
            Self::Float => {
                let (a, b) = (json.parse::<f64>(), said.parse::<f64>());
                // MariaDB prints six digits of a FLOAT.
                matches!((a, b), (Ok(a), Ok(b)) if a == b || ((a - b) / b).abs() < 5e-6)
            }
            Self::Decimal => json.parse::<f64>() == said.parse::<f64>() && json.contains('.'),
            Self::Bool => json == if said.starts_with(['t', '1']) { "true" } else { "false" },
            Self::Text => serde_json::from_str::<String>(json).is_ok_and(|text| text == said),
            Self::Moment => form(json) == Some(moment(said)),
            Self::Json | Self::Array => {
                let parsed = |text| serde_json::from_str::<Value>(text).ok();
                parsed(json).is_some() && parsed(json) == parsed(said)
            }
            Self::Bytes => false,
        }
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok()
}

fn is_number(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_number())
}

fn without_zeros(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let shorter = digits.trim_start_matches('0');
    match shorter.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!("{sign}{shorter}"),
        false => format!("{sign}0{shorter}"),
    }
}

/// ISO 8601, of a server's text.
fn moment(said: &str) -> String {
    let (said, zone) = match said.strip_suffix("+00") {
        Some(said) => (said, "+00:00"),
        None => (said, ""),
    };
    let said = said.replace(' ', "T");
    let (whole, fraction) = said.split_once('.').unwrap_or((&said, ""));
    match fraction.trim_end_matches('0') {
        "" => format!("{whole}{zone}"),
        fraction => format!("{whole}.{fraction:0<6}{zone}"),
    }
}

/// A JSON value as text: a string without its quotes, anything else as it is.
fn form(json: &str) -> Option<String> {
    match json.starts_with('"') {
        true => serde_json::from_str(json).ok(),
        false => Some(json.to_owned()),
    }
}

/// What the server itself says of each value, in hexadecimal digits.
fn said(lab: &Lab, dialect: Dialect, types: &[Type]) -> HashMap<(usize, usize), Vec<u8>> {
    let queries = types.iter().enumerate().map(|(t, (declared, class, _))| {
        let text = match (dialect, class) {
            (Dialect::Postgres, Bytes) => "encode(v, 'hex')".to_owned(),
            (Dialect::Postgres, Array) => {
                "encode(convert_to(to_json(v)::text, 'UTF8'), 'hex')".to_owned()
            }
            (Dialect::Postgres, _) if *declared == "\"char\"" => {
                "encode(v::text::bytea, 'hex')".to_owned()
            }
            // As it is stored and sent, with blanks at its end; a cast to text takes them off.
            (Dialect::Postgres, _) if declared.starts_with("char(") => {
                "encode(convert_to(rpad(v::text, 5), 'UTF8'), 'hex')".to_owned()
            }
            (Dialect::Postgres, _) => "encode(convert_to(v::text, 'UTF8'), 'hex')".to_owned(),
            (Dialect::MySql, Bytes) => "HEX(v)".to_owned(),
            (Dialect::MySql, _) if declared.starts_with("bit") => {
                "HEX(CAST(v + 0 AS CHAR))".to_owned()
            }
            (Dialect::MySql, _) => {
                let utc = if declared.starts_with("timestamp") { "'+00'" } else { "''" };
                format!("HEX(CONVERT(CONCAT(v, {utc}) USING utf8mb4))")
            }
            (Dialect::Sqlite, _) => "hex(CAST(v AS TEXT))".to_owned(),
        };
        format!("SELECT {t}, k, {text} FROM t{t} WHERE k < 99")
    });
    let sql = queries.collect::<Vec<_>>().join(" UNION ALL ");
    let set = match dialect {
        Dialect::MySql => "SET time_zone = '+00:00'; ",
        Dialect::Postgres => "SET TimeZone = 'UTC'; ",
        Dialect::Sqlite => "",
    };
    let rows = lab.database.query(&format!("{set}{sql}"));
    let row = |line: &str| {
        let mut parts = line.split(['\t', '|']);
        let mut number = || parts.next()?.parse::<usize>().ok();
        let cell = (number()?, number()?);
        Some((cell, bytes(parts.next().unwrap_or_default())))
    };
    rows.lines().filter_map(row).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.filter_map(byte).collect()
}

/// The error of each key.
fn errors(report: &Value) -> HashMap<String, String> {
    let strategies = report["strategies"].as_array().expect("a list").iter();
    let errors = strategies.flat_map(|part| part["errors"].as_array().expect("a list"));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    errors.map(|e| (text(&e["key"]), text(&e["error"]))).collect()
}
