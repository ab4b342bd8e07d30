//! Numbers in settings.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use super::group::Setting;
use crate::domain::quantity::Quantity;

/// A whole number from 1 to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Count<const MAX: u64 = { u64::MAX }>(u64);

/// The largest whole number of a database.
const LARGEST: u64 = i64::MAX as u64;

impl<const MAX: u64> Count<MAX> {
    pub const fn new(n: u64) -> Self {
        Self(n)
    }

    pub fn get(self) -> u64 {
        self.0
    }

    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// Reads a plain number.
    ///
    /// # Errors
    /// It is not in the range, or does not fit its type.
    pub fn number<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
        let n = Self::from_str(text)?.0;
        T::try_from(n).map_err(|_| format!("{n} is too large"))
    }

    fn within(n: i128) -> Result<Self, String> {
        match u64::try_from(n) {
            Ok(fits) if fits > 0 && fits <= MAX => Ok(Self(fits)),
            _ if MAX >= LARGEST && n < 1 => Err(format!("{n} is less than 1")),
            _ => Err(format!("{n} is not from 1 to {MAX}")),
        }
    }
}

impl<const MAX: u64> FromStr for Count<MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let n = text.parse().map_err(|_| format!("`{text}` is not a whole number"))?;
        Self::within(n)
    }
}

impl<'de, const MAX: u64> Deserialize<'de> for Count<MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::within(i64::deserialize(from)?.into()).map_err(D::Error::custom)
    }
}

impl<const MAX: u64> Setting for Count<MAX> {
    const TYPE: Type = Type::Integer;

    fn bounds(schema: ObjectBuilder) -> ObjectBuilder {
        let max = (MAX < LARGEST).then(|| usize::try_from(MAX).unwrap_or(usize::MAX));
        schema.minimum(Some(1_usize)).maximum(max)
    }
}

/// A maximum rate per second, or no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit(pub Option<u64>);

impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            text => Quantity::from_str(text).map(|amount| Self(Some(amount.get()))),
        }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(rate) => rate.fmt(f),
            None => f.write_str("none"),
        }
    }
}

impl Serialize for RateLimit {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for RateLimit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(from)? {
            Value::String(text) => text,
            Value::Number(n) if n.is_u64() => n.to_string(),
            other => return Err(D::Error::custom(format!("{other} is not a whole number"))),
        };
        text.parse().map_err(D::Error::custom)
    }
}

impl Setting for RateLimit {
    fn null() -> Option<Self> {
        Some(Self(None))
    }

    fn schema(description: &str) -> Schema {
        let types = [Type::Integer, Type::String, Type::Null];
        let description = format!("{description}; null: no limit");
        let schema = ObjectBuilder::new().schema_type(SchemaType::from_iter(types));
        schema.description(Some(description)).minimum(Some(1_usize)).into()
    }
}
