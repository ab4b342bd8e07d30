//! How the values of columns are written: numbers as strings, dates as other readers have them, and
//! constant fields.

use std::borrow::Cow;
use std::io::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::encode::Date;

/// What a definition says about all its columns. The default writes them as the encoder does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Style {
    pub numbers: Numbers,
    pub dates: Dates,
    /// Constants, written before the columns.
    pub fields: Map<String, Json>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Numbers {
    /// With the database's digits.
    #[default]
    Exact,
    /// The digits as a string, in documents too.
    String,
}

/// How a column of dates or times is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dates {
    /// ISO 8601.
    #[default]
    Iso,
    /// `2026-01-31 12:00:00`, as databases print it, without a time zone.
    Sql,
    /// Seconds since 1970; a time of day has none and is written as in SQL.
    Unix,
}

/// How the cells of one column are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CellStyle {
    pub numbers: Numbers,
    pub dates: Dates,
}

impl CellStyle {
    /// The JSON of a cell in this style.
    pub fn apply(self, json: &[u8]) -> Cow<'_, [u8]> {
        let dated = match self.dates {
            Dates::Iso => Cow::Borrowed(json),
            dates => Cow::Owned(redated(json, dates)),
        };
        match self.numbers {
            Numbers::Exact => dated,
            Numbers::String => Cow::Owned(quoted(&dated)),
        }
    }
}

/// The same JSON with each number as a string.
fn quoted(json: &[u8]) -> Vec<u8> {
    let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let mut out = Vec::with_capacity(json.len() + 8);
    let mut rest = json;
    while let Some(byte) = rest.first() {
        let length = match byte {
            b'"' => string_length(rest),
            b'-' | b'0'..=b'9' => rest.iter().take_while(|byte| is_part(byte)).count(),
            _ => 1,
        };
        let (token, after) = rest.split_at(length);
        match byte {
            b'-' | b'0'..=b'9' => {
                out.push(b'"');
                out.extend_from_slice(token);
                out.push(b'"');
            }
            _ => out.extend_from_slice(token),
        }
        rest = after;
    }
    out
}

/// The bytes of the string that JSON begins with, quotes included.
fn string_length(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

/// The same JSON of a column of dates with each of them written anew.
fn redated(json: &[u8], dates: Dates) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(byte) = rest.first() {
        let length = if *byte == b'"' { string_length(rest) } else { 1 };
        let (token, after) = rest.split_at(length);
        let inner = token.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\""));
        let moment = inner.and_then(|inner| Moment::parse(std::str::from_utf8(inner).ok()?));
        match moment {
            Some(moment) => moment.push(dates, &mut out),
            None => out.extend_from_slice(token),
        }
        rest = after;
    }
    out
}

/// A date, a time or both, as the encoder writes them.
struct Moment<'a> {
    date: Option<&'a str>,
    /// `12:00:00`, with a fraction where there is one.
    time: Option<&'a str>,
    /// Seconds ahead of UTC.
    ahead: i64,
}

impl<'a> Moment<'a> {
    fn parse(iso: &'a str) -> Option<Self> {
        let (date, time) = match iso.split_once('T') {
            Some((date, time)) => (Some(date), Some(time)),
            None if iso.contains(':') => (None, Some(iso)),
            None => (Some(iso), None),
        };
        let Some(time) = time else {
            let ahead = 0;
            return Some(Self { date, time, ahead });
        };
        let zone = time.find(['+', '-']).unwrap_or(time.len());
        let (time, zone) = time.split_at(zone);
        let ahead = match zone.split_at_checked(1) {
            None => 0,
            Some((sign, offset)) => {
                let seconds = seconds_of(offset)?;
                if sign == "-" { -seconds } else { seconds }
            }
        };
        let time = Some(time);
        Some(Self { date, time, ahead })
    }

    fn push(&self, dates: Dates, out: &mut Vec<u8>) {
        if dates == Dates::Unix
            && let Some(text) = self.unix()
        {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        let parts: Vec<&str> = [self.date, self.time].into_iter().flatten().collect();
        let written = write!(out, "\"{}\"", parts.join(" "));
        debug_assert!(written.is_ok());
    }

    /// Seconds since 1970 in UTC, with as many places as the time has; `None`: it has no date.
    fn unix(&self) -> Option<String> {
        let mut parts = self.date?.splitn(3, '-');
        let date = Date {
            year: parts.next()?.parse().ok()?,
            month: parts.next()?.parse().ok()?,
            day: parts.next()?.parse().ok()?,
        };
        let time = self.time.unwrap_or("00:00:00");
        let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
        let seconds = date.to_unix_days() * 86_400 + seconds_of(clock)? - self.ahead;
        if fraction.is_empty() {
            return Some(seconds.to_string());
        }
        let places = u32::try_from(fraction.len()).ok()?;
        let scale = 10_i64.checked_pow(places)?;
        let units = seconds.checked_mul(scale)? + fraction.parse::<i64>().ok()?;
        let sign = if units < 0 { "-" } else { "" };
        let (scale, units) = (scale.unsigned_abs(), units.unsigned_abs());
        let width = fraction.len();
        Some(format!("{sign}{}.{:0width$}", units / scale, units % scale))
    }
}

/// Seconds of `HH:MM[:SS]`.
fn seconds_of(clock: &str) -> Option<i64> {
    let mut parts = clock.split(':').map(str::parse::<i64>);
    let mut next = || parts.next().unwrap_or(Ok(0)).ok();
    Some(next()? * 3600 + next()? * 60 + next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn styled(style: CellStyle, json: &str) -> String {
        let styled = style.apply(json.as_bytes()).into_owned();
        String::from_utf8(styled).expect("JSON")
    }

    #[test]
    fn numbers_become_strings_wherever_they_are() {
        let style = CellStyle { numbers: Numbers::String, ..CellStyle::default() };
        for (json, expected) in [
            ("12.50", "\"12.50\""),
            ("-1e+300", "\"-1e+300\""),
            ("null", "null"),
            ("\"a 1 \\\" 2\"", "\"a 1 \\\" 2\""),
            (
                "{\"1\":[2,true,{\"a\":-3}],\"b\\\\\":4}",
                "{\"1\":[\"2\",true,{\"a\":\"-3\"}],\"b\\\\\":\"4\"}",
            ),
        ] {
            assert_eq!(styled(style, json), expected);
        }
    }

    #[test]
    fn dates_are_written_as_their_reader_has_them() {
        for (json, sql, unix) in [
            ("null", "null", "null"),
            ("\"2026-01-02\"", "\"2026-01-02\"", "1767312000"),
            ("\"2026-01-02T12:00:00+00:00\"", "\"2026-01-02 12:00:00\"", "1767355200"),
            (
                "\"2026-01-02T12:00:00.500000\"",
                "\"2026-01-02 12:00:00.500000\"",
                "1767355200.500000",
            ),
            ("\"1969-12-31T23:59:58.500000+00:00\"", "\"1969-12-31 23:59:58.500000\"", "-1.500000"),
            ("\"2026-01-02T12:00:00+05:30\"", "\"2026-01-02 12:00:00\"", "1767335400"),
            ("\"12:00:00+00:00\"", "\"12:00:00\"", "\"12:00:00\""),
            ("[\"2026-01-02\",null]", "[\"2026-01-02\",null]", "[1767312000,null]"),
        ] {
            let with = |dates| CellStyle { dates, ..CellStyle::default() };
            assert_eq!(styled(with(Dates::Sql), json), sql);
            assert_eq!(styled(with(Dates::Unix), json), unix);
            assert_eq!(styled(with(Dates::Iso), json), json);
        }
    }
}
