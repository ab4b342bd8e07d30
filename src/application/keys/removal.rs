//! Removes keys that this tool wrote and that no longer have a row.
//!
//! A key goes only if its value is still ours: an application may have written it since. A key that
//! another strategy makes too stays.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use futures_util::future::try_join_all;

use super::chunk::RecordedKey;
use crate::application::ports::{Ask, Cache, CachedValue, Deletion, WarmupStrategy};
use crate::domain::digest::Digest;
use crate::domain::entry::{EntryBatch, Name};
use crate::domain::failure::Failure;
use crate::domain::key::printable;
use crate::domain::wording::grouped;

/// Keys with values in memory, and keys read at a time.
const WINDOW: usize = 256;
const READS: usize = 32;

/// What became of the keys; those that did not exist are in neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    pub removed: u64,
    /// They stay: somebody else has written them, or makes them too.
    pub left: u64,
}

/// Removes keys of one strategy.
pub struct Removal<'a> {
    pub cache: &'a dyn Cache,
    /// The other strategies of the run.
    pub others: &'a [Arc<dyn WarmupStrategy>],
}

impl Removal<'_> {
    /// Removes keys that still have the recorded digest.
    ///
    /// # Errors
    /// The cache's, or the database's where it is asked for other strategies' rows.
    pub async fn remove(&self, keys: Vec<RecordedKey>) -> Result<Removed, Failure> {
        let mut all = Removed::default();
        let made = self.made_by_others(&keys).await?;
        let (theirs, ours): (Vec<RecordedKey>, Vec<RecordedKey>) =
            keys.into_iter().partition(|recorded| made.contains(&recorded.key));
        all.left += theirs.len() as u64;
        for window in ours.chunks(WINDOW) {
            let removed = self.remove_ours(window).await?;
            all.removed += removed.removed;
            all.left += removed.left;
        }
        Ok(all)
    }

    /// Deletes keys with the recorded digest, if they still have the value that was read.
    async fn remove_ours(&self, keys: &[RecordedKey]) -> Result<Removed, Failure> {
        let mut values = Vec::with_capacity(keys.len());
        for some in keys.chunks(READS) {
            let reads = some.iter().map(|recorded| self.cache.read(&recorded.key));
            values.extend(try_join_all(reads.collect::<Vec<_>>()).await?);
        }
        let (mut batch, mut all) = (EntryBatch::default(), Removed::default());
        for (recorded, cached) in keys.iter().zip(values) {
            let Some(cached) = cached else { continue };
            match take(&mut batch, recorded, &cached.value) {
                true => {}
                false => all.left += 1,
            }
        }
        let picks: Vec<usize> = (0..batch.len()).collect();
        if picks.is_empty() {
            return Ok(all);
        }
        for deletion in self.cache.delete_if_equal(&batch, &picks).await? {
            match deletion {
                Deletion::Deleted => all.removed += 1,
                Deletion::NotEqual => all.left += 1,
                Deletion::Absent => {}
            }
        }
        Ok(all)
    }

    /// The keys that have, or may have, a row of another strategy.
    async fn made_by_others(&self, keys: &[RecordedKey]) -> Result<HashSet<Vec<u8>>, Failure> {
        let mut made = HashSet::new();
        for other in self.others {
            let template = &other.spec().key;
            let texts = keys.iter().filter_map(|k| std::str::from_utf8(&k.key).ok());
            let names: Vec<Name> = texts
                .filter(|key| template.makes(key))
                .map(|key| Name::from(key.to_owned()))
                .collect();
            if names.is_empty() {
                continue;
            }
            let mut unknown: HashSet<String> = HashSet::new();
            let mut batches = other
                .entries(Ask::named(names.clone()).batch_size(WINDOW).keys_only().from_primary());
            while let Some(batch) = batches.try_next().await? {
                made.extend(batch.iter().map(|entry| entry.key.to_vec()));
                unknown.extend(batch.failed.into_iter().map(|failed| failed.key));
            }
            let names = names.into_iter().map(|name| name.key.into_bytes());
            made.extend(names.filter(|key| unknown.contains(&printable(key))));
        }
        Ok(made)
    }
}

/// Adds a key with its value, if that has the recorded digest.
fn take(batch: &mut EntryBatch, recorded: &RecordedKey, value: &CachedValue) -> bool {
    let is_ours = |digest: Digest| !recorded.digest.is_unknown() && digest == recorded.digest;
    match value {
        CachedValue::Text(text) if is_ours(Digest::of_text(text)) => batch
            .push_text(&recorded.key, |out| {
                out.extend_from_slice(text);
                Ok::<(), std::convert::Infallible>(())
            })
            .is_ok(),
        CachedValue::Json(text) if is_ours(Digest::of_json(text)) => batch
            .push_document(&recorded.key, |out| {
                out.extend_from_slice(text);
                Ok::<(), std::convert::Infallible>(())
            })
            .is_ok(),
        CachedValue::Collection(collection, pairs) => {
            let pairs = || pairs.iter().map(|(name, value)| (&name[..], &value[..]));
            let ours = is_ours(Digest::of_pairs(pairs()));
            if ours {
                let pairs = pairs().map(|(name, value)| (name, value.into()));
                batch.push_collection(&recorded.key, *collection, pairs);
            }
            ours
        }
        _ => false,
    }
}

/// The warning about keys without a row that were not removed.
pub fn not_removed(keys: u64) -> Option<String> {
    let them = if keys == 1 { "it" } else { "them" };
    (keys > 0).then(|| {
        format!(
            "kept {}: another writer changed {them}, or another strategy also makes {them}",
            orphans(keys)
        )
    })
}

/// `1 orphan`, `1,234 orphans`.
pub fn orphans(n: u64) -> String {
    format!("{} orphan{}", grouped(n), if n == 1 { "" } else { "s" })
}
