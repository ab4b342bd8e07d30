//! The formats of the binary protocol.

use sqlx::mysql::{MySqlColumn, MySqlTypeInfo};
use sqlx::{Column as _, Type, TypeInfo as _};

use crate::domain::encode::{Date, Scalar};
use crate::domain::row::{Column, ColumnKind};

/// A described column; `Err`: the name of a type without a JSON form.
pub(super) fn column(described: &MySqlColumn) -> Result<Column, String> {
    let declared = declared(described.type_info()).to_owned();
    let kind = match Codec::of(described.type_info()) {
        Codec::Unknown => return Err(declared.to_ascii_lowercase()),
        Codec::Int | Codec::Bit => ColumnKind::Integer,
        // The other unsigned ones fit into a signed parameter.
        Codec::Uint if declared != "BIGINT UNSIGNED" => ColumnKind::Integer,
        Codec::Text => ColumnKind::Text,
        _ => ColumnKind::Other(declared.clone()),
    };
    Ok(Column { name: described.name().to_owned(), kind, declared })
}

/// The binary format of a type.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Codec {
    Int,
    Uint,
    Float,
    Double,
    Decimal,
    Text,
    Bytes,
    Bit,
    Json,
    Date,
    DateTime,
    Timestamp,
    /// One that the query turned into a date and time in UTC: see `MysqlDialect::read`.
    Instant,
    Time,
    Null,
    Unknown,
}

/// The name of a type. The driver calls every TINYINT(1) a BOOLEAN, even an unsigned one; to the
/// server it is a number.
pub(super) fn declared(info: &MySqlTypeInfo) -> &str {
    match info.name() {
        "BOOLEAN" if <u8 as Type<sqlx::MySql>>::compatible(info) => "TINYINT UNSIGNED",
        "BOOLEAN" => "TINYINT",
        name => name,
    }
}

impl Codec {
    pub(super) fn of(info: &MySqlTypeInfo) -> Self {
        // The driver names text with a `_bin` collation as if it were binary. The server converts
        // all text to UTF-8.
        if <str as Type<sqlx::MySql>>::compatible(info) {
            return Self::Text;
        }
        match declared(info) {
            "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => Self::Int,
            "TINYINT UNSIGNED" | "SMALLINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "INT UNSIGNED"
            | "BIGINT UNSIGNED" | "YEAR" => Self::Uint,
            "FLOAT" => Self::Float,
            "DOUBLE" => Self::Double,
            "DECIMAL" => Self::Decimal,
            "CHAR" | "VARCHAR" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT" | "ENUM"
            | "SET" => Self::Text,
            "BIT" => Self::Bit,
            "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" => Self::Bytes,
            "JSON" => Self::Json,
            "DATE" => Self::Date,
            "DATETIME" => Self::DateTime,
            "TIMESTAMP" => Self::Timestamp,
            "TIME" => Self::Time,
            "NULL" => Self::Null,
            _ => Self::Unknown,
        }
    }

    pub(super) fn is_bits(self) -> bool {
        matches!(self, Self::Bit)
    }

    pub(super) fn decode(self, wire: &[u8]) -> Result<Scalar<'_>, String> {
        Ok(match self {
            Self::Int => Scalar::Int(signed(wire)?),
            Self::Uint => Scalar::Uint(unsigned(wire)?),
            Self::Float => {
                Scalar::Float32(f32::from_le_bytes(wire.try_into().map_err(|_| malformed())?))
            }
            Self::Double => {
                Scalar::Float64(f64::from_le_bytes(wire.try_into().map_err(|_| malformed())?))
            }
            Self::Decimal => Scalar::Decimal(decimal(wire)?),
            Self::Text => Scalar::Text(wire),
            Self::Bytes => Scalar::Bytes(wire),
            // A number to the server, the highest byte first.
            Self::Bit => {
                let bytes = wire.iter();
                Scalar::Uint(bytes.fold(0, |value, byte| value << 8 | u64::from(*byte)))
            }
            Self::Json => Scalar::Json(wire),
            Self::Date => Scalar::Date(date_time(wire)?.0),
            // Sessions are in UTC.
            Self::DateTime | Self::Timestamp => {
                let (date, micros) = date_time(wire)?;
                let utc = matches!(self, Self::Timestamp);
                Scalar::DateTime { date, micros, utc }
            }
            Self::Instant => {
                let (date, micros) = date_time(wire)?;
                // What no TIMESTAMP can be: a zero date counts as the beginning of 1970.
                if date == EPOCH && micros == 0 {
                    return Err(crate::domain::encode::ZERO_DATE.into());
                }
                let utc = true;
                Scalar::DateTime { date, micros, utc }
            }
            Self::Time => Scalar::Time { micros: time(wire)?, utc: false },
            Self::Null => Scalar::Null,
            Self::Unknown => return Err("its type has no JSON form".into()),
        })
    }
}

const EPOCH: Date = Date { year: 1970, month: 1, day: 1 };

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

/// The digits, without the leading zeros of ZEROFILL.
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
    let date =
        Date { year: i64::from(u16::from_le_bytes([at(0), at(1)])), month: at(2), day: at(3) };
    if date.month == 0 || date.day == 0 {
        return Err(crate::domain::encode::ZERO_DATE.into());
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
    "the database sent a value in another format than its type".to_owned()
}
