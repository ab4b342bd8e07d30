//! `shopwarm dry-run`: what a run would do.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Map;

use super::plan::SealedPlan;
use super::{EXPIRING, Target};
use crate::application::coordinator::Coordinator;
use crate::application::ports::QueryPlan;
use crate::application::preview::{Look, MemoryPlan};
use crate::application::stop::StopSignal;
use crate::config::{Config, ModeName, ReadFlags};
use crate::contexts::definitions::parse_ttl;
use crate::domain::failure::Failure;
use crate::domain::report::Report;
use crate::interfaces::exit::{self, Exit};
use crate::interfaces::forecast::Forecast;
use crate::interfaces::keys::{Form, KeyWriter, Wanted};
use crate::interfaces::output::{Format, Output, ProgressForm};
use crate::interfaces::report::RunInfo;
use crate::interfaces::{github, progress};
use crate::setup::{self, CacheNeed};

#[derive(Args, Debug)]
pub struct DryRunArgs {
    #[command(flatten)]
    target: Target,
    /// An equal key with less time left than this is `expiring`
    #[arg(long, value_name = "DURATION", env = "SHOPWARM_EXPIRING_WITHIN", hide_env_values = true, default_value = EXPIRING, value_parser = parse_ttl)]
    expiring_within: Duration,
    /// Print every key with its class, as it is looked at
    #[arg(long, env = "SHOPWARM_KEYS", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    keys: bool,
    /// Search the cache for keys that have no row any more
    #[arg(long, env = "SHOPWARM_ORPHANS", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    orphans: bool,
    /// Exit 10 when a run would change something
    #[arg(long, env = "SHOPWARM_EXIT_CODE", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    exit_code: bool,
    /// Seal the plan into this file, for `shopwarm warmup --plan FILE`
    #[arg(long, value_name = "FILE", env = "SHOPWARM_PLAN", hide_env_values = true, value_hint = clap::ValueHint::FilePath)]
    plan: Option<PathBuf>,
    /// What the run would do with keys that are there already [default: refresh]
    #[arg(long, env = "SHOPWARM_MODE", hide_env_values = true)]
    pub(super) mode: Option<ModeName>,
    #[command(flatten)]
    pub(super) read: ReadFlags,
}

pub(super) async fn run(
    args: &DryRunArgs,
    config: &Config,
    output: &Output,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    let started = Instant::now();
    let selection = args.target.selection()?;
    let info = RunInfo::new(format!("dry-run {}", args.target.words().join(" ")));
    super::deadline(config, &stop);
    let look = Look {
        orphans: args.orphans,
        ..Look::new(args.expiring_within)
    };
    let form = match args.keys {
        true => ProgressForm::None,
        false => output.progress(),
    };
    // Whether something would change cannot be told without a cache.
    let need = match args.exit_code {
        true => CacheNeed::Required,
        false => CacheNeed::IfGiven,
    };
    let mut config = config.clone();
    config.options.estimate = matches!(form, ProgressForm::Bars | ProgressForm::Json);
    let viewer = tokio::select! {
        viewer = setup::viewer(&config, &selection, look, need) => viewer?,
        () = stop.stopped() => return Ok(super::stopped_before(output, &stop)),
    };
    let reporter = progress::reporter(form);
    let mut keys = None;
    let mut report = if args.keys {
        let form = Form::of(output.format);
        let wanted = Wanted {
            orphans: true,
            before_report: true,
            ..Wanted::default()
        };
        let compared = viewer.cache().is_some();
        let out = Output::stream();
        let writer = KeyWriter::new(form, compared, wanted, out, reporter, stop.clone());
        let report = viewer.warm_all(&writer, &stop).await;
        keys = Some(writer);
        report
    } else {
        viewer.warm_all(reporter.as_ref(), &stop).await
    };
    // Whoever has stopped it does not want to wait for more.
    let (plans, memory) = tokio::select! {
        biased;
        () = stop.stopped() => (vec![None; report.strategies.len()], None),
        both = async { (plans(&viewer, &config).await, memory(&viewer, &report).await) } => both,
    };
    report.elapsed = started.elapsed();
    let forecast = Forecast {
        report: &report,
        plans: &plans,
        compared: viewer.cache().is_some(),
        memory: memory.as_ref(),
        expiring_within: args.expiring_within,
        options: &config.options,
    };
    let document = forecast.document(&info, output.verbose);
    if let Some(keys) = keys {
        // The keys stand in the same document: the report follows them.
        let report = match output.format {
            Format::Json => [("report".to_owned(), document.json.clone())]
                .into_iter()
                .collect(),
            _ => Map::new(),
        };
        keys.finish(&report);
        match output.format {
            Format::Json | Format::Csv => {}
            Format::Table | Format::Markdown | Format::Ndjson => {
                let text = document.render(output.format, output.width());
                let gap = if output.format == Format::Ndjson {
                    ""
                } else {
                    "\n"
                };
                output.result(&format!("{gap}{text}"));
            }
        }
    } else if !(output.quiet && output.format == Format::Table) {
        output.result(&document.render(output.format, output.width()));
    }
    if (output.quiet || output.format != Format::Table)
        && let Some(failure) = report.failure()
    {
        output.failure(failure);
    }
    github::report(&report, &document);
    let exit = exit::of_run(&report, config.fail_under, config.options.allow_empty);
    if let (Some(file), Exit::Success) = (&args.plan, exit) {
        let words = args.target.words();
        SealedPlan::seal(&words, &config, &selection, &report)?.write(file)?;
        output.note(&format!(
            "sealed into {0}; shopwarm warmup --plan {0} runs it",
            file.display()
        ));
    } else if args.plan.is_some() {
        output.note("the plan is not sealed: not all of it can be run");
    }
    Ok(match exit {
        Exit::Success if args.exit_code && forecast.changed() > 0 => Exit::Differences,
        exit => exit,
    })
}

/// What the database's planner says of each strategy; a server that does not say costs the figure.
async fn plans(viewer: &Coordinator, config: &Config) -> Vec<Option<QueryPlan>> {
    let mut plans = Vec::new();
    for strategy in viewer.strategies() {
        plans.push(strategy.plan(config.options.limit).await.ok());
    }
    plans
}

async fn memory(viewer: &Coordinator, report: &Report) -> Option<MemoryPlan> {
    let present: Vec<Vec<u8>> = report
        .strategies
        .iter()
        .flat_map(|strategy| strategy.seen.present.iter().cloned())
        .collect();
    let room = viewer.cache()?.room(&present).await;
    Some(MemoryPlan::new(report, room))
}
