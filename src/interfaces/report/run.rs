//! The report of a run, from its record: on screen, to machines, and later by `shopwarm runs`.

use std::time::Duration;

use indicatif::HumanBytes;

use super::document::{Document, to_value};
use super::table::Table;
use super::verify::{requirement_lines, requirements_json, verified_json};
use super::words::{Marked, expectation, joined, listed, marked, not_known, strategy_notes};
use crate::application::record::{PaceRecord, RunRecord, StrategyRecord};
use crate::domain::changes::ReadHow;
use crate::domain::counts::Counts;
use crate::domain::expected::Size;
use crate::domain::gate::{Judged, Verified};
use crate::domain::precision::FINER;
use crate::domain::report::{Report, Stage, StrategyReport};
use crate::domain::wording::{grouped, keys, rate, seconds};

/// What was found when a run was read back.
pub struct ReadBack<'a> {
    pub verified: &'a Verified,
    /// Whether the run itself met its gates.
    pub run_passed: bool,
}

/// A strategy, or all of them together.
struct Line<'a> {
    strategy: Option<&'a StrategyRecord>,
    counts: &'a Counts,
    size: Size,
    elapsed: Duration,
    success_rate: Option<f64>,
}

impl<'a> Line<'a> {
    fn of(strategy: &'a StrategyRecord) -> Self {
        Self {
            strategy: Some(strategy),
            counts: &strategy.counts,
            size: strategy.size,
            elapsed: Duration::from_millis(strategy.elapsed_ms),
            success_rate: strategy.success_rate,
        }
    }

    fn total(record: &'a RunRecord) -> Self {
        Self {
            strategy: None,
            counts: &record.totals.counts,
            size: record.totals.size,
            elapsed: Duration::from_millis(record.elapsed_ms),
            success_rate: record.totals.success_rate,
        }
    }

    fn marked(&self) -> Option<Marked> {
        self.strategy.map(marked)
    }

    fn priority(&self) -> String {
        let priority = self.strategy.map(|strategy| strategy.priority);
        priority.map_or_else(String::new, |priority| priority.to_string())
    }

    fn keys_per_second(&self) -> u64 {
        let elapsed = self.elapsed;
        Counts {
            elapsed,
            ..*self.counts
        }
        .keys_per_second() as u64
    }
}

/// Columns without which the table of most runs is easier to read.
struct Columns {
    /// A strategy was not read to its end: how many keys it has is not its total.
    expected: bool,
    identical: bool,
}

fn table<'a>(columns: &Columns) -> Table<'a, Line<'a>> {
    Table::of(|line: &Line<'_>| to_value(&line.strategy))
        .strategy(Line::marked)
        .csv(["context", "name"])
        .number("priority", 2, Line::priority)
        .csv(["priority", "ttl_seconds", "status"])
        .when(columns.expected, |table| {
            table.number("expected", 1, |line| expectation(line.size.known()))
        })
        .csv(["expected", "expected_is_exact"])
        .count("total", 1, |line| line.counts.total())
        .count("warmed", 0, |line| line.counts.warmed)
        .when(columns.identical, |table| {
            table.number("identical", 1, |line| {
                grouped(line.counts.identical.unwrap_or(0))
            })
        })
        .count("skipped", 1, |line| line.counts.skipped)
        .count("failed", 0, |line| line.counts.failed)
        .count("unknown", 1, |line| line.counts.unknown)
        .number("bytes", 2, |line| HumanBytes(line.counts.bytes).to_string())
        .csv(["bytes"])
        .number("time", 1, |line| seconds(line.elapsed))
        .csv(["elapsed_ms"])
        .number("keys/s", 2, |line| grouped(line.keys_per_second()))
        .number("success", 1, |line| rate(line.success_rate))
        .csv(["success_rate", "error"])
}

/// The report as a document.
pub fn document(record: &RunRecord, read_back: Option<&ReadBack<'_>>, verbose: bool) -> Document {
    let is_unfinished = |s: &StrategyRecord| s.status != Stage::Completed;
    let columns = Columns {
        expected: record.strategies.iter().any(is_unfinished),
        identical: record.totals.counts.identical.is_some(),
    };
    let lines = record.strategies.iter().map(Line::of);
    let mut document = table(&columns).document(lines, Some(Line::total(record)));
    document.footer =
        footer(record, verbose) + &read_back.map(read_back_footer).unwrap_or_default();
    document.verdict = record.verdict();
    document.json = to_value(record);
    if let Some(ReadBack { verified, .. }) = read_back {
        document.json["verified"] = verified_json(&verified.found.strategies);
        document.json["requirements"] = requirements_json(&verified.judge());
    }
    document.with_run_line()
}

/// Under the table: what went wrong, and what else is to be known.
fn footer(record: &RunRecord, verbose: bool) -> String {
    let counts = &record.totals.counts;
    let notes = |strategy| strategy_notes(strategy, verbose);
    let mut lines: Vec<String> = record.strategies.iter().flat_map(notes).collect();
    lines.extend(record.warnings.iter().map(|text| format!("! {text}")));
    lines.extend(unprotected_lines(&record.strategies));
    lines.extend(to_the_second_line(&record.strategies));
    lines.extend(overtaken_line(counts));
    lines.extend(unverified_line(counts));
    lines.extend(record.strategies.iter().filter_map(read_line));
    lines.extend(record.pace.as_ref().map(pace_line));
    if counts.pruned > 0 {
        lines.push(format!("pruned: {} without a row", keys(counts.pruned)));
    }
    if record.unmatched_total > 0 {
        let list = listed(&record.unmatched, record.unmatched_total);
        let total = keys(record.unmatched_total);
        lines.push(format!("✗ {total} of no strategy: {list}"));
    }
    joined(lines)
}

/// Which strategies may have left stale values, and why.
fn unprotected_lines(strategies: &[StrategyRecord]) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for strategy in strategies {
        let Some(why) = strategy.unprotected_because.as_deref() else {
            continue;
        };
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, ids)) => ids.push(&strategy.id),
            None => reasons.push((why, vec![&strategy.id])),
        }
    }
    let line = |(why, ids): (&str, Vec<&str>)| {
        let all = ids.len() == strategies.len() && ids.len() > 1;
        let who = match all {
            true => "all strategies".to_owned(),
            false => ids.join(", "),
        };
        format!("! not protected against changes while they are written: {who} ({why})")
    };
    reasons.into_iter().map(line).collect()
}

/// Which strategies cannot tell two changes within a second apart.
fn to_the_second_line(strategies: &[StrategyRecord]) -> Option<String> {
    let coarse = strategies.iter().filter(|s| s.protected_to.is_some());
    let ids: Vec<&str> = coarse.map(|strategy| strategy.id.as_str()).collect();
    (!ids.is_empty()).then(|| {
        format!(
            "! protected to the second only, as _version has whole seconds: {} (better: {FINER})",
            ids.join(", ")
        )
    })
}

/// What may be stale for all that is known.
fn unverified_line(counts: &Counts) -> Option<String> {
    let unverified = keys(counts.unverified);
    (counts.unverified > 0)
        .then(|| format!("✗ {unverified} could not be verified, and may be stale"))
}

/// How a strategy was read that was to be read by its changes.
fn read_line(strategy: &StrategyRecord) -> Option<String> {
    let (id, read) = (&strategy.id, strategy.read?);
    Some(match &strategy.read_why {
        Some(why) => format!("  {id}: read whole, as {why}"),
        None => format!(
            "  {id}: read {}, {} unchanged, {} removed",
            match read {
                ReadHow::Changed => "what changed",
                ReadHow::Keys => "its keys and what changed",
                ReadHow::Full => "whole",
            },
            grouped(strategy.unchanged.unwrap_or(0)),
            grouped(strategy.removed.unwrap_or(0)),
        ),
    })
}

/// What changed on its way to the cache.
fn overtaken_line(counts: &Counts) -> Option<String> {
    let (repaired, withdrawn) = (counts.repaired, counts.withdrawn);
    (repaired + withdrawn > 0).then(|| {
        format!(
            "{} changed while they were written: {} written again, {} left out; none was stale for longer than {}",
            keys(repaired + withdrawn),
            grouped(repaired),
            grouped(withdrawn),
            seconds(counts.exposure),
        )
    })
}

/// What held the run back.
fn pace_line(pace: &PaceRecord) -> String {
    let time = |time: f64| seconds(Duration::try_from_secs_f64(time).unwrap_or_default());
    let parts = pace.limited_by.iter();
    let parts = parts.map(|limited| format!("{} for {}", limited.by, time(limited.seconds)));
    let limited = match parts.collect::<Vec<_>>().join(", by ").as_str() {
        "" => "nothing had to wait".to_owned(),
        parts => format!("limited by {parts}"),
    };
    let lowest = pace.lowest_rate.map_or_else(String::new, |rate| {
        format!(", never below {} keys/s", grouped(rate))
    });
    format!("pace: {limited}{lowest}")
}

/// What was found in the cache after the run.
fn read_back_footer(read_back: &ReadBack<'_>) -> String {
    let (report, judged) = (&read_back.verified.found, read_back.verified.judge());
    let is_one_of_many = judged.len() > 1;
    let mut lines = vec![format!("verified: {}", found(report))];
    lines.extend(report.strategies.iter().filter_map(not_known));
    // The verdict says the only one; that one is met is no news of a run that failed.
    let is_told = |judged: &Judged<'_>| match read_back.run_passed {
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
    let sum = |of: fn(&StrategyReport) -> u64| report.strategies.iter().map(of).sum::<u64>();
    let mut text = format!(
        "of {} {} present, {} equal, {} missing, {} stale",
        keys(sum(StrategyReport::planned)),
        grouped(classes.present()),
        grouped(classes.equal()),
        grouped(classes.missing),
        grouped(classes.stale()),
    );
    let not_known = sum(StrategyReport::not_present).saturating_sub(classes.missing);
    if not_known > 0 {
        text += &format!(", {} not known", grouped(not_known));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::record::LimitedBy;

    #[test]
    fn a_pace_that_held_nothing_back_says_so() {
        let mut pace = PaceRecord {
            gentle: false,
            rate: None,
            bytes_rate: None,
            lowest_rate: Some(100),
            limited_by: Vec::new(),
        };
        assert_eq!(
            pace_line(&pace),
            "pace: nothing had to wait, never below 100 keys/s"
        );
        pace.limited_by.push(LimitedBy {
            by: "rate".to_owned(),
            seconds: 2.0,
        });
        assert!(pace_line(&pace).starts_with("pace: limited by rate for 2"));
    }
}
