//! How to find the rows of a selection that have changed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::encode::Date;
use super::key_rows::{KeyRows, TableName};

/// What a definition's SQL says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// A value may change without its `_changed_at`; why, for people.
    None(String),
    /// A value changes only with its own `_changed_at`, if the key identifies the rows: the keys of
    /// the selection and a flag for each are enough.
    Keys(KeyRows),
    /// In addition, only the row itself decides whether it is in the selection: the changed rows of
    /// its table are enough.
    Rows(TrackedTable, KeyRows),
}

/// The one table that a definition reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedTable {
    pub table: TableName,
    /// The table's columns behind the key's template, in its order and as the database spells them.
    pub key: Vec<String>,
    /// The table's column behind `_changed_at`.
    pub changed_at: String,
}

/// The clock of a database, and what is not visible there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Identifies the database; changes when another replaces it, or a backup is restored.
    pub origin: String,
    /// Its clock, in microseconds since 1970.
    pub clock: i64,
    /// The same; on a replica, the time of the last change that has arrived.
    pub now: i64,
    /// The start of the oldest open transaction: its changes are not visible yet, and will carry that
    /// time.
    pub oldest_open: Option<i64>,
    /// What the database does not reveal, if changes may be missed because of it.
    pub doubt: Option<String>,
}

impl Moment {
    /// A reader may not see changes from this moment on; microseconds since 1970.
    pub fn unseen_from(&self) -> i64 {
        self.oldest_open.unwrap_or(self.now).min(self.now)
    }
}

/// What a complete run leaves, so that a later one can read what changed since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// The run may have missed changes from this moment on; microseconds since 1970, by the
    /// database's clock.
    pub unseen_from: i64,
    /// [`Moment::origin`] at that time.
    pub origin: String,
    /// [`Moment::clock`] at that time, and the tool's own clock in seconds since 1970.
    #[serde(default)]
    pub clock: i64,
    #[serde(default)]
    pub noted_at: i64,
    /// The cache's epoch, if it has one.
    pub cache: Option<u64>,
    /// Of the definition and the format of its values.
    pub fingerprint: String,
    /// The start of the last run that read the whole selection; seconds since 1970, by the tool's
    /// own clock.
    pub full_at: i64,
    /// The start of the run that last refreshed every TTL, by the same clock; and that TTL.
    #[serde(default)]
    pub renewed_at: i64,
    #[serde(default)]
    pub ttl: String,
}

/// Asking takes time: two clocks may seem to differ by this many seconds.
const ASKING: i64 = 2;

impl Watermark {
    /// Whether the database's clock was set back by more than the overlap, compared with the tool's
    /// own clock (`noted_at`: now). Changes may then carry times before this mark.
    pub fn clock_was_set_back(&self, moment: &Moment, noted_at: i64, overlap: Duration) -> bool {
        let theirs = (moment.clock - self.clock).div_euclid(1_000_000);
        let ours = noted_at - self.noted_at;
        let overlap = i64::try_from(overlap.as_secs()).unwrap_or(i64::MAX);
        moment.now < self.unseen_from || ours - theirs > overlap.saturating_add(ASKING)
    }
}

/// How a run has read a strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "kebab-case")]
pub enum ReadHow {
    /// The changed rows alone.
    Changed,
    /// The keys of the whole selection, and the changed rows.
    Keys,
    /// Everything.
    Full,
}

impl ReadHow {
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// How a run with `--changed` read a strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedReport {
    pub read: ReadHow,
    /// Why everything was read.
    pub why: Option<String>,
    /// Warmed keys that existed, had not changed, and got a fresh TTL.
    pub unchanged: u64,
    /// Keys removed from the cache because their rows left the selection.
    pub removed: u64,
}

/// The furthest that a time zone is behind UTC, in seconds. Clients choose the zone of a moment
/// without one, and no server knows which.
const MAX_ZONE_OFFSET: i64 = -12 * 3600;

/// A moment to compare `_changed_at` with, in whole seconds since 1970: columns have fewer digits
/// than clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    utc: i64,
}

impl Since {
    /// What changed at `micros` (since 1970) or later, less an `overlap` for changes in progress.
    pub fn new(micros: i64, overlap: Duration) -> Self {
        let overlap = i64::try_from(overlap.as_secs()).unwrap_or(i64::MAX);
        // One more: clocks of two of the database's processes may differ by their rounding.
        let utc = micros.div_euclid(1_000_000).saturating_sub(1).saturating_sub(overlap).max(0);
        Self { utc }
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.utc
    }

    /// In UTC, as `2026-01-31 12:30:00`.
    pub fn utc(self) -> String {
        text(self.utc)
    }

    /// Early enough for every time zone.
    pub fn local(self) -> String {
        text(self.utc.saturating_add(MAX_ZONE_OFFSET))
    }

    /// The day before: as early as in any time zone.
    pub fn day(self) -> String {
        day(self.utc.saturating_sub(86_400))
    }
}

fn text(seconds: i64) -> String {
    let time = seconds.rem_euclid(86_400);
    let (hours, minutes) = (time / 3600, time / 60 % 60);
    format!("{} {hours:02}:{minutes:02}:{:02}", day(seconds), time % 60)
}

fn day(seconds: i64) -> String {
    let date = Date::from_unix_days(seconds.div_euclid(86_400));
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_rounded_down_and_never_too_late_in_any_zone() {
        // 2026-01-31 12:30:00.999999
        let micros = 1_769_862_600_999_999;
        let since = Since::new(micros, Duration::ZERO);
        assert_eq!(since.utc(), "2026-01-31 12:29:59");
        assert_eq!(since.local(), "2026-01-31 00:29:59");
        assert_eq!(since.day(), "2026-01-30");
        let since = Since::new(micros, Duration::from_mins(5));
        assert_eq!(since.utc(), "2026-01-31 12:24:59");
        let first = Since::new(0, Duration::MAX);
        assert_eq!(first.utc(), "1970-01-01 00:00:00");
    }

    #[test]
    fn what_is_open_is_not_seen_yet() {
        let mut moment =
            Moment { origin: String::new(), clock: 100, now: 100, oldest_open: None, doubt: None };
        assert_eq!(moment.unseen_from(), 100);
        moment.oldest_open = Some(70);
        assert_eq!(moment.unseen_from(), 70);
        moment.oldest_open = Some(170);
        assert_eq!(moment.unseen_from(), 100);
    }

    #[test]
    fn a_clock_that_was_set_back_is_noticed() {
        let second = 1_000_000;
        let mark = Watermark {
            unseen_from: 990 * second,
            origin: String::new(),
            clock: 1000 * second,
            noted_at: 5000,
            cache: None,
            fingerprint: String::new(),
            full_at: 0,
            renewed_at: 0,
            ttl: String::new(),
        };
        let set_back = |clock: i64, noted_at, overlap| {
            let moment = Moment {
                origin: String::new(),
                clock: clock * second,
                now: clock * second,
                oldest_open: None,
                doubt: None,
            };
            mark.clock_was_set_back(&moment, noted_at, Duration::from_secs(overlap))
        };
        assert!(!set_back(4600, 8600, 0), "an hour later");
        assert!(!set_back(4598, 8600, 0), "asking takes its time");
        assert!(set_back(4500, 8600, 0), "later than the mark, and set back");
        assert!(!set_back(4500, 8600, 300), "the overlap covers it");
        assert!(!set_back(9999, 8600, 0), "set forward");
        assert!(set_back(980, 5001, 300), "before the mark");
    }
}
