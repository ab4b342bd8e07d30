//! Dates and times in text.

use crate::domain::encode::{Date, Scalar};

fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (head, rest) = text.split_at_checked(digits)?;
    let number = head
        .iter()
        .try_fold(0_i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))?;
    Some((number, rest))
}

/// `YYYY-MM-DD`, and what follows.
pub(super) fn parse_date(text: &[u8]) -> Option<(Date, &[u8])> {
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let (day, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let date = Date { year, month: u8::try_from(month).ok()?, day: u8::try_from(day).ok()? };
    // An invalid date comes back as another.
    (Date::from_unix_days(date.to_unix_days()) == date).then_some((date, rest))
}

/// `HH:MM[:SS[.ffffff]]` as microseconds, and what follows.
pub(super) fn parse_time(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, rest) = number(text, 2)?;
    let (minute, mut rest) = number(rest.strip_prefix(b":")?, 2)?;
    let (mut second, mut micros) = (0, 0);
    if let Some(seconds) = rest.strip_prefix(b":") {
        (second, rest) = number(seconds, 2)?;
        if let Some(fraction) = rest.strip_prefix(b".") {
            let places = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            // More digits than microseconds would be lost.
            if places == 0 || places > 6 {
                return None;
            }
            let scale = 10_i64.pow(6 - u32::try_from(places).ok()?);
            micros = number(fraction, places)?.0 * scale;
            rest = &fraction[places..];
        }
    }
    let in_range = hour < 24 && minute < 60 && second < 60;
    // The end of the day, as in the other databases.
    let is_end = (hour, minute, second, micros) == (24, 0, 0, 0);
    (in_range || is_end)
        .then_some((((hour * 60 + minute) * 60 + second) * 1_000_000 + micros, rest))
}

/// A date and a time, with an optional offset, converted to UTC.
pub(super) fn parse_date_time(text: &[u8], zoned: bool) -> Option<Scalar<'static>> {
    let (date, rest) = parse_date(text)?;
    let (micros, zone) = match rest {
        [] => (0, rest),
        [b'T' | b' ', time @ ..] => parse_time(time)?,
        _ => return None,
    };
    let offset_minutes = match zone {
        [] => None,
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), offset @ ..] => {
            let (hours, rest) = number(offset, 2)?;
            let minutes = match rest {
                [] => 0,
                [b':', rest @ ..] => number(rest, 2).filter(|(_, rest)| rest.is_empty())?.0,
                rest => number(rest, 2).filter(|(_, rest)| rest.is_empty())?.0,
            };
            let offset = hours * 60 + minutes;
            Some(if *sign == b'-' { -offset } else { offset })
        }
        _ => return None,
    };
    let unix =
        date.to_unix_days() * 86_400_000_000 + micros - offset_minutes.unwrap_or(0) * 60_000_000;
    Some(Scalar::date_time_from_unix_micros(unix, zoned || offset_minutes.is_some()))
}
