//! The rows of a cache file.

use std::time::Duration;

use serde_json::{Map, Number, Value as Json};

use super::file::now_millis;
use crate::application::ports::CachedValue;
use crate::domain::entry::{Collection, Entry, Value};
use crate::domain::form::Form;
use crate::domain::standing::{Held, Kind, Standing};
use crate::domain::ttl::Ttl;

pub(super) const STORE: &str =
    "INSERT INTO entries (key, type, value, expires_at) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (key) DO UPDATE
    SET type = excluded.type, value = excluded.value, expires_at = excluded.expires_at
    WHERE ?5 OR entries.expires_at <= ?6";

/// A row that has not expired.
pub(super) struct Row {
    pub kind: String,
    pub value: Vec<u8>,
    pub expires_at: i64,
}

impl Row {
    pub(super) fn ttl(&self) -> Option<Duration> {
        let left = self.expires_at.saturating_sub(now_millis());
        (self.expires_at < i64::MAX).then(|| Duration::from_millis(left.max(0).unsigned_abs()))
    }

    pub(super) fn compare(self, entry: Entry<'_>, form: Form) -> Standing {
        let (kind, value) = stored_form(entry);
        let equal = self.kind == kind && form.same(&self.value, &value);
        Standing::Held(Held {
            kind: Kind::named(&self.kind),
            bytes: Some(self.value.len() as u64),
            ttl: self.ttl(),
            equal,
        })
    }
}

/// The expiry of an entry that is written now.
pub(super) fn expiry(ttl: &Ttl, key: &[u8], now: i64) -> i64 {
    let left = ttl.millis_for(key).and_then(|left| i64::try_from(left).ok());
    left.map_or(i64::MAX, |left| now.saturating_add(left))
}

/// The stored type and value of an entry.
pub(super) type StoredForm = (&'static str, Vec<u8>);

pub(super) fn stored_form(entry: Entry<'_>) -> StoredForm {
    match entry.value {
        Value::Text(text) => ("string", text.to_vec()),
        Value::Json(text) => ("json", text.to_vec()),
        Value::Collection(collection, pairs) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let mut pairs: Vec<(&[u8], &[u8])> = pairs.iter().collect();
            let (kind, json) = match collection {
                Collection::Hash => {
                    let fields = pairs.iter().map(|(n, v)| (text(n), text(v).into()));
                    ("hash", Json::Object(fields.collect()))
                }
                // In one order, so that the same members are the same bytes.
                Collection::Set => {
                    pairs.sort_unstable();
                    let members = pairs.iter().map(|(member, _)| text(member));
                    ("set", members.collect())
                }
                Collection::SortedSet => {
                    pairs.sort_unstable();
                    let scores = pairs.iter().map(|(n, v)| (text(n), score(&text(v))));
                    ("zset", Json::Object(scores.collect()))
                }
            };
            (kind, json.to_string().into_bytes())
        }
    }
}

/// A number with the digits of a score.
fn score(text: &str) -> Json {
    let number: Option<Number> = text.parse().ok();
    number.map_or(Json::Null, Json::Number)
}

/// What is stored, of a type that a run writes.
pub(super) fn cached(kind: &str, value: Vec<u8>) -> CachedValue {
    let collection = |collection| CachedValue::Collection(collection, parts(&value));
    match kind {
        "hash" => collection(Collection::Hash),
        "set" => collection(Collection::Set),
        "zset" => collection(Collection::SortedSet),
        "json" => CachedValue::Json(value),
        "claim" | ITEM => CachedValue::Other(kind.to_owned()),
        _ => CachedValue::Text(value),
    }
}

/// The fields of a stored hash.
pub(super) fn object(value: &[u8]) -> Map<String, Json> {
    serde_json::from_slice(value).unwrap_or_default()
}

/// The names and values of a stored collection: an object, or the list of a set's members.
fn parts(value: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let text = |value: Json| match value {
        Json::String(text) => text.into_bytes(),
        other => other.to_string().into_bytes(),
    };
    match serde_json::from_slice(value) {
        Ok(Json::Object(fields)) => {
            let fields = fields.into_iter();
            fields.map(|(n, v)| (n.into_bytes(), text(v))).collect()
        }
        Ok(Json::Array(members)) => {
            let members = members.into_iter();
            members.map(|member| (text(member), Vec::new())).collect()
        }
        _ => Vec::new(),
    }
}

/// The type of list items. Each is its own row, at the list's key, a NUL and a number, so that a
/// list can grow without being rewritten.
pub(super) const ITEM: &str = "item";

const NUMBER_BYTES: usize = size_of::<u64>();

/// The key of a list's item, in the items' order.
pub(super) fn item_key(list: &[u8], number: u64) -> Vec<u8> {
    [list, &[0], &number.to_be_bytes()].concat()
}

pub(super) fn item_number(item_key: &[u8]) -> Option<u64> {
    let at = item_key.len().checked_sub(NUMBER_BYTES)?;
    Some(u64::from_be_bytes(item_key[at..].try_into().ok()?))
}
