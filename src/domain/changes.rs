//! How it can be told which rows of a selection have changed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::encode::Date;

/// What a definition's SQL says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// A value may change although no `_changed_at` says so; why, for people.
    None(String),
    /// A value changes with its own `_changed_at` only: the keys of the selection and whether each
    /// has changed say everything.
    Keys {
        /// Why changed rows alone do not.
        why: String,
    },
    /// Besides, whether a row is in the selection depends on nothing but itself: the changed rows
    /// of its table say everything.
    Rows(TrackedTable),
}

/// The one table that a definition reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedTable {
    /// As the SQL names it, quotes and schema too.
    pub name: String,
    /// Its name as the database stores it, its schema before it where the SQL names one.
    pub parts: Vec<String>,
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
    /// Its clock, in microseconds since 1970. Of a replica: of the last change that it has.
    pub now: i64,
    /// When the oldest transaction that is open began: what it has changed is not to be seen yet,
    /// and will say that it was changed then.
    pub oldest_open: Option<i64>,
    /// Seconds that a moment without a time zone may lie behind UTC there, 0 or less.
    pub zone: i64,
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
    /// [`Moment::origin`] and [`Moment::zone`] of then.
    pub origin: String,
    pub zone: i64,
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

/// Seconds that a moment without a time zone lies behind UTC at most, anywhere.
pub const FARTHEST_ZONE: i64 = -12 * 3600;

/// A moment to compare `_changed_at` with, in whole seconds since 1970: columns keep fewer digits
/// than clocks have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    utc: i64,
    local: i64,
}

impl Since {
    /// What changed at `micros` (since 1970) or later; `overlap` earlier for the sake of what was
    /// under way then. `zone`: seconds that a moment without a time zone lies behind UTC, 0 or less.
    pub fn new(micros: i64, overlap: Duration, zone: i64) -> Self {
        let overlap = i64::try_from(overlap.as_secs()).unwrap_or(i64::MAX);
        // One more: clocks of two of the database's processes may differ by their rounding.
        let utc = micros
            .div_euclid(1_000_000)
            .saturating_sub(1)
            .saturating_sub(overlap)
            .max(0);
        Self {
            utc,
            local: utc.saturating_add(zone.min(0)),
        }
    }

    /// In UTC, as `2026-01-31 12:30:00`.
    pub fn utc(self) -> String {
        text(self.utc)
    }

    /// In whatever time zone, so early that no moment without one is later.
    pub fn local(self) -> String {
        text(self.local)
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
        let since = Since::new(micros, Duration::ZERO, 0);
        assert_eq!(since.utc(), "2026-01-31 12:29:59");
        assert_eq!(since.local(), since.utc());
        let since = Since::new(micros, Duration::from_secs(300), -5 * 3600);
        assert_eq!(since.utc(), "2026-01-31 12:24:59");
        assert_eq!(since.local(), "2026-01-31 07:24:59");
        assert_eq!(since.day(), "2026-01-30");
        let ahead = Since::new(micros, Duration::ZERO, 3600);
        assert_eq!(ahead.local(), ahead.utc(), "nobody knows who wrote it");
        let first = Since::new(0, Duration::MAX, 0);
        assert_eq!(first.utc(), "1970-01-01 00:00:00");
    }

    #[test]
    fn what_is_open_is_not_seen_yet() {
        let mut moment = Moment {
            origin: String::new(),
            now: 100,
            oldest_open: None,
            zone: 0,
            doubt: None,
        };
        assert_eq!(moment.unseen_from(), 100);
        moment.oldest_open = Some(70);
        assert_eq!(moment.unseen_from(), 70);
        moment.oldest_open = Some(170);
        assert_eq!(moment.unseen_from(), 100);
    }
}
