//! The commands that store an entry, and what their replies mean.

use redis::{Cmd, Pipeline, RedisError, RedisResult, Value as Reply};

use super::values::{arguments, filling};
use crate::application::ports::{Mode, WriteOptions, WriteOutcome};
use crate::domain::entry::{Collection, Entry, Value};

/// Max overhead of a command, and of a part of a collection.
const COMMAND_BYTES: usize = 160;
const FIELD_BYTES: usize = 24;

/// The TTL that scripts are given for an entry that never expires.
pub(super) const SCRIPT_NEVER: u64 = 0;

/// Fills a key only if it does not exist: the TTL, the command, its arguments. A transaction cannot,
/// as its commands do not see each other's replies.
///
/// A script is not rolled back when a command is denied. So scripts set the TTL first, where it has
/// no effect: without that permission nothing is written, and no key is left without a TTL.
const FILL_MISSING: &str = include_str!("scripts/fill_missing.lua");

/// Arguments of one command of a transaction: an even number, so that pairs stay together.
const PIECE: usize = 1000;

/// Arguments of one script: servers end a connection that sends a command with more than a million.
const MOST_ARGUMENTS: usize = 1_000_000;
const TOO_MANY: &str = "return redis.error_reply('ERR it has too many parts to be written at once, as \
     --mode only-missing does')";

/// Sets a value or hash unless the stored version is newer, by a field of both. A value without a
/// version is overwritten.
const SET_UNLESS_NEWER: &str = include_str!("scripts/set_unless_newer.lua");
const SET_HASH_UNLESS_NEWER: &str = include_str!("scripts/set_hash_unless_newer.lua");

/// The approximate size of an entry on the wire.
pub(super) fn cost(entry: Entry<'_>) -> usize {
    let parts = match entry.value {
        Value::Text(_) => 0,
        Value::Json(_) => FILL_MISSING.len(),
        Value::Collection(_, pairs) => pairs.len() * 2 * FIELD_BYTES + FILL_MISSING.len(),
    };
    entry.bytes() as usize + COMMAND_BYTES + parts
}

pub(super) enum Judged {
    Done(WriteOutcome),
    Refused(RedisError),
}

/// Commands per entry.
pub(super) fn count(entry: Entry<'_>, how: &WriteOptions) -> usize {
    match (entry.value, how.mode) {
        (Value::Text(_), _) | (_, Mode::OnlyMissing) => 1,
        (Value::Collection(Collection::Hash, _), _) if how.version_field.is_some() => 1,
        (value, Mode::Refresh) => {
            let expire = usize::from(how.ttl.millis_for(entry.key).is_some());
            3 + arguments(value).div_ceil(PIECE) + expire
        }
    }
}

/// Adds the commands that store an entry.
pub(super) fn add(pipe: &mut Pipeline, entry: Entry<'_>, how: &WriteOptions) {
    let ttl = how.ttl.millis_for(entry.key);
    let in_script = ttl.unwrap_or(SCRIPT_NEVER);
    match (entry.value, how.mode, how.version_field.as_deref()) {
        (Value::Text(text), Mode::Refresh, Some(field)) => {
            pipe.cmd("EVAL").arg(SET_UNLESS_NEWER).arg(1).arg(entry.key);
            pipe.arg(text).arg(in_script).arg(field);
        }
        (Value::Collection(Collection::Hash, fields), Mode::Refresh, Some(name)) => {
            let ours = fields.iter().find(|(field, _)| *field == name.as_bytes());
            pipe.cmd("EVAL").arg(SET_HASH_UNLESS_NEWER).arg(1).arg(entry.key);
            pipe.arg(in_script).arg(name).arg(ours.map_or(&b""[..], |(_, value)| value));
            for (field, value) in fields.iter() {
                pipe.arg(field).arg(value);
            }
        }
        (Value::Text(text), mode, _) => {
            // Reserve once: growing a buffer per key is the largest cost of a pipeline.
            let mut set = Cmd::with_capacity(6, entry.key.len() + text.len() + 32);
            set.arg("SET").arg(entry.key).arg(text);
            if let Some(ttl) = ttl {
                set.arg("PX").arg(ttl);
            }
            if mode == Mode::OnlyMissing {
                set.arg("NX");
            }
            pipe.add_command(set);
        }
        (value, Mode::Refresh, _) => {
            let (command, arguments) = filling(value);
            pipe.cmd("MULTI").cmd("DEL").arg(entry.key);
            for piece in arguments.chunks(PIECE) {
                pipe.cmd(command).arg(entry.key).arg(piece);
            }
            if let Some(ttl) = ttl {
                pipe.cmd("PEXPIRE").arg(entry.key).arg(ttl);
            }
            pipe.cmd("EXEC");
        }
        (value, Mode::OnlyMissing, _) if arguments(value) > MOST_ARGUMENTS => {
            pipe.cmd("EVAL").arg(TOO_MANY).arg(1).arg(entry.key);
        }
        (value, Mode::OnlyMissing, _) => {
            let (command, arguments) = filling(value);
            pipe.cmd("EVAL").arg(FILL_MISSING).arg(1).arg(entry.key);
            pipe.arg(in_script).arg(command).arg(arguments);
        }
    }
}

/// Interprets the replies to an entry's commands.
pub(super) fn judge(
    replies: &mut impl Iterator<Item = RedisResult<Reply>>,
    commands: usize,
) -> Judged {
    let mut last = None;
    for answered in 1..=commands {
        match replies.next() {
            Some(Ok(reply)) => last = Some(reply),
            // Later errors only repeat the first.
            Some(Err(error)) => {
                replies.by_ref().take(commands - answered).for_each(drop);
                return Judged::Refused(error);
            }
            None => break,
        }
    }
    match last {
        None => Judged::Done(WriteOutcome::Unknown("a reply is missing".to_owned())),
        Some(Reply::Nil | Reply::Int(0)) => Judged::Done(WriteOutcome::AlreadyPresent),
        Some(Reply::Array(results)) => {
            let refused = results.into_iter().find_map(|result| match result {
                Reply::ServerError(error) => Some(RedisError::from(error)),
                _ => None,
            });
            refused.map_or(Judged::Done(WriteOutcome::Stored), Judged::Refused)
        }
        // Commands of an unfinished transaction are not executed.
        Some(Reply::SimpleString(word)) if word == "QUEUED" => {
            Judged::Done(WriteOutcome::Unknown("the server only queued it".to_owned()))
        }
        Some(_) => Judged::Done(WriteOutcome::Stored),
    }
}

pub(super) fn longest_part(entry: Entry<'_>) -> usize {
    let value = match entry.value {
        Value::Text(text) | Value::Json(text) => text.len(),
        Value::Collection(_, pairs) => {
            pairs.iter().map(|(f, v)| f.len().max(v.len())).max().unwrap_or(0)
        }
    };
    value.max(entry.key.len())
}
