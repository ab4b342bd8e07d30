//! The report of `verify`.

use serde_json::{Value, json};

use super::document::Document;
use super::grid::Tone;
use super::inspected::{Inspected, Line, merge, run_json, totals_json};
use super::table::Table;
use super::words::{Marked, error_notes, expectation, joined, not_compared, share};
use crate::domain::expected::Size;
use crate::domain::gate::Judged;
use crate::domain::report::{Report, StrategyReport};
use crate::domain::run::RunInfo;
use crate::domain::standing::Classes;
use crate::domain::verdict::Verdict;
use crate::domain::wording::{grouped, keys, rate};

/// A verification and its result.
pub(crate) struct Verification<'a> {
    pub report: &'a Report,
    pub judged: &'a [Judged<'a>],
    /// Sample size per strategy, and seed; `None`: all keys.
    pub sample: Option<(usize, u64)>,
}

impl Verification<'_> {
    pub(crate) fn document(&self, info: &RunInfo, verbose: bool) -> Document {
        let report = self.report;
        let inspected = Inspected::all(report);
        let is_partial = report.strategies.iter().any(StrategyReport::is_unfinished);
        let lines = inspected.iter().map(Line::new);
        let is_met = self.judged.iter().all(|judged| judged.met);
        let has_gaps = lines.clone().any(|line| gap(&line) > 0);
        let mut document =
            table(is_partial, has_gaps, is_met).document(lines, Some(Line::total(report)));
        let verdict = Verdict::of_verification(report, self.judged, info);
        let mut json = run_json(info, report, &verdict);
        json["totals"] = totals_json(report, true);
        merge(&mut json["totals"], verified_json(&report.strategies));
        json["verified"] = verified_json(&report.strategies);
        json["requirements"] = requirements_json(self.judged);
        json["sample"] = self.sample.map(|(size, _)| size).into();
        json["seed"] = self.sample.map(|(_, seed)| seed).into();
        json["strategies"] = document.lines.clone().into();
        document.json = json;
        document.footer = self.footer(&inspected, verbose);
        document.verdict = Some(verdict);
        document.with_run_line()
    }

    fn footer(&self, inspected: &[Inspected<'_>], verbose: bool) -> String {
        let mut lines = error_notes(inspected.iter().map(|one| &one.record), verbose);
        lines.extend(not_compared(&self.report.strategies));
        for strategy in inspected {
            let outside = strategy.report.seen.ttl_outside;
            if outside > 0 {
                let (id, keys) = (&strategy.record.id, keys(outside));
                lines.push(format!("! {id}: {keys} with a longer TTL than the definition says"));
            }
        }
        lines.extend(self.report.warnings.iter().map(|text| format!("! {text}")));
        if let Some((size, seed)) = self.sample {
            let keys = keys(size as u64);
            lines.push(format!(
                "a random sample of at most {keys} per strategy; --seed {seed} repeats it"
            ));
        }
        if self.report.strategies.iter().any(|s| s.planned() > 0) {
            lines.push(
                "orphans are not counted; `shopwarm dry-run --orphans` finds them".to_owned(),
            );
        }
        // The verdict shows a single requirement.
        if self.judged.len() > 1 {
            lines.extend(requirement_lines(self.judged));
        }
        joined(lines)
    }
}

/// A strategy with missing or different keys has failed, unless the requirements allow for them.
fn judged(line: &Line<'_>, is_met: bool) -> Option<Marked> {
    let marked = line.marked()?;
    let (mark, tone) = if is_met { ("~", Tone::Plain) } else { ("✗", Tone::Bad) };
    let differs = marked.tone == Tone::Good && line.classes.equal() < line.planned;
    Some(if differs { Marked { mark, tone, ..marked } } else { marked })
}

/// The total of an incomplete strategy is unknown, and so is the share.
fn equal_share(line: &Line<'_>) -> String {
    let share = share(line.classes.equal(), line.planned);
    rate(share.filter(|_| line.is_whole))
}

fn line_json(line: &Line<'_>) -> Value {
    line.of.map_or(Value::Null, |of| {
        let mut json = of.json(true);
        merge(&mut json, verified_json(std::slice::from_ref(of.report)));
        json
    })
}

/// Planned keys of which it is not known what the cache holds.
fn gap(line: &Line<'_>) -> u64 {
    line.planned.saturating_sub(line.classes.total())
}

fn table<'a>(partial: bool, gaps: bool, is_met: bool) -> Table<'a, Line<'a>> {
    Table::of(line_json)
        .strategy(move |line| judged(line, is_met))
        .csv(["context", "name", "status"])
        .when(partial, |table| table.number("expected", 1, |line| expectation(line.expected)))
        .csv(["expected", "expected_is_exact"])
        .number("keys", 1, |line| grouped(line.planned))
        .number("identical", 1, |line| grouped(line.classes.identical))
        .number("expiring", 1, |line| grouped(line.classes.expiring))
        .csv(["planned", "present", "equal"])
        .count("missing", 0, |line| line.classes.missing)
        .when(gaps, |table| table.number("not compared", 0, |line| grouped(gap(line))))
        .csv(["stale"])
        .count("different", 0, |line| line.classes.different)
        .csv(["expiring"])
        .number("wrong-type", 1, |line| grouped(line.classes.wrong_type))
        .csv(["wrong_type"])
        .csv(["identical"])
        .number("ttl too long", 1, |line| grouped(line.ttl_outside))
        .csv(["ttl_outside"])
        .number("match %", 2, equal_share)
        .csv(["error"])
}

/// Each requirement, one per line.
pub(crate) fn requirement_lines(judged: &[Judged<'_>]) -> Vec<String> {
    let mark = |judged: &Judged<'_>| if judged.met { "✓" } else { "✗" };
    let line = |judged| format!("{} {judged}", mark(judged));
    judged.iter().map(line).collect()
}

pub(crate) fn requirements_json(judged: &[Judged<'_>]) -> Value {
    let gate = |judged: &Judged<'_>| {
        json!({
            "name": judged.gate.name,
            "required": judged.gate.share.to_string(),
            "planned": judged.planned,
            "equal": judged.equal,
            "expected": Size::from(judged.expected).expected,
            "expected_is_exact": Size::from(judged.expected).expected_is_exact,
            "strategies_unfinished": judged.unfinished,
            "met": judged.met,
        })
    };
    judged.iter().map(gate).collect()
}

/// The numbers of planned keys by class.
pub(crate) fn verified_json(strategies: &[StrategyReport]) -> Value {
    let sum = |of: fn(&StrategyReport) -> u64| strategies.iter().map(of).sum::<u64>();
    let classes: Classes = strategies.iter().map(|s| s.seen.classes).sum();
    json!({
        "planned": sum(StrategyReport::planned),
        "present": classes.present(),
        "equal": classes.equal(),
        "missing": classes.missing,
        "stale": classes.stale(),
        "failed": sum(StrategyReport::wrong),
        "not_known": sum(|s| s.seen.not_known),
        "ttl_outside": sum(|s| s.seen.ttl_outside),
    })
}
