//! `shopwarm keys get`.

use clap::Args;

use crate::application::ports::CachedValue;
use crate::application::run_state::lookup;
use crate::config::Config;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::{KeyTemplate, printable, shortened};
use crate::domain::nearest::nearest;
use crate::domain::selection::Selection;
use crate::domain::strategy::{Definition, StrategyId};
use crate::domain::ttl::Ttl;
use crate::interfaces::exit::Exit;
use crate::interfaces::output::{Format, Output};
use crate::interfaces::report::document::{inert, pretty};
use crate::interfaces::report::key::{KeyReport, Made, Maker, State};
use crate::interfaces::report::value::collection_json;
use crate::setup;

#[derive(Args, Debug)]
#[command(override_usage = "shopwarm keys get [OPTIONS] <KEY>...")]
pub(crate) struct GetArgs {
    /// Keys, with or without the prefix
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
    /// Print only the cached bytes
    #[arg(long, env = "SHOPWARM_RAW", value_parser = clap::builder::FalseyValueParser::new())]
    raw: bool,
}

pub(super) async fn run(args: &GetArgs, config: &Config, output: &Output) -> Result<Exit, Failure> {
    match args.keys.as_slice() {
        [key] if args.raw => raw(key, config).await,
        [_, _, ..] if args.raw => Err(one_only("--raw")),
        [_, _, ..] if output.format == Format::Json => Err(one_only("-o json")),
        keys => all(keys, config, output).await,
    }
}

/// A script reads one value, whatever the number of keys is.
fn one_only(form: &str) -> Failure {
    let what = format!("{form} takes one key");
    Failure::new(FailureKind::Usage, what, "several keys are given")
        .hint("-o ndjson writes an object per line for each of several keys")
}

/// Shows each key; ends as the first that is not as it should be.
async fn all(keys: &[String], config: &Config, output: &Output) -> Result<Exit, Failure> {
    let mut exit = Exit::Success;
    for (nth, key) in keys.iter().enumerate() {
        if nth > 0 && output.format != Format::Ndjson {
            output.result("\n");
        }
        let ended = get(key, config, output).await?;
        if exit == Exit::Success {
            exit = ended;
        }
    }
    Ok(exit)
}

/// Prints only the cached bytes.
async fn raw(key: &str, config: &Config) -> Result<Exit, Failure> {
    let cache = setup::cache(config, setup::Access::Read).await?;
    let mut found = None;
    for key in spellings(key, &config.prefix) {
        found = cache.read(key.as_bytes()).await?;
        if found.is_some() {
            break;
        }
    }
    let shown = shortened(&printable(key.as_bytes()), 120);
    let bytes = match found.map(|cached| cached.value) {
        Some(CachedValue::Text(text) | CachedValue::Json(text)) => text,
        Some(CachedValue::Collection(collection, pairs)) => {
            collection_json(collection, &pairs).to_string().into_bytes()
        }
        Some(CachedValue::Other(kind)) => {
            let why = format!("it is a {kind}, which has no raw form");
            return Err(Failure::new(FailureKind::CacheRefused, shown, why));
        }
        None => {
            let why = "the cache does not have this key";
            return Err(Failure::new(FailureKind::CacheRefused, shown, why));
        }
    };
    let mut out = Output::stream();
    out.write(&bytes);
    out.flush();
    Ok(Exit::Success)
}

/// A key as given, and with the prefix.
fn spellings(key: &str, prefix: &str) -> Vec<String> {
    let mut spellings = vec![key.to_owned()];
    if !prefix.is_empty() {
        spellings.push(format!("{prefix}{key}"));
    }
    spellings
}

async fn get(key: &str, config: &Config, output: &Output) -> Result<Exit, Failure> {
    let shown = find_key(key, config).await?;
    let text = match output.format {
        Format::Json => pretty(&shown.json()),
        Format::Ndjson => inert(&format!("{}\n", shown.json())),
        Format::Table | Format::Csv | Format::Markdown => {
            shown.text(output.verbose, output.width())
        }
    };
    output.result(&text);
    Ok(match (&shown.database, shown.state()) {
        (Err(failure), _) => {
            output.failure(failure);
            failure.into()
        }
        (Ok(_), State::Nowhere | State::NoForm) => Exit::Incomplete,
        _ => Exit::Success,
    })
}

/// Finds out everything about a key, with or without the prefix.
async fn find_key(key: &str, config: &Config) -> Result<KeyReport, Failure> {
    let definitions = setup::definitions(config, &Selection::All)?.0;
    let prefixed = |d: &Definition| d.spec.key.clone().with_prefix(&config.prefix);
    let templates: Vec<KeyTemplate> = definitions.iter().map(prefixed).collect();
    let spellings = spellings(key, &config.prefix);
    let made = spellings.iter().find_map(|spelled| {
        let index = lookup::maker(templates.iter(), spelled)?;
        Some((spelled.clone(), &definitions[index]))
    });
    let cache = setup::cache(config, setup::Access::Read).await?;
    let Some((key, definition)) = made else {
        let mut shown = KeyReport {
            key: key.to_owned(),
            flags: config.flags.everywhere.clone(),
            strategy: None,
            meant: templates.iter().find_map(|template| respelled(key, template)),
            cached: cache.read(key.as_bytes()).await?,
            database: Ok(None),
        };
        for spelled in spellings.into_iter().skip(1) {
            if shown.cached.is_none() {
                shown.cached = cache.read(spelled.as_bytes()).await?;
                // It is shown as it would be, unless it was asked for with its prefix.
                if shown.cached.is_some() || !key.starts_with(&config.prefix) {
                    shown.key = spelled;
                }
            }
        }
        return Ok(shown);
    };
    let spec = &definition.spec;
    Ok(KeyReport {
        strategy: Some(Maker {
            id: spec.id.to_string(),
            ttl: Ttl::new(
                spec.ttl.unwrap_or(config.run.default_ttl().0),
                config.run.ttl_jitter().fraction(),
            ),
            form: spec.into(),
        }),
        cached: cache.read(key.as_bytes()).await?,
        database: made_of(&key, &spec.id, config).await.map(Some),
        flags: config.flags.everywhere.clone(),
        meant: None,
        key,
    })
}

/// The key as a template spells its beginning, if that is nearly the same: up to as many colons, or
/// only its first word.
fn respelled(key: &str, template: &KeyTemplate) -> Option<String> {
    let start = template.literal_start();
    if let (Some((word, rest)), Some((first, _))) = (key.rsplit_once(':'), start.split_once(':'))
        && word == first
        && start.ends_with(':')
    {
        return Some(format!("{start}{rest}"));
    }
    let colons = start.matches(':').count();
    let end = key.match_indices(':').nth(colons.checked_sub(1)?)?.0 + 1;
    let (head, rest) = key.split_at(end);
    let is_near = start.ends_with(':') && nearest(head, [start.as_str()]).is_some();
    is_near.then(|| format!("{start}{rest}"))
}

/// The database's value of a key.
async fn made_of(key: &str, id: &StrategyId, config: &Config) -> Result<Made, Failure> {
    let selection = Selection::Strategies(vec![id.to_string()]);
    let strategies = setup::strategies(config, &selection).await?;
    // Of several for which it is repeated, the one that makes the key.
    let keys: Vec<KeyTemplate> = strategies.iter().map(|s| s.spec().key.clone()).collect();
    let Some(strategy) = lookup::maker(keys.iter(), key).and_then(|at| strategies.get(at)) else {
        return Ok(Made::default());
    };
    let mut batch = lookup::load(strategy.as_ref(), key).await?;
    Ok(Made {
        value: batch.get(0).map(|entry| entry.value.into()),
        error: batch.failed.pop().map(|failed| failed.error),
    })
}
