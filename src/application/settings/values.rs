//! Texts, choices and lists in settings.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ArgMatches;
use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde_json::Value;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};

use super::group::Setting;
use crate::application::ports::Mode;
use crate::application::run_state::options::OnEviction;
use crate::application::run_state::options::ShapeGuard;
use crate::domain::percent::Percent;
use crate::domain::session_zone::SessionZone;
use crate::domain::settings_text::parse_ttl;
use crate::domain::wording::exactly;

impl Setting for PathBuf {}
impl Setting for String {}
impl Setting for std::net::SocketAddr {}

impl Setting for bool {
    const TYPE: Type = Type::Boolean;
}

impl<T: DeserializeOwned + Clone + Send + Sync + 'static> Setting for Vec<T> {
    fn given(matches: &ArgMatches, id: &str) -> Option<Self> {
        let all = matches.try_get_many(id).ok().flatten()?;
        Some(all.cloned().collect())
    }

    fn schema(description: &str) -> Schema {
        let types = SchemaType::from_iter([Type::Array, Type::Null]);
        let items = ObjectBuilder::new().schema_type(Type::String);
        let list = ArrayBuilder::new().schema_type(types).items(items);
        list.description(Some(description)).into()
    }
}

/// A value that is written as text.
macro_rules! text {
    ($($type:ty),*) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl $crate::application::settings::group::Setting for $type {}
    )*};
}
pub(crate) use text;

text!(Span, SpanOrZero, Latency, Percent, SessionZone);

/// A duration within a range.
macro_rules! duration {
    ($($(#[$doc:meta])* $type:ident: $parse:expr,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $type(pub Duration);

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                $parse(text).map(Self)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                exactly(self.0).fmt(f)
            }
        }
    )*};
}

duration! {
    /// From 1 ms to 100 years.
    Span: parse_ttl,
    /// The same, or zero.
    SpanOrZero: parse_or_zero,
    /// A latency threshold.
    Latency: parse_latency,
}

fn parse_or_zero(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(span) if span.is_zero() => Ok(span),
        _ => parse_ttl(text),
    }
}

fn parse_latency(text: &str) -> Result<Duration, String> {
    let range = Duration::from_micros(10)..=Duration::from_mins(1);
    let latency = humantime::parse_duration(text).ok();
    latency.filter(|latency| range.contains(latency)).ok_or_else(|| {
        format!("`{text}` is not a duration from 10us to 1min, such as 2ms or 500us")
    })
}

/// One of several words.
macro_rules! choice {
    ($($type:ty),*) => {$(
        impl $crate::application::settings::group::Setting for $type {
            fn bounds(
                schema: utoipa::openapi::schema::ObjectBuilder,
            ) -> utoipa::openapi::schema::ObjectBuilder {
                use clap::ValueEnum;
                let values = <$type>::value_variants().iter();
                let values = values.filter_map(ValueEnum::to_possible_value);
                let values = values.map(|value| value.get_name().into());
                schema.enum_values(Some(values.chain([serde_json::Value::Null])))
            }
        }
    )*};
}
pub(crate) use choice;

choice!(Mode, OnEviction, ShapeGuard);

/// One name, or a list of names; with `all` in the list it means everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Names(pub Vec<String>);

impl Names {
    fn new(all: impl IntoIterator<Item = String>) -> Self {
        let mut names: Vec<String> = Vec::new();
        for name in all {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        match names.iter().any(|name| name == "all") {
            true => Self(vec!["all".to_owned()]),
            false => Self(names),
        }
    }
}

impl FromStr for Names {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self::new(text.split(',').map(str::to_owned)))
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::String(name) => Ok(Self(vec![name])),
            Value::Array(list) if list.is_empty() => Err(D::Error::custom("the list is empty")),
            Value::Array(list) if list.iter().all(Value::is_string) => {
                let names = list.iter().filter_map(Value::as_str);
                Ok(Self::new(names.map(str::to_owned)))
            }
            _ => Err(D::Error::custom(
                r#"expected "all", or a list of "context" and "context/strategy" names"#,
            )),
        }
    }
}

impl Setting for Names {
    fn given(matches: &ArgMatches, id: &str) -> Option<Self> {
        let all = matches.try_get_many::<Self>(id).ok().flatten()?;
        Some(Self::new(all.flat_map(|names| names.0.clone())))
    }
}
