//! Leases on keys, as locks between runs.

use std::time::Duration;

use redis::{Pipeline, Value as Reply};
use tokio::time::timeout;

use super::RedisCache;
use super::meta::millis;
use super::servers::Servers;
use crate::application::ports::{Answer, Claimed};
use crate::domain::failure::FailureKind;

/// Atomic: between two commands a lease could expire or change its owner. `DEL` and `PEXPIRE` find
/// nothing here; a user who may not run them could neither renew nor release the lease.
const CLAIM: &str = include_str!("scripts/claim.lua");

/// A value of another type belongs to somebody else.
const RENEW: &str = include_str!("scripts/renew.lua");
const RELEASE: &str = include_str!("scripts/release.lua");

/// Timeout for one cluster node to renew a lease.
const NODE_TIMEOUT: Duration = Duration::from_secs(3);

impl RedisCache {
    pub(super) async fn claim_keys(
        &self,
        keys: &[&[u8]],
        value: &[u8],
        ttl: Duration,
    ) -> Answer<Option<Claimed>> {
        match self.is_cluster() && keys.len() > 1 {
            true => self.claim_apart(keys, value, ttl).await,
            false => self.claim_together(keys, value, ttl).await,
        }
    }

    pub(super) async fn renew_keys(
        &self,
        keys: &[&[u8]],
        value: &[u8],
        ttl: Duration,
    ) -> Answer<bool> {
        for keys in self.together(keys) {
            if !self.renew_together(keys, value, ttl).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) async fn release_keys(&self, keys: &[&[u8]], value: &[u8]) -> Answer<()> {
        let mut released = Ok(());
        for keys in self.together(keys) {
            let done = self.script(RELEASE, keys, value, Duration::ZERO).await;
            released = released.and(done.map(drop));
        }
        released
    }

    /// Runs a lease script on one server.
    async fn script(
        &self,
        script: &str,
        keys: &[&[u8]],
        value: &[u8],
        ttl: Duration,
    ) -> Answer<Reply> {
        let home = keys.first().copied().unwrap_or_default();
        self.one(home, &|pipe| {
            pipe.cmd("EVAL").arg(script).arg(keys.len()).arg(keys);
            pipe.arg(value).arg(millis(ttl));
        })
        .await
    }

    fn is_cluster(&self) -> bool {
        matches!(self.servers, Servers::Cluster(_))
    }

    /// Keys per script: all of them; in a cluster, one.
    fn together<'k>(&self, keys: &'k [&'k [u8]]) -> impl Iterator<Item = &'k [&'k [u8]]> {
        keys.chunks(if self.is_cluster() { 1 } else { keys.len().max(1) })
    }

    async fn claim_together(
        &self,
        keys: &[&[u8]],
        value: &[u8],
        ttl: Duration,
    ) -> Answer<Option<Claimed>> {
        // A retry after a lost answer finds our own value.
        let (key, value): (usize, Vec<u8>) = match self.script(CLAIM, keys, value, ttl).await? {
            Reply::Nil => return Ok(None),
            found => redis::from_redis_value(found).unwrap_or((1, Vec::new())),
        };
        let key = key - 1;
        Ok(Some(Claimed { key, value }))
    }

    /// A lease on a cluster node that does not answer counts as renewed: nobody else can take it,
    /// and the other nodes' keys can still be written.
    async fn renew_together(&self, keys: &[&[u8]], value: &[u8], ttl: Duration) -> Answer<bool> {
        let renewal = self.script(RENEW, keys, value, ttl);
        if !self.is_cluster() {
            return Ok(renewal.await? == Reply::Int(1));
        }
        match timeout(NODE_TIMEOUT, renewal).await {
            Ok(Ok(reply)) => Ok(reply == Reply::Int(1)),
            Ok(Err(failure))
                if failure.kind != FailureKind::CacheUnreachable || self.servers.are_gone() =>
            {
                Err(failure)
            }
            _ => Ok(true),
        }
    }

    /// Another holder's value.
    async fn claimed_by_another(&self, keys: &[&[u8]], value: &[u8]) -> Answer<Option<Claimed>> {
        let get = |pipe: &mut Pipeline, i: usize| {
            pipe.cmd("GET").arg(keys[i]);
        };
        let replies = self.ask(keys.to_vec(), 1, &get).await?;
        for (key, reply) in replies.into_iter().enumerate() {
            match self.answer(Some(reply))? {
                Reply::BulkString(found) if found != value => {
                    return Ok(Some(Claimed { key, value: found }));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// With several nodes this takes several steps. All runs claim in the same order, so whoever
    /// gets the first key gets the rest; if one is taken, the others are released.
    async fn claim_apart(
        &self,
        keys: &[&[u8]],
        value: &[u8],
        ttl: Duration,
    ) -> Answer<Option<Claimed>> {
        // If somebody else already holds one, claim nothing.
        if let Some(claimed) = self.claimed_by_another(keys, value).await? {
            return Ok(Some(claimed));
        }
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_unstable_by_key(|i| keys[*i]);
        let mut taken: Vec<&[u8]> = Vec::with_capacity(keys.len());
        for key in order {
            match self.claim_together(&keys[key..=key], value, ttl).await {
                Ok(None) => taken.push(keys[key]),
                found => {
                    // If it cannot be released, it expires.
                    let _ = self.release_keys(&taken, value).await;
                    return Ok(found?.map(|claimed| Claimed { key, ..claimed }));
                }
            }
        }
        Ok(None)
    }
}
