//! What `dry-run` and `verify` say alike of a run that only looked.

use serde_json::{Value, json};

use super::document::to_value;
use crate::application::record::{millis, whole_seconds};
use crate::domain::report::{Report, Status, StrategyReport};
use crate::domain::run::RunInfo;
use crate::domain::standing::Classes;
use crate::domain::verdict::Verdict;

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
        "warnings": report.warnings,
    })
}

/// What both commands say of a strategy.
pub(super) fn looked_json(strategy: &StrategyReport, compared: bool) -> Value {
    let expected = strategy.expected();
    let mut json = json!({
        "id": strategy.id.to_string(),
        "context": strategy.id.context,
        "name": strategy.id.name,
        "priority": strategy.priority,
        "ttl_seconds": whole_seconds(strategy.ttl),
        "status": strategy.status.name(),
        "expected": expected.map(|expected| expected.keys),
        "expected_is_exact": expected.is_some_and(|expected| expected.is_exact),
        "skipped": strategy.stats.skipped,
        "failed": strategy.stats.failed + strategy.stats.unknown,
    });
    merge(&mut json, classes_json(&strategy.seen.classes, compared));
    json["not_known"] = strategy.seen.not_known.into();
    json["why_not_known"] = strategy.seen.why_not_known.clone().into();
    json["orphans"] = strategy.seen.orphans.into();
    json["elapsed_ms"] = millis(strategy.stats.elapsed).into();
    json["error"] = match &strategy.status {
        Status::Failed(failure) => failure.to_string().into(),
        _ => Value::Null,
    };
    json["errors"] = to_value(&strategy.errors);
    json
}

/// The members that the totals of both commands have.
pub(super) fn totals_json(report: &Report, compared: bool) -> Value {
    let expected = report.expected();
    let mut json = classes_json(&report.classes(), compared);
    json["strategies"] = report.strategies.len().into();
    json["strategies_failed"] = report.failed_strategies().into();
    json["expected"] = expected.map(|expected| expected.keys).into();
    json["expected_is_exact"] = expected.is_some_and(|expected| expected.is_exact).into();
    json
}

pub(super) fn classes_json(classes: &Classes, compared: bool) -> Value {
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

/// The strategies a line each, then the whole without them.
pub(super) fn lines(strategies: Vec<Value>, json: &Value) -> Vec<Value> {
    let typed = |mut value: Value, name: &str| {
        if let Some(object) = value.as_object_mut() {
            object.shift_insert(0, "type".into(), name.into());
            object.shift_remove("strategies");
        }
        value
    };
    let mut lines: Vec<Value> = strategies
        .into_iter()
        .map(|strategy| typed(strategy, "strategy"))
        .collect();
    lines.push(typed(json.clone(), "run"));
    lines
}
