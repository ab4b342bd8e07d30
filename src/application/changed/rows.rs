//! Finds changes by the rows that have changed.

use std::collections::HashMap;

use futures_util::TryStreamExt as _;

use super::refresh::TtlRefresh;
use super::reload::{Reload, Sender, Stop, Wrote, hash, name};
use crate::application::keys::chunk::RecordedKey;
use crate::application::keys::manifest::KeyManifest;
use crate::application::ports::ChangeScan;
use crate::domain::digest::Digest;

pub(super) struct Rows<'a> {
    reload: &'a Reload,
    /// Keys to load: those of changed rows, in the selection or not.
    names: Vec<String>,
    /// Their hashes, and what this tool wrote there, if it did.
    changed: HashMap<u64, Option<Wrote>>,
    /// How many keys of the manifest have not changed.
    unchanged: u64,
}

impl<'a> Rows<'a> {
    pub(super) fn new(reload: &'a Reload) -> Self {
        Self { reload, names: Vec::new(), changed: HashMap::new(), unchanged: 0 }
    }

    pub(super) async fn read(mut self, out: &Sender) -> Result<(), Stop> {
        self.find_changed().await?;
        let (missing, known) = self.refresh_the_rest().await?;
        self.add_others(&known).await?;
        let reload = self.reload;
        reload.check_names(self.names.len() + missing.len())?;
        self.check_deleted().await?;
        let ours = |hash| self.changed.get(&hash).copied().flatten();
        let ours = |hash| ours(hash).map(|wrote| wrote.digest);
        reload.load(&self.names, ours, out).await?;
        // A missing key without a row needs no removal.
        reload.load(&missing, |_| None, out).await?;
        reload.forget_others().await;
        Ok(())
    }

    async fn find_changed(&mut self) -> Result<(), Stop> {
        let reload = self.reload;
        let tracked = reload.strategy.tracked().map_err(Stop::Full)?;
        let mut changes =
            tracked.changes(ChangeScan::Rows, reload.baseline.since, reload.batch_size);
        while let Some(batch) = changes.try_next().await? {
            if let Some(failure) = batch.failed.first() {
                return Err(Stop::Full(format!("{}: {}", failure.key, failure.error)));
            }
            for entry in batch.iter() {
                if self.changed.insert(hash(entry.key), None).is_none() {
                    self.names.push(name(entry.key)?);
                }
            }
            reload.check_names(self.names.len())?;
        }
        Ok(())
    }

    /// Refreshes the TTL of the manifest's unchanged keys. Returns those that did not exist and, if
    /// there are other manifests to compare, the sorted hashes of all keys.
    async fn refresh_the_rest(&mut self) -> Result<(Vec<String>, Vec<u64>), Stop> {
        let reload = self.reload;
        let compares = !reload.baseline.others.is_empty();
        let mut known = Vec::new();
        let mut refresh = TtlRefresh::new(reload);
        let manifest = &reload.baseline.manifest;
        let mut keys = reload.keys(manifest);
        loop {
            let group = match keys.try_next().await {
                Ok(Some(group)) => group,
                Ok(None) => break,
                Err(failure) => return Err(reload.unreadable(manifest, failure).await),
            };
            let mut rest = Vec::with_capacity(group.len());
            for recorded in group {
                let hash = hash(&recorded.key);
                if compares {
                    known.push(hash);
                }
                if !self.note(hash, manifest, recorded.digest) {
                    rest.push(recorded);
                }
            }
            self.unchanged += rest.len() as u64;
            refresh.push(rest).await?;
            reload.check_names(self.names.len() + refresh.missing.len())?;
        }
        known.sort_unstable();
        Ok((refresh.finish().await?, known))
    }

    /// Notes what a manifest wrote at a key that will be loaded; `false`: it will not.
    fn note(&mut self, hash: u64, manifest: &KeyManifest, digest: Digest) -> bool {
        let Some(wrote) = self.changed.get_mut(&hash) else {
            return false;
        };
        let at = manifest.began_at;
        *wrote = (*wrote).max(Some(Wrote { at, digest }));
        true
    }

    /// Also loads keys that only other manifests have: the database decides whether to write or to
    /// remove them.
    async fn add_others(&mut self, known: &[u64]) -> Result<(), Stop> {
        let reload = self.reload;
        for other in &reload.baseline.others {
            let take = |group: Vec<RecordedKey>| {
                for recorded in group {
                    let hash = hash(&recorded.key);
                    if known.binary_search(&hash).is_err() && !self.changed.contains_key(&hash) {
                        self.changed.insert(hash, None);
                        self.names.push(name(&recorded.key)?);
                    }
                    self.note(hash, other, recorded.digest);
                }
                reload.check_names(self.names.len())
            };
            reload.each_key(other, take).await?;
        }
        Ok(())
    }

    /// A deleted row has no `_changed_at`: there are fewer unchanged rows than unchanged keys.
    async fn check_deleted(&self) -> Result<(), Stop> {
        let tracked = self.reload.strategy.tracked().map_err(Stop::Full)?;
        let there = tracked.unchanged(self.reload.baseline.since).await?;
        if there < self.unchanged { Err(Stop::Deleted) } else { Ok(()) }
    }
}
