//! The shape canary: before values of someone else's are written over, their field names and JSON
//! types are compared with what would be written.

use serde_json::Value as Json;

use super::ports::{Cache, CachedValue};
use crate::domain::entry::{Entry, EntryBatch, Value};
use crate::domain::failure::Failure;
use crate::domain::meaning::Profile;
use crate::domain::standing::{Kind, Standing};
use crate::domain::strategy::Shape;

/// Values compared at most.
const COMPARED: usize = 20;

/// What to do about another shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShapeGuard {
    Off,
    /// The run goes on and says it.
    #[default]
    Warn,
    /// The strategy fails before anything of it is written.
    Fail,
}

/// What a reader of the cached values would see change; empty where nothing does, or where nobody
/// else wrote any of these keys.
///
/// # Errors
/// The cache does not answer, or does not let one read.
pub async fn changes(
    cache: &dyn Cache,
    batch: &EntryBatch,
    shape: Shape,
) -> Result<Vec<String>, Failure> {
    let standings = cache.inspect(batch, shape).await?;
    let wanted = Kind::of(shape);
    let mut found = Vec::new();
    let mut cached = Profile::default();
    let mut new = Profile::default();
    let mut compared = 0;
    for (entry, standing) in batch.iter().zip(&standings) {
        let Standing::Held(held) = standing else {
            continue;
        };
        // What is equal is as we would write it, whoever did.
        if held.equal {
            continue;
        }
        if compared == COMPARED {
            break;
        }
        compared += 1;
        if held.kind != wanted {
            let change = format!(
                "a {} stands where a {} goes",
                held.kind.name(),
                wanted.name()
            );
            note(&mut found, change);
            continue;
        }
        let Some(stored) = cache.read(entry.key).await? else {
            continue;
        };
        match (read(&stored.value, shape), written(entry, shape)) {
            (Some(old), Some(value)) => {
                cached.add(&old);
                new.add(&value);
            }
            (None, Some(_)) => note(&mut found, "the value is no JSON and would be".to_owned()),
            _ => {}
        }
    }
    for change in cached.changes(&new) {
        note(&mut found, change);
    }
    Ok(found)
}

fn note(found: &mut Vec<String>, change: String) {
    if !found.contains(&change) {
        found.push(change);
    }
}

/// A cached value as JSON; a hash as the object of its fields.
fn read(value: &CachedValue, shape: Shape) -> Option<Json> {
    match (value, shape) {
        (CachedValue::Text(_), Shape::Text) => Some(Json::Null),
        (CachedValue::Text(text), _) => serde_json::from_slice(text).ok(),
        (CachedValue::Hash(fields), _) => {
            let fields = fields.iter().map(|(name, _)| name.as_slice());
            Some(object(fields))
        }
        (CachedValue::Other(_), _) => None,
    }
}

/// An entry's value likewise; a text has no shape.
fn written(entry: Entry<'_>, shape: Shape) -> Option<Json> {
    match (entry.value, shape) {
        (Value::Text(_), Shape::Text) => Some(Json::Null),
        (Value::Text(text), _) => serde_json::from_slice(text).ok(),
        (Value::Hash(fields), _) => Some(object(fields.iter().map(|(name, _)| name))),
    }
}

/// The values of a hash are all texts: its names are its shape.
fn object<'a>(names: impl Iterator<Item = &'a [u8]>) -> Json {
    let name = |name: &[u8]| (String::from_utf8_lossy(name).into_owned(), Json::Null);
    Json::Object(names.map(name).collect())
}
