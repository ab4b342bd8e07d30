//! What a run did, strategy by strategy.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::changes::{ChangedReport, Watermark};
use super::counts::Counts;
use super::entry::KeyError;
use super::expected::Expected;
use super::failure::Failure;
use super::precision::Precision;
use super::standing::Classes;
use super::strategy::StrategyId;

/// At most this many errors of a strategy are kept; all are counted.
pub const KEPT_ERRORS: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Completed,
    Failed(Failure),
    /// The run ended before this strategy did.
    Cancelled,
}

impl Status {
    pub fn stage(&self) -> Stage {
        match self {
            Self::Completed => Stage::Completed,
            Self::Failed(_) => Stage::Failed,
            Self::Cancelled => Stage::Cancelled,
        }
    }
}

/// How far a strategy has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    #[default]
    Waiting,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl Stage {
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

#[derive(Clone, Debug)]
pub struct StrategyReport {
    pub id: StrategyId,
    pub priority: i32,
    pub ttl: Duration,
    pub status: Status,
    /// How many keys it has, as far as that was known before it was read to its end; what is known
    /// now says [`StrategyReport::expected`].
    pub expected: Option<Expected>,
    pub stats: Counts,
    /// The first [`KEPT_ERRORS`] keys that failed or are unknown.
    pub errors: Vec<KeyError>,
    /// Keys that were asked for by name and have no row, the first [`KEPT_ERRORS`].
    pub not_found: Vec<String>,
    /// What the operator should know although nothing failed.
    pub warnings: Vec<String>,
    /// Whether what it wrote was read again, so that none of it is stale.
    /// `None`: nothing is written.
    pub protection: Option<Protection>,
    /// What a run that only looks found.
    pub seen: Seen,
    /// Of a run that was to read only what changed.
    pub changed: Option<ChangedReport>,
    /// What a later run needs to read only what changed since; of a run that may leave one.
    pub watermark: Option<Watermark>,
}

/// Whether a strategy's entries are protected against changes that overtake them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Each is read again after it was written, and undone where it had become stale.
    Verified,
    /// The same; but of two changes within a second the later one may not be seen.
    ToTheSecond,
    /// The same within a day.
    ToTheDay,
    /// The operator wishes so.
    Off,
    /// Its query says no version.
    NoVersion,
    /// Its keys cannot be looked up again.
    Opaque,
    /// The database is a copy that may be behind.
    Replica,
    /// The database takes no writes: it may be such a copy.
    ReadOnly,
    /// Whether it is one could not be learned.
    NotKnown,
}

impl Protection {
    pub fn is_protected(self) -> bool {
        matches!(self, Self::Verified | Self::ToTheSecond)
    }

    /// What it is where its versions are as fine as this at best.
    #[must_use]
    pub fn limited_to(self, finest: Precision) -> Self {
        match (self, finest) {
            (Self::Verified | Self::ToTheSecond | Self::ToTheDay, finest) => match finest {
                Precision::Exact => Self::Verified,
                Precision::Second => Self::ToTheSecond,
                Precision::Day => Self::ToTheDay,
            },
            (other, _) => other,
        }
    }

    /// Why it is not.
    pub fn why_not(self) -> Option<&'static str> {
        match self {
            Self::Verified | Self::ToTheSecond => None,
            Self::ToTheDay => Some("its _version is a date, which changes once a day"),
            Self::Off => Some("--no-verify-writes"),
            Self::NoVersion => Some("its query selects no _version"),
            Self::Opaque => Some("its keys cannot be looked up again"),
            Self::NotKnown => Some("the database does not say whether it is a replica"),
            Self::Replica => Some("the database is a replica; give --primary-url"),
            Self::ReadOnly => Some(
                "the database takes no writes: a replica or a standby reader; give --primary-url",
            ),
        }
    }
}

impl StrategyReport {
    /// The failure of its definition, if that is what it failed by.
    pub fn unfit(&self) -> Option<&Failure> {
        match &self.status {
            Status::Failed(failure) if failure.is_unfit() => Some(failure),
            _ => None,
        }
    }

    /// Keys that a run that only looked would write, those among them that it could not.
    pub fn planned(&self) -> u64 {
        self.stats.planned + self.stats.wrong()
    }

    /// Adds a warning, once.
    pub fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Planned keys of which nothing is in the cache, or cannot be known to be.
    pub fn not_present(&self) -> u64 {
        self.planned() - self.seen.classes.present()
    }
}

impl Report {
    /// The classes of all strategies together.
    pub fn classes(&self) -> Classes {
        self.strategies.iter().map(|s| s.seen.classes).sum()
    }
}

/// What a run that only looks found in the cache at a strategy's planned keys.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub classes: Classes,
    /// Planned keys of which the cache did not say what stands there.
    pub not_known: u64,
    pub why_not_known: Option<String>,
    /// Equal keys that live longer than the definition says, or for ever.
    pub ttl_outside: u64,
    /// Expiring keys with less than half of their time left: not just written.
    pub worn: u64,
    /// Keys in the cache that match the template and have no row; `None`: not looked for.
    pub orphans: Option<u64>,
    /// The first keys of the run, to show what they look like.
    pub sample: Vec<String>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Complete,
    Incomplete,
    Empty,
    Interrupted,
    Deadline,
}

/// Why a run was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// SIGINT: exit 130.
    Interrupted,
    /// SIGTERM: exit 143.
    Terminated,
    Deadline,
    /// Another run may write now: exit 8.
    LockLost,
    /// Whoever reads the result has seen enough (`| head`): no failure.
    Enough,
}

#[derive(Clone, Debug)]
pub struct Report {
    pub strategies: Vec<StrategyReport>,
    pub elapsed: Duration,
    pub stopped: Option<Stop>,
    /// Keys that were asked for by name and belong to no strategy, the first [`KEPT_ERRORS`].
    pub unmatched: Vec<String>,
    /// How many keys belong to no strategy.
    pub unmatched_total: u64,
    /// What the operator should know of the run as a whole.
    pub warnings: Vec<String>,
    /// How it was held back; `None`: nobody asked for it.
    pub pace: Option<PaceReport>,
    pub gates: Gates,
}

/// What may be missing from a run that counts as good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    /// Keys may fail as long as this share did not; `None`: no key may.
    pub fail_under: Option<Percent>,
    /// Nothing to warm is no failure.
    pub allow_empty: bool,
}

/// How a run was held back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PaceReport {
    /// It was watched over, at its end.
    pub gentle: bool,
    /// What an operator limited it to at its end, in keys and in bytes a second.
    pub rate: Option<u64>,
    pub bytes_rate: Option<u64>,
    /// The fewest keys a second that it was ever limited to.
    pub lowest_rate: Option<u64>,
    /// What it waited for, and how long.
    pub limited_by: Vec<(Limiter, Duration)>,
}

/// What holds a run back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limiter {
    /// The keys a second that an operator allows.
    Rate,
    /// The bytes a second that an operator allows.
    BytesRate,
    /// A gentle run begins slowly.
    Start,
    CacheLatency,
    Evictions,
    DatabaseLatency,
    DatabaseSessions,
    ReplicaLag,
}

impl Limiter {
    pub fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::BytesRate => "bytes rate",
            Self::Start => "start",
            Self::CacheLatency => "cache latency",
            Self::Evictions => "evictions",
            Self::DatabaseLatency => "database latency",
            Self::DatabaseSessions => "database sessions",
            Self::ReplicaLag => "replica lag",
        }
    }
}

impl Outcome {
    /// The word of the JSON report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
            Self::Empty => "empty",
            Self::Interrupted => "interrupted",
            Self::Deadline => "deadline",
        }
    }
}

impl Report {
    /// Of a run that was stopped before it began.
    pub fn stopped_before(stop: Stop) -> Self {
        Self {
            strategies: Vec::new(),
            elapsed: Duration::ZERO,
            stopped: Some(stop),
            unmatched: Vec::new(),
            unmatched_total: 0,
            warnings: Vec::new(),
            pace: None,
            gates: Gates::default(),
        }
    }

    pub fn totals(&self) -> Counts {
        Counts {
            elapsed: self.elapsed,
            ..self.strategies.iter().map(|s| s.stats).sum()
        }
    }

    pub fn outcome(&self) -> Outcome {
        let totals = self.totals();
        let unfinished = |s: &StrategyReport| s.status != Status::Completed;
        match self.stopped {
            Some(Stop::Deadline) => Outcome::Deadline,
            Some(_) => Outcome::Interrupted,
            None if totals.failed + totals.unknown + self.unmatched_total > 0
                || self.strategies.iter().any(unfinished) =>
            {
                Outcome::Incomplete
            }
            // Keys without data are nothing to warm; keys that are there already are.
            None if totals.total() == totals.absent => Outcome::Empty,
            None => Outcome::Complete,
        }
    }

    /// The failure that ended the run early, if one did.
    pub fn fatal(&self) -> Option<&Failure> {
        self.failures().find(|failure| failure.ends_run())
    }

    /// The first failure of a definition that is invalid or does not fit the database.
    pub fn unfit(&self) -> Option<&Failure> {
        self.strategies.iter().find_map(StrategyReport::unfit)
    }

    /// The failures of strategies, in the order of the run.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.strategies.iter().filter_map(|s| match &s.status {
            Status::Failed(failure) => Some(failure),
            _ => None,
        })
    }
}

/// A share, kept exactly in millionths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(u64);

impl Percent {
    /// `percent` hundredths; 100 at most is meaningful.
    pub const fn whole(percent: u64) -> Self {
        Self(percent * 1_000_000)
    }

    /// Whether `part` is at least this share of `whole`.
    pub fn reached_by(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 100_000_000 >= u128::from(whole) * u128::from(self.0)
    }

    /// Whether `part` is more than this share of `whole`.
    pub fn exceeded_by(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 100_000_000 > u128::from(whole) * u128::from(self.0)
    }

    /// The share from 0.0 to 1.0.
    pub fn fraction(self) -> f64 {
        self.0 as f64 / 100_000_000.0
    }
}

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}%", self.0 as f64 / 1_000_000.0)
    }
}

impl std::str::FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a percentage from 0 to 100, such as 95 or 99.5%".to_owned();
        let digits = text.strip_suffix('%').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let numeric = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !numeric(whole) || !numeric(fraction) || fraction.len() > 6 {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let fraction: u64 = format!("{fraction:0<6}").parse().map_err(|_| wrong())?;
        let millionths = whole
            .checked_mul(1_000_000)
            .and_then(|w| w.checked_add(fraction));
        match millionths {
            Some(value) if value <= 100_000_000 => Ok(Self(value)),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_exact() {
        let percent = |text: &str| text.parse::<Percent>().expect("a percentage");
        assert!(percent("99.9%").reached_by(999, 1000));
        assert!(!percent("99.9").reached_by(998, 1000));
        assert!(percent("66.666666").reached_by(2, 3));
        assert!(!percent("66.666667").reached_by(2, 3));
        assert!(percent("100").reached_by(0, 0));
        for wrong in ["", "101", "-1", "1e1", "99.9999999", "x", "100.000001", "%"] {
            assert!(wrong.parse::<Percent>().is_err(), "{wrong}");
        }
    }
}
