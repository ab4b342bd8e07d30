//! Redis and Valkey: pipelines over a few connections, and the truth about each key.

mod address;
mod answers;
mod checkup;
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
mod node;
mod parts;
mod peer;
mod read;
mod reply;
mod requests;
mod rights;
mod router;
mod scan;
mod sentinel;
mod server_info;
mod servers;
mod slots;
mod usage;
mod vitals;
mod wait;
mod ways;
mod write;

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use redis::{Cmd, Pipeline};

use super::url::ConnectOptions;
use crate::application::ports::{
    Answer, Cache, Cached, Deletion, Extended, Headroom, Known, MetaStore, Misses, RightsProbe,
    Usage, WriteOptions, Written,
};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::finding::Finding;
use crate::domain::standing::Standing;
use crate::domain::strategy::Shape;
use crate::domain::ttl::Ttl;
use servers::Servers;
use ways::Ways;

pub(super) struct RedisCache {
    servers: Servers,
    /// How values are compared, and how a key is deleted only where its value is ours.
    way_to_inspect: Ways,
    way_to_delete: Ways,
}

/// # Errors
/// The URL cannot be read.
pub(super) fn check_url(url: &str) -> Result<(), Failure> {
    address::Address::parse(url, &ConnectOptions::default()).map(drop)
}

impl RedisCache {
    pub(super) async fn connect(url: &str, options: &ConnectOptions) -> Result<Self, Failure> {
        Ok(Self {
            servers: Servers::connect(url, options).await?,
            way_to_inspect: Ways::default(),
            way_to_delete: Ways::default(),
        })
    }
}

impl Cache for RedisCache {
    fn write<'a>(&'a self, batch: &'a EntryBatch, how: &'a WriteOptions) -> BoxFuture<'a, Written> {
        self.write_batch(batch, how).boxed()
    }

    fn inspect<'a>(&'a self, batch: &'a EntryBatch, shape: Shape) -> Answer<'a, Vec<Standing>> {
        self.inspect_batch(batch, shape).boxed()
    }

    fn read<'a>(&'a self, key: &'a [u8]) -> Answer<'a, Option<Cached>> {
        self.read_key(key).boxed()
    }

    fn scan<'a>(&'a self, prefix: &'a [u8]) -> BoxStream<'a, Result<Vec<Vec<u8>>, Failure>> {
        self.scan_keys(prefix)
    }

    fn epoch(&self) -> Answer<'_, u64> {
        self.servers.epoch().boxed()
    }

    fn meta(&self) -> &dyn MetaStore {
        self
    }

    fn extend_if_equal<'a>(
        &'a self,
        batch: &'a EntryBatch,
        picks: &'a [usize],
        ttl: &'a Ttl,
    ) -> Answer<'a, Extended> {
        self.extend_entries(batch, picks, ttl).boxed()
    }

    fn delete_if_equal<'a>(
        &'a self,
        batch: &'a EntryBatch,
        picks: &'a [usize],
    ) -> Answer<'a, Vec<Deletion>> {
        self.delete_entries(batch, picks).boxed()
    }

    fn refresh_ttl<'a>(&'a self, keys: &'a [&'a [u8]], ttl: Ttl) -> Answer<'a, Vec<bool>> {
        let expire = move |pipe: &mut Pipeline, i: usize| {
            let key = keys[i];
            let mut expire = Cmd::with_capacity(3, key.len() + 32);
            expire.arg("PEXPIRE").arg(key).arg(ttl.millis_for(key));
            pipe.add_command(expire);
        };
        self.yes_or_no(keys, expire).boxed()
    }

    fn ttl_is_fresh<'a>(
        &'a self,
        keys: &'a [&'a [u8]],
        ttl: &'a Ttl,
        tolerance: Duration,
    ) -> Answer<'a, bool> {
        self.are_fresh(keys, ttl, tolerance).boxed()
    }

    // DEL, which a run needs for its hashes anyway: what is deleted here is small.
    fn remove<'a>(&'a self, keys: &'a [&'a [u8]]) -> Answer<'a, Vec<bool>> {
        let delete = move |pipe: &mut Pipeline, i: usize| {
            pipe.cmd("DEL").arg(keys[i]);
        };
        self.yes_or_no(keys, delete).boxed()
    }

    fn headroom(&self) -> BoxFuture<'_, Headroom> {
        self.measure_headroom().boxed()
    }

    fn checkup<'a>(&'a self, probes: &'a [RightsProbe]) -> BoxFuture<'a, Vec<Finding>> {
        self.check(probes).boxed()
    }

    fn usage<'a>(&'a self, keys: &'a [&'a [u8]]) -> Answer<'a, Vec<Usage>> {
        self.measure_usage(keys).boxed()
    }

    fn misses(&self, set_events: bool) -> Answer<'_, Misses> {
        self.listen_for_misses(set_events).boxed()
    }

    fn latency(&self) -> BoxFuture<'_, Option<Duration>> {
        self.measure_latency().boxed()
    }

    fn evicted(&self) -> BoxFuture<'_, Known<u64>> {
        self.count_evicted().boxed()
    }
}
