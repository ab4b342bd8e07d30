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
use crate::domain::key::printable;
use crate::domain::report::{Report, Stop};
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
            // As the definitions write them: with the prefix or without.
            let bare = |key: &String| key.strip_prefix(&config.prefix).unwrap_or(key).to_owned();
            let keys = args.keys.iter().flat_map(|key| [bare(key), key.clone()]);
            Selection::Keys(keys.collect())
        }
        // What comes on stdin is not known yet.
        Warmup::All(_) | Warmup::Keys(_) => Selection::All,
        Warmup::Context(args) => Selection::Contexts(args.names.clone()),
        Warmup::Strategy(args) => Selection::Strategies(args.ids.clone()),
    };
    let mut report = warm(what, config, &selection, output.progress(), &stop).await?;
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

/// Connects, prepares and runs; a stop before the first write is a run that did nothing.
async fn warm(
    what: &Warmup,
    config: &Config,
    selection: &Selection,
    form: ProgressForm,
    stop: &StopSignal,
) -> Result<Report, Failure> {
    let mut config = config.clone();
    config.options.estimate = matches!(form, ProgressForm::Bars | ProgressForm::Json);
    let coordinator = tokio::select! {
        coordinator = setup::coordinator(&config, selection) => coordinator?,
        () = stop.stopped() => {
            return Ok(Report::stopped_before(stop.reason().unwrap_or(Stop::Interrupted)));
        }
    };
    let reporter = progress::reporter(form);
    match what {
        Warmup::Keys(args) => {
            coordinator
                .warm_keys(windows(&args.keys), reporter.as_ref(), stop)
                .await
        }
        _ => Ok(coordinator.warm_all(reporter.as_ref(), stop).await),
    }
}

/// The command as it was meant, for the report.
fn spelled(what: &Warmup) -> String {
    match what {
        Warmup::All(_) => "warmup all".to_owned(),
        Warmup::Context(args) => format!("warmup context {}", args.names.join(" ")),
        Warmup::Strategy(args) => {
            format!("warmup strategy {}", args.ids.join(" "))
        }
        Warmup::Keys(_) => "warmup keys".to_owned(),
    }
}

fn windows(keys: &[String]) -> KeyWindows {
    if keys != ["-"] {
        let keys = unique(keys.iter().cloned());
        return stream::iter([Ok(keys)]).boxed();
    }
    let (sender, receiver) = mpsc::channel(1);
    // A thread of its own: reading stdin blocks, and must not keep the process from ending.
    std::thread::spawn(move || read_windows(&sender));
    stream::unfold(receiver, |mut receiver| async move {
        let window = receiver.recv().await?;
        Some((window, receiver))
    })
    .boxed()
}

fn read_windows(sender: &mpsc::Sender<Result<Vec<String>, Failure>>) {
    let mut lines = std::io::stdin().lock().split(b'\n').peekable();
    while lines.peek().is_some() {
        let mut window = Vec::new();
        for line in lines.by_ref().take(WINDOW) {
            match line {
                Ok(line) => {
                    // A key that is no text is of no template: shown escaped, it is reported so.
                    let line = String::from_utf8(line).unwrap_or_else(|e| printable(e.as_bytes()));
                    let key = line.strip_suffix('\r').unwrap_or(&line);
                    if !key.is_empty() {
                        window.push(key.to_owned());
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
        if sender
            .blocking_send(Ok(unique(window.into_iter())))
            .is_err()
        {
            return;
        }
    }
}

fn unique(keys: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    keys.filter(|key| seen.insert(key.clone())).collect()
}
