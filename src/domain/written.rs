//! Where the operator wrote what: faults are told there, never in a query that we compose.

use std::collections::BTreeMap;

use super::failure::{Failure, FailureKind};
use super::place::Place;

/// Takes the place of a file name for shipped definitions.
pub const SHIPPED: &str = "shipped";

/// Where a file holds the value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub file: String,
    /// Where the value's text begins.
    pub start: Place,
    /// The text stands there without escapes, so that its lines are the file's.
    pub verbatim: bool,
}

impl Written {
    /// `mine.toml, line 12`, or where in the value's text.
    pub fn at(&self, within: Option<Place>) -> String {
        let Self { file, start, .. } = self;
        match within.filter(|_| self.verbatim) {
            None => format!("{file}, line {}", start.line),
            Some(Place { line: 1, column }) => {
                let column = start.column + column - 1;
                format!("{file}, line {}, column {column}", start.line)
            }
            Some(Place { line, column }) => {
                format!("{file}, line {}, column {column}", start.line + line - 1)
            }
        }
    }
}

/// What is wrong with a definition: the field, the words, and the place in the field's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub field: String,
    pub why: String,
    pub within: Option<Place>,
}

impl Wrong {
    pub fn new(field: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self { field: field.into(), why: why.to_string(), within: None }
    }

    pub fn missing(field: &'static str) -> Self {
        Self::new(field, "missing; every strategy needs one")
    }

    /// A name that the query has no column of.
    pub fn no_column(field: &'static str, name: &str, columns: &[&str]) -> Self {
        let columns = columns.join(", ");
        Self::new(field, format!("the query does not return {name} (it returns {columns})"))
    }

    /// A `text` value of several columns.
    pub fn several_texts(columns: usize) -> Self {
        Self::new(
            "value",
            format!(
                "a `text` value has one stored column, the query returns {columns}; name the \
                 others with a leading `_`"
            ),
        )
    }

    #[must_use]
    pub fn within(self, within: Option<Place>) -> Self {
        Self { within, ..self }
    }
}

/// Where each field of a strategy is written; the strategy itself by an empty name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub BTreeMap<String, Written>);

impl Fields {
    /// A field; of one that is not given, the strategy.
    pub fn get(&self, field: &str) -> Option<&Written> {
        let plain = field.split_once('.').map_or(field, |(name, _)| name);
        [field, plain, ""].iter().find_map(|name| self.0.get(*name))
    }

    /// Whether a field comes from a shipped definition.
    pub fn is_shipped(&self, field: &str) -> bool {
        self.get(field).is_some_and(|written| written.file == SHIPPED)
    }

    /// The failure of a strategy that cannot run.
    pub fn fault(&self, id: &str, wrong: &Wrong) -> Failure {
        let Wrong { field, why, within } = wrong;
        let at = self.get(field).map(|written| written.at(*within) + ": ");
        let why = format!("{}{}: {why}", at.unwrap_or_default(), self.name(field));
        Failure::new(FailureKind::Config, id, why)
    }

    /// The name of a field as the operator wrote it: `sql.any` may be just `sql`.
    fn name<'f>(&self, field: &'f str) -> &'f str {
        let is_written = |name: &str| self.0.contains_key(name);
        let plain = field.strip_suffix(".any").filter(|plain| is_written(plain));
        plain.filter(|_| !is_written(field)).unwrap_or(field)
    }
}
