//! All commands and their arguments.

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use super::args::{SettingsArgs, WarmupArgs};
use super::doctor::DoctorArgs;
use super::dry_run::DryRunArgs;
use super::help;
use super::init::InitArgs;
use super::keys::KeysCommand;
use super::probe::ProbeArgs;
use super::runs::RunsArgs;
use super::schedule::ScheduleCommand;
use super::target::Target;
use super::usage::UsageArgs;
use super::verify::VerifyArgs;
use super::worker::WorkerArgs;
use crate::config::{ConnectionSettings, PlaceArgs};
use crate::interfaces::output::OutputFlags;

/// Fill a shop's cache from its database before traffic arrives
#[derive(Parser, Debug)]
#[command(
    name = "shopwarm",
    version,
    max_term_width = 100,
    disable_help_flag = true,
    disable_version_flag = true,
    args = help::flags()
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) connection: ConnectionSettings,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
    #[command(flatten)]
    pub(super) output: OutputFlags,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand, Debug)]
#[expect(clippy::large_enum_variant, reason = "a process has one, and only once")]
pub(super) enum Command {
    /// Warm the shop, or some contexts, strategies or keys
    Warmup(WarmupArgs),
    /// List keys, or show one
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Show what a run would do, and write nothing
    DryRun(DryRunArgs),
    /// Compare the cache with the database
    Verify(VerifyArgs),
    /// Write definitions that fit your database
    ///
    /// Overwrites nothing. Reads the schema and the rows, and writes shopwarm.toml and contexts/shop.toml: an object for each row, a
    /// list of children for each parent, and notes on what it left out. Nothing is written to the database or
    /// the cache.
    Init(InitArgs),
    /// Show the merged definitions and where each field came from
    Strategies(Target),
    /// Check configuration, definitions, database and cache
    ///
    /// Prints one line per check: ok, warning or failed, and how to fix it. It sends real commands but
    /// writes nothing, tries each server once, and ends within 10 seconds. The flags are those of a run:
    /// doctor checks what that run would do.
    ///
    /// Exit code: 0 if no check failed (warnings do not count), else the highest code of a failed check: 3 a
    /// read-only server or a query · 4 configuration or a definition · 5 database and 6
    /// cache unreachable · 7 refused.
    Doctor(DoctorArgs),
    /// Show or check the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Run the schedule, the admin API and its page until stopped
    ///
    /// Serves an admin API with a page at / and metrics for Prometheus, and runs the jobs of
    /// shopwarm.toml. SIGHUP reloads configuration and definitions; SIGTERM lets runs finish within --grace.
    ///
    /// Exit code: 0 if all runs finished before it ended · 143 or 130 when a run had to be
    /// stopped · 4 configuration, or a public address without a token.
    Serve(SettingsArgs),
    /// Warm portions for runs that use --workers
    ///
    /// Takes portions from a queue in the cache, of every run with the same prefix, until stopped. It needs
    /// the definitions, variables and database of the run. The run decides what is written, and for how
    /// long. Any number of workers may run, on any machines, and come and go during a run.
    ///
    /// Exit code: 0 when stopped or idle · 3 a key could not be checked after writing · 4 a run uses other definitions,
    /// another database or another version · 5 database and 6 cache unreachable · 7 refused.
    Worker(WorkerArgs),
    /// List earlier runs, show one, or compare two
    ///
    /// The cache keeps the reports of the last 200 runs for 30 days, whether they were started from the
    /// command line, the admin API or the schedule.
    Runs(RunsArgs),
    /// Show which keys of earlier runs have been used since
    ///
    /// A key counts as used when anybody reads or writes it. The command asks the server when each key
    /// was last used, which does not count as use. A server that evicts by frequency (LFU) only gives an estimate.
    #[command(alias = "effect")]
    Usage(UsageArgs),
    /// Watch for cache misses, and show which strategy covers them
    ///
    /// Listens to the server's keyspace events (notify-keyspace-events must include E and m) or reads an
    /// access log. Keys that no strategy makes are shown as patterns, most frequent first.
    Probe(ProbeArgs),
    /// Show scheduled jobs
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Print completions for a shell
    Completions {
        /// The shell that the completions are for
        shell: Shell,
    },
    /// Print the manual page, or that of a command
    ///
    /// To read it: shopwarm man | man -l -
    Man {
        /// The command, such as `warmup all`
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Print the version
    #[command(hide = true)]
    Version,
}

impl Command {
    /// Whether it asks database or cache.
    pub(super) fn connects(&self) -> bool {
        !matches!(
            self,
            Self::Strategies(_)
                | Self::Config(_)
                | Self::Schedule(_)
                | Self::Completions { .. }
                | Self::Man { .. }
                | Self::Version
        )
    }
}

#[derive(Subcommand, Debug)]
pub(super) enum ConfigCommand {
    /// Show every setting, its value and where it came from
    #[command(mut_args = |arg| arg.hide_short_help(true))]
    Show(SettingsArgs),
    /// Check configuration, definitions and schedule without connecting
    #[command(mut_args = |arg| arg.hide_short_help(true))]
    Check(SettingsArgs),
}
