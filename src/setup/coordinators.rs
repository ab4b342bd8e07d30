//! Coordinators: definitions on a database, with a cache.

use std::sync::Arc;

use super::connections::{Access, are_configured, cache, source, sources};
use super::definitions::definitions;
use crate::application::engine::coordinator::Coordinator;
use crate::application::engine::inspect::Inspection;
use crate::application::pace::PaceLimits;
use crate::application::ports::{Cache, Sources, WarmupStrategy};
use crate::application::query::coded::CodedStrategy;
use crate::application::query::empty::Empty;
use crate::application::query::prepared::Prepared;
use crate::application::query::repetitions::repetitions;
use crate::application::query::strategy::QueryStrategy;
use crate::application::run_state::options::Options;
use crate::config::Config;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::selection::Selection;
use crate::domain::standing::Kind;
use crate::domain::strategy::{Definition, StrategySpec};

/// A coordinator for a selection: definitions are checked, both servers are connected and every
/// query is prepared before anything is written.
///
/// # Errors
/// The first of these that fails.
pub async fn coordinator(config: &Config, selection: &Selection) -> Result<Coordinator, Failure> {
    let (selected, _) = definitions(config, selection)?;
    warmer(config, selected).await
}

/// A coordinator that warms these definitions.
pub(super) async fn warmer(
    config: &Config,
    selected: Vec<Definition>,
) -> Result<Coordinator, Failure> {
    are_configured(config)?;
    let (sources, cache) = tokio::join!(sources(config), cache(config, Access::Write));
    let (sources, cache) = (sources?, cache?);
    let strategies = prepare(selected, &sources, Some(cache.as_ref()), config).await?;
    Ok(Coordinator::new(strategies, cache, config.options()).reading(sources))
}

/// Whether a command that only reads needs a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheNeed {
    None,
    /// Use one if it is configured.
    IfGiven,
    Required,
}

/// A coordinator with a read-only cache: the same engine, and nothing is written.
///
/// # Errors
/// As [`coordinator`].
pub async fn viewer(
    config: &Config,
    selection: &Selection,
    inspection: Inspection,
    need: CacheNeed,
) -> Result<Coordinator, Failure> {
    viewer_of(config, definitions(config, selection)?, inspection, need).await
}

/// A read-only coordinator for these definitions, which also knows the unselected ones.
pub(super) async fn viewer_of(
    config: &Config,
    (selected, others): (Vec<Definition>, Vec<Definition>),
    mut inspection: Inspection,
    need: CacheNeed,
) -> Result<Coordinator, Failure> {
    if need == CacheNeed::Required {
        are_configured(config)?;
    }
    let cache = async {
        match need {
            CacheNeed::None => Ok(None),
            CacheNeed::IfGiven if config.cache_url.is_none() => Ok(None),
            CacheNeed::IfGiven | CacheNeed::Required => cache(config, Access::Read).await.map(Some),
        }
    };
    let (source, cache) = tokio::join!(source(config), cache);
    let (source, cache) = (source?, cache?);
    let strategies = prepare(selected, &Sources::one(source), cache.as_deref(), config).await?;
    let template = |definition: Definition| definition.spec.key.with_prefix(&config.prefix);
    inspection.others = others.into_iter().map(template).collect();
    let options = Options { pace: PaceLimits::default(), ..config.options() };
    Ok(Coordinator::inspecting(strategies, cache, inspection, options))
}

/// The selected strategies, prepared on the database, in no order.
///
/// # Errors
/// The first of definitions, database and queries that fails.
pub async fn strategies(
    config: &Config,
    selection: &Selection,
) -> Result<Vec<Arc<dyn WarmupStrategy>>, Failure> {
    let (selected, _) = definitions(config, selection)?;
    let source = source(config).await?;
    prepare(selected, &Sources::one(source), None, config).await
}

/// Whether a cache can hold the values of a strategy.
///
/// # Errors
/// It cannot, or the cache's own.
async fn check_cache(spec: &StrategySpec, cache: Option<&dyn Cache>) -> Result<(), Failure> {
    let Some(cache) = cache else { return Ok(()) };
    match cache.lacks(&Kind::of(spec.value)).await? {
        None => Ok(()),
        Some(why) => {
            let what = format!("{} cannot be stored in this cache", spec.id);
            Err(Failure::new(FailureKind::Config, what, why))
        }
    }
}

/// A definition on the database.
async fn prepare_one(
    mut definition: Definition,
    sources: &Sources,
    config: &Config,
) -> Result<Arc<dyn WarmupStrategy>, Failure> {
    if let Some(fault) = definition.fault.take() {
        return Err(fault);
    }
    let sources = sources.with(definition.row_security);
    let spec = definition.spec.clone();
    if let Some(coded) = config.registry.get(&spec.id.family()) {
        let coded = CodedStrategy::new(Arc::clone(coded), spec, &config.prefix);
        return Ok(Arc::new(coded));
    }
    definition.spec.key = spec.key.with_prefix(&config.prefix);
    let prepared = Prepared::new(definition, sources).await?;
    Ok(Arc::new(QueryStrategy::new(prepared)))
}

/// A strategy, or why its definition does not fit.
type Fitted = (StrategySpec, Result<Arc<dyn WarmupStrategy>, Failure>);

/// A strategy without entries.
fn empty(
    mut spec: StrategySpec,
    unfit: Option<Failure>,
    config: &Config,
) -> Arc<dyn WarmupStrategy> {
    spec.key = spec.key.with_prefix(&config.prefix);
    Arc::new(Empty { spec, unfit })
}

/// The selected repetitions of a definition on the database: each fits or not; of any other
/// definition itself.
///
/// # Errors
/// The database's.
pub(super) async fn prepare_all(
    definition: Definition,
    sources: &Sources,
    config: &Config,
) -> Result<Vec<Fitted>, Failure> {
    let spec = definition.spec.clone();
    let repeated = match repetitions(definition, sources).await {
        Ok(repeated) if repeated.is_empty() => {
            let nothing = empty(spec.clone(), None, config);
            return Ok(vec![(spec, Ok(nothing))]);
        }
        Err(failure) if failure.is_unfit() => return Ok(vec![(spec, Err(failure))]),
        repeated => repeated?,
    };
    let mut all = Vec::with_capacity(repeated.len());
    for definition in repeated {
        let spec = definition.spec.clone();
        match prepare_one(definition, sources, config).await {
            Err(failure) if !failure.is_unfit() => return Err(failure),
            strategy => all.push((spec, strategy)),
        }
    }
    Ok(all)
}

/// Prepares every definition on the database, for a cache if there is one. One that does not fit
/// fails its strategy, not the run, unless none fits or the run is strict.
///
/// # Errors
/// All definitions that do not fit, or the database's error.
async fn prepare(
    definitions: Vec<Definition>,
    sources: &Sources,
    cache: Option<&dyn Cache>,
    config: &Config,
) -> Result<Vec<Arc<dyn WarmupStrategy>>, Failure> {
    let mut strategies: Vec<Arc<dyn WarmupStrategy>> = Vec::new();
    let mut unfit: Vec<Failure> = Vec::new();
    for definition in definitions {
        let spec = definition.spec.clone();
        let fitted = match check_cache(&spec, cache).await {
            Ok(()) => prepare_all(definition, sources, config).await?,
            Err(failure) if failure.is_unfit() => vec![(spec, Err(failure))],
            Err(failure) => return Err(failure),
        };
        for (spec, strategy) in fitted {
            let strategy = strategy.unwrap_or_else(|failure| {
                unfit.push(failure.clone());
                empty(spec, Some(failure), config)
            });
            strategies.push(strategy);
        }
    }
    let is_end = config.run.strict() || unfit.len() == strategies.len();
    match is_end.then(|| together(unfit)).flatten() {
        Some(failure) => Err(failure),
        None => Ok(strategies),
    }
}

/// Several failures of definitions as one.
fn together(mut unfit: Vec<Failure>) -> Option<Failure> {
    if unfit.len() < 2 {
        return unfit.pop();
    }
    let hint = unfit[0].hint.clone();
    let is_shared = unfit.iter().all(|failure| failure.hint == hint);
    let line = |(text, own): (String, Option<String>)| match own.filter(|_| !is_shared) {
        Some(hint) => format!("\n  {text}\n      hint: {hint}"),
        None => format!("\n  {text}"),
    };
    let why: String = by_cause(&unfit).into_iter().map(line).collect();
    let what = format!("{} definitions are invalid or do not fit the database", unfit.len());
    let all = Failure::new(unfit[0].kind, what, why);
    Some(Failure { hint: hint.filter(|_| is_shared), ..all })
}

/// Each failure with its hint; those with the same cause and hint as one.
fn by_cause(unfit: &[Failure]) -> Vec<(String, Option<String>)> {
    let mut lines: Vec<(String, Option<String>)> = Vec::new();
    for failure in unfit {
        let same = |other: &&Failure| other.cause == failure.cause && other.hint == failure.hint;
        let all: Vec<&Failure> = unfit.iter().filter(same).collect();
        let text = match &failure.cause {
            Some(cause) if all.len() > 1 => {
                let ids: Vec<&str> = all.iter().map(|failure| failure.what.as_str()).collect();
                format!("{cause}: {}", ids.join(", "))
            }
            _ => failure.to_string(),
        };
        let line = (text, failure.hint.clone());
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}
