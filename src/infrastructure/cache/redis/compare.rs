//! Compares a cached key with the planned entry.

use std::time::Duration;

use redis::{RedisResult, Value as Reply};

use super::digest::hex_digest;
use super::reply::words;
use super::values::parts;
use crate::domain::encode::MAX_VALUE_BYTES;
use crate::domain::entry::{Entry, EntryBatch, Pairs, Value};
use crate::domain::form::Form;
use crate::domain::json_equality;
use crate::domain::standing::{Held, Kind, Standing};

/// Assumed size of a collection.
const GUESSED_BYTES: usize = 50 * 1024;

/// Facts about a key, without its value.
pub(super) struct Facts {
    pub ttl: Option<Duration>,
    pub kind: Kind,
    /// Bytes of a text, parts of a collection.
    pub length: u64,
    /// SHA-1 of a text, in hexadecimal.
    pub digest: Option<Vec<u8>>,
}

pub(super) type Found = Result<Option<Facts>, String>;

pub(super) fn key(batch: &EntryBatch, i: usize) -> &[u8] {
    batch.get(i).map_or(&[][..], |entry| entry.key)
}

/// The standing of a key, and whether its value must be fetched to compare it.
pub(super) fn standing(entry: Entry<'_>, facts: Found, form: Form) -> (Standing, bool) {
    let facts = match facts {
        Ok(Some(facts)) => facts,
        Ok(None) => return (Standing::Nothing, false),
        Err(why) => return (Standing::Unknown(why), false),
    };
    let is_text = facts.kind == Kind::Text;
    let mut held = Held {
        bytes: is_text.then_some(facts.length),
        ttl: facts.ttl,
        equal: false,
        kind: facts.kind,
    };
    let open = match entry.value {
        Value::Text(text) if is_text => {
            let known = facts.digest.map(|digest| digest == hex_digest(text));
            held.equal = known == Some(true);
            match known {
                Some(true) => false,
                // Different bytes may mean the same.
                Some(false) => !form.is_bytes() && facts.length <= MAX_VALUE_BYTES as u64,
                None => {
                    let same_length = facts.length == text.len() as u64;
                    (!form.is_bytes() || same_length) && facts.length <= MAX_VALUE_BYTES as u64
                }
            }
        }
        Value::Collection(collection, pairs) => {
            held.kind == Kind::from(collection) && facts.length == pairs.len() as u64
        }
        Value::Json(_) => held.kind == Kind::Json,
        Value::Text(_) => false,
    };
    (Standing::Held(held), open)
}

/// Compares a fetched value.
pub(super) fn compare_fetched(
    standing: &mut Standing,
    entry: Entry<'_>,
    reply: RedisResult<Reply>,
    form: Form,
) {
    let Standing::Held(held) = standing else {
        return;
    };
    match (reply, entry.value) {
        (Ok(Reply::BulkString(cached)), Value::Text(text)) => {
            held.bytes = Some(cached.len() as u64);
            held.equal = form.same(&cached, text);
        }
        (Ok(Reply::BulkString(cached)), Value::Json(text)) => {
            held.bytes = Some(cached.len() as u64);
            held.equal = json_equality::same(&cached, text);
        }
        (Ok(Reply::Nil), _) => *standing = Standing::Nothing,
        (Ok(reply), Value::Collection(collection, pairs)) => {
            let cached = parts(collection, reply);
            held.bytes = Some(cached.iter().map(|(n, v)| (n.len() + v.len()) as u64).sum());
            held.equal = same_parts(&cached, pairs);
        }
        (Ok(_), Value::Text(_) | Value::Json(_)) => {}
        (Err(error), _) => *standing = Standing::Unknown(words(&error)),
    }
}

fn same_parts(cached: &[(Vec<u8>, Vec<u8>)], pairs: Pairs<'_>) -> bool {
    let mut pairs: Vec<(&[u8], &[u8])> = pairs.iter().collect();
    let mut cached: Vec<(&[u8], &[u8])> = cached.iter().map(|(n, v)| (&**n, &**v)).collect();
    pairs.sort_unstable();
    cached.sort_unstable();
    pairs == cached
}

/// Max bytes of fetching a value.
pub(super) fn size(standing: &Standing) -> usize {
    match standing {
        Standing::Held(held) => held.bytes.map_or(GUESSED_BYTES, |bytes| bytes as usize),
        _ => 0,
    }
}
