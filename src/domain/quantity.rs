//! Numbers as people write large ones: `500k`, `5MiB`.

use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// A whole number, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Quantity(u64);

impl Quantity {
    /// `None`: 0 is none.
    pub fn of(number: u64) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    pub fn get(self) -> u64 {
        self.0
    }
}

/// The suffixes; a `B` for bytes may follow, and `/s`.
const UNITS: [(&str, u64); 7] = [
    ("", 1),
    ("k", 1000),
    ("m", 1_000_000),
    ("g", 1_000_000_000),
    ("ki", 1 << 10),
    ("mi", 1 << 20),
    ("gi", 1 << 30),
];

impl FromStr for Quantity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an amount such as 800, 500k, 2.5M or 5MiB");
        let lower = text.trim().to_ascii_lowercase();
        let lower = lower.strip_suffix("/s").unwrap_or(&lower);
        let end = lower.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (digits, suffix) = lower.split_at(end.unwrap_or(lower.len()));
        let suffix = suffix.trim_start();
        let suffix = suffix.strip_suffix('b').unwrap_or(suffix);
        let unit = UNITS.iter().find(|(name, _)| *name == suffix);
        let (Some((_, unit)), Ok(number)) = (unit, digits.parse::<f64>()) else {
            return Err(wrong());
        };
        let amount = number * *unit as f64;
        // Beyond this not every whole number has a form of its own.
        if !(1.0..9e15).contains(&amount) {
            return Err(format!("`{text}` is not from 1 to 9,000,000,000,000,000"));
        }
        Ok(Self(amount as u64))
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "expected a number of at least 1, or a string such as \"500k\" or \"5MiB\""
        )]
        enum Said {
            Text(String),
            Number(i64),
        }
        let text = match Said::deserialize(from)? {
            Said::Text(text) => text,
            Said::Number(number) => number.to_string(),
        };
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (text, amount) in [
            ("1", 1),
            ("800", 800),
            ("500k", 500_000),
            ("2.5M", 2_500_000),
            ("5MiB", 5 << 20),
            ("5 MB", 5_000_000),
            ("10kB/s", 10_000),
            ("1G", 1_000_000_000),
            ("64B", 64),
            ("1.5KiB", 1536),
        ] {
            assert_eq!(text.parse(), Ok(Quantity(amount)), "{text}");
        }
        for text in
            ["", "0", "0.5", "-1", "x", "1x", "k", "1e3", "1..2", "9999999999G", "NaN", "inf"]
        {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }
}
