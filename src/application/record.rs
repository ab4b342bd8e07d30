//! A run's report as it is written down: what `-o json` prints, the history keeps and the admin API
//! answers. Fields are only ever added.

use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::changes::{ChangedReport, ReadHow};
use crate::domain::completeness::success_rate;
use crate::domain::entry::KeyError;
use crate::domain::expected::Expected;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::{
    Gates, Limiter, Outcome, PaceReport, Protection, Report, Seen, Stats, Status, Stop,
    StrategyReport,
};
use crate::domain::run::{RunInfo, Trigger};
use crate::domain::strategy::{DEFAULT_TTL, StrategyId, StrategySpec};
use crate::domain::verdict::Verdict;

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(title = "Report")]
pub struct RunRecord {
    pub schema_version: u32,
    pub run_id: String,
    /// As it is spelled on the command line, without the program's name.
    pub command: String,
    /// Whose wish it was.
    #[schema(value_type = String, example = "cli")]
    pub trigger: Trigger,
    /// The job of the schedule, where one started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The machine that it ran on.
    pub host: String,
    /// RFC 3339, in UTC.
    pub started_at: String,
    pub elapsed_ms: u64,
    /// Null while it runs.
    #[schema(value_type = Option<String>, required = true, example = "complete")]
    pub outcome: Option<Outcome>,
    /// Whether every gate was met; null while it runs.
    #[serde(default)]
    #[schema(required = true)]
    pub passed: Option<bool>,
    /// How it ended, in a sentence: what failed, and what to do next; null while it runs.
    #[serde(default)]
    #[schema(required = true)]
    pub verdict: Option<String>,
    /// Why it could not begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub totals: Totals,
    pub strategies: Vec<StrategyRecord>,
    /// Keys asked for by name that belong to no strategy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unmatched_total: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// How it was held back, where somebody asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<PaceRecord>,
}

/// How a run was held back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PaceRecord {
    /// It gave way to others, at its end.
    #[serde(default)]
    pub gentle: bool,
    /// Keys a second that somebody limited it to at its end; null: as fast as it goes.
    #[schema(required = true)]
    pub rate: Option<u64>,
    /// Bytes a second that it was limited to at its end.
    #[schema(required = true)]
    pub bytes_rate: Option<u64>,
    /// The fewest keys a second that it was ever limited to.
    #[schema(required = true)]
    pub lowest_rate: Option<u64>,
    pub limited_by: Vec<LimitedBy>,
}

/// What a run waited for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LimitedBy {
    /// `rate`, `bytes rate`, `start`, `cache latency`, `evictions`, `database latency`,
    /// `database sessions` or `replica lag`.
    pub by: String,
    pub seconds: f64,
}

/// The counts of all strategies together.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    pub strategies: usize,
    #[serde(default)]
    pub strategies_failed: usize,
    /// How many keys all strategies have; null where that is not known of one of them.
    #[serde(default)]
    #[schema(required = true)]
    pub expected: Option<u64>,
    /// Whether `expected` was counted; else it is an estimate.
    #[serde(default)]
    pub expected_is_exact: bool,
    /// Keys that were read.
    pub total: u64,
    pub warmed: u64,
    pub skipped: u64,
    pub failed: u64,
    pub unknown: u64,
    /// Would be written, by a run that only looks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub planned: u64,
    /// Of the warmed those whose values were there already, and were not sent again; only where
    /// that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identical: Option<u64>,
    /// Of the warmed those that had become stale before they were there, and were written again.
    #[serde(default)]
    pub repaired: u64,
    /// Of the skipped those that have no data.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub absent: u64,
    /// Of the skipped those that were written, had become stale, and are left out.
    #[serde(default)]
    pub withdrawn: u64,
    /// Written, and nobody could say whether they had become stale.
    #[serde(default)]
    pub unverified: u64,
    /// The longest that a stale value may have been served.
    #[serde(default)]
    pub longest_exposure_ms: u64,
    /// Keys of earlier runs that had no row any more and were removed; not part of `total`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pruned: u64,
    /// Of keys and values that were stored.
    pub bytes: u64,
    /// The share of `expected` that is warm, see the strategies' own; null of nothing, and where
    /// `expected` is not known.
    #[schema(required = true)]
    pub success_rate: Option<f64>,
}

/// What a run that only looks found in the cache at a strategy's keys.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Found {
    /// Keys that would be written.
    pub planned: u64,
    pub wrong_type: u64,
    pub missing: u64,
    pub different: u64,
    pub expiring: u64,
    pub identical: u64,
}

/// One strategy of a run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StrategyRecord {
    pub id: String,
    pub context: String,
    pub name: String,
    pub priority: i32,
    #[schema(value_type = f64)]
    pub ttl_seconds: serde_json::Number,
    /// `completed`, `failed` or `cancelled`; `waiting` or `running` while the run runs.
    pub status: String,
    /// How many keys it has; null where that is not known. Of a strategy that was read to its end it
    /// is the total, of another one it is never less than what was read.
    #[serde(default)]
    #[schema(required = true)]
    pub expected: Option<u64>,
    /// Whether `expected` was counted; else it is an estimate.
    #[serde(default)]
    pub expected_is_exact: bool,
    /// Keys that were read.
    pub total: u64,
    pub warmed: u64,
    pub skipped: u64,
    pub failed: u64,
    pub unknown: u64,
    /// Of the warmed those whose values were there already, and were not sent again; only where
    /// that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identical: Option<u64>,
    /// Of the warmed those that had become stale before they were there, and were written again.
    #[serde(default)]
    pub repaired: u64,
    /// Of the skipped those that have no data.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub absent: u64,
    /// Of the skipped those that were written, had become stale, and are left out.
    #[serde(default)]
    pub withdrawn: u64,
    /// Written, and nobody could say whether they had become stale.
    #[serde(default)]
    pub unverified: u64,
    /// The longest that a stale value may have been served.
    #[serde(default)]
    pub longest_exposure_ms: u64,
    /// Whether all that was written was read again, so that none of it is stale; null: not known yet,
    /// or nothing is written.
    #[serde(default)]
    #[schema(required = true)]
    pub protected: Option<bool>,
    /// `second`: of two changes within a second the later one may not have been seen, as `_version`
    /// has whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "second")]
    pub protected_to: Option<String>,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unprotected_because: Option<String>,
    /// Keys of earlier runs that had no row any more and were removed; not part of `total`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pruned: u64,
    /// Of keys and values that were stored.
    pub bytes: u64,
    /// The share of `expected` that is warm: `warmed`, and of the skipped those that are there
    /// already. What has no data or is left out (`absent`, `withdrawn`) is no part of it. Null of
    /// nothing, of a strategy that failed, and where `expected` is not known.
    #[schema(required = true)]
    pub success_rate: Option<f64>,
    pub elapsed_ms: u64,
    /// How it was read, where the run was to read only what changed: `changed` (the changed rows),
    /// `keys` (all keys, and the changed rows) or `full`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "changed")]
    pub read: Option<ReadHow>,
    /// Why everything was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_why: Option<String>,
    /// Of the warmed keys those that had not changed and were given their time again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<u64>,
    /// Keys that were removed, as their rows have left the selection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
    /// Where the run only looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
    /// Why it failed.
    #[schema(required = true)]
    pub error: Option<String>,
    /// The first keys that failed or are unknown.
    #[schema(value_type = Vec<Object>)]
    pub errors: Vec<KeyError>,
    /// Keys asked for by name that have no row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_found: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl RunRecord {
    pub fn new(info: &RunInfo, report: &Report) -> Self {
        Self::judged(info, report, Verdict::of_run(report, &info.command))
    }

    /// Of a run that was judged by more than its report.
    pub fn judged(info: &RunInfo, report: &Report, verdict: Verdict) -> Self {
        let strategies: Vec<_> = report.strategies.iter().map(StrategyRecord::from).collect();
        Self {
            outcome: Some(report.outcome()),
            passed: Some(verdict.is_good()),
            verdict: Some(verdict.text),
            elapsed_ms: millis(report.elapsed),
            totals: Totals::sum(&strategies),
            strategies,
            unmatched: report.unmatched.clone(),
            unmatched_total: report.unmatched_total,
            warnings: report.warnings.clone(),
            pace: report.pace.as_ref().map(PaceRecord::from),
            ..Self::started(info)
        }
    }

    /// Of a run of which nothing is known yet.
    pub fn started(info: &RunInfo) -> Self {
        Self {
            schema_version: 1,
            run_id: info.id.clone(),
            command: info.command.clone(),
            trigger: info.trigger,
            job: info.job.clone(),
            host: info.host.clone(),
            started_at: humantime::format_rfc3339_seconds(info.started).to_string(),
            elapsed_ms: 0,
            outcome: None,
            passed: None,
            verdict: None,
            error: None,
            totals: Totals::default(),
            strategies: Vec::new(),
            unmatched: Vec::new(),
            unmatched_total: 0,
            warnings: Vec::new(),
            pace: None,
        }
    }

    /// Of a run that could not begin.
    pub fn not_begun(info: &RunInfo, outcome: Outcome, why: String) -> Self {
        Self {
            outcome: Some(outcome),
            passed: Some(false),
            verdict: Some(format!("not begun: {why}")),
            error: Some(why),
            ..Self::started(info)
        }
    }

    /// The run's name and circumstances, read back.
    pub fn info(&self) -> RunInfo {
        RunInfo {
            id: self.run_id.clone(),
            command: self.command.clone(),
            trigger: self.trigger,
            job: self.job.clone(),
            host: self.host.clone(),
            started: humantime::parse_rfc3339(&self.started_at).unwrap_or(UNIX_EPOCH),
        }
    }

    /// The report, read back. Of a failure its words are left.
    pub fn report(&self) -> Report {
        Report {
            strategies: self.strategies.iter().map(StrategyReport::from).collect(),
            elapsed: Duration::from_millis(self.elapsed_ms),
            stopped: match self.outcome {
                Some(Outcome::Interrupted) => Some(Stop::Interrupted),
                Some(Outcome::Deadline) => Some(Stop::Deadline),
                _ => None,
            },
            unmatched: self.unmatched.clone(),
            unmatched_total: self.unmatched_total,
            warnings: self.warnings.clone(),
            pace: self.pace.as_ref().map(PaceReport::from),
            gates: Gates::default(),
        }
    }

    /// How it ended, or that it has not.
    pub fn status(&self) -> &'static str {
        self.outcome.map_or("running", Outcome::name)
    }
}

impl From<&PaceReport> for PaceRecord {
    fn from(pace: &PaceReport) -> Self {
        let limited_by = pace.limited_by.iter().map(|(by, time)| LimitedBy {
            by: by.name().to_owned(),
            seconds: millis(*time) as f64 / 1000.0,
        });
        Self {
            gentle: pace.gentle,
            rate: pace.rate,
            bytes_rate: pace.bytes_rate,
            lowest_rate: pace.lowest_rate,
            limited_by: limited_by.collect(),
        }
    }
}

impl From<&PaceRecord> for PaceReport {
    fn from(record: &PaceRecord) -> Self {
        let limited_by = record.limited_by.iter().filter_map(|limited| {
            let time = Duration::try_from_secs_f64(limited.seconds).unwrap_or_default();
            Some((Limiter::named(&limited.by)?, time))
        });
        Self {
            gentle: record.gentle,
            rate: record.rate,
            bytes_rate: record.bytes_rate,
            lowest_rate: record.lowest_rate,
            limited_by: limited_by.collect(),
        }
    }
}

impl Totals {
    /// How many keys all strategies have, as far as known.
    pub fn expectation(&self) -> Option<Expected> {
        let keys = self.expected?;
        let is_exact = self.expected_is_exact;
        Some(Expected { keys, is_exact })
    }

    /// The sum of some strategies.
    pub fn sum(strategies: &[StrategyRecord]) -> Self {
        let mut sum = Stats::default();
        for strategy in strategies {
            sum.add(&strategy.stats());
        }
        let failed = |s: &&StrategyRecord| s.status == FAILED;
        let expected = Expected::sum(strategies.iter().map(StrategyRecord::expectation));
        Self {
            strategies: strategies.len(),
            strategies_failed: strategies.iter().filter(failed).count(),
            expected: expected.map(|expected| expected.keys),
            expected_is_exact: expected.is_some_and(|expected| expected.is_exact),
            total: strategies.iter().map(|s| s.total).sum(),
            warmed: sum.warmed,
            skipped: sum.skipped,
            failed: sum.failed,
            unknown: sum.unknown,
            planned: sum.planned,
            identical: sum.identical,
            repaired: sum.repaired,
            absent: sum.absent,
            withdrawn: sum.withdrawn,
            unverified: sum.unverified,
            longest_exposure_ms: millis(sum.exposure),
            pruned: sum.pruned,
            bytes: sum.bytes,
            success_rate: success_rate(&sum, expected),
        }
    }
}

/// The status of a strategy that failed.
const FAILED: &str = "failed";

impl StrategyRecord {
    /// Of a strategy whose turn has not come.
    pub fn waiting(spec: &StrategySpec) -> Self {
        Self {
            id: spec.id.to_string(),
            context: spec.id.context.clone(),
            name: spec.id.name.clone(),
            priority: spec.priority,
            ttl_seconds: whole_seconds(spec.ttl.unwrap_or(DEFAULT_TTL)),
            status: "waiting".to_owned(),
            expected: None,
            expected_is_exact: false,
            total: 0,
            warmed: 0,
            skipped: 0,
            failed: 0,
            unknown: 0,
            identical: None,
            repaired: 0,
            absent: 0,
            withdrawn: 0,
            unverified: 0,
            longest_exposure_ms: 0,
            protected: None,
            protected_to: None,
            unprotected_because: None,
            pruned: 0,
            bytes: 0,
            success_rate: None,
            elapsed_ms: 0,
            read: None,
            read_why: None,
            unchanged: None,
            removed: None,
            found: None,
            error: None,
            errors: Vec::new(),
            not_found: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// All its keys are warm.
    pub fn is_complete(&self) -> bool {
        self.status == Status::Completed.name() && self.failed + self.unknown == 0
    }

    /// How many keys it has, as far as known.
    fn expectation(&self) -> Option<Expected> {
        let keys = self.expected?;
        let is_exact = self.expected_is_exact;
        Some(Expected { keys, is_exact })
    }

    fn stats(&self) -> Stats {
        Stats {
            warmed: self.warmed,
            skipped: self.skipped,
            failed: self.failed,
            unknown: self.unknown,
            planned: self.found.as_ref().map_or(0, |found| found.planned),
            identical: self.identical,
            repaired: self.repaired,
            absent: self.absent,
            withdrawn: self.withdrawn,
            unverified: self.unverified,
            exposure: Duration::from_millis(self.longest_exposure_ms),
            pruned: self.pruned,
            bytes: self.bytes,
            elapsed: Duration::from_millis(self.elapsed_ms),
        }
    }

    /// Says how many keys it has, while it runs.
    pub fn expect(&mut self, expected: Option<Expected>) {
        self.expected = expected.map(|expected| expected.keys);
        self.expected_is_exact = expected.is_some_and(|expected| expected.is_exact);
    }

    pub fn count(&mut self, stats: &Stats) {
        self.expect(self.expectation().and_then(|e| e.beyond(stats.total())));
        self.total = stats.total();
        self.warmed = stats.warmed;
        self.skipped = stats.skipped;
        self.identical = stats.identical;
        self.repaired = stats.repaired;
        self.absent = stats.absent;
        self.withdrawn = stats.withdrawn;
        self.unverified = stats.unverified;
        self.longest_exposure_ms = millis(stats.exposure);
        self.failed = stats.failed;
        self.unknown = stats.unknown;
        self.pruned = stats.pruned;
        self.bytes = stats.bytes;
        self.success_rate = success_rate(stats, self.expectation());
        self.elapsed_ms = millis(stats.elapsed);
    }
}

impl Found {
    fn of(report: &StrategyReport) -> Option<Self> {
        let (planned, classes) = (report.stats.planned, &report.seen.classes);
        (planned > 0).then_some(Self {
            planned,
            wrong_type: classes.wrong_type,
            missing: classes.missing,
            different: classes.different,
            expiring: classes.expiring,
            identical: classes.identical,
        })
    }
}

/// What a strategy is protected to whose versions have whole seconds.
const SECOND: &str = "second";

impl From<&StrategyReport> for StrategyRecord {
    fn from(report: &StrategyReport) -> Self {
        let stats = &report.stats;
        let changed = report.changed.as_ref();
        let expected = report.expected();
        Self {
            id: report.id.to_string(),
            context: report.id.context.clone(),
            name: report.id.name.clone(),
            priority: report.priority,
            ttl_seconds: whole_seconds(report.ttl),
            status: report.status.name().to_owned(),
            expected: expected.map(|expected| expected.keys),
            expected_is_exact: expected.is_some_and(|expected| expected.is_exact),
            total: stats.total(),
            warmed: stats.warmed,
            skipped: stats.skipped,
            failed: stats.failed,
            unknown: stats.unknown,
            identical: stats.identical,
            repaired: stats.repaired,
            absent: stats.absent,
            withdrawn: stats.withdrawn,
            unverified: stats.unverified,
            longest_exposure_ms: millis(stats.exposure),
            protected: report
                .protection
                .map(|p| p.is_protected() && stats.unverified == 0),
            protected_to: (report.protection == Some(Protection::ToTheSecond))
                .then(|| SECOND.to_owned()),
            unprotected_because: report
                .protection
                .and_then(Protection::why_not)
                .map(str::to_owned),
            pruned: stats.pruned,
            bytes: stats.bytes,
            success_rate: report.success_rate(),
            elapsed_ms: millis(stats.elapsed),
            read: changed.map(|changed| changed.read),
            read_why: changed.and_then(|changed| changed.why.clone()),
            unchanged: changed.map(|changed| changed.unchanged),
            removed: changed.map(|changed| changed.removed),
            found: Found::of(report),
            error: match &report.status {
                Status::Failed(failure) => Some(failure.to_string()),
                _ => None,
            },
            errors: report.errors.clone(),
            not_found: report.not_found.clone(),
            warnings: report.warnings.clone(),
        }
    }
}

impl From<&StrategyRecord> for StrategyReport {
    fn from(record: &StrategyRecord) -> Self {
        let failed = |why: &String| Failure::new(FailureKind::Query, why, "");
        let status = match (&record.error, record.status.as_str()) {
            (Some(why), _) => Status::Failed(failed(why)),
            (None, "completed") => Status::Completed,
            (None, _) => Status::Cancelled,
        };
        Self {
            id: StrategyId::new(&record.context, &record.name),
            priority: record.priority,
            ttl: Duration::from_secs_f64(record.ttl_seconds.as_f64().unwrap_or(0.0).max(0.0)),
            status,
            expected: record.expectation(),
            stats: record.stats(),
            errors: record.errors.clone(),
            not_found: record.not_found.clone(),
            warnings: record.warnings.clone(),
            protection: match (record.protected, &record.unprotected_because) {
                (Some(true), _) if record.protected_to.is_some() => Some(Protection::ToTheSecond),
                (Some(true), _) => Some(Protection::Verified),
                (_, Some(why)) => Protection::because(why),
                _ => None,
            },
            seen: Seen::default(),
            changed: record.read.map(|read| ChangedReport {
                read,
                why: record.read_why.clone(),
                unchanged: record.unchanged.unwrap_or(0),
                removed: record.removed.unwrap_or(0),
            }),
            watermark: None,
        }
    }
}

/// Without a fraction where there is none.
pub fn whole_seconds(ttl: Duration) -> serde_json::Number {
    let fraction =
        (ttl.subsec_nanos() > 0).then(|| serde_json::Number::from_f64(ttl.as_secs_f64()));
    fraction.flatten().unwrap_or_else(|| ttl.as_secs().into())
}

pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
