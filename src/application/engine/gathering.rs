//! Batches that are verified by key together: where that is slow, mostly as no index knows the keys,
//! many keys cost as much as a few.

use std::time::{Duration, Instant};

use crate::application::guards::recheck::Lookup;
use crate::domain::entry::EntryBatch;

/// Keys, bytes and time after which a group is verified.
const MAX_KEYS: usize = 8_000;
const MAX_BYTES: usize = 8 * 1024 * 1024;
const MAX_AGE: Duration = Duration::from_secs(5);

/// Lookups that take longer than this should have more keys, and those below fewer.
const SLOW: Duration = Duration::from_millis(100);
const FAST: Duration = Duration::from_millis(20);

/// The group that is being filled.
#[derive(Default)]
pub(super) struct Gathering {
    /// Its number; earlier ones are full.
    number: u64,
    keys: usize,
    bytes: usize,
    since: Option<Instant>,
    /// Keys that a group should have; below a batch's, each batch is verified alone.
    target: usize,
}

impl Gathering {
    /// Learns from the last lookup.
    pub(super) fn learn(&mut self, last: Lookup) {
        if last.took > SLOW {
            self.target = self.target.max((last.keys * 4).min(MAX_KEYS));
        } else if last.took < FAST {
            self.target = self.target.min(last.keys / 2);
        }
    }

    /// The group of a batch, and whether that is full; `None`: it is verified alone.
    pub(super) fn add(&mut self, batch: &EntryBatch) -> Option<(u64, bool)> {
        if self.keys == 0 && batch.len() >= self.target {
            return None;
        }
        self.keys += batch.len();
        self.bytes += batch.bytes();
        self.since.get_or_insert_with(Instant::now);
        let number = self.number;
        let is_full = self.keys >= self.target || self.bytes >= MAX_BYTES;
        if is_full {
            self.close();
        }
        Some((number, is_full))
    }

    /// The group that has waited for long enough.
    pub(super) fn take_old(&mut self) -> Option<u64> {
        self.since.filter(|since| since.elapsed() >= MAX_AGE)?;
        let number = self.number;
        self.close();
        Some(number)
    }

    fn close(&mut self) {
        *self = Self { number: self.number + 1, target: self.target, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(keys: usize) -> EntryBatch {
        let mut batch = EntryBatch::default();
        (0..keys).for_each(|key| batch.push_json(&key.to_string(), &key));
        batch
    }

    #[test]
    fn slow_lookups_gather_batches_and_fast_ones_do_not() {
        let mut gathering = Gathering::default();
        let lookup = |keys, millis| Lookup { keys, took: Duration::from_millis(millis) };
        gathering.learn(lookup(500, 5));
        assert_eq!(gathering.add(&batch(500)), None);
        gathering.learn(lookup(500, 300));
        let added: Vec<_> = (0..5).map(|_| gathering.add(&batch(500))).collect();
        let group = |number, is_full| Some((number, is_full));
        assert_eq!(added[..3], [group(0, false), group(0, false), group(0, false)]);
        assert_eq!(added[3..], [group(0, true), group(1, false)]);
        assert_eq!(gathering.take_old(), None);
        gathering.learn(lookup(2_000, 5));
        assert_eq!(gathering.add(&batch(500)), group(1, true));
        gathering.learn(lookup(1_000, 5));
        assert_eq!(gathering.add(&batch(500)), None);
    }
}
