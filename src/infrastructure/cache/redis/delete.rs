//! Deletes values of this run, but no value that somebody else has written since.

use redis::{Pipeline, RedisError, RedisResult, Value as Reply};

use super::RedisCache;
use super::reply::words;
use crate::application::ports::Deletion;
use crate::domain::entry::{EntryBatch, Value};
use crate::domain::failure::{Failure, FailureKind};

/// Compare-and-delete is atomic, or an application's write in between would be lost. A hash must
/// have the same fields and values.
const DELETE_OURS: &str = "local v = redis.pcall('GET', KEYS[1]) \
     if v == false then return 0 end \
     if v ~= ARGV[1] then return 2 end \
     redis.call('DEL', KEYS[1]) return 1";
const DELETE_OUR_HASH: &str = "local n = redis.pcall('HLEN', KEYS[1]) \
     if n == 0 then return 0 end \
     if n ~= #ARGV / 2 then return 2 end \
     for i = 1, #ARGV, 2 do \
         if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then return 2 end \
     end \
     redis.call('DEL', KEYS[1]) return 1";

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
        // Only a script can compare a hash.
        let is_text = entries().all(|entry| matches!(entry.value, Value::Text(_)));
        let way = if is_text { way } else { Way::Script };
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
                (_, Value::Hash(fields)) => {
                    pipe.cmd("EVAL").arg(DELETE_OUR_HASH).arg(1).arg(entry.key);
                    for (field, value) in fields.iter() {
                        pipe.arg(field).arg(value);
                    }
                }
            }
        };
        let commands = if matches!(way, Way::Script) { 1 } else { 2 };
        let replies = self
            .ask(entries().map(|entry| entry.key).collect(), commands, add)
            .await?;
        let answers: Result<Vec<i64>, RedisError> = replies.into_iter().map(number).collect();
        Ok(answers.map(|answers| answers.chunks(commands).map(outcome).collect()))
    }
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
        "give the user +delex (Redis 8.4), +delifeq (Valkey 9) or +eval +get +del +hlen +hget; \
         --no-verify-writes runs without",
    )
}
