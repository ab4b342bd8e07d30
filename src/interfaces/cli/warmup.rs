//! `shopwarm warmup`.

use std::collections::HashSet;
use std::io::BufRead as _;
use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;

use super::Warmup;
use crate::application::coordinator::KeyWindows;
use crate::application::selection::Selection;
use crate::application::stop::StopSignal;
use crate::config::{Config, RunFlags};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::Stop;
use crate::interfaces::exit::{self, Exit};
use crate::interfaces::output::{Format, Output, ProgressForm};
use crate::interfaces::report::{RunInfo, document};
use crate::interfaces::{github, progress};
use crate::setup;

/// Keys from stdin are taken in windows of this many: memory stays flat however many come.
const WINDOW: usize = 10_000;

pub(super) fn flags(what: &Warmup) -> &RunFlags {
    match what {
        Warmup::All(run) => run,
        Warmup::Context(args) => &args.run,
        Warmup::Strategy(args) => &args.run,
        Warmup::Keys(args) => &args.run,
    }
}

pub(super) async fn run(
    what: &Warmup,
    config: &Config,
    output: &Output,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    let started = Instant::now();
    let info = RunInfo::new(spelled(what));
    if let Some(deadline) = config.deadline {
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(deadline).await;
            stop.stop(Stop::Deadline);
        });
    }
    let selection = match what {
        Warmup::Keys(args) if args.keys != ["-"] => {
            let bare = |key: &String| key.strip_prefix(&config.prefix).unwrap_or(key).to_owned();
            Selection::Keys(args.keys.iter().map(bare).collect())
        }
        // What comes on stdin is not known yet.
        Warmup::All(_) | Warmup::Keys(_) => Selection::All,
        Warmup::Context(args) => Selection::Contexts(args.names.clone()),
        Warmup::Strategy(args) => Selection::Strategies(args.ids.clone()),
    };
    let form = output.progress();
    let mut config = config.clone();
    config.options.estimate = matches!(form, ProgressForm::Bars | ProgressForm::Json);
    let coordinator = tokio::select! {
        coordinator = setup::coordinator(&config, &selection) => coordinator?,
        () = stop.stopped() => {
            output.note("stopped before anything was written");
            return Ok(stop.reason().map_or(Exit::Interrupted, Exit::from));
        }
    };
    let reporter = progress::reporter(form);
    let mut report = match what {
        Warmup::Keys(args) => {
            let windows = windows(&args.keys, &config.prefix);
            coordinator
                .warm_keys(windows, reporter.as_ref(), &stop)
                .await?
        }
        _ => coordinator.warm_all(reporter.as_ref(), &stop).await,
    };
    drop(reporter);
    // What the operator waited for: connections and preparation too.
    report.elapsed = started.elapsed();
    let document = document(&info, &report, output.verbose);
    let table = output.format == Format::Table;
    if !(output.quiet && table) {
        output.result(&document.render(output.format, output.width()));
    }
    // The table says it; a person beside a machine's reader would not know what to do next.
    if (output.quiet || !table)
        && let Some(failure) = report.failure()
    {
        output.failure(failure);
    }
    github::report(&report, &document);
    Ok(exit::of_run(
        &report,
        config.fail_under,
        config.options.allow_empty,
    ))
}

/// The command as it was meant, for the report.
fn spelled(what: &Warmup) -> String {
    match what {
        Warmup::All(_) => "warmup all".to_owned(),
        Warmup::Context(args) => format!("warmup context {}", args.names.join(" ")),
        Warmup::Strategy(args) => {
            let ids: Vec<String> = args.ids.iter().map(ToString::to_string).collect();
            format!("warmup strategy {}", ids.join(" "))
        }
        Warmup::Keys(_) => "warmup keys".to_owned(),
    }
}

fn windows(keys: &[String], prefix: &str) -> KeyWindows {
    if keys != ["-"] {
        let keys = unique(keys.iter().map(|key| prefixed(key, prefix)));
        return stream::iter([Ok(keys)]).boxed();
    }
    let (sender, receiver) = mpsc::channel(1);
    let prefix = prefix.to_owned();
    // A thread of its own: reading stdin blocks, and must not keep the process from ending.
    std::thread::spawn(move || read_windows(&prefix, &sender));
    stream::unfold(receiver, |mut receiver| async move {
        let window = receiver.recv().await?;
        Some((window, receiver))
    })
    .boxed()
}

fn read_windows(prefix: &str, sender: &mpsc::Sender<Result<Vec<String>, Failure>>) {
    let mut lines = std::io::stdin().lock().split(b'\n');
    loop {
        let mut window = Vec::new();
        for line in lines.by_ref().take(WINDOW) {
            match line {
                Ok(line) => {
                    let line = String::from_utf8_lossy(&line);
                    let key = line.strip_suffix('\r').unwrap_or(&line);
                    if !key.is_empty() {
                        window.push(prefixed(key, prefix));
                    }
                }
                Err(error) => {
                    let failure = Failure::new(
                        FailureKind::Usage,
                        "cannot read keys from stdin",
                        error.to_string(),
                    );
                    let _ = sender.blocking_send(Err(failure));
                    return;
                }
            }
        }
        if window.is_empty()
            || sender
                .blocking_send(Ok(unique(window.into_iter())))
                .is_err()
        {
            return;
        }
    }
}

/// Keys may be given as the definitions write them, or as they stand in the cache.
fn prefixed(key: &str, prefix: &str) -> String {
    if key.starts_with(prefix) {
        key.to_owned()
    } else {
        format!("{prefix}{key}")
    }
}

fn unique(keys: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    keys.filter(|key| seen.insert(key.clone())).collect()
}
