//! What became of keys: the counts that every report, record, metric and exit code is made from.

use std::iter::Sum;
use std::ops::AddAssign;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::expected::Expected;

/// What became of the keys of a strategy, or of a run. `total` is the sum of the first five.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Counts {
    /// Stored, and the cache acknowledged it.
    pub warmed: u64,
    /// Not written on purpose: without data, or already there.
    pub skipped: u64,
    /// An error for this key.
    pub failed: u64,
    /// Sent, and no answer came back.
    pub unknown: u64,
    /// What a dry run would write.
    #[serde(skip_serializing_if = "is_zero")]
    pub planned: u64,
    /// Warmed keys whose values were already there and were not sent again; null or absent without
    /// `--skip-identical`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identical: Option<u64>,
    /// Warmed keys that went stale during the write and were written again.
    pub repaired: u64,
    /// Skipped keys without data.
    #[serde(skip_serializing_if = "is_zero")]
    pub absent: u64,
    /// Skipped keys that an earlier run wrote, which this one goes on from.
    #[serde(skip_serializing_if = "is_zero")]
    pub resumed: u64,
    /// Skipped keys that were written, went stale, and were deleted.
    pub withdrawn: u64,
    /// Written, but not checked for staleness.
    pub unverified: u64,
    /// The longest time that a stale value may have been served.
    #[serde(rename = "longest_exposure_ms", with = "in_millis")]
    #[schema(value_type = u64)]
    pub exposure: Duration,
    /// Keys of earlier runs that no longer had a row and were removed; not part of `total`.
    #[serde(skip_serializing_if = "is_zero")]
    pub pruned: u64,
    /// Keys and values that were stored, in bytes.
    pub bytes: u64,
    #[serde(skip)]
    pub elapsed: Duration,
}

impl Counts {
    pub fn total(&self) -> u64 {
        self.warmed + self.skipped + self.failed + self.unknown + self.planned
    }

    /// Planned keys that failed or are unknown.
    pub fn wrong(&self) -> u64 {
        self.failed + self.unknown
    }

    pub fn keys_per_second(&self) -> f64 {
        self.total() as f64 / self.elapsed.as_secs_f64().max(0.001)
    }

    /// Keys that are in the cache and were left alone on purpose.
    pub fn already_there(&self) -> u64 {
        self.skipped.saturating_sub(self.without_value())
    }

    /// Keys without an entry on purpose: no data, or left out.
    pub fn without_value(&self) -> u64 {
        self.absent + self.withdrawn
    }

    /// Keys that are in the cache as they should be.
    pub fn warm(&self) -> u64 {
        self.warmed + self.already_there()
    }

    /// The share of the expected keys that are warm, from 0.0 to 1.0; `None` of nothing, of a
    /// selection whose size is not known, and of a dry run.
    pub fn success_rate(&self, expected: Option<Expected>) -> Option<f64> {
        let whole = expected?.keys.saturating_sub(self.without_value());
        (whole > 0 && self.planned == 0).then(|| self.warm() as f64 / whole as f64)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let identical = [self.identical, other.identical].into_iter().flatten();
        *self = Self {
            warmed: self.warmed + other.warmed,
            skipped: self.skipped + other.skipped,
            failed: self.failed + other.failed,
            unknown: self.unknown + other.unknown,
            planned: self.planned + other.planned,
            identical: identical.reduce(|a, b| a + b),
            repaired: self.repaired + other.repaired,
            absent: self.absent + other.absent,
            resumed: self.resumed + other.resumed,
            withdrawn: self.withdrawn + other.withdrawn,
            unverified: self.unverified + other.unverified,
            exposure: self.exposure.max(other.exposure),
            pruned: self.pruned + other.pruned,
            bytes: self.bytes + other.bytes,
            elapsed: self.elapsed + other.elapsed,
        };
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, counts| {
            sum += counts;
            sum
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
pub(crate) fn is_zero(n: &u64) -> bool {
    *n == 0
}

pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration as whole milliseconds.
mod in_millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(super::millis(*duration))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_nothing_or_of_an_unknown_whole_is_none() {
        let warmed = |warmed| Counts { warmed, ..Counts::default() };
        let (none, five) = (warmed(0), warmed(5));
        assert_eq!(five.success_rate(Some(Expected::about(20))), Some(0.25));
        assert_eq!(none.success_rate(Some(Expected::exactly(0))), None);
        assert_eq!(five.success_rate(None), None);
    }

    #[test]
    fn what_is_there_already_is_warm_and_what_has_no_data_is_not_missing() {
        let counts = Counts { warmed: 1, skipped: 9, absent: 2, withdrawn: 1, ..Counts::default() };
        assert_eq!(counts.already_there(), 6);
        let rate = |counts: &Counts, keys| counts.success_rate(Some(Expected::exactly(keys)));
        assert_eq!(rate(&counts, 10), Some(1.0));
        assert_eq!(rate(&counts, 17), Some(0.5));
        let nothing = Counts { skipped: 3, absent: 3, ..Counts::default() };
        assert_eq!(rate(&nothing, 3), None);
    }
}
