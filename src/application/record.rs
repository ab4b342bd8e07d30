//! A run as it is written down: what `-o json` prints, the history keeps and the admin API answers.
//! Fields are only ever added.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::changes::ReadHow;
use crate::domain::counts::{Counts, is_zero, millis};
use crate::domain::entry::KeyError;
use crate::domain::expected::{Expected, Size};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::{
    Outcome, PaceReport, Protection, Report, Stage, Status, Stop, StrategyReport,
};
use crate::domain::run::{RunInfo, Trigger};
use crate::domain::standing::Classes;
use crate::domain::strategy::{DEFAULT_TTL, StrategyId, StrategySpec};
use crate::domain::verdict::{Mark, Verdict};

/// A run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(title = "Report")]
pub struct RunRecord {
    pub schema_version: u32,
    pub run_id: String,
    /// As it is spelled on the command line, without the program's name.
    pub command: String,
    /// Who asked for it.
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
    /// What ended it from outside: `interrupted`, `terminated`, `deadline`, `lock_lost` or `enough`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "interrupted")]
    pub stopped: Option<Stop>,
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
    /// The class of that error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "cache_unreachable")]
    pub error_kind: Option<FailureKind>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
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
    #[serde(flatten)]
    pub size: Size,
    /// Keys that were read.
    pub total: u64,
    #[serde(flatten)]
    pub counts: Counts,
    /// The share of `expected` that is warm, see the strategies' own; null of nothing, and where
    /// `expected` is not known.
    #[schema(required = true)]
    pub success_rate: Option<f64>,
}

/// What a dry run found in the cache at a strategy's keys.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Found {
    /// Keys that would be written.
    pub planned: u64,
    #[serde(flatten)]
    pub classes: Classes,
}

/// One strategy of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct StrategyRecord {
    pub id: String,
    pub context: String,
    pub name: String,
    pub priority: i32,
    #[serde(rename = "ttl_seconds", with = "in_seconds")]
    #[schema(value_type = f64)]
    pub ttl: Duration,
    /// `completed`, `failed` or `cancelled`; `waiting` or `running` while the run runs.
    #[schema(value_type = String, example = "completed")]
    pub status: Stage,
    #[serde(flatten)]
    pub size: Size,
    /// Keys that were read.
    pub total: u64,
    #[serde(flatten)]
    pub counts: Counts,
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
    /// Of the warmed keys those that had not changed and whose TTL was refreshed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<u64>,
    /// Keys that were removed, as their rows have left the selection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
    /// Of a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
    /// Why it failed.
    #[schema(required = true)]
    pub error: Option<String>,
    /// The class of that error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "query")]
    pub error_kind: Option<FailureKind>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The first keys that failed or are unknown.
    #[schema(value_type = Vec<Object>)]
    pub errors: Vec<KeyError>,
    /// Keys asked for by name that have no row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_found: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl RunRecord {
    pub fn new(info: &RunInfo, report: &Report, verdict: Verdict) -> Self {
        let strategies: Vec<_> = report.strategies.iter().map(StrategyRecord::from).collect();
        Self {
            outcome: Some(report.outcome()),
            stopped: report.stopped,
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
            ..Self::default()
        }
    }

    /// Of a run that could not begin: `why`, and the failure that it was, if it was one.
    pub fn not_begun(
        info: &RunInfo,
        outcome: Outcome,
        why: String,
        failure: Option<&Failure>,
    ) -> Self {
        Self {
            outcome: Some(outcome),
            passed: Some(false),
            verdict: Some(format!("not begun: {why}")),
            error: Some(why),
            error_kind: failure.map(|failure| failure.kind),
            hint: failure.and_then(|failure| failure.hint.clone()),
            ..Self::started(info)
        }
    }

    /// The record that a text holds; `None`: it is none that this version can read.
    pub fn parse(text: &[u8]) -> Option<Self> {
        // Not at once: flattened fields and numbers of any precision do not go together.
        let value: serde_json::Value = serde_json::from_slice(text).ok()?;
        serde_json::from_value(value).ok()
    }

    /// How it ended, or that it has not.
    pub fn status(&self) -> &'static str {
        self.outcome.map_or("running", Outcome::name)
    }

    /// How it ended at a glance; `None`: it has not.
    pub fn mark(&self) -> Option<Mark> {
        let outcome = self.outcome?;
        // Earlier versions kept neither whether its gates were met nor what stopped it.
        Some(match (self.passed, self.stopped, outcome) {
            (Some(true), ..) | (None, _, Outcome::Complete) => Mark::Good,
            (_, Some(Stop::LockLost), _) => Mark::Bad,
            (_, _, Outcome::Interrupted | Outcome::Deadline) => Mark::Notice,
            _ => Mark::Bad,
        })
    }

    /// Its last line; `None`: it has not ended.
    pub fn verdict(&self) -> Option<Verdict> {
        let mark = self.mark()?;
        let text = match (&self.verdict, &self.error) {
            (Some(verdict), _) => verdict.clone(),
            (None, Some(error)) => format!("not begun: {error}"),
            (None, None) => self.status().to_owned(),
        };
        Some(Verdict { mark, text })
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

impl Totals {
    /// The sum of some strategies.
    pub fn sum(strategies: &[StrategyRecord]) -> Self {
        let counts: Counts = strategies.iter().map(|s| s.counts).sum();
        let expected = Expected::sum(strategies.iter().map(|s| s.size.known()));
        let is_failed = |s: &&StrategyRecord| s.status == Stage::Failed;
        Self {
            strategies: strategies.len(),
            strategies_failed: strategies.iter().filter(is_failed).count(),
            size: expected.into(),
            total: counts.total(),
            counts,
            success_rate: counts.success_rate(expected),
        }
    }
}

/// What a strategy is protected to whose versions have whole seconds.
const SECOND: &str = "second";

impl StrategyRecord {
    fn new(id: &StrategyId, priority: i32, ttl: Duration, status: Stage) -> Self {
        Self {
            id: id.to_string(),
            context: id.context.clone(),
            name: id.name.clone(),
            priority,
            ttl,
            status,
            ..Self::default()
        }
    }

    /// Of a strategy whose turn has not come.
    pub fn waiting(spec: &StrategySpec) -> Self {
        let ttl = spec.ttl.unwrap_or(DEFAULT_TTL);
        Self::new(&spec.id, spec.priority, ttl, Stage::Waiting)
    }

    /// All its keys are warm.
    pub fn is_complete(&self) -> bool {
        self.status == Stage::Completed && self.counts.wrong() == 0
    }

    /// Says that it begins, and how many keys it has.
    pub fn start(&mut self, expected: Option<Expected>) {
        self.status = Stage::Running;
        self.size = expected.into();
    }

    /// Takes its counts while it runs.
    pub fn count(&mut self, counts: &Counts) {
        let expected = self.size.known().and_then(|e| e.beyond(counts.total()));
        self.size = expected.into();
        self.total = counts.total();
        self.success_rate = counts.success_rate(expected);
        self.elapsed_ms = millis(counts.elapsed);
        self.counts = *counts;
    }
}

impl From<&StrategyReport> for StrategyRecord {
    fn from(report: &StrategyReport) -> Self {
        let (counts, planned) = (report.stats, report.stats.planned);
        let changed = report.changed.as_ref();
        let failure = match &report.status {
            Status::Failed(failure) => Some(failure),
            Status::Completed | Status::Cancelled => None,
        };
        let protection = report.protection;
        Self {
            size: report.expected().into(),
            total: counts.total(),
            counts,
            protected: protection.map(|p| p.is_protected() && counts.unverified == 0),
            protected_to: (protection == Some(Protection::ToTheSecond)).then(|| SECOND.to_owned()),
            unprotected_because: protection.and_then(Protection::why_not).map(str::to_owned),
            success_rate: report.success_rate(),
            elapsed_ms: millis(counts.elapsed),
            read: changed.map(|changed| changed.read),
            read_why: changed.and_then(|changed| changed.why.clone()),
            unchanged: changed.map(|changed| changed.unchanged),
            removed: changed.map(|changed| changed.removed),
            found: (planned > 0).then_some(Found {
                planned,
                classes: report.seen.classes,
            }),
            error: failure.map(ToString::to_string),
            error_kind: failure.map(|failure| failure.kind),
            hint: failure.and_then(|failure| failure.hint.clone()),
            errors: report.errors.clone(),
            not_found: report.not_found.clone(),
            warnings: report.warnings.clone(),
            ..Self::new(
                &report.id,
                report.priority,
                report.ttl,
                report.status.stage(),
            )
        }
    }
}

/// Without a fraction where there is none.
pub fn whole_seconds(ttl: Duration) -> serde_json::Number {
    let fraction =
        (ttl.subsec_nanos() > 0).then(|| serde_json::Number::from_f64(ttl.as_secs_f64()));
    fraction.flatten().unwrap_or_else(|| ttl.as_secs().into())
}

/// A duration as seconds.
mod in_seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub fn serialize<S: Serializer>(ttl: &Duration, to: S) -> Result<S::Ok, S::Error> {
        super::whole_seconds(*ttl).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(from)?;
        Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::{failed, report, strategy};

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        let info = RunInfo::new("warmup all".to_owned(), Trigger::Cli);
        let report = report(vec![
            strategy("a", 10, 1),
            failed("b", 5, Some(Expected::about(20))),
        ]);
        let record = RunRecord::new(&info, &report, Verdict::of_run(&report, &info.command));
        let text = serde_json::to_string(&record).expect("JSON");
        let read = RunRecord::parse(text.as_bytes()).expect("a record");
        assert_eq!(serde_json::to_string(&read).expect("JSON"), text);
        assert_eq!(read.totals.counts.warmed, 15);
        assert_eq!(read.strategies[1].size.expected, Some(20));
        assert_eq!(read.strategies[1].error_kind, Some(FailureKind::Query));
        assert_eq!(read.mark(), Some(Mark::Bad));
    }

    #[test]
    fn a_record_of_an_earlier_version_is_read() {
        let text = r#"{"schema_version":1,"run_id":"1-2","command":"warmup all","trigger":"cli","host":"h",
            "started_at":"2026-01-01T00:00:00Z","elapsed_ms":5,"outcome":"complete",
            "totals":{"strategies":1,"total":3,"warmed":3,"skipped":0,"failed":0,"unknown":0,"bytes":9,"success_rate":1.0},
            "strategies":[{"id":"a/b","context":"a","name":"b","priority":1,"ttl_seconds":0.5,"status":"failed",
            "total":3,"warmed":3,"skipped":0,"failed":0,"unknown":0,"bytes":9,"success_rate":null,"elapsed_ms":4,
            "error":"it broke","errors":[]}]}"#;
        let read = RunRecord::parse(text.as_bytes()).expect("a record");
        assert_eq!(
            (read.totals.counts.warmed, read.totals.counts.bytes),
            (3, 9)
        );
        assert_eq!(read.strategies[0].error.as_deref(), Some("it broke"));
        assert_eq!(read.mark(), Some(Mark::Good));
    }
}
