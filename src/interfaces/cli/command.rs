//! Every command, and what it is told.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use super::args::{SettingsArgs, WarmupArgs};
use super::dry_run::DryRunArgs;
use super::keys::KeysCommand;
use super::probe::ProbeArgs;
use super::runs::RunsArgs;
use super::schedule::ScheduleCommand;
use super::usage::UsageArgs;
use super::verify::VerifyArgs;
use crate::application::settings::RunSettings;
use crate::config::{ConnectionSettings, PlaceArgs};
use crate::interfaces::output::OutputFlags;

/// Fill a shop's cache from its database before traffic arrives
#[derive(Parser, Debug)]
#[command(
    name = "shopwarm",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "Examples:\n  \
        shopwarm --demo warmup all                    try it, no server needed\n  \
        shopwarm warmup all                           warm the whole shop\n  \
        shopwarm warmup context catalog --fail-under 99\n  \
        shopwarm warmup keys Product:id:42\n  \
        shopwarm dry-run                              what a run would do\n  \
        shopwarm verify --require 99%                 what is really in the cache\n  \
        shopwarm keys get Product:id:42\n  \
        shopwarm serve                                admin API, page and schedule\n  \
        shopwarm runs                                 what earlier runs did\n  \
        shopwarm effect                               what of it was used\n  \
        shopwarm probe --for 30s                      what the shop misses\n\n\
        Exit codes: 0 done · 2 usage · 3 incomplete or nothing to warm · 4 configuration · 5 database and\n\
        6 cache unreachable · 7 refused · 8 another run holds the lock · 9 deadline · 10 differences found ·\n\
        130 interrupted · 143 terminated · 1 internal error"
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
#[expect(
    clippy::large_enum_variant,
    reason = "a process has one, and only once"
)]
pub(super) enum Command {
    /// Warm the cache
    Warmup(WarmupArgs),
    /// List keys, or look at one
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Say what a run would do, and write nothing
    DryRun(DryRunArgs),
    /// Read back what is in the cache, and compare it with the database
    Verify(VerifyArgs),
    /// Show the merged definitions and where each field came from
    Strategies,
    /// Check what a run needs: configuration, definitions, database and cache
    ///
    /// One line a check, ok, warning or failed, with what to do. Real commands are sent, nothing is
    /// written, each server is tried once, and it ends within 10 seconds whatever hangs. The flags
    /// are a run's: it is checked what that run would do.
    ///
    /// Exit code: 0 when nothing failed, warnings or not; else the highest of what failed: 3 a
    /// server that takes no writes, or a query · 4 configuration or a definition · 5 database and 6
    /// cache unreachable · 7 refused.
    Doctor(RunSettings),
    /// Show, check or start a configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Warm by the clock and over HTTP, until told to end
    ///
    /// An admin API with a page at /, the schedule of shopwarm.toml, metrics for Prometheus. SIGHUP
    /// reads configuration and definitions again; SIGTERM lets runs finish within --grace.
    ///
    /// Exit code: 0 after it was told to end and all runs finished · 143 or 130 when a run had to be
    /// stopped · 4 configuration, or a public address without a token.
    Serve(SettingsArgs),
    /// List earlier runs, show one, or compare two
    ///
    /// Runs leave their reports in the cache: from the command line, the admin API and the schedule,
    /// the last 200 of them, for 30 days.
    Runs(RunsArgs),
    /// Say which of the keys that runs have written were used since
    ///
    /// Used is read or written by anybody. Asks the server when each key was used last, which is no
    /// use of it; where it evicts by frequency (LFU) it only knows about how often.
    Effect(UsageArgs),
    /// Listen to what the shop misses, and say which strategy would have had it
    ///
    /// To the server's own events, where notify-keyspace-events has E and m, or to an access log. Of
    /// keys that no strategy makes the patterns are shown, the most frequent first.
    Probe(ProbeArgs),
    /// What runs by the clock
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Print completions for a shell
    Completions { shell: Shell },
    /// Print the manual page, of a command if one is named
    Man { command: Vec<String> },
}

#[derive(Subcommand, Debug)]
pub(super) enum ConfigCommand {
    /// Every setting, its value and where it came from
    Show(SettingsArgs),
    /// Check configuration, definitions and schedule without connecting
    Check(SettingsArgs),
    /// Write a commented shopwarm.toml and the shipped definitions to edit; overwrites nothing
    Init {
        #[arg(default_value = ".", value_name = "DIR")]
        dir: PathBuf,
    },
}
