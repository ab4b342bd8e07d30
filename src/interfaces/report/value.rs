//! Cached values, for people and machines.

use serde_json::{Number, Value as Json};

use crate::application::ports::CachedValue;
use crate::domain::double;
use crate::domain::entry::Collection;
use crate::domain::form::Form;
use crate::domain::json_equality;
use crate::domain::sniff::sniff;
use crate::domain::standing::Kind;
use crate::domain::wording::{counted, size};

/// A hash as the object of its fields, a set as the list of its members in order, a sorted set as the
/// object of its scores.
pub(crate) fn collection_json(collection: Collection, pairs: &[(Vec<u8>, Vec<u8>)]) -> Json {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let score = |bytes: &[u8]| {
        let score: Option<f64> = text(bytes).parse().ok();
        let number = score.and_then(|score| double::shown(score).parse::<Number>().ok());
        number.map_or_else(|| text(bytes).into(), Json::Number)
    };
    let mut pairs: Vec<&(Vec<u8>, Vec<u8>)> = pairs.iter().collect();
    match collection {
        Collection::Hash => {
            let fields = pairs.iter().map(|(n, v)| (text(n), text(v).into()));
            Json::Object(fields.collect())
        }
        Collection::Set => {
            pairs.sort_unstable();
            pairs.iter().map(|(member, _)| text(member)).collect()
        }
        Collection::SortedSet => {
            let scores = pairs.iter().map(|(n, v)| (text(n), score(v)));
            Json::Object(scores.collect())
        }
    }
}

/// What a value means, if it is of the form.
pub(crate) fn decoded(value: &CachedValue, form: Form) -> Option<Json> {
    match value {
        CachedValue::Text(text) => form.read(text),
        CachedValue::Json(text) => serde_json::from_slice(text).ok(),
        CachedValue::Collection(collection, pairs) => Some(collection_json(*collection, pairs)),
        CachedValue::Other(_) => None,
    }
}

pub(crate) fn same(cached: &CachedValue, new: &CachedValue, form: Form) -> bool {
    match (cached, new) {
        (CachedValue::Text(a), CachedValue::Text(b)) => form.same(a, b),
        (CachedValue::Json(a), CachedValue::Json(b)) => json_equality::same(a, b),
        (CachedValue::Collection(one, a), CachedValue::Collection(other, b)) => {
            one == other && collection_json(*one, a) == collection_json(*other, b)
        }
        (a, b) => a == b,
    }
}

pub(crate) fn bytes_of(value: &CachedValue) -> Option<u64> {
    match value {
        CachedValue::Text(text) | CachedValue::Json(text) => Some(text.len() as u64),
        CachedValue::Collection(_, pairs) => {
            Some(pairs.iter().map(|(n, v)| (n.len() + v.len()) as u64).sum())
        }
        CachedValue::Other(_) => None,
    }
}

/// The format of a string, as its strategy says or else as its bytes tell.
pub(crate) fn format_of(value: &CachedValue, form: Form) -> Option<String> {
    let text = value.text()?;
    Some(match form.read(text) {
        Some(_) => form.name(),
        None => sniff(text).name(),
    })
}

/// Type, format and size.
pub(crate) fn described(value: &CachedValue, form: Form) -> String {
    let size = size(bytes_of(value).unwrap_or_default());
    match value {
        CachedValue::Text(text) => {
            let not = match form.read(text) {
                Some(_) => String::new(),
                None => format!(", not {}", form.name()),
            };
            let name = format_of(value, form).unwrap_or_default();
            format!("string ({name}{not}), {size}")
        }
        CachedValue::Json(_) => format!("json, {size}"),
        CachedValue::Collection(Collection::Hash, pairs) => {
            format!("hash, {}, {size}", counted(pairs.len(), "field"))
        }
        CachedValue::Collection(collection, pairs) => {
            let kind = Kind::from(*collection);
            let members = counted(pairs.len(), "member");
            format!("{}, {members}, {size}", kind.name())
        }
        CachedValue::Other(kind) => kind.clone(),
    }
}
