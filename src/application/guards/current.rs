//! What the database says now of entries that were written.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use tokio::sync::Semaphore;

use crate::application::ports::{Ask, Overtaken, WarmupStrategy};
use crate::domain::entry::{Entry, EntryBatch, Name, Value};
use crate::domain::failure::Failure;
use crate::domain::portion::PartOf;
use crate::domain::sync::lock;

/// Sessions that look at the same time.
const SESSIONS: usize = 2;

/// Attempts while the database is interrupted.
const ATTEMPTS: u32 = 3;

/// Compares entries with their rows.
pub(super) struct Current<'a> {
    strategy: &'a dyn WarmupStrategy,
    sessions: Semaphore,
    last_lookup: Mutex<Lookup>,
}

/// The last query by key.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lookup {
    pub keys: usize,
    pub took: Duration,
}

/// Entries that are stale, and what replaces them.
#[derive(Default)]
pub(super) struct Found {
    /// Their indexes.
    pub(super) stale: Vec<usize>,
    /// The current entries at their keys; others may be among them.
    pub(super) now: EntryBatch,
    /// Why some of these may be missing.
    pub(super) failure: Option<Failure>,
}

impl<'a> Current<'a> {
    pub(super) fn new(strategy: &'a dyn WarmupStrategy) -> Self {
        let last_lookup = Mutex::default();
        Self { strategy, sessions: Semaphore::new(SESSIONS), last_lookup }
    }

    /// Whether the database can be asked for this entry again. What is read in portions is compared by
    /// its values: it needs no version, and a version may not tell all.
    pub(super) fn can_ask(&self, part_of: Option<PartOf>, entry: &Entry<'_>) -> bool {
        match part_of {
            Some(PartOf::Portion { .. }) => true,
            Some(PartOf::Changed | PartOf::TakenOver { .. }) => self.is_looked_up(),
            None => self.is_looked_up() && entry.version.is_some(),
        }
    }

    /// Finds the stale ones of entries that are the same part of their selection.
    ///
    /// # Errors
    /// The database's: nothing is known.
    pub(super) async fn find(
        &self,
        part_of: Option<PartOf>,
        entries: &[Entry<'_>],
    ) -> Result<Found, Failure> {
        if entries.is_empty() {
            return Ok(Found::default());
        }
        match part_of {
            Some(PartOf::Portion { portion, .. }) => {
                let overtaken = self.retried(|| self.strategy.overtaken(&portion, entries)).await?;
                Ok(self.find_elsewhere(entries, overtaken).await)
            }
            Some(PartOf::Changed | PartOf::TakenOver { .. }) => {
                let now = self.looked_up(entries.len(), || self.load(entries)).await?;
                let stale = differing(entries, 0..entries.len(), &now);
                Ok(Found { stale, now, failure: None })
            }
            None => {
                let ask = || self.strategy.versions(entries);
                let versions = self.looked_up(entries.len(), ask).await?;
                let pairs = entries.iter().zip(versions).enumerate();
                let stale = pairs.filter(|(_, (entry, now))| entry.version != *now);
                let stale: Vec<usize> = stale.map(|(i, _)| i).collect();
                Ok(self.load_stale(entries, stale).await)
            }
        }
    }

    /// What is no longer in its portion may lie elsewhere. Only that is looked up by key, as no index may
    /// know the keys.
    async fn find_elsewhere(&self, entries: &[Entry<'_>], overtaken: Overtaken) -> Found {
        let Overtaken { mut indexes, mut now } = overtaken;
        let mut failure = None;
        let here: HashSet<&[u8]> = now.iter().map(|entry| entry.key).collect();
        let absent = indexes.iter().map(|i| entries[*i]).filter(|e| !here.contains(e.key));
        let absent: Vec<Entry<'_>> = absent.collect();
        if !absent.is_empty() && self.is_looked_up() {
            match self.retried(|| self.load(&absent)).await {
                Ok(elsewhere) => {
                    elsewhere.iter().for_each(|entry| now.push(entry));
                    now.failed.extend(elsewhere.failed);
                    indexes = differing(entries, indexes, &now);
                }
                Err(error) => failure = Some(error),
            }
        }
        Found { stale: indexes, now, failure }
    }

    async fn load_stale(&self, entries: &[Entry<'_>], stale: Vec<usize>) -> Found {
        let picked: Vec<Entry<'_>> = stale.iter().map(|i| entries[*i]).collect();
        if picked.is_empty() {
            return Found::default();
        }
        match self.retried(|| self.load(&picked)).await {
            Ok(now) => Found { stale, now, failure: None },
            Err(failure) => Found { stale, now: EntryBatch::default(), failure: Some(failure) },
        }
    }

    fn is_looked_up(&self) -> bool {
        self.strategy.opaque().is_none()
    }

    pub(super) fn last_lookup(&self) -> Lookup {
        *lock(&self.last_lookup)
    }

    /// Asks for keys, and notes how long that took.
    async fn looked_up<T, F>(&self, keys: usize, ask: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let timed = || async {
            let began = Instant::now();
            Ok((ask().await?, began.elapsed()))
        };
        let (found, took) = self.retried(timed).await?;
        *lock(&self.last_lookup) = Lookup { keys, took };
        Ok(found)
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
                    tracing::warn!(%failure, "verifying again");
                    attempts += 1;
                }
                answered => return answered,
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

/// Those of some entries that have another value now, or none.
fn differing(
    entries: &[Entry<'_>],
    indexes: impl IntoIterator<Item = usize>,
    now: &EntryBatch,
) -> Vec<usize> {
    let now: HashMap<&[u8], Value<'_>> = now.iter().map(|e| (e.key, e.value)).collect();
    let is_other = |i: &usize| now.get(entries[*i].key) != Some(&entries[*i].value);
    indexes.into_iter().filter(is_other).collect()
}

/// An entry's key, as its row made it.
fn name(entry: Entry<'_>) -> Name {
    Name { key: String::from_utf8_lossy(entry.key).into_owned(), ends: entry.ends.to_vec() }
}
