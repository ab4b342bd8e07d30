//! `shopwarm runs`.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use clap::Args;
use indicatif::HumanBytes;
use serde_json::{Value, json};

use crate::application::history::{self, LastComplete};
use crate::application::record::{RunRecord, StrategyRecord};
use crate::application::run_line::RunLine;
use crate::config::Config;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::Outcome;
use crate::domain::verdict::{Mark, Verdict};
use crate::domain::wording::{grouped, seconds};
use crate::interfaces::document::to_value;
use crate::interfaces::document::{Document, Row, Tone, number, text};
use crate::interfaces::exit::Exit;
use crate::interfaces::notes::expectation;
use crate::interfaces::output::Output;
use crate::interfaces::report::document;
use crate::setup::{self, Access};

#[derive(Args, Debug)]
pub(super) struct RunsArgs {
    /// The run to show: its id, a part of it that no other has, or `last`
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Compare it with another run
    #[arg(long, value_name = "ID", requires = "id")]
    diff: Option<String>,
    /// Show the last complete run of each strategy, which later runs do not push out
    #[arg(long, conflicts_with_all = ["id", "diff"])]
    last_complete: bool,
}

pub(super) async fn run(
    args: &RunsArgs,
    config: &Config,
    output: &Output,
) -> Result<Exit, Failure> {
    let cache = setup::cache(config, Access::Look).await?;
    if args.last_complete {
        let last = history::last_complete(cache.as_ref(), &config.prefix).await?;
        last_complete(&last).show(output);
        return Ok(Exit::Success);
    }
    let runs = history::runs(cache.as_ref(), &config.prefix).await?;
    let shown = match (&args.id, &args.diff) {
        (Some(id), Some(other)) => difference(find(&runs, other)?, find(&runs, id)?),
        (Some(id), None) => whole(find(&runs, id)?, output.verbose),
        (None, _) => list(&runs),
    };
    shown.show(output);
    Ok(Exit::Success)
}

/// The run that is meant.
fn find<'r>(runs: &'r [RunRecord], id: &str) -> Result<&'r RunRecord, Failure> {
    let unknown = |why: String| {
        let what = format!("no run `{id}` is known");
        let failure = Failure::new(FailureKind::Usage, what, why);
        Err(failure.hint("`shopwarm runs` lists those that are"))
    };
    if let Some(run) = runs.iter().find(|run| run.run_id == id) {
        return Ok(run);
    }
    if id == "last" {
        return runs
            .first()
            .map_or_else(|| unknown("none is".to_owned()), Ok);
    }
    let alike: Vec<&RunRecord> = runs.iter().filter(|run| run.run_id.contains(id)).collect();
    match alike.as_slice() {
        [run] => Ok(run),
        [] => unknown(format!("the cache has {} others", runs.len())),
        several => unknown(format!("{} have that in their ids", several.len())),
    }
}

fn list(runs: &[RunRecord]) -> Document {
    let lines: Vec<Value> = runs
        .iter()
        .map(|run| to_value(&RunLine::from(run)))
        .collect();
    let footer = match runs.len() {
        0 => "no run is known: none has been, or its record has ended with the cache\n".to_owned(),
        _ => String::new(),
    };
    Document {
        headings: vec![
            text("started", 2),
            text("id", 0),
            text("run", 1),
            text("by", 2),
            text("host", 4),
            text("outcome", 0),
            number("warmed", 1),
            number("of", 3),
            number("failed", 3),
            number("time", 2),
        ],
        rows: runs.iter().map(row).collect(),
        footer,
        verdict: None,
        json: json!({ "schema_version": 1, "runs": lines }),
        lines,
        csv: &[
            "run_id",
            "command",
            "trigger",
            "job",
            "host",
            "started_at",
            "elapsed_ms",
            "status",
            "passed",
            "strategies",
            "strategies_failed",
            "expected",
            "expected_is_exact",
            "total",
            "warmed",
            "skipped",
            "failed",
            "unknown",
            "success_rate",
            "error",
        ],
    }
}

fn row(run: &RunRecord) -> Row {
    let totals = &run.totals;
    let mark = mark(run);
    let tone = match mark {
        Some(Mark::Good) => Tone::Good,
        Some(Mark::Bad | Mark::Notice) => Tone::Bad,
        None => Tone::Plain,
    };
    let mark = mark.map_or_else(|| "…".to_owned(), |mark| mark.to_string());
    Row {
        cells: vec![
            run.started_at.replace('T', " ").replace('Z', ""),
            run.run_id.clone(),
            run.command.clone(),
            by(run),
            run.host.clone(),
            format!("{mark} {}{}", outcome(run), failed_strategies(run)),
            grouped(totals.warmed),
            expectation(totals.expectation()),
            grouped(totals.failed + totals.unknown),
            seconds(Duration::from_millis(run.elapsed_ms)),
        ],
        tone,
    }
}

/// How it ended; `None`: it has not.
fn mark(run: &RunRecord) -> Option<Mark> {
    let outcome = run.outcome?;
    // Earlier versions did not keep whether its gates were met.
    Some(match run.passed.unwrap_or(outcome == Outcome::Complete) {
        true => Mark::Good,
        false => Mark::Bad,
    })
}

fn failed_strategies(run: &RunRecord) -> String {
    match run.totals.strategies_failed {
        0 => String::new(),
        1 => ", 1 strategy failed".to_owned(),
        n => format!(", {n} strategies failed"),
    }
}

fn outcome(run: &RunRecord) -> &'static str {
    let is_complete = run.outcome == Some(Outcome::Complete);
    match (&run.error, run.passed) {
        (Some(_), _) => "not begun",
        (None, Some(false)) if is_complete => "not verified",
        (None, _) => run.status(),
    }
}

/// Whose wish it was.
fn by(run: &RunRecord) -> String {
    match &run.job {
        Some(job) => format!("{} {job}", run.trigger.name()),
        None => run.trigger.name().to_owned(),
    }
}

fn whole(run: &RunRecord, verbose: bool) -> Document {
    let mut shown = document(&run.info(), &run.report(), None, verbose);
    let on = format!(
        "run {} on {}, {} UTC, by {}: {}\n",
        run.run_id,
        run.host,
        run.started_at.replace('T', " ").replace('Z', ""),
        by(run),
        run.command,
    );
    if let Some(error) = &run.error {
        shown = Document {
            verdict: Some(Verdict {
                mark: Mark::Bad,
                text: format!("not begun: {error}"),
            }),
            ..Document::default()
        };
    }
    shown.footer.insert_str(0, &on);
    // As it was said then: what its gates were is not kept.
    if let (Some(mark), Some(text)) = (mark(run), run.verdict.clone()) {
        shown.verdict = Some(Verdict { mark, text });
    }
    shown.json = to_value(run);
    shown
}

fn difference(before: &RunRecord, after: &RunRecord) -> Document {
    let mut pairs: BTreeMap<&str, [Option<&StrategyRecord>; 2]> = BTreeMap::new();
    for (place, run) in [before, after].into_iter().enumerate() {
        for strategy in &run.strategies {
            pairs.entry(&strategy.id).or_default()[place] = Some(strategy);
        }
    }
    let lines: Vec<Value> = pairs
        .iter()
        .map(|(id, pair)| pair_json(id, *pair))
        .collect();
    let mut rows: Vec<Row> = pairs.iter().map(|(id, pair)| pair_row(id, *pair)).collect();
    let total = |run: &RunRecord| (run.totals.total, run.totals.warmed, run.totals.bytes);
    let ((total_a, warmed_a, bytes_a), (total_b, warmed_b, bytes_b)) =
        (total(before), total(after));
    rows.push(Row {
        cells: vec![
            "total".to_owned(),
            change(total_a, total_b),
            change(warmed_a, warmed_b),
            byte_change(bytes_a, bytes_b),
            time_change(before.elapsed_ms, after.elapsed_ms),
            format!("{} → {}", outcome(before), outcome(after)),
        ],
        tone: Tone::Total,
    });
    let named = |run: &RunRecord| format!("{} ({})", run.run_id, run.command);
    Document {
        headings: vec![
            text("strategy", 0),
            number("keys", 0),
            number("warmed", 1),
            number("bytes", 2),
            number("time", 2),
            text("status", 1),
        ],
        rows,
        footer: format!("from {} to {}\n", named(before), named(after)),
        verdict: None,
        json: json!({
            "schema_version": 1,
            "before": to_value(&RunLine::from(before)),
            "after": to_value(&RunLine::from(after)),
            "strategies": lines,
        }),
        lines,
        csv: &[
            "id",
            "total_before",
            "total_after",
            "warmed_before",
            "warmed_after",
            "failed_before",
            "failed_after",
            "bytes_before",
            "bytes_after",
            "elapsed_ms_before",
            "elapsed_ms_after",
            "status_before",
            "status_after",
        ],
    }
}

fn pair_row(id: &str, [before, after]: [Option<&StrategyRecord>; 2]) -> Row {
    let count = |of: fn(&StrategyRecord) -> u64| (before.map_or(0, of), after.map_or(0, of));
    let ((total_a, total_b), (warmed_a, warmed_b)) = (count(|s| s.total), count(|s| s.warmed));
    let ((bytes_a, bytes_b), (time_a, time_b)) = (count(|s| s.bytes), count(|s| s.elapsed_ms));
    let status = |strategy: Option<&StrategyRecord>| {
        strategy.map_or_else(|| "–".to_owned(), |strategy| strategy.status.clone())
    };
    let (was, is) = (status(before), status(after));
    let is_good = is == "completed" && total_b >= total_a && warmed_b >= warmed_a;
    Row {
        cells: vec![
            id.to_owned(),
            change(total_a, total_b),
            change(warmed_a, warmed_b),
            byte_change(bytes_a, bytes_b),
            time_change(time_a, time_b),
            if was == is {
                is
            } else {
                format!("{was} → {is}")
            },
        ],
        tone: if is_good { Tone::Plain } else { Tone::Bad },
    }
}

fn pair_json(id: &str, [before, after]: [Option<&StrategyRecord>; 2]) -> Value {
    let mut line = json!({ "id": id });
    for (when, strategy) in [("before", before), ("after", after)] {
        let mut set = |name: &str, value: Value| line[format!("{name}_{when}")] = value;
        let count = |of: fn(&StrategyRecord) -> u64| json!(strategy.map(of));
        set("total", count(|s| s.total));
        set("warmed", count(|s| s.warmed));
        set("failed", count(|s| s.failed + s.unknown));
        set("bytes", count(|s| s.bytes));
        set("elapsed_ms", count(|s| s.elapsed_ms));
        set("status", json!(strategy.map(|s| &s.status)));
    }
    line
}

fn change(before: u64, after: u64) -> String {
    let (old, new) = (grouped(before), grouped(after));
    match after.cmp(&before) {
        std::cmp::Ordering::Equal => new,
        std::cmp::Ordering::Greater => format!("{old} → {new} (+{})", grouped(after - before)),
        std::cmp::Ordering::Less => format!("{old} → {new} (-{})", grouped(before - after)),
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

fn last_complete(last: &BTreeMap<String, LastComplete>) -> Document {
    let lines: Vec<Value> = last
        .iter()
        .map(|(id, last)| json!({ "id": id, "keys": last.keys, "at": last.at, "run_id": last.run_id }))
        .collect();
    let row = |(id, last): (&String, &LastComplete)| Row {
        cells: vec![
            id.clone(),
            grouped(last.keys),
            last.at.replace('T', " ").replace('Z', ""),
            age(&last.at),
            last.run_id.clone(),
        ],
        ..Row::default()
    };
    Document {
        headings: vec![
            text("strategy", 0),
            number("keys", 0),
            text("started", 0),
            text("ago", 1),
            text("run", 2),
        ],
        rows: last.iter().map(row).collect(),
        footer: match last.len() {
            0 => "no complete run is known\n".to_owned(),
            _ => String::new(),
        },
        verdict: None,
        json: json!({ "schema_version": 1, "strategies": lines }),
        lines,
        csv: &["id", "keys", "at", "run_id"],
    }
}

/// How long ago, in its two largest units.
fn age(at: &str) -> String {
    let then = humantime::parse_rfc3339(at).ok();
    let ago = then.and_then(|then| SystemTime::now().duration_since(then).ok());
    let Some(ago) = ago else {
        return "–".to_owned();
    };
    let text = humantime::format_duration(Duration::from_secs(ago.as_secs())).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}
