//! `shopwarm verify`: what is really in the cache.

use std::time::{Duration, Instant};

use clap::Args;

use super::inspect::{Inspect, conclude};
use super::target::Target;
use crate::application::engine::coordinator::Coordinator;
use crate::application::engine::inspect::Inspection;
use crate::application::run_state::stop::StopSignal;
use crate::application::settings::{Count, SAFETY};
use crate::config::{Config, ReadingArgs};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::gate::{Judged, Requirement, Verified};
use crate::domain::nearest::nearest;
use crate::domain::report::Report;
use crate::domain::settings_text::parse_ttl;
use crate::interfaces::exit::{self, Exit};
use crate::interfaces::output::Output;
use crate::interfaces::report::verify::Verification;
use crate::interfaces::{github, progress};
use crate::setup::CacheNeed;

#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    target: Target,
    /// Check this many keys per strategy, chosen at random, instead of all
    #[arg(long, value_name = "N", env = "SHOPWARM_SAMPLE", value_parser = Count::<20_000>::number::<u32>)]
    sample: Option<u32>,
    /// Use this seed to check the same sample again
    #[arg(long, value_name = "NUMBER", env = "SHOPWARM_SEED", requires = "sample")]
    seed: Option<u64>,
    /// Share of keys that must match the database: 99%, catalog=99.5%,hot-products=100%
    #[arg(long, value_name = "PERCENT", help_heading = SAFETY, env = "SHOPWARM_REQUIRE", default_value = "100%")]
    require: Requirement,
    /// A key with less time left than this counts as `expiring`, and still as equal [default: a quarter of its TTL, max 1h]
    #[arg(long, value_name = "DURATION", hide_short_help = true, env = "SHOPWARM_EXPIRING_WITHIN", value_parser = parse_ttl)]
    expiring_within: Option<Duration>,
    #[command(flatten)]
    read: ReadingArgs,
}

pub(super) async fn run(
    args: &VerifyArgs,
    config: &Config,
    output: &Output,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    let started = Instant::now();
    let selection = args.target.selection()?;
    let info = args.target.info("verify", config);
    let inspect = Inspect {
        config,
        output,
        stop: &stop,
        selection,
        inspection: inspection(args.expiring_within, args.sample, args.seed),
        need: CacheNeed::Required,
    };
    let verify = async |viewer: &Coordinator| {
        check_names(&args.require, viewer)?;
        let reporter = progress::reporter(output.progress());
        let report = inspect.report(viewer, reporter.as_ref(), started).await;
        let verified = Verified::new(report, args.require.clone(), inspect.selection.name())
            .sampled(args.sample.is_some());
        let (report, judged) = (&verified.found, verified.judge());
        let sample = inspect.inspection.sample;
        let verification = Verification { report, judged: &judged, sample };
        let document = verification.document(&info, output.verbose);
        document.show(output);
        conclude(report, &document, output);
        github::requirements(&judged);
        Ok(judge(report, &judged))
    };
    inspect.run(verify).await
}

/// What a verification compares; without a seed, a random one is used and shown.
pub(super) fn inspection(
    expiring_within: Option<Duration>,
    sample: Option<u32>,
    seed: Option<u64>,
) -> Inspection {
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    Inspection {
        sample: sample.map(|size| (size as usize, seed)),
        ..Inspection::new(expiring_within)
    }
}

/// An unmet requirement turns success into [`Exit::Differences`], unless the cache did not let us see the keys.
pub(super) fn judge(found: &Report, judged: &[Judged<'_>]) -> Exit {
    let is_met = judged.iter().all(|judged| judged.met);
    match exit::of_run(found) {
        Exit::Success if !is_met && found.is_denied() => Exit::Denied,
        Exit::Success if !is_met => Exit::Differences,
        exit => exit,
    }
}

/// A requirement with an unknown name would always be met.
///
/// # Errors
/// [`FailureKind::Usage`] with the nearest known name.
pub(super) fn check_names(require: &Requirement, run: &Coordinator) -> Result<(), Failure> {
    let mut known: Vec<String> = Vec::new();
    for strategy in run.strategies() {
        let id = &strategy.spec().id;
        for id in [id, &id.family()] {
            known.extend([id.to_string(), id.context.clone(), id.name.clone()]);
        }
    }
    for name in require.gates.iter().filter_map(|gate| gate.name.as_ref()) {
        if !known.contains(name) {
            let what = format!("--require: unknown name `{name}`");
            let why = "no selected context or strategy has this name";
            let failure = Failure::new(FailureKind::Usage, what, why);
            return Err(match nearest(name, known.iter().map(String::as_str)) {
                Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
                None => failure,
            });
        }
    }
    Ok(())
}
