//! How each type of value is filled, counted and read.

use redis::{Pipeline, Value as Reply};

use super::reply;
use crate::domain::double;
use crate::domain::entry::{Collection, Value};
use crate::domain::standing::Kind;

/// The command that fills an empty key, and its arguments behind the key. A text is `SET` otherwise.
pub(super) fn filling(value: Value<'_>) -> (&'static str, Vec<&[u8]>) {
    match value {
        Value::Text(text) => ("SET", vec![text]),
        Value::Json(text) => ("JSON.SET", vec![&b"$"[..], text]),
        Value::Collection(collection, pairs) => match collection {
            Collection::Hash => ("HSET", pairs.iter().flat_map(|(n, v)| [n, v]).collect()),
            Collection::Set => ("SADD", pairs.iter().map(|(member, _)| member).collect()),
            // The score comes first.
            Collection::SortedSet => ("ZADD", pairs.iter().flat_map(|(n, v)| [v, n]).collect()),
        },
    }
}

/// How many arguments [`filling`] gives.
pub(super) fn arguments(value: Value<'_>) -> usize {
    match value {
        Value::Text(_) => 1,
        Value::Json(_) => 2,
        Value::Collection(Collection::Set, pairs) => pairs.len(),
        Value::Collection(_, pairs) => pairs.len() * 2,
    }
}

/// The command that counts the bytes or parts of a value. Of a document it tells only that it is none.
pub(super) fn counting(value: Value<'_>) -> &'static str {
    match value {
        Value::Text(_) | Value::Json(_) => "STRLEN",
        Value::Collection(Collection::Hash, _) => "HLEN",
        Value::Collection(Collection::Set, _) => "SCARD",
        Value::Collection(Collection::SortedSet, _) => "ZCARD",
    }
}

/// Adds the command that reads a whole value; `false`: there is none for its type.
pub(super) fn add_read(pipe: &mut Pipeline, kind: &Kind, key: &[u8]) -> bool {
    match kind {
        Kind::Text => pipe.cmd("GET").arg(key),
        Kind::Json => pipe.cmd("JSON.GET").arg(key),
        Kind::Hash => pipe.cmd("HGETALL").arg(key),
        Kind::Set => pipe.cmd("SMEMBERS").arg(key),
        Kind::SortedSet => pipe.cmd("ZRANGE").arg(key).arg(0).arg(-1).arg("WITHSCORES"),
        Kind::Other(_) => return false,
    };
    true
}

/// The parts of a collection in a reply, in RESP2 or RESP3.
pub(super) fn parts(collection: Collection, reply: Reply) -> Vec<(Vec<u8>, Vec<u8>)> {
    match collection {
        Collection::Hash => reply::pairs(reply),
        Collection::Set => {
            let members: Vec<Vec<u8>> = redis::from_redis_value(reply).unwrap_or_default();
            members.into_iter().map(|m| (m, Vec::new())).collect()
        }
        Collection::SortedSet => scores(reply),
    }
}

/// Members and scores: flat, or pairs.
fn scores(reply: Reply) -> Vec<(Vec<u8>, Vec<u8>)> {
    let nested = |item| match item {
        Reply::Array(pair) => pair,
        item => vec![item],
    };
    let items: Vec<Reply> = reply::items(reply).into_iter().flat_map(nested).collect();
    let mut items = items.into_iter();
    let mut all = Vec::with_capacity(items.len() / 2);
    while let (Some(member), Some(score)) = (items.next(), items.next()) {
        let member = redis::from_redis_value(member);
        let score = redis::from_redis_value::<f64>(score);
        if let (Ok(member), Ok(score)) = (member, score) {
            all.push((member, double::shown(score).into_bytes()));
        }
    }
    all
}
