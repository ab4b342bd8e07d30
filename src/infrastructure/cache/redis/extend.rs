//! Extends the TTL of identical values without sending them.

use std::time::Duration;

use redis::{Pipeline, RedisError, Value as Reply};

use super::RedisCache;
use super::commands::SCRIPT_NEVER;
use super::digest::{FINGERPRINT, fingerprint, hex_digest};
use super::parts::chunks;
use super::reply::{self, lists, pipe, words};
use super::servers::Servers;
use crate::application::ports::Extended;
use crate::domain::entry::{Entry, EntryBatch, Value};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::ttl::Ttl;

/// Compare-and-extend is atomic: otherwise a key could expire in between. Arguments per key:
/// length, digest, TTL. A text of another length needs no digest; -1: of another type, what
/// FINGERPRINT says of it.
const EXTEND: &str = include_str!("scripts/extend.lua");

fn script() -> String {
    [FINGERPRINT, EXTEND].concat()
}

/// Approximate bytes per script, which blocks the server.
const SCRIPT_BYTES: usize = 512 * 1024;

/// Approximate overhead of a request, per key and per script.
const KEY_BYTES: usize = 85;
const SCRIPT_CALL_BYTES: usize = 80;

/// How many keys to sample for their TTL.
const SAMPLE: usize = 16;

impl RedisCache {
    // One EXISTS costs a third of refreshing all. A cluster rejects it for keys of several slots.
    pub(super) async fn are_fresh(
        &self,
        keys: &[&[u8]],
        ttl: &Ttl,
        tolerance: Duration,
    ) -> Result<bool, Failure> {
        let (Some(first), false) = (keys.first(), matches!(self.servers, Servers::Cluster(_)))
        else {
            return Ok(false);
        };
        let step = (keys.len() / SAMPLE).max(1);
        let sample: Vec<&[u8]> = keys.iter().step_by(step).copied().collect();
        let ask = |pipe: &mut Pipeline| {
            pipe.cmd("EXISTS").arg(keys);
            for key in &sample {
                pipe.cmd("PTTL").arg(*key);
            }
        };
        let commands = 1 + sample.len();
        let mut replies = self.ask_about(first, commands, &ask).await?.into_iter();
        let mut number = || match replies.next() {
            Some(Ok(Reply::Int(number))) => Some(number),
            _ => None,
        };
        let all_exist = number().is_some_and(|count| count == keys.len() as i64);
        let is_long = |key: &[u8], left: i64| match ttl.millis_for(key) {
            Some(ttl) => left >= ttl.saturating_sub(tolerance.as_millis() as u64) as i64,
            None => reply::ttl(left).is_none(),
        };
        let is_fresh = |key: &&[u8]| number().is_some_and(|left| is_long(key, left));
        Ok(all_exist && sample.iter().all(is_fresh))
    }

    pub(super) async fn extend_entries(
        &self,
        batch: &EntryBatch,
        picks: &[usize],
        ttl: &Ttl,
    ) -> Result<Extended, Failure> {
        match self.ask_to_extend(batch, picks, ttl).await? {
            Err(error) if error.code() == Some("NOSCRIPT") => {
                self.load_script().await?;
                let again = self.ask_to_extend(batch, picks, ttl).await?;
                again.map_err(|error| refused(&error))
            }
            answered => answered.map_err(|error| refused(&error)),
        }
    }

    /// Inner `Err`: a server does not run the script.
    async fn ask_to_extend(
        &self,
        batch: &EntryBatch,
        picks: &[usize],
        ttl: &Ttl,
    ) -> Result<Result<Extended, RedisError>, Failure> {
        let entries: Vec<Entry<'_>> = picks.iter().filter_map(|i| batch.get(*i)).collect();
        let sizes = entries.iter().map(|entry| entry.value.bytes());
        let chunks = chunks(sizes, self.servers.keys_per_script(), SCRIPT_BYTES);
        let script = hex_digest(script().as_bytes());
        let add = |pipe: &mut Pipeline, n: usize| {
            let entries = &entries[chunks[n].clone()];
            pipe.cmd("EVALSHA").arg(&script).arg(entries.len());
            for entry in entries {
                pipe.arg(entry.key);
            }
            for entry in entries {
                match entry.value {
                    Value::Text(text) => pipe.arg(text.len()).arg(hex_digest(text)),
                    value => pipe.arg(-1).arg(fingerprint(value)),
                };
                pipe.arg(ttl.millis_for(entry.key).unwrap_or(SCRIPT_NEVER));
            }
        };
        let keys = chunks.iter().map(|chunk| entries[chunk.start].key).collect();
        let same = lists(self.ask(keys, 1, &add).await?, picks.len());
        let bytes: usize = entries.iter().map(|entry| entry.key.len() + KEY_BYTES).sum();
        let sent = (bytes + chunks.len() * SCRIPT_CALL_BYTES) as u64;
        Ok(same.map(|same| {
            let equal = same.iter().map(|one| *one == Reply::Int(1)).collect();
            Extended { equal, sent }
        }))
    }

    /// Loads the script on every server, so that it can be called by its shorter digest.
    async fn load_script(&self) -> Result<(), Failure> {
        for node in self.servers.primaries() {
            let mut load = pipe();
            load.cmd("SCRIPT").arg("LOAD").arg(script());
            if let Some(Err(error)) = node.ask(&load).await?.pop() {
                return Err(refused(&error));
            }
        }
        Ok(())
    }
}

fn refused(error: &RedisError) -> Failure {
    let what = "the cache does not compare values";
    Failure::new(FailureKind::CacheDenied, what, words(error))
        .hint("give the user +evalsha +script|load +strlen +get +pexpire, and what reads its other types: +type \
               +hgetall +smembers +zrange +json.get")
}
