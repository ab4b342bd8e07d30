//! The queries that the engine makes of a definition's SQL.
//!
//! The definition says which rows exist; these say which of them, and in what order. No LIMIT
//! stands around the definition's own text when keys are asked for, so every database can push the
//! condition down to an index.

use super::layout::version_columns;
use crate::application::ports::Dialect;
use crate::domain::changes::{Since, TrackedTable};
use crate::domain::row::Column;
use crate::domain::strategy::{Definition, Shape};

/// What of each row is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick<'a> {
    /// Whatever columns the definition selects; only to learn which they are.
    All,
    /// The columns that it was found to select, by name: a migration in the middle of a run may add
    /// others or change their places.
    Columns(&'a [Column]),
    /// The columns that the key's template names; there must be one.
    Keys,
    /// Those, and what tells the version.
    Versions,
}

/// The query of a run over the whole selection.
pub fn select_all(
    definition: &Definition,
    dialect: Dialect,
    sql: &str,
    pick: Pick<'_>,
    limit: Option<u64>,
) -> String {
    select_where(definition, dialect, sql, pick, "", limit)
}

/// The query of what is left of a run: the rows that meet a condition.
pub fn select_rest(
    definition: &Definition,
    dialect: Dialect,
    sql: &str,
    pick: Pick<'_>,
    condition: &str,
    limit: Option<u64>,
) -> String {
    let condition = format!(" WHERE {condition}");
    select_where(definition, dialect, sql, pick, &condition, limit)
}

fn select_where(
    definition: &Definition,
    dialect: Dialect,
    sql: &str,
    pick: Pick<'_>,
    condition: &str,
    limit: Option<u64>,
) -> String {
    let columns = picked(definition, dialect, pick);
    let order = order(definition, dialect, pick);
    let limit = limited(limit);
    format!("SELECT {columns} FROM (\n{sql}\n) q{condition}{order}{limit}")
}

/// The query that counts the keys of a whole selection.
pub fn count_keys(
    definition: &Definition,
    dialect: Dialect,
    sql: &str,
    limit: Option<u64>,
) -> String {
    let keys = definition.spec.key.columns();
    let (what, limit) = match (definition.spec.value, keys.as_slice()) {
        (Shape::List, []) => ("1".to_owned(), Some(1)),
        (Shape::List, keys) => {
            let columns = keys
                .iter()
                .map(|key| dialect.bytewise(&quoted(dialect, key)));
            (
                format!("DISTINCT {}", columns.collect::<Vec<_>>().join(", ")),
                limit,
            )
        }
        _ => ("1".to_owned(), limit),
    };
    let limit = limited(limit);
    format!("SELECT count(*) AS n FROM (SELECT {what} FROM (\n{sql}\n) q{limit}) c")
}

/// The query that counts the rows of the whole selection that have not changed since a moment.
pub fn count_unchanged(
    definition: &Definition,
    dialect: Dialect,
    sql: &str,
    changed_at: &Column,
    since: Since,
) -> Option<String> {
    let column = quoted(dialect, &changed_at.name);
    let changed = dialect.changed_since(&column, &changed_at.declared, since)?;
    let keys = definition.spec.key.columns().into_iter();
    let keys = keys.map(|key| format!(" AND {} IS NOT NULL", quoted(dialect, key)));
    let keys: String = keys.collect();
    Some(format!(
        "SELECT count(*) AS n FROM (\n{sql}\n) q WHERE CASE WHEN {changed} THEN 1 ELSE 0 END = 0{keys}"
    ))
}

/// The query for the keys of the whole selection, each with whether it has changed since a moment.
/// `changed_at`: the column of that name. `None`: its type is none that tells a moment.
pub fn select_key_changes(
    definition: &Definition,
    dialect: Dialect,
    sql: &str,
    changed_at: &Column,
    since: Since,
) -> Option<String> {
    let column = quoted(dialect, &changed_at.name);
    let changed = dialect.changed_since(&column, &changed_at.declared, since)?;
    let keys = picked(definition, dialect, Pick::Keys);
    let order = order(definition, dialect, Pick::Keys);
    let limit = limited(definition.limit);
    Some(format!(
        "SELECT {keys}, CASE WHEN {changed} THEN 1 ELSE 0 END AS is_changed FROM (\n{sql}\n) q\
         {order}{limit}"
    ))
}

/// The query for the keys of all rows of a table that have changed since a moment, in the selection
/// or not.
pub fn select_changed_rows(
    definition: &Definition,
    dialect: Dialect,
    table: &TrackedTable,
    changed_at: &Column,
    since: Since,
) -> Option<String> {
    let column = quoted(dialect, &table.changed_at);
    let changed = dialect.changed_since(&column, &changed_at.declared, since)?;
    let names = definition.spec.key.columns();
    let keys =
        table.key.iter().zip(names).map(|(column, name)| {
            format!("{} AS {}", quoted(dialect, column), dialect.quote(name))
        });
    let keys = keys.collect::<Vec<_>>().join(", ");
    let name = &table.table.name;
    Some(format!(
        "SELECT {keys}, 1 AS is_changed FROM {name} q WHERE {changed}"
    ))
}

fn limited(limit: Option<u64>) -> String {
    limit.map_or_else(String::new, |limit| format!(" LIMIT {limit}"))
}

fn picked(definition: &Definition, dialect: Dialect, pick: Pick<'_>) -> String {
    let names: Vec<&str> = match pick {
        Pick::All => return "*".to_owned(),
        Pick::Columns(columns) => columns.iter().map(|column| column.name.as_str()).collect(),
        Pick::Keys => definition.spec.key.columns(),
        Pick::Versions => version_columns(definition),
    };
    let columns = names.iter().map(|column| quoted(dialect, column));
    columns.collect::<Vec<_>>().join(", ")
}

/// The query for the versions of some rows, whichever come first.
pub fn select_versions(definition: &Definition, dialect: Dialect, sql: &str, limit: u64) -> String {
    let picked = picked(definition, dialect, Pick::Versions);
    format!("SELECT {picked} FROM (\n{sql}\n) q LIMIT {limit}")
}

/// The rows that meet a condition, in an order only where it means something.
pub fn select_where_only(
    definition: &Definition,
    dialect: Dialect,
    sql: &str,
    pick: Pick<'_>,
    condition: &str,
) -> String {
    let picked = picked(definition, dialect, pick);
    let only = dialect.at_the_primary(condition);
    let mut query = format!("SELECT {picked} FROM (\n{sql}\n) q WHERE {only}");
    if definition.spec.value == Shape::List {
        query.push_str(&order(definition, dialect, pick));
    }
    query
}

/// ` ORDER BY ...`, or nothing.
fn order(definition: &Definition, dialect: Dialect, pick: Pick<'_>) -> String {
    let mut terms = Vec::new();
    if definition.spec.value == Shape::List {
        for column in definition.spec.key.columns() {
            terms.extend(dialect.key_order(&quoted(dialect, column)));
        }
    }
    // The rows of one key are all the same where only keys are read.
    if pick != Pick::Keys || definition.spec.value != Shape::List {
        terms.extend(definition.order_by.clone());
    }
    if terms.is_empty() {
        String::new()
    } else {
        format!(" ORDER BY {}", terms.join(", "))
    }
}

/// A column of the definition's query.
pub(super) fn quoted(dialect: Dialect, column: &str) -> String {
    format!("q.{}", dialect.quote(column))
}
