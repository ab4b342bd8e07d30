//! Sends digests instead of values that the cache already has, and refreshes their TTL.
//!
//! Digests cost bytes too. If most values differ, or are hardly longer than their digests, they are
//! simply written; a batch is compared now and then to see whether that has changed.

use std::sync::{Mutex, MutexGuard};

use crate::application::ports::{Cache, Mode, WriteOptions, WriteOutcome, Written};
use crate::domain::entry::{Entry, EntryBatch};
use crate::domain::sync::lock;

/// Shorter values are written: a digest is hardly shorter.
const SHORTEST: usize = 128;

/// About how many bytes a write command takes besides key and value.
const OVERHEAD: u64 = 60;

/// Entries that show whether comparing pays; after [`OLD`] entries the sums are halved.
const ENOUGH: u64 = 500;
const OLD: u64 = 20_000;

/// If it does not pay, this many batches are written before the next comparison.
const REST: u32 = 31;

/// Skips values that the cache already has.
pub struct Identical<'a> {
    cache: &'a dyn Cache,
    balance: Mutex<Balance>,
}

/// What comparing has cost and saved so far.
#[derive(Debug, Default)]
struct Balance {
    /// Entries that were compared.
    entries: u64,
    /// Bytes sent for it, and bytes saved by it.
    asked: u64,
    saved: u64,
    /// Batches to write before the next comparison.
    rest: u32,
    /// Why nothing is compared any more.
    refused: Option<String>,
}

impl Balance {
    /// Whether to compare the next batch.
    fn is_asked(&mut self) -> bool {
        if self.refused.is_some() {
            return false;
        }
        let rests = self.rest > 0;
        self.rest = self.rest.saturating_sub(1);
        !rests
    }

    fn observe(&mut self, entries: u64, asked: u64, saved: u64) {
        self.entries += entries;
        self.asked += asked;
        self.saved += saved;
        if self.entries < ENOUGH {
            return;
        }
        if self.saved <= self.asked {
            *self = Self { rest: REST, ..Self::default() };
        } else if self.entries >= OLD {
            // Recent entries count more.
            for sum in [&mut self.entries, &mut self.asked, &mut self.saved] {
                *sum /= 2;
            }
        }
    }
}

impl<'a> Identical<'a> {
    /// For `--skip-identical`; a mode that overwrites nothing needs no comparison.
    pub fn wanted(skips: bool, mode: Mode, cache: &'a dyn Cache) -> Option<Self> {
        (skips && mode == Mode::Refresh).then(|| Self { cache, balance: Mutex::default() })
    }

    /// Stores a batch as [`Cache::write`] does, and sends what is not there already.
    pub async fn write(&self, batch: &EntryBatch, how: &WriteOptions) -> Written {
        let long: Vec<usize> = long_values(batch).collect();
        if long.is_empty() || !self.balance().is_asked() {
            return self.cache.write(batch, how).await;
        }
        let extended = match self.cache.extend_if_equal(batch, &long, &how.ttl).await {
            Ok(extended) => extended,
            Err(failure) => {
                tracing::warn!(%failure, "sending all values without comparing");
                self.balance().refused = Some(failure.why);
                return self.cache.write(batch, how).await;
            }
        };
        let pairs = long.iter().zip(&extended.equal);
        let same: Vec<usize> = pairs.filter(|(_, same)| **same).map(|(i, _)| *i).collect();
        let saved = same.iter().filter_map(|i| batch.get(*i));
        let saved = saved.map(|entry| entry.bytes() + OVERHEAD).sum();
        self.balance().observe(long.len() as u64, extended.sent, saved);
        if same.is_empty() {
            return self.cache.write(batch, how).await;
        }
        self.write_others(batch, same, how).await
    }

    /// Stores the entries that are not there already.
    async fn write_others(
        &self,
        batch: &EntryBatch,
        same: Vec<usize>,
        how: &WriteOptions,
    ) -> Written {
        let mut others = EntryBatch::default();
        let mut places = Vec::with_capacity(batch.len() - same.len());
        let mut known = same.iter().peekable();
        for (i, entry) in batch.iter().enumerate() {
            if known.next_if(|same| **same == i).is_none() {
                others.push(entry);
                places.push(i);
            }
        }
        let mut written = Written::new(vec![WriteOutcome::Stored; batch.len()]);
        written.checked.identical = same;
        if others.is_empty() {
            return written;
        }
        let sent = self.cache.write(&others, how).await;
        for (place, outcome) in places.into_iter().zip(sent.outcomes) {
            written.outcomes[place] = outcome;
        }
        written.fatal = sent.fatal;
        written
    }

    /// A warning for the operator.
    pub fn warning(&self) -> Option<String> {
        let balance = self.balance();
        let why = balance.refused.as_ref()?;
        Some(format!("--skip-identical: all values were sent: {why}"))
    }

    fn balance(&self) -> MutexGuard<'_, Balance> {
        lock(&self.balance)
    }
}

/// The indexes of values that are long enough to compare.
fn long_values(batch: &EntryBatch) -> impl Iterator<Item = usize> + '_ {
    let is_long = |entry: &Entry<'_>| entry.value.bytes() >= SHORTEST;
    let long = batch.iter().enumerate();
    long.filter(move |(_, entry)| is_long(entry)).map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a thousand batches of so many entries those that were asked about, where so many of an
    /// entry's bytes are saved for each that is asked.
    fn asked(batches: impl IntoIterator<Item = (u64, u64)>) -> Vec<bool> {
        let mut balance = Balance::default();
        let ask = |(entries, saved)| {
            let is_asked = balance.is_asked();
            if is_asked {
                balance.observe(entries, entries * 100, saved);
            }
            is_asked
        };
        batches.into_iter().map(ask).collect()
    }

    #[test]
    fn where_it_pays_all_are_asked_about() {
        assert!(asked([(500, 60_000); 200]).iter().all(|asked| *asked));
    }

    #[test]
    fn where_it_does_not_pay_few_are() {
        let asked = asked([(500, 50_000); 1000]);
        let count = asked.iter().filter(|asked| **asked).count();
        assert!(asked[0] && (20..50).contains(&count), "{count}");
    }

    #[test]
    fn a_few_entries_tell_nothing() {
        assert_eq!(asked([(100, 0); 7]), [true, true, true, true, true, false, false]);
    }

    #[test]
    fn what_has_changed_is_noticed() {
        // Changed rows come first.
        let batches = [(500, 0); 40].into_iter().chain([(500, 200_000); 400]);
        let late = asked(batches).split_off(100);
        assert!(late.iter().all(|asked| *asked));
        // And the other way round.
        let batches = [(500, 200_000); 400].into_iter().chain([(500, 0); 400]);
        let late = asked(batches).split_off(600);
        assert!(late.iter().filter(|asked| **asked).count() < 20);
    }
}
