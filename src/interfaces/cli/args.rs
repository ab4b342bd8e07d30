//! What commands that run are told.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::application::runs::lock::Locking;
use crate::application::settings::RunSettings;
use crate::config::{ScheduleSettings, ServeSettings};
use crate::domain::gate::Requirement;
use crate::domain::percent::Percent;
use crate::domain::settings_text::parse_ttl;

#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_required = false,
    after_help = "Signals: SIGUSR1 halves the pace of a run, SIGUSR2 doubles it."
)]
pub(super) struct WarmupArgs {
    #[command(subcommand)]
    pub(super) what: Option<Warmup>,
    /// Without a selection the plan's own is run.
    #[command(flatten)]
    pub(super) run: SelectionRun,
}

#[derive(Subcommand, Debug)]
pub(super) enum Warmup {
    /// Warm every strategy
    All(SelectionRun),
    /// Warm the strategies of some contexts
    Context(ContextArgs),
    /// Warm some strategies
    Strategy(StrategyArgs),
    /// Warm some keys, whether or not they are in a selection
    Keys(KeysArgs),
}

#[derive(Args, Debug)]
pub(super) struct ContextArgs {
    #[arg(required = true, value_name = "NAME")]
    pub(super) names: Vec<String>,
    #[command(flatten)]
    pub(super) run: SelectionRun,
}

#[derive(Args, Debug)]
pub(super) struct StrategyArgs {
    #[arg(required = true, value_name = "CONTEXT/NAME")]
    pub(super) ids: Vec<String>,
    #[command(flatten)]
    pub(super) run: SelectionRun,
}

#[derive(Args, Debug)]
pub(super) struct KeysArgs {
    /// Keys, or `-` for one a line on stdin
    #[arg(required = true, value_name = "KEY")]
    pub(super) keys: Vec<String>,
    /// Keys on stdin end with a zero byte, as `keys list -0` writes them
    #[arg(short = '0', long, env = "SHOPWARM_NULL", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) null: bool,
    #[command(flatten)]
    pub(super) run: RunSettings,
}

/// The run of a selection, and what holds before and after it.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct SelectionRun {
    #[command(flatten)]
    pub(super) run: RunSettings,
    #[command(flatten)]
    pub(super) checks: RunChecks,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Before and after the run")]
pub(super) struct RunChecks {
    /// Read back what the run wrote; exit 10 where less than this share is present and equal [default: 100%]
    #[arg(
        long,
        value_name = "PERCENT",
        env = "SHOPWARM_VERIFY",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "100%"
    )]
    pub(super) verify: Option<Requirement>,
    /// Read back this many keys of each strategy, chosen at random, instead of all
    #[arg(long, value_name = "N", env = "SHOPWARM_VERIFY_SAMPLE", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(super) verify_sample: Option<u32>,
    /// Run what `dry-run --plan FILE` sealed, and refuse where it does not hold any more
    #[arg(long, value_name = "FILE", env = "SHOPWARM_PLAN", value_hint = clap::ValueHint::FilePath)]
    pub(super) plan: Option<PathBuf>,
    /// Remove keys that earlier runs wrote and that have no row any more; asks before it does
    #[arg(long, env = "SHOPWARM_PRUNE", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) prune: bool,
    /// Remove them without asking
    #[arg(long, env = "SHOPWARM_YES", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) yes: bool,
    /// Wait this long for another run that has the lock, instead of giving way to it
    #[arg(long, value_name = "DURATION", env = "SHOPWARM_LOCK_WAIT", value_parser = parse_ttl)]
    pub(super) lock_wait: Option<Duration>,
    /// Take no lock: run next to others, which may write the same keys
    #[arg(long, env = "SHOPWARM_NO_LOCK", conflicts_with = "lock_wait", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) no_lock: bool,
    /// Write the run's metrics here, for node exporter to read (a name that ends in .prom)
    #[arg(long, value_name = "FILE", env = "SHOPWARM_METRICS_FILE", value_hint = clap::ValueHint::FilePath)]
    pub(super) metrics_file: Option<PathBuf>,
    /// How far a strategy's number of keys may be from the plan's [default: 10%]
    #[arg(long, value_name = "PERCENT", env = "SHOPWARM_PLAN_TOLERANCE")]
    pub(super) plan_tolerance: Option<Percent>,
}

impl RunChecks {
    pub(super) fn locking(&self) -> Locking {
        match self.lock_wait {
            _ if self.no_lock => Locking::Off,
            Some(patience) => Locking::Wait(patience),
            None => Locking::GiveWay,
        }
    }
}

/// What the settings of a run and of a server would be.
#[derive(Args, Clone, Debug)]
pub(super) struct SettingsArgs {
    #[command(flatten)]
    pub(super) run: RunSettings,
    #[command(flatten)]
    pub(super) serve: ServeSettings,
    #[command(flatten)]
    pub(super) schedule: ScheduleSettings,
}
