//! `shopwarm keys list`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use glob::Pattern;
use serde_json::json;

use crate::application::engine::inspect::Inspection;
use crate::application::selection::Selection;
use crate::application::stop::StopSignal;
use crate::config::{Config, ReadFlags};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::shortened;
use crate::domain::report::Status;
use crate::domain::settings_text::parse_ttl;
use crate::domain::standing::Class;
use crate::domain::wording::keys as count_of;
use crate::interfaces::cli::connect::connect;
use crate::interfaces::exit::{self, Exit};
use crate::interfaces::output::{Output, ProgressForm};
use crate::interfaces::progress;
use crate::interfaces::report::keys::{Form, KeyWriter, Wanted};
use crate::setup::CacheNeed;

#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only keys of this context; can be given several times
    #[arg(
        long,
        value_name = "NAME",
        env = "SHOPWARM_CONTEXT",
        hide_env_values = true,
        value_delimiter = ',',
        conflicts_with = "strategy"
    )]
    context: Vec<String>,
    /// Only keys of this strategy; can be given several times
    #[arg(
        long,
        value_name = "CONTEXT/NAME",
        env = "SHOPWARM_STRATEGY",
        hide_env_values = true,
        value_delimiter = ','
    )]
    strategy: Vec<String>,
    /// Only keys like this: `*` any text, `?` one character, `[ab]` one of these
    #[arg(long, value_name = "GLOB", env = "SHOPWARM_PATTERN", hide_env_values = true, value_parser = pattern)]
    pattern: Option<Pattern>,
    /// With what the cache holds for each: state, time left, size, type
    #[arg(long, env = "SHOPWARM_CACHED", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    cached: bool,
    /// Only keys in this state (implies --cached); can be given several times
    #[arg(
        long,
        value_name = "STATE",
        env = "SHOPWARM_STATE",
        hide_env_values = true,
        value_delimiter = ','
    )]
    state: Vec<State>,
    /// An equal key with less time left than this is `expiring` [default: a quarter of its time to live, 1h at most]
    #[arg(long, value_name = "DURATION", env = "SHOPWARM_EXPIRING_WITHIN", hide_env_values = true, value_parser = parse_ttl)]
    expiring_within: Option<Duration>,
    /// End each key with a zero byte instead of a newline, and write it as it is
    #[arg(short = '0', long, env = "SHOPWARM_NULL", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    null: bool,
    #[command(flatten)]
    pub(in crate::interfaces::cli) read: ReadFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    /// Nothing stands there
    Missing,
    /// Another value stands there
    Different,
    /// The value stands there, but not for much longer
    Expiring,
    /// Another type stands there
    #[value(alias = "wrong_type")]
    WrongType,
    /// The value stands there
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

/// A glob, or where it is wrong.
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
        ([], []) => Selection::All,
        ([], ids) => Selection::Strategies(ids.to_vec()),
        (names, _) => Selection::Contexts(names.to_vec()),
    };
    let cached = args.cached || !args.state.is_empty();
    let look = Inspection {
        values: cached,
        ..Inspection::new(args.expiring_within)
    };
    let need = match cached {
        true => CacheNeed::Required,
        false => CacheNeed::None,
    };
    let viewer = match connect(config, &selection, look, need, output, &stop).await? {
        Ok(viewer) => viewer,
        Err(stopped) => return Ok(stopped),
    };
    let form = match (args.null, output.is_plain()) {
        (true, _) => Form::Nul,
        (false, true) => Form::Lines,
        (false, false) => Form::of(output.format),
    };
    let wanted = Wanted {
        pattern: args.pattern.clone(),
        prefix: config.prefix.clone(),
        classes: args.state.iter().map(|state| (*state).into()).collect(),
        ..Wanted::default()
    };
    let silent = progress::reporter(ProgressForm::None);
    let writer = KeyWriter::new(form, cached, wanted, Output::stream(), silent, stop.clone());
    let report = viewer.warm_all(None, &writer, &stop).await;
    let errors: Vec<String> = report.failures().map(ToString::to_string).collect();
    let error = (!errors.is_empty()).then(|| errors.join("; "));
    let end = [
        ("outcome".to_owned(), json!(report.outcome())),
        ("error".to_owned(), error.into()),
    ];
    let (_, altered) = writer.finish(&end.into_iter().collect());
    if altered > 0 && matches!(form, Form::Lines) {
        output.note(&format!(
            "{} cannot be shown as they are; -0 writes them so",
            count_of(altered)
        ));
    }
    for strategy in &report.strategies {
        if let Status::Failed(failure) = &strategy.status {
            output.failure(failure);
        }
        if let Some(why) = strategy.seen.why_not_known.as_ref().filter(|_| cached) {
            output.note(&format!(
                "{}: the cache does not say all: {why}",
                strategy.id
            ));
        }
        for error in &strategy.errors {
            let key = shortened(&error.key, 120);
            output.note(&format!("{}: {key}: {}", strategy.id, error.error));
        }
    }
    let exit = exit::of_run(&report);
    let not_known: u64 = report.strategies.iter().map(|s| s.seen.not_known).sum();
    if exit == Exit::Success && not_known > 0 && !args.state.is_empty() {
        let what = format!("the state of {} is not known", count_of(not_known));
        let why = "the cache does not let this user look at them";
        return Err(Failure::new(FailureKind::CacheDenied, what, why)
            .hint("it needs +pttl +strlen +type +get, and +hlen +hgetall for hashes"));
    }
    Ok(exit)
}
