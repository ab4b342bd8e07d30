//! The queries that the engine makes of a definition's SQL.
//!
//! The definition says which rows exist; these say which of them, and in what order. When keys are
//! asked for, the definition's text has no LIMIT, so that every database can push the condition down
//! to an index.

use crate::application::ports::Dialect;
use crate::domain::changes::{Since, TrackedTable};
use crate::domain::row::Column;
use crate::domain::strategy::{Definition, VERSION};

/// What of each row is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pick<'a> {
    /// Whatever columns the definition selects; only to learn which they are.
    All,
    /// The columns that it was found to select, by name: a migration in the middle of a run may add
    /// others or change their order.
    Columns(&'a [Column]),
    /// The columns that the key's template names; there must be one.
    Keys,
    /// Those, and what tells the version.
    Versions,
}

/// A definition's text for a database, which queries are made of.
#[derive(Clone, Copy)]
pub(super) struct Composer<'a> {
    pub(super) definition: &'a Definition,
    pub(super) dialect: Dialect,
    pub(super) sql: &'a str,
}

impl Composer<'_> {
    /// The whole selection.
    pub(super) fn all(&self, pick: Pick<'_>, limit: Option<u64>) -> String {
        self.filtered(pick, "", limit)
    }

    /// What is left of the selection: the rows that meet a condition.
    pub(super) fn rest(&self, pick: Pick<'_>, condition: &str, limit: Option<u64>) -> String {
        self.filtered(pick, &format!(" WHERE {condition}"), limit)
    }

    fn filtered(&self, pick: Pick<'_>, condition: &str, limit: Option<u64>) -> String {
        let (columns, order, limit) = (self.picked(pick), self.order(pick), limited(limit));
        let sql = self.sql;
        format!("SELECT {columns} FROM (\n{sql}\n) q{condition}{order}{limit}")
    }

    /// The rows that meet a condition, as the primary has them; in an order only where it means
    /// something.
    pub(super) fn matching(&self, pick: Pick<'_>, condition: &str) -> String {
        let (picked, sql) = (self.picked(pick), self.sql);
        let condition = self.dialect.at_the_primary(condition);
        let order = match self.definition.spec.value {
            value if value.groups_rows() => self.order(pick),
            _ => String::new(),
        };
        format!("SELECT {picked} FROM (\n{sql}\n) q WHERE {condition}{order}")
    }

    /// The number of keys of the selection.
    pub(super) fn count_keys(&self, limit: Option<u64>) -> String {
        let keys = self.definition.spec.key.columns();
        let (what, limit) = match (self.definition.spec.value, keys.as_slice()) {
            (value, []) if value.groups_rows() => ("1".to_owned(), Some(1)),
            (value, keys) if value.groups_rows() => {
                let columns = keys
                    .iter()
                    .map(|key| self.dialect.bytewise(&self.quoted(key)));
                let columns = columns.collect::<Vec<_>>().join(", ");
                (format!("DISTINCT {columns}"), limit)
            }
            _ => ("1".to_owned(), limit),
        };
        let (sql, limit) = (self.sql, limited(limit));
        format!("SELECT count(*) AS n FROM (SELECT {what} FROM (\n{sql}\n) q{limit}) c")
    }

    /// The number of rows with a key that have not changed since a moment. `None`: `changed_at` is of a
    /// type that tells no moment.
    pub(super) fn count_unchanged(&self, changed_at: &Column, since: Since) -> Option<String> {
        let changed = self.changed(changed_at, since)?;
        let keys = self.definition.spec.key.columns().into_iter();
        let keys = keys.map(|key| format!(" AND {} IS NOT NULL", self.quoted(key)));
        let (sql, keys) = (self.sql, keys.collect::<String>());
        Some(format!(
            "SELECT count(*) AS n FROM (\n{sql}\n) q WHERE {changed} = 0{keys}"
        ))
    }

    /// The keys of the selection, each with whether it has changed since a moment.
    pub(super) fn key_changes(&self, changed_at: &Column, since: Since) -> Option<String> {
        let changed = self.changed(changed_at, since)?;
        let (keys, order) = (self.picked(Pick::Keys), self.order(Pick::Keys));
        let (sql, limit) = (self.sql, limited(self.definition.limit));
        Some(format!(
            "SELECT {keys}, {changed} AS is_changed FROM (\n{sql}\n) q{order}{limit}"
        ))
    }

    /// 1, or 0 of a row that has not changed since a moment.
    fn changed(&self, changed_at: &Column, since: Since) -> Option<String> {
        let column = self.quoted(&changed_at.name);
        let changed = self
            .dialect
            .changed_since(&column, &changed_at.declared, since)?;
        Some(format!("CASE WHEN {changed} THEN 1 ELSE 0 END"))
    }

    /// The keys of all rows of a table that have changed since a moment, in the selection or not.
    pub(super) fn changed_rows(
        &self,
        table: &TrackedTable,
        changed_at: &Column,
        since: Since,
    ) -> Option<String> {
        let column = self.quoted(&table.changed_at);
        let changed = self
            .dialect
            .changed_since(&column, &changed_at.declared, since)?;
        let keys = table.key.iter().zip(self.definition.spec.key.columns());
        let keys = keys.map(|(column, name)| {
            format!("{} AS {}", self.quoted(column), self.dialect.quote(name))
        });
        let keys = keys.collect::<Vec<_>>().join(", ");
        let name = &table.table.name;
        Some(format!(
            "SELECT {keys}, 1 AS is_changed FROM {name} q WHERE {changed}"
        ))
    }

    /// The versions of some rows, whichever come first.
    pub(super) fn versions(&self, limit: u64) -> String {
        let (picked, sql) = (self.picked(Pick::Versions), self.sql);
        format!("SELECT {picked} FROM (\n{sql}\n) q LIMIT {limit}")
    }

    fn picked(&self, pick: Pick<'_>) -> String {
        let names: Vec<&str> = match pick {
            Pick::All => return "*".to_owned(),
            Pick::Columns(columns) => columns.iter().map(|column| column.name.as_str()).collect(),
            Pick::Keys => self.definition.spec.key.columns(),
            Pick::Versions => version_columns(self.definition),
        };
        let columns = names.iter().map(|column| self.quoted(column));
        columns.collect::<Vec<_>>().join(", ")
    }

    /// ` ORDER BY ...`, or nothing.
    fn order(&self, pick: Pick<'_>) -> String {
        let mut terms = Vec::new();
        let groups_rows = self.definition.spec.value.groups_rows();
        if groups_rows {
            for column in self.definition.spec.key.columns() {
                terms.extend(self.dialect.key_order(&self.quoted(column)));
            }
        }
        // The rows of one key are all the same where only keys are read.
        if pick != Pick::Keys || !groups_rows {
            terms.extend(self.definition.order_by.clone());
        }
        match terms.is_empty() {
            true => String::new(),
            false => format!(" ORDER BY {}", terms.join(", ")),
        }
    }

    fn quoted(&self, column: &str) -> String {
        quoted(self.dialect, column)
    }
}

fn limited(limit: Option<u64>) -> String {
    limit.map_or_else(String::new, |limit| format!(" LIMIT {limit}"))
}

/// A column of the definition's query.
pub(super) fn quoted(dialect: Dialect, column: &str) -> String {
    format!("q.{}", dialect.quote(column))
}

/// The columns that tell an entry's version: those of its key, and that one.
pub(super) fn version_columns(definition: &Definition) -> Vec<&str> {
    let mut names = definition.spec.key.columns();
    if !names.contains(&VERSION) {
        names.push(VERSION);
    }
    names
}
