//! A stream of portions with one group of workers, and for each run a stream of answers.

use std::time::Duration;

use async_trait::async_trait;
use redis::streams::{
    StreamClaimReply, StreamId, StreamPendingCountReply, StreamRangeReply, StreamReadReply,
};
use redis::{Pipeline, RedisResult, Value as Reply};

use super::RedisCache;
use super::meta::millis;
use crate::application::ports::{Answer, PortionQueue, QueueOf, TakenPortion};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::namespace;

/// One step each: between two commands somebody else could take the portion.
const KEEP: &str = include_str!("scripts/keep_portion.lua");
const ANSWER: &str = include_str!("scripts/answer_portion.lua");
const GIVE_BACK: &str = include_str!("scripts/give_back_portion.lua");
const LEAVE: &str = include_str!("scripts/leave_portions.lua");

/// The group of all workers.
const GROUP: &str = "workers";

/// How long what is left of a run that was killed stays.
const LEFT: Duration = Duration::from_hours(1);

/// How long the stream stays when no run uses it.
const UNUSED: Duration = Duration::from_hours(24);

/// Answers that are taken at a time.
const ANSWERS: usize = 16;

/// Portions that are looked at to find one with an active worker.
const LOOKED_AT: usize = 100;

impl RedisCache {
    /// Runs a script on keys that share a slot.
    async fn run_script(&self, script: &str, keys: &[&str], args: &[&[u8]]) -> Answer<bool> {
        let reply = self
            .one(keys[0].as_bytes(), &|pipe| {
                pipe.cmd("EVAL").arg(script).arg(keys.len()).arg(keys).arg(args);
            })
            .await?;
        Ok(reply == Reply::Int(1))
    }

    /// Runs a command on the stream of portions, whose group is made if it is not there.
    async fn of_group(&self, stream: &str, add: &(dyn Fn(&mut Pipeline) + Sync)) -> Answer<Reply> {
        let key = stream.as_bytes();
        let reply = self.ask_about(key, 1, add).await?.pop();
        if !is(&reply, "NOGROUP") {
            return self.answer(reply);
        }
        let make = |pipe: &mut Pipeline| {
            pipe.cmd("XGROUP").arg("CREATE").arg(stream).arg(GROUP).arg(0).arg("MKSTREAM");
            pipe.cmd("PEXPIRE").arg(stream).arg(millis(UNUSED));
        };
        let made = self.ask_about(key, 2, &make).await?.into_iter().next();
        // Otherwise another worker was faster.
        if !is(&made, "BUSYGROUP") {
            self.answer(made)?;
        }
        self.one(key, add).await
    }

    /// The first portion that was given back, or not kept for `lost`.
    async fn take_lost(
        &self,
        stream: &str,
        worker: &str,
        lost: Duration,
    ) -> Answer<Option<TakenPortion>> {
        let lost = millis(lost);
        let first = |pipe: &mut Pipeline| {
            pipe.cmd("XPENDING").arg(stream).arg(GROUP).arg("IDLE").arg(lost);
            pipe.arg("-").arg("+").arg(1);
        };
        let pending: StreamPendingCountReply = read(self.of_group(stream, &first).await?)?;
        let Some(entry) = pending.ids.first() else {
            return Ok(None);
        };
        let claim = |pipe: &mut Pipeline| {
            pipe.cmd("XCLAIM").arg(stream).arg(GROUP).arg(worker).arg(lost).arg(&entry.id);
        };
        let claimed: StreamClaimReply = read(self.of_group(stream, &claim).await?)?;
        let lost_by = entry.times_delivered as u64;
        Ok(claimed.ids.into_iter().next().and_then(|entry| taken(entry, lost_by)))
    }
}

/// Whether a reply is this error.
fn is(reply: &Option<RedisResult<Reply>>, code: &str) -> bool {
    matches!(reply, Some(Err(error)) if error.code() == Some(code))
}

/// A reply in its own type.
fn read<T: redis::FromRedisValue>(reply: Reply) -> Answer<T> {
    redis::from_redis_value(reply).map_err(|error| {
        let what = "the cache's answer about portions is not understood";
        Failure::new(FailureKind::CacheRefused, what, error.to_string())
    })
}

fn taken(entry: StreamId, lost_by: u64) -> Option<TakenPortion> {
    let portion = entry.get("p")?;
    Some(TakenPortion { id: entry.id, portion, lost_by })
}

#[async_trait]
impl PortionQueue for RedisCache {
    async fn announce(&self, run: &QueueOf<'_>, announcement: &[u8], ttl: Duration) -> Answer<()> {
        let key = namespace::announcement(run.prefix, run.run_id);
        let set = |pipe: &mut Pipeline| {
            pipe.cmd("SET").arg(&key).arg(announcement).arg("PX").arg(millis(ttl));
        };
        self.one(key.as_bytes(), &set).await.map(drop)
    }

    async fn announced(&self, run: &QueueOf<'_>) -> Answer<Option<Vec<u8>>> {
        let key = namespace::announcement(run.prefix, run.run_id);
        let get = |pipe: &mut Pipeline| {
            pipe.cmd("GET").arg(&key);
        };
        read(self.one(key.as_bytes(), &get).await?)
    }

    async fn withdraw(&self, run: &QueueOf<'_>) -> Answer<()> {
        let keys = [
            namespace::announcement(run.prefix, run.run_id),
            namespace::answers(run.prefix, run.run_id),
        ];
        let delete = |pipe: &mut Pipeline| {
            pipe.cmd("DEL").arg(&keys);
        };
        self.one(keys[0].as_bytes(), &delete).await.map(drop)
    }

    async fn offer(&self, prefix: &str, portion: &[u8]) -> Answer<String> {
        let stream = namespace::portions(prefix);
        let add = |pipe: &mut Pipeline| {
            pipe.cmd("XADD").arg(&stream).arg("*").arg("p").arg(portion);
            pipe.cmd("PEXPIRE").arg(&stream).arg(millis(UNUSED));
        };
        let mut replies = self.ask_about(stream.as_bytes(), 2, &add).await?.into_iter();
        let id = self.answer(replies.next())?;
        self.answer(replies.next())?;
        read(id)
    }

    async fn take(
        &self,
        prefix: &str,
        worker: &str,
        lost: Option<Duration>,
    ) -> Answer<Option<TakenPortion>> {
        let stream = namespace::portions(prefix);
        if let Some(lost) = lost
            && let Some(found) = self.take_lost(&stream, worker, lost).await?
        {
            return Ok(Some(found));
        }
        let next = |pipe: &mut Pipeline| {
            pipe.cmd("XREADGROUP").arg("GROUP").arg(GROUP).arg(worker).arg("COUNT").arg(1);
            pipe.arg("STREAMS").arg(&stream).arg(">");
        };
        let reply = self.of_group(&stream, &next).await?;
        let found: Option<StreamReadReply> = read(reply)?;
        let entries = found.into_iter().flat_map(|found| found.keys).flat_map(|key| key.ids);
        Ok(entries.into_iter().next().and_then(|entry| taken(entry, 0)))
    }

    async fn keep(&self, run: &QueueOf<'_>, worker: &str, id: &str) -> Answer<bool> {
        let stream = namespace::portions(run.prefix);
        let keys = [&stream, &namespace::announcement(run.prefix, run.run_id)];
        let args = [GROUP.as_bytes(), worker.as_bytes(), id.as_bytes()];
        self.run_script(KEEP, &keys.map(String::as_str), &args).await
    }

    async fn answer(
        &self,
        run: &QueueOf<'_>,
        worker: &str,
        id: &str,
        answer: &[u8],
    ) -> Answer<bool> {
        let keys = [
            &namespace::portions(run.prefix),
            &namespace::announcement(run.prefix, run.run_id),
            &namespace::answers(run.prefix, run.run_id),
        ];
        let left = millis(LEFT).to_string();
        let args = [GROUP.as_bytes(), worker.as_bytes(), id.as_bytes(), answer, left.as_bytes()];
        self.run_script(ANSWER, &keys.map(String::as_str), &args).await
    }

    async fn give_back(
        &self,
        prefix: &str,
        worker: &str,
        id: &str,
        is_untouched: bool,
    ) -> Answer<()> {
        let stream = namespace::portions(prefix);
        let lost_by = if is_untouched { b"0" } else { b"1" };
        let args = [GROUP.as_bytes(), worker.as_bytes(), id.as_bytes(), lost_by];
        self.run_script(GIVE_BACK, &[&stream], &args).await.map(drop)
    }

    async fn answers(&self, run: &QueueOf<'_>) -> Answer<Vec<Vec<u8>>> {
        let key = namespace::answers(run.prefix, run.run_id);
        let range = |pipe: &mut Pipeline| {
            pipe.cmd("XRANGE").arg(&key).arg("-").arg("+").arg("COUNT").arg(ANSWERS);
        };
        let found: StreamRangeReply = read(self.one(key.as_bytes(), &range).await?)?;
        let ids: Vec<&str> = found.ids.iter().map(|entry| entry.id.as_str()).collect();
        if !ids.is_empty() {
            let delete = |pipe: &mut Pipeline| {
                pipe.cmd("XDEL").arg(&key).arg(&ids);
            };
            // Those that stay are known when they come again.
            let _ = self.one(key.as_bytes(), &delete).await;
        }
        Ok(found.ids.iter().filter_map(|entry| entry.get("a")).collect())
    }

    async fn has_active_worker(&self, prefix: &str, within: Duration) -> Answer<bool> {
        let stream = namespace::portions(prefix);
        let all = |pipe: &mut Pipeline| {
            pipe.cmd("XPENDING").arg(&stream).arg(GROUP).arg("-").arg("+").arg(LOOKED_AT);
        };
        let pending: StreamPendingCountReply = read(self.of_group(&stream, &all).await?)?;
        let mut idle = pending.ids.iter().map(|entry| entry.last_delivered_ms as u64);
        Ok(idle.any(|idle| idle < millis(within)))
    }

    async fn are_open(&self, prefix: &str, ids: &[String]) -> Answer<Vec<bool>> {
        let stream = namespace::portions(prefix);
        let look = |pipe: &mut Pipeline| {
            for id in ids {
                pipe.cmd("XRANGE").arg(&stream).arg(id).arg(id);
            }
        };
        let replies = self.ask_about(stream.as_bytes(), ids.len(), &look).await?;
        let is_there = |reply| read::<StreamRangeReply>(self.answer(Some(reply))?);
        replies.into_iter().map(|reply| Ok(!is_there(reply)?.ids.is_empty())).collect()
    }

    async fn held(&self, prefix: &str, ids: &[String]) -> Answer<usize> {
        let stream = namespace::portions(prefix);
        let look = |pipe: &mut Pipeline| {
            for id in ids {
                pipe.cmd("XPENDING").arg(&stream).arg(GROUP).arg(id).arg(id).arg(1);
            }
        };
        let replies = self.ask_about(stream.as_bytes(), ids.len(), &look).await?;
        let mut held = 0;
        for reply in replies {
            let reply = Some(reply);
            // Where no worker has ever been, nobody has anything.
            if !is(&reply, "NOGROUP") {
                held += read::<StreamPendingCountReply>(self.answer(reply)?)?.ids.len();
            }
        }
        Ok(held)
    }

    async fn leave(&self, prefix: &str, worker: &str) -> Answer<()> {
        let args = [GROUP.as_bytes(), worker.as_bytes()];
        self.run_script(LEAVE, &[&namespace::portions(prefix)], &args).await.map(drop)
    }
}
