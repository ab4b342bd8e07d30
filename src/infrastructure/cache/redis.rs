//! Redis and Valkey: pipelines over a few connections, and an exact result for each key.

mod address;
mod answers;
mod checkup;
mod claims;
mod cluster;
mod commands;
mod compare;
mod course;
mod delete;
mod digest;
mod extend;
mod greeting;
mod headroom;
mod health;
mod inspect;
mod job;
mod line;
mod lives;
mod map;
mod meta;
mod misses;
mod named;
mod node;
mod parts;
mod peer;
mod permissions;
mod queue;
mod reach;
mod read;
mod replicas;
mod reply;
mod requests;
mod router;
mod scan;
mod sentinel;
mod server_info;
mod servers;
mod sign_in;
mod slots;
mod usage;
mod values;
mod vitals;
mod wait;
mod ways;
mod write;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use redis::{Cmd, Pipeline};

use super::url::ConnectOptions;
use crate::application::ports::{
    Answer, Cache, Cached, Deletion, Extended, Headroom, Known, MetaStore, Misses, PermissionProbe,
    PortionQueue, Replicas, Usage, WriteOptions, Written,
};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::finding::Finding;
use crate::domain::form::Form;
use crate::domain::standing::{Kind, Standing};
use crate::domain::ttl::Ttl;
use servers::Servers;
use ways::Ways;

/// Takes away the TTL of a key; 1 if the key exists.
const PERSIST: &str = "redis.call('PERSIST', KEYS[1]) return redis.call('EXISTS', KEYS[1])";

pub(super) struct RedisCache {
    servers: Servers,
    /// The commands for comparing values, and for deleting only our own.
    way_to_inspect: Ways,
    way_to_delete: Ways,
    /// Bytes that each node would get, of all that was inspected.
    planned: Mutex<HashMap<String, u64>>,
}

/// # Errors
/// The URL or a certificate is not valid.
pub(super) fn check_url(url: &str, options: &ConnectOptions) -> Result<(), Failure> {
    reach::Reach::new(&options.nodes)?;
    address::Address::parse(url, options).map(drop)
}

impl RedisCache {
    pub(super) async fn connect(url: &str, options: &ConnectOptions) -> Result<Self, Failure> {
        Ok(Self {
            servers: Servers::connect(url, options).await?,
            way_to_inspect: Ways::default(),
            way_to_delete: Ways::default(),
            planned: Mutex::default(),
        })
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn write(&self, batch: &EntryBatch, how: &WriteOptions) -> Written {
        self.write_batch(batch, how).await
    }

    async fn inspect(&self, batch: &EntryBatch, form: Form) -> Answer<Vec<Standing>> {
        self.note_planned(batch);
        self.inspect_batch(batch, form).await
    }

    async fn read(&self, key: &[u8]) -> Answer<Option<Cached>> {
        self.read_key(key).await
    }

    fn scan<'a>(&'a self, prefix: &'a [u8]) -> BoxStream<'a, Result<Vec<Vec<u8>>, Failure>> {
        self.scan_keys(prefix)
    }

    async fn epoch(&self) -> Answer<u64> {
        self.servers.epoch().await
    }

    async fn identity(&self) -> Answer<u64> {
        self.servers.identity().await
    }

    async fn lacks(&self, kind: &Kind) -> Answer<Option<String>> {
        match kind {
            Kind::Json => self.lacks_documents().await,
            _ => Ok(None),
        }
    }

    fn meta(&self) -> &dyn MetaStore {
        self
    }

    fn queue(&self) -> Option<&dyn PortionQueue> {
        Some(self)
    }

    async fn extend_if_equal(
        &self,
        batch: &EntryBatch,
        picks: &[usize],
        ttl: &Ttl,
    ) -> Answer<Extended> {
        self.extend_entries(batch, picks, ttl).await
    }

    async fn delete_if_equal(&self, batch: &EntryBatch, picks: &[usize]) -> Answer<Vec<Deletion>> {
        self.delete_entries(batch, picks).await
    }

    async fn refresh_ttl(&self, keys: &[&[u8]], ttl: Ttl) -> Answer<Vec<bool>> {
        let expire = move |pipe: &mut Pipeline, i: usize| {
            let key = keys[i];
            let Some(ttl) = ttl.millis_for(key) else {
                pipe.cmd("EVAL").arg(PERSIST).arg(1).arg(key);
                return;
            };
            let mut expire = Cmd::with_capacity(3, key.len() + 32);
            expire.arg("PEXPIRE").arg(key).arg(ttl);
            pipe.add_command(expire);
        };
        self.yes_or_no(keys, &expire).await
    }

    async fn ttl_is_fresh(&self, keys: &[&[u8]], ttl: &Ttl, tolerance: Duration) -> Answer<bool> {
        self.are_fresh(keys, ttl, tolerance).await
    }

    // DEL, a permission that hashes need anyway; what is deleted here is small.
    async fn remove(&self, keys: &[&[u8]]) -> Answer<Vec<bool>> {
        let delete = move |pipe: &mut Pipeline, i: usize| {
            pipe.cmd("DEL").arg(keys[i]);
        };
        self.yes_or_no(keys, &delete).await
    }

    async fn headroom(&self) -> Headroom {
        self.measure_headroom().await
    }

    async fn checkup(&self, probes: &[PermissionProbe]) -> Vec<Finding> {
        self.check(probes).await
    }

    async fn usage(&self, keys: &[&[u8]]) -> Answer<Vec<Usage>> {
        self.measure_usage(keys).await
    }

    async fn counts_our_reads(&self) -> bool {
        self.marks_what_we_read().await
    }

    async fn misses(&self, set_events: bool) -> Answer<Misses> {
        self.listen_for_misses(set_events).await
    }

    async fn latency(&self) -> Option<Duration> {
        self.measure_latency().await
    }

    async fn evicted(&self) -> Known<u64> {
        self.count_evicted().await
    }

    async fn replicas(&self) -> Option<Replicas> {
        self.measure_replicas().await
    }
}
