//! Earlier runs: the list, one run, and the last complete ones.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use serde_json::json;

use super::document::{Document, to_value};
use super::grid::Tone;
use super::run;
use super::table::Table;
use super::words::{expectation, moment};
use crate::application::record::RunRecord;
use crate::application::record::history::LastComplete;
use crate::application::record::line::RunLine;
use crate::domain::report::Outcome;
use crate::domain::verdict::Mark;
use crate::domain::wording::{exactly, grouped, seconds, strategies};

/// Max characters of a command in the list; `runs ID` shows all of it.
const SHOWN_COMMAND: usize = 32;

/// One line per run.
pub(crate) fn list(runs: &[RunRecord], zone: &TimeZone) -> Document {
    let table = Table::of(|run: &&RunRecord| to_value(&RunLine::from(*run)))
        .tone(|run| match run.mark() {
            Some(Mark::Good | Mark::Changes) => Tone::Good,
            Some(Mark::Bad | Mark::Notice) => Tone::Bad,
            None => Tone::Plain,
        })
        .text("id", 0, |run| short_id(run, runs).to_owned())
        .text("ago", 1, |run| {
            let age = age(&run.started_at);
            age.split(' ').next().unwrap_or_default().to_owned()
        })
        .text("started", 4, |run| moment(&run.started_at, zone))
        .csv(["run_id"])
        .text("run", 0, |run| short(&run.command))
        .csv(["command"])
        .text("by", 1, |run| by(run))
        .csv(["trigger", "job"])
        .text("host", 4, |run| run.host.clone())
        .csv(["host", "started_at", "elapsed_ms", "status", "passed"])
        .text("outcome", 0, |run| ended(run))
        .csv(["strategies", "strategies_failed", "expected", "expected_is_exact", "total"])
        .count("warmed", 2, |run| run.totals.counts.warmed)
        .number("of", 3, |run| expectation(run.totals.size.known()))
        .csv(["skipped"])
        .count("failed", 0, |run| run.totals.counts.wrong())
        .csv(["unknown", "success_rate"])
        .number("took", 3, |run| seconds(Duration::from_millis(run.elapsed_ms)))
        .wide_as("120 ms")
        .csv(["error"]);
    let mut document = table.document(runs, None);
    document.json = json!({ "schema_version": 1, "runs": document.lines });
    if runs.is_empty() {
        document.headings.clear();
        document.footer = "no runs recorded; `shopwarm warmup all` makes the first\n".to_owned();
    }
    document
}

/// The beginning of a command.
fn short(command: &str) -> String {
    match command.char_indices().nth(SHOWN_COMMAND) {
        Some((end, _)) => format!("{}…", &command[..end]),
        None => command.to_owned(),
    }
}

/// The shortest end of its id that `runs ID` takes.
fn short_id<'r>(run: &'r RunRecord, runs: &[RunRecord]) -> &'r str {
    let id = run.run_id.as_str();
    let is_unique = |end: &&str| runs.iter().filter(|run| run.run_id.contains(*end)).count() == 1;
    let ends = (4..id.len()).filter_map(|length| id.get(id.len() - length..));
    ends.filter(|end| !end.starts_with('-')).find(is_unique).unwrap_or(id)
}

/// The outcome of a run, with its mark and the number of failed strategies.
fn ended(run: &RunRecord) -> String {
    let mark = run.mark().map_or_else(|| "…".to_owned(), |mark| mark.to_string());
    let failed = match run.totals.strategies_failed {
        0 => String::new(),
        n => format!(", {} failed", strategies(n)),
    };
    format!("{mark} {}{failed}", outcome(run))
}

/// The outcome of a run, in short.
pub(crate) fn outcome(run: &RunRecord) -> &'static str {
    let is_complete = run.outcome == Some(Outcome::Complete);
    match (&run.error, run.passed) {
        (Some(_), _) => "did not start",
        (None, Some(false)) if is_complete => "not verified",
        (None, _) => run.status(),
    }
}

/// The trigger.
fn by(run: &RunRecord) -> String {
    match &run.job {
        Some(job) => format!("{} {job}", run.trigger.name()),
        None => run.trigger.name().to_owned(),
    }
}

/// A recorded run.
pub(crate) fn whole(run: &RunRecord, zone: &TimeZone, verbose: bool) -> Document {
    let mut shown = match &run.error {
        None => run::document(run, None, verbose),
        Some(_) => Document {
            verdict: run.verdict(),
            footer: run.hint.iter().map(|hint| format!("    hint: {hint}\n")).collect(),
            json: to_value(run),
            ..Document::default()
        },
    };
    let on = format!(
        "run {} on {}, {}, by {}: {}\n",
        run.run_id,
        run.host,
        moment(&run.started_at, zone),
        by(run),
        run.command,
    );
    shown.footer.insert_str(0, &on);
    // It is what the reader is looking at.
    if let Some(verdict) = &mut shown.verdict {
        verdict.next.take_if(|next| next.starts_with("shopwarm runs "));
    }
    shown
}

/// The last complete run of each strategy.
pub(crate) fn last_complete(last: &BTreeMap<String, LastComplete>, zone: &TimeZone) -> Document {
    type Last<'a> = (&'a String, &'a LastComplete);
    let table = Table::new()
        .text("strategy", 0, |(id, _): &Last<'_>| (*id).clone())
        .field("id", |(id, _)| id.as_str())
        .number("keys", 0, |(_, last)| grouped(last.keys))
        .field("keys", |(_, last)| last.keys)
        .text("started", 0, |(_, last)| moment(&last.at, zone))
        .field("at", |(_, last)| last.at.as_str())
        .text("ago", 1, |(_, last)| age(&last.at))
        .text("run", 2, |(_, last)| last.run_id.clone())
        .field("run_id", |(_, last)| last.run_id.as_str());
    let mut document = table.document(last, None);
    document.json = json!({ "schema_version": 1, "strategies": document.lines });
    if last.is_empty() {
        document.footer = "no complete run is recorded\n".to_owned();
    }
    document
}

/// How long ago, in its two largest units.
fn age(at: &str) -> String {
    let then = humantime::parse_rfc3339(at).ok();
    let ago = then.and_then(|then| SystemTime::now().duration_since(then).ok());
    let Some(ago) = ago else {
        return "–".to_owned();
    };
    let text = exactly(Duration::from_secs(ago.as_secs()));
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}
