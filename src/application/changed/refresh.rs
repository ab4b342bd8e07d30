//! Refreshes the TTL of keys that have not changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::reload::{Reload, Stop, name};
use crate::application::keys::chunk::{Chunk, RecordedKey};
use crate::application::ports::Cache;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::ttl::Ttl;

/// Groups that are refreshed at the same time.
const MAX_GROUPS: usize = 4;

/// Smaller groups are always refreshed: it costs nothing.
const LARGE_GROUP: usize = 1_024;

/// Chunks that are handed to the recorder together.
const ADOPTED: usize = 16;

/// Refreshes TTLs, a few groups of keys at a time.
pub(super) struct TtlRefresh<'a> {
    reload: &'a Reload,
    groups: JoinSet<Result<Refreshed, Failure>>,
    /// Keys that did not exist.
    pub(super) missing: Vec<String>,
    /// Chunks of those that did, until there are enough to hand on.
    chunks: Vec<Vec<u8>>,
    there: u64,
}

/// The result of refreshing one group.
struct Refreshed {
    /// The keys that exist.
    chunks: Vec<Vec<u8>>,
    there: u64,
    missing: Vec<Vec<u8>>,
    left_alone: bool,
}

/// Refreshes the TTL of keys. A large group that was refreshed a moment ago (`renewed`) is left alone
/// if its TTLs are fresh.
async fn refresh(
    cache: &dyn Cache,
    keys: &[RecordedKey],
    ttl: Ttl,
    renewed: Option<Duration>,
) -> Result<Refreshed, Failure> {
    let slices: Vec<&[u8]> = keys.iter().map(|recorded| recorded.key.as_slice()).collect();
    let left_alone = match renewed {
        Some(ago) if keys.len() >= LARGE_GROUP => cache.ttl_is_fresh(&slices, &ttl, ago).await?,
        _ => false,
    };
    let is_there = match left_alone {
        true => vec![true; slices.len()],
        false => cache.refresh_ttl(&slices, ttl).await?,
    };
    let (mut chunks, mut chunk) = (Vec::new(), Chunk::default());
    let (mut there, mut missing) = (0, Vec::new());
    for (recorded, is_there) in keys.iter().zip(is_there) {
        if !is_there {
            missing.push(recorded.key.clone());
            continue;
        }
        there += 1;
        chunk.push(&recorded.key, recorded.digest);
        if chunk.is_full() {
            chunks.push(chunk.take());
        }
    }
    if chunk.keys() > 0 {
        chunks.push(chunk.take());
    }
    Ok(Refreshed { chunks, there, missing, left_alone })
}

impl<'a> TtlRefresh<'a> {
    pub(super) fn new(reload: &'a Reload) -> Self {
        Self { reload, groups: JoinSet::new(), missing: Vec::new(), chunks: Vec::new(), there: 0 }
    }

    pub(super) async fn push(&mut self, keys: Vec<RecordedKey>) -> Result<(), Stop> {
        if keys.is_empty() {
            return Ok(());
        }
        let is_paced = self.reload.pace.now().rate.is_some();
        let most = if is_paced { 1 } else { MAX_GROUPS };
        while self.groups.len() >= most {
            self.join().await?;
        }
        self.reload.pace.admit(keys.len()).await;
        let (cache, ttl) = (Arc::clone(&self.reload.cache), self.reload.ttl.clone());
        let renewed = self.reload.baseline.renewed;
        self.groups.spawn(async move { refresh(cache.as_ref(), &keys, ttl, renewed).await });
        Ok(())
    }

    /// Waits for a group; `false`: none is under way.
    async fn join(&mut self) -> Result<bool, Stop> {
        let Some(group) = self.groups.join_next().await else {
            return Ok(false);
        };
        let group = group.map_err(|error| {
            let what = "refreshing TTLs failed";
            Stop::Failed(Failure::new(FailureKind::Internal, what, error.to_string()))
        })??;
        self.reload.progress.count_unchanged(group.there, group.left_alone);
        self.chunks.extend(group.chunks);
        self.there += group.there;
        if self.chunks.len() >= ADOPTED {
            self.hand_on().await;
        }
        for key in &group.missing {
            self.missing.push(name(key)?);
        }
        Ok(true)
    }

    async fn hand_on(&mut self) {
        let (chunks, there) = (std::mem::take(&mut self.chunks), self.there);
        self.there = 0;
        self.reload.adopter.adopt(chunks, there).await;
    }

    /// Finishes; returns the keys that did not exist.
    pub(super) async fn finish(mut self) -> Result<Vec<String>, Stop> {
        while self.join().await? {}
        self.hand_on().await;
        Ok(self.missing)
    }
}
