//! Writes definitions that fit a database: reads its schema, tries each table's rows, and says what it
//! chose.
//!
//! The choice is a pure function of the schema and of what the rows say. Everything is tried first:
//! each column is read in the form in which it is written, and each query is described before it is.

mod examples;
mod facts;
mod file;
mod fit;
mod form;
mod guess;
mod inflection;
mod list;
mod moments;
mod names;
mod object;
mod private;
mod quoting;
mod section;
mod select;
mod strategy;
mod trial;

#[cfg(test)]
mod tests;

use glob::{MatchOptions, Pattern};

use self::examples::{Example, examples};
use self::facts::Facts;
use self::fit::Fit;
use self::names::Names;
use self::section::{Section, passed_over, section};
use self::select::Reading;
pub use self::trial::Accepts;
use self::trial::{learn, may_hide, of_query, out};
use super::ports::RowSource;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::nearest::nearest;
use crate::domain::schema::{Schema, Table};
use crate::domain::strategy::{CHANGED_AT, VERSION};
use crate::domain::wording::{first, grouped};

/// The file with the definitions, and that with the settings.
pub const DEFINITIONS: &str = "contexts/shop.toml";

/// Tables to name in a note, at most.
const SHOWN: usize = 8;

/// The files of a shop, and what was chosen.
#[derive(Debug, Default)]
pub struct Starter {
    pub settings: String,
    pub definitions: String,
    /// A line for each table.
    pub tables: Vec<Told>,
    /// Notes for people on what was not read.
    pub notes: Vec<String>,
}

/// What was chosen for a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub table: String,
    /// `None`: they were not counted.
    pub rows: Option<u64>,
    /// The number of rows is an estimate, and only some are warmed.
    pub is_large: bool,
    pub keys: Vec<String>,
    pub version: Option<String>,
    /// Why it is left out, or has no key of its own.
    pub why: Option<String>,
}

/// A starter without a database.
pub fn empty() -> Starter {
    Starter {
        settings: file::settings(false, false),
        definitions: file::EMPTY.to_owned(),
        ..Starter::default()
    }
}

/// Definitions for the tables that match one of `wanted`, or for all.
///
/// # Errors
/// The database's, a pattern that matches nothing, or that there is nothing to warm.
pub async fn from_database(
    source: &dyn RowSource,
    wanted: &[Pattern],
    accepts: Accepts<'_>,
) -> Result<Starter, Failure> {
    let mut schema = source.schema().await?;
    let mut names = Names::of(&schema);
    guess::guess(&mut schema, &names);
    let picked = pick(&schema, wanted)?;
    let lists = about_lists(&picked);
    let dialect = source.dialect();
    let mut learned: Vec<(Fit<'_>, Facts)> = Vec::new();
    for table in picked {
        let mut fit = Fit::new(table, dialect);
        let facts = match passed_over(&names, table) {
            Some(why) => out(&why),
            None => learn(source, accepts, &mut fit).await?,
        };
        learned.push((fit, facts));
    }
    let each = learned.iter().map(|(fit, facts)| section(&schema, &mut names, dialect, fit, facts));
    let mut sections: Vec<Section> = each.collect();
    for section in &mut sections {
        check(source, accepts, section).await?;
    }
    let is_readable = |(fit, facts): &&(Fit<'_>, Facts)| !fit.table.is_view && facts.out.is_none();
    let readings = learned.iter().filter(is_readable);
    let readings: Vec<Reading<'_>> =
        readings.map(|(fit, facts)| Reading::new(dialect, fit, facts)).collect();
    let mut examples = examples(&mut names, &readings);
    for example in &mut examples {
        settle_order(source, example).await?;
    }
    let is_empty = learned.iter().all(|(_, facts)| facts.rows == 0);
    if sections.iter().flat_map(Section::written).next().is_none() {
        return Err(nothing(&sections));
    }
    let mut notes = notes(&schema, names.prefix());
    notes.extend(without_changes(&sections));
    notes.extend(lists.map(str::to_owned));
    if may_hide(source).await? {
        notes.push(hidden(&schema));
    }
    Ok(Starter {
        settings: file::settings(is_empty, true),
        definitions: file::definitions(&sections, &examples, names.prefix(), lists),
        tables: sections.iter().map(told).collect(),
        notes,
    })
}

/// Takes the order out of lists of JSON where the server has none there.
async fn settle_order(source: &dyn RowSource, example: &mut Example) -> Result<(), Failure> {
    if let Some(unordered) = example.unordered.take()
        && let Err(failure) = source.describe(&example.strategy.sql, &[]).await
    {
        of_query(failure)?;
        example.strategy.sql = unordered;
    }
    Ok(())
}

/// Where lists come from, unless from foreign keys of the database.
fn about_lists(tables: &[&Table]) -> Option<&'static str> {
    let mut references = tables.iter().flat_map(|table| &table.foreign_keys);
    match references.next() {
        Some(first) => first.is_guess.then_some(
            "The database declares no foreign keys: lists follow the names of columns.",
        ),
        None => (tables.len() > 1).then_some(
            "No lists: there are no foreign keys, and no column names that say which table is the parent.",
        ),
    }
}

fn hidden(schema: &Schema) -> String {
    let tables = match schema.tables.len() {
        1 => "1 table".to_owned(),
        count => format!("{} tables", grouped(count as u64)),
    };
    format!("This user sees {tables}; MySQL and MariaDB hide those that it is not allowed to read.")
}

fn pick<'a>(schema: &'a Schema, wanted: &[Pattern]) -> Result<Vec<&'a Table>, Failure> {
    let options = MatchOptions { case_sensitive: false, ..MatchOptions::default() };
    let matches = |pattern: &Pattern, table: &Table| pattern.matches_with(&table.name, options);
    for pattern in wanted {
        if !schema.tables.iter().any(|table| matches(pattern, table)) {
            let known = schema.tables.iter().map(|table| table.name.as_str());
            let what = format!("no table matches `{pattern}`");
            let failure = Failure::new(FailureKind::Usage, what, "");
            return Err(match nearest(pattern.as_str(), known) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure,
            });
        }
    }
    let is_picked = |table: &&Table| wanted.is_empty() || wanted.iter().any(|p| matches(p, table));
    let picked: Vec<&Table> = schema.tables.iter().filter(is_picked).collect();
    if picked.is_empty() {
        let why = match schema.elsewhere.is_empty() {
            true => "it is empty, or this user is not allowed to see its tables".to_owned(),
            false => notes(schema, "").join(" "),
        };
        return Err(Failure::new(FailureKind::Config, "the database has no tables", why));
    }
    Ok(picked)
}

/// Makes a comment of what the definitions' check or the database does not take.
async fn check(
    source: &dyn RowSource,
    accepts: Accepts<'_>,
    section: &mut Section,
) -> Result<(), Failure> {
    for strategy in section.strategies.iter_mut().filter(|strategy| strategy.fault.is_none()) {
        strategy.fault = accepts(&strategy.sql).err();
        if strategy.fault.is_none()
            && let Err(failure) = source.describe(&strategy.ordered(), &[]).await
        {
            strategy.fault = Some(of_query(failure)?.why);
        }
    }
    Ok(())
}

fn nothing(sections: &[Section]) -> Failure {
    let reason = |section: &Section| {
        let why = section.reason().unwrap_or_default();
        format!("{}: {why}", section.table)
    };
    let reasons: Vec<String> = sections.iter().take(5).map(reason).collect();
    let what = "no table can be warmed as it is";
    Failure::new(FailureKind::Config, what, reasons.join("\n  "))
        .hint("shopwarm init --empty writes a starter file")
}

fn told(section: &Section) -> Told {
    let keys: Vec<String> = section.written().map(|one| one.key.clone()).collect();
    Told {
        table: section.table.clone(),
        rows: section.rows,
        is_large: section.is_large,
        version: section.version.clone().filter(|_| !keys.is_empty()),
        keys,
        why: section.reason(),
    }
}

/// Which tables do not show when their rows change.
fn without_changes(sections: &[Section]) -> Option<String> {
    const LACK: &str = "no column that shows when a row changed";
    let is_silent = |section: &&Section| section.version.is_none() && section.written().count() > 0;
    let silent = sections.iter().filter(is_silent);
    let names: Vec<&str> = silent.map(|section| section.table.as_str()).collect();
    let (which, them) = match names.as_slice() {
        [] => return None,
        [name] => (format!("{name} has {LACK}"), "it"),
        _ => {
            let names = first(names.iter().copied(), SHOWN);
            (format!("These tables have {LACK}: {names}"), "them")
        }
    };
    Some(format!(
        "{which}. `--changed` reads {them} in full, and changes during a run go unnoticed. \
         If some column X does show it, add X AS {CHANGED_AT} or X AS {VERSION} to the sql."
    ))
}

fn notes(schema: &Schema, prefix: &str) -> Vec<String> {
    let mut notes = Vec::new();
    if !prefix.is_empty() {
        notes.push(format!("Keys leave out {prefix}, which all tables begin with."));
    }
    if !schema.elsewhere.is_empty() {
        let each = schema.elsewhere.iter().map(|(name, count)| format!("{name} ({count})"));
        notes.push(format!(
            "Tables in schemas that are not on the search path are left out: {}.",
            each.collect::<Vec<_>>().join(", ")
        ));
    }
    notes
}
