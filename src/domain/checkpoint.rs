//! What a run has finished, so that a later one can go on from there.

use serde::{Deserialize, Serialize};

use super::portion::TableState;

/// More ranges than this are not noted.
const MAX_RANGES: usize = 1000;

/// What a run has finished of a strategy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// The run that noted it.
    pub run_id: String,
    /// Changes whenever a row would be stored or verified in another way.
    pub fingerprint: String,
    /// Identifies the database.
    pub origin: Option<String>,
    /// Identifies the cache.
    pub epoch: Option<u64>,
    /// When its first key may have been written, in seconds since 1970.
    pub began: i64,
    pub what: What,
}

/// How much of a strategy is finished.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    #[default]
    Nothing,
    Portions(FinishedPortions),
    /// All of it, with this many keys that were written or left alone on purpose.
    All {
        keys: u64,
    },
}

/// Portions of a table that need not be read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedPortions {
    /// The table when the first of them was read.
    pub state: TableState,
    /// Their keys that were written or left alone on purpose.
    pub keys: u64,
    /// Their places, in order, without the ends.
    pub ranges: Vec<(u64, u64)>,
}

impl FinishedPortions {
    pub fn new(state: TableState) -> Self {
        Self { state, keys: 0, ranges: Vec::new() }
    }

    /// Adds a range, which overlaps no other.
    pub fn add(&mut self, (from, to): (u64, u64), keys: u64) {
        let at = self.ranges.partition_point(|range| range.1 < from);
        let (mut from, mut to) = (from, to);
        let touching = self.ranges[at..].iter().take_while(|range| range.0 <= to).count();
        if touching == 0 && self.ranges.len() == MAX_RANGES {
            return;
        }
        for range in self.ranges.drain(at..at + touching) {
            (from, to) = (from.min(range.0), to.max(range.1));
        }
        self.ranges.insert(at, (from, to));
        self.keys += keys;
    }

    /// The first place that is not finished, from a place on.
    pub fn first_open(&self, place: u64) -> u64 {
        let holding = self.ranges.iter().find(|(from, to)| (*from..*to).contains(&place));
        holding.map_or(place, |(_, to)| *to)
    }

    /// Where the next finished range begins, after a place.
    pub fn next_after(&self, place: u64) -> Option<u64> {
        self.ranges.iter().map(|(from, _)| *from).find(|from| *from > place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_are_one() {
        let state = TableState { horizon: 0, next: 0, end: 100, storage: 0 };
        let mut finished = FinishedPortions::new(state);
        for range in [(30, 40), (0, 10), (50, 60), (10, 20), (40, 50)] {
            finished.add(range, 5);
        }
        assert_eq!((finished.ranges.as_slice(), finished.keys), (&[(0, 20), (30, 60)][..], 25));
        assert_eq!([0, 19, 20, 30, 60].map(|at| finished.first_open(at)), [20, 20, 20, 60, 60]);
        assert_eq!([0, 20, 30].map(|at| finished.next_after(at)), [Some(30), Some(30), None]);
    }
}
