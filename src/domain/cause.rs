//! Why keys failed: counted by cause, so that no frequent error hides a rare one.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::wording::keys;

/// More causes are counted as one.
const MOST: usize = 20;

const EXAMPLES: usize = 3;

/// Keys with the same error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Cause {
    /// The error, with `…` for values that differ from key to key.
    pub message: String,
    /// How many keys have it.
    pub keys: u64,
    /// The first of them.
    pub examples: Vec<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The keys were sent, and no answer came back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unconfirmed: bool,
}

/// Where a key failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In its row.
    Data,
    /// The cache refused it.
    Cache,
    /// On the way: it was sent, and no answer came back.
    Lost,
}

impl Cause {
    /// Whether it is the same fault, in other keys.
    pub fn is_like(&self, other: &Self) -> bool {
        self.message == other.message
            && self.hint == other.hint
            && self.unconfirmed == other.unconfirmed
    }

    pub fn is_denied(&self) -> bool {
        is_denied(&self.message)
    }

    /// Counts a key with an error; causes beyond the first ones are counted as one.
    pub fn count(causes: &mut Vec<Self>, origin: Origin, key: &str, error: &str) {
        let unconfirmed = origin == Origin::Lost;
        let known = |causes: &[Self], message: &str| {
            let is_it = |c: &Self| c.unconfirmed == unconfirmed && c.message == message;
            causes.iter().position(is_it)
        };
        let mut message = general(error);
        let mut at = known(causes, &message);
        if at.is_none() && causes.len() >= MOST {
            "other errors".clone_into(&mut message);
            at = known(causes, &message);
        }
        let at = at.unwrap_or_else(|| {
            causes.push(Self {
                hint: hint(origin, &message).map(str::to_owned),
                message,
                unconfirmed,
                ..Self::default()
            });
            causes.len() - 1
        });
        let cause = &mut causes[at];
        cause.keys += 1;
        if cause.examples.len() < EXAMPLES {
            cause.examples.push(key.to_owned());
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (keys, message) = (keys(self.keys), &self.message);
        match (self.unconfirmed, message.as_str()) {
            (false, _) => write!(f, "{keys} failed: {message}"),
            (true, "no answer") => write!(f, "{keys} unconfirmed: sent, no answer"),
            (true, _) => write!(f, "{keys} unconfirmed: sent, no answer ({message})"),
        }
    }
}

/// Whether an error of the cache says that its user may not do this.
pub fn is_denied(error: &str) -> bool {
    error.starts_with("NOPERM")
}

fn hint(origin: Origin, message: &str) -> Option<&'static str> {
    match origin {
        _ if is_denied(message) => {
            Some("the cache's user lacks permissions: `shopwarm doctor` names them")
        }
        Origin::Data => Some("fix these rows or the query; a retry will not help"),
        Origin::Cache => None,
        Origin::Lost => Some("they may be stored or not: warm them again"),
    }
}

/// An error without the values of its row: numbers, and what is in double quotes.
fn general(error: &str) -> String {
    let parts = error.split('"').enumerate().map(|(nth, part)| {
        let is_value = nth % 2 == 1;
        let starts_with_digit = |word: &str| {
            let word = word.trim_start_matches(['-', '+', '(']);
            word.starts_with(|c: char| c.is_ascii_digit())
        };
        let word = |word| if starts_with_digit(word) { "…" } else { word };
        match is_value {
            true => "…".to_owned(),
            false => part.split(' ').map(word).collect::<Vec<_>>().join(" "),
        }
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_differ_by_a_value_have_one_cause() {
        let mut causes = Vec::new();
        for n in 0..4956 {
            let error = format!("column `c2` cannot be a score: {n} has more digits");
            Cause::count(&mut causes, Origin::Data, &format!("row {n}"), &error);
            let error = format!("two rows have the name \"n-{n}\"");
            Cause::count(&mut causes, Origin::Data, &format!("k:{n}"), &error);
        }
        Cause::count(&mut causes, Origin::Cache, "k", "NOPERM may not");
        Cause::count(&mut causes, Origin::Lost, "k", "NOPERM may not");
        let seen: Vec<_> = causes.iter().map(|c| (c.message.as_str(), c.keys)).collect();
        let expected = [
            ("column `c2` cannot be a score: … has more digits", 4956),
            ("two rows have the name …", 4956),
            ("NOPERM may not", 1),
            ("NOPERM may not", 1),
        ];
        assert_eq!(seen, expected);
        assert_eq!(causes[0].examples, ["row 0", "row 1", "row 2"]);
        assert!(causes[2].is_denied());
        let lost = "1 key unconfirmed: sent, no answer (NOPERM may not)";
        assert_eq!(causes[3].to_string(), lost);
    }

    #[test]
    fn causes_have_a_bound() {
        let mut causes = Vec::new();
        for n in 0..1000_u32 {
            let error = format!("error x{n}");
            Cause::count(&mut causes, Origin::Cache, "k", &error);
        }
        assert_eq!(causes.len(), MOST + 1);
        assert_eq!(causes.iter().map(|c| c.keys).sum::<u64>(), 1000);
    }
}
