//! The one encoder: a column's value as the database gave it, to JSON text.
//!
//! Adapters only take wire formats apart into a [`Scalar`]; how a value looks is decided here, so
//! that the same data gives the same JSON from every database.

mod document;
mod moment;
mod number;
mod scalar;
mod text;

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use self::document::push_compact_json;
pub use self::moment::{Date, ZERO_DATE};
use self::moment::{push_date, push_time};
use self::number::{not_finite, push_number};
pub use self::scalar::Scalar;
use self::text::{infallible, push, push_string, push_uuid, utf8};

/// The longest single value that is warmed, in bytes. A longer one is no cache entry.
pub const MAX_VALUE_BYTES: usize = 64 * 1024 * 1024;

/// What the operator says about a column where the database's type does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hint {
    Bool,
    Number,
    String,
    Json,
    Base64,
}

/// Appends `value` to `out` as JSON.
///
/// # Errors
/// Says in words why this value has no JSON form; `out` may then hold a part of it.
pub fn encode(value: Scalar<'_>, hint: Option<Hint>, out: &mut Vec<u8>) -> Result<(), String> {
    match (hint, value) {
        (_, Scalar::Null) => push(out, "null"),
        (Some(hint), value) => encode_as(value, hint, out)?,
        (None, value) => encode_plain(value, out)?,
    }
    Ok(())
}

fn encode_plain(value: Scalar<'_>, out: &mut Vec<u8>) -> Result<(), String> {
    match value {
        Scalar::Null => push(out, "null"),
        Scalar::Bool(b) => push(out, if b { "true" } else { "false" }),
        Scalar::Int(i) => infallible(write!(out, "{i}")),
        Scalar::Uint(u) => infallible(write!(out, "{u}")),
        Scalar::Float32(f) if f.is_finite() => push(out, zmij::Buffer::new().format_finite(f)),
        Scalar::Float64(f) if f.is_finite() => push(out, zmij::Buffer::new().format_finite(f)),
        Scalar::Float32(_) | Scalar::Float64(_) => return Err(not_finite()),
        Scalar::Decimal(digits) => push_number(digits, out)?,
        Scalar::Text(bytes) => push_string(utf8(bytes)?, out)?,
        Scalar::Bytes(_) => {
            return Err("binary data has no JSON form; give the column a type hint, base64 or \
                        string or json"
                .into());
        }
        Scalar::Json(bytes) => push_compact_json(utf8(bytes)?, out)?,
        value => {
            out.push(b'"');
            push_text_form(value, out)?;
            out.push(b'"');
        }
    }
    Ok(())
}

/// The text of uuids, dates and times.
fn push_text_form(value: Scalar<'_>, out: &mut Vec<u8>) -> Result<(), String> {
    match value {
        Scalar::Uuid(bytes) => push_uuid(bytes, out),
        Scalar::Date(date) => push_date(date, out)?,
        Scalar::Time { micros, utc } => push_time(micros, utc, out)?,
        Scalar::DateTime { date, micros, utc } => {
            push_date(date, out)?;
            out.push(b'T');
            push_time(micros, utc, out)?;
        }
        _ => {}
    }
    Ok(())
}

fn encode_as(value: Scalar<'_>, hint: Hint, out: &mut Vec<u8>) -> Result<(), String> {
    let mismatch = || Err(format!("cannot be read as {hint:?}").to_lowercase());
    match hint {
        Hint::Bool => match as_bool(value) {
            Some(b) => push(out, if b { "true" } else { "false" }),
            None => return mismatch(),
        },
        Hint::Number => match value {
            Scalar::Text(bytes) | Scalar::Bytes(bytes) => push_number(utf8(bytes)?, out)?,
            Scalar::Bool(b) => push(out, if b { "1" } else { "0" }),
            Scalar::Int(_)
            | Scalar::Uint(_)
            | Scalar::Float32(_)
            | Scalar::Float64(_)
            | Scalar::Decimal(_) => encode_plain(value, out)?,
            _ => return mismatch(),
        },
        Hint::Json => match value {
            Scalar::Text(bytes) | Scalar::Bytes(bytes) => push_compact_json(utf8(bytes)?, out)?,
            value => encode_plain(value, out)?,
        },
        Hint::Base64 => match value {
            Scalar::Text(bytes) | Scalar::Bytes(bytes) => {
                out.push(b'"');
                push(out, &BASE64_STANDARD.encode(bytes));
                out.push(b'"');
            }
            _ => return mismatch(),
        },
        Hint::String => match value {
            Scalar::Text(bytes) | Scalar::Bytes(bytes) | Scalar::Json(bytes) => {
                push_string(utf8(bytes)?, out)?;
            }
            value => {
                let mut plain = Vec::new();
                encode_plain(value, &mut plain)?;
                let quoted = plain.first() == Some(&b'"');
                if !quoted {
                    out.push(b'"');
                }
                out.extend_from_slice(&plain);
                if !quoted {
                    out.push(b'"');
                }
            }
        },
    }
    Ok(())
}

fn as_bool(value: Scalar<'_>) -> Option<bool> {
    match value {
        Scalar::Bool(b) => Some(b),
        Scalar::Int(i @ (0 | 1)) => Some(i == 1),
        Scalar::Uint(u @ (0 | 1)) => Some(u == 1),
        Scalar::Decimal(text) => as_bool(Scalar::Text(text.as_bytes())),
        Scalar::Bytes([byte @ (0 | 1)]) => Some(*byte == 1),
        Scalar::Text(bytes) | Scalar::Bytes(bytes) => match bytes.to_ascii_lowercase().as_slice() {
            b"1" | b"t" | b"true" | b"y" | b"yes" => Some(true),
            b"0" | b"f" | b"false" | b"n" | b"no" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::moment::MICROS_PER_DAY;
    use super::*;

    fn json(value: Scalar<'_>, hint: Option<Hint>) -> Result<String, String> {
        let mut out = Vec::new();
        encode(value, hint, &mut out)?;
        Ok(String::from_utf8(out).expect("the encoder writes UTF-8"))
    }

    fn noon(date: (i64, u8, u8), micros: i64, utc: bool) -> Scalar<'static> {
        Scalar::DateTime {
            date: Date { year: date.0, month: date.1, day: date.2 },
            micros: 12 * 3_600_000_000 + micros,
            utc,
        }
    }

    #[test]
    fn values_have_one_json_form() {
        let long = "12345678901234567890123456789012345678.12";
        let uuid = *b"\x12\x34\x56\x78\x9a\xbc\xde\xf0\x12\x34\x56\x78\x9a\xbc\xde\xf0";
        for (value, hint, expected) in [
            (Scalar::Null, None, "null"),
            (Scalar::Null, Some(Hint::Bool), "null"),
            (Scalar::Bool(true), None, "true"),
            (Scalar::Int(i64::MIN), None, "-9223372036854775808"),
            (Scalar::Uint(u64::MAX), None, "18446744073709551615"),
            (Scalar::Float32(0.1), None, "0.1"),
            (Scalar::Float64(1e300), None, "1e+300"),
            (Scalar::Float64(-0.0), None, "-0.0"),
            (Scalar::Decimal(long), None, long),
            (Scalar::Decimal("20.00"), None, "20.00"),
            (Scalar::Text("中文🎉".as_bytes()), None, "\"中文🎉\""),
            (Scalar::Text(b"a\"\\\n\0\x1b"), None, r#""a\"\\\n\u0000\u001b""#),
            (Scalar::Text(b""), None, "\"\""),
            (Scalar::Json(b" {\"a b\" : [1, 2.50]}\n"), None, r#"{"a b":[1,2.50]}"#),
            (Scalar::Uuid(uuid), None, "\"12345678-9abc-def0-1234-56789abcdef0\""),
            (noon((2026, 1, 2), 0, true), None, "\"2026-01-02T12:00:00+00:00\""),
            (noon((2026, 1, 2), 500_000, false), None, "\"2026-01-02T12:00:00.500000\""),
            (Scalar::Time { micros: MICROS_PER_DAY, utc: false }, None, "\"24:00:00\""),
            (Scalar::Int(1), Some(Hint::Bool), "true"),
            (Scalar::Bytes(&[0]), Some(Hint::Bool), "false"),
            (Scalar::Text(b"12.50"), Some(Hint::Number), "12.50"),
            (Scalar::Int(7), Some(Hint::String), "\"7\""),
            (noon((2026, 1, 2), 0, false), Some(Hint::String), "\"2026-01-02T12:00:00\""),
            (Scalar::Bytes(b"\xff\0"), Some(Hint::Base64), "\"/wA=\""),
            (Scalar::Text(b"[1, null]"), Some(Hint::Json), "[1,null]"),
        ] {
            assert_eq!(json(value, hint).as_deref(), Ok(expected), "{value:?} {hint:?}");
        }
    }

    #[test]
    fn what_has_no_json_form_is_an_error_never_a_null() {
        for (value, hint, expected) in [
            (Scalar::Float64(f64::NAN), None, "NaN"),
            (Scalar::Float32(f32::INFINITY), None, "infinity"),
            (Scalar::Decimal("NaN"), None, "NaN"),
            (Scalar::Decimal("-Infinity"), None, "infinity"),
            (Scalar::Text(b"ab\xff"), None, "UTF-8 at byte 2"),
            (Scalar::Bytes(b"x"), None, "base64"),
            (Scalar::Json(b"{"), None, "invalid JSON"),
            (noon((0, 0, 0), 0, false), None, "zero date"),
            (noon((-43, 3, 15), 0, false), None, "year -43"),
            (noon((12000, 1, 1), 0, false), None, "year 12000"),
            (Scalar::Time { micros: -1, utc: false }, None, "outside the day"),
            (Scalar::Int(2), Some(Hint::Bool), "read as bool"),
            (Scalar::Text(b"007"), Some(Hint::Number), "not a JSON number"),
            (Scalar::Text(b"1."), Some(Hint::Number), "not a JSON number"),
            (Scalar::Int(2), Some(Hint::Base64), "read as base64"),
        ] {
            let error = json(value, hint).expect_err("must fail");
            assert!(error.contains(expected), "{value:?}: {error}");
        }
    }

    #[test]
    fn dates_round_trip_over_the_calendar() {
        for days in (-719_162..2_932_896).step_by(97) {
            let date = Date::from_unix_days(days);
            assert_eq!(date.to_unix_days(), days);
        }
        let leap = Date { year: 2024, month: 2, day: 29 };
        assert_eq!(leap.to_unix_days(), 19_782);
        assert_eq!(Date::from_unix_days(19_782), leap);
    }
}
