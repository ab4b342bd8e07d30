//! The report of a run, for people and machines.

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use super::document::{Document, Row, Tone, number, text};
use super::looked::not_known;
use super::verification::{requirement_lines, requirements_json, verified_json};
use crate::application::record::{RunRecord, StrategyRecord};
use crate::domain::changes::ReadHow;
use crate::domain::gate::Judged;
use crate::domain::key::shortened;
use crate::domain::report::{
    Outcome, PaceReport, Protection, Report, Stats, Status, StrategyReport,
};
use crate::domain::run::RunInfo;

/// Errors shown under the table of one strategy without `-v`.
const SHOWN_ERRORS: usize = 5;

/// Longer keys are cut where people read them.
const SHOWN_KEY: usize = 120;

/// The strategy's line of NDJSON output and of the events.
pub fn strategy_json(report: &StrategyReport) -> serde_json::Value {
    to_value(&StrategyRecord::from(report))
}

pub fn to_value(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn with_type(mut value: serde_json::Value, name: &str) -> serde_json::Value {
    if let Some(object) = value.as_object_mut() {
        object.shift_insert(0, "type".into(), name.into());
    }
    value
}

/// The report as a document.
pub fn document(
    info: &RunInfo,
    report: &Report,
    verified: Option<(&Report, &[Judged<'_>])>,
    verbose: bool,
) -> Document {
    let totals = report.totals();
    let mut json = to_value(&RunRecord::new(info, report));
    if let Some((found, judged)) = verified {
        json["verified"] = verified_json(&found.strategies);
        json["requirements"] = requirements_json(judged);
    }
    let mut lines: Vec<_> = report
        .strategies
        .iter()
        .map(|s| with_type(strategy_json(s), "strategy"))
        .collect();
    let mut last = with_type(json.clone(), "run");
    if let Some(object) = last.as_object_mut() {
        object.shift_remove("strategies");
    }
    lines.push(last);
    let mut headings = vec![
        text("strategy", 0),
        number("priority", 2),
        number("total", 1),
        number("warmed", 0),
    ];
    headings.extend(totals.identical.map(|_| number("identical", 1)));
    headings.extend([
        number("skipped", 1),
        number("failed", 0),
        number("unknown", 1),
        number("bytes", 2),
        number("time", 1),
        number("keys/s", 2),
        number("success", 1),
    ]);
    let mut rows: Vec<Row> = report.strategies.iter().map(strategy_row).collect();
    rows.push(Row {
        cells: cells("total".to_owned(), String::new(), &totals),
        tone: Tone::Total,
    });
    Document {
        headings,
        rows,
        footer: footer(report, &totals, verbose) + &verified_footer(verified),
        json,
        lines,
        csv: &[
            "id",
            "context",
            "name",
            "priority",
            "ttl_seconds",
            "status",
            "total",
            "warmed",
            "skipped",
            "failed",
            "unknown",
            "bytes",
            "elapsed_ms",
            "success_rate",
            "error",
        ],
    }
}

fn strategy_row(report: &StrategyReport) -> Row {
    let (mark, tone) = match report.status {
        Status::Completed if report.stats.failed + report.stats.unknown == 0 => ("✓", Tone::Good),
        Status::Cancelled => ("–", Tone::Plain),
        _ => ("✗", Tone::Bad),
    };
    Row {
        cells: cells(
            format!("{mark} {}", report.id),
            report.priority.to_string(),
            &report.stats,
        ),
        tone,
    }
}

fn cells(name: String, priority: String, stats: &Stats) -> Vec<String> {
    let mut cells = vec![
        name,
        priority,
        HumanCount(stats.total()).to_string(),
        HumanCount(stats.warmed).to_string(),
    ];
    cells.extend(stats.identical.map(|n| HumanCount(n).to_string()));
    cells.extend([
        HumanCount(stats.skipped).to_string(),
        HumanCount(stats.failed).to_string(),
        HumanCount(stats.unknown).to_string(),
        HumanBytes(stats.bytes).to_string(),
        seconds(stats.elapsed),
        HumanCount(stats.keys_per_second() as u64).to_string(),
        rate(stats.success_rate()),
    ]);
    cells
}

/// Never rounded up to 100 %.
pub fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(
        || "–".to_owned(),
        |rate| format!("{:.1}%", (rate * 1000.0).floor() / 10.0),
    )
}

pub fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        s @ 1..60 => format!("{}.{} s", s, duration.subsec_millis() / 100),
        s => format!("{}m {:02}s", s / 60, s % 60),
    }
}

/// What went wrong with a strategy, key by key.
pub fn strategy_notes(strategy: &StrategyReport, verbose: bool) -> Vec<String> {
    let mut lines = Vec::new();
    if let Status::Failed(failure) = &strategy.status {
        let id = strategy.id.to_string();
        lines.push(format!("✗ {id}: {}", failure.about(&id)));
        lines.extend(failure.hint.iter().map(|hint| format!("    hint: {hint}")));
    }
    let wrong = strategy.stats.failed + strategy.stats.unknown;
    if wrong > 0 {
        lines.push(format!("✗ {}: {} not warmed:", strategy.id, keys(wrong)));
        let shown = if verbose { usize::MAX } else { SHOWN_ERRORS };
        for error in strategy.errors.iter().take(shown) {
            lines.push(format!(
                "    {}  {}",
                shortened(&error.key, SHOWN_KEY),
                error.error
            ));
        }
        let listed = strategy.errors.len().min(shown) as u64;
        if wrong > listed && listed > 0 {
            lines.push(format!("    and {} more", HumanCount(wrong - listed)));
        }
    }
    if !strategy.not_found.is_empty() {
        let list = listed(&strategy.not_found, strategy.absent);
        lines.push(format!("  {}: no row for {list}", strategy.id));
    }
    lines.extend(strategy.warnings.iter().map(|text| format!("! {text}")));
    lines
}

/// Under the table: what went wrong, and the outcome in one sentence.
fn footer(report: &Report, totals: &Stats, verbose: bool) -> String {
    let mut lines: Vec<String> = report
        .strategies
        .iter()
        .flat_map(|strategy| strategy_notes(strategy, verbose))
        .collect();
    lines.extend(report.warnings.iter().map(|text| format!("! {text}")));
    lines.extend(unprotected_lines(report));
    lines.extend(overtaken_line(totals));
    lines.extend(unverified_line(totals));
    lines.extend(read_lines(report));
    lines.extend(report.pace.as_ref().map(pace_line));
    if totals.pruned > 0 {
        lines.push(format!("pruned: {} without a row", keys(totals.pruned)));
    }
    if report.unmatched_total > 0 {
        let list = listed(&report.unmatched, report.unmatched_total);
        let total = keys(report.unmatched_total);
        lines.push(format!("✗ {total} of no strategy: {list}"));
    }
    lines.push(format!(
        "{}: {} of {} warmed in {}",
        match report.outcome() {
            Outcome::Complete => "complete",
            Outcome::Incomplete => "incomplete",
            Outcome::Empty => "nothing to warm",
            Outcome::Interrupted => "interrupted",
            Outcome::Deadline => "deadline hit",
        },
        HumanCount(totals.warmed),
        keys(totals.total()),
        seconds(report.elapsed),
    ));
    lines.join("\n") + "\n"
}

/// Which strategies may have left stale values, and why.
fn unprotected_lines(report: &Report) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for strategy in &report.strategies {
        let Some(why) = strategy.protection.and_then(Protection::why_not) else {
            continue;
        };
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, ids)) => ids.push(strategy.id.to_string()),
            None => reasons.push((why, vec![strategy.id.to_string()])),
        }
    }
    let line = |(why, ids): (&str, Vec<String>)| {
        let all = ids.len() == report.strategies.len() && ids.len() > 1;
        let who = if all {
            "all strategies".to_owned()
        } else {
            ids.join(", ")
        };
        format!("! not protected against changes while they are written: {who} ({why})")
    };
    reasons.into_iter().map(line).collect()
}

/// What may be stale for all that is known.
fn unverified_line(totals: &Stats) -> Option<String> {
    let unverified = totals.unverified;
    (unverified > 0).then(|| {
        format!(
            "✗ {} could not be verified, and may be stale",
            keys(unverified)
        )
    })
}

/// How strategies were read that were to be read by their changes.
fn read_lines(report: &Report) -> Vec<String> {
    let line = |strategy: &StrategyReport| {
        let changed = strategy.changed.as_ref()?;
        let id = &strategy.id;
        Some(match &changed.why {
            Some(why) => format!("  {id}: read whole, as {why}"),
            None => format!(
                "  {id}: read {}, {} unchanged, {} removed",
                match changed.read {
                    ReadHow::Changed => "what changed",
                    ReadHow::Keys => "its keys and what changed",
                    ReadHow::Full => "whole",
                },
                HumanCount(changed.unchanged),
                HumanCount(changed.removed),
            ),
        })
    };
    report.strategies.iter().filter_map(line).collect()
}

/// What changed on its way to the cache.
fn overtaken_line(totals: &Stats) -> Option<String> {
    let (repaired, withdrawn) = (totals.repaired, totals.withdrawn);
    (repaired + withdrawn > 0).then(|| {
        format!(
            "{} changed while they were written: {} written again, {} left out; none was stale for longer than {}",
            keys(repaired + withdrawn),
            HumanCount(repaired),
            HumanCount(withdrawn),
            seconds(totals.exposure),
        )
    })
}

/// What held the run back.
fn pace_line(pace: &PaceReport) -> String {
    let mut parts: Vec<String> = pace
        .limited_by
        .iter()
        .map(|(by, time)| format!("{} for {}", by.name(), seconds(*time)))
        .collect();
    if parts.is_empty() {
        parts.push("nothing".to_owned());
    }
    let lowest = pace.lowest_rate.map_or_else(String::new, |rate| {
        format!(", never below {} keys/s", HumanCount(rate))
    });
    format!("pace: limited by {}{lowest}", parts.join(", by "))
}

/// What was found in the cache after the run.
fn verified_footer(verified: Option<(&Report, &[Judged<'_>])>) -> String {
    let Some((report, judged)) = verified else {
        return String::new();
    };
    let classes = report.classes();
    let planned = report.strategies.iter().map(StrategyReport::planned);
    let mut lines = vec![format!(
        "verified: of {} {} present, {} equal, {} missing, {} stale",
        keys(planned.sum()),
        HumanCount(classes.present()),
        HumanCount(classes.equal()),
        HumanCount(classes.missing),
        HumanCount(classes.stale()),
    )];
    lines.extend(report.strategies.iter().filter_map(not_known));
    lines.extend(requirement_lines(judged));
    lines.join("\n") + "\n"
}

/// The kept ones of `total` keys.
fn listed(kept: &[String], total: u64) -> String {
    let shown: Vec<_> = kept.iter().map(|key| shortened(key, SHOWN_KEY)).collect();
    let rest = total.saturating_sub(shown.len() as u64);
    let more = if rest > 0 {
        format!(" and {} more", HumanCount(rest))
    } else {
        String::new()
    };
    format!("{}{more}", shown.join(", "))
}

pub fn keys(n: u64) -> String {
    format!("{} key{}", HumanCount(n), if n == 1 { "" } else { "s" })
}
