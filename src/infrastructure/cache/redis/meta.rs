//! What the tool keeps for itself in a Redis: claims with a time, a hash and a list.

use std::time::Duration;

use async_trait::async_trait;
use redis::{Pipeline, RedisError, RedisResult, Value as Reply};
use tokio::time::timeout;

use super::RedisCache;
use super::servers::Servers;
use crate::application::ports::{Answer, Claimed, MetaStore};
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

/// How long one node of a cluster is asked to renew a claim.
const NODE_PATIENCE: Duration = Duration::from_secs(3);

impl RedisCache {
    /// Runs a script about claims on keys of one server.
    async fn script(
        &self,
        script: &str,
        keys: &[&[u8]],
        value: &[u8],
        ttl: Duration,
    ) -> Result<Reply, Failure> {
        let home = keys.first().copied().unwrap_or_default();
        self.one(home, |pipe| {
            pipe.cmd("EVAL").arg(script).arg(keys.len()).arg(keys);
            pipe.arg(value).arg(millis(ttl));
        })
        .await
    }

    /// What a command about a key answers.
    async fn one(&self, key: &[u8], add: impl Fn(&mut Pipeline) + Sync) -> Result<Reply, Failure> {
        let reply = self.ask_about(key, 1, add).await?.pop();
        self.answer(reply)
    }

    /// Runs commands about a key that all have to succeed.
    async fn all(
        &self,
        key: &[u8],
        commands: usize,
        add: impl Fn(&mut Pipeline) + Sync,
    ) -> Result<(), Failure> {
        if commands == 0 {
            return Ok(());
        }
        let mut replies = self.ask_about(key, commands, add).await?.into_iter();
        replies.try_for_each(|reply| self.answer(Some(reply)).map(drop))
    }

    fn answer(&self, reply: Option<RedisResult<Reply>>) -> Result<Reply, Failure> {
        match reply {
            Some(Ok(reply)) => Ok(reply),
            Some(Err(error)) => Err(self.refused(&error)),
            None => Err(self.servers.any().peer.no_answer("a reply is missing")),
        }
    }

    /// The answers to one request about each of some keys: whether it says 1.
    pub(super) async fn yes_or_no<F>(&self, keys: &[&[u8]], add: F) -> Result<Vec<bool>, Failure>
    where
        F: Fn(&mut Pipeline, usize) + Sync,
    {
        let replies = self.ask(keys.to_vec(), 1, add).await?.into_iter();
        let yes = replies.map(|reply| Ok(self.answer(Some(reply))? == Reply::Int(1)));
        yes.collect()
    }

    pub(super) fn refused(&self, error: &RedisError) -> Failure {
        let peer = &self.servers.any().peer;
        peer.refusal(error).unwrap_or_else(|| peer.denied(error))
    }

    /// The keys that one script can be about: all of them, or each alone where their slots may be
    /// with several nodes.
    fn together<'k>(&self, keys: &'k [&'k [u8]]) -> impl Iterator<Item = &'k [&'k [u8]]> {
        let at_once = match self.servers {
            Servers::Cluster(_) => 1,
            _ => keys.len().max(1),
        };
        keys.chunks(at_once)
    }

    async fn claim_some(
        &self,
        keys: &[&[u8]],
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Claimed>, Failure> {
        // Asked again because an answer was lost, it finds its own value.
        let (key, value) = match self.script(CLAIM, keys, value, ttl).await? {
            Reply::Nil => return Ok(None),
            found => redis::from_redis_value(found).unwrap_or((1, Vec::new())),
        };
        Ok(Some(Claimed {
            key: key - 1,
            value,
        }))
    }

    /// A claim at a node of a cluster that does not answer stands: nobody else can take it either, and
    /// the other nodes' keys are still to be written.
    async fn renew_some(
        &self,
        keys: &[&[u8]],
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, Failure> {
        let renewal = self.script(RENEW, keys, value, ttl);
        let answer = match self.servers {
            Servers::Cluster(_) => timeout(NODE_PATIENCE, renewal).await.ok(),
            _ => Some(renewal.await),
        };
        let is_unreachable = |failure: &Failure| failure.kind == FailureKind::CacheUnreachable;
        match answer {
            Some(Ok(reply)) => Ok(reply == Reply::Int(1)),
            Some(Err(failure)) if !is_unreachable(&failure) || self.servers.are_gone() => {
                Err(failure)
            }
            Some(Err(failure)) if !matches!(self.servers, Servers::Cluster(_)) => Err(failure),
            _ => Ok(true),
        }
    }

    /// What another has put at one of the keys.
    async fn claimed_by_another(
        &self,
        keys: &[&[u8]],
        value: &[u8],
    ) -> Result<Option<Claimed>, Failure> {
        let add = |pipe: &mut Pipeline, i: usize| {
            pipe.cmd("GET").arg(keys[i]);
        };
        for (key, reply) in self
            .ask(keys.to_vec(), 1, add)
            .await?
            .into_iter()
            .enumerate()
        {
            if let Reply::BulkString(found) = self.answer(Some(reply))?
                && found != value
            {
                return Ok(Some(Claimed { key, value: found }));
            }
        }
        Ok(None)
    }

    /// Over several nodes there is no one step: whoever has the first key has the right to the rest,
    /// as everybody takes them in the same order, and gives back what it has taken when one is
    /// another's.
    async fn claim_apart(
        &self,
        keys: &[&[u8]],
        value: &[u8],
        ttl: Duration,
    ) -> Result<Option<Claimed>, Failure> {
        // Most often somebody has had it for long; then nothing need be taken.
        if let Some(claimed) = self.claimed_by_another(keys, value).await? {
            return Ok(Some(claimed));
        }
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_unstable_by_key(|i| keys[*i]);
        let mut taken: Vec<&[u8]> = Vec::with_capacity(keys.len());
        for key in order {
            let found = match self.claim_some(&keys[key..=key], value, ttl).await {
                Ok(None) => {
                    taken.push(keys[key]);
                    continue;
                }
                Ok(Some(claimed)) => Ok(Some(Claimed { key, ..claimed })),
                Err(failure) => Err(failure),
            };
            // Where it cannot be given back, it ends by itself.
            let _ = self.release(&taken, value).await;
            return found;
        }
        Ok(None)
    }
}

fn index(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl MetaStore for RedisCache {
    async fn claim(&self, keys: &[&[u8]], value: &[u8], ttl: Duration) -> Answer<Option<Claimed>> {
        match self.servers {
            Servers::Cluster(_) if keys.len() > 1 => self.claim_apart(keys, value, ttl).await,
            _ => self.claim_some(keys, value, ttl).await,
        }
    }

    async fn renew(&self, keys: &[&[u8]], value: &[u8], ttl: Duration) -> Answer<bool> {
        for keys in self.together(keys) {
            if !self.renew_some(keys, value, ttl).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn release(&self, keys: &[&[u8]], value: &[u8]) -> Answer<()> {
        let mut released = Ok(());
        for keys in self.together(keys) {
            let done = self.script(RELEASE, keys, value, Duration::ZERO).await;
            released = released.and(done.map(drop));
        }
        released
    }

    async fn set_fields(&self, key: &[u8], fields: &[(String, String)]) -> Answer<()> {
        self.all(key, 1, move |pipe| {
            pipe.cmd("HSET").arg(key);
            for (name, value) in fields {
                pipe.arg(name).arg(value);
            }
        })
        .await
    }

    async fn delete_fields(&self, key: &[u8], fields: &[String]) -> Answer<()> {
        let commands = usize::from(!fields.is_empty());
        self.all(key, commands, move |pipe| {
            pipe.cmd("HDEL").arg(key).arg(fields);
        })
        .await
    }

    async fn prepend(&self, key: &[u8], item: &[u8], max: usize, ttl: Duration) -> Answer<()> {
        self.all(key, 3, move |pipe| {
            pipe.cmd("LPUSH").arg(key).arg(item);
            pipe.cmd("LTRIM").arg(key).arg(0).arg(index(max) - 1);
            pipe.cmd("PEXPIRE").arg(key).arg(millis(ttl));
        })
        .await
    }

    async fn append(&self, key: &[u8], items: &[Vec<u8>], ttl: Duration) -> Answer<()> {
        let commands = if items.is_empty() { 0 } else { 2 };
        self.all(key, commands, move |pipe| {
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
        let reply = self.one(key, range).await?;
        Ok(redis::from_redis_value(reply).unwrap_or_default())
    }
}
