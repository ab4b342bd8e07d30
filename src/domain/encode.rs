//! The one encoder: a column's value as the database gave it, to JSON text.
//!
//! Adapters only take wire formats apart into a [`Scalar`]; how a value looks is decided here, so
//! that the same data gives the same JSON from every database.

use std::fmt::Write as _;
use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The longest single value that is warmed, in bytes. A longer one is no cache entry.
pub const MAX_VALUE_BYTES: usize = 64 * 1024 * 1024;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// One column's value, borrowed from the driver.
#[derive(Clone, Copy, Debug)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float32(f32),
    Float64(f64),
    /// Decimal digits as the database prints them.
    Decimal(&'a str),
    /// Text in bytes; checked to be UTF-8 here.
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    /// A JSON document in bytes.
    Json(&'a [u8]),
    Uuid([u8; 16]),
    Date(Date),
    /// Microseconds since midnight; with a zone they are already in UTC.
    Time {
        micros: i64,
        utc: bool,
    },
    DateTime {
        date: Date,
        micros: i64,
        utc: bool,
    },
}

/// A calendar date as the database means it (proleptic Gregorian).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    pub year: i64,
    pub month: u8,
    pub day: u8,
}

impl Date {
    /// The date `days` after 1970-01-01.
    pub fn from_unix_days(days: i64) -> Self {
        // Howard Hinnant's civil_from_days: years start in March, so leap days come last.
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        Self {
            year: yoe + era * 400 + i64::from(month <= 2),
            month: month as u8,
            day: (doy - (153 * mp + 2) / 5 + 1) as u8,
        }
    }

    /// Days since 1970-01-01.
    pub fn to_unix_days(self) -> i64 {
        let (m, d) = (i64::from(self.month), i64::from(self.day));
        let y = self.year - i64::from(m <= 2);
        let era = y.div_euclid(400);
        let yoe = y.rem_euclid(400);
        let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + d - 1;
        let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        era * 146_097 + doe - 719_468
    }
}

impl<'a> Scalar<'a> {
    /// A moment as microseconds since 1970-01-01 00:00.
    pub fn date_time_from_unix_micros(micros: i64, utc: bool) -> Self {
        Scalar::DateTime {
            date: Date::from_unix_days(micros.div_euclid(MICROS_PER_DAY)),
            micros: micros.rem_euclid(MICROS_PER_DAY),
            utc,
        }
    }
}

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
            return Err(
                "binary data has no JSON form; give the column a type hint, base64 or \
                        string or json"
                    .into(),
            );
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

fn not_finite() -> String {
    "NaN and infinity have no JSON form".into()
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|e| format!("invalid UTF-8 at byte {}", e.valid_up_to()))
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Writing into a `Vec` cannot fail.
fn infallible(result: std::io::Result<()>) {
    debug_assert!(result.is_ok());
}

/// Appends a JSON string literal: non-ASCII as it is, only what must be escaped is.
fn push_string(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    if needs_escapes(text.as_bytes()) {
        return serde_json::to_writer(out, text).map_err(|e| e.to_string());
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    push(out, text);
    out.push(b'"');
    Ok(())
}

/// Looked at in blocks without a branch for each byte: most text has nothing to escape, and this
/// was the costliest part of a run.
fn needs_escapes(text: &[u8]) -> bool {
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let mut blocks = text.chunks_exact(32);
    let in_block = |block: &[u8]| {
        block
            .iter()
            .fold(false, |found, byte| found | special(*byte))
    };
    blocks.any(in_block) || in_block(blocks.remainder())
}

fn push_number(digits: &str, out: &mut Vec<u8>) -> Result<(), String> {
    if matches!(
        digits.to_ascii_lowercase().trim_start_matches(['-', '+']),
        "nan" | "inf" | "infinity"
    ) {
        return Err(not_finite());
    }
    if !is_json_number(digits.as_bytes()) {
        return Err("is not a JSON number".into());
    }
    push(out, digits);
    Ok(())
}

/// RFC 8259, section 6.
fn is_json_number(text: &[u8]) -> bool {
    let digits = |s: &[u8]| s.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let int = digits(rest);
    if int == 0 || (int > 1 && rest[0] == b'0') {
        return false;
    }
    let mut rest = &rest[int..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let n = digits(fraction);
        if n == 0 {
            return false;
        }
        rest = &fraction[n..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            digits => digits,
        };
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

/// Whether an escape in a JSON document is one half of a surrogate pair without the other: readers
/// refuse it, though the grammar does not.
fn has_half_a_character(json: &[u8]) -> bool {
    let mut high_ends = None;
    let mut at = 0;
    while let Some(found) = json[at..].iter().position(|byte| *byte == b'\\') {
        let escape = at + found;
        at = (escape + 2).min(json.len());
        let digits = match json.get(escape..escape + 6) {
            Some([_, b'u', digits @ ..]) => std::str::from_utf8(digits).unwrap_or_default(),
            _ => continue,
        };
        let low_belongs = high_ends == Some(escape);
        match u16::from_str_radix(digits, 16) {
            Ok(0xD800..=0xDBFF) if high_ends.is_none() => high_ends = Some(escape + 6),
            Ok(0xDC00..=0xDFFF) if low_belongs => high_ends = None,
            Ok(0xD800..=0xDFFF) => return true,
            _ => {}
        }
    }
    high_ends.is_some()
}

/// Appends a JSON document without the white space between its tokens, so that a document is the
/// same bytes whichever database formatted it.
fn push_compact_json(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    serde_json::from_str::<&serde_json::value::RawValue>(text)
        .map_err(|e| format!("invalid JSON: {e}"))?;
    if has_half_a_character(text.as_bytes()) {
        return Err("invalid JSON: half of a surrogate pair, which is no character".to_owned());
    }
    let (mut in_string, mut escaped) = (false, false);
    for &byte in text.as_bytes() {
        if !in_string && matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            continue;
        }
        out.push(byte);
        if escaped {
            escaped = false;
        } else if byte == b'\\' {
            escaped = true;
        } else if byte == b'"' {
            in_string = !in_string;
        }
    }
    Ok(())
}

fn push_uuid(bytes: [u8; 16], out: &mut Vec<u8>) {
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        infallible(write!(out, "{byte:02x}"));
    }
}

/// What is said of MySQL's `0000-00-00`, and what to do.
pub const ZERO_DATE: &str =
    "a zero date is no date; NULLIF(column, '0000-00-00') in the query makes it null";

fn push_date(date: Date, out: &mut Vec<u8>) -> Result<(), String> {
    if date.month == 0 || date.day == 0 {
        return Err(ZERO_DATE.into());
    }
    if !(1..=9999).contains(&date.year) {
        return Err(format!(
            "the year {} has no four-digit ISO 8601 form",
            date.year
        ));
    }
    infallible(write!(
        out,
        "{:04}-{:02}-{:02}",
        date.year, date.month, date.day
    ));
    Ok(())
}

/// No fraction where it is zero, else six digits: the two forms every ISO 8601 reader knows.
fn push_time(micros: i64, utc: bool, out: &mut Vec<u8>) -> Result<(), String> {
    if !(0..=MICROS_PER_DAY).contains(&micros) {
        return Err("a time outside of the day has no ISO 8601 form; CAST it to text".into());
    }
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = String::with_capacity(21);
    let _ = write!(text, "{h:02}:{m:02}:{s:02}");
    if fraction != 0 {
        let _ = write!(text, ".{fraction:06}");
    }
    if utc {
        text.push_str("+00:00");
    }
    push(out, &text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: Scalar<'_>, hint: Option<Hint>) -> Result<String, String> {
        let mut out = Vec::new();
        encode(value, hint, &mut out)?;
        Ok(String::from_utf8(out).expect("the encoder writes UTF-8"))
    }

    fn noon(date: (i64, u8, u8), micros: i64, utc: bool) -> Scalar<'static> {
        Scalar::DateTime {
            date: Date {
                year: date.0,
                month: date.1,
                day: date.2,
            },
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
            (
                Scalar::Text(b"a\"\\\n\0\x1b"),
                None,
                r#""a\"\\\n\u0000\u001b""#,
            ),
            (Scalar::Text(b""), None, "\"\""),
            (
                Scalar::Json(b" {\"a b\" : [1, 2.50]}\n"),
                None,
                r#"{"a b":[1,2.50]}"#,
            ),
            (
                Scalar::Uuid(uuid),
                None,
                "\"12345678-9abc-def0-1234-56789abcdef0\"",
            ),
            (
                noon((2026, 1, 2), 0, true),
                None,
                "\"2026-01-02T12:00:00+00:00\"",
            ),
            (
                noon((2026, 1, 2), 500_000, false),
                None,
                "\"2026-01-02T12:00:00.500000\"",
            ),
            (
                Scalar::Time {
                    micros: MICROS_PER_DAY,
                    utc: false,
                },
                None,
                "\"24:00:00\"",
            ),
            (Scalar::Int(1), Some(Hint::Bool), "true"),
            (Scalar::Bytes(&[0]), Some(Hint::Bool), "false"),
            (Scalar::Text(b"12.50"), Some(Hint::Number), "12.50"),
            (Scalar::Int(7), Some(Hint::String), "\"7\""),
            (
                noon((2026, 1, 2), 0, false),
                Some(Hint::String),
                "\"2026-01-02T12:00:00\"",
            ),
            (Scalar::Bytes(b"\xff\0"), Some(Hint::Base64), "\"/wA=\""),
            (Scalar::Text(b"[1, null]"), Some(Hint::Json), "[1,null]"),
        ] {
            assert_eq!(
                json(value, hint).as_deref(),
                Ok(expected),
                "{value:?} {hint:?}"
            );
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
            (
                Scalar::Time {
                    micros: -1,
                    utc: false,
                },
                None,
                "outside of the day",
            ),
            (Scalar::Int(2), Some(Hint::Bool), "read as bool"),
            (
                Scalar::Text(b"007"),
                Some(Hint::Number),
                "not a JSON number",
            ),
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
        let leap = Date {
            year: 2024,
            month: 2,
            day: 29,
        };
        assert_eq!(leap.to_unix_days(), 19_782);
        assert_eq!(Date::from_unix_days(19_782), leap);
    }
}
