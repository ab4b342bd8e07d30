//! How queries are written for a database.

use std::fmt;
use std::path::PathBuf;

use super::grammar::Grammar;
use super::param::{Param, param};
use super::portions::PortionSql;
use crate::domain::changes::Since;
use crate::domain::encode::Hint;
use crate::domain::row::{Column, ColumnKind};

pub type Dialect = &'static dyn SqlDialect;

/// What sets one database's SQL apart. Where a column is passed as text it is quoted already.
pub trait SqlDialect: Send + Sync {
    /// How it reads definitions.
    fn grammar(&self) -> &'static Grammar;

    /// As in `sql.postgres`.
    fn name(&self) -> &'static str {
        self.grammar().name
    }

    /// Whether it is a file, without a server.
    fn is_file(&self) -> bool {
        false
    }

    fn quote(&self, name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    /// Whether a name without quotes is read in lower case.
    fn folds_names(&self) -> bool {
        false
    }

    /// What reads a column of this type as it is stored, where its name alone does not.
    fn read(&self, _column: &str, _declared: &str) -> Option<String> {
        None
    }

    /// Adds a value as a parameter for a column of this kind, and returns its expression.
    fn bind(&self, kind: &ColumnKind, value: &str, params: &mut Vec<Param>) -> String {
        params.push(param(kind, value));
        "?".to_owned()
    }

    /// A column by its bytes: under a collation that takes 'a' for 'A' two keys would be one.
    fn bytewise(&self, column: &str) -> String;

    /// The terms that bring the rows of each key together.
    fn key_order(&self, column: &str) -> Vec<String> {
        vec![self.bytewise(column)]
    }

    /// Whether NULL is greater than all else, or else less.
    fn nulls_are_greatest(&self) -> bool {
        false
    }

    /// A condition that only the primary may answer.
    fn at_the_primary(&self, condition: &str) -> String {
        condition.to_owned()
    }

    /// Whether a moment is at or after another; one that is not known is. Written so that an index
    /// on the column serves, and never too narrow: a row found in excess is read again, not
    /// missed. `None`: the column's type tells no moment.
    fn changed_since(&self, column: &str, declared: &str, since: Since) -> Option<String>;

    /// Whether a column holds values of any kind, whatever it is declared to be.
    fn stores_anything(&self) -> bool {
        false
    }

    /// Whether the database finds a column's value by the text that we make of it.
    fn finds_by_text(&self, column: &Column) -> bool;

    /// That a column is one of many values, in one parameter; `None`: each value takes its own.
    fn any_of(
        &self,
        _column: &Column,
        _values: &[&str],
        _params: &mut Vec<Param>,
    ) -> Option<String> {
        None
    }

    /// The expressions of which one equals the column where it has this text.
    fn alternatives(
        &self,
        column: &Column,
        _hint: Option<Hint>,
        value: &str,
        params: &mut Vec<Param>,
    ) -> Vec<String> {
        vec![self.bind(&column.kind, value, params)]
    }

    /// Whether a value of a column that is neither a number nor a text comes back from its JSON as
    /// the very same.
    fn is_exact(&self, column: &Column) -> bool;

    /// A value for a comparison with its column by order; `None`: it cannot be compared.
    fn compared(&self, column: &Column, value: &str, params: &mut Vec<Param>) -> Option<String> {
        Some(self.bind(&column.kind, value, params))
    }

    /// How to read a table in portions.
    fn portions(&self) -> &'static dyn PortionSql;

    /// Types of moments without a time zone.
    fn local_types(&self) -> &'static [&'static str] {
        &[]
    }

    /// What to compare such a moment with, in the server's own zone.
    fn in_zone(&self, zone: &str) -> String {
        zone.to_owned()
    }

    /// The type to CAST a value to as a text.
    fn text_type(&self) -> &'static str {
        "text"
    }

    /// Bytes as hexadecimal digits in lower case.
    fn hex(&self, column: &str) -> String {
        format!("lower(hex({column}))")
    }

    /// A date, or NULL where it is one of all zeros; `None`: there is no such date.
    fn without_zeros(&self, _column: &str) -> Option<String> {
        None
    }

    /// Grants without which the catalogue hides tables; `None`: it never does.
    fn grants(&self) -> Option<&'static str> {
        None
    }

    /// A JSON array with an object for each row of a group. `pairs`: names and values, as the
    /// function takes them; `order`: ` ORDER BY ...`, or nothing for a server that takes none here.
    fn json_list(&self, pairs: &str, order: &str) -> String {
        format!("json_group_array(json_object({pairs}){order})")
    }

    /// What changes whenever one of these columns of `q` does: a text of all, or its hash.
    fn row_hash(&self, columns: &str) -> String {
        format!("JSON_ARRAY({columns})")
    }

    /// Files that a driver takes passwords from, unless others may read them.
    fn password_files(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

impl PartialEq for dyn SqlDialect {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl fmt::Debug for dyn SqlDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
