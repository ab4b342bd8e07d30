//! Definitions and jobs, read and checked.

use crate::application::ports::Dialect;
use crate::application::ports::grammar::Grammar;
use crate::application::schedule::PlannedJob;
use crate::config::Config;
use crate::contexts::definitions::Definitions;
use crate::domain::failure::Failure;
use crate::domain::finding::Finding;
use crate::domain::selection::{Filter, Selection, select};
use crate::domain::strategy::Definition;
use crate::infrastructure::source;

/// The selected definitions, and the others.
///
/// # Errors
/// A definition or the selection is not valid.
pub fn definitions(
    config: &Config,
    selection: &Selection,
) -> Result<(Vec<Definition>, Vec<Definition>), Failure> {
    pick(all_definitions(config)?, selection, &config.filter())
}

/// All definitions, merged and checked; an invalid one carries its error.
///
/// # Errors
/// A file cannot be read or parsed, or, with `strict`, a definition is not valid.
pub fn all_definitions(config: &Config) -> Result<Vec<Definition>, Failure> {
    checked(&config.definitions()?, config)
}

pub(super) fn checked(
    definitions: &Definitions,
    config: &Config,
) -> Result<Vec<Definition>, Failure> {
    let vars = config.vars();
    definitions.check_vars(&vars)?;
    match config.run.strict() {
        true => definitions.validate(&databases(config), &vars),
        false => Ok(definitions.checked(&databases(config), &vars)),
    }
}

/// The selected definitions, and the others.
pub(super) fn pick(
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

/// What is valid, and may not be what is meant.
pub fn advice(all: &[Definition]) -> Option<Finding> {
    let unordered = all.iter().filter(|definition| definition.is_unordered());
    let ids: Vec<String> = unordered.map(|definition| definition.spec.id.to_string()).collect();
    let text = match ids.len() {
        0 => return None,
        1 => format!("{}: the rows of its lists come in any order", ids[0]),
        _ => format!("{}: the rows of their lists come in any order", ids.join(", ")),
    };
    let hint = "add order_by; if the order does not matter, set unordered = \"ok\"";
    Some(Finding::warning("definitions", text).hint(hint))
}

/// The scheduled jobs, each with the strategies that it warms.
///
/// # Errors
/// A file cannot be read or parsed, or a job or a name is not valid.
pub fn schedule(config: &Config) -> Result<Vec<PlannedJob>, Failure> {
    let definitions = config.definitions()?;
    jobs(config, &definitions, &checked(&definitions, config)?)
}

pub(super) fn jobs(
    config: &Config,
    definitions: &Definitions,
    all: &[Definition],
) -> Result<Vec<PlannedJob>, Failure> {
    let schedule = config.jobs.schedule(definitions.with_shipped())?;
    for job in schedule.jobs.values() {
        let checked = definitions.check_vars(&job.settings.vars().0);
        checked.map_err(|failure| Failure {
            what: format!("schedule.{}: {}", job.name, failure.what),
            ..failure
        })?;
    }
    schedule.plan(all, &config.run, config.exclude_kind)
}

/// The SQL dialect of the configured database.
pub(super) fn dialect(config: &Config) -> Option<Dialect> {
    source::dialect(config.database_url.as_ref()?.expose())
}

/// How the configured database reads definitions, or how each known database does if none is
/// configured.
pub fn databases(config: &Config) -> Vec<&'static Grammar> {
    dialect(config).map_or_else(source::all_grammars, |dialect| vec![dialect.grammar()])
}
