//! Two runs, strategy by strategy.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::document::{Document, Tone, to_value};
use super::runs::outcome;
use super::table::Table;
use super::words::NONE;
use crate::application::record::{RunRecord, StrategyRecord};
use crate::application::run_line::RunLine;
use crate::domain::report::Stage;
use crate::domain::wording::{grouped, seconds};

/// What both runs say of a strategy, or of all of them together.
struct Pair<'a> {
    id: &'a str,
    before: Side<'a>,
    after: Side<'a>,
}

#[derive(Clone, Copy, Default)]
struct Side<'a> {
    strategy: Option<&'a StrategyRecord>,
    total: u64,
    warmed: u64,
    bytes: u64,
    elapsed_ms: u64,
    status: Option<&'a str>,
}

impl<'a> Side<'a> {
    fn of(strategy: &'a StrategyRecord) -> Self {
        Self {
            strategy: Some(strategy),
            total: strategy.total,
            warmed: strategy.counts.warmed,
            bytes: strategy.counts.bytes,
            elapsed_ms: strategy.elapsed_ms,
            status: Some(strategy.status.name()),
        }
    }

    fn all(run: &'a RunRecord) -> Self {
        Self {
            strategy: None,
            total: run.totals.total,
            warmed: run.totals.counts.warmed,
            bytes: run.totals.counts.bytes,
            elapsed_ms: run.elapsed_ms,
            status: Some(outcome(run)),
        }
    }
}

/// What changed between two runs.
pub fn document(before: &RunRecord, after: &RunRecord) -> Document {
    let mut pairs: BTreeMap<&str, [Side<'_>; 2]> = BTreeMap::new();
    for (when, run) in [before, after].into_iter().enumerate() {
        for strategy in &run.strategies {
            pairs.entry(&strategy.id).or_default()[when] = Side::of(strategy);
        }
    }
    let pairs = pairs.into_iter();
    let pairs = pairs.map(|(id, [before, after])| Pair { id, before, after });
    let total = Pair {
        id: "total",
        before: Side::all(before),
        after: Side::all(after),
    };
    let mut document = table().document(pairs, Some(total));
    let named = |run: &RunRecord| format!("{} ({})", run.run_id, run.command);
    document.footer = format!("from {} to {}\n", named(before), named(after));
    document.json = json!({
        "schema_version": 1,
        "before": to_value(&RunLine::from(before)),
        "after": to_value(&RunLine::from(after)),
        "strategies": document.lines,
    });
    document
}

fn table<'a>() -> Table<'a, Pair<'a>> {
    Table::of(Pair::json)
        .tone(Pair::tone)
        .text("strategy", 0, |pair: &Pair<'_>| pair.id.to_owned())
        .csv(["id"])
        .number("keys", 0, |pair| {
            change(pair.before.total, pair.after.total)
        })
        .csv(["total_before", "total_after"])
        .number("warmed", 1, |pair| {
            change(pair.before.warmed, pair.after.warmed)
        })
        .csv([
            "warmed_before",
            "warmed_after",
            "failed_before",
            "failed_after",
        ])
        .number("bytes", 2, |pair| {
            byte_change(pair.before.bytes, pair.after.bytes)
        })
        .csv(["bytes_before", "bytes_after"])
        .number("time", 2, |pair| {
            time_change(pair.before.elapsed_ms, pair.after.elapsed_ms)
        })
        .csv(["elapsed_ms_before", "elapsed_ms_after"])
        .text("status", 1, Pair::status)
        .csv(["status_before", "status_after"])
}

impl Pair<'_> {
    fn tone(&self) -> Tone {
        let (before, after) = (&self.before, &self.after);
        let is_good = after.status == Some(Stage::Completed.name())
            && after.total >= before.total
            && after.warmed >= before.warmed;
        if is_good { Tone::Plain } else { Tone::Bad }
    }

    fn status(&self) -> String {
        let (was, is) = (self.before.status, self.after.status);
        let is_total = self.before.strategy.is_none() && self.after.strategy.is_none();
        let shown = |status: Option<&str>| status.unwrap_or(NONE).to_owned();
        match was == is && !is_total {
            true => shown(is),
            false => format!("{} → {}", shown(was), shown(is)),
        }
    }

    fn json(&self) -> Value {
        let mut line = json!({ "id": self.id });
        for (when, side) in [("before", &self.before), ("after", &self.after)] {
            let mut set = |name: &str, value: Value| line[format!("{name}_{when}")] = value;
            let count = |of: fn(&StrategyRecord) -> u64| json!(side.strategy.map(of));
            set("total", count(|s| s.total));
            set("warmed", count(|s| s.counts.warmed));
            set("failed", count(|s| s.counts.wrong()));
            set("bytes", count(|s| s.counts.bytes));
            set("elapsed_ms", count(|s| s.elapsed_ms));
            set("status", json!(side.strategy.map(|s| s.status)));
        }
        line
    }
}

fn change(before: u64, after: u64) -> String {
    let (old, new) = (grouped(before), grouped(after));
    match after.cmp(&before) {
        Ordering::Equal => new,
        Ordering::Greater => format!("{old} → {new} (+{})", grouped(after - before)),
        Ordering::Less => format!("{old} → {new} (-{})", grouped(before - after)),
    }
}

fn byte_change(before: u64, after: u64) -> String {
    match before == after {
        true => HumanBytes(after).to_string(),
        false => format!("{} → {}", HumanBytes(before), HumanBytes(after)),
    }
}

fn time_change(before: u64, after: u64) -> String {
    let shown = |millis| seconds(Duration::from_millis(millis));
    format!("{} → {}", shown(before), shown(after))
}
