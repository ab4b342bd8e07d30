//! Parameters of queries.

use crate::domain::parameter::Parameter;
use crate::domain::row::ColumnKind;

/// A parameter of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Param {
    Text(String),
    Int(i64),
    Bool(bool),
    /// Many in one, where the database knows arrays.
    Texts(Vec<String>),
    Ints(Vec<i64>),
}

impl From<Parameter> for Param {
    fn from(value: Parameter) -> Self {
        match value {
            Parameter::Text(text) => Self::Text(text),
            Parameter::Int(number) => Self::Int(number),
            Parameter::Bool(truth) => Self::Bool(truth),
        }
    }
}

/// A value as a parameter.
pub fn param(kind: &ColumnKind, value: &str) -> Param {
    match (kind, integer(value)) {
        (ColumnKind::Integer, Some(integer)) => Param::Int(integer),
        _ => Param::Text(value.to_owned()),
    }
}

/// A key's text as a number; databases without a boolean type store 1 and 0.
pub fn integer(value: &str) -> Option<i64> {
    match value {
        "true" => Some(1),
        "false" => Some(0),
        value => value.parse().ok(),
    }
}
