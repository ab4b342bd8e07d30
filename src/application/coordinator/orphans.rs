//! Keys in the cache that a strategy makes and that have no row any more.

use std::collections::HashSet;
use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::{Run, Tally, Task};
use crate::application::event::Event;
use crate::application::history::OWN;
use crate::application::lookup;
use crate::application::ports::Ask;
use crate::domain::entry::KeyError;
use crate::domain::failure::Failure;
use crate::domain::key::{KeyTemplate, printable};

/// Keys of the cache that are asked of the database together.
const ORPHAN_WINDOW: usize = 2_000;

/// Planned keys that are remembered, at about 10 bytes each: as many as fit into a table of 2^20.
const REMEMBERED_KEYS: usize = 900_000;

/// Keys that are planned, remembered by their hashes: they have a row, and need not be asked for.
/// Memory is fixed: of more keys than that the rest is asked for.
#[derive(Default)]
pub(super) struct PlannedKeys {
    hashes: HashSet<u64>,
    hasher: FixedState,
}

impl PlannedKeys {
    pub(super) fn insert(&mut self, key: &[u8]) {
        if self.hashes.len() < REMEMBERED_KEYS {
            self.hashes.insert(self.hasher.hash_one(key));
        }
    }

    /// Whether keys may have been planned that it does not remember.
    pub(super) fn is_full(&self) -> bool {
        self.hashes.len() >= REMEMBERED_KEYS
    }

    pub(super) fn contains(&self, key: &[u8]) -> bool {
        self.hashes.contains(&self.hasher.hash_one(key))
    }
}

impl Run<'_> {
    /// Asks the cache for all its keys, and the database for the rows of those that a strategy
    /// makes.
    pub(super) async fn find_orphans(&mut self) {
        let coordinator = self.coordinator;
        let Task::Look(look, Some(cache)) = &coordinator.task else {
            return;
        };
        if !look.orphans || !self.goes_on() {
            return;
        }
        for tally in &mut self.tallies {
            tally.report.seen.orphans = tally.report.unfit().is_none().then_some(0);
        }
        let prefix = common_prefix(coordinator.strategies.iter().map(|s| &s.spec().key));
        let mut keys = cache.scan(prefix.as_bytes());
        let mut window = Vec::new();
        loop {
            let some = tokio::select! {
                some = keys.next() => some,
                // Half of them are not their number.
                () = self.stop.stopped() => return self.orphans_unknown(None),
            };
            let ended = some.is_none();
            match some.transpose() {
                Ok(some) => self.sort_out(some.unwrap_or_default(), &mut window),
                Err(failure) => return self.orphans_unknown(Some(&failure)),
            }
            let is_full = window.len() >= ORPHAN_WINDOW || ended;
            if is_full {
                let stop = self.stop;
                let counted = tokio::select! {
                    counted = self.count_orphans(std::mem::take(&mut window)) => Some(counted),
                    () = stop.stopped() => None,
                };
                match counted {
                    Some(Ok(())) => {}
                    Some(Err(failure)) => return self.orphans_unknown(Some(&failure)),
                    None => return self.orphans_unknown(None),
                }
            }
            if ended {
                return;
            }
        }
    }

    /// Keys that strategies make go into the window. One that is no text can have no row.
    fn sort_out(&mut self, keys: Vec<Vec<u8>>, window: &mut Vec<(usize, String)>) {
        for key in keys {
            match String::from_utf8(key) {
                Ok(key) => window.extend(self.ours(key)),
                Err(error) => {
                    let shown = printable(error.as_bytes());
                    let lossy = String::from_utf8_lossy(error.as_bytes()).into_owned();
                    if let Some((index, _)) = self.ours(lossy) {
                        self.report_orphans(index, &[shown]);
                    }
                }
            }
        }
    }

    fn report_orphans(&mut self, index: usize, keys: &[String]) {
        let report = &mut self.tallies[index].report;
        *report.seen.orphans.get_or_insert(0) += keys.len() as u64;
        let id = &report.id;
        self.reporter.report(&Event::Orphans { id, keys });
    }

    /// The strategy that makes a key of the cache, unless it is one that the run is not about.
    fn ours(&self, key: String) -> Option<(usize, String)> {
        if self.planned.contains(key.as_bytes()) {
            return None;
        }
        let options = &self.coordinator.options;
        if key
            .strip_prefix(&options.prefix)
            .is_some_and(|key| key.starts_with(OWN))
        {
            return None;
        }
        let own = self.coordinator.strategies.iter().map(|s| &s.spec().key);
        let others = self.coordinator.task.look().map(|look| &look.others);
        let templates = own.chain(others.into_iter().flatten());
        let index = lookup::maker(templates, &key)?;
        // Which keys of a strategy have a row is not known where it cannot be read.
        let is_ours = |tally: &Tally| tally.report.seen.orphans.is_some();
        let is_ours = self.tallies.get(index).is_some_and(is_ours);
        is_ours.then_some((index, key))
    }

    async fn count_orphans(&mut self, mut keys: Vec<(usize, String)>) -> Result<(), Failure> {
        // A scan may give a key twice.
        keys.sort_unstable();
        keys.dedup();
        for group in keys.chunk_by(|a, b| a.0 == b.0) {
            let index = group[0].0;
            let mut batches = self.coordinator.strategies[index].entries(
                Ask::named(group.iter().map(|(_, key)| key.clone()))
                    .batch_size(self.coordinator.options.batch_size)
                    .keys_only(),
            );
            while let Some(batch) = batches.try_next().await? {
                if !batch.absent.is_empty() {
                    self.report_orphans(index, &batch.absent);
                }
                self.warn_of_unknown(index, &batch.failed);
            }
        }
        Ok(())
    }

    /// Says once of a strategy that some of its keys may be orphans or not.
    fn warn_of_unknown(&mut self, index: usize, keys: &[KeyError]) {
        let Some(KeyError { key, error }) = keys.first() else {
            return;
        };
        let report = &mut self.tallies[index].report;
        let start = format!("the orphans of {} are not all known: ", report.id);
        if !report
            .warnings
            .iter()
            .any(|known| known.starts_with(&start))
        {
            report.warnings.push(format!("{start}{key}: {error}"));
        }
    }

    fn orphans_unknown(&mut self, failure: Option<&Failure>) {
        for tally in &mut self.tallies {
            tally.report.seen.orphans = None;
        }
        let why = failure.map(|failure| format!("orphans are not known: {failure}"));
        self.warnings.extend(why);
    }
}

/// What all keys of some templates begin with.
fn common_prefix<'t>(templates: impl Iterator<Item = &'t KeyTemplate>) -> String {
    let common = templates.map(KeyTemplate::literal_start).reduce(|a, b| {
        let same = a.char_indices().zip(b.chars()).find(|((_, a), b)| a != b);
        let end = same.map_or(a.len().min(b.len()), |((at, _), _)| at);
        a[..end].to_owned()
    });
    common.unwrap_or_default()
}
