//! `shopwarm dry-run`: what a run would do.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Map;

use super::inspect::{Inspect, conclude};
use super::plan::SealedPlan;
use super::target::Target;
use crate::application::engine::coordinator::Coordinator;
use crate::application::engine::inspect::Inspection;
use crate::application::ports::{Headroom, Mode, QueryPlan};
use crate::application::run_state::event::Reporter;
use crate::application::run_state::stop::StopSignal;
use crate::application::settings::WARM;
use crate::config::{Config, ReadingArgs};
use crate::domain::failure::Failure;
use crate::domain::report::Report;
use crate::domain::run::RunInfo;
use crate::domain::selection::Selection;
use crate::domain::settings_text::parse_ttl;
use crate::interfaces::exit::{self, Exit};
use crate::interfaces::output::{Format, Output};
use crate::interfaces::progress;
use crate::interfaces::report::document::Document;
use crate::interfaces::report::dry_run::DryRun;
use crate::interfaces::report::keys::{Form, KeyWriter, Wanted};
use crate::setup::CacheNeed;

#[derive(Args, Debug)]
pub(super) struct DryRunArgs {
    #[command(flatten)]
    target: Target,
    /// A key with less time left than this counts as `expiring` [default: a quarter of its TTL, max 1h]
    #[arg(long, value_name = "DURATION", hide_short_help = true, env = "SHOPWARM_EXPIRING_WITHIN", value_parser = parse_ttl)]
    expiring_within: Option<Duration>,
    /// Print every key and its class
    #[arg(long, env = "SHOPWARM_KEYS", value_parser = clap::builder::FalseyValueParser::new())]
    keys: bool,
    /// Search the cache for orphans: keys that no longer have a row
    #[arg(long, env = "SHOPWARM_ORPHANS", value_parser = clap::builder::FalseyValueParser::new())]
    orphans: bool,
    /// Exit 10 if a run would change something
    #[arg(long, env = "SHOPWARM_EXIT_CODE", value_parser = clap::builder::FalseyValueParser::new())]
    exit_code: bool,
    /// Save the plan to this file, for `shopwarm warmup --plan FILE`
    #[arg(long, value_name = "FILE", env = "SHOPWARM_PLAN", value_hint = clap::ValueHint::FilePath)]
    plan: Option<PathBuf>,
    /// What the run would do with keys that are already cached
    #[arg(long, value_name = "ACTION", help_heading = WARM, hide_short_help = true, env = "SHOPWARM_MODE")]
    mode: Option<Mode>,
    #[command(flatten)]
    read: ReadingArgs,
}

pub(super) async fn run(
    args: &DryRunArgs,
    config: &Config,
    output: &Output,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    let started = Instant::now();
    let selection = args.target.selection()?;
    args.plan.as_deref().map_or(Ok(()), SealedPlan::check_target)?;
    let info = args.target.info("dry-run", config);
    let inspect = Inspect {
        config,
        output,
        stop: &stop,
        selection,
        inspection: Inspection {
            orphans: args.orphans,
            shape: true,
            ..Inspection::new(args.expiring_within)
        },
        // Changes cannot be detected without a cache.
        need: if args.exit_code { CacheNeed::Required } else { CacheNeed::IfGiven },
    };
    let compare =
        async |viewer: &Coordinator| compare(args, &inspect, viewer, &info, started).await;
    inspect.run(compare).await
}

/// Compares, and shows what a run would change.
async fn compare(
    args: &DryRunArgs,
    inspect: &Inspect<'_>,
    viewer: &Coordinator,
    info: &RunInfo,
    started: Instant,
) -> Result<Exit, Failure> {
    let (config, output, stop) = (inspect.config, inspect.output, inspect.stop);
    let compared = viewer.cache().is_some();
    let keys = args.keys.then(|| key_writer(output.format, compared, stop));
    let bars = progress::reporter(output.progress());
    let reporter: &dyn Reporter = match &keys {
        Some(keys) => keys,
        None => bars.as_ref(),
    };
    let report = inspect.report(viewer, reporter, started).await;
    // After a stop, do not query more.
    let (plans, headroom) = tokio::select! {
        biased;
        () = stop.stopped() => (vec![None; report.strategies.len()], None),
        both = async { (plans(viewer, config).await, headroom(viewer).await) } => both,
    };
    let report = Report { elapsed: started.elapsed(), ..report };
    let found = DryRun {
        report: &report,
        plans: &plans,
        compared,
        headroom: headroom.as_ref(),
        expiring_within: args.expiring_within,
        options: &config.options(),
        ttls: viewer.ttls(),
        exit_code: args.exit_code,
    };
    // Before the report: its verdict is the last line.
    let sealed = seal(args, config, &inspect.selection, &report, output);
    let document = found.document(info, output.verbose);
    match &keys {
        Some(keys) => finish(keys, &document, output),
        None => document.show(output),
    }
    conclude(&report, &document, output);
    sealed?;
    Ok(match exit::of_run(&report) {
        Exit::Success if found.is_failed_by_changes() => Exit::Differences,
        exit => exit,
    })
}

/// Writes the plan to a file, if requested and all of it can be run.
fn seal(
    args: &DryRunArgs,
    config: &Config,
    selection: &Selection,
    report: &Report,
    output: &Output,
) -> Result<(), Failure> {
    let Some(file) = &args.plan else {
        return Ok(());
    };
    if !report.passes() {
        output.note("the plan was not saved: parts of it cannot run");
        return Ok(());
    }
    let words = args.target.words();
    SealedPlan::seal(&words, config, selection, report)?.write(file)?;
    let file = file.display();
    output.note(&format!("saved the plan to {file}; run it with: shopwarm warmup --plan {file}"));
    Ok(())
}

fn key_writer(format: Format, compared: bool, stop: &StopSignal) -> KeyWriter {
    let wanted = Wanted { orphans: true, before_report: true, ..Wanted::default() };
    KeyWriter::new(Form::of(format), compared, wanted, Output::stream(), stop.clone())
}

/// Prints the report after the keys. JSON embeds it; CSV has only keys.
fn finish(keys: &KeyWriter, document: &Document, output: &Output) {
    let mut more = Map::new();
    if output.format == Format::Json {
        more.insert("report".to_owned(), document.json.clone());
    }
    keys.finish(&more);
    let gap = match output.format {
        Format::Json | Format::Csv => return,
        Format::Ndjson => "",
        Format::Table | Format::Markdown => "\n",
    };
    let text = document.render(output.format, output.width());
    output.result(&format!("{gap}{text}"));
}

/// The database's plan for each strategy, if it gives one.
async fn plans(viewer: &Coordinator, config: &Config) -> Vec<Option<QueryPlan>> {
    let mut plans = Vec::new();
    for strategy in viewer.strategies() {
        plans.push(strategy.plan(config.run.limit()).await.ok());
    }
    plans
}

async fn headroom(viewer: &Coordinator) -> Option<Headroom> {
    Some(viewer.cache()?.headroom().await)
}
