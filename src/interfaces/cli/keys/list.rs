//! `shopwarm keys list`.

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use glob::Pattern;
use serde_json::json;

use crate::application::engine::coordinator::Coordinator;
use crate::application::engine::inspect::Inspection;
use crate::application::record::StrategyRecord;
use crate::application::run_state::stop::StopSignal;
use crate::application::settings::WARM;
use crate::config::{Config, ReadingArgs};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::Report;
use crate::domain::run::Flags;
use crate::domain::selection::Selection;
use crate::domain::settings_text::parse_ttl;
use crate::domain::standing::Class;
use crate::domain::wording::{keys as count_of, quoted};
use crate::interfaces::cli::inspect::Inspect;
use crate::interfaces::cli::target::Target;
use crate::interfaces::exit::{self, Exit};
use crate::interfaces::output::{Output, sentences};
use crate::interfaces::report::keys::{Form, KeyWriter, Wanted};
use crate::interfaces::report::words::{error_notes, joined, not_compared};
use crate::setup::CacheNeed;

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: Target,
    /// Only keys of this context; repeatable
    #[arg(long, value_name = "CONTEXT", help_heading = WARM, hide_short_help = true, env = "SHOPWARM_CONTEXT", value_delimiter = ',', conflicts_with_all = ["strategy", "what"])]
    context: Vec<String>,
    /// Only keys of this strategy; repeatable
    #[arg(long, value_name = "CONTEXT/NAME", help_heading = WARM, hide_short_help = true, env = "SHOPWARM_STRATEGY", value_delimiter = ',', conflicts_with = "what")]
    strategy: Vec<String>,
    /// Only keys that match: `*` any text, `?` one character, `[ab]` one of these
    #[arg(long, value_name = "GLOB", env = "SHOPWARM_PATTERN", value_parser = pattern)]
    pattern: Option<Pattern>,
    /// Also show each key's state, time left, size and type in the cache
    ///
    /// A pipe gets them separated by tabs: state, seconds, bytes, type, strategy, key.
    #[arg(long, env = "SHOPWARM_CACHED", value_parser = clap::builder::FalseyValueParser::new())]
    cached: bool,
    /// Only keys in this state (implies --cached); repeatable
    #[arg(long, value_name = "STATE", env = "SHOPWARM_STATE", value_delimiter = ',')]
    state: Vec<State>,
    /// A key with less time left than this counts as `expiring` [default: a quarter of its TTL, max 1h]
    #[arg(long, value_name = "DURATION", hide_short_help = true, env = "SHOPWARM_EXPIRING_WITHIN", value_parser = parse_ttl)]
    expiring_within: Option<Duration>,
    /// End each key with a NUL byte instead of a newline, and do not escape it
    #[arg(short = '0', long, env = "SHOPWARM_NULL", value_parser = clap::builder::FalseyValueParser::new())]
    null: bool,
    #[command(flatten)]
    read: ReadingArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    /// Not cached
    Missing,
    /// Cached with another value
    Different,
    /// Cached, but expires soon
    Expiring,
    /// Cached as another type
    #[value(alias = "wrong_type")]
    WrongType,
    /// Cached with the same value
    Identical,
}

impl From<State> for Class {
    fn from(state: State) -> Self {
        match state {
            State::Missing => Self::Missing,
            State::Different => Self::Different,
            State::Expiring => Self::Expiring,
            State::WrongType => Self::WrongType,
            State::Identical => Self::Identical,
        }
    }
}

/// Parses a glob.
fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::new(text).map_err(|error| format!("{} at character {}", error.msg, error.pos + 1))
}

pub(super) async fn list(
    args: &ListArgs,
    config: &Config,
    output: &Output,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    let selection = match (args.context.as_slice(), args.strategy.as_slice()) {
        ([], []) => args.target.selection()?,
        ([], ids) => Selection::Strategies(ids.to_vec()),
        (names, _) => Selection::Contexts(names.to_vec()),
    };
    let cached = args.cached || !args.state.is_empty();
    let inspect = Inspect {
        config,
        output,
        stop: &stop,
        selection,
        inspection: Inspection { values: cached, ..Inspection::new(args.expiring_within) },
        need: if cached { CacheNeed::Required } else { CacheNeed::None },
    };
    let form = match (args.null, output.is_plain()) {
        (true, _) => Form::Nul,
        (false, true) if args.cached => Form::Tabs,
        (false, true) => Form::Lines,
        (false, false) => Form::of(output.format),
    };
    let list = async |viewer: &Coordinator| {
        let wanted = Wanted {
            pattern: args.pattern.clone(),
            prefix: config.prefix.clone(),
            classes: args.state.iter().map(|state| (*state).into()).collect(),
            ..Wanted::default()
        };
        let writer = KeyWriter::new(form, cached, wanted, Output::stream(), stop.clone());
        let report = inspect.report(viewer, &writer, Instant::now()).await;
        finish(args, &writer, &report, form, output, &config.flags);
        report_failures(&report, cached, output);
        match exit::of_run(&report) {
            Exit::Success if !args.state.is_empty() => all_known(&report).map(|()| Exit::Success),
            exit => Ok(exit),
        }
    };
    inspect.run(list).await
}

/// Ends the list with the outcome.
fn finish(
    args: &ListArgs,
    writer: &KeyWriter,
    report: &Report,
    form: Form,
    output: &Output,
    flags: &Flags,
) {
    let errors: Vec<String> = report.failures().map(ToString::to_string).collect();
    let error = (!errors.is_empty()).then(|| errors.join("; "));
    let end = [("outcome".to_owned(), json!(report.outcome())), ("error".to_owned(), error.into())];
    let (written, altered) = writer.finish(&end.into_iter().collect());
    if written == 0 && errors.is_empty() && report.stopped.is_none() {
        output.note(&none_found(args));
    }
    let is_wrong = |state: &State| *state != State::Identical;
    if written > 0 && form == Form::Columns && args.state.iter().any(is_wrong) {
        let Flags { everywhere, reading, own } = flags;
        let names: String =
            args.target.what.iter().map(|name| format!(" {}", quoted(name))).collect();
        let list = format!("shopwarm keys list{names}{own}{reading}{everywhere} -0");
        // A command is never broken, so that it can be copied.
        output.line(&format!("  next: {list} | shopwarm warmup keys -0 -{everywhere}"));
    }
    if altered > 0 && form == Form::Lines {
        let keys = count_of(altered);
        output.note(&format!("{keys} shown escaped or shortened; -0 writes them exactly"));
    }
}

fn none_found(args: &ListArgs) -> String {
    let states = args.state.iter().map(|state| Class::from(*state).name());
    match states.collect::<Vec<_>>().join(" or ") {
        states if states.is_empty() => "there is no such key".to_owned(),
        states => format!("no key is {states}"),
    }
}

/// Reports failures and unknown states of each strategy.
fn report_failures(report: &Report, cached: bool, output: &Output) {
    let mut told: Vec<&Failure> = Vec::new();
    for failure in report.failures() {
        if !told.contains(&failure) {
            output.failure(failure);
            told.push(failure);
        }
    }
    let mut records: Vec<StrategyRecord> = report.strategies.iter().map(Into::into).collect();
    for record in &mut records {
        // Nothing was sent, so nothing is unconfirmed.
        record.causes.retain(|cause| !cause.unconfirmed);
        (record.error, record.counts.unknown) = (None, 0);
    }
    let mut lines = error_notes(&records, output.verbose);
    if cached {
        lines.extend(not_compared(&report.strategies));
    }
    sentences(&joined(lines));
}

/// Fails if the state of some keys is unknown.
fn all_known(report: &Report) -> Result<(), Failure> {
    let not_known: u64 = report.strategies.iter().map(|s| s.seen.not_known).sum();
    if not_known == 0 {
        return Ok(());
    }
    let what = format!("the state of {} is not known", count_of(not_known));
    let why = "the cache does not allow this user to read them";
    Err(Failure::new(FailureKind::CacheDenied, what, why)
        .hint("it needs +pttl +strlen +type +get, and +hlen +hgetall for hashes"))
}
