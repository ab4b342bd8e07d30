//! The command line: the types here, what each command does in a file of its own.

mod config;
mod doctor;
mod dry_run;
mod effect;
mod keys;
mod pace;
pub mod plan;
mod probe;
mod prune;
mod runs;
mod schedule;
mod serve;
mod shell;
mod strategies;
mod verify;
mod warmup;

use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;

use super::exit::Exit;
use super::github;
use super::log::{self, LogFormat};
use super::output::{self, Output, OutputFlags, note};
use crate::application::coordinator::Coordinator;
use crate::application::lock::Locking;
use crate::application::preview::Look;
use crate::application::selection::Selection;
use crate::application::stop::StopSignal;
use crate::config::{Config, ConnectionFlags, ReadFlags, RunFlags, ServeFlags};
use crate::contexts::definitions::parse_ttl;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::gate::Requirement;
use crate::domain::key::{printable, shortened};
use crate::domain::redaction;
use crate::domain::report::{Percent, Stop};
use crate::setup::{self, CacheNeed};
use dry_run::DryRunArgs;
use effect::EffectArgs;
use keys::KeysCommand;
use probe::ProbeArgs;
use runs::RunsArgs;
use schedule::ScheduleCommand;
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
    connection: ConnectionFlags,
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
    Doctor(RunFlags),
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
    Effect(EffectArgs),
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

#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_required = false,
    after_help = "Signals: SIGUSR1 halves the pace of a run, SIGUSR2 doubles it."
)]
struct WarmupArgs {
    #[command(subcommand)]
    what: Option<Warmup>,
    /// Without a selection the plan's own is run.
    #[command(flatten)]
    run: SelectionRun,
}

#[derive(Subcommand, Debug)]
enum Warmup {
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
struct ContextArgs {
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    run: SelectionRun,
}

#[derive(Args, Debug)]
struct StrategyArgs {
    #[arg(required = true, value_name = "CONTEXT/NAME")]
    ids: Vec<String>,
    #[command(flatten)]
    run: SelectionRun,
}

#[derive(Args, Debug)]
struct KeysArgs {
    /// Keys, or `-` for one a line on stdin
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    /// Keys on stdin end with a zero byte, as `keys list -0` writes them
    #[arg(short = '0', long, env = "SHOPWARM_NULL", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    null: bool,
    #[command(flatten)]
    run: RunFlags,
}

/// The run of a selection, and what holds before and after it.
#[derive(Args, Clone, Debug, Default)]
struct SelectionRun {
    #[command(flatten)]
    run: RunFlags,
    #[command(flatten)]
    checks: RunChecks,
}

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Before and after the run")]
struct RunChecks {
    /// Read back what the run wrote; exit 10 where less than this share is present and equal [default: 100%]
    #[arg(
        long,
        value_name = "PERCENT",
        env = "SHOPWARM_VERIFY",
        hide_env_values = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "100%"
    )]
    verify: Option<Requirement>,
    /// Read back so many keys of each strategy, chosen at random, instead of all
    #[arg(long, value_name = "N", env = "SHOPWARM_VERIFY_SAMPLE", hide_env_values = true, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    verify_sample: Option<u32>,
    /// Run what `dry-run --plan FILE` sealed, and refuse where it does not hold any more
    #[arg(long, value_name = "FILE", env = "SHOPWARM_PLAN", hide_env_values = true, value_hint = clap::ValueHint::FilePath)]
    plan: Option<PathBuf>,
    /// Remove keys that earlier runs wrote and that have no row any more; asks before it does
    #[arg(long, env = "SHOPWARM_PRUNE", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    prune: bool,
    /// Remove them without asking
    #[arg(long, env = "SHOPWARM_YES", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    yes: bool,
    /// Wait this long for another run that has the lock, instead of giving way to it
    #[arg(long, value_name = "DURATION", env = "SHOPWARM_LOCK_WAIT", hide_env_values = true, value_parser = parse_ttl)]
    lock_wait: Option<Duration>,
    /// Take no lock: run beside others, which may write the same keys
    #[arg(long, env = "SHOPWARM_NO_LOCK", hide_env_values = true, conflicts_with = "lock_wait", value_parser = clap::builder::FalseyValueParser::new())]
    no_lock: bool,
    /// Write the run's metrics here, for node exporter to read (a name that ends in .prom)
    #[arg(long, value_name = "FILE", env = "SHOPWARM_METRICS_FILE", hide_env_values = true, value_hint = clap::ValueHint::FilePath)]
    metrics_file: Option<PathBuf>,
    /// How far a strategy's number of keys may be from the plan's [default: 10%]
    #[arg(
        long,
        value_name = "PERCENT",
        env = "SHOPWARM_PLAN_TOLERANCE",
        hide_env_values = true
    )]
    plan_tolerance: Option<Percent>,
}

impl RunChecks {
    fn locking(&self) -> Locking {
        match self.lock_wait {
            _ if self.no_lock => Locking::Off,
            Some(patience) => Locking::Wait(patience),
            None => Locking::GiveWay,
        }
    }
}

/// What a command that only looks is about.
#[derive(Args, Clone, Debug)]
struct Target {
    /// all | context NAME... | strategy CONTEXT/NAME... [default: all]
    #[arg(value_name = "WHAT", hide_default_value = true)]
    what: Vec<String>,
}

impl Target {
    fn words(&self) -> Vec<String> {
        match self.what.as_slice() {
            [] => vec!["all".to_owned()],
            words => words.to_vec(),
        }
    }

    fn selection(&self) -> Result<Selection, Failure> {
        selection(&self.words())
    }
}

/// `all`, `context NAME...` or `strategy CONTEXT/NAME...`.
fn selection(words: &[String]) -> Result<Selection, Failure> {
    let usage = |what: String| {
        let why = "it is one of: all, context NAME..., strategy CONTEXT/NAME...";
        Failure::new(FailureKind::Usage, what, why)
    };
    match words {
        [all] if all == "all" => Ok(Selection::All),
        [kind, names @ ..] if kind == "context" && !names.is_empty() => {
            Ok(Selection::Contexts(names.to_vec()))
        }
        [kind, ids @ ..] if kind == "strategy" && !ids.is_empty() => {
            Ok(Selection::Strategies(ids.to_vec()))
        }
        [kind] if kind == "context" || kind == "strategy" => {
            Err(usage(format!("`{kind}` names nothing")))
        }
        words => {
            let words = printable(words.join(" ").as_bytes());
            Err(usage(format!(
                "`{}` is no selection",
                shortened(&words, 80)
            )))
        }
    }
}

/// Connects for a look; `Err` inside: how the command ends that was stopped before.
async fn connect(
    config: &Config,
    selection: &Selection,
    look: Look,
    need: CacheNeed,
    output: &Output,
    stop: &StopSignal,
) -> Result<Result<Coordinator, Exit>, Failure> {
    deadline(config, stop);
    let viewer = || setup::viewer(config, selection, look.clone(), need);
    tokio::select! {
        viewer = setup::patiently(config.wait, waiting(config, output), viewer) => viewer.map(Ok),
        () = stop.stopped() => Ok(Err(stopped_before(stop))),
    }
}

/// Says what is waited for.
fn waiting(config: &Config, output: &Output) -> impl FnMut(&Failure) {
    let wait = humantime::format_duration(config.wait.unwrap_or_default()).to_string();
    move |why| output.note(&format!("waiting up to {wait}: {why}"))
}

fn stopped_before(stop: &StopSignal) -> Exit {
    let reason = stop.reason().unwrap_or(Stop::Interrupted);
    let why = match reason {
        Stop::Deadline => "the deadline was hit",
        _ => "it was stopped",
    };
    note(&format!(
        "! {why} before anything was looked at: no answer from the servers yet\n"
    ));
    reason.into()
}

/// Ends the run when its time is over.
fn deadline(config: &Config, stop: &StopSignal) {
    if let Some(deadline) = config.deadline {
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(deadline).await;
            stop.stop(Stop::Deadline);
        });
    }
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

/// What the settings of a run and of a server would be.
#[derive(Args, Clone, Debug)]
struct SettingsArgs {
    #[command(flatten)]
    run: RunFlags,
    #[command(flatten)]
    serve: ServeFlags,
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
    let flags = run_flags(&cli.command);
    let serve = serve_flags(&cli.command);
    let schedule = match &cli.command {
        Command::Schedule(what) => Some(what.flags()),
        _ => serve.as_ref().map(|serve| &serve.schedule),
    };
    let config = || {
        let (run, serve) = (flags.as_ref(), serve.as_ref());
        let config = Config::resolve(&cli.connection, run, serve, schedule, leaf(matches))?;
        warn(&config, output);
        Ok(config)
    };
    match &cli.command {
        Command::Warmup(args) => warmup::run(args, config(), output, stop).await,
        Command::Keys(what) => keys::run(what, &config()?, output, stop).await,
        Command::DryRun(args) => dry_run::run(args, &config()?, output, stop).await,
        Command::Verify(args) => verify::run(args, &config()?, output, stop).await,
        Command::Strategies => strategies::run(&config()?, output),
        Command::Doctor(run) => {
            let config = Config::salvage(&cli.connection, run, leaf(matches));
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
        Command::Effect(args) => effect::run(args, &config()?, output).await,
        Command::Probe(args) => probe::run(args, &config()?, output, &stop).await,
        Command::Schedule(what) => schedule::run(what, &config()?, output),
        Command::Completions { shell } => Ok(shell::completions(*shell, output)),
        Command::Man { command } => shell::man(command, output),
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

/// The settings of the run that a command is about, if it is about one.
fn run_flags(command: &Command) -> Option<RunFlags> {
    let reading = |read: &ReadFlags| RunFlags {
        read: read.clone(),
        ..RunFlags::default()
    };
    match command {
        Command::Warmup(args) => Some(warmup::flags(args).clone()),
        Command::Keys(KeysCommand::List(args)) => Some(reading(&args.read)),
        Command::DryRun(args) => Some(RunFlags {
            mode: args.mode,
            ..reading(&args.read)
        }),
        Command::Verify(args) => Some(reading(&args.read)),
        // A run's settings are shown and checked as a run would take them.
        Command::Serve(args)
        | Command::Config(ConfigCommand::Show(args) | ConfigCommand::Check(args)) => {
            Some(args.run.clone())
        }
        _ => None,
    }
}

/// The settings of a server, of commands that are about one.
fn serve_flags(command: &Command) -> Option<ServeFlags> {
    match command {
        Command::Serve(args)
        | Command::Config(ConfigCommand::Show(args) | ConfigCommand::Check(args)) => {
            Some(args.serve.clone())
        }
        _ => None,
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
