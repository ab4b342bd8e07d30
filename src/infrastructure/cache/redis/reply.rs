//! Reads replies of servers.

use std::time::Duration;

use redis::{ErrorKind, Pipeline, RedisError, RedisResult, Value as Reply};

use crate::domain::key::{printable, shortened};

pub(super) type Replies = Vec<RedisResult<Reply>>;

/// A pipeline whose commands fail individually.
pub(super) fn pipe() -> Pipeline {
    let mut pipe = redis::pipe();
    pipe.ignore_errors();
    pipe
}

/// The server asks to come back later.
pub(super) fn is_transient(error: &RedisError) -> bool {
    matches!(
        error.code(),
        Some("LOADING" | "BUSY" | "TRYAGAIN" | "MASTERDOWN" | "CLUSTERDOWN" | "NOREPLICAS")
    )
}

/// The server is a replica. Before version 7 scripts say it in an error of their own.
pub(super) fn is_read_only(error: &RedisError) -> bool {
    let is_within = |detail: &str| detail.contains("READONLY You can't write");
    error.code() == Some("READONLY") || error.detail().is_some_and(is_within)
}

/// An error in one line: the server's message, or what broke. The crate's text repeats every error
/// of a pipeline.
pub(super) fn words(error: &RedisError) -> String {
    let text = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, _) if error.is_timeout() => "no answer in time".to_owned(),
        (None, _) if error.kind() == ErrorKind::AuthenticationFailed => {
            "the password is wrong".to_owned()
        }
        (None, Some(detail)) => detail.to_owned(),
        (None, None) if error.is_io_error() || error.is_connection_dropped() => error.to_string(),
        (None, None) => error.category().to_owned(),
    };
    let line = text.lines().next().unwrap_or_default();
    shortened(&printable(line.as_bytes()), 200)
}

/// A server's text, made printable.
pub(super) fn shown(text: &str) -> String {
    shortened(&printable(text.as_bytes()), 100)
}

pub(super) fn no_answer_in_time() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

pub(super) fn malformed() -> RedisError {
    (ErrorKind::Parse, "a reply is malformed").into()
}

/// The text of a single reply, or why there is none.
pub(super) fn info(reply: Option<RedisResult<Reply>>) -> Result<String, String> {
    match reply {
        Some(Ok(reply)) => {
            redis::from_redis_value(reply).map_err(|_| "INFO sent a malformed answer".to_owned())
        }
        Some(Err(error)) => Err(words(&error)),
        None => Err("no answer".to_owned()),
    }
}

/// A line of INFO.
pub(super) fn info_line<'i>(info: &'i str, name: &str) -> Option<&'i str> {
    let mut lines = info.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(field, _)| *field == name)?;
    Some(value.trim())
}

/// The value in a CONFIG GET reply: a list in RESP2, a map in RESP3.
pub(super) fn setting(reply: Reply, name: &str) -> Option<String> {
    let all = redis::from_redis_value::<std::collections::HashMap<String, String>>(reply);
    all.ok()?.remove(name)
}

pub(super) fn number(reply: Option<RedisResult<Reply>>) -> Result<i64, RedisError> {
    match reply {
        Some(Ok(Reply::Int(number))) => Ok(number),
        Some(Ok(Reply::Nil)) => Ok(0),
        Some(Err(error)) => Err(error),
        _ => Err(malformed()),
    }
}

pub(super) fn text(reply: Reply) -> Option<String> {
    redis::from_redis_value::<Option<String>>(reply).ok()?
}

/// The fields of a hash, in RESP2 or RESP3.
pub(super) fn pairs(reply: Reply) -> Vec<(Vec<u8>, Vec<u8>)> {
    redis::from_redis_value(reply).unwrap_or_default()
}

/// The items of a list, or of a flattened map.
pub(super) fn items(reply: Reply) -> Vec<Reply> {
    match reply {
        Reply::Array(items) => items,
        Reply::Map(pairs) => pairs.into_iter().flat_map(|(name, value)| [name, value]).collect(),
        _ => Vec::new(),
    }
}

/// The items of several lists together, of which there must be as many.
pub(super) fn lists(replies: Replies, items: usize) -> RedisResult<Vec<Reply>> {
    let mut all = Vec::with_capacity(items);
    for reply in replies {
        match reply? {
            Reply::Array(list) => all.extend(list),
            _ => return Err(malformed()),
        }
    }
    (all.len() == items).then_some(all).ok_or_else(malformed)
}

/// The TTL that PTTL gives; `None`: the key never expires.
pub(super) fn ttl(millis: i64) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}
