//! How it can be told which rows of a selection have changed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::encode::Date;
use super::key_rows::{KeyRows, TableName};

/// What a definition's SQL says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// A value may change although no `_changed_at` says so; why, for people.
    None(String),
    /// A value changes with its own `_changed_at` only, as long as a key tells its rows: the keys of
    /// the selection and whether each has changed say everything.
    Keys(KeyRows),
    /// Besides, whether a row is in the selection depends on nothing but itself: the changed rows
    /// of its table say everything.
    Rows(TrackedTable, KeyRows),
}

/// The one table that a definition reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedTable {
    pub table: TableName,
    /// The table's columns that the columns of the key's template are, in the template's order;
    /// names as the database stores them.
    pub key: Vec<String>,
    /// The table's column that `_changed_at` is.
    pub changed_at: String,
}

/// A database's own clock, and what is not to be seen there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Which database it is: another text where it was replaced or restored by another.
    pub origin: String,
    /// Its clock, in microseconds since 1970.
    pub clock: i64,
    /// The same; of a replica, when the last change was made that it has.
    pub now: i64,
    /// When the oldest transaction that is open began: what it has changed is not to be seen yet,
    /// and will say that it was changed then.
    pub oldest_open: Option<i64>,
    /// What it does not tell, where something may be missed for it.
    pub doubt: Option<String>,
}

impl Moment {
    /// The moment from which on changes may not have been seen by who reads now, in microseconds
    /// since 1970.
    pub fn unseen_from(&self) -> i64 {
        self.oldest_open.unwrap_or(self.now).min(self.now)
    }
}

/// What a complete run leaves, so that a later one can read what changed since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// Changes from this moment on may not have been seen; microseconds since 1970, by the
    /// database's clock.
    pub unseen_from: i64,
    /// [`Moment::origin`] of then.
    pub origin: String,
    /// [`Moment::clock`] of then, and what the tool's own clock said at that time, in seconds since
    /// 1970.
    #[serde(default)]
    pub clock: i64,
    #[serde(default)]
    pub noted_at: i64,
    /// Of the cache that was written, where it says.
    pub cache: Option<u64>,
    /// Of the definition and the form of its values.
    pub fingerprint: String,
    /// When the run began that read the whole selection last; seconds since 1970, by the tool's own
    /// clock.
    pub full_at: i64,
    /// When the run began since which all keys have been given their time, by the same clock; and
    /// which time that was.
    #[serde(default)]
    pub renewed_at: i64,
    #[serde(default)]
    pub ttl: String,
}

/// Seconds by which two clocks may seem to differ for the time that asking takes.
const ASKING: i64 = 2;

impl Watermark {
    /// Whether the database's clock was set back since by more than the overlap covers, as far as the
    /// tool's own clock tells (`noted_at` is what that says now): then changes may say that they were
    /// made before this mark.
    pub fn clock_was_set_back(&self, moment: &Moment, noted_at: i64, overlap: Duration) -> bool {
        let theirs = (moment.clock - self.clock).div_euclid(1_000_000);
        let ours = noted_at - self.noted_at;
        let overlap = i64::try_from(overlap.as_secs()).unwrap_or(i64::MAX);
        moment.now < self.unseen_from || ours - theirs > overlap.saturating_add(ASKING)
    }
}

/// How a run has read a strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
        match self {
            Self::Changed => "changed",
            Self::Keys => "keys",
            Self::Full => "full",
        }
    }
}

/// What a run that was to read only what changed did with a strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedReport {
    pub read: ReadHow,
    /// Why everything was read.
    pub why: Option<String>,
    /// Of the warmed keys those that were there, had not changed, and were given their time again.
    pub unchanged: u64,
    /// Keys whose rows have left the selection, which were removed from the cache.
    pub removed: u64,
}

/// Seconds that a moment without a time zone may lie behind UTC. Whoever writes one chooses the zone,
/// and no server says which one its clients have chosen.
const FARTHEST_ZONE: i64 = -12 * 3600;

/// A moment to compare `_changed_at` with, in whole seconds since 1970: columns keep fewer digits
/// than clocks have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    utc: i64,
}

impl Since {
    /// What changed at `micros` (since 1970) or later; `overlap` earlier for the sake of what was
    /// under way then.
    pub fn new(micros: i64, overlap: Duration) -> Self {
        let overlap = i64::try_from(overlap.as_secs()).unwrap_or(i64::MAX);
        // One more: clocks of two of the database's processes may differ by their rounding.
        let utc = micros
            .div_euclid(1_000_000)
            .saturating_sub(1)
            .saturating_sub(overlap)
            .max(0);
        Self { utc }
    }

    /// In UTC, as `2026-01-31 12:30:00`.
    pub fn utc(self) -> String {
        text(self.utc)
    }

    /// In whatever time zone, so early that no moment without one is later.
    pub fn local(self) -> String {
        text(self.utc.saturating_add(FARTHEST_ZONE))
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
        let since = Since::new(micros, Duration::from_secs(300));
        assert_eq!(since.utc(), "2026-01-31 12:24:59");
        let first = Since::new(0, Duration::MAX);
        assert_eq!(first.utc(), "1970-01-01 00:00:00");
    }

    #[test]
    fn what_is_open_is_not_seen_yet() {
        let mut moment = Moment {
            origin: String::new(),
            clock: 100,
            now: 100,
            oldest_open: None,
            doubt: None,
        };
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
