//! Deletes values of this run, but no value that somebody else has written since.

use redis::{Pipeline, RedisError, RedisResult, Value as Reply};

use super::RedisCache;
use super::compare::key;
use super::digest::{FINGERPRINT, fingerprint, fingerprint_of_document};
use super::reply::words;
use super::values::add_read;
use crate::application::ports::Deletion;
use crate::domain::entry::{EntryBatch, Value};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::json_equality;
use crate::domain::standing::Kind;

/// Compare-and-delete is atomic, or an application's write in between would be lost.
const DELETE_OURS: &str = include_str!("scripts/delete_ours.lua");

/// The same of any other type, by what FINGERPRINT says of it.
const DELETE_SAME: &str = include_str!("scripts/delete_same.lua");

#[derive(Clone, Copy)]
enum Way {
    /// Redis 8.4.
    Delex,
    /// Valkey 9.
    Delifeq,
    Script,
}

/// Cheapest first.
const WAYS: [Way; 3] = [Way::Delex, Way::Delifeq, Way::Script];

impl RedisCache {
    pub(super) async fn delete_entries(
        &self,
        batch: &EntryBatch,
        picks: &[usize],
    ) -> Result<Vec<Deletion>, Failure> {
        loop {
            let at = self.way_to_delete.current();
            match self.delete_by(WAYS[at], batch, picks).await? {
                Ok(deletions) => return Ok(deletions),
                Err(_) if at + 1 < WAYS.len() => self.way_to_delete.is_refused(at),
                Err(error) => return Err(refused(&error)),
            }
        }
    }

    /// Inner `Err`: the server does not support this command.
    async fn delete_by(
        &self,
        way: Way,
        batch: &EntryBatch,
        picks: &[usize],
    ) -> Result<Result<Vec<Deletion>, RedisError>, Failure> {
        let entries = || picks.iter().filter_map(|i| batch.get(*i));
        // Only a script can compare another type.
        let is_text = entries().all(|entry| matches!(entry.value, Value::Text(_)));
        let way = if is_text { way } else { Way::Script };
        let script = [FINGERPRINT, DELETE_SAME].concat();
        let fingerprints = self.documents(batch, picks).await?;
        let add = |pipe: &mut Pipeline, n: usize| {
            let Some(entry) = batch.get(picks[n]) else {
                return;
            };
            match (way, entry.value) {
                (Way::Delex, Value::Text(text)) => {
                    pipe.cmd("DELEX").arg(entry.key).arg("IFEQ").arg(text);
                    pipe.cmd("EXISTS").arg(entry.key);
                }
                (Way::Delifeq, Value::Text(text)) => {
                    pipe.cmd("DELIFEQ").arg(entry.key).arg(text);
                    pipe.cmd("EXISTS").arg(entry.key);
                }
                (_, Value::Text(text)) => {
                    pipe.cmd("EVAL").arg(DELETE_OURS).arg(1).arg(entry.key);
                    pipe.arg(text);
                }
                (_, value) => {
                    let fingerprint = fingerprints[n].clone().unwrap_or_else(|| fingerprint(value));
                    pipe.cmd("EVAL").arg(&script).arg(1).arg(entry.key);
                    pipe.arg(fingerprint);
                }
            }
        };
        let commands = if matches!(way, Way::Script) { 1 } else { 2 };
        let replies = self.ask(entries().map(|entry| entry.key).collect(), commands, &add).await?;
        let answers: Result<Vec<i64>, RedisError> = replies.into_iter().map(number).collect();
        Ok(answers.map(|answers| answers.chunks(commands).map(outcome).collect()))
    }

    /// A document's text is the cache's own: asks for it where it must be compared.
    async fn documents(
        &self,
        batch: &EntryBatch,
        picks: &[usize],
    ) -> Result<Vec<Option<Vec<u8>>>, Failure> {
        let is_document = |i: &&usize| {
            let entry = batch.get(**i);
            entry.is_some_and(|entry| matches!(entry.value, Value::Json(_)))
        };
        let keys = picks.iter().filter(is_document);
        let keys: Vec<&[u8]> = keys.map(|i| key(batch, *i)).collect();
        let read = |pipe: &mut Pipeline, n: usize| {
            add_read(pipe, &Kind::Json, keys[n]);
        };
        let replies = match keys.is_empty() {
            true => Vec::new(),
            false => self.ask(keys.clone(), 1, &read).await?,
        };
        Ok(documents_of(batch, picks, replies))
    }
}

/// The fingerprints of documents that say the same as ours, in the cache's own words.
fn documents_of(
    batch: &EntryBatch,
    picks: &[usize],
    replies: Vec<RedisResult<Reply>>,
) -> Vec<Option<Vec<u8>>> {
    let mut replies = replies.into_iter();
    let entries = picks.iter().map(|i| batch.get(*i).map(|entry| entry.value));
    let fingerprint = |value| match value {
        Some(Value::Json(ours)) => match replies.next() {
            Some(Ok(Reply::BulkString(text))) if json_equality::same(&text, ours) => {
                Some(fingerprint_of_document(&text))
            }
            _ => None,
        },
        _ => None,
    };
    entries.map(fingerprint).collect()
}

/// From a script's reply, or from the numbers of deleted and remaining keys.
fn outcome(answers: &[i64]) -> Deletion {
    match answers {
        [1] | [1, _] => Deletion::Deleted,
        [0] | [_, 0] => Deletion::Absent,
        _ => Deletion::NotEqual,
    }
}

fn number(reply: RedisResult<Reply>) -> Result<i64, RedisError> {
    Ok(redis::from_redis_value(reply?)?)
}

fn refused(error: &RedisError) -> Failure {
    let what = "the cache does not allow a stale value to be deleted";
    Failure::new(FailureKind::CacheDenied, what, words(error)).hint(
        "give the user +delex (Redis 8.4), +delifeq (Valkey 9) or +eval +get +del +type (and what reads \
         the type: +hgetall, +smembers, +zrange, +json.get); \
         --no-verify-writes runs without this check",
    )
}
