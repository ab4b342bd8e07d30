//! Values that an operator gives to definitions, and the queries that they are bound in.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A value that a query is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(untagged)]
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

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyParameter)
    }
}

struct AnyParameter;

impl Visitor<'_> for AnyParameter {
    type Value = Parameter;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a whole number, or true or false")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Parameter, E> {
        Ok(Parameter::Text(text.to_owned()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Parameter, E> {
        Ok(Parameter::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Parameter, E> {
        let number = i64::try_from(number).map_err(|_| E::custom(format!("{number} is too large")));
        number.map(Parameter::Int)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Parameter, E> {
        Ok(Parameter::Bool(truth))
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
    pub text: String,
    /// The names of its parameters, in the order in which they are bound.
    pub names: Vec<String>,
}

impl Statement {
    /// A query without parameters.
    pub fn plain(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            names: Vec::new(),
        }
    }

    /// What its parameters are bound to.
    pub fn bound(&self, vars: &Vars) -> Vec<Parameter> {
        let values = self.names.iter().filter_map(|name| vars.get(name));
        values.cloned().collect()
    }
}
