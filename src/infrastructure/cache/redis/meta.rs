//! The tool's own data in Redis.

use std::time::Duration;

use async_trait::async_trait;
use redis::{Pipeline, RedisError, RedisResult, Value as Reply};

use super::RedisCache;
use super::requests::Add;
use crate::application::ports::{Answer, Claimed, MetaStore};
use crate::domain::failure::Failure;

impl RedisCache {
    /// Runs a command on a key.
    pub(super) async fn one(
        &self,
        key: &[u8],
        add: &(dyn Fn(&mut Pipeline) + Sync),
    ) -> Result<Reply, Failure> {
        let reply = self.ask_about(key, 1, add).await?.pop();
        self.answer(reply)
    }

    /// Runs commands on a key that must all succeed.
    async fn all(
        &self,
        key: &[u8],
        commands: usize,
        add: &(dyn Fn(&mut Pipeline) + Sync),
    ) -> Result<(), Failure> {
        if commands == 0 {
            return Ok(());
        }
        let mut replies = self.ask_about(key, commands, add).await?.into_iter();
        replies.try_for_each(|reply| self.answer(Some(reply)).map(drop))
    }

    pub(super) fn answer(&self, reply: Option<RedisResult<Reply>>) -> Result<Reply, Failure> {
        match reply {
            Some(Ok(reply)) => Ok(reply),
            Some(Err(error)) => Err(self.refused(&error)),
            None => Err(self.servers.any().peer.no_answer("a reply is missing")),
        }
    }

    /// For each key, whether the reply to a command about it is 1.
    pub(super) async fn yes_or_no(
        &self,
        keys: &[&[u8]],
        add: Add<'_>,
    ) -> Result<Vec<bool>, Failure> {
        let replies = self.ask(keys.to_vec(), 1, add).await?.into_iter();
        let yes = replies.map(|reply| Ok(self.answer(Some(reply))? == Reply::Int(1)));
        yes.collect()
    }

    pub(super) fn refused(&self, error: &RedisError) -> Failure {
        let peer = &self.servers.any().peer;
        peer.refusal(error).unwrap_or_else(|| peer.denied(error))
    }
}

fn index(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(super) fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl MetaStore for RedisCache {
    async fn claim(&self, keys: &[&[u8]], value: &[u8], ttl: Duration) -> Answer<Option<Claimed>> {
        self.claim_keys(keys, value, ttl).await
    }

    async fn renew(&self, keys: &[&[u8]], value: &[u8], ttl: Duration) -> Answer<bool> {
        self.renew_keys(keys, value, ttl).await
    }

    async fn release(&self, keys: &[&[u8]], value: &[u8]) -> Answer<()> {
        self.release_keys(keys, value).await
    }

    async fn set_fields(&self, key: &[u8], fields: &[(String, String)]) -> Answer<()> {
        self.all(key, 1, &|pipe| {
            pipe.cmd("HSET").arg(key);
            for (name, value) in fields {
                pipe.arg(name).arg(value);
            }
        })
        .await
    }

    async fn delete_fields(&self, key: &[u8], fields: &[String]) -> Answer<()> {
        let commands = usize::from(!fields.is_empty());
        self.all(key, commands, &|pipe| {
            pipe.cmd("HDEL").arg(key).arg(fields);
        })
        .await
    }

    async fn prepend(&self, key: &[u8], item: &[u8], max: usize, ttl: Duration) -> Answer<()> {
        self.all(key, 3, &|pipe| {
            pipe.cmd("LPUSH").arg(key).arg(item);
            pipe.cmd("LTRIM").arg(key).arg(0).arg(index(max) - 1);
            pipe.cmd("PEXPIRE").arg(key).arg(millis(ttl));
        })
        .await
    }

    async fn append(&self, key: &[u8], items: &[Vec<u8>], ttl: Duration) -> Answer<()> {
        let commands = if items.is_empty() { 0 } else { 2 };
        self.all(key, commands, &|pipe| {
            pipe.cmd("RPUSH").arg(key).arg(items);
            pipe.cmd("PEXPIRE").arg(key).arg(millis(ttl));
        })
        .await
    }

    async fn range(&self, key: &[u8], first: usize, count: usize) -> Answer<Vec<Vec<u8>>> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let last = index(first.saturating_add(count)).saturating_sub(1);
        let range = |pipe: &mut Pipeline| {
            pipe.cmd("LRANGE").arg(key).arg(index(first)).arg(last);
        };
        let reply = self.one(key, &range).await?;
        Ok(redis::from_redis_value(reply).unwrap_or_default())
    }
}
