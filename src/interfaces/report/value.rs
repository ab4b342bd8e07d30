//! Cached values, for people and machines.

use indicatif::HumanBytes;
use serde_json::Value as Json;

use crate::application::ports::CachedValue;
use crate::domain::entry::{Entry, Value};
use crate::domain::form::Form;
use crate::domain::sniff::sniff;
use crate::domain::standing::Kind;

/// The cached form of an entry.
pub(crate) fn value_of(entry: Entry<'_>) -> CachedValue {
    match entry.value {
        Value::Text(text) => CachedValue::Text(text.to_vec()),
        Value::Hash(fields) => {
            let pairs = fields.iter().map(|(n, v)| (n.to_vec(), v.to_vec()));
            CachedValue::Hash(pairs.collect())
        }
    }
}

pub(crate) fn hash_json(fields: &[(Vec<u8>, Vec<u8>)]) -> Json {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let pairs = fields.iter().map(|(n, v)| (text(n), text(v).into()));
    Json::Object(pairs.collect())
}

pub(crate) fn text_of(value: &CachedValue) -> Option<&[u8]> {
    match value {
        CachedValue::Text(text) => Some(text),
        CachedValue::Hash(_) | CachedValue::Other(_) => None,
    }
}

/// What a value means, if it is of the form.
pub(crate) fn decoded(value: &CachedValue, form: Form) -> Option<Json> {
    match value {
        CachedValue::Text(text) => form.read(text),
        CachedValue::Hash(fields) => Some(hash_json(fields)),
        CachedValue::Other(_) => None,
    }
}

pub(crate) fn same(cached: &CachedValue, new: &CachedValue, form: Form) -> bool {
    match (cached, new) {
        (CachedValue::Text(a), CachedValue::Text(b)) => form.same(a, b),
        (CachedValue::Hash(a), CachedValue::Hash(b)) => hash_json(a) == hash_json(b),
        (a, b) => a == b,
    }
}

pub(crate) fn kind_of(value: &CachedValue) -> Kind {
    match value {
        CachedValue::Text(_) => Kind::Text,
        CachedValue::Hash(_) => Kind::Hash,
        CachedValue::Other(name) => Kind::Other(name.clone()),
    }
}

pub(crate) fn bytes_of(value: &CachedValue) -> Option<u64> {
    match value {
        CachedValue::Text(text) => Some(text.len() as u64),
        CachedValue::Hash(fields) => {
            Some(fields.iter().map(|(n, v)| (n.len() + v.len()) as u64).sum())
        }
        CachedValue::Other(_) => None,
    }
}

/// The format of a string, as its strategy says or else as its bytes tell.
pub(crate) fn format_of(value: &CachedValue, form: Form) -> Option<String> {
    let text = text_of(value)?;
    Some(match form.read(text) {
        Some(_) => form.name(),
        None => sniff(text).name(),
    })
}

/// Type, format and size.
pub(crate) fn described(value: &CachedValue, form: Form) -> String {
    let size = HumanBytes(bytes_of(value).unwrap_or_default());
    match value {
        CachedValue::Text(text) => {
            let not = match form.read(text) {
                Some(_) => String::new(),
                None => format!(", not {}", form.name()),
            };
            let name = format_of(value, form).unwrap_or_default();
            format!("string ({name}{not}), {size}")
        }
        CachedValue::Hash(fields) => format!("hash, {} fields, {size}", fields.len()),
        CachedValue::Other(kind) => kind.clone(),
    }
}
