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
use crate::domain::entry::{Entry, EntryBatch, Name, Value};
use crate::domain::failure::Failure;
use crate::domain::key::printable;
use crate::domain::portion::PartOf;

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
        entries.part_of = batch.part_of;
        picks.iter().filter_map(|i| batch.get(*i)).for_each(|entry| entries.push(entry));
        Self { entries, places: picks.iter().map(|i| place(*i)).collect(), since }
    }
}

/// A batch that was written.
pub struct Sent {
    pub batch: EntryBatch,
    pub written: Written,
    /// When its writing began.
    pub since: Instant,
}

impl<'a> Recheck<'a> {
    pub fn new(strategy: &'a dyn WarmupStrategy, cache: &'a dyn Cache) -> Self {
        Self { strategy, cache, sessions: Semaphore::new(SESSIONS) }
    }

    /// Finds the entries that have become stale, of one batch or of all batches of a portion, and
    /// undoes them.
    pub async fn settle(&self, sent: &mut [Sent], how: &WriteOptions) {
        let stale = match self.overtaken(sent).await {
            Ok(stale) => stale,
            Err(failure) => {
                for Sent { batch, written, .. } in sent {
                    let is_portion = matches!(batch.part_of, Some(PartOf::Portion { .. }));
                    let can_tell = |e: &Entry<'_>| is_portion || self.can_ask(batch, e);
                    let unverified = may_be_there(batch, &written.outcomes, can_tell);
                    written.checked.unverified = unverified.len() as u64;
                    written.checked.failure = Some(failure.clone());
                }
                return;
            }
        };
        for (sent, stale) in sent.iter_mut().zip(stale) {
            self.repair(sent, stale, how).await;
        }
    }

    /// Undoes the stale entries of a batch, and counts them.
    async fn repair(&self, sent: &mut Sent, stale: Vec<usize>, how: &WriteOptions) {
        if stale.is_empty() {
            return;
        }
        let Sent { batch, written, since } = sent;
        let entries = Stale::of(batch, &stale, |place| place, *since);
        if let Err(failure) = self.undo(entries, how, written).await {
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
    }

    /// The indexes, in each batch, of entries with rows that have changed or gone.
    async fn overtaken(&self, sent: &[Sent]) -> Result<Vec<Vec<usize>>, Failure> {
        let part_of = sent.first().and_then(|sent| sent.batch.part_of);
        let Some(PartOf::Portion { portion, .. }) = part_of else {
            let each = sent.iter().map(|sent| {
                let can_ask = |entry: &Entry<'_>| self.can_ask(&sent.batch, entry);
                let places = may_be_there(&sent.batch, &sent.written.outcomes, can_ask);
                self.changed(&sent.batch, places)
            });
            return futures_util::future::try_join_all(each).await;
        };
        let (mut places, mut entries) = (Vec::new(), Vec::new());
        for (at, Sent { batch, written, .. }) in sent.iter().enumerate() {
            for place in may_be_there(batch, &written.outcomes, |_| true) {
                places.push((at, place));
                entries.extend(batch.get(place));
            }
        }
        let mut stale = vec![Vec::new(); sent.len()];
        if !entries.is_empty() {
            let overtaken = self.retried(|| self.strategy.overtaken(&portion, &entries)).await?;
            for (at, place) in overtaken.into_iter().map(|i| places[i]) {
                stale[at].push(place);
            }
        }
        Ok(stale)
    }

    /// Which of these entries have another version by now, or another value.
    async fn changed(&self, batch: &EntryBatch, places: Vec<usize>) -> Result<Vec<usize>, Failure> {
        let entries: Vec<Entry<'_>> = places.iter().filter_map(|i| batch.get(*i)).collect();
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let is_same: Vec<bool> = if is_in_portions(batch) {
            let now = self.retried(|| self.load(&entries)).await?;
            let now: HashMap<&[u8], Value<'_>> = now.iter().map(|e| (e.key, e.value)).collect();
            entries.iter().map(|entry| now.get(entry.key) == Some(&entry.value)).collect()
        } else {
            let now = self.retried(|| self.strategy.versions(&entries)).await?;
            entries.iter().zip(now).map(|(entry, now)| entry.version == now).collect()
        };
        let pairs = places.into_iter().zip(is_same);
        Ok(pairs.filter(|(_, is_same)| !is_same).map(|(place, _)| place).collect())
    }

    /// Whether the database can be asked for this entry again.
    fn can_ask(&self, batch: &EntryBatch, entry: &Entry<'_>) -> bool {
        self.strategy.opaque().is_none() && (is_in_portions(batch) || entry.version.is_some())
    }

    /// Asks the database again while it is interrupted.
    async fn retried<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        // Never closed, so never refused.
        let _session = self.sessions.acquire().await;
        let mut attempts = 1;
        loop {
            match ask().await {
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
            // A row that cannot be found by its key stays out.
            if missing.is_empty() || repairs == REPAIRS || self.strategy.opaque().is_some() {
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
        let entries: Vec<_> = missing.iter().filter_map(|i| stale.entries.get(*i)).collect();
        let mut fresh = self.load(&entries).await?;
        fresh.part_of = stale.entries.part_of.map(|_| PartOf::Changed);
        for failed in &fresh.failed {
            let place = places.iter().find(|(key, _)| printable(key) == failed.key);
            if let Some((_, place)) = place {
                written.outcomes[*place] = WriteOutcome::Failed(failed.error.clone());
            }
        }
        let place = |i: usize| fresh.get(i).and_then(|entry| places.get(entry.key)).copied();
        let since = Instant::now();
        let again = self.cache.write(&fresh, how).await;
        let there = may_be_there(&fresh, &again.outcomes, |entry| self.can_ask(&fresh, entry));
        let unverified = there.len();
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
        match self.changed(&fresh, there).await {
            Ok(overtaken) => {
                Ok(Stale::of(&fresh, &overtaken, |i| place(i).unwrap_or_default(), since))
            }
            Err(failure) => {
                written.checked.unverified += unverified as u64;
                Err(failure)
            }
        }
    }

    /// The current entries of some keys, from the primary.
    async fn load(&self, entries: &[Entry<'_>]) -> Result<EntryBatch, Failure> {
        let ask = Ask::named(entries.iter().copied().map(name));
        let mut batches = self.strategy.entries(ask.batch_size(entries.len()).from_primary());
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

/// The indexes of entries that were stored, or may have been, if the database can tell whether they
/// have changed.
fn may_be_there(
    batch: &EntryBatch,
    outcomes: &[WriteOutcome],
    can_tell: impl Fn(&Entry<'_>) -> bool,
) -> Vec<usize> {
    let pairs = batch.iter().zip(outcomes).enumerate();
    let is_there =
        |outcome: &WriteOutcome| matches!(outcome, WriteOutcome::Stored | WriteOutcome::Unknown(_));
    let places = pairs.filter(|(_, (entry, outcome))| can_tell(entry) && is_there(outcome));
    places.map(|(place, _)| place).collect()
}

/// Entries of a strategy that is read in portions are compared by their values: it needs no version,
/// and a version may not tell all.
fn is_in_portions(batch: &EntryBatch) -> bool {
    batch.part_of.is_some()
}
