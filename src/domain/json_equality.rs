//! What two JSON texts mean to their reader: the same, or where they differ.
//!
//! The shop's own writer puts spaces after commas and escapes what is not ASCII; its reader sees no
//! difference, so neither do we.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

/// One text of all that mean the same; what is no JSON is its own.
pub fn normal_form(text: &[u8]) -> Vec<u8> {
    fn sorted(value: Value) -> Value {
        match value {
            Value::Array(items) => items.into_iter().map(sorted).collect(),
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(name, value)| (name, sorted(value)));
                let fields: BTreeMap<String, Value> = fields.collect();
                fields.into_iter().collect()
            }
            Value::Number(number) => {
                let (negative, digits, exponent) = decimal(&number.to_string());
                Value::from(vec![Value::from(negative), Value::from(digits), Value::from(exponent)])
            }
            value => value,
        }
    }
    match serde_json::from_slice(text) {
        Ok(value) => sorted(value).to_string().into_bytes(),
        Err(_) => text.to_vec(),
    }
}

/// Whether a reader gets the same from both. What is no JSON is the same only byte for byte.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a == b
        || match (serde_json::from_slice(a), serde_json::from_slice(b)) {
            (Ok(a), Ok(b)) => equal(&a, &b),
            _ => false,
        }
}

/// One place where two values differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `items[0].price`; empty for the value itself.
    pub path: String,
    /// As JSON; `None` where there is nothing.
    pub cached: Option<String>,
    pub database: Option<String>,
}

/// Every place where `cached` and `database` differ, field by field.
pub fn differences(cached: &Value, database: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", Some(cached), Some(database), &mut found);
    found
}

fn compare(
    path: &str,
    cached: Option<&Value>,
    database: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    match (cached, database) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let only_cached = a.keys().filter(|name| !b.contains_key(*name));
            for name in b.keys().chain(only_cached) {
                compare(&field(path, name), a.get(name), b.get(name), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for i in 0..a.len().max(b.len()) {
                compare(&format!("{path}[{i}]"), a.get(i), b.get(i), found);
            }
        }
        (Some(a), Some(b)) if equal(a, b) => {}
        (a, b) => found.push(Difference {
            path: path.to_owned(),
            cached: a.map(Value::to_string),
            database: b.map(Value::to_string),
        }),
    }
}

fn field(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Whether a reader gets the same from both.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => is_same_number(a.as_str(), b.as_str()),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let found = |(name, a)| b.get(name).is_some_and(|b| equal(a, b));
            a.len() == b.len() && a.iter().all(found)
        }
        (a, b) => a == b,
    }
}

/// Whether two texts of numbers mean the same number, to the last digit.
pub fn is_same_number(a: &str, b: &str) -> bool {
    decimal(a) == decimal(b)
}

/// Sign, digits and power of ten of a number's text, the same for `12.50`, `12.5` and `125e-1`.
/// Never through a float: two long numbers may differ in their last digit.
pub(super) fn decimal(text: &str) -> (bool, String, i64) {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let zeros = digits.len() - significant.len();
    let digits = significant.trim_start_matches('0').to_owned();
    if digits.is_empty() {
        return (false, digits, 0);
    }
    let exponent: i64 = exponent.trim_start_matches('+').parse().unwrap_or(i64::MAX);
    let exponent = exponent.saturating_sub(fraction.len() as i64).saturating_add(zeros as i64);
    (negative, digits, exponent)
}

/// Field names and JSON types of some values: what a reader relies on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile(BTreeMap<String, BTreeSet<Kind>>);

/// A JSON type. Null is none: any field may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Bool,
    Number,
    Text,
    List,
    Object,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        })
    }
}

impl Profile {
    pub fn add(&mut self, value: &Value) {
        self.add_at("", value);
    }

    fn add_at(&mut self, path: &str, value: &Value) {
        let kinds = self.0.entry(path.to_owned()).or_default();
        match value {
            Value::Null => {}
            Value::Bool(_) => _ = kinds.insert(Kind::Bool),
            Value::Number(_) => _ = kinds.insert(Kind::Number),
            Value::String(_) => _ = kinds.insert(Kind::Text),
            Value::Array(items) => {
                kinds.insert(Kind::List);
                for item in items {
                    self.add_at(&format!("{path}[]"), item);
                }
            }
            Value::Object(fields) => {
                kinds.insert(Kind::Object);
                for (name, value) in fields {
                    self.add_at(&field(path, name), value);
                }
            }
        }
    }

    /// Takes over what other values have.
    pub fn merge(&mut self, other: Self) {
        for (path, kinds) in other.0 {
            self.0.entry(path).or_default().extend(kinds);
        }
    }

    /// In words, where `new` values look different to a reader of these. `is_done`: they have
    /// replaced them.
    pub fn changes(&self, new: &Self, is_done: bool) -> Vec<String> {
        let [was, becomes, gone_now, new_now] = match is_done {
            true => ["was", "is now", "is gone", "is new"],
            false => ["is", "would be", "would be gone", "would be new"],
        };
        let mut changes = Vec::new();
        let mut gone = Vec::new();
        let shown = |path: &str| match path {
            "" => "the value".to_owned(),
            path => format!("`{path}`"),
        };
        for (path, old) in &self.0 {
            match new.0.get(path) {
                None if self.could_be_in(path, new) => gone.push(shown(path)),
                Some(new) if !old.is_empty() && !new.is_empty() && old.is_disjoint(new) => {
                    let (path, old, new) = (shown(path), either(old), either(new));
                    changes.push(format!("{path} {was} {old} and {becomes} {new}"));
                }
                _ => {}
            }
        }
        let added = new.0.keys().filter(|path| !self.0.contains_key(*path));
        let added = added.filter(|path| new.could_be_in(path, self));
        let added: Vec<String> = added.map(|path| shown(path)).collect();
        for (names, what) in [(gone, gone_now), (added, new_now)] {
            if !names.is_empty() {
                changes.push(format!("{} {what}", names.join(", ")));
            }
        }
        changes
    }

    /// Whether `other` has what the path stands in: below a list that is empty there, or a field
    /// that is missing itself, nothing can be said.
    fn could_be_in(&self, path: &str, other: &Self) -> bool {
        let parent = match path.strip_suffix("[]") {
            // A list's items: an empty list has none.
            Some(_) => return false,
            None => path.rsplit_once('.').map_or("", |(parent, _)| parent),
        };
        other.0.get(parent).is_some_and(|kinds| kinds.contains(&Kind::Object))
    }
}

fn either(kinds: &BTreeSet<Kind>) -> String {
    let names: Vec<String> = kinds.iter().map(Kind::to_string).collect();
    names.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_sees_is_compared() {
        for (a, b) in [
            (r#"{"a": 1, "b": [1, 2]}"#, r#"{"b":[1,2],"a":1}"#),
            (r#""caf\u00e9""#, r#""café""#),
            ("12.50", "12.5"),
            ("125e-1", "12.5"),
            ("-0.0", "0"),
            ("100", "1E+2"),
            ("not json", "not json"),
        ] {
            assert!(same(a.as_bytes(), b.as_bytes()), "{a} {b}");
        }
        for (a, b) in [
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            ("12345678901234567891", "12345678901234567892"),
            ("0.1", "0.10000000000000001"),
            ("1", "\"1\""),
            ("-1", "1"),
            ("[1,2]", "[2,1]"),
            ("not json", "not  json"),
        ] {
            assert!(!same(a.as_bytes(), b.as_bytes()), "{a} {b}");
        }
    }

    fn value(text: &str) -> Value {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn differences_name_their_place() {
        let found = differences(
            &value(r#"{"id":1,"items":[{"p":1.0},{"p":2}],"old":true}"#),
            &value(r#"{"id":1,"items":[{"p":1},{"p":3},{"p":4}],"new":null}"#),
        );
        let shown: Vec<_> = found
            .iter()
            .map(|d| (d.path.as_str(), d.cached.as_deref(), d.database.as_deref()))
            .collect();
        assert_eq!(
            shown,
            [
                ("items[1].p", Some("2"), Some("3")),
                ("items[2]", None, Some(r#"{"p":4}"#)),
                ("new", None, Some("null")),
                ("old", Some("true"), None),
            ]
        );
    }

    #[test]
    fn a_profile_knows_names_and_types() {
        let profile = |texts: &[&str]| {
            let mut profile = Profile::default();
            texts.iter().for_each(|text| profile.add(&value(text)));
            profile
        };
        let old = profile(&[r#"{"id":"a","price":1,"tags":["x"],"sub":{"n":1}}"#]);
        let changes = |new: &[&str]| old.changes(&profile(new), false);
        assert!(changes(&[r#"{"id":"b","price":null,"tags":[],"sub":null}"#]).is_empty());
        assert_eq!(
            changes(&[r#"{"id":"b","cost":"1","tags":[1],"sub":{"n":1}}"#]),
            [
                "`tags[]` is a string and would be a number",
                "`price` would be gone",
                "`cost` would be new",
            ]
        );
        assert_eq!(changes(&["[1]"]), ["the value is an object and would be a list"]);
        assert_eq!(
            old.changes(&profile(&[r#"{"id":1,"cost":1,"tags":[],"sub":{"n":1}}"#]), true),
            ["`id` was a string and is now a number", "`price` is gone", "`cost` is new"]
        );
    }
}
