//! The composition root: what is real in a run, and how it is put together.

pub mod doctor;
mod patience;
pub mod shop;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::application::engine::coordinator::Coordinator;
use crate::application::engine::inspect::Inspection;
use crate::application::engine::options::Options;
use crate::application::history;
use crate::application::pace::PaceLimits;
use crate::application::ports::grammar::Grammar;
use crate::application::ports::{Cache, Dialect, RowSource, Sources, WarmupStrategy};
use crate::application::query::prepared::Prepared;
use crate::application::query::strategy::QueryStrategy;
use crate::application::refused::Refused;
use crate::application::schedule::PlannedJob;
use crate::application::selection::{Filter, Selection, select};
use crate::application::unfit::Unfit;
use crate::config::{Config, Secret};
use crate::contexts::definitions::Definitions;
use crate::contexts::shipped::coded;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::run::RunInfo;
use crate::domain::strategy::{Definition, StrategyId};
pub use crate::infrastructure::cache::Access;
pub use crate::infrastructure::metrics::Metrics;
pub use crate::infrastructure::metrics::file::LastRun;
use crate::infrastructure::source::SessionOptions;
#[cfg(feature = "otel")]
pub use crate::infrastructure::telemetry::Traces;
use crate::infrastructure::{cache, demo, metrics, source};
pub use patience::patiently;

/// Nobody waits longer for the record of a run that could not begin.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);

/// A coordinator over what `selection` names: definitions checked, both servers reached, every
/// query prepared. Nothing is written before all of that is done.
///
/// # Errors
/// The first of these that fails.
pub async fn coordinator(config: &Config, selection: &Selection) -> Result<Coordinator, Failure> {
    let (selected, _) = definitions(config, selection)?;
    warmer(config, selected).await
}

/// A coordinator that warms these definitions.
async fn warmer(config: &Config, selected: Vec<Definition>) -> Result<Coordinator, Failure> {
    let (sources, cache) = tokio::join!(sources(config), cache(config, Access::Write));
    let (sources, cache) = (sources?, cache?);
    let strategies = prepare(selected, &sources, config).await?;
    let options = config.options.clone();
    Ok(Coordinator::new(strategies, cache, options).reading(sources))
}

/// Whether a run that looks needs a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheNeed {
    None,
    /// Where one is configured.
    IfGiven,
    Required,
}

/// A coordinator that only looks: the same engine, and nothing is written.
///
/// # Errors
/// As [`coordinator`].
pub async fn viewer(
    config: &Config,
    selection: &Selection,
    look: Inspection,
    need: CacheNeed,
) -> Result<Coordinator, Failure> {
    looker(config, definitions(config, selection)?, look, need).await
}

/// A coordinator that looks at these definitions, and knows those that are not meant.
async fn looker(
    config: &Config,
    (selected, others): (Vec<Definition>, Vec<Definition>),
    mut look: Inspection,
    need: CacheNeed,
) -> Result<Coordinator, Failure> {
    let cache = async {
        match need {
            CacheNeed::None => Ok(None),
            CacheNeed::IfGiven if config.cache_url.is_none() => Ok(None),
            CacheNeed::IfGiven | CacheNeed::Required => cache(config, Access::Look).await.map(Some),
        }
    };
    let (source, cache) = tokio::join!(source(config), cache);
    let (source, cache) = (source?, cache?);
    let strategies = prepare(selected, &Sources::one(source), config).await?;
    let template = |definition: Definition| definition.spec.key.with_prefix(&config.prefix);
    look.others = others.into_iter().map(template).collect();
    let options = Options {
        // Nothing is written.
        pace: PaceLimits::default(),
        ..config.options.clone()
    };
    Ok(Coordinator::inspecting(strategies, cache, look, options))
}

/// The strategies that a selection names, prepared on the database, in no order.
///
/// # Errors
/// The first of definitions, database and queries that fails.
pub async fn strategies(
    config: &Config,
    selection: &Selection,
) -> Result<Vec<Arc<dyn WarmupStrategy>>, Failure> {
    let (selected, _) = definitions(config, selection)?;
    let source = source(config).await?;
    prepare(selected, &Sources::one(source), config).await
}

/// The definitions that are meant, and all others.
///
/// # Errors
/// What is wrong with any of them, or with the selection.
pub fn definitions(
    config: &Config,
    selection: &Selection,
) -> Result<(Vec<Definition>, Vec<Definition>), Failure> {
    pick(all_definitions(config)?, selection, &config.filter)
}

/// All definitions, merged and checked; one that is not valid has its fault.
///
/// # Errors
/// A file that cannot be read or parsed; what is wrong with any definition, where the operator wants
/// that to stop everything.
pub fn all_definitions(config: &Config) -> Result<Vec<Definition>, Failure> {
    checked(&Definitions::load(&config.contexts)?, config)
}

fn checked(definitions: &Definitions, config: &Config) -> Result<Vec<Definition>, Failure> {
    match config.strict {
        true => definitions.validate(&databases(config)),
        false => Ok(definitions.checked(&databases(config))),
    }
}

/// Those that are meant, and all others.
fn pick(
    all: Vec<Definition>,
    selection: &Selection,
    filter: &Filter,
) -> Result<(Vec<Definition>, Vec<Definition>), Failure> {
    let selected = select(all.clone(), selection, filter)?;
    let is_other = |definition: &Definition| {
        let id = &definition.spec.id;
        !selected.iter().any(|selected| selected.spec.id == *id)
    };
    let others = all.into_iter().filter(is_other).collect();
    Ok((selected, others))
}

/// The scheduled jobs, each with the strategies that it warms.
///
/// # Errors
/// A file that cannot be read or parsed, or what is wrong with a job, a name in one or a name in a
/// setting.
pub fn schedule(config: &Config) -> Result<Vec<PlannedJob>, Failure> {
    let definitions = Definitions::load(&config.contexts)?;
    jobs(config, &definitions, &checked(&definitions, config)?)
}

fn jobs(
    config: &Config,
    definitions: &Definitions,
    all: &[Definition],
) -> Result<Vec<PlannedJob>, Failure> {
    let schedule = config.jobs.schedule(definitions.with_shipped())?;
    schedule.plan(all, &config.filter)
}

/// Leaves the metrics of a single run in a file.
///
/// # Errors
/// The file cannot be written.
pub fn write_metrics(path: &Path, config: Option<&Config>, run: &LastRun<'_>) -> io::Result<()> {
    let definitions = config.and_then(|config| all_definitions(config).ok());
    let ids = |all: Vec<Definition>| all.into_iter().map(|d| d.spec.id).collect();
    let known: Option<Vec<StrategyId>> = definitions.map(ids);
    metrics::file::write(path, run, known.as_deref())
}

/// The SQL of the configured database, if one is configured.
fn dialect(config: &Config) -> Option<Dialect> {
    source::dialect(config.database_url.as_ref()?.expose())
}

/// How the configured database reads definitions; where none is configured, how each does that is
/// known.
pub fn databases(config: &Config) -> Vec<&'static Grammar> {
    dialect(config).map_or_else(source::all_grammars, |dialect| vec![dialect.grammar()])
}

/// The configured database, and its primary where it is a copy.
async fn sources(config: &Config) -> Result<Sources, Failure> {
    let bulk = source(config).await?;
    let wanted = config.primary_url.as_ref();
    let Some(url) = wanted.filter(|_| config.options.verify_writes) else {
        return Ok(Sources::one(bulk));
    };
    let primary = primary(url, config).await?;
    if primary.dialect() != bulk.dialect() {
        let what = "--primary-url names another kind of database than --database-url";
        let why = "the primary of a replica is of the same kind";
        return Err(Failure::new(FailureKind::Config, what, why));
    }
    Ok(Sources { bulk, primary })
}

async fn primary(url: &Secret, config: &Config) -> Result<Arc<dyn RowSource>, Failure> {
    let url = required(Some(url), "primary", "--primary-url")?;
    source::connect(url, session_options(config)).await
}

fn session_options(config: &Config) -> SessionOptions {
    SessionOptions {
        statement_timeout: config.statement_timeout,
    }
}

/// The configured database, connected.
///
/// # Errors
/// None is configured, or it cannot be reached.
pub async fn source(config: &Config) -> Result<Arc<dyn RowSource>, Failure> {
    if let Some(dir) = &config.demo {
        demo::make(dir).await?;
    }
    source::connect(required_database(config)?, session_options(config)).await
}

/// The configured cache, connected.
///
/// # Errors
/// None is configured, or it cannot be reached.
pub async fn cache(config: &Config, access: Access) -> Result<Arc<dyn Cache>, Failure> {
    if let Some(dir) = &config.demo {
        demo::make_folder(dir)?;
    }
    let cache = cache::connect(required_cache(config)?, access, &cache_options(config)).await?;
    if config.wait.is_some() {
        patience::answers(cache.as_ref()).await?;
    }
    Ok(cache)
}

/// What the cache's URL does not say.
fn cache_options(config: &Config) -> cache::ConnectOptions {
    cache::ConnectOptions {
        ca: config.cache_ca.clone(),
        cert: config.cache_cert.clone(),
        key: config.cache_key.clone(),
    }
}

/// Whether a database and a cache are configured, whether or not they answer.
///
/// # Errors
/// One of them is not, or its URL cannot be read.
pub fn are_configured(config: &Config) -> Result<(), Failure> {
    let database = required_database(config);
    let cache = required_cache(config);
    match (database, cache) {
        (Err(database), Err(cache)) => Err(Failure {
            why: cache.to_string(),
            hint: [database.hint, cache.hint].into_iter().flatten().next(),
            ..database
        }),
        (database, cache) => database.and(cache).map(drop),
    }
}

fn required_database(config: &Config) -> Result<&str, Failure> {
    let ways = "--database-url or DATABASE_URL";
    required(config.database_url.as_ref(), "database", ways)
}

fn required_cache(config: &Config) -> Result<&str, Failure> {
    let ways = "--cache-url, CACHE_URL or REDIS_URL";
    required(config.cache_url.as_ref(), "cache", ways)
}

fn required<'a>(url: Option<&'a Secret>, what: &str, ways: &str) -> Result<&'a str, Failure> {
    let url = url.ok_or_else(|| {
        Failure::new(FailureKind::Config, format!("no {what} is configured"), "")
            .hint(format!("give its URL with {ways}, or try --demo"))
    })?;
    if url.is_ambiguous() {
        let why = "where its password ends cannot be known";
        let what = format!("the {what} URL is not valid");
        return Err(
            Failure::new(FailureKind::Config, what, why).hint("write / as %2F, # as %23, @ as %40")
        );
    }
    Ok(url.expose())
}

/// Leaves a run that could not begin in the history, if the cache takes it soon. Who asked hears of
/// the reason itself.
pub async fn record_refusal(config: &Config, info: &RunInfo, refused: &Refused) {
    let is_news = match refused {
        Refused::Failed(failure) => failure.is_worth_recording(),
        Refused::Busy(_) | Refused::Stopped(_) => true,
        Refused::RunBefore => false,
    };
    if config.cache_url.is_none() || !is_news {
        return;
    }
    let record = refused.record(info);
    let recording = async {
        let cache = cache(config, Access::Write).await?;
        history::push(cache.as_ref(), &config.prefix, &record).await
    };
    let _ = tokio::time::timeout(RECORD_TIMEOUT, recording).await;
}

/// A definition on the database.
async fn prepare_one(
    mut definition: Definition,
    sources: &Sources,
    prefix: &str,
) -> Result<Arc<dyn WarmupStrategy>, Failure> {
    if let Some(fault) = definition.fault.take() {
        return Err(fault);
    }
    definition.spec.key = definition.spec.key.with_prefix(prefix);
    let sources = sources.with(definition.row_security);
    let build = coded(&definition.spec.id);
    let prepared = Prepared::new(definition, sources).await?;
    match build {
        Some(build) => build(prepared),
        None => Ok(Arc::new(QueryStrategy::new(prepared).await)),
    }
}

/// Every definition on the database. One that does not fit costs its strategy, not the run, unless
/// none fits or the operator wants it so.
///
/// # Errors
/// All that does not fit, at once; the database's own.
async fn prepare(
    definitions: Vec<Definition>,
    sources: &Sources,
    config: &Config,
) -> Result<Vec<Arc<dyn WarmupStrategy>>, Failure> {
    let mut strategies: Vec<Arc<dyn WarmupStrategy>> = Vec::new();
    let mut unfit: Vec<Failure> = Vec::new();
    for definition in definitions {
        let mut spec = definition.spec.clone();
        match prepare_one(definition, sources, &config.prefix).await {
            Ok(strategy) => strategies.push(strategy),
            Err(failure) if failure.is_unfit() => {
                spec.key = spec.key.with_prefix(&config.prefix);
                strategies.push(Arc::new(Unfit::new(spec, failure.clone())));
                unfit.push(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    let is_end = config.strict || unfit.len() == strategies.len();
    match is_end.then(|| together(unfit)).flatten() {
        Some(failure) => Err(failure),
        None => Ok(strategies),
    }
}

/// Failures of definitions as one; `None`: there are none.
fn together(mut unfit: Vec<Failure>) -> Option<Failure> {
    if unfit.len() < 2 {
        return unfit.pop();
    }
    let lines: Vec<String> = unfit.iter().map(ToString::to_string).collect();
    let what = format!("{} definitions cannot be run", unfit.len());
    let why = format!("\n  {}", lines.join("\n  "));
    let all = Failure::new(unfit[0].kind, what, why);
    Some(Failure {
        hint: unfit.into_iter().find_map(|failure| failure.hint),
        ..all
    })
}
