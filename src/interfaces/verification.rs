//! What is really in the cache, for people and machines.

use serde_json::{Value, json};

use super::document::{Document, Row, Tone, number, text};
use super::looked::{lines, looked_json, merge, run_json, totals_json};
use super::notes::{expectation, mark, not_known, strategy_notes};
use crate::domain::gate::Judged;
use crate::domain::report::{Report, StrategyReport};
use crate::domain::run::RunInfo;
use crate::domain::standing::Classes;
use crate::domain::verdict::Verdict;
use crate::domain::wording::{grouped, keys, rate};

/// A verification and what came of it.
pub struct Verification<'a> {
    pub report: &'a Report,
    pub judged: &'a [Judged<'a>],
    /// So many keys of each strategy, chosen with this seed; `None`: all.
    pub sample: Option<(usize, u64)>,
}

impl Verification<'_> {
    pub fn document(&self, info: &RunInfo, verbose: bool) -> Document {
        let report = self.report;
        let strategies: Vec<Value> = report
            .strategies
            .iter()
            .map(|strategy| {
                let mut json = looked_json(strategy, true);
                merge(&mut json, verified_json(std::slice::from_ref(strategy)));
                json
            })
            .collect();
        let verdict = Verdict::of_verification(report, self.judged, &info.command);
        let mut json = run_json(info, report, &verdict);
        json["totals"] = totals_json(report, true);
        merge(&mut json["totals"], verified_json(&report.strategies));
        json["verified"] = verified_json(&report.strategies);
        json["requirements"] = requirements_json(self.judged);
        json["sample"] = self.sample.map(|(size, _)| size).into();
        json["seed"] = self.sample.map(|(_, seed)| seed).into();
        json["strategies"] = strategies.clone().into();
        let partly = report.strategies.iter().any(StrategyReport::is_unfinished);
        let row = |strategy| verify_row(strategy, partly);
        let mut rows: Vec<Row> = report.strategies.iter().map(row).collect();
        let expected = partly.then(|| expectation(report.expected()));
        let totals = verify_cells("total".to_owned(), expected, &report.strategies);
        rows.push(Row {
            cells: totals,
            tone: Tone::Total,
        });
        let expected = partly.then(|| number("expected", 1));
        Document {
            headings: [text("strategy", 0)]
                .into_iter()
                .chain(expected)
                .chain([
                    number("planned", 1),
                    number("present", 1),
                    number("equal", 0),
                    number("missing", 0),
                    number("different", 0),
                    number("wrong type", 2),
                    number("expiring", 2),
                    number("ttl too long", 3),
                    number("equal %", 1),
                ])
                .collect(),
            rows,
            footer: self.footer(verbose),
            verdict: Some(verdict),
            lines: lines(strategies, &json),
            json,
            csv: &[
                "id",
                "context",
                "name",
                "status",
                "expected",
                "expected_is_exact",
                "planned",
                "present",
                "equal",
                "missing",
                "stale",
                "different",
                "expiring",
                "wrong_type",
                "identical",
                "ttl_outside",
                "error",
            ],
        }
    }

    fn footer(&self, verbose: bool) -> String {
        let mut lines = Vec::new();
        for strategy in &self.report.strategies {
            lines.extend(strategy_notes(strategy, verbose));
            lines.extend(not_known(strategy));
            if strategy.seen.ttl_outside > 0 {
                lines.push(format!(
                    "! {}: {} would live longer than the definition says",
                    strategy.id,
                    keys(strategy.seen.ttl_outside)
                ));
            }
        }
        lines.extend(self.report.warnings.iter().map(|text| format!("! {text}")));
        if let Some((size, seed)) = self.sample {
            lines.push(format!(
                "of each strategy at most {} at random; --seed {seed} chooses the same",
                keys(size as u64)
            ));
        }
        // The verdict says the only one.
        if self.judged.len() > 1 {
            lines.extend(requirement_lines(self.judged));
        }
        lines.into_iter().map(|line| line + "\n").collect()
    }
}

/// Each gate in a line.
pub fn requirement_lines(judged: &[Judged<'_>]) -> Vec<String> {
    let mark = |judged: &Judged<'_>| if judged.met { "✓" } else { "✗" };
    let line = |judged| format!("{} {judged}", mark(judged));
    judged.iter().map(line).collect()
}

pub fn requirements_json(judged: &[Judged<'_>]) -> Value {
    let gate = |judged: &Judged<'_>| {
        json!({
            "name": judged.gate.name,
            "required": judged.gate.share.to_string(),
            "planned": judged.planned,
            "equal": judged.equal,
            "expected": judged.expected.map(|expected| expected.keys),
            "expected_is_exact": judged.expected.is_some_and(|expected| expected.is_exact),
            "strategies_unfinished": judged.unfinished,
            "met": judged.met,
        })
    };
    judged.iter().map(gate).collect()
}

/// What was found of the planned keys, in whole numbers.
pub fn verified_json(strategies: &[StrategyReport]) -> Value {
    let mut classes = Classes::default();
    let (mut planned, mut not_known, mut failed, mut ttl_outside) = (0, 0, 0, 0);
    for strategy in strategies {
        classes.add(&strategy.seen.classes);
        planned += strategy.planned();
        not_known += strategy.seen.not_known;
        failed += strategy.wrong();
        ttl_outside += strategy.seen.ttl_outside;
    }
    json!({
        "planned": planned,
        "present": classes.present(),
        "equal": classes.equal(),
        "missing": classes.missing,
        "stale": classes.stale(),
        "failed": failed,
        "not_known": not_known,
        "ttl_outside": ttl_outside,
    })
}

fn verify_row(strategy: &StrategyReport, partly: bool) -> Row {
    let (mark, tone) = match mark(strategy) {
        (_, Tone::Good) if strategy.seen.classes.equal() < strategy.planned() => ("✗", Tone::Bad),
        mark => mark,
    };
    Row {
        cells: verify_cells(
            format!("{mark} {}", strategy.id),
            partly.then(|| expectation(strategy.expected())),
            std::slice::from_ref(strategy),
        ),
        tone,
    }
}

fn verify_cells(
    name: String,
    expected: Option<String>,
    strategies: &[StrategyReport],
) -> Vec<String> {
    let mut classes = Classes::default();
    let (mut planned, mut outside) = (0, 0);
    for strategy in strategies {
        classes.add(&strategy.seen.classes);
        planned += strategy.planned();
        outside += strategy.seen.ttl_outside;
    }
    let counts = [
        planned,
        classes.present(),
        classes.equal(),
        classes.missing,
        classes.different,
        classes.wrong_type,
        classes.expiring,
        outside,
    ];
    // Of a strategy that broke off a share would be one of an unknown whole.
    let is_whole = !strategies.iter().any(StrategyReport::is_unfinished);
    let share = (planned > 0 && is_whole).then(|| classes.equal() as f64 / planned as f64);
    let counts = counts.iter().map(|n| grouped(*n));
    [name]
        .into_iter()
        .chain(expected)
        .chain(counts)
        .chain([rate(share)])
        .collect()
}
