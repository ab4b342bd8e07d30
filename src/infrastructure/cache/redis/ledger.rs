//! What the tool keeps for itself in a Redis: claims with a time, a hash and a list.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use redis::{Pipeline, RedisError, RedisResult, Value as Reply};

use super::RedisCache;
use crate::application::ports::Ledger;
use crate::domain::failure::{Failure, FailureKind};

/// Compares before it acts, in one step: between the two the claim could be another's.
const RENEW: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then \
     return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0";
const RELEASE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then \
     return redis.call('DEL', KEYS[1]) end return 0";

impl RedisCache {
    async fn claim_key(
        &self,
        key: &[u8],
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let mut pipe = pipe();
        pipe.cmd("SET").arg(key).arg(value).arg("NX");
        pipe.arg("PX").arg(millis(ttl)).cmd("GET").arg(key);
        // A claim that could not be renewed is none.
        add_renewal(&mut pipe, key, value, ttl);
        loop {
            let mut replies = self.ask(&pipe).await?.into_iter();
            let (set, found, renewed) = (replies.next(), replies.next(), replies.next());
            self.answer(set)?;
            match self.answer(found)? {
                // Ours, also where the answer to an earlier attempt was lost.
                Reply::BulkString(found) if found == value => {
                    return match self.answer(renewed) {
                        Ok(_) => Ok(None),
                        Err(failure) => {
                            let mut pipe = self::pipe();
                            pipe.cmd("DEL").arg(key);
                            // What cannot be deleted ends by itself.
                            let _ = self.ask(&pipe).await;
                            Err(failure)
                        }
                    };
                }
                Reply::BulkString(found) => return Ok(Some(found)),
                // It ended between the two commands.
                _ => {}
            }
        }
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

fn add_renewal(pipe: &mut Pipeline, key: &[u8], value: &[u8], ttl: Duration) {
    pipe.cmd("EVAL").arg(RENEW).arg(1).arg(key);
    pipe.arg(value).arg(millis(ttl));
}

fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}

impl Ledger for RedisCache {
    fn claim<'a>(
        &'a self,
        key: &'a [u8],
        value: &'a [u8],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, Failure>> {
        self.claim_key(key, value, ttl).boxed()
    }

    fn renew<'a>(
        &'a self,
        key: &'a [u8],
        value: &'a [u8],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, Failure>> {
        async move {
            let mut pipe = pipe();
            add_renewal(&mut pipe, key, value, ttl);
            Ok(self.one(&pipe).await? == Reply::Int(1))
        }
        .boxed()
    }

    fn release<'a>(&'a self, key: &'a [u8], value: &'a [u8]) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let mut pipe = pipe();
            pipe.cmd("EVAL").arg(RELEASE).arg(1).arg(key).arg(value);
            self.one(&pipe).await.map(drop)
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
