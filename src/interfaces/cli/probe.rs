//! `shopwarm probe`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::stdin::windows;
use crate::application::keys::probe::Probe;
use crate::application::ports::Misses;
use crate::application::run_state::stop::StopSignal;
use crate::config::Config;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::settings_text::parse_ttl;
use crate::domain::wording::{exactly, grouped, rate};
use crate::interfaces::exit::Exit;
use crate::interfaces::output::Output;
use crate::interfaces::report::document::Document;
use crate::interfaces::report::grid::Tone;
use crate::interfaces::report::table::Table;
use crate::interfaces::report::words::{NONE, joined, share};
use crate::setup::{self, Access};

/// Max patterns to show.
const SHOWN: usize = 20;

/// Waits at most this long for events in flight.
const SILENCE: Duration = Duration::from_millis(200);
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Lines of an access log per batch.
const LINES: usize = 1000;

#[derive(Args, Debug)]
pub(super) struct ProbeArgs {
    /// How long to listen
    #[arg(long = "for", value_name = "DURATION", env = "SHOPWARM_FOR", default_value = "30s", value_parser = parse_ttl)]
    time: Duration,
    /// Turn on the server's miss events while listening, and restore the setting afterwards
    #[arg(long, env = "SHOPWARM_SET_EVENTS", conflicts_with = "access_log", value_parser = clap::builder::FalseyValueParser::new())]
    set_events: bool,
    /// Read missed keys from this file instead: one per line, or JSON lines with `key` and optionally `hit`; `-` is stdin
    #[arg(long, value_name = "FILE", env = "SHOPWARM_ACCESS_LOG", value_hint = clap::ValueHint::FilePath)]
    access_log: Option<PathBuf>,
}

pub(super) async fn run(
    args: &ProbeArgs,
    config: &Config,
    output: &Output,
    stop: &StopSignal,
) -> Result<Exit, Failure> {
    let definitions = setup::all_definitions(config)?.into_iter();
    let templates = definitions.map(|definition| {
        let key = definition.spec.key.with_prefix(&config.prefix);
        (definition.spec.id.to_string(), key)
    });
    let mut probe = Probe::new(&config.prefix, templates.collect());
    let since = Instant::now();
    let (source, doubt) = match &args.access_log {
        Some(path) => {
            read(path, &mut probe, stop).await?;
            ("access log", None)
        }
        None => ("events", listen(args, config, &mut probe, output, stop).await?),
    };
    document(&probe, source, since.elapsed(), doubt.as_deref()).show(output);
    Ok(stop.reason().map_or(Exit::Success, Exit::from))
}

/// Listens to the cache; returns why misses may not have been reported.
async fn listen(
    args: &ProbeArgs,
    config: &Config,
    probe: &mut Probe,
    output: &Output,
    stop: &StopSignal,
) -> Result<Option<String>, Failure> {
    let cache = setup::cache(config, Access::Read).await?;
    let mut misses = cache.misses(args.set_events).await?;
    for changed in &misses.changed {
        output.note(changed);
    }
    let time = exactly(args.time);
    output.note(&format!("listening for misses for {time}"));
    let heard = count_misses(&mut misses, probe, args.time, stop).await;
    let doubt = misses.doubt.take();
    // Always restore the setting; a failure to restore it matters most.
    misses.end().await?;
    heard.map(|()| doubt)
}

async fn count_misses(
    misses: &mut Misses,
    probe: &mut Probe,
    time: Duration,
    stop: &StopSignal,
) -> Result<(), Failure> {
    let over = tokio::time::sleep(time);
    let stopped = stop.stopped();
    tokio::pin!(over, stopped);
    loop {
        tokio::select! {
            key = misses.keys.next() => match key {
                Some(key) => probe.miss(&key?),
                None => return Ok(()),
            },
            () = &mut over => break,
            () = &mut stopped => break,
        }
    }
    // Count the events in flight.
    let rest = async {
        while let Ok(Some(key)) = timeout(SILENCE, misses.keys.next()).await {
            probe.miss(&key?);
        }
        Ok(())
    };
    timeout(LAST_WORDS, rest).await.unwrap_or(Ok(()))
}

/// Counts a whole access log.
async fn read(path: &Path, probe: &mut Probe, stop: &StopSignal) -> Result<(), Failure> {
    let failure = |why: String| {
        let what = format!("cannot read the access log {}", path.display());
        Failure::new(FailureKind::Usage, what, why)
    };
    let from: Box<dyn Read + Send> = match path == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(path).map_err(|error| failure(error.to_string()))?),
    };
    let mut windows = windows(from, b'\n', LINES);
    loop {
        let lines = tokio::select! {
            lines = windows.recv() => lines,
            () = stop.stopped() => return Ok(()),
        };
        let Some(lines) = lines else { break };
        let lines = lines.map_err(|error| failure(error.to_string()))?;
        lines.iter().for_each(|line| probe.line(line));
    }
    if probe.unreadable > 0 && probe.misses + probe.hits == 0 {
        let why = "no line is a key or JSON with a `key`".to_owned();
        return Err(failure(why).hint("one key per line, or {\"key\": \"...\", \"hit\": false}"));
    }
    Ok(())
}

/// The misses of a strategy, or of a pattern that no strategy covers.
struct Line<'a> {
    kind: &'static str,
    name: &'a str,
    misses: u64,
    share: Option<f64>,
}

impl Line<'_> {
    fn is_covered(&self) -> bool {
        self.kind == STRATEGY
    }

    /// With its name as `name`.
    fn named(&self, name: &str) -> Value {
        json!({ name: self.name, "misses": self.misses, "share": self.share })
    }
}

const STRATEGY: &str = "strategy";

fn table<'a>() -> Table<'a, Line<'a>> {
    Table::new()
        .tone(|line: &Line<'_>| if line.is_covered() { Tone::Plain } else { Tone::Bad })
        .text("missed", 0, |line| match line.is_covered() {
            true => String::new(),
            false => line.name.to_owned(),
        })
        .text("covered by", 1, |line| match line.is_covered() {
            true => line.name.to_owned(),
            false => NONE.to_owned(),
        })
        .field("kind", |line| line.kind)
        .field("name", |line| line.name)
        .number("misses", 0, |line| grouped(line.misses))
        .field("misses", |line| line.misses)
        .number("share", 0, |line| rate(line.share))
        .field("share", |line| line.share)
}

fn document(probe: &Probe, source: &str, time: Duration, doubt: Option<&str>) -> Document {
    let (covered, uncovered) = (probe.by_strategy(), probe.uncovered(SHOWN));
    let line = |kind, name, misses| Line { kind, name, misses, share: share(misses, probe.misses) };
    let strategies = covered.iter().map(|(id, misses)| line(STRATEGY, id, *misses));
    let patterns = uncovered.iter().map(|(pattern, misses)| line("pattern", pattern, *misses));
    let json = json!({
        "schema_version": 1,
        "source": source,
        "seconds": time.as_secs_f64(),
        "misses": probe.misses,
        "hits": probe.hits,
        "unreadable": probe.unreadable,
        "covered": probe.all_covered(),
        "covered_share": share(probe.all_covered(), probe.misses),
        "strategies": strategies.clone().map(|line| line.named("id")).collect::<Vec<_>>(),
        "patterns": patterns.clone().map(|line| line.named("pattern")).collect::<Vec<_>>(),
        "doubt": doubt,
    });
    Document {
        footer: footer(probe, time, doubt),
        json,
        ..table().document(strategies.chain(patterns), None)
    }
}

fn footer(probe: &Probe, time: Duration, doubt: Option<&str>) -> String {
    let mut lines = Vec::new();
    if probe.unreadable > 0 {
        let count = grouped(probe.unreadable);
        lines.push(match probe.unreadable {
            1 => "! 1 line is not a key".to_owned(),
            _ => format!("! {count} lines are not keys"),
        });
    }
    if probe.misses == 0
        && let Some(doubt) = doubt
    {
        lines.push(format!("! misses may not have been reported: {doubt}"));
    }
    let time = exactly(Duration::from_secs(time.as_secs()));
    let covered = rate(share(probe.all_covered(), probe.misses));
    lines.push(match probe.misses {
        0 => format!("no misses in {time}"),
        1 => format!("1 miss in {time}, {covered} covered by the definitions"),
        misses => {
            format!("{} misses in {time}, {covered} covered by the definitions", grouped(misses))
        }
    });
    joined(lines)
}
