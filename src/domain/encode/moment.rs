//! Dates and times.

use std::fmt::Write as _;
use std::io::Write as _;

use super::text::{infallible, push};

pub(super) const MICROS_PER_DAY: i64 = 86_400_000_000;

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

/// What is said of MySQL's `0000-00-00`, and what to do.
pub const ZERO_DATE: &str =
    "a zero date is not a date; NULLIF(column, '0000-00-00') in the query makes it null";

pub(super) fn push_date(date: Date, out: &mut Vec<u8>) -> Result<(), String> {
    if date.month == 0 || date.day == 0 {
        return Err(ZERO_DATE.into());
    }
    if !(1..=9999).contains(&date.year) {
        return Err(format!("the year {} has no four-digit ISO 8601 form", date.year));
    }
    infallible(write!(out, "{:04}-{:02}-{:02}", date.year, date.month, date.day));
    Ok(())
}

/// No fraction where it is zero, else six digits: the two forms every ISO 8601 reader knows.
pub(super) fn push_time(micros: i64, utc: bool, out: &mut Vec<u8>) -> Result<(), String> {
    if !(0..=MICROS_PER_DAY).contains(&micros) {
        return Err("a time outside the day has no ISO 8601 form; CAST it to text".into());
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
