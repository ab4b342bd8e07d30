//! What the tool keeps for itself in a Redis: claims with a time, a hash and a list.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use redis::{Pipeline, RedisError, RedisResult, Value as Reply};

use super::RedisCache;
use crate::application::ports::{Claimed, Ledger};
use crate::domain::failure::{Failure, FailureKind};

/// All of it in one step: between two commands a claim could end, or become another's. `DEL` and
/// `PEXPIRE` find nothing here; who may not use them could neither renew a claim nor give it back.
const CLAIM: &str = "for i, key in ipairs(KEYS) do \
       local found = redis.call('GET', key) \
       if found and found ~= ARGV[1] then return {i, found} end \
     end \
     for _, key in ipairs(KEYS) do \
       redis.call('DEL', key) redis.call('PEXPIRE', key, ARGV[2]) \
       redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) \
     end \
     return false";

/// A value of another type is another's too.
const RENEW: &str = "for _, key in ipairs(KEYS) do \
       if redis.pcall('GET', key) ~= ARGV[1] then return 0 end \
     end \
     for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2]) end \
     return 1";
const RELEASE: &str = "for _, key in ipairs(KEYS) do \
       if redis.pcall('GET', key) == ARGV[1] then redis.call('DEL', key) end \
     end";

impl RedisCache {
    /// Runs a script about claims.
    async fn script(
        &self,
        script: &str,
        keys: &[&[u8]],
        value: &[u8],
        ttl: Duration,
    ) -> Result<Reply, Failure> {
        let mut pipe = pipe();
        pipe.cmd("EVAL").arg(script).arg(keys.len()).arg(keys);
        pipe.arg(value).arg(millis(ttl));
        self.one(&pipe).await
    }

    async fn one(&self, pipe: &Pipeline) -> Result<Reply, Failure> {
        let reply = self.ask(pipe).await?.pop();
        self.answer(reply)
    }

    fn answer(&self, reply: Option<RedisResult<Reply>>) -> Result<Reply, Failure> {
        match reply {
            Some(Ok(reply)) => Ok(reply),
            Some(Err(error)) => Err(self.why_not(&error)),
            None => {
                let what = format!("the cache at {} does not answer", self.place());
                Err(Failure::new(
                    FailureKind::CacheUnreachable,
                    what,
                    "a reply is missing",
                ))
            }
        }
    }

    fn why_not(&self, error: &RedisError) -> Failure {
        self.refusal(error).unwrap_or_else(|| self.denied(error))
    }
}

fn pipe() -> Pipeline {
    let mut pipe = redis::pipe();
    pipe.ignore_errors();
    pipe
}

fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}

impl Ledger for RedisCache {
    fn claim<'a>(
        &'a self,
        keys: &'a [&'a [u8]],
        value: &'a [u8],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Option<Claimed>, Failure>> {
        async move {
            // Asked again because an answer was lost, it finds its own value.
            let reply = self.script(CLAIM, keys, value, ttl).await?;
            let (i, value) = match reply {
                Reply::Nil => return Ok(None),
                found => redis::from_redis_value(found).unwrap_or((1, Vec::new())),
            };
            Ok(Some(Claimed { key: i - 1, value }))
        }
        .boxed()
    }

    fn renew<'a>(
        &'a self,
        keys: &'a [&'a [u8]],
        value: &'a [u8],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, Failure>> {
        async move { Ok(self.script(RENEW, keys, value, ttl).await? == Reply::Int(1)) }.boxed()
    }

    fn release<'a>(
        &'a self,
        keys: &'a [&'a [u8]],
        value: &'a [u8],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let released = self.script(RELEASE, keys, value, Duration::ZERO).await;
            released.map(drop)
        }
        .boxed()
    }

    fn remember<'a>(
        &'a self,
        key: &'a [u8],
        fields: &'a [(String, String)],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let mut pipe = pipe();
            pipe.cmd("HSET").arg(key);
            for (name, value) in fields {
                pipe.arg(name).arg(value);
            }
            self.one(&pipe).await.map(drop)
        }
        .boxed()
    }

    fn push<'a>(
        &'a self,
        key: &'a [u8],
        item: &'a [u8],
        keep: usize,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let last = i64::try_from(keep).unwrap_or(i64::MAX) - 1;
            let mut pipe = pipe();
            pipe.cmd("LPUSH").arg(key).arg(item);
            pipe.cmd("LTRIM").arg(key).arg(0).arg(last);
            pipe.cmd("PEXPIRE").arg(key).arg(millis(ttl));
            for reply in self.ask(&pipe).await? {
                self.answer(Some(reply))?;
            }
            Ok(())
        }
        .boxed()
    }

    fn items<'a>(
        &'a self,
        key: &'a [u8],
        first: usize,
    ) -> BoxFuture<'a, Result<Vec<Vec<u8>>, Failure>> {
        async move {
            let last = i64::try_from(first).unwrap_or(i64::MAX) - 1;
            let mut pipe = pipe();
            pipe.cmd("LRANGE").arg(key).arg(0).arg(last);
            let reply = self.one(&pipe).await?;
            Ok(redis::from_redis_value(reply).unwrap_or_default())
        }
        .boxed()
    }
}
