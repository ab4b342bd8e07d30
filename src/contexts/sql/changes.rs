//! Finds out from a definition's SQL how to track its changes.
//!
//! A run that reads only changes must find every key that a full run would find changed, added or
//! removed. If the SQL does not show that this is possible, the strategy is read in full, which is
//! always right. Only the text is known: not what views, triggers or stored functions do. `_changed_at`
//! is trusted.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, GroupByExpr, Ident, Query, Select, SetExpr, TableFactor,
    WildcardAdditionalOptions,
};

use super::key_rows::key_rows;
use super::parse::{lists, stored_name, with_query};
use super::purity::{PURE_FUNCTIONS, Why, arguments, check_pure, may_be_text, varies};
use super::scope::{self, Column, called_function, inner};
use crate::application::ports::grammar::Grammar;
use crate::domain::changes::{TrackedTable, Tracking};
use crate::domain::key_rows::TableName;
use crate::domain::strategy::CHANGED_AT;

/// How to detect changes in the result of a checked query. `keys`: the columns of the key's
/// template.
pub fn tracking(sql: &str, grammar: &'static Grammar, keys: &[&str]) -> Tracking {
    let read = with_query(sql, grammar, |query| {
        Ok(of_query(query, grammar, keys).unwrap_or_else(|why| Tracking::None(why.into())))
    });
    read.unwrap_or_else(|refused| Tracking::None(refused.to_string()))
}

fn of_query(query: &Query, grammar: &'static Grammar, keys: &[&str]) -> Result<Tracking, Why> {
    let select = plain_select(query)?;
    let reading = Reading { grammar, select, tables: tables(select, grammar)? };
    let changed_at = reading.column(CHANGED_AT).ok_or("it does not select `_changed_at`")?;
    for column in scope::columns(select) {
        match column {
            Column::One(expr, _) => check_pure(expr, grammar, PURE_FUNCTIONS)?,
            Column::All(_, options) => check_wildcard(options)?,
            Column::Other => return Err("it has a column of an unknown kind"),
        }
    }
    let named: Vec<_> = keys.iter().map(|key| (*key, reading.column(key))).collect();
    let tables = reading.tables.iter();
    let tables = tables.map(|table| (table.name.clone(), table.alias.clone()));
    let rows = key_rows(grammar, select, tables.collect(), &named);
    match reading.tables.as_slice() {
        [table] => Ok(match reading.rows(table, changed_at, keys) {
            Ok(table) => Tracking::Rows(table, rows),
            Err(_) => Tracking::Keys(rows),
        }),
        _ => {
            reading.check_joins(changed_at)?;
            Ok(Tracking::Keys(rows))
        }
    }
}

/// The only SELECT of a query, if each of its rows comes from one row of each table.
pub(super) fn plain_select(query: &Query) -> Result<&Select, Why> {
    if query.with.is_some() {
        return Err("it has a WITH");
    }
    let select = match &*query.body {
        SetExpr::Select(select) => select,
        SetExpr::Query(inner) => return plain_select(inner),
        _ => return Err("it is not one plain SELECT"),
    };
    let groups = match &select.group_by {
        GroupByExpr::Expressions(by, _) => !by.is_empty(),
        GroupByExpr::All(_) => true,
    };
    if groups || select.having.is_some() || select.distinct.is_some() {
        return Err("it combines several rows into one (GROUP BY, HAVING or DISTINCT)");
    }
    if select.qualify.is_some() || !select.lateral_views.is_empty() {
        return Err("it is not one plain SELECT");
    }
    Ok(select)
}

/// A table in FROM.
pub(super) struct Table {
    pub(super) name: TableName,
    /// The alias or name that qualifies its columns.
    pub(super) alias: String,
    /// Whether it has no hints, partitions or renamed columns.
    pub(super) is_plain: bool,
}

/// The joined tables, or why this FROM is not a plain join of tables.
fn tables(select: &Select, grammar: &'static Grammar) -> Result<Vec<Table>, Why> {
    let mut tables = Vec::new();
    for (factor, join) in scope::from(select) {
        if join.is_some_and(|join| inner(join).is_none()) {
            return Err("it has an outer join: deleting a row of that table changes the value");
        }
        tables.push(table(factor, grammar)?);
    }
    if tables.is_empty() { Err("it reads no table") } else { Ok(tables) }
}

pub(super) fn table(factor: &TableFactor, grammar: &'static Grammar) -> Result<Table, Why> {
    let none = "it reads something other than tables (a subquery or a function in FROM)";
    let TableFactor::Table {
        name,
        alias,
        args: None,
        with_hints,
        version: None,
        with_ordinality: false,
        partitions,
        json_path: None,
        sample,
        index_hints,
    } = factor
    else {
        return Err(none);
    };
    if sample.is_some() {
        return Err("it samples its table");
    }
    let (names, called) = (scope::table(factor), scope::called(factor));
    let renames = alias.as_ref().is_some_and(|a| !a.columns.is_empty());
    let stored = |name: &&Ident| stored_name(name, grammar);
    let is_plain =
        with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() && !renames;
    Ok(Table {
        name: TableName {
            name: name.to_string(),
            parts: names.ok_or(none)?.iter().map(stored).collect(),
        },
        alias: stored(&called.ok_or(none)?),
        is_plain,
    })
}

/// A plain SELECT being read.
struct Reading<'a> {
    grammar: &'static Grammar,
    select: &'a Select,
    tables: Vec<Table>,
}

impl<'a> Reading<'a> {
    /// The expression behind a result column, if the SQL names it.
    fn column(&self, name: &str) -> Option<&'a Expr> {
        scope::columns(self.select).find_map(|column| match column {
            Column::One(expr, Some(alias)) => {
                (stored_name(alias, self.grammar) == name).then_some(expr)
            }
            Column::One(expr, None) => (self.plain(expr)? == name).then_some(expr),
            _ => None,
        })
    }

    /// The stored name of a column, if the expression is only that column.
    fn plain(&self, expr: &Expr) -> Option<String> {
        let column = scope::plain(expr)?;
        let stored = stored_name(column, self.grammar);
        (!may_be_text(column, self.grammar) && !varies(column)).then_some(stored)
    }

    /// The table's columns, if its changed rows are enough to find all changes.
    fn rows(&self, table: &Table, changed_at: &Expr, keys: &[&str]) -> Result<TrackedTable, Why> {
        if !table.is_plain {
            return Err("its table in FROM has hints, partitions or renamed columns");
        }
        check_pure(&self.select.selection, self.grammar, "").map_err(
            |_| "its WHERE has a function, a subquery, or a word that depends on the time",
        )?;
        let changed_at = self.plain(changed_at).ok_or("_changed_at is not a plain column")?;
        let mut columns = scope::columns(self.select);
        let has_wildcard = columns.any(|column| matches!(column, Column::All(..)));
        let column = |name: &&str| match self.column(name) {
            Some(expr) => self.plain(expr),
            None => has_wildcard.then(|| (*name).to_owned()),
        };
        let key: Option<Vec<String>> = keys.iter().map(column).collect();
        Ok(TrackedTable {
            table: table.name.clone(),
            key: key.ok_or("a column of its key is not a plain column of the table")?,
            changed_at,
        })
    }

    /// Whether `_changed_at` covers changes in every joined table, and the join pairs the same rows
    /// as long as none of them changes.
    fn check_joins(&self, changed_at: &Expr) -> Result<(), Why> {
        let varies = "its join depends on something other than the rows of the tables";
        check_pure(&self.select.selection, self.grammar, PURE_FUNCTIONS).map_err(|_| varies)?;
        check_pure(&self.select.from, self.grammar, PURE_FUNCTIONS).map_err(|_| varies)?;
        let covered = self.latest_of(changed_at).unwrap_or_default();
        let is_covered = |table: &Table| covered.contains(&table.alias);
        match self.tables.iter().all(is_covered) {
            true => Ok(()),
            false => {
                Err("it joins tables, and its _changed_at is not the latest time of all of them \
                 (GREATEST(a.updated_at, b.updated_at), in SQLite max(...))")
            }
        }
    }

    /// The tables of the columns in a call of GREATEST.
    fn latest_of(&self, expr: &Expr) -> Option<Vec<String>> {
        let Expr::Function(function) = expr else {
            return None;
        };
        if !lists(self.grammar.latest, &called_function(function)) {
            return None;
        }
        let alias = |argument: &FunctionArg| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::CompoundIdentifier(parts)))
                if parts.len() == 2 =>
            {
                Some(stored_name(&parts[0], self.grammar))
            }
            _ => None,
        };
        arguments(function)?.iter().map(alias).collect()
    }
}

pub(super) fn check_wildcard(options: &WildcardAdditionalOptions) -> Result<(), Why> {
    let is_plain = options.opt_ilike.is_none()
        && options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
        && options.opt_alias.is_none();
    if is_plain { Ok(()) } else { Err("it has a * with exceptions") }
}

#[cfg(test)]
mod tests;
