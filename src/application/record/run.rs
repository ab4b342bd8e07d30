//! A whole run.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::strategy::StrategyRecord;
use crate::domain::counts::{Counts, is_zero, millis};
use crate::domain::expected::{Expected, Size};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::{Outcome, PaceReport, Report, Stage, Stop};
use crate::domain::run::{RunInfo, Trigger};
use crate::domain::verdict::{Mark, Verdict};

/// A run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
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
    #[serde(skip_serializing_if = "Option::is_none")]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "interrupted")]
    pub stopped: Option<Stop>,
    /// Whether every gate was met; null while it runs.
    #[schema(required = true)]
    pub passed: Option<bool>,
    /// How it ended and what failed, in a sentence; null while it runs.
    #[schema(required = true)]
    pub verdict: Option<String>,
    /// What to do about it, mostly a command; null where there is nothing to do.
    #[schema(required = true)]
    pub next: Option<String>,
    /// Why it could not begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The class of that error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "cache_unreachable")]
    pub error_kind: Option<FailureKind>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    pub totals: Totals,
    pub strategies: Vec<StrategyRecord>,
    /// Keys asked for by name that belong to no strategy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<String>,
    #[serde(skip_serializing_if = "is_zero")]
    pub unmatched_total: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The most keys that it was to read of a strategy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// How it was held back, where somebody asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pace: Option<PaceReport>,
    /// The workers that warmed portions of it, where it asked for some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
}

/// The counts of all strategies together.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Totals {
    pub strategies: usize,
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

impl RunRecord {
    pub fn new(info: &RunInfo, report: &Report, verdict: Verdict) -> Self {
        let strategies: Vec<_> = report.strategies.iter().map(StrategyRecord::from).collect();
        Self {
            outcome: Some(report.outcome()),
            stopped: report.stopped,
            passed: Some(verdict.is_good()),
            verdict: Some(verdict.text),
            next: verdict.next,
            elapsed_ms: millis(report.elapsed),
            totals: Totals::sum(&strategies),
            strategies,
            unmatched: report.unmatched.clone(),
            unmatched_total: report.unmatched_total,
            warnings: report.warnings.clone(),
            limit: report.limit,
            pace: report.pace.clone(),
            workers: report.workers,
            ..Self::started(info)
        }
    }

    /// For a run that has just started.
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

    /// For a run that could not start.
    pub fn not_begun(
        info: &RunInfo,
        outcome: Outcome,
        why: String,
        failure: Option<&Failure>,
    ) -> Self {
        Self {
            outcome: Some(outcome),
            passed: Some(false),
            verdict: Some(format!("did not start: {why}")),
            error: Some(why),
            error_kind: failure.map(|failure| failure.kind),
            hint: failure.and_then(|failure| failure.hint.clone()),
            ..Self::started(info)
        }
    }

    /// Parses a record; `None`: this version cannot read it.
    pub fn parse(text: &[u8]) -> Option<Self> {
        // In two steps: serde cannot flatten numbers of arbitrary precision.
        let value: serde_json::Value = serde_json::from_slice(text).ok()?;
        serde_json::from_value(value).ok()
    }

    /// All its strategies as one.
    pub fn total(&self) -> StrategyRecord {
        let totals = &self.totals;
        StrategyRecord {
            size: totals.size,
            total: totals.total,
            counts: totals.counts,
            success_rate: totals.success_rate,
            elapsed_ms: self.elapsed_ms,
            ..StrategyRecord::default()
        }
    }

    /// How it ended, or `running`.
    pub fn status(&self) -> &'static str {
        self.outcome.map_or("running", Outcome::name)
    }

    /// How it ended at a glance; `None`: it has not.
    pub fn mark(&self) -> Option<Mark> {
        let outcome = self.outcome?;
        // Earlier versions recorded neither gates nor what stopped it.
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
            (None, Some(error)) => format!("did not start: {error}"),
            (None, None) => self.status().to_owned(),
        };
        let next = self.next.clone();
        Some(Verdict { mark, text, next })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::{failed, report, strategy};

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        let info = RunInfo::new("warmup all".to_owned(), Trigger::Cli);
        let report = report(vec![strategy("a", 10, 1), failed("b", 5, Some(Expected::about(20)))]);
        let record = RunRecord::new(&info, &report, Verdict::of_run(&report, &info));
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
        assert_eq!((read.totals.counts.warmed, read.totals.counts.bytes), (3, 9));
        assert_eq!(read.strategies[0].error.as_deref(), Some("it broke"));
        assert_eq!(read.mark(), Some(Mark::Good));
    }
}
