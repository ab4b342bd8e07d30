//! The common JSON and columns of `dry-run` and `verify`.

use serde_json::{Value, json};

use super::document::to_value;
use super::words::{Marked, marked};
use crate::application::record::{StrategyRecord, ttl_seconds};
use crate::domain::counts::{Counts, millis};
use crate::domain::expected::{Expected, Size};
use crate::domain::report::{Report, StrategyReport};
use crate::domain::run::RunInfo;
use crate::domain::standing::Classes;
use crate::domain::verdict::Verdict;

/// A strategy's record, and the classes of its keys.
pub(super) struct Inspected<'a> {
    pub report: &'a StrategyReport,
    pub record: StrategyRecord,
}

impl<'a> Inspected<'a> {
    pub(super) fn all(report: &'a Report) -> Vec<Self> {
        let of = |report: &'a StrategyReport| Self { report, record: report.into() };
        report.strategies.iter().map(of).collect()
    }

    pub(super) fn json(&self, compared: bool) -> Value {
        let (record, seen) = (&self.record, &self.report.seen);
        let mut json = json!({
            "id": record.id,
            "context": record.context,
            "name": record.name,
            "priority": record.priority,
            "ttl_seconds": ttl_seconds(record.ttl),
            "status": record.status,
            "expected": record.size.expected,
            "expected_is_exact": record.size.expected_is_exact,
            "skipped": record.counts.skipped,
            "failed": record.counts.wrong(),
        });
        merge(&mut json, classes_json(&seen.classes, compared));
        let more = json!({
            "not_known": seen.not_known,
            "why_not_known": seen.why_not_known,
            "orphans": seen.orphans,
            "elapsed_ms": record.elapsed_ms,
            "error": record.error,
            "errors": record.errors,
            "causes": record.causes,
            "warnings": record.warnings,
        });
        merge(&mut json, more);
        json
    }
}

/// A strategy, or the total, in the tables of both commands.
pub(super) struct Line<'a> {
    pub of: Option<&'a Inspected<'a>>,
    pub expected: Option<Expected>,
    /// Whether everything was read.
    pub is_whole: bool,
    /// Planned keys, including failed ones.
    pub planned: u64,
    pub counts: Counts,
    pub classes: Classes,
    pub orphans: Option<u64>,
    pub ttl_outside: u64,
}

impl<'a> Line<'a> {
    pub(super) fn new(of: &'a Inspected<'a>) -> Self {
        let (report, seen) = (of.report, &of.report.seen);
        Self {
            of: Some(of),
            expected: report.expected(),
            is_whole: !report.is_unfinished(),
            planned: report.planned(),
            counts: report.stats,
            classes: seen.classes,
            orphans: seen.orphans,
            ttl_outside: seen.ttl_outside,
        }
    }

    pub(super) fn total(report: &Report) -> Self {
        let all = || report.strategies.iter();
        Self {
            of: None,
            expected: report.expected(),
            is_whole: !all().any(StrategyReport::is_unfinished),
            planned: all().map(StrategyReport::planned).sum(),
            counts: report.totals(),
            classes: report.classes(),
            orphans: all().map(|s| s.seen.orphans).sum(),
            ttl_outside: all().map(|s| s.seen.ttl_outside).sum(),
        }
    }

    pub(super) fn marked(&self) -> Option<Marked> {
        marked(&self.of?.record)
    }
}

pub(super) fn run_json(info: &RunInfo, report: &Report, verdict: &Verdict) -> Value {
    json!({
        "schema_version": 1,
        "run_id": info.id,
        "command": info.command,
        "started_at": humantime::format_rfc3339_seconds(info.started).to_string(),
        "elapsed_ms": millis(report.elapsed),
        "outcome": report.outcome(),
        "passed": verdict.is_good(),
        "verdict": verdict.text,
        "next": verdict.next,
        "warnings": report.warnings,
    })
}

/// The totals of both commands.
pub(super) fn totals_json(report: &Report, compared: bool) -> Value {
    let mut json = classes_json(&report.classes(), compared);
    json["strategies"] = report.strategies.len().into();
    json["strategies_failed"] = report.failed_strategies().into();
    merge(&mut json, to_value(&Size::from(report.expected())));
    json
}

fn classes_json(classes: &Classes, compared: bool) -> Value {
    let count = |n: u64| compared.then_some(n);
    json!({
        "missing": count(classes.missing),
        "different": count(classes.different),
        "expiring": count(classes.expiring),
        "wrong_type": count(classes.wrong_type),
        "identical": count(classes.identical),
    })
}

pub(super) fn merge(into: &mut Value, from: Value) {
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}
