//! The report of a run, from its record; also for `shopwarm runs`.

use std::time::Duration;

use super::document::{Document, to_value};
use super::table::Table;
use super::verify::{requirement_lines, requirements_json, verified_json};
use super::words::{
    NONE, by_reason, error_notes, expectation, joined, listed, marked, not_compared, speed,
};
use crate::application::record::{RunRecord, StrategyRecord};
use crate::domain::changes::ReadHow;
use crate::domain::counts::Counts;
use crate::domain::gate::Verified;
use crate::domain::precision::FINER;
use crate::domain::report::{LimitedBy, Limiter, PaceReport, Report, Stage, StrategyReport};
use crate::domain::wording::{counted, first, grouped, keys, rate, seconds, size};

/// Of a strategy that failed as a whole, its keys did not: none is no good news.
fn failed(strategy: &StrategyRecord) -> String {
    match (strategy.status, strategy.counts.failed) {
        (Stage::Failed, 0) => NONE.to_owned(),
        (_, failed) => grouped(failed),
    }
}

/// A strategy that fails sooner than this, without a key, did nothing that took time.
const AT_ONCE_MS: u64 = 1000;

/// One that did not has nothing to show but what was expected.
fn has_begun(strategy: &StrategyRecord) -> bool {
    strategy.status == Stage::Completed || strategy.total > 0 || strategy.elapsed_ms >= AT_ONCE_MS
}

fn took(strategy: &StrategyRecord) -> String {
    let took = seconds(Duration::from_millis(strategy.elapsed_ms));
    if has_begun(strategy) { took } else { NONE.to_owned() }
}

fn keys_per_second(strategy: &StrategyRecord) -> String {
    let elapsed = Duration::from_millis(strategy.elapsed_ms);
    let counts = Counts { elapsed, ..strategy.counts };
    speed(&counts).unwrap_or_else(|| NONE.to_owned())
}

/// The columns; those that most runs do not need only where they say something.
fn table<'a>(record: &RunRecord, total: &StrategyRecord) -> Table<'a, &'a StrategyRecord> {
    let all = || record.strategies.iter();
    let partial = all().any(|s| s.status != Stage::Completed);
    let identical = total.counts.identical.is_some();
    let imperfect = all().any(|s| s.success_rate.is_some_and(|rate| rate < 1.0));
    Table::of(|strategy: &&StrategyRecord| to_value(strategy))
        .strategy(|strategy| marked(strategy))
        .csv(["context", "name"])
        .csv(["priority", "ttl_seconds", "status"])
        .when(partial, |table| table.number("expected", 1, |s| expectation(s.size.known())))
        .csv(["expected", "expected_is_exact"])
        .number("keys", 1, |s| grouped(s.total))
        .csv(["total"])
        .count("warmed", 0, |s| s.counts.warmed)
        .when(identical, |table| {
            table.number("identical", 0, |s| grouped(s.counts.identical.unwrap_or(0)))
        })
        .count("skipped", 1, |s| s.counts.skipped)
        .number("failed", 0, |strategy| failed(strategy))
        .csv(["failed"])
        .number("unconfirmed", 1, |s| grouped(s.counts.unknown))
        .csv(["unknown"])
        .number("size", 3, |s| size(s.counts.bytes))
        .csv(["bytes"])
        .number("took", 2, |strategy| took(strategy))
        .wide_as("120 ms")
        .csv(["elapsed_ms"])
        .number("keys/s", 4, |strategy| keys_per_second(strategy))
        .when(imperfect, |table| {
            table.number("success", 2, |s| rate(s.success_rate.filter(|_| has_begun(s))))
        })
        .csv(["success_rate", "error"])
}

/// The report as a document.
pub(crate) fn document(record: &RunRecord, verified: Option<&Verified>, verbose: bool) -> Document {
    let total = record.total();
    let table = table(record, &total);
    let mut document = table.document(&record.strategies, Some(&total));
    if record.strategies.is_empty() && record.unmatched_total > 0 {
        document.headings.clear();
    }
    document.footer = footer(record, verbose) + &verified.map(read_back_footer).unwrap_or_default();
    document.verdict = record.verdict();
    document.json = to_value(record);
    if let Some(verified) = verified {
        document.json["verified"] = verified_json(&verified.found.strategies);
        document.json["requirements"] = requirements_json(&verified.judge());
    }
    document.with_run_line()
}

/// The notes below the table: errors and other facts.
fn footer(record: &RunRecord, verbose: bool) -> String {
    let counts = &record.totals.counts;
    let mut lines = error_notes(&record.strategies, verbose);
    lines.extend(warnings(record).iter().map(|text| format!("! {text}")));
    lines.extend(overtaken_line(counts));
    lines.extend(unverified_line(counts).map(|text| format!("✗ {text}")));
    lines.extend(record.strategies.iter().filter_map(read_line));
    lines.extend(record.pace.as_ref().and_then(pace_line));
    if let Some(workers) = record.workers.filter(|workers| *workers > 0) {
        lines.push(format!("warmed by {}", counted(workers, "worker")));
    }
    if counts.resumed > 0 {
        lines.push(format!(
            "resumed: {} of an interrupted run were left alone",
            keys(counts.resumed)
        ));
    }
    if counts.pruned > 0 {
        lines.push(format!("pruned: {} without a row", keys(counts.pruned)));
    }
    if record.unmatched_total > 0 {
        let list = listed(&record.unmatched, record.unmatched_total);
        let total = keys(record.unmatched_total);
        lines.push(format!("✗ {total} without a strategy: {list}"));
    }
    joined(lines)
}

/// What people should know of a run beside its errors.
pub(in crate::interfaces) fn warnings(record: &RunRecord) -> Vec<String> {
    let mut lines = record.warnings.clone();
    lines.extend(unprotected_lines(&record.strategies));
    lines.extend(to_the_second_line(&record.strategies));
    lines
}

/// Strategies that may have left stale values, and why.
fn unprotected_lines(strategies: &[StrategyRecord]) -> Vec<String> {
    let open = strategies.iter().filter(|strategy| !strategy.unprotected_ok);
    let open =
        open.filter_map(|strategy| Some((strategy.unprotected_because.as_deref()?, &*strategy.id)));
    let line = |(why, ids): (&str, Vec<&str>)| {
        let all = ids.len() == strategies.len() && ids.len() > 1;
        let who = match all {
            true => "all strategies".to_owned(),
            false => first(ids.iter().copied(), SHOWN_NAMES),
        };
        format!("not protected against changes during the run: {who} ({why})")
    };
    by_reason(open).into_iter().map(line).collect()
}

/// Max names of strategies in a note.
const SHOWN_NAMES: usize = 4;

/// Strategies that cannot distinguish two changes within a second.
fn to_the_second_line(strategies: &[StrategyRecord]) -> Option<String> {
    let is_coarse = |s: &&StrategyRecord| s.protected_to.is_some() && !s.unprotected_ok;
    let coarse = strategies.iter().filter(is_coarse);
    let ids: Vec<&str> = coarse.map(|strategy| strategy.id.as_str()).collect();
    (!ids.is_empty()).then(|| {
        format!(
            "protected only to the second, because _version has whole seconds: {} (better: {FINER})",
            ids.join(", ")
        )
    })
}

/// Keys that may be stale.
fn unverified_line(counts: &Counts) -> Option<String> {
    let unverified = keys(counts.unverified);
    (counts.unverified > 0).then(|| format!("{unverified} could not be verified and may be stale"))
}

/// How `--changed` read a strategy.
fn read_line(strategy: &StrategyRecord) -> Option<String> {
    let (id, read) = (&strategy.id, strategy.read?);
    Some(match &strategy.read_why {
        Some(why) => format!("  {id}: read in full: {why}"),
        None => format!(
            "  {id}: read {}, {} unchanged, {} removed",
            match read {
                ReadHow::Changed => "what changed",
                ReadHow::Keys => "keys and changed rows",
                ReadHow::Full => "whole",
            },
            grouped(strategy.unchanged.unwrap_or(0)),
            grouped(strategy.removed.unwrap_or(0)),
        ),
    })
}

/// Rows that changed during the run.
fn overtaken_line(counts: &Counts) -> Option<String> {
    let (repaired, withdrawn) = (counts.repaired, counts.withdrawn);
    (repaired + withdrawn > 0).then(|| {
        format!(
            "{} changed during the run: {} rewritten, {} left out (stale for at most {})",
            keys(repaired + withdrawn),
            grouped(repaired),
            grouped(withdrawn),
            seconds(counts.exposure),
        )
    })
}

/// What slowed the run down. Limits that the operator set are no news, nor is a slow start.
fn pace_line(pace: &PaceReport) -> Option<String> {
    const EXPECTED: [Limiter; 3] = [Limiter::Rate, Limiter::BytesRate, Limiter::Start];
    let is_news = |limited: &&LimitedBy| !EXPECTED.iter().any(|by| by.name() == limited.by);
    let time = |time: f64| seconds(Duration::try_from_secs_f64(time).unwrap_or_default());
    let part = |limited: &LimitedBy| format!("for {} by {}", time(limited.seconds), limited.by);
    let parts: Vec<String> = pace.limited_by.iter().filter(is_news).map(part).collect();
    let slowest = pace
        .lowest_rate
        .map_or_else(String::new, |rate| format!(" (slowest: {} keys/s)", grouped(rate)));
    (!parts.is_empty()).then(|| format!("slowed down {}{slowest}", parts.join(", ")))
}

/// The result of reading the cache back.
fn read_back_footer(verified: &Verified) -> String {
    let (report, judged) = (&verified.found, verified.judge());
    // The verdict says as much of keys that all match.
    let is_worse = report.strategies.iter().any(|s| s.seen.classes.equal() < s.planned());
    let mut lines = Vec::new();
    lines.extend(is_worse.then(|| format!("read back: {}", found(report))));
    lines.extend(not_compared(&report.strategies));
    // The verdict shows a single requirement.
    if judged.len() > 1 {
        lines.extend(requirement_lines(&judged));
    }
    joined(lines)
}

/// The classes of the keys that were read back.
fn found(report: &Report) -> String {
    let classes = report.classes();
    let sum = |of: fn(&StrategyReport) -> u64| report.strategies.iter().map(of).sum::<u64>();
    let mut text = format!(
        "of {} {} present, {} match, {} missing, {} different",
        keys(sum(StrategyReport::planned)),
        grouped(classes.present()),
        grouped(classes.equal()),
        grouped(classes.missing),
        grouped(classes.stale()),
    );
    let not_known = sum(StrategyReport::not_present).saturating_sub(classes.missing);
    if not_known > 0 {
        text += &format!(", {} not compared", grouped(not_known));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::expected::Expected;
    use crate::domain::report::Stop;
    use crate::domain::run::{RunInfo, Trigger};
    use crate::domain::samples::{cancelled, failed, report, stopped, strategy};
    use crate::domain::verdict::Verdict;
    use crate::interfaces::output::Format;

    /// What a run prints on a screen of this width.
    fn screen(report: &Report, columns: usize) -> String {
        let info = RunInfo::new("warmup all".to_owned(), Trigger::Cli);
        let verdict = Verdict::of_run(report, &info);
        let record = RunRecord::new(&info, report, verdict);
        let text = document(&record, None, false).render(Format::Table, Some(columns));
        console::strip_ansi_codes(&text).into_owned()
    }

    #[test]
    fn a_run_that_did_not_finish_fits_a_narrow_screen() {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/snapshots");
        settings.set_snapshot_path(folder);
        let interrupted = stopped(
            Stop::Interrupted,
            vec![
                strategy("hot-products", 500, 0),
                cancelled("all-products", 247_500, Some(Expected::about(990_018))),
            ],
        );
        let broken = report(vec![
            strategy("prices", 4952, 48),
            failed("margin", 9000, Some(Expected::about(20_000))),
        ]);
        for columns in [40, 80, 120] {
            for (name, report) in [("interrupted", &interrupted), ("failed", &broken)] {
                let text = screen(report, columns);
                let is_whole = |line: &str| {
                    // A command to copy is never broken.
                    console::measure_text_width(line) <= columns || line.starts_with("  next: ")
                };
                assert!(text.lines().all(is_whole), "{text}");
                let name = format!("run-{name}-{columns}");
                settings.bind(|| insta::assert_snapshot!(name, text));
            }
        }
    }

    #[test]
    fn a_slow_run_says_what_slowed_it_down() {
        let seconds = Duration::from_secs;
        let mut pace = PaceReport {
            lowest_rate: Some(3110),
            limited_by: vec![LimitedBy::new(Limiter::Rate, seconds(2))],
            ..PaceReport::default()
        };
        assert_eq!(pace_line(&pace), None);
        let latency = LimitedBy::new(Limiter::CacheLatency, seconds(10));
        pace.limited_by.push(latency);
        let said = "slowed down for 10.0 s by cache latency (slowest: 3,110 keys/s)";
        assert_eq!(pace_line(&pace).as_deref(), Some(said));
    }
}
