//! The command line: the types here, what each command does in a file of its own.

mod config;
mod shell;
mod strategies;
mod warmup;

use std::path::PathBuf;

use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;

use super::exit::Exit;
use super::github;
use super::output::{Output, OutputFlags};
use crate::application::stop::StopSignal;
use crate::config::{Config, ConnectionFlags, RunFlags};
use crate::domain::failure::Failure;

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
        shopwarm warmup keys Product:id:42\n\n\
        Exit codes: 0 done · 2 usage · 3 incomplete or nothing to warm · 4 configuration · 5 database and\n\
        6 cache unreachable · 7 refused · 9 deadline · 130 interrupted · 143 terminated · 1 internal error"
)]
pub struct Cli {
    #[command(flatten)]
    connection: ConnectionFlags,
    #[command(flatten)]
    output: OutputFlags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Warm the cache
    #[command(subcommand)]
    Warmup(Warmup),
    /// Show the merged definitions and where each field came from
    Strategies,
    /// Show, check or start a configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print completions for a shell
    Completions { shell: Shell },
    /// Print the manual page, of a command if one is named
    Man { command: Vec<String> },
}

#[derive(Subcommand, Debug)]
enum Warmup {
    /// Warm every strategy
    All(RunFlags),
    /// Warm the strategies of some contexts
    Context(ContextArgs),
    /// Warm some strategies
    Strategy(StrategyArgs),
    /// Warm some keys, whether or not they are in a selection
    Keys(KeysArgs),
}

#[derive(Args, Debug)]
struct ContextArgs {
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    run: RunFlags,
}

#[derive(Args, Debug)]
struct StrategyArgs {
    #[arg(required = true, value_name = "CONTEXT/NAME")]
    ids: Vec<String>,
    #[command(flatten)]
    run: RunFlags,
}

#[derive(Args, Debug)]
struct KeysArgs {
    /// Keys, or `-` for one a line on stdin
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    #[command(flatten)]
    run: RunFlags,
}

#[derive(Subcommand, Debug)]
enum ConfigCommand {
    /// Every setting, its value and where it came from
    Show(RunFlags),
    /// Check configuration and definitions without connecting
    Check(RunFlags),
    /// Write a commented shopwarm.toml and the shipped definitions to edit; overwrites nothing
    Init {
        #[arg(default_value = ".", value_name = "DIR")]
        dir: PathBuf,
    },
}

/// The whole command line. A variable that is set to nothing counts as not set: that is what CI
/// systems make of a secret that is not there.
pub fn command() -> clap::Command {
    without_empty_variables(Cli::command())
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|v| v.is_empty());
    command
        .mut_args(|arg| match arg.get_env() {
            Some(name) if is_empty(name) => arg.env(clap::builder::Resettable::Reset),
            _ => arg,
        })
        .mut_subcommands(without_empty_variables)
}

/// Runs a parsed command line and says how the process is to end.
///
/// # Errors
/// Only where clap's own matches do not fit its own types: a bug.
pub async fn run(matches: &ArgMatches, stop: StopSignal) -> anyhow::Result<Exit> {
    let cli = Cli::from_arg_matches(matches)?;
    let output = Output::new(cli.output);
    let done = dispatch(&cli, matches, &output, stop).await;
    Ok(done.unwrap_or_else(|failure| {
        output.failure(&failure);
        github::failure(&failure);
        Exit::from(&failure)
    }))
}

async fn dispatch(
    cli: &Cli,
    matches: &ArgMatches,
    output: &Output,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    let flags = match &cli.command {
        Command::Warmup(what) => Some(warmup::flags(what)),
        // A run's settings are shown and checked as a run would take them.
        Command::Config(ConfigCommand::Show(run) | ConfigCommand::Check(run)) => Some(run),
        _ => None,
    };
    let config = || Config::resolve(&cli.connection, flags, leaf(matches));
    match &cli.command {
        Command::Warmup(what) => warmup::run(what, &config()?, output, stop).await,
        Command::Strategies => strategies::run(&config()?, output),
        Command::Config(ConfigCommand::Show(_)) => Ok(config::show(&config()?, output)),
        Command::Config(ConfigCommand::Check(_)) => config::check(&config()?, output),
        Command::Config(ConfigCommand::Init { dir }) => config::init(dir, output),
        Command::Completions { shell } => Ok(shell::completions(*shell, output)),
        Command::Man { command } => shell::man(command, output),
    }
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
