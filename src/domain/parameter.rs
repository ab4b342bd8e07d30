//! Values that an operator gives to definitions, and the queries that they are bound in.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::place::Place;

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
    /// As the operator wrote it.
    pub written: String,
    pub text: String,
    /// The names of its parameters, in the order in which they are bound.
    pub names: Vec<String>,
}

impl Statement {
    /// A query without parameters.
    pub fn plain(text: &str) -> Self {
        Self {
            written: text.to_owned(),
            text: text.to_owned(),
            names: Vec::new(),
        }
    }

    /// Where in the written query a place in its text is.
    pub fn place(&self, place: Place) -> Place {
        written_place(&self.written, &self.text, place)
    }

    /// What its parameters are bound to.
    pub fn bound(&self, vars: &Vars) -> Vec<Parameter> {
        let values = self.names.iter().filter_map(|name| vars.get(name));
        values.cloned().collect()
    }
}

/// Where in the written query a place is of the text in which some of its names have values.
pub fn written_place(written: &str, text: &str, place: Place) -> Place {
    let line = |text: &str| {
        let line = text.lines().nth(place.line.saturating_sub(1));
        line.unwrap_or_default().chars().collect::<Vec<char>>()
    };
    let (written, text) = (line(written), line(text));
    let wanted = place.column.saturating_sub(1);
    let (mut at, mut passed) = (0, 0);
    while passed < wanted && at < written.len() {
        if written[at..].first() == text[passed..].first() {
            (at, passed) = (at + 1, passed + 1);
            continue;
        }
        let end = at + name_length(&written[at..]);
        let behind = kept(&written[end..]);
        let rest = &text[passed..];
        let value = (0..=rest.len()).find(|length| rest[*length..].starts_with(behind));
        let value = value.unwrap_or(rest.len());
        if wanted < passed + value || end == at {
            break;
        }
        (at, passed) = (end, passed + value);
    }
    Place {
        column: at + 1,
        ..place
    }
}

/// The length of the `:name` or `{{name}}` that a text begins with.
fn name_length(text: &[char]) -> usize {
    let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
    match text {
        ['{', '{', rest @ ..] => {
            let end = rest.windows(2).position(|two| two == ['}', '}']);
            end.map_or(text.len(), |end| end + 4)
        }
        [':', rest @ ..] => 1 + rest.iter().take_while(|c| is_part(c)).count(),
        _ => 0,
    }
}

/// What a text begins with, up to the next name.
fn kept(text: &[char]) -> &[char] {
    let next = text.windows(2).position(|two| {
        matches!(two, ['{', '{']) || matches!(two, [':', c] if c.is_ascii_alphabetic() || *c == '_')
    });
    &text[..next.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_in_the_text_as_it_is_written() {
        let written = "SELECT ':x', :a,\n :abc, no FROM {{prefix}}t WHERE no = :a AND x";
        let text = "SELECT ':x', $1,\n $2, no FROM oc_t WHERE no = $1 AND x";
        let column = |line, wanted: &str, text: &str| {
            let line: &str = text.lines().nth(line - 1).expect("a line");
            line.find(wanted).expect(wanted) + 1
        };
        for (line, in_text, in_written) in [
            (1, "$1", ":a"),
            (2, "$2", ":abc"),
            (2, "no FROM", "no FROM"),
            (2, "oc_t", "{{prefix}}t"),
            (2, "no =", "no ="),
            (2, "$1", ":a AND"),
            (2, "x", "x"),
        ] {
            let place = Place {
                line,
                column: column(line, in_text, text),
            };
            let found = written_place(written, text, place);
            let expected = match in_text {
                "x" => written.lines().nth(1).map_or(0, str::len),
                _ => column(line, in_written, written),
            };
            let place = match in_text {
                "x" => Place {
                    line,
                    column: text.lines().nth(1).map_or(0, str::len),
                },
                _ => place,
            };
            let found = if in_text == "x" {
                written_place(written, text, place)
            } else {
                found
            };
            assert_eq!((found.line, found.column), (line, expected), "{in_text}");
        }
    }
}
