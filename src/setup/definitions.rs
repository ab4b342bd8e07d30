//! Definitions and jobs, read and checked.

use crate::application::ports::Dialect;
use crate::application::ports::grammar::Grammar;
use crate::application::schedule::PlannedJob;
use crate::config::Config;
use crate::contexts::definitions::Definitions;
use crate::domain::failure::Failure;
use crate::domain::selection::{Filter, Selection, select};
use crate::domain::strategy::Definition;
use crate::infrastructure::source;

/// The definitions that are meant, and all others.
///
/// # Errors
/// What is wrong with any of them, or with the selection.
pub fn definitions(
    config: &Config,
    selection: &Selection,
) -> Result<(Vec<Definition>, Vec<Definition>), Failure> {
    pick(all_definitions(config)?, selection, &config.filter())
}

/// All definitions, merged and checked; one that is not valid has its fault.
///
/// # Errors
/// A file that cannot be read or parsed; what is wrong with any definition, where the operator wants
/// that to stop everything.
pub fn all_definitions(config: &Config) -> Result<Vec<Definition>, Failure> {
    checked(&Definitions::load(&config.contexts)?, config)
}

pub(super) fn checked(
    definitions: &Definitions,
    config: &Config,
) -> Result<Vec<Definition>, Failure> {
    match config.run.strict() {
        true => definitions.validate(&databases(config)),
        false => Ok(definitions.checked(&databases(config))),
    }
}

/// Those that are meant, and all others.
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

/// The scheduled jobs, each with the strategies that it warms.
///
/// # Errors
/// A file that cannot be read or parsed, or what is wrong with a job, a name in one or a name in a
/// setting.
pub fn schedule(config: &Config) -> Result<Vec<PlannedJob>, Failure> {
    let definitions = Definitions::load(&config.contexts)?;
    jobs(config, &definitions, &checked(&definitions, config)?)
}

pub(super) fn jobs(
    config: &Config,
    definitions: &Definitions,
    all: &[Definition],
) -> Result<Vec<PlannedJob>, Failure> {
    let schedule = config.jobs.schedule(definitions.with_shipped())?;
    schedule.plan(all, &config.run, config.exclude_kind)
}

/// The SQL of the configured database, if one is configured.
pub(super) fn dialect(config: &Config) -> Option<Dialect> {
    source::dialect(config.database_url.as_ref()?.expose())
}

/// How the configured database reads definitions; where none is configured, how each does that is
/// known.
pub fn databases(config: &Config) -> Vec<&'static Grammar> {
    dialect(config).map_or_else(source::all_grammars, |dialect| vec![dialect.grammar()])
}
