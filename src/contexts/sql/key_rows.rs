//! Finds out from a SELECT which rows belong to each of its keys.

use sqlparser::ast::{BinaryOperator, Expr, Ident, JoinConstraint, ObjectName, Select, Value};

use super::parse::{identifiers, stored_name};
use super::purity::{is_varying_text, may_be_text};
use super::scope::{self, Column, inner, left};
use crate::application::ports::grammar::Grammar;
use crate::domain::key_rows::{ColumnOf, KeyRows, TableName};

/// What is known about the rows of a key. `tables`: the tables of the SELECT with their aliases;
/// `keys`: the key's columns, each with its expression if the SQL shows it.
pub(super) fn key_rows(
    grammar: &'static Grammar,
    select: &Select,
    tables: Vec<(TableName, String)>,
    keys: &[(&str, Option<&Expr>)],
) -> KeyRows {
    let (names, aliases) = tables.into_iter().unzip();
    let mut reading = Reading {
        grammar,
        aliases,
        rows: KeyRows { tables: names, fixed: Vec::new(), numbers: Vec::new(), equal: Vec::new() },
    };
    for (name, expr) in keys {
        let column = match expr {
            Some(expr) => reading.column(expr),
            None => reading.of_wildcard(select, name),
        };
        reading.rows.fixed.extend(column);
    }
    if let Some(selection) = &select.selection {
        reading.condition(selection);
    }
    for (table, (_, join)) in scope::from(select).enumerate() {
        match join.and_then(|join| inner(join).or(left(join))) {
            Some(JoinConstraint::On(condition)) => reading.condition(condition),
            Some(JoinConstraint::Using(columns)) => reading.using(table, columns),
            _ => {}
        }
    }
    reading.rows
}

struct Reading {
    grammar: &'static Grammar,
    aliases: Vec<String>,
    rows: KeyRows,
}

impl Reading {
    /// A column's name in a normal form.
    fn named(&self, name: &str) -> String {
        if self.grammar.is_case_sensitive { name.to_owned() } else { name.to_ascii_lowercase() }
    }

    /// The table column, if the expression is only that.
    fn column(&self, expr: &Expr) -> Option<ColumnOf> {
        let (table, column) = match expr {
            Expr::Nested(inner) => return self.column(inner),
            Expr::Identifier(column) => ((self.aliases.len() == 1).then_some(0)?, column),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] => (self.table(table)?, column),
                _ => return None,
            },
            _ => return None,
        };
        let name = stored_name(column, self.grammar);
        (!may_be_text(column, self.grammar)).then(|| (table, self.named(&name)))
    }

    fn table(&self, alias: &Ident) -> Option<usize> {
        let alias = stored_name(alias, self.grammar);
        self.aliases.iter().position(|known| *known == alias)
    }

    /// A column that no item of the SELECT names, if a single `*` must be its source.
    fn of_wildcard(&self, select: &Select, name: &str) -> Option<ColumnOf> {
        let mut wildcards = scope::columns(select).filter_map(|column| match column {
            Column::All(None, _) => Some((self.aliases.len() == 1).then_some(0)),
            Column::All(Some(table), _) => Some(match identifiers(table)?.as_slice() {
                [table] => self.table(table),
                _ => None,
            }),
            _ => None,
        });
        let only = wildcards.next()??;
        wildcards.next().is_none().then(|| (only, self.named(name)))
    }

    /// Collects what a condition guarantees for every row.
    fn condition(&mut self, expr: &Expr) {
        match expr {
            Expr::Nested(inner) => self.condition(inner),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                self.condition(left);
                self.condition(right);
            }
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                match (self.column(left), self.column(right)) {
                    (Some(left), Some(right)) => self.rows.equal.push((left, right)),
                    (Some(column), None) => self.constant(column, right),
                    (None, Some(column)) => self.constant(column, left),
                    (None, None) => {}
                }
            }
            _ => {}
        }
    }

    /// Records that a column equals an expression, if that is a constant.
    fn constant(&mut self, column: ColumnOf, expr: &Expr) {
        let Expr::Value(value) = expr else { return };
        match &value.value {
            Value::Number(..) | Value::Boolean(_) => self.rows.numbers.push(column),
            Value::SingleQuotedString(text) if !is_varying_text(text) => {
                self.rows.fixed.push(column);
            }
            _ => {}
        }
    }

    /// `USING (a, b)`: columns with these names, in this table and in the tables before it.
    fn using(&mut self, table: usize, columns: &[ObjectName]) {
        for column in columns {
            let names = identifiers(column).unwrap_or_default();
            let [column] = names.as_slice() else {
                continue;
            };
            let name = self.named(&stored_name(column, self.grammar));
            for before in 0..table {
                let pair = ((before, name.clone()), (table, name.clone()));
                self.rows.equal.push(pair);
            }
        }
    }
}
