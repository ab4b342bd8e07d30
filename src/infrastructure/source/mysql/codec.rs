//! The binary protocol's formats, one for each type.

use sqlx::mysql::MySqlTypeInfo;
use sqlx::{Type, TypeInfo as _};

use crate::domain::encode::{Date, Scalar};

/// How to read one type's binary format.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Codec {
    Bool,
    Int,
    Uint,
    Float,
    Double,
    Decimal,
    Text,
    Bytes,
    Json,
    Date,
    DateTime,
    Timestamp,
    Time,
    Null,
    Unknown,
}

impl Codec {
    pub(super) fn of(info: &MySqlTypeInfo) -> Self {
        // The driver names a text with a `_bin` collation as if it were binary. The server converts
        // every text to UTF-8, and nothing else is compatible with one.
        if <str as Type<sqlx::MySql>>::compatible(info) {
            return Self::Text;
        }
        match info.name() {
            "BOOLEAN" => Self::Bool,
            "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => Self::Int,
            "TINYINT UNSIGNED" | "SMALLINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "INT UNSIGNED"
            | "BIGINT UNSIGNED" | "YEAR" => Self::Uint,
            "FLOAT" => Self::Float,
            "DOUBLE" => Self::Double,
            "DECIMAL" => Self::Decimal,
            "CHAR" | "VARCHAR" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT" | "ENUM"
            | "SET" => Self::Text,
            "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" | "BIT" => {
                Self::Bytes
            }
            "JSON" => Self::Json,
            "DATE" => Self::Date,
            "DATETIME" => Self::DateTime,
            "TIMESTAMP" => Self::Timestamp,
            "TIME" => Self::Time,
            "NULL" => Self::Null,
            _ => Self::Unknown,
        }
    }

    pub(super) fn decode(self, wire: &[u8]) -> Result<Scalar<'_>, String> {
        Ok(match self {
            // TINYINT(1) is how this database writes BOOLEAN, and also a small number.
            Self::Bool => match signed(wire)? {
                0 => Scalar::Bool(false),
                1 => Scalar::Bool(true),
                other => Scalar::Int(other),
            },
            Self::Int => Scalar::Int(signed(wire)?),
            Self::Uint => Scalar::Uint(unsigned(wire)?),
            Self::Float => Scalar::Float32(f32::from_le_bytes(
                wire.try_into().map_err(|_| malformed())?,
            )),
            Self::Double => Scalar::Float64(f64::from_le_bytes(
                wire.try_into().map_err(|_| malformed())?,
            )),
            Self::Decimal => Scalar::Decimal(decimal(wire)?),
            Self::Text => Scalar::Text(wire),
            Self::Bytes => Scalar::Bytes(wire),
            Self::Json => Scalar::Json(wire),
            Self::Date => Scalar::Date(date_time(wire)?.0),
            // Sessions run in UTC, so that is what a TIMESTAMP comes in.
            Self::DateTime | Self::Timestamp => {
                let (date, micros) = date_time(wire)?;
                let utc = matches!(self, Self::Timestamp);
                Scalar::DateTime { date, micros, utc }
            }
            Self::Time => Scalar::Time {
                micros: time(wire)?,
                utc: false,
            },
            Self::Null => Scalar::Null,
            Self::Unknown => return Err("its type has no JSON form".into()),
        })
    }
}

fn unsigned(wire: &[u8]) -> Result<u64, String> {
    if wire.len() > 8 {
        return Err(malformed());
    }
    let bytes = wire.iter().rev();
    Ok(bytes.fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn signed(wire: &[u8]) -> Result<i64, String> {
    let unused = 64 - 8 * u32::try_from(wire.len()).unwrap_or_default().clamp(1, 8);
    Ok((unsigned(wire)? << unused).cast_signed() >> unused)
}

/// The digits, without the zeros in front that ZEROFILL adds.
fn decimal(wire: &[u8]) -> Result<&str, String> {
    let mut text = std::str::from_utf8(wire).map_err(|_| malformed())?;
    while let Some(rest) = text.strip_prefix('0')
        && rest.starts_with(|c: char| c.is_ascii_digit())
    {
        text = rest;
    }
    Ok(text)
}

/// A length byte, then as much of year, month, day, hour, minute, second, microsecond as is not
/// zero at the end.
fn date_time(wire: &[u8]) -> Result<(Date, i64), String> {
    let fields = wire.get(1..).ok_or_else(malformed)?;
    let at = |i: usize| fields.get(i).copied().unwrap_or(0);
    let date = Date {
        year: i64::from(u16::from_le_bytes([at(0), at(1)])),
        month: at(2),
        day: at(3),
    };
    if date.month == 0 || date.day == 0 {
        return Err("a zero date is no date".into());
    }
    let seconds = i64::from(at(4)) * 3600 + i64::from(at(5)) * 60 + i64::from(at(6));
    let micros = u32::from_le_bytes([at(7), at(8), at(9), at(10)]);
    Ok((date, seconds * 1_000_000 + i64::from(micros)))
}

/// A length byte, then sign, days, hours, minutes, seconds, microseconds.
fn time(wire: &[u8]) -> Result<i64, String> {
    let fields = wire.get(1..).ok_or_else(malformed)?;
    let at = |i: usize| fields.get(i).copied().unwrap_or(0);
    let int = |i: usize| i64::from(u32::from_le_bytes([at(i), at(i + 1), at(i + 2), at(i + 3)]));
    let hours = int(1) * 24 + i64::from(at(5));
    let seconds = hours * 3600 + i64::from(at(6)) * 60 + i64::from(at(7));
    let micros = seconds * 1_000_000 + int(8);
    Ok(if at(0) == 1 { -micros } else { micros })
}

fn malformed() -> String {
    "the database sent a value of another format than its type has".to_owned()
}
