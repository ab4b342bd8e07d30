//! The rows of a cache file.

use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::file::now_millis;
use crate::domain::entry::{Entry, Value};
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
    let left = ttl
        .millis_for(key)
        .and_then(|left| i64::try_from(left).ok());
    left.map_or(i64::MAX, |left| now.saturating_add(left))
}

/// The stored type and value of an entry.
pub(super) type StoredForm = (&'static str, Vec<u8>);

pub(super) fn stored_form(entry: Entry<'_>) -> StoredForm {
    match entry.value {
        Value::Text(text) => ("string", text.to_vec()),
        Value::Hash(fields) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let pairs = fields
                .iter()
                .map(|(name, value)| (text(name), text(value).into()));
            (
                "hash",
                Json::Object(pairs.collect()).to_string().into_bytes(),
            )
        }
    }
}

/// The fields of a stored hash.
pub(super) fn object(value: &[u8]) -> Map<String, Json> {
    serde_json::from_slice(value).unwrap_or_default()
}

pub(super) fn fields(value: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let text = |value: Json| match value {
        Json::String(text) => text,
        other => other.to_string(),
    };
    let pairs = object(value).into_iter();
    pairs
        .map(|(name, value)| (name.into_bytes(), text(value).into_bytes()))
        .collect()
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
