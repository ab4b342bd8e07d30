//! Interprets stored values by the declared type.

use super::columns::{Affinity, affinity};
use super::moments::{parse_date, parse_date_time, parse_time};
use crate::domain::encode::Scalar;

/// The declared type of a column.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Codec {
    AsStored,
    Bool,
    Number,
    /// With this many decimal places.
    Decimal(usize),
    Text,
    Date,
    Time,
    DateTime {
        zoned: bool,
    },
    Json,
}

impl Codec {
    /// An unknown name means what its affinity means to SQLite.
    pub(super) fn of(declared: &str) -> Self {
        let (name, arguments) = declared.split_once('(').unwrap_or((declared, ""));
        let scale = arguments.trim_end_matches(')').split_once(',').map_or("0", |(_, s)| s.trim());
        match name.trim() {
            "BOOL" | "BOOLEAN" => Self::Bool,
            "NUMERIC" | "DECIMAL" => Self::Decimal(scale.parse().unwrap_or(0)),
            "DATE" => Self::Date,
            "TIME" | "TIME WITHOUT TIME ZONE" => Self::Time,
            "JSON" | "JSONB" => Self::Json,
            "UUID" => Self::Text,
            "DATETIME" | "TIMESTAMP" | "TIMESTAMP WITHOUT TIME ZONE" => {
                Self::DateTime { zoned: declared.contains("WITH TIME ZONE") }
            }
            "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE" => Self::DateTime { zoned: true },
            _ => match affinity(declared) {
                Affinity::Text => Self::Text,
                Affinity::Number => Self::Number,
                Affinity::None => Self::AsStored,
            },
        }
    }

    /// A column has one JSON type, although SQLite stores any value in any column.
    pub(super) fn check(self, value: &Scalar<'_>) -> Result<(), String> {
        let is_number = matches!(value, Scalar::Int(_) | Scalar::Float64(_) | Scalar::Decimal(_));
        let (fits, kind) = match self {
            Self::Bool => (matches!(value, Scalar::Bool(_)), "bool"),
            Self::Number | Self::Decimal(_) => (is_number, "number"),
            Self::Text => (!is_number, "text"),
            Self::Date => (matches!(value, Scalar::Date(_)), "date YYYY-MM-DD"),
            Self::Time => (matches!(value, Scalar::Time { .. }), "time HH:MM:SS"),
            Self::DateTime { .. } => {
                (matches!(value, Scalar::DateTime { .. }), "date and time YYYY-MM-DD HH:MM:SS")
            }
            Self::AsStored | Self::Json => return Ok(()),
        };
        match fits {
            true => Ok(()),
            false => Err(format!(
                "cannot be read as {kind}, which its column is declared to be; CAST it, or say \
                 in `types` what the column holds"
            )),
        }
    }

    /// The stored value by its column's type, or as stored if it does not match.
    pub(super) fn read<'v>(self, stored: Scalar<'v>, digits: &'v mut String) -> Scalar<'v> {
        match (self, stored) {
            (Self::Bool, Scalar::Int(i @ (0 | 1))) => Scalar::Bool(i == 1),
            (Self::Decimal(scale), Scalar::Int(i)) => {
                *digits = i.to_string();
                pad(digits, scale);
                Scalar::Decimal(digits)
            }
            (Self::Decimal(scale), Scalar::Float64(f)) if f.is_finite() => {
                *digits = f.to_string();
                pad(digits, scale);
                Scalar::Decimal(digits)
            }
            (Self::Json, Scalar::Text(text)) => Scalar::Json(text),
            (Self::Date, Scalar::Text(text)) => match parse_date(text) {
                Some((date, b"")) => Scalar::Date(date),
                _ => stored,
            },
            (Self::Time, Scalar::Text(text)) => match parse_time(text) {
                Some((micros, b"")) => Scalar::Time { micros, utc: false },
                _ => stored,
            },
            (Self::DateTime { zoned }, Scalar::Text(text)) => {
                parse_date_time(text, zoned).unwrap_or(stored)
            }
            _ => stored,
        }
    }
}

/// Adds zeros up to the declared scale. Never rounds.
fn pad(digits: &mut String, scale: usize) {
    let places = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    if places < scale {
        if places == 0 {
            digits.push('.');
        }
        digits.extend(std::iter::repeat_n('0', scale - places));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::encode::encode;

    fn read(declared: &str, stored: Scalar<'_>) -> String {
        let (mut digits, mut out) = (String::new(), Vec::new());
        let codec = Codec::of(declared);
        let value = codec.read(stored, &mut digits);
        codec.check(&value).expect("is what its column is");
        encode(value, None, &mut out).expect("has a JSON form");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_declared_type_gives_a_stored_value_its_meaning() {
        for (declared, stored, expected) in [
            ("NUMERIC(10,2)", Scalar::Int(20), "20.00"),
            ("NUMERIC(10,2)", Scalar::Float64(19.9), "19.90"),
            ("DECIMAL(10, 2)", Scalar::Float64(0.125), "0.125"),
            ("NUMERIC", Scalar::Float64(1.5), "1.5"),
            ("BOOLEAN", Scalar::Int(1), "true"),
            ("TIMESTAMPTZ", Scalar::Text(b"2026-01-01 02:00:00"), "\"2026-01-01T02:00:00+00:00\""),
            ("TIMESTAMP", Scalar::Text(b"2026-01-01 02:00:00"), "\"2026-01-01T02:00:00\""),
            (
                "TIMESTAMP",
                Scalar::Text(b"2026-01-01T00:30:00.5+01:00"),
                "\"2025-12-31T23:30:00.500000+00:00\"",
            ),
            ("DATE", Scalar::Text(b"2026-01-31"), "\"2026-01-31\""),
            ("JSON", Scalar::Text(b"{ }"), "{}"),
            ("", Scalar::Text(b"2026-01-31"), "\"2026-01-31\""),
        ] {
            assert_eq!(read(declared, stored), expected, "{declared} {stored:?}");
        }
    }
}
