//! Finds changes by the keys of the whole selection.

use std::collections::HashSet;
use std::ops::Range;

use futures_util::TryStreamExt as _;

use super::refresh::TtlRefresh;
use super::reload::{Reload, Sender, Stop, Wrote, hash, name, send};
use crate::application::keys::chunk::RecordedKey;
use crate::application::keys::manifest::KeyManifest;
use crate::application::keys::pile::Pile;
use crate::application::ports::{Ask, ChangeScan};
use crate::domain::entry::{Entry, EntryBatch, Value};
use crate::domain::key::printable;

/// Manifests are compared key by key up to this size, at about 24 bytes per key.
const MAX_COMPARED: u64 = 4_000_000;

/// Keys whose TTLs are refreshed together.
const GROUP: usize = 4_096;

fn has_changed(entry: &Entry<'_>) -> bool {
    entry.value != Value::Text(b"0")
}

/// A key that some manifest has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    hash: u64,
    wrote: Wrote,
    /// Of the selection of the last complete run.
    was_selected: bool,
}

pub(super) struct Keys<'a> {
    reload: &'a Reload,
    /// The keys of all manifests, sorted; and for each whether it is still in the selection.
    known: Vec<Known>,
    seen: Vec<bool>,
    /// Keys to load: changed and new ones.
    names: Vec<String>,
    /// Rows without a valid key.
    failed: EntryBatch,
}

/// Keys that have left the selection.
#[derive(Default)]
struct Left {
    /// To remove.
    gone: Pile,
    /// The same, unless there is a row.
    unless_there: Pile,
}

impl<'a> Keys<'a> {
    pub(super) fn new(reload: &'a Reload) -> Self {
        Self {
            reload,
            known: Vec::new(),
            seen: Vec::new(),
            names: Vec::new(),
            failed: EntryBatch::default(),
        }
    }

    pub(super) async fn read(mut self, out: &Sender) -> Result<(), Stop> {
        let reload = self.reload;
        self.read_known().await?;
        let missing = self.read_selection().await?;
        reload.check_names(self.names.len() + missing.len())?;
        let left = self.what_left().await?;
        send(out, std::mem::take(&mut self.failed)).await?;
        // A row may have left the selection a moment ago.
        let ours = |hash| self.wrote(hash).map(|wrote| wrote.digest);
        reload.load(&self.names, ours, out).await?;
        reload.load(&missing, |_| None, out).await?;
        self.remove(left, out).await?;
        reload.forget_others().await;
        Ok(())
    }

    async fn read_known(&mut self) -> Result<(), Stop> {
        let reload = self.reload;
        let baseline = &reload.baseline;
        let manifests: Vec<&KeyManifest> =
            baseline.others.iter().chain([&baseline.manifest]).collect();
        let keys = manifests.iter().map(|manifest| manifest.keys);
        if keys.sum::<u64>() > MAX_COMPARED {
            let why = "it has too many keys to compare";
            return Err(Stop::Full(why.to_owned()));
        }
        for manifest in manifests {
            let was_selected = manifest.run_id == baseline.manifest.run_id;
            let at = manifest.began_at;
            let take = |group: Vec<RecordedKey>| {
                self.known.extend(group.iter().map(|recorded| Known {
                    hash: hash(&recorded.key),
                    wrote: Wrote { at, digest: recorded.digest },
                    was_selected,
                }));
                Ok(())
            };
            reload.each_key(manifest, take).await?;
        }
        self.known.sort_unstable();
        self.seen = vec![false; self.known.len()];
        Ok(())
    }

    /// Where a key is in `known`.
    fn places(&self, hash: u64) -> Range<usize> {
        let start = self.known.partition_point(|known| known.hash < hash);
        let same = self.known[start..].iter();
        start..start + same.take_while(|known| known.hash == hash).count()
    }

    /// What this tool last wrote at a key, if known.
    fn wrote(&self, hash: u64) -> Option<Wrote> {
        let known = &self.known[self.places(hash)];
        known.iter().map(|known| known.wrote).max()
    }

    /// Refreshes the TTL of the unchanged keys of the selection. Returns those that
    /// were not there.
    async fn read_selection(&mut self) -> Result<Vec<String>, Stop> {
        let reload = self.reload;
        let tracked = reload.strategy.tracked().map_err(Stop::Full)?;
        let mut changes =
            tracked.changes(ChangeScan::Keys, reload.baseline.since, reload.batch_size);
        let mut refresh = TtlRefresh::new(reload);
        let mut group: Vec<RecordedKey> = Vec::new();
        while let Some(mut batch) = changes.try_next().await? {
            for entry in batch.iter() {
                let key = name(entry.key)?;
                let places = self.places(hash(entry.key));
                self.seen[places.clone()].fill(true);
                let known = &self.known[places];
                let was_selected = known.iter().any(|known| known.was_selected);
                let wrote = known.iter().map(|known| known.wrote).max();
                // Of a key that can be read in several ways another row may be meant by now.
                let stays = !has_changed(&entry) && was_selected && tracked.has_one_reading(&key);
                match wrote.filter(|_| stays) {
                    Some(Wrote { digest, .. }) => {
                        group.push(RecordedKey { key: key.into_bytes(), digest });
                    }
                    None => self.names.push(key),
                }
            }
            if group.len() >= GROUP {
                refresh.push(std::mem::take(&mut group)).await?;
            }
            self.failed.failed.append(&mut batch.failed);
            let known = self.names.len() + refresh.missing.len() + self.failed.failed.len();
            reload.check_names(known)?;
        }
        refresh.push(group).await?;
        refresh.finish().await
    }

    /// The keys that are not in the selection any more. What a complete run has written has left it
    /// since. What others have may have been asked for by name and be there on purpose: as long as it
    /// has a row it stays until it ends.
    async fn what_left(&self) -> Result<Left, Stop> {
        let (reload, mut left) = (self.reload, Left::default());
        let baseline = &reload.baseline;
        let manifests: Vec<&KeyManifest> =
            [&baseline.manifest].into_iter().chain(&baseline.others).collect();
        for manifest in manifests {
            let is_first = manifest.run_id == baseline.manifest.run_id;
            let take = |group: Vec<RecordedKey>| {
                for recorded in group {
                    let places = self.places(hash(&recorded.key));
                    let known = &self.known[places.clone()];
                    let was_selected = known.iter().any(|known| known.was_selected);
                    let is_seen = self.seen[places].iter().any(|seen| *seen);
                    if is_seen || (was_selected && !is_first) {
                        continue;
                    }
                    let digest = known.iter().map(|known| known.wrote).max();
                    let digest = digest.map_or(recorded.digest, |wrote| wrote.digest);
                    let recorded = RecordedKey { digest, ..recorded };
                    match manifest.complete {
                        true => left.gone.push(&recorded),
                        false => left.unless_there.push(&recorded),
                    }
                }
                Ok(())
            };
            reload.each_key(manifest, take).await?;
        }
        Ok(left)
    }

    async fn remove(&self, left: Left, out: &Sender) -> Result<(), Stop> {
        for keys in left.gone.windows() {
            self.remove_some(keys, out).await?;
        }
        for keys in left.unless_there.windows() {
            let names = keys.iter().cloned();
            let names = names.filter_map(|recorded| String::from_utf8(recorded.key).ok());
            let mut entries = self.reload.strategy.entries(
                Ask::named(names).batch_size(self.reload.batch_size).keys_only().from_primary(),
            );
            let mut found: HashSet<u64> = HashSet::new();
            let mut absent: HashSet<String> = HashSet::new();
            while let Some(batch) = entries.try_next().await.map_err(Stop::Failed)? {
                found.extend(batch.iter().map(|entry| hash(entry.key)));
                absent.extend(batch.absent);
            }
            let is_gone = |recorded: &RecordedKey| {
                !found.contains(&hash(&recorded.key)) && absent.contains(&printable(&recorded.key))
            };
            let gone = keys.into_iter().filter(is_gone);
            self.remove_some(gone.collect(), out).await?;
        }
        Ok(())
    }

    async fn remove_some(&self, keys: Vec<RecordedKey>, out: &Sender) -> Result<(), Stop> {
        // Nobody may be listening any more.
        if out.is_closed() { Err(Stop::Unwanted) } else { self.reload.remove(keys).await }
    }
}
