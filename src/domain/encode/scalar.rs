//! Values as databases give them.

use super::moment::{Date, MICROS_PER_DAY};

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

impl Scalar<'_> {
    /// A moment as microseconds since 1970-01-01 00:00.
    pub fn date_time_from_unix_micros(micros: i64, utc: bool) -> Self {
        Scalar::DateTime {
            date: Date::from_unix_days(micros.div_euclid(MICROS_PER_DAY)),
            micros: micros.rem_euclid(MICROS_PER_DAY),
            utc,
        }
    }
}
