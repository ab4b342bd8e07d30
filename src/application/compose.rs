//! The queries that the engine makes of a definition's SQL.
//!
//! The definition says which rows exist; these say which of them, and in what order. No LIMIT
//! stands around the definition's own text when keys are asked for, so every database can push the
//! condition down to an index.

use super::assemble::version_columns;
use super::key_query::quoted;
use super::ports::Param;
use crate::domain::Dialect;
use crate::domain::changes::{Since, TrackedTable};
use crate::domain::row::Column;
use crate::domain::strategy::{Definition, PLACE, Shape};

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
            let columns = keys.iter().map(|key| bytewise(dialect, key));
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
    let changed = changed_since(dialect, &column, &changed_at.declared, since)?;
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
    let changed = changed_since(dialect, &column, &changed_at.declared, since)?;
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
    let changed = changed_since(dialect, &column, &changed_at.declared, since)?;
    let names = definition.spec.key.columns();
    let keys = table.key.iter().zip(names).map(|(column, name)| {
        let (column, name) = (quoted(dialect, column), quoted(dialect, name));
        // Without the alias of the table.
        format!("{column} AS {}", &name[2..])
    });
    let keys = keys.collect::<Vec<_>>().join(", ");
    let name = &table.table.name;
    Some(format!(
        "SELECT {keys}, 1 AS is_changed FROM {name} q WHERE {changed}"
    ))
}

/// Whether a moment is at or after another; one that is not known is. Written so that an index on
/// the column serves, and never too narrow: what is found besides is read once more, not missed.
fn changed_since(dialect: Dialect, column: &str, declared: &str, since: Since) -> Option<String> {
    let (utc, local, day) = (since.utc(), since.local(), since.day());
    let compared = match (dialect, declared) {
        (Dialect::Postgres, "TIMESTAMPTZ") => format!("{column} >= TIMESTAMPTZ '{utc}+00'"),
        (Dialect::Postgres, "TIMESTAMP") | (Dialect::Mysql, "DATETIME") => {
            format!("{column} >= TIMESTAMP '{local}'")
        }
        // Sessions run in UTC.
        (Dialect::Mysql, "TIMESTAMP") => format!("{column} >= TIMESTAMP '{utc}'"),
        (Dialect::Postgres | Dialect::Mysql, "DATE") => format!("{column} >= DATE '{day}'"),
        // There a moment is a text that begins with a date, or a Julian day. Anything else (seconds
        // since 1970, a date written otherwise) cannot be compared, and has changed.
        (Dialect::Sqlite, _) => {
            let date = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*";
            return Some(format!(
                "CASE WHEN (typeof({column}) = 'text' AND {column} GLOB '{date}') \
                 OR (typeof({column}) IN ('integer', 'real') \
                     AND {column} BETWEEN 2400000 AND 5373484) \
                 THEN coalesce(julianday({column}) >= julianday( \
                     CASE WHEN length({column}) < 19 AND typeof({column}) = 'text' \
                     THEN '{day}' ELSE '{local}' END), 1) ELSE 1 END = 1"
            ));
        }
        _ => return None,
    };
    Some(format!("({compared} OR {column} IS NULL)"))
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

/// Always true. A pooler that spreads queries over standbys (pgpool-II) sends what calls this function
/// to the primary, as it does when it is asked what it is.
const AT_THE_PRIMARY: &str = "pg_is_in_recovery() IS NOT NULL";

/// The rows that meet a condition, in an order only where it means something.
pub fn select_where_only(
    definition: &Definition,
    dialect: Dialect,
    sql: &str,
    pick: Pick<'_>,
    condition: &str,
) -> String {
    let picked = picked(definition, dialect, pick);
    let only = match dialect {
        Dialect::Postgres => format!("({condition}) AND {AT_THE_PRIMARY}"),
        Dialect::Mysql | Dialect::Sqlite => condition.to_owned(),
    };
    let mut query = format!("SELECT {picked} FROM (\n{sql}\n) q WHERE {only}");
    if definition.spec.value == Shape::List {
        query.push_str(&order(definition, dialect, pick));
    }
    query
}

/// A plain query over one table that says besides where each row lies, as `expression` has it;
/// `None`: its text does not begin as such a query does.
pub fn with_place(sql: &str, expression: &str) -> Option<String> {
    let start = sql.len() - sql.trim_start().len();
    let (select, rest) = sql[start..].split_at_checked("SELECT".len())?;
    let is_plain = select.eq_ignore_ascii_case("SELECT") && rest.starts_with(char::is_whitespace);
    is_plain.then(|| format!("{select} {expression} AS {PLACE},{rest}"))
}

/// The versions of the rows that lie where others lay.
pub fn select_placed(
    definition: &Definition,
    sql: &str,
    places: impl Iterator<Item = u64>,
) -> (String, Vec<Param>) {
    let places = places.map(|place| format!("({},{})", place >> 16, place & 0xffff));
    let place = quoted(Dialect::Postgres, PLACE);
    let condition = format!("{place} = ANY(CAST($1 AS tid[]))");
    let query = select_where_only(
        definition,
        Dialect::Postgres,
        sql,
        Pick::Versions,
        &condition,
    );
    (query, vec![Param::Texts(places.collect())])
}

/// ` ORDER BY ...`, or nothing.
fn order(definition: &Definition, dialect: Dialect, pick: Pick<'_>) -> String {
    let mut terms = Vec::new();
    if definition.spec.value == Shape::List {
        for column in definition.spec.key.columns() {
            if dialect == Dialect::Postgres {
                // The column itself comes first for its index's sake; bytes tell equals apart.
                terms.push(quoted(dialect, column));
            }
            terms.push(bytewise(dialect, column));
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

/// A key's column by its bytes: under a collation that takes 'a' for 'A' two keys would be one.
fn bytewise(dialect: Dialect, column: &str) -> String {
    let column = quoted(dialect, column);
    match dialect {
        Dialect::Mysql => format!("CAST({column} AS BINARY)"),
        Dialect::Sqlite => format!("{column} COLLATE BINARY"),
        Dialect::Postgres => format!("CAST({column} AS text) COLLATE \"C\""),
    }
}
