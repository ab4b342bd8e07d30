//! Write, verify, undo: no entry stays that was overtaken by a change.
//!
//! We read a row, the application changes it and drops its key, and then we write the old value: it
//! would be served for its whole TTL. So we read the versions again after the cache has acknowledged
//! a batch. We see a change that was committed by then and undo the entry. A later change also drops
//! the key later, if the application does so after its commit. We delete only our own values.

use std::collections::HashMap;
use std::time::Instant;

use futures_util::TryStreamExt as _;
use tokio::sync::Semaphore;

use crate::application::ports::{
    Ask, Cache, Deletion, WarmupStrategy, WriteOptions, WriteOutcome, Written,
};
use crate::domain::digest::Digest;
use crate::domain::entry::{Entry, EntryBatch, Name};
use crate::domain::failure::Failure;
use crate::domain::key::printable;
use crate::domain::version::Version;

/// How often an overtaken entry is written again before it is left out.
const REPAIRS: u32 = 3;

/// Sessions that read versions at the same time.
const SESSIONS: usize = 2;

/// Attempts to read versions while the database is interrupted.
const ATTEMPTS: u32 = 3;

const MAY_BE_STALE: &str = "it changed while it was written, and could not be deleted";

/// Reads versions again after writing.
pub struct Recheck<'a> {
    strategy: &'a dyn WarmupStrategy,
    cache: &'a dyn Cache,
    sessions: Semaphore,
}

/// Overtaken entries as they were written, each with its index in the run's batch.
struct Stale {
    entries: EntryBatch,
    places: Vec<usize>,
    /// When their writing began.
    since: Instant,
}

impl Stale {
    fn of(
        batch: &EntryBatch,
        picks: &[usize],
        place: impl Fn(usize) -> usize,
        since: Instant,
    ) -> Self {
        let mut entries = EntryBatch::default();
        picks.iter().filter_map(|i| batch.get(*i)).for_each(|entry| entries.push(entry));
        Self { entries, places: picks.iter().map(|i| place(*i)).collect(), since }
    }
}

impl<'a> Recheck<'a> {
    /// If it is wanted and the strategy's keys can be looked up.
    pub fn wanted(
        verifies: bool,
        strategy: &'a dyn WarmupStrategy,
        cache: &'a dyn Cache,
    ) -> Option<Self> {
        let can = strategy.is_versioned() && strategy.opaque().is_none();
        (verifies && can).then(|| Self { strategy, cache, sessions: Semaphore::new(SESSIONS) })
    }

    /// Reads the versions of a written batch again, and undoes stale entries.
    pub async fn settle(
        &self,
        batch: &EntryBatch,
        how: &WriteOptions,
        since: Instant,
        mut written: Written,
    ) -> Written {
        let places = may_be_there(batch, &written.outcomes);
        let stale = match self.overtaken(batch, &places).await {
            Ok(stale) => stale,
            Err(failure) => {
                written.checked.unverified = places.len() as u64;
                written.checked.failure = Some(failure);
                return written;
            }
        };
        if stale.is_empty() {
            return written;
        }
        let entries = Stale::of(batch, &stale, |place| place, since);
        if let Err(failure) = self.undo(entries, how, &mut written).await {
            written.checked.failure = Some(failure);
        }
        written.checked.identical.retain(|place| !stale.contains(place));
        for place in stale {
            match written.outcomes[place] {
                WriteOutcome::Stored => written.checked.repaired += 1,
                WriteOutcome::Withdrawn => written.checked.withdrawn += 1,
                _ => {}
            }
        }
        written
    }

    /// The indexes of entries with rows that have changed or gone.
    async fn overtaken(&self, batch: &EntryBatch, places: &[usize]) -> Result<Vec<usize>, Failure> {
        let entries: Vec<Entry<'_>> = places.iter().filter_map(|i| batch.get(*i)).collect();
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.versions(&entries).await?;
        let pairs = places.iter().zip(&entries).zip(now);
        let moved = pairs.filter(|((_, entry), now)| entry.version != *now);
        Ok(moved.map(|((place, _), _)| *place).collect())
    }

    async fn versions(&self, entries: &[Entry<'_>]) -> Result<Vec<Option<Version>>, Failure> {
        // Never closed, so never refused.
        let _session = self.sessions.acquire().await;
        let mut attempts = 1;
        loop {
            match self.strategy.versions(entries).await {
                Err(failure) if failure.is_interruption() && attempts < ATTEMPTS => {
                    tracing::warn!(%failure, "retrying the version check");
                    attempts += 1;
                }
                answered => return answered,
            }
        }
    }

    /// Deletes stale entries and writes the current rows, until nothing overtakes them. After
    /// [`REPAIRS`] attempts an entry is left out.
    async fn undo(
        &self,
        mut stale: Stale,
        how: &WriteOptions,
        written: &mut Written,
    ) -> Result<(), Failure> {
        for repairs in 0..=REPAIRS {
            if stale.places.is_empty() {
                break;
            }
            let missing = self.withdraw(&stale, written).await?;
            if missing.is_empty() || repairs == REPAIRS {
                break;
            }
            stale = self.write_again(&stale, &missing, how, written).await?;
        }
        Ok(())
    }

    /// Deletes stale entries that are still ours; returns those that are missing then.
    async fn withdraw(&self, stale: &Stale, written: &mut Written) -> Result<Vec<usize>, Failure> {
        let picks: Vec<usize> = (0..stale.entries.len()).collect();
        let deletions = match self.cache.delete_if_equal(&stale.entries, &picks).await {
            Ok(deletions) => deletions,
            Err(failure) => {
                for place in &stale.places {
                    let why = format!("{MAY_BE_STALE}: {}", failure.why);
                    written.outcomes[*place] = WriteOutcome::Unknown(why);
                }
                return Err(failure);
            }
        };
        written.checked.exposure = written.checked.exposure.max(stale.since.elapsed());
        let mut missing = Vec::new();
        for (i, deletion) in deletions.into_iter().enumerate() {
            written.outcomes[stale.places[i]] = match deletion {
                Deletion::NotEqual => WriteOutcome::AlreadyPresent,
                Deletion::Deleted | Deletion::Absent => {
                    missing.push(i);
                    WriteOutcome::Withdrawn
                }
            };
        }
        Ok(missing)
    }

    /// Writes the current rows of withdrawn entries; returns those that were overtaken again.
    async fn write_again(
        &self,
        stale: &Stale,
        missing: &[usize],
        how: &WriteOptions,
        written: &mut Written,
    ) -> Result<Stale, Failure> {
        let keys =
            missing.iter().filter_map(|i| Some((stale.entries.get(*i)?.key, stale.places[*i])));
        let places: HashMap<&[u8], usize> = keys.collect();
        let names = missing.iter().filter_map(|i| stale.entries.get(*i));
        let fresh = self.load(names.map(name).collect()).await?;
        for failed in &fresh.failed {
            let place = places.iter().find(|(key, _)| printable(key) == failed.key);
            if let Some((_, place)) = place {
                written.outcomes[*place] = WriteOutcome::Failed(failed.error.clone());
            }
        }
        let place = |i: usize| fresh.get(i).and_then(|entry| places.get(entry.key)).copied();
        let since = Instant::now();
        let again = self.cache.write(&fresh, how).await;
        let there = may_be_there(&fresh, &again.outcomes);
        for (i, outcome) in again.outcomes.into_iter().enumerate() {
            if let (Some(place), Some(entry)) = (place(i), fresh.get(i)) {
                let digest = Digest::of(entry.value);
                written.checked.rewritten.push((place, digest));
                written.outcomes[place] = outcome;
            }
        }
        if again.fatal.is_some() {
            written.fatal = again.fatal;
        }
        match self.overtaken(&fresh, &there).await {
            Ok(overtaken) => {
                Ok(Stale::of(&fresh, &overtaken, |i| place(i).unwrap_or_default(), since))
            }
            Err(failure) => {
                written.checked.unverified += there.len() as u64;
                Err(failure)
            }
        }
    }

    /// The current entries of some keys, from the primary.
    async fn load(&self, keys: Vec<Name>) -> Result<EntryBatch, Failure> {
        let size = keys.len();
        let mut batches = self.strategy.entries(Ask::named(keys).batch_size(size).from_primary());
        let mut all = EntryBatch::default();
        while let Some(batch) = batches.try_next().await? {
            batch.iter().for_each(|entry| all.push(entry));
            all.failed.extend(batch.failed);
        }
        Ok(all)
    }
}

/// An entry's key, as its row made it.
fn name(entry: Entry<'_>) -> Name {
    Name { key: String::from_utf8_lossy(entry.key).into_owned(), ends: entry.ends.to_vec() }
}

/// The indexes of entries with a version that were stored, or may have been.
fn may_be_there(batch: &EntryBatch, outcomes: &[WriteOutcome]) -> Vec<usize> {
    let pairs = batch.iter().zip(outcomes).enumerate();
    let may_be = |entry: &Entry<'_>, outcome: &WriteOutcome| {
        entry.version.is_some()
            && matches!(outcome, WriteOutcome::Stored | WriteOutcome::Unknown(_))
    };
    let places = pairs.filter(|(_, (entry, outcome))| may_be(entry, outcome));
    places.map(|(place, _)| place).collect()
}
