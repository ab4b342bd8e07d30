//! What becomes of one table.

use super::facts::Facts;
use super::fit::Fit;
use super::list::{is_join, lists};
use super::names::Names;
use super::object::{keyless, object, whole};
use super::private::is_housekeeping;
use super::select::{Reading, items};
use super::strategy::Strategy;
use crate::application::ports::Dialect;
use crate::domain::schema::{Schema, Table};

#[derive(Default)]
pub(super) struct Section {
    pub(super) table: String,
    pub(super) rows: Option<u64>,
    pub(super) is_large: bool,
    pub(super) notes: Vec<String>,
    /// The object first, where there is one.
    pub(super) strategies: Vec<Strategy>,
    /// The expression that tells its changes.
    pub(super) version: Option<String>,
    /// Why it has no object, or none of some rows.
    pub(super) why: Option<String>,
}

impl Section {
    /// Those that are not only comments.
    pub(super) fn written(&self) -> impl Iterator<Item = &Strategy> {
        let strategies = self.strategies.iter();
        strategies.filter(|strategy| strategy.fault.is_none())
    }

    pub(super) fn reason(&self) -> Option<String> {
        let mut faults = self.strategies.iter().map(|strategy| &strategy.fault);
        self.why.clone().or_else(|| faults.find_map(Clone::clone))
    }
}

/// Why a table is not even looked at.
pub(super) fn passed_over(names: &Names, table: &Table) -> Option<String> {
    if table.name.contains("{{") {
        return Some("`{{` in a name begins a variable of the definition".to_owned());
    }
    is_housekeeping(&names.words(&table.name)).then(|| "a framework's own table".to_owned())
}

pub(super) fn section(
    schema: &Schema,
    names: &mut Names,
    dialect: Dialect,
    fit: &Fit<'_>,
    facts: &Facts,
) -> Section {
    let reading = Reading::new(dialect, fit, facts);
    let mut section = Section { table: fit.table.name.clone(), ..Section::default() };
    if let Some(why) = &facts.out {
        section.why = Some(why.clone());
        return section;
    }
    if fit.table.is_view {
        section.why = Some("a view, see its comment".to_owned());
        section.notes = fit.notes();
        section.strategies.extend(of_view(names, &reading));
        return section;
    }
    section.rows = Some(facts.rows);
    section.is_large = facts.is_large;
    section.notes = fit.notes();
    section.version = reading.version_expression();
    let (lists, notes) = lists(schema, names, &reading);
    if is_join(&reading) && !lists.is_empty() {
        section.why = Some("a join table, so only lists".to_owned());
    } else {
        match object(names, &reading) {
            Ok(object) => {
                section.why = keyless(&reading);
                section.strategies.push(object);
            }
            Err(why) => section.why = Some(why),
        }
    }
    let is_bare = section.strategies.is_empty() && lists.is_empty() && fit.table.key().is_empty();
    section.strategies.extend(lists);
    section.notes.extend(notes);
    if is_bare {
        section.strategies.extend(whole(names, &reading));
    }
    section
}

/// A proposal: which of its columns tell the rows apart is not known.
fn of_view(names: &mut Names, reading: &Reading<'_>) -> Option<Strategy> {
    let is_id = |name: &str| name.to_lowercase().ends_with("id");
    let mut fields = reading.fields.iter();
    let key = fields.find(|field| is_id(&field.name)).or(reading.fields.first())?;
    let parts = reading.key_parts(std::slice::from_ref(&key.column), false, false);
    let items = items(&reading.fields, &parts);
    let entity = names.entity(&reading.fit.table.name).to_owned();
    Some(Strategy {
        name: names.strategy(&entity),
        key: format!("{}:{{{}}}", super::object::literal(&entity), parts.first()?.placeholder),
        value: "object",
        ttl: "1h",
        sql: reading.sql(&items, &parts),
        fault: Some(
            "A view. Name in the key columns that tell all its rows apart, and take the # away:"
                .to_owned(),
        ),
        ..Strategy::default()
    })
}
