//! Values that an operator gives to definitions, and the queries that they are bound in.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::place::Place;

/// A value that a query is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a string, an integer, or true or false")]
pub enum Parameter {
    Text(String),
    Int(i64),
    Bool(bool),
}

/// Values by name.
pub type Vars = BTreeMap<String, Parameter>;

impl Parameter {
    /// The value of a text, of the same type as one that it takes the place of, if it can be.
    #[must_use]
    pub fn like(self, base: &Self) -> Self {
        match (&self, base) {
            (Self::Text(text), Self::Int(_)) => text.parse().map_or(self, Self::Int),
            (Self::Text(text), Self::Bool(_)) => text.parse().map_or(self, Self::Bool),
            _ => self,
        }
    }

    pub fn is_like(&self, base: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(base)
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Int(number) => number.fmt(f),
            Self::Bool(truth) => truth.fmt(f),
        }
    }
}

/// What a parameter of `for` stands for, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Each {
    Values(Vec<Parameter>),
    /// A query over one column, on the database that it was checked for.
    Query(Statement),
}

/// Names of parameters: letters, digits and `_`, not first a digit.
pub fn is_parameter_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A query with a database's own placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// As the operator wrote it.
    pub written: String,
    /// With the values of variables in its names.
    pub named: Filled,
    pub sql: Filled,
    /// The names of its parameters, in the order in which they are bound.
    pub names: Vec<String>,
}

impl Statement {
    /// A query without parameters.
    pub fn plain(text: &str) -> Self {
        Self {
            written: text.to_owned(),
            named: Filled::of(text),
            sql: Filled::of(text),
            names: Vec::new(),
        }
    }

    /// Where in the written query a byte of its text is.
    pub fn place(&self, byte: usize) -> Place {
        Place::of(&self.written, self.named.origin(self.sql.origin(byte)))
    }

    /// What its parameters are bound to.
    pub fn bound(&self, vars: &Vars) -> Vec<Parameter> {
        let values = self.names.iter().filter_map(|name| vars.get(name));
        values.cloned().collect()
    }
}

/// A text in which other words stand for some of those that were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    pub text: String,
    /// Where each of them is, and what is written there.
    words: Vec<(Range<usize>, Range<usize>)>,
    /// How much of what is written has been read.
    read: usize,
}

impl Filled {
    /// A text as it is written.
    pub fn of(text: &str) -> Self {
        let mut filled = Self::default();
        filled.keep(text);
        filled
    }

    pub fn keep(&mut self, written: &str) {
        self.text.push_str(written);
        self.read += written.len();
    }

    pub fn replace(&mut self, written: &str, word: &str) {
        let (start, read) = (self.text.len(), self.read);
        self.text.push_str(word);
        self.read += written.len();
        self.words.push((start..self.text.len(), read..self.read));
    }

    /// The byte of what is written that a byte of the text is from.
    pub fn origin(&self, byte: usize) -> usize {
        let mut before = self.words.iter().rev();
        match before.find(|(word, _)| word.start <= byte) {
            Some((word, written)) if word.contains(&byte) => written.start,
            Some((word, written)) => written.end + (byte - word.end),
            None => byte,
        }
    }
}
