//! The report of a run, for people and machines.

use indicatif::HumanBytes;

use super::document::{Document, Row, Tone, number, text, to_value};
use super::notes::{expectation, listed, mark, not_known, strategy_notes};
use super::verification::{requirement_lines, requirements_json, verified_json};
use crate::application::record::{RunRecord, StrategyRecord};
use crate::domain::changes::ReadHow;
use crate::domain::expected::Expected;
use crate::domain::gate::{Judged, Verified};
use crate::domain::precision::FINER;
use crate::domain::report::{PaceReport, Protection, Report, Stats, StrategyReport};
use crate::domain::run::RunInfo;
use crate::domain::verdict::Verdict;
use crate::domain::wording::{grouped, keys, rate, seconds};

/// The strategy's line of NDJSON output and of the events.
pub fn strategy_json(report: &StrategyReport) -> serde_json::Value {
    to_value(&StrategyRecord::from(report))
}

fn with_type(mut value: serde_json::Value, name: &str) -> serde_json::Value {
    if let Some(object) = value.as_object_mut() {
        object.shift_insert(0, "type".into(), name.into());
    }
    value
}

/// Columns that only some reports have.
#[derive(Clone, Copy)]
struct Columns {
    /// A strategy was not read to its end: how many keys it has is not its total.
    expected: bool,
}

impl Columns {
    fn of(report: &Report) -> Self {
        let expected = report.strategies.iter().any(StrategyReport::is_unfinished);
        Self { expected }
    }
}

/// The report as a document.
pub fn document(
    info: &RunInfo,
    report: &Report,
    verified: Option<&Verified>,
    verbose: bool,
) -> Document {
    let totals = report.totals();
    let verdict = Verdict::of_run_and(report, verified, &info.command);
    let mut json = to_value(&RunRecord::judged(info, report, verdict.clone()));
    if let Some(verified) = verified {
        json["verified"] = verified_json(&verified.found.strategies);
        json["requirements"] = requirements_json(&verified.judge());
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
    let columns = Columns::of(report);
    let mut headings = vec![text("strategy", 0), number("priority", 2)];
    headings.extend(columns.expected.then(|| number("expected", 1)));
    headings.extend([number("total", 1), number("warmed", 0)]);
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
    let row = |strategy| strategy_row(strategy, columns);
    let mut rows: Vec<Row> = report.strategies.iter().map(row).collect();
    let size = (report.expected(), report.success_rate());
    rows.push(Row {
        cells: cells("total".to_owned(), String::new(), &totals, size, columns),
        tone: Tone::Total,
    });
    Document {
        headings,
        rows,
        footer: footer(report, &totals, verbose) + &verified_footer(report, verified),
        verdict: Some(verdict),
        json,
        lines,
        csv: &[
            "id",
            "context",
            "name",
            "priority",
            "ttl_seconds",
            "status",
            "expected",
            "expected_is_exact",
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

fn strategy_row(report: &StrategyReport, columns: Columns) -> Row {
    let (mark, tone) = mark(report);
    let (name, priority) = (format!("{mark} {}", report.id), report.priority.to_string());
    let size = (report.expected(), report.success_rate());
    Row {
        cells: cells(name, priority, &report.stats, size, columns),
        tone,
    }
}

fn cells(
    name: String,
    priority: String,
    stats: &Stats,
    (expected, success): (Option<Expected>, Option<f64>),
    columns: Columns,
) -> Vec<String> {
    let mut cells = vec![name, priority];
    if columns.expected {
        cells.push(expectation(expected));
    }
    cells.extend([grouped(stats.total()), grouped(stats.warmed)]);
    cells.extend(stats.identical.map(grouped));
    cells.extend([
        grouped(stats.skipped),
        grouped(stats.failed),
        grouped(stats.unknown),
        HumanBytes(stats.bytes).to_string(),
        seconds(stats.elapsed),
        grouped(stats.keys_per_second() as u64),
        rate(success),
    ]);
    cells
}

/// Under the table: what went wrong, and what else is to be known.
fn footer(report: &Report, totals: &Stats, verbose: bool) -> String {
    let mut lines: Vec<String> = report
        .strategies
        .iter()
        .flat_map(|strategy| strategy_notes(strategy, verbose))
        .collect();
    lines.extend(report.warnings.iter().map(|text| format!("! {text}")));
    lines.extend(unprotected_lines(report));
    lines.extend(to_the_second_line(report));
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
    joined(lines)
}

/// Each on a line of its own.
fn joined(lines: Vec<String>) -> String {
    lines.into_iter().map(|line| line + "\n").collect()
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

/// Which strategies cannot tell two changes within a second apart.
fn to_the_second_line(report: &Report) -> Option<String> {
    let is_coarse = |s: &&StrategyReport| s.protection == Some(Protection::ToTheSecond);
    let coarse = report.strategies.iter().filter(is_coarse);
    let ids: Vec<String> = coarse.map(|strategy| strategy.id.to_string()).collect();
    (!ids.is_empty()).then(|| {
        format!(
            "! protected to the second only, as _version has whole seconds: {} (better: {FINER})",
            ids.join(", ")
        )
    })
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
                grouped(changed.unchanged),
                grouped(changed.removed),
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
            grouped(repaired),
            grouped(withdrawn),
            seconds(totals.exposure),
        )
    })
}

/// What held the run back.
fn pace_line(pace: &PaceReport) -> String {
    let parts: Vec<String> = pace
        .limited_by
        .iter()
        .map(|(by, time)| format!("{} for {}", by.name(), seconds(*time)))
        .collect();
    let limited = match parts.is_empty() {
        true => "nothing had to wait".to_owned(),
        false => format!("limited by {}", parts.join(", by ")),
    };
    let lowest = pace.lowest_rate.map_or_else(String::new, |rate| {
        format!(", never below {} keys/s", grouped(rate))
    });
    format!("pace: {limited}{lowest}")
}

/// What was found in the cache after the run.
fn verified_footer(run: &Report, verified: Option<&Verified>) -> String {
    let Some(verified) = verified else {
        return String::new();
    };
    let (report, judged) = (&verified.found, verified.judge());
    let is_one_of_many = judged.len() > 1;
    let mut lines = vec![format!("verified: {}", found(report))];
    lines.extend(report.strategies.iter().filter_map(not_known));
    // The verdict says the only one; that one is met is no news of a run that failed.
    let is_told = |judged: &Judged<'_>| match run.passes() {
        true => is_one_of_many,
        false => !judged.met,
    };
    let told: Vec<_> = judged.into_iter().filter(is_told).collect();
    lines.extend(requirement_lines(&told));
    joined(lines)
}

/// The classes of the keys that were looked at; they add up.
fn found(report: &Report) -> String {
    let classes = report.classes();
    let planned: u64 = report.strategies.iter().map(StrategyReport::planned).sum();
    let not_present: u64 = report
        .strategies
        .iter()
        .map(StrategyReport::not_present)
        .sum();
    let mut text = format!(
        "of {} {} present, {} equal, {} missing, {} stale",
        keys(planned),
        grouped(classes.present()),
        grouped(classes.equal()),
        grouped(classes.missing),
        grouped(classes.stale()),
    );
    let not_known = not_present.saturating_sub(classes.missing);
    if not_known > 0 {
        text += &format!(", {} not known", grouped(not_known));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::report::Limiter;

    #[test]
    fn a_pace_that_held_nothing_back_says_so() {
        let mut pace = PaceReport {
            lowest_rate: Some(100),
            ..PaceReport::default()
        };
        let says = |pace: &PaceReport| pace_line(pace);
        assert_eq!(
            says(&pace),
            "pace: nothing had to wait, never below 100 keys/s"
        );
        pace.limited_by = vec![(Limiter::Rate, Duration::from_secs(2))];
        assert!(says(&pace).starts_with("pace: limited by rate for 2"));
    }
}
