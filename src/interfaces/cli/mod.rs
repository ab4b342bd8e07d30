//! The command line: the types here, what each command does in a file of its own.

mod args;
mod config;
mod connect;
mod doctor;
mod dry_run;
mod inspect;
mod keys;
pub mod plan;
mod probe;
mod prune;
mod runs;
mod schedule;
mod serve;
mod shell;
mod stdin;
mod strategies;
mod target;
mod usage;
mod verify;
mod warmup;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Once;

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;

use super::exit::Exit;
use super::github;
use super::log;
use super::output::{self, LogFormat, Output, OutputFlags, note};
use crate::application::settings::RunSettings;
use crate::application::stop::StopSignal;
use crate::config::{Config, ConnectionSettings, PlaceArgs, defaults};
use crate::domain::failure::Failure;
use crate::domain::redaction;
use args::{SettingsArgs, WarmupArgs};
use dry_run::DryRunArgs;
use keys::KeysCommand;
use probe::ProbeArgs;
use runs::RunsArgs;
use schedule::ScheduleCommand;
use usage::UsageArgs;
use verify::VerifyArgs;

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
pub struct Cli {
    #[command(flatten)]
    connection: ConnectionSettings,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputFlags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a process has one, and only once"
)]
enum Command {
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
enum ConfigCommand {
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

/// The whole command line.
pub fn command() -> clap::Command {
    complete(Cli::command(), &defaults())
}

/// What holds for every argument. A variable that is set to nothing counts as not set: that is what
/// CI systems make of a secret that is not there.
fn complete(command: clap::Command, defaults: &BTreeMap<String, String>) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|v| v.is_empty());
    command
        .mut_args(|arg| {
            let arg = with_default(arg.hide_env_values(true), defaults);
            match arg.get_env() {
                Some(name) if is_empty(name) => arg.env(Resettable::Reset),
                _ => arg,
            }
        })
        .mut_subcommands(|command| complete(command, defaults))
}

/// Shows a setting's default, where its help does not say one.
fn with_default(arg: clap::Arg, defaults: &BTreeMap<String, String>) -> clap::Arg {
    let variable = arg.get_env().and_then(OsStr::to_str).unwrap_or_default();
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    match defaults.get(variable) {
        Some(default) if arg.get_action().takes_values() && !help.contains("[default:") => {
            let default = format!("{help} [default: {default}]");
            arg.help(default)
        }
        _ => arg,
    }
}

/// Reads the command line; `Err`: it is wrong, or help was asked for, which has been said.
pub fn parse() -> Result<ArgMatches, Exit> {
    command().try_get_matches().map_err(|error| {
        if !error.use_stderr() {
            output::note_loss(error.print());
            return match output::delivered() {
                Ok(()) => Exit::Success,
                Err(failure) => {
                    note(&format!("error: {failure}\n"));
                    Exit::from(&failure)
                }
            };
        }
        // What is wrong is repeated, and may be a URL that stands where none should.
        note(&redaction::text(&error.render().ansi().to_string()));
        Exit::Usage
    })
}

/// Runs a parsed command line and says how the process is to end.
///
/// # Errors
/// Only where clap's own matches do not fit its own types: a bug.
pub async fn run(matches: &ArgMatches, stop: StopSignal) -> anyhow::Result<Exit> {
    let cli = Cli::from_arg_matches(matches)?;
    let asked = leaf(matches).value_source("output") != Some(ValueSource::DefaultValue);
    let mut output = Output::new(cli.output, asked);
    if matches!(cli.command, Command::Serve(_)) {
        output.log_format.get_or_insert(LogFormat::Text);
    }
    let log = log::start(output.log_format, &output);
    let done = dispatch(&cli, matches, &output, stop).await;
    log.end();
    let failed = |failure: Failure| {
        output.failure(&failure);
        github::failure(&failure);
        Exit::from(&failure)
    };
    let exit = done.unwrap_or_else(failed);
    Ok(match output::delivered().map_err(failed) {
        Err(lost) if exit == Exit::Success => lost,
        _ => exit,
    })
}

async fn dispatch(
    cli: &Cli,
    matches: &ArgMatches,
    output: &Output,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    let matches = leaf(matches);
    let config = || {
        let config = Config::resolve(matches)?;
        warn(&config, output);
        Ok(config)
    };
    match &cli.command {
        Command::Warmup(args) => warmup::run(args, config(), output, stop).await,
        Command::Keys(what) => keys::run(what, &config()?, output, stop).await,
        Command::DryRun(args) => dry_run::run(args, &config()?, output, stop).await,
        Command::Verify(args) => verify::run(args, &config()?, output, stop).await,
        Command::Strategies => strategies::run(&config()?, output),
        Command::Doctor(_) => {
            let config = Config::salvage(matches);
            if let Some(config) = &config.0 {
                warn(config, output);
            }
            Ok(doctor::run(config, output, &stop).await)
        }
        Command::Config(ConfigCommand::Show(_)) => Ok(config::show(&config()?, output)),
        Command::Config(ConfigCommand::Check(_)) => config::check(&config()?, output),
        Command::Config(ConfigCommand::Init { dir }) => config::init(dir, output),
        Command::Serve(_) => serve::run(&config, stop).await,
        Command::Runs(args) => runs::run(args, &config()?, output).await,
        Command::Effect(args) => usage::run(args, &config()?, output).await,
        Command::Probe(args) => probe::run(args, &config()?, output, &stop).await,
        Command::Schedule(what) => schedule::run(what, &config()?, output),
        Command::Completions { shell } => Ok(shell::completions(*shell, self::command(), output)),
        Command::Man { command } => shell::man(command, self::command(), output),
    }
}

/// Says what is done and should not be, once, where the log goes or to the person who watches.
fn warn(config: &Config, output: &Output) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        for warning in &config.warnings {
            match output.log_format {
                Some(_) => tracing::warn!("{warning}"),
                None => output.note(&format!("warning: {warning}")),
            }
        }
    });
}

/// The matches of the innermost subcommand; they know the global flags too.
fn leaf(matches: &ArgMatches) -> &ArgMatches {
    matches
        .subcommand()
        .map_or(matches, |(_, inner)| leaf(inner))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
