//! Compares two runs.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::document::{Document, to_value};
use super::grid::Tone;
use super::runs::outcome;
use super::table::Table;
use super::words::{error_notes, joined};
use crate::application::record::line::RunLine;
use crate::application::record::{RunRecord, StrategyRecord};
use crate::domain::report::Stage;
use crate::domain::wording::{grouped, seconds, size};

/// A strategy, or the total, in both runs.
struct Pair<'a> {
    id: &'a str,
    before: Option<&'a StrategyRecord>,
    after: Option<&'a StrategyRecord>,
    status: String,
}

impl<'a> Pair<'a> {
    fn new(id: &'a str, [before, after]: [Option<&'a StrategyRecord>; 2]) -> Self {
        let status = match (before, after) {
            (Some(was), Some(is)) if was.status == is.status => is.status.word().to_owned(),
            (Some(was), Some(is)) => format!("{} → {}", was.status.word(), is.status.word()),
            (None, _) => "only in the second".to_owned(),
            (_, None) => "only in the first".to_owned(),
        };
        Self { id, before, after, status }
    }

    /// A count before and after; of a strategy that one run did not have, twice that of the other.
    fn both(&self, of: fn(&StrategyRecord) -> u64) -> (u64, u64) {
        let (before, after) = (self.before.map(of), self.after.map(of));
        let only = before.or(after).unwrap_or(0);
        (before.unwrap_or(only), after.unwrap_or(only))
    }

    fn total(&self) -> (u64, u64) {
        self.both(|s| s.total)
    }

    fn warmed(&self) -> (u64, u64) {
        self.both(|s| s.counts.warmed)
    }

    /// In anything but time.
    fn differs(&self) -> bool {
        let of = |side: Option<&StrategyRecord>| {
            side.map(|s| (s.total, s.counts.warmed, s.counts.wrong(), s.counts.bytes, s.status))
        };
        of(self.before) != of(self.after)
    }

    /// The second run, if something went wrong only there.
    fn newly_bad(&self) -> Option<&'a StrategyRecord> {
        let is_bad = |s: &&StrategyRecord| s.status == Stage::Failed || s.counts.wrong() > 0;
        let was_bad = self.before.as_ref().is_some_and(is_bad);
        self.after.filter(|now| !was_bad && is_bad(now))
    }

    fn tone(&self) -> Tone {
        let ((total, total_now), (warmed, warmed_now)) = (self.total(), self.warmed());
        let is_completed = self.after.is_none_or(|s| s.status == Stage::Completed);
        match is_completed && total_now >= total && warmed_now >= warmed {
            true => Tone::Plain,
            false => Tone::Bad,
        }
    }

    fn json(&self) -> Value {
        let mut line = json!({ "id": self.id });
        for (when, side) in [("before", self.before), ("after", self.after)] {
            let mut set = |name: &str, value: Value| line[format!("{name}_{when}")] = value;
            set("total", json!(side.map(|s| s.total)));
            set("warmed", json!(side.map(|s| s.counts.warmed)));
            set("failed", json!(side.map(|s| s.counts.wrong())));
            set("bytes", json!(side.map(|s| s.counts.bytes)));
            set("elapsed_ms", json!(side.map(|s| s.elapsed_ms)));
            set("status", json!(side.map(|s| s.status)));
        }
        line
    }
}

/// What changed between two runs. `verbose`: also strategies in which nothing did.
pub(crate) fn document(before: &RunRecord, after: &RunRecord, verbose: bool) -> Document {
    let mut pairs: BTreeMap<&str, [Option<&StrategyRecord>; 2]> = BTreeMap::new();
    for (when, run) in [before, after].into_iter().enumerate() {
        for strategy in &run.strategies {
            pairs.entry(&strategy.id).or_default()[when] = Some(strategy);
        }
    }
    let pairs: Vec<Pair<'_>> = pairs.into_iter().map(|(id, pair)| Pair::new(id, pair)).collect();
    let mut differs = pairs.iter().map(Pair::differs).collect::<Vec<_>>();
    let same = differs.iter().filter(|differs| !**differs).count();
    // The total stays.
    differs.push(true);
    let (all_before, all_after) = (before.total(), after.total());
    let total = Pair {
        status: match (outcome(before), outcome(after)) {
            (was, is) if was == is => is.to_owned(),
            (was, is) => format!("{was} → {is}"),
        },
        ..Pair::new("total", [Some(&all_before), Some(&all_after)])
    };
    let notes = error_notes(pairs.iter().filter_map(Pair::newly_bad), false);
    let mut document = table().document(pairs, Some(total));
    if !verbose {
        let mut differs = differs.into_iter();
        document.rows.retain(|_| differs.next().unwrap_or(true));
    }
    let named = |run: &RunRecord| format!("{} ({})", run.run_id, run.command);
    document.footer = format!("from {} to {}\n", named(before), named(after));
    document.footer += &joined(notes);
    document.footer += &match (document.lines.len() - same, same) {
        (0, _) if before.run_id == after.run_id => "it is the same run\n".to_owned(),
        (0, _) => "no difference in keys\n".to_owned(),
        (_, 0) => String::new(),
        (_, 1) => "1 strategy without a difference (-v shows it)\n".to_owned(),
        (_, n) => format!("{n} strategies without a difference (-v shows them)\n"),
    };
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
        .text("strategy", 0, |pair| pair.id.to_owned())
        .csv(["id"])
        .number("keys", 2, |pair| change(pair.total()))
        .csv(["total_before", "total_after"])
        .number("warmed", 0, |pair| change(pair.warmed()))
        .csv(["warmed_before", "warmed_after"])
        .number("failed", 1, |pair| change(pair.both(|s| s.counts.wrong())))
        .csv(["failed_before", "failed_after"])
        .number("size", 4, |pair| byte_change(pair.both(|s| s.counts.bytes)))
        .csv(["bytes_before", "bytes_after"])
        .number("took", 3, |pair| time_change(pair.both(|s| s.elapsed_ms)))
        .wide_as("120 ms → 120 ms")
        .csv(["elapsed_ms_before", "elapsed_ms_after"])
        .text("status", 1, |pair| pair.status.clone())
        .csv(["status_before", "status_after"])
}

fn change((before, after): (u64, u64)) -> String {
    let (old, new) = (grouped(before), grouped(after));
    match after.cmp(&before) {
        Ordering::Equal => new,
        Ordering::Greater => format!("{old} → {new} (+{})", grouped(after - before)),
        Ordering::Less => format!("{old} → {new} (-{})", grouped(before - after)),
    }
}

fn byte_change((before, after): (u64, u64)) -> String {
    match before == after {
        true => size(after),
        false => format!("{} → {}", size(before), size(after)),
    }
}

fn time_change((before, after): (u64, u64)) -> String {
    let shown = |millis| seconds(Duration::from_millis(millis));
    match before == after {
        true => shown(after),
        false => format!("{} → {}", shown(before), shown(after)),
    }
}
