//! What a run did, strategy by strategy.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cause::{self, Cause, Origin};
use super::changes::{ChangedReport, Watermark};
use super::counts::{Counts, millis};
use super::entry::KeyError;
use super::expected::Expected;
use super::failure::Failure;
pub use super::percent::Percent;
use super::protection::Protection;
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
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "kebab-case")]
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
        self.into()
    }

    /// The same for people: somebody stopped the run.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cancelled => "stopped",
            stage => stage.name(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct StrategyReport {
    pub id: StrategyId,
    pub priority: i32,
    pub ttl: Duration,
    pub status: Status,
    /// The estimate from before the read; [`StrategyReport::expected`] is the current one.
    pub expected: Option<Expected>,
    pub stats: Counts,
    /// The first [`KEPT_ERRORS`] keys that failed or are unknown.
    pub errors: Vec<KeyError>,
    /// All of them, by cause.
    pub causes: Vec<Cause>,
    /// Keys that failed because of their rows.
    pub wrong_rows: u64,
    /// The first [`KEPT_ERRORS`] named keys without a row.
    pub not_found: Vec<String>,
    /// What the operator should know although nothing failed.
    pub warnings: Vec<String>,
    /// Whether its writes are verified; `None`: it writes nothing.
    pub protection: Option<Protection>,
    /// Its definition says that it is known how little protects it.
    pub unprotected_ok: bool,
    /// What a dry run found.
    pub seen: Seen,
    /// Of a run with `--changed`.
    pub changed: Option<ChangedReport>,
    /// The starting point of a later run with `--changed`.
    pub watermark: Option<Watermark>,
}

impl StrategyReport {
    pub fn new(id: StrategyId, priority: i32, ttl: Duration, stats: Counts) -> Self {
        Self {
            id,
            priority,
            ttl,
            status: Status::Completed,
            expected: None,
            stats,
            errors: Vec::new(),
            causes: Vec::new(),
            wrong_rows: 0,
            not_found: Vec::new(),
            warnings: Vec::new(),
            protection: None,
            unprotected_ok: false,
            seen: Seen::default(),
            changed: None,
            watermark: None,
        }
    }

    /// Counts a key that failed, and keeps the first ones.
    pub fn add_error(&mut self, origin: Origin, error: KeyError) {
        self.wrong_rows += u64::from(origin == Origin::Data);
        Cause::count(&mut self.causes, origin, &error.key, &error.error);
        if self.errors.len() < KEPT_ERRORS {
            self.errors.push(error);
        }
    }

    /// The failure of its definition, if it has one.
    pub fn unfit(&self) -> Option<&Failure> {
        match &self.status {
            Status::Failed(failure) if failure.is_unfit() => Some(failure),
            _ => None,
        }
    }

    /// Keys that a run would write, including those that it could not.
    pub fn planned(&self) -> u64 {
        self.stats.planned + self.stats.wrong()
    }

    /// Adds a warning, once.
    pub fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Planned keys that are not known to be in the cache.
    pub fn not_present(&self) -> u64 {
        self.planned() - self.seen.classes.present()
    }
}

impl Report {
    /// Whether the cache denies something to its user.
    pub fn is_denied(&self) -> bool {
        self.strategies.iter().any(|strategy| {
            let why = strategy.seen.why_not_known.as_deref();
            strategy.causes.iter().any(Cause::is_denied) || why.is_some_and(cause::is_denied)
        })
    }

    /// The classes of all strategies together.
    pub fn classes(&self) -> Classes {
        self.strategies.iter().map(|s| s.seen.classes).sum()
    }
}

/// What a dry run found in the cache at a strategy's planned keys.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub classes: Classes,
    /// Planned keys for which the cache did not say what it holds.
    pub not_known: u64,
    pub why_not_known: Option<String>,
    /// Equal keys that live longer than the definition says, or for ever.
    pub ttl_outside: u64,
    /// Keys in the cache that match the template and have no row; `None`: not searched for.
    pub orphans: Option<u64>,
    /// The first keys of the run, to show what they look like.
    pub sample: Vec<String>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "kebab-case")]
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
    /// The reader of the output has closed it (`| head`): not a failure.
    Enough,
}

#[derive(Clone, Debug, Default)]
pub struct Report {
    pub strategies: Vec<StrategyReport>,
    /// Without [`Self::asked`].
    pub elapsed: Duration,
    /// How long somebody thought about a question.
    pub asked: Duration,
    pub stopped: Option<Stop>,
    /// The first [`KEPT_ERRORS`] named keys that belong to no strategy.
    pub unmatched: Vec<String>,
    /// How many keys belong to no strategy.
    pub unmatched_total: u64,
    /// What the operator should know of the run as a whole.
    pub warnings: Vec<String>,
    /// How it was throttled; `None`: it was not.
    pub pace: Option<PaceReport>,
    /// The workers that warmed portions, of a run that asked for some.
    pub workers: Option<usize>,
    pub gates: Gates,
    /// Max keys of each strategy.
    pub limit: Option<u64>,
}

/// What may be missing from a good run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    /// Keys may fail as long as this share did not; `None`: no key may.
    pub fail_under: Option<Percent>,
    /// Exit 0 when there is nothing to warm.
    pub allow_empty: bool,
}

/// How a run was throttled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaceReport {
    /// It was gentle at its end.
    #[serde(default)]
    pub gentle: bool,
    /// Keys per second that an operator limited it to at its end; null: no limit.
    #[schema(required = true)]
    pub rate: Option<u64>,
    /// Bytes per second that it was limited to at its end.
    #[schema(required = true)]
    pub bytes_rate: Option<u64>,
    /// The fewest keys per second that it was ever limited to.
    #[schema(required = true)]
    pub lowest_rate: Option<u64>,
    pub limited_by: Vec<LimitedBy>,
}

/// What a run waited for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitedBy {
    /// `rate`, `bytes rate`, `start`, `cache latency`, `evictions`, `database latency`,
    /// `database sessions` or `replica lag`.
    pub by: String,
    pub seconds: f64,
}

impl LimitedBy {
    pub fn new(by: Limiter, time: Duration) -> Self {
        Self { by: by.name().to_owned(), seconds: millis(time) as f64 / 1000.0 }
    }
}

/// What throttles a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limiter {
    /// The operator's limit in keys per second.
    Rate,
    /// The operator's limit in bytes per second.
    BytesRate,
    /// A gentle run starts slowly.
    Start,
    CacheLatency,
    Evictions,
    CacheReplicas,
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
            Self::CacheReplicas => "replicas of the cache",
            Self::DatabaseLatency => "database latency",
            Self::DatabaseSessions => "database sessions",
            Self::ReplicaLag => "replica lag",
        }
    }
}

impl Outcome {
    /// The word of the JSON report.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Report {
    /// For a run that was stopped before it started.
    pub fn stopped_before(stop: Stop) -> Self {
        Self { stopped: Some(stop), ..Self::default() }
    }

    pub fn totals(&self) -> Counts {
        Counts { elapsed: self.elapsed, ..self.strategies.iter().map(|s| s.stats).sum() }
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
            // Keys without data are nothing to warm; keys that exist already are.
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
