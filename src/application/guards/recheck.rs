//! Write, verify, undo: no entry stays that was overtaken by a change.
//!
//! We read a row, the application changes it and drops its key, and then we write the old value: it
//! would be served for its whole TTL. So we read what may have changed again after the cache has
//! acknowledged a batch. We see a change that was committed by then and undo the entry. A later change
//! also drops the key later, if the application does so after its commit. We delete only our own values.

use std::collections::HashMap;
use std::time::Instant;

pub use super::current::Lookup;
use super::current::{Current, Found};
use crate::application::ports::{
    Cache, Deletion, WarmupStrategy, WriteOptions, WriteOutcome, Written,
};
use crate::domain::digest::Digest;
use crate::domain::entry::{Entry, EntryBatch};
use crate::domain::failure::Failure;
use crate::domain::key::printable;
use crate::domain::portion::PartOf;

/// How often an overtaken entry is written again before it is left out.
const REPAIRS: u32 = 3;

const MAY_BE_STALE: &str = "it changed while it was written, and could not be deleted";

/// Verifies after writing.
pub struct Recheck<'a> {
    current: Current<'a>,
    cache: &'a dyn Cache,
}

/// A batch that was written.
pub struct Sent {
    pub batch: EntryBatch,
    pub written: Written,
    /// When its writing began.
    pub since: Instant,
}

/// An entry of some batches: which batch, and where in it.
type Place = (usize, usize);

/// Overtaken entries as they were written.
struct Stale {
    part_of: Option<PartOf>,
    entries: EntryBatch,
    places: Vec<Place>,
    /// What replaces them.
    now: EntryBatch,
    /// When their writing began.
    since: Instant,
    /// Why something that replaces them may be missing.
    failure: Option<Failure>,
}

impl<'a> Recheck<'a> {
    pub fn new(strategy: &'a dyn WarmupStrategy, cache: &'a dyn Cache) -> Self {
        Self { current: Current::new(strategy), cache }
    }

    /// How long the last query by key took.
    pub fn last_lookup(&self) -> Lookup {
        self.current.last_lookup()
    }

    /// Finds the entries that have become stale, of one batch or of several of the same kind, and
    /// undoes them.
    pub async fn settle(&self, sent: &mut [Sent], how: &WriteOptions) {
        let Some(part_of) = sent.first().map(|sent| sent.batch.part_of) else {
            return;
        };
        let (mut places, mut entries) = (Vec::new(), Vec::new());
        for (at, Sent { batch, written, .. }) in sent.iter().enumerate() {
            for i in self.may_be_there(part_of, batch, &written.outcomes) {
                places.push((at, i));
                entries.extend(batch.get(i));
            }
        }
        match self.current.find(part_of, &entries).await {
            Ok(Found { stale, now, failure }) if !stale.is_empty() => {
                let picked = picked(&entries, &stale);
                let places: Vec<Place> = stale.iter().map(|i| places[*i]).collect();
                let since = places.iter().map(|(at, _)| sent[*at].since).min();
                let since = since.unwrap_or_else(Instant::now);
                let stale = Stale { part_of, entries: picked, places, now, since, failure };
                self.repair(sent, stale, how).await;
            }
            Ok(_) => {}
            Err(failure) => {
                for (at, _) in places {
                    let checked = &mut sent[at].written.checked;
                    checked.unverified += 1;
                    checked.failure = Some(failure.clone());
                }
            }
        }
    }

    /// Undoes stale entries, and counts them.
    async fn repair(&self, sent: &mut [Sent], stale: Stale, how: &WriteOptions) {
        let places = stale.places.clone();
        let failure = self.undo(sent, stale, how).await.err();
        for (at, i) in places {
            let Written { outcomes, checked, .. } = &mut sent[at].written;
            checked.identical.retain(|place| *place != i);
            match outcomes[i] {
                WriteOutcome::Stored => checked.repaired += 1,
                WriteOutcome::Withdrawn => checked.withdrawn += 1,
                _ => {}
            }
            checked.failure = failure.clone().or(checked.failure.take());
        }
    }

    /// Deletes stale entries and writes the current rows, until nothing overtakes them. After
    /// [`REPAIRS`] attempts an entry is left out.
    async fn undo(
        &self,
        sent: &mut [Sent],
        mut stale: Stale,
        how: &WriteOptions,
    ) -> Result<(), Failure> {
        let mut failure = None;
        for repairs in 0..=REPAIRS {
            if stale.places.is_empty() {
                break;
            }
            let missing = self.withdraw(sent, &stale).await?;
            failure = failure.or(stale.failure.take());
            if missing.is_empty() || repairs == REPAIRS {
                break;
            }
            stale = self.write_again(sent, stale, &missing, how).await?;
        }
        failure.map_or(Ok(()), Err)
    }

    /// Deletes stale entries that are still ours; returns those that are missing then.
    async fn withdraw(&self, sent: &mut [Sent], stale: &Stale) -> Result<Vec<usize>, Failure> {
        let picks: Vec<usize> = (0..stale.entries.len()).collect();
        let deletions = match self.cache.delete_if_equal(&stale.entries, &picks).await {
            Ok(deletions) => deletions,
            Err(failure) => {
                for (at, i) in &stale.places {
                    let why = format!("{MAY_BE_STALE}: {}", failure.why);
                    sent[*at].written.outcomes[*i] = WriteOutcome::Unknown(why);
                }
                return Err(failure);
            }
        };
        let exposure = stale.since.elapsed();
        let mut missing = Vec::new();
        for (pick, deletion) in deletions.into_iter().enumerate() {
            let (at, i) = stale.places[pick];
            let Written { outcomes, checked, .. } = &mut sent[at].written;
            checked.exposure = checked.exposure.max(exposure);
            outcomes[i] = match deletion {
                Deletion::NotEqual => WriteOutcome::AlreadyPresent,
                Deletion::Deleted | Deletion::Absent => {
                    missing.push(pick);
                    WriteOutcome::Withdrawn
                }
            };
        }
        Ok(missing)
    }

    /// Writes the current rows of withdrawn entries; returns those that were overtaken again.
    async fn write_again(
        &self,
        sent: &mut [Sent],
        stale: Stale,
        missing: &[usize],
        how: &WriteOptions,
    ) -> Result<Stale, Failure> {
        let Stale { part_of, entries, places, now, .. } = stale;
        let keys = missing.iter().filter_map(|i| Some((entries.get(*i)?.key, places[*i])));
        let places: HashMap<&[u8], Place> = keys.collect();
        let by_name: HashMap<String, Place> = match now.failed.is_empty() {
            true => HashMap::new(),
            false => places.iter().map(|(key, place)| (printable(key), *place)).collect(),
        };
        for failed in &now.failed {
            if let Some((at, i)) = by_name.get(&failed.key) {
                sent[*at].written.outcomes[*i] = WriteOutcome::Failed(failed.error.clone());
            }
        }
        let (mut fresh, mut again) = (EntryBatch::default(), Vec::new());
        for entry in now.iter() {
            if let Some(place) = places.get(entry.key) {
                fresh.push(entry);
                again.push(*place);
            }
        }
        let since = Instant::now();
        if fresh.is_empty() {
            let (now, failure) = (EntryBatch::default(), None);
            return Ok(Stale { part_of, entries: fresh, places: again, now, since, failure });
        }
        let written = self.cache.write(&fresh, how).await;
        let there = self.may_be_there(part_of, &fresh, &written.outcomes);
        for ((entry, outcome), (at, i)) in fresh.iter().zip(written.outcomes).zip(&again) {
            let Written { outcomes, checked, fatal, .. } = &mut sent[*at].written;
            checked.rewritten.push((*i, Digest::of(entry.value)));
            outcomes[*i] = outcome;
            *fatal = written.fatal.clone().or(fatal.take());
        }
        let entries: Vec<Entry<'_>> = there.iter().filter_map(|i| fresh.get(*i)).collect();
        let places: Vec<Place> = there.iter().map(|i| again[*i]).collect();
        match self.current.find(part_of, &entries).await {
            Ok(Found { stale, now, failure }) => {
                let places = stale.iter().map(|i| places[*i]).collect();
                let entries = picked(&entries, &stale);
                Ok(Stale { part_of, entries, places, now, since, failure })
            }
            Err(failure) => {
                places.iter().for_each(|(at, _)| sent[*at].written.checked.unverified += 1);
                Err(failure)
            }
        }
    }

    /// The indexes of entries that were stored, or may have been, if the database can tell whether they
    /// have changed.
    fn may_be_there(
        &self,
        part_of: Option<PartOf>,
        batch: &EntryBatch,
        outcomes: &[WriteOutcome],
    ) -> Vec<usize> {
        let is_there = |outcome: &WriteOutcome| {
            matches!(outcome, WriteOutcome::Stored | WriteOutcome::Unknown(_))
        };
        let pairs = batch.iter().zip(outcomes).enumerate();
        let there = pairs.filter(|(_, (entry, outcome))| {
            self.current.can_ask(part_of, entry) && is_there(outcome)
        });
        there.map(|(i, _)| i).collect()
    }
}

/// A copy of some of these entries.
fn picked(entries: &[Entry<'_>], picks: &[usize]) -> EntryBatch {
    let mut batch = EntryBatch::default();
    picks.iter().for_each(|i| batch.push(entries[*i]));
    batch
}
