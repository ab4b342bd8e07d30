//! `shopwarm warmup`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Instrument as _;

use super::args::{RunChecks, Warmup, WarmupArgs};
use super::connect::{deadline, waiting};
use super::inspect::conclude;
use super::plan::SealedPlan;
use super::stdin::key_windows;
use super::{prune, target, verify};
use crate::application::engine::coordinator::Coordinator;
use crate::application::ports::Consent;
use crate::application::record::RunRecord;
use crate::application::run_state::stop::StopSignal;
use crate::application::runs::lock::Locking;
use crate::application::runs::refused::Refused;
use crate::application::runs::run::{self, Finished, Run};
use crate::config::Config;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::gate::Verified;
use crate::domain::key::printable;
use crate::domain::percent::Percent;
use crate::domain::report::{Report, Stop};
use crate::domain::run::{RunInfo, Trigger};
use crate::domain::selection::Selection;
use crate::domain::wording::quoted;
use crate::interfaces::exit::{self, Exit};
use crate::interfaces::output::{Output, ProgressForm, note};
use crate::interfaces::report::run::document;
use crate::interfaces::{github, progress, signals};
use crate::setup::{self, LastRun};

/// Default of `--plan-tolerance`.
const PLAN_TOLERANCE: Percent = Percent::whole(10);

fn checks(args: &WarmupArgs) -> RunChecks {
    match &args.what {
        None => args.run.checks.clone(),
        Some(Warmup::All(run)) => run.checks.clone(),
        Some(Warmup::Context(args)) => args.run.checks.clone(),
        Some(Warmup::Strategy(args)) => args.run.checks.clone(),
        Some(Warmup::Keys(_)) => RunChecks::default(),
    }
}

/// The selection, as spelled on the command line.
fn words(what: &Warmup) -> Vec<String> {
    let named = |kind: &str, names: &[String]| [&[kind.to_owned()], names].concat();
    match what {
        Warmup::All(_) => vec!["all".to_owned()],
        Warmup::Context(args) => named("context", &args.names),
        Warmup::Strategy(args) => named("strategy", &args.ids),
        Warmup::Keys(_) => vec!["keys".to_owned()],
    }
}

fn selection(what: &Warmup, prefix: &str) -> Result<Selection, Failure> {
    match what {
        Warmup::Keys(args) if args.keys != ["-"] => {
            // With or without the prefix.
            let bare = |key: &String| key.strip_prefix(prefix).unwrap_or(key).to_owned();
            let keys = args.keys.iter().flat_map(|key| [bare(key), key.clone()]);
            Ok(Selection::Keys(keys.collect()))
        }
        // Keys on stdin are not known yet.
        Warmup::Keys(_) => Ok(Selection::All),
        what => target::selection(&words(what)),
    }
}

/// A run, from the command line and a plan.
struct Job<'a> {
    info: RunInfo,
    started: Instant,
    what: Option<&'a Warmup>,
    selection: Selection,
    plan: Option<SealedPlan>,
    checks: RunChecks,
    /// Who confirms pruning.
    consent: Option<Arc<dyn Consent>>,
}

/// A finished run.
struct Done {
    record: RunRecord,
    /// It covered all keys of its strategies.
    whole: bool,
    exit: Exit,
}

/// Runs, and writes the metrics even if the run could not start.
pub(super) async fn run(
    args: &WarmupArgs,
    config: Result<Config, Failure>,
    output: &Output,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    let info = RunInfo::new("warmup".to_owned(), Trigger::Cli);
    let path = checks(args).metrics_file;
    let known = config.clone();
    let done = match config {
        Ok(config) => carry_out(args, config, info.clone(), output, stop).await,
        Err(failure) => Err(failure),
    };
    if let Some(path) = path {
        leave_metrics(&path, known.ok().as_ref(), &info, &done);
    }
    done.map(|done| done.exit)
}

/// A metrics file that cannot be written does not change the outcome.
fn leave_metrics(
    path: &Path,
    config: Option<&Config>,
    info: &RunInfo,
    done: &Result<Done, Failure>,
) {
    let (end, whole, exit) = match done {
        Ok(done) => (Ok(done.record.clone()), done.whole, done.exit),
        Err(failure) => {
            let refused = Arc::new(Refused::Failed(failure.clone()));
            (Err(refused), false, Exit::from(failure))
        }
    };
    let run = LastRun { info, end: &end, whole, exit: exit as u8 };
    if let Err(error) = setup::write_metrics(path, config, &run) {
        let path = path.display();
        note(&format!("warning: cannot write the metrics to {path}: {error}\n"));
    }
}

impl<'a> Job<'a> {
    fn new(args: &'a WarmupArgs, config: &mut Config, info: RunInfo) -> Result<Self, Failure> {
        let checks = checks(args);
        let plan = checks.plan.as_deref().map(SealedPlan::read).transpose()?;
        let (words, selection) = match (&args.what, &plan) {
            (Some(what), _) => (words(what), selection(what, &config.prefix)?),
            (None, _) if !args.names.is_empty() => {
                (args.names.clone(), target::selection(&args.names)?)
            }
            (None, Some(plan)) => {
                plan.apply(config);
                (plan.selection.clone(), target::selection(&plan.selection)?)
            }
            (None, None) => return Err(nothing_named()),
        };
        Ok(Self {
            info: RunInfo {
                command: format!("warmup {}", words.join(" ")),
                flags: config.flags.clone(),
                ..info
            },
            started: Instant::now(),
            what: args.what.as_ref(),
            selection,
            plan,
            consent: prune::consent(&checks)?,
            checks,
        })
    }
}

fn nothing_named() -> Failure {
    let what = "nothing was selected";
    let why = "choose one of: all, NAME..., context NAME..., strategy CONTEXT/NAME..., keys KEY...";
    Failure::new(FailureKind::Usage, what, why)
        .hint("or use --plan FILE, saved by `shopwarm dry-run --plan FILE`")
}

/// A warning of `@FILE`, which other tools read.
fn taken_as_key(key: &str) -> Option<String> {
    let file = key.strip_prefix('@')?;
    let [key, shown] = [key, file].map(|text| printable(text.as_bytes()));
    let how = format!("shopwarm warmup keys - < {}", quoted(&shown));
    let text = format!("warning: `{key}` is taken as a key; to read keys from a file: `{how}`");
    Path::new(file).is_file().then_some(text)
}

async fn carry_out(
    args: &WarmupArgs,
    mut config: Config,
    info: RunInfo,
    output: &Output,
    stop: StopSignal,
) -> Result<Done, Failure> {
    let job = Job::new(args, &mut config, info)?;
    if let (Some(Warmup::Keys(args)), None) = (&args.what, output.log_format) {
        let notes = args.keys.iter().filter_map(|key| taken_as_key(key));
        notes.for_each(|note| output.note(&note));
    }
    deadline(&config, &stop);
    let warming = warm(&job, &config, output, &stop);
    let (finished, verified) = match warming.instrument(run::span(&job.info)).await {
        Ok(done) => done,
        Err(refused) => {
            setup::record_refusal(&config, &job.info, &refused).await;
            match refused {
                Refused::Stopped(why) => (Finished::before(&job.info, why), None),
                // Only jobs have a scheduled time.
                Refused::RunBefore => (Finished::before(&job.info, Stop::Enough), None),
                Refused::Busy(holder) => return Err((*holder).into()),
                Refused::Failed(failure) => return Err(failure),
            }
        }
    };
    Ok(Done {
        exit: show(&finished, verified.as_ref(), output),
        whole: config.run.limit.is_none(),
        record: finished.record,
    })
}

/// Shows the result and returns the exit code.
fn show(
    Finished { report, record }: &Finished,
    verified: Option<&Verified>,
    output: &Output,
) -> Exit {
    let document = document(record, verified, output.verbose);
    document.show(output);
    conclude(report, &document, output);
    let exit = exit::of_run(report);
    let Some(verified) = verified else {
        return exit;
    };
    let judged = verified.judge();
    github::requirements(&judged);
    match exit {
        // A failed verification counts as differences.
        Exit::Success => verify::judge(&verified.found, &judged),
        exit => exit,
    }
}

/// Connects, prepares and runs.
///
/// # Errors
/// Why the run did not start.
async fn warm(
    job: &Job<'_>,
    config: &Config,
    output: &Output,
    stop: &StopSignal,
) -> Result<(Finished, Option<Verified>), Refused> {
    let waiting = waiting(config, output);
    let connect = || setup::coordinator(config, &job.selection);
    let coordinator = tokio::select! {
        coordinator = setup::with_retries(config.run.wait(), waiting, connect) => coordinator?,
        () = stop.stopped() => {
            return Err(Refused::Stopped(stop.reason().unwrap_or(Stop::Interrupted)));
        }
    };
    let coordinator = match &job.consent {
        Some(consent) => coordinator.pruning(Arc::clone(consent)),
        None => coordinator,
    };
    let pace = coordinator.pace().clone();
    let _listening = signals::change_pace(move |change| pace.change(change))?;
    let reporter = progress::reporter(output.progress());
    let reporter = reporter.as_ref();
    let begin = |locking| Run::begin(&coordinator, &job.info, job.started, locking, reporter, stop);
    if let Some(Warmup::Keys(args)) = job.what {
        let windows = key_windows(&args.keys, if args.null { 0 } else { b'\n' });
        // Warming single keys takes no lock.
        let run = begin(Locking::Off).await?;
        return Ok((run.warm_keys(windows, reporter, stop).await?, None));
    }
    if let Some(require) = &job.checks.verify {
        verify::check_names(require, &coordinator)?;
    }
    if let Some(plan) = &job.plan {
        let tolerance = job.checks.plan_tolerance.unwrap_or(PLAN_TOLERANCE);
        plan.check(config, &job.selection, &coordinator, tolerance).await?;
    }
    let run = begin(job.checks.locking()).await?;
    let Some(require) = &job.checks.verify else {
        return Ok((run.warm_all(reporter, stop).await, None));
    };
    let read_back = async {
        let found = read_back(&coordinator, job.checks.verify_sample, stop).await;
        Verified::after_run(found, require.clone(), job.selection.name())
            .sampled(job.checks.verify_sample.is_some())
    };
    Ok(run.warm_and_verify(reporter, stop, read_back).await)
}

/// Reads the cache back.
async fn read_back(run: &Coordinator, sample: Option<u32>, stop: &StopSignal) -> Report {
    let inspection = verify::inspection(Some(Duration::ZERO), sample, None);
    let silent = progress::reporter(ProgressForm::None);
    let coordinator = run.inspection(inspection);
    coordinator.warm_all(None, silent.as_ref(), stop).await
}
