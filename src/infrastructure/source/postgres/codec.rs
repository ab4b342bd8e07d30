//! Decodes the server's binary formats to JSON.

use sqlx::TypeInfo as _;
use sqlx::postgres::{PgTypeInfo, PgTypeKind};

use super::numeric::{fixed, malformed, numeric};
use crate::domain::encode::{Date, Hint, Scalar, encode};

/// Days and microseconds from 1970-01-01 to PostgreSQL's epoch, 2000-01-01.
const EPOCH_DAYS: i64 = 10_957;
const EPOCH_MICROS: i64 = EPOCH_DAYS * 86_400_000_000;

/// The binary format of a type.
#[derive(Clone, Debug)]
pub(crate) enum Codec {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    Text,
    /// One byte; zero is no character.
    Char,
    Uuid,
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
    Json,
    Jsonb,
    Bytea,
    Array(Box<Codec>),
    Unknown,
}

impl Codec {
    pub(super) fn of(info: &PgTypeInfo) -> Self {
        match info.kind() {
            PgTypeKind::Enum(_) => return Self::Text,
            PgTypeKind::Domain(base) => return Self::of(base),
            PgTypeKind::Array(element) => {
                return match Self::of(element) {
                    Self::Unknown => Self::Unknown,
                    codec => Self::Array(Box::new(codec)),
                };
            }
            _ => {}
        }
        // A type outside the search path is named with its schema, such as `extensions.citext`.
        let name = info.name().to_ascii_uppercase();
        if name.ends_with(".CITEXT") {
            return Self::Text;
        }
        match name.as_str() {
            "BOOL" => Self::Bool,
            "INT2" => Self::Int2,
            "INT4" => Self::Int4,
            "INT8" => Self::Int8,
            "OID" => Self::Oid,
            "FLOAT4" => Self::Float4,
            "FLOAT8" => Self::Float8,
            "NUMERIC" => Self::Numeric,
            "TEXT" | "VARCHAR" | "CHAR" | "BPCHAR" | "NAME" | "CITEXT" | "XML" | "UNKNOWN" => {
                Self::Text
            }
            "\"CHAR\"" => Self::Char,
            "UUID" => Self::Uuid,
            "DATE" => Self::Date,
            "TIME" => Self::Time,
            "TIMETZ" => Self::TimeTz,
            "TIMESTAMP" => Self::Timestamp,
            "TIMESTAMPTZ" => Self::TimestampTz,
            "JSON" => Self::Json,
            "JSONB" => Self::Jsonb,
            "BYTEA" => Self::Bytea,
            _ => Self::Unknown,
        }
    }

    pub(super) fn decode(
        &self,
        wire: &[u8],
        hint: Option<Hint>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let mut digits = String::new();
        let value = match self {
            Self::Array(element) => return decode_array(element, wire, hint, out),
            Self::Unknown => return Err("its type has no JSON form".into()),
            Self::Numeric => {
                numeric(wire, &mut digits)?;
                Scalar::Decimal(&digits)
            }
            Self::Bool => Scalar::Bool(fixed::<1>(wire)? != [0]),
            Self::Int2 => Scalar::Int(i16::from_be_bytes(fixed(wire)?).into()),
            Self::Int4 => Scalar::Int(i32::from_be_bytes(fixed(wire)?).into()),
            Self::Int8 => Scalar::Int(i64::from_be_bytes(fixed(wire)?)),
            Self::Oid => Scalar::Uint(u32::from_be_bytes(fixed(wire)?).into()),
            Self::Float4 => Scalar::Float32(f32::from_be_bytes(fixed(wire)?)),
            Self::Float8 => Scalar::Float64(f64::from_be_bytes(fixed(wire)?)),
            Self::Text => Scalar::Text(wire),
            Self::Char => Scalar::Text(wire.strip_suffix(&[0]).unwrap_or(wire)),
            Self::Uuid => Scalar::Uuid(fixed(wire)?),
            Self::Date => match i32::from_be_bytes(fixed(wire)?) {
                i32::MAX | i32::MIN => return Err("infinity is not a date".into()),
                days => Scalar::Date(Date::from_unix_days(i64::from(days) + EPOCH_DAYS)),
            },
            Self::Time => Scalar::Time { micros: i64::from_be_bytes(fixed(wire)?), utc: false },
            Self::TimeTz => time_tz(fixed(wire)?),
            Self::Timestamp | Self::TimestampTz => match i64::from_be_bytes(fixed(wire)?) {
                i64::MAX | i64::MIN => return Err("infinity is not a date-time".into()),
                micros => Scalar::date_time_from_unix_micros(
                    micros.saturating_add(EPOCH_MICROS),
                    matches!(self, Self::TimestampTz),
                ),
            },
            Self::Json => Scalar::Json(wire),
            // The first byte is the format's version.
            Self::Jsonb => Scalar::Json(wire.get(1..).ok_or_else(malformed)?),
            Self::Bytea => Scalar::Bytes(wire),
        };
        encode(value, hint, out)
    }
}

/// Microseconds since midnight, and the zone as seconds west of Greenwich.
fn time_tz(wire: [u8; 12]) -> Scalar<'static> {
    let (micros, zone) = wire.split_at(8);
    let micros = i64::from_be_bytes(micros.try_into().unwrap_or_default());
    let micros = match i32::from_be_bytes(zone.try_into().unwrap_or_default()) {
        // 24:00 is a time of its own here.
        0 => micros,
        west => (micros + i64::from(west) * 1_000_000).rem_euclid(86_400_000_000),
    };
    Scalar::Time { micros, utc: true }
}

/// Dimensions, then elements row by row; nested by dimension. A hint applies to the elements.
fn decode_array(
    element: &Codec,
    wire: &[u8],
    hint: Option<Hint>,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let hint = hint.filter(|hint| *hint != Hint::Json);
    let mut rest = wire;
    let int = |rest: &mut &[u8]| -> Result<i32, String> {
        let (head, tail) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
        *rest = tail;
        Ok(i32::from_be_bytes(*head))
    };
    let dimensions = int(&mut rest)?;
    int(&mut rest)?;
    int(&mut rest)?;
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        lengths.push(usize::try_from(int(&mut rest)?).map_err(|_| malformed())?);
        int(&mut rest)?;
    }
    if lengths.is_empty() {
        out.extend_from_slice(b"[]");
        return Ok(());
    }
    let total: usize = lengths.iter().product();
    for i in 0..total {
        open_or_separate(&lengths, i, out);
        let length = int(&mut rest)?;
        match usize::try_from(length) {
            Err(_) => out.extend_from_slice(b"null"),
            Ok(length) => {
                let (value, tail) = rest.split_at_checked(length).ok_or_else(malformed)?;
                rest = tail;
                element.decode(value, hint, out)?;
            }
        }
    }
    out.extend(std::iter::repeat_n(b']', lengths.len()));
    Ok(())
}

/// The brackets and the comma before element `i`.
fn open_or_separate(lengths: &[usize], i: usize, out: &mut Vec<u8>) {
    let mut size = 1;
    let mut closed = 0;
    for length in lengths.iter().rev() {
        size *= length;
        if i.is_multiple_of(size) {
            closed += 1;
        }
    }
    if i > 0 {
        out.extend(std::iter::repeat_n(b']', closed));
        out.push(b',');
    }
    out.extend(std::iter::repeat_n(b'[', closed));
}
