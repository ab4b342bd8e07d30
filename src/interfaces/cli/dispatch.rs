//! From the parsed command line to the command.

use std::sync::Once;

use clap::parser::ValueSource;
use clap::{ArgMatches, FromArgMatches as _};

use super::command::{Cli, Command, ConfigCommand};
use super::parse::{command, leaf};
use super::{
    again, config, doctor, dry_run, init, keys, man, probe, runs, schedule, serve, shell,
    strategies, tour, usage, verify, warmup, worker,
};
use crate::application::run_state::stop::StopSignal;
use crate::config::Config;
use crate::contexts::registry::Registry;
use crate::domain::failure::Failure;
use crate::interfaces::exit::Exit;
use crate::interfaces::output::{self, LogFormat, Output};
use crate::interfaces::{github, log};

/// Runs a parsed command line and returns the exit code.
///
/// # Errors
/// clap's matches do not fit its types, which is a bug.
pub async fn run(
    matches: &ArgMatches,
    registry: &Registry,
    stop: StopSignal,
) -> anyhow::Result<Exit> {
    let cli = Cli::from_arg_matches(matches)?;
    let asked = leaf(matches).value_source("output") != Some(ValueSource::DefaultValue);
    let mut output = Output::new(cli.output, asked);
    if matches!(cli.command, Command::Serve(_) | Command::Worker(_)) {
        output.log_format.get_or_insert(LogFormat::Text);
    }
    let log = log::start(output.log_format, &output);
    let done = dispatch(&cli, matches, registry, &output, stop).await;
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
    registry: &Registry,
    output: &Output,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    let config = || {
        let config = Config::resolve(leaf(matches), registry)?;
        warn(&config, output);
        Ok(config)
    };
    if cli.command.connects() {
        let begun = tour::begin(matches, config, output).await;
        // doctor has a line for it.
        begun.or_else(|failure| match cli.command {
            Command::Doctor(_) => Ok(()),
            _ => Err(failure),
        })?;
    }
    let repeatable = || {
        let flags = again::flags(matches);
        config().map(|config| Config { flags, ..config })
    };
    match &cli.command {
        Command::Warmup(args) => warmup::run(args, repeatable(), output, stop).await,
        Command::Keys(what) => keys::run(what, &repeatable()?, output, stop).await,
        Command::DryRun(args) => dry_run::run(args, &repeatable()?, output, stop).await,
        Command::Verify(args) => verify::run(args, &repeatable()?, output, stop).await,
        Command::Init(args) => init::run(args, config, output, &stop).await,
        Command::Strategies(target) => strategies::run(target, &config()?, output),
        Command::Doctor(args) => {
            let config = Config::salvage(leaf(matches), registry);
            if let Some(config) = &config.0 {
                warn(config, output);
            }
            doctor::run(args, config, output, &stop).await
        }
        Command::Config(ConfigCommand::Show(_)) => Ok(config::show(&config()?, output)),
        Command::Config(ConfigCommand::Check(_)) => config::check(&config()?, output),
        Command::Serve(_) => serve::run(&repeatable, stop).await,
        Command::Worker(args) => worker::run(args, &repeatable()?, output, &stop).await,
        Command::Runs(args) => runs::run(args, &config()?, output).await,
        Command::Usage(args) => usage::run(args, &config()?, output).await,
        Command::Probe(args) => probe::run(args, &config()?, output, &stop).await,
        Command::Schedule(what) => schedule::run(what, &config()?, output),
        Command::Completions { shell } => Ok(shell::completions(*shell, command(), output)),
        Command::Version => {
            output.result(concat!("shopwarm ", env!("CARGO_PKG_VERSION"), "\n"));
            Ok(Exit::Success)
        }
        Command::Man { command: path } => man::run(path, command(), output),
    }
}

/// Prints each warning once, to the log or the terminal.
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
