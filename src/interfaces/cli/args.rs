//! Arguments of commands that run.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::application::runs::lock::Locking;
use crate::application::settings::{Count, RunSettings, SAFETY, WARM};
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
    /// Contexts or CONTEXT/NAME (* is a wildcard)
    #[arg(value_name = "NAME", hide_short_help = true)]
    pub(super) names: Vec<String>,
    /// Without a selection, the plan's selection is run.
    #[command(flatten)]
    pub(super) run: SelectionRun,
}

#[derive(Subcommand, Debug)]
pub(super) enum Warmup {
    /// Warm every strategy
    All(SelectionRun),
    /// Warm all strategies of the named contexts
    Context(ContextArgs),
    /// Warm the named strategies
    Strategy(StrategyArgs),
    /// Warm single keys
    Keys(KeysArgs),
}

#[derive(Args, Debug)]
pub(super) struct ContextArgs {
    /// Contexts to warm
    #[arg(required = true, value_name = "CONTEXT")]
    pub(super) names: Vec<String>,
    #[command(flatten)]
    pub(super) run: SelectionRun,
}

#[derive(Args, Debug)]
pub(super) struct StrategyArgs {
    /// Strategies to warm, such as catalog/hot-products
    #[arg(required = true, value_name = "CONTEXT/NAME")]
    pub(super) ids: Vec<String>,
    #[command(flatten)]
    pub(super) run: SelectionRun,
}

#[derive(Args, Debug)]
pub(super) struct KeysArgs {
    /// Keys, or `-` to read one per line from stdin
    #[arg(required = true, value_name = "KEY")]
    pub(super) keys: Vec<String>,
    /// Keys on stdin are separated by NUL bytes, as `keys list -0` writes them
    #[arg(short = '0', long, env = "SHOPWARM_NULL", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) null: bool,
    #[command(flatten)]
    pub(super) run: RunSettings,
}

/// Arguments of a run over a selection.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct SelectionRun {
    #[command(flatten)]
    pub(super) run: RunSettings,
    #[command(flatten)]
    pub(super) checks: RunChecks,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Other runs")]
pub(super) struct RunChecks {
    /// Read back what was written; exit 10 if it differs
    ///
    /// With a share: exit 10 if less than that matches the database [default: 100%]
    #[arg(long, value_name = "PERCENT", help_heading = SAFETY, env = "SHOPWARM_VERIFY", num_args = 0..=1, require_equals = true, default_missing_value = "100%")]
    pub(super) verify: Option<Requirement>,
    /// Read back this many keys per strategy, chosen at random, instead of all
    #[arg(long, value_name = "N", help_heading = SAFETY, hide_short_help = true, env = "SHOPWARM_VERIFY_SAMPLE", value_parser = Count::<20_000>::number::<u32>)]
    pub(super) verify_sample: Option<u32>,
    /// Run exactly the plan that `dry-run --plan FILE` saved; refuse if it is out of date
    #[arg(long, value_name = "FILE", help_heading = WARM, hide_short_help = true, env = "SHOPWARM_PLAN", value_hint = clap::ValueHint::FilePath)]
    pub(super) plan: Option<PathBuf>,
    /// Remove orphans (keys without a row); asks first
    ///
    /// Only keys that earlier runs wrote.
    #[arg(long, help_heading = SAFETY, env = "SHOPWARM_PRUNE", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) prune: bool,
    /// Do not ask before --prune removes keys
    #[arg(long, help_heading = SAFETY, hide_short_help = true, env = "SHOPWARM_YES", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) yes: bool,
    /// Wait up to this long for another run to release the lock
    #[arg(long, value_name = "DURATION", hide_short_help = true, env = "SHOPWARM_LOCK_WAIT", value_parser = parse_ttl)]
    pub(super) lock_wait: Option<Duration>,
    /// Do not take the lock: other runs may write the same keys at the same time
    #[arg(long, hide_short_help = true, env = "SHOPWARM_NO_LOCK", conflicts_with = "lock_wait", value_parser = clap::builder::FalseyValueParser::new())]
    pub(super) no_lock: bool,
    /// Write the run's metrics to this .prom file, for the node exporter
    #[arg(long, value_name = "FILE", help_heading = "Output", hide_short_help = true, env = "SHOPWARM_METRICS_FILE", value_hint = clap::ValueHint::FilePath)]
    pub(super) metrics_file: Option<PathBuf>,
    /// How far a strategy's key count may be from the plan's [default: 10%]
    #[arg(long, value_name = "PERCENT", help_heading = WARM, hide_short_help = true, env = "SHOPWARM_PLAN_TOLERANCE")]
    pub(super) plan_tolerance: Option<Percent>,
}

impl RunChecks {
    pub(super) fn locking(&self) -> Locking {
        match self.lock_wait {
            _ if self.no_lock => Locking::Off,
            Some(wait) => Locking::Wait(wait),
            None => Locking::GiveWay,
        }
    }
}

/// The settings of runs and of the server. The short help leaves out those of runs.
#[derive(Args, Clone, Debug)]
#[command(mut_args = |arg| {
    let is_own = ["Serving", "The schedule"].map(Some).contains(&arg.get_help_heading());
    arg.hide_short_help(!is_own)
})]
pub(super) struct SettingsArgs {
    #[command(flatten)]
    pub(super) run: RunSettings,
    #[command(flatten)]
    pub(super) serve: ServeSettings,
    #[command(flatten)]
    pub(super) schedule: ScheduleSettings,
}
