//! Values as a cache holds them.

use super::entry::{Collection, Value};
use super::standing::Kind;

/// A [`Value`] that is kept, or one of a type that is never written here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CachedValue {
    Text(Vec<u8>),
    /// A document, as the cache writes it.
    Json(Vec<u8>),
    /// Names and values: [`Collection`] says which.
    Collection(Collection, Vec<(Vec<u8>, Vec<u8>)>),
    /// Of a type that is never written here, by its name.
    Other(String),
}

impl CachedValue {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Json(_) => Kind::Json,
            Self::Collection(collection, _) => (*collection).into(),
            Self::Other(name) => Kind::Other(name.clone()),
        }
    }

    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) | Self::Json(text) => Some(text),
            Self::Collection(..) | Self::Other(_) => None,
        }
    }
}

impl From<Value<'_>> for CachedValue {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Text(text) => Self::Text(text.to_vec()),
            Value::Json(text) => Self::Json(text.to_vec()),
            Value::Collection(collection, pairs) => {
                let pairs = pairs.iter().map(|(n, v)| (n.to_vec(), v.to_vec()));
                Self::Collection(collection, pairs.collect())
            }
        }
    }
}
