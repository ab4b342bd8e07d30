//! The queries that the engine makes of a definition's SQL.
//!
//! The definition says which rows exist; these say which of them, and in what order. When keys are
//! asked for, the definition's text has no LIMIT, so that every database can push the condition down
//! to an index.

use crate::application::ports::Dialect;
use crate::domain::changes::{Since, TrackedTable};
use crate::domain::order_by::OrderTerm;
use crate::domain::place::Spot;
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
    /// The WITH that the text begins with, or nothing.
    pub(super) with: &'a str,
    /// The rest.
    pub(super) sql: &'a str,
    /// Its columns, once they are known.
    pub(super) columns: &'a [Column],
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
        let (order, limit) = (self.order(pick), limited(limit));
        let rest = format!("{condition}{order}{limit}");
        self.select(&self.picked(pick), &rest)
    }

    /// A query of the definition's rows. Its WITH is in front: inside of a subquery it would keep the
    /// database from using an index for an order and a limit.
    fn select(&self, what: &str, rest: &str) -> String {
        let Self { with, sql, .. } = self;
        format!("{with}SELECT {what} FROM (\n{sql}\n) q{rest}")
    }

    /// All columns of all rows, in no order: to learn which columns there are.
    pub(super) fn description(&self) -> String {
        self.select("*", "")
    }

    /// The byte of the definition's text at which a spot in one of these queries is.
    pub(super) fn byte(&self, query: &str, spot: &Spot) -> Option<usize> {
        if let Spot::Word(_) = spot {
            return spot.byte(&format!("{}{}", self.with, self.sql));
        }
        let byte = spot.byte(query)?;
        let inside = format!("(\n{}\n)", self.sql);
        let start = query[self.with.len()..].find(&inside)? + self.with.len() + "(\n".len();
        let byte = match byte {
            byte if byte < self.with.len() => byte,
            byte => self.with.len() + byte.checked_sub(start)?,
        };
        (byte <= self.with.len() + self.sql.len()).then_some(byte)
    }

    /// The rows that meet a condition, as the primary has them; in an order only where it means
    /// something.
    pub(super) fn matching(&self, pick: Pick<'_>, condition: &str) -> String {
        let condition = self.dialect.at_the_primary(condition);
        let order = match self.definition.spec.value {
            value if value.groups_rows() => self.order(pick),
            _ => String::new(),
        };
        self.select(&self.picked(pick), &format!(" WHERE {condition}{order}"))
    }

    /// A number that an expression makes of the rows that meet a condition.
    pub(super) fn counted(&self, what: &str, condition: &str) -> String {
        let condition = self.dialect.at_the_primary(condition);
        self.select(&format!("{what} AS n"), &format!(" WHERE {condition}"))
    }

    /// The number of keys of the selection.
    pub(super) fn count_keys(&self, limit: Option<u64>) -> String {
        let keys = self.definition.spec.key.columns();
        let (what, limit) = match (self.definition.spec.value, keys.as_slice()) {
            (value, []) if value.groups_rows() => ("1".to_owned(), Some(1)),
            (value, keys) if value.groups_rows() => {
                let columns = keys.iter().map(|key| self.dialect.bytewise(&self.quoted(key)));
                let columns = columns.collect::<Vec<_>>().join(", ");
                (format!("DISTINCT {columns}"), limit)
            }
            _ => ("1".to_owned(), limit),
        };
        let (with, sql, limit) = (self.with, self.sql, limited(limit));
        format!("{with}SELECT count(*) AS n FROM (SELECT {what} FROM (\n{sql}\n) q{limit}) c")
    }

    /// The number of rows with a key that have not changed since a moment. `None`: `changed_at` is of a
    /// type that tells no moment.
    pub(super) fn count_unchanged(&self, changed_at: &Column, since: Since) -> Option<String> {
        let changed = self.changed(changed_at, since)?;
        let keys = self.definition.spec.key.columns().into_iter();
        let keys = keys.map(|key| format!(" AND {} IS NOT NULL", self.quoted(key)));
        let keys = keys.collect::<String>();
        Some(self.select("count(*) AS n", &format!(" WHERE {changed} = 0{keys}")))
    }

    /// The keys of the selection, each with whether it has changed since a moment.
    pub(super) fn key_changes(&self, changed_at: &Column, since: Since) -> Option<String> {
        let changed = self.changed(changed_at, since)?;
        let keys = self.picked(Pick::Keys);
        if self.definition.spec.value.groups_rows() {
            // It has changed where one of its rows has.
            let names = self.definition.spec.key.columns().into_iter();
            let terms = names.flat_map(|name| {
                let column = self.quoted(name);
                [self.dialect.bytewise(&column), column]
            });
            let terms = terms.collect::<Vec<_>>().join(", ");
            let what = format!("{keys}, max({changed}) AS is_changed");
            return Some(self.select(&what, &format!(" GROUP BY {terms}")));
        }
        let (order, limit) = (self.order(Pick::Keys), limited(self.definition.limit));
        let what = format!("{keys}, {changed} AS is_changed");
        Some(self.select(&what, &format!("{order}{limit}")))
    }

    /// 1, or 0 of a row that has not changed since a moment.
    fn changed(&self, changed_at: &Column, since: Since) -> Option<String> {
        let column = self.quoted(&changed_at.name);
        let changed = self.dialect.changed_since(&column, &changed_at.declared, since)?;
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
        let changed = self.dialect.changed_since(&column, &changed_at.declared, since)?;
        let keys = table.key.iter().zip(self.definition.spec.key.columns());
        let keys = keys.map(|(column, name)| {
            format!("{} AS {}", self.quoted(column), self.dialect.quote(name))
        });
        let keys = keys.collect::<Vec<_>>().join(", ");
        let name = &table.table.name;
        Some(format!("SELECT {keys}, 1 AS is_changed FROM {name} q WHERE {changed}"))
    }

    /// The versions of some rows, whichever come first.
    pub(super) fn versions(&self, limit: u64) -> String {
        self.select(&self.picked(Pick::Versions), &format!(" LIMIT {limit}"))
    }

    fn picked(&self, pick: Pick<'_>) -> String {
        let names: Vec<&str> = match pick {
            Pick::All => return "*".to_owned(),
            Pick::Columns(columns) => columns.iter().map(|column| column.name.as_str()).collect(),
            Pick::Keys => self.definition.spec.key.columns(),
            Pick::Versions => version_columns(self.definition),
        };
        let columns = names.iter().map(|column| self.read(column));
        columns.collect::<Vec<_>>().join(", ")
    }

    /// A column as it is read.
    fn read(&self, name: &str) -> String {
        let quoted = self.quoted(name);
        let column = self.columns.iter().find(|column| column.name == name);
        let read = column.and_then(|column| self.dialect.read(&quoted, &column.declared));
        match read {
            Some(read) => format!("{read} AS {}", self.dialect.quote(name)),
            None => quoted,
        }
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
            let order_by = self.definition.order_by.0.iter();
            terms.extend(order_by.flat_map(|term| self.sorted(term)));
        }
        match terms.is_empty() {
            true => String::new(),
            false => format!(" ORDER BY {}", terms.join(", ")),
        }
    }

    /// A column and how rows sort by it, where the database cannot say it by an expression more.
    fn sorted(&self, term: &OrderTerm) -> Vec<String> {
        let column = self.quoted(&term.column);
        let direction = if term.descending { " DESC" } else { "" };
        let sorted = format!("{column}{direction}");
        let usual = term.descending == self.dialect.nulls_are_greatest();
        match term.nulls_first {
            Some(first) if self.dialect.grammar().sorts_nulls => {
                let place = if first { "FIRST" } else { "LAST" };
                vec![format!("{sorted} NULLS {place}")]
            }
            Some(first) if first != usual => {
                let not = if first { "NOT " } else { "" };
                vec![format!("{column} IS {not}NULL"), sorted]
            }
            _ => vec![sorted],
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
