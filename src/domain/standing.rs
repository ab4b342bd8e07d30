//! What the cache holds at a key that a run would write.

use std::iter::Sum;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::strategy::Shape;
use super::value::{Collection, Value};

/// What the cache holds at one key, compared with what a run would store there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Nothing,
    Held(Held),
    /// The cache would not say; in its own words why.
    Unknown(String),
    /// There is no cache to ask.
    NotAsked,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub kind: Kind,
    /// The value's bytes, without the key; `None` where counting them would mean reading it.
    pub bytes: Option<u64>,
    /// `None`: it never expires.
    pub ttl: Option<Duration>,
    /// Whether a reader would get what a run would store.
    pub equal: bool,
}

/// The type of a stored value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A JSON document.
    Json,
    Hash,
    Set,
    SortedSet,
    /// Named as the cache names it.
    Other(String),
}

impl Kind {
    /// By the name that Redis gives it.
    pub fn named(name: &str) -> Self {
        match name {
            "string" => Self::Text,
            "hash" => Self::Hash,
            "set" => Self::Set,
            "zset" => Self::SortedSet,
            "ReJSON-RL" | "json" => Self::Json,
            other => Self::Other(other.to_owned()),
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Text => "string",
            Self::Json => "json",
            Self::Hash => "hash",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Other(name) => name,
        }
    }

    /// The type that values of a shape are stored as.
    pub fn of(shape: Shape) -> Self {
        match shape {
            Shape::Json => Self::Json,
            Shape::Hash | Shape::HashOfRows => Self::Hash,
            Shape::Set => Self::Set,
            Shape::SortedSet => Self::SortedSet,
            Shape::Object | Shape::List | Shape::Map | Shape::Tree | Shape::Text => Self::Text,
        }
    }
}

impl From<Collection> for Kind {
    fn from(collection: Collection) -> Self {
        match collection {
            Collection::Hash => Self::Hash,
            Collection::Set => Self::Set,
            Collection::SortedSet => Self::SortedSet,
        }
    }
}

impl From<Value<'_>> for Kind {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Text(_) => Self::Text,
            Value::Json(_) => Self::Json,
            Value::Collection(collection, _) => collection.into(),
        }
    }
}

/// The one class that a planned key is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "kebab-case")]
pub enum Class {
    /// A value of another type.
    WrongType,
    Missing,
    /// Another value.
    Different,
    /// The value, but not for much longer.
    Expiring,
    Identical,
}

impl Class {
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Standing {
    /// The first class that fits; `None` where it is not known.
    pub fn class(&self, wanted: &Kind, expiring_within: Duration) -> Option<Class> {
        match self {
            Self::Unknown(_) | Self::NotAsked => None,
            Self::Nothing => Some(Class::Missing),
            Self::Held(held) if held.kind != *wanted => Some(Class::WrongType),
            Self::Held(held) if !held.equal => Some(Class::Different),
            Self::Held(held) if held.ttl.is_some_and(|ttl| ttl <= expiring_within) => {
                Some(Class::Expiring)
            }
            Self::Held(_) => Some(Class::Identical),
        }
    }
}

/// How many planned keys are in each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Classes {
    pub wrong_type: u64,
    pub missing: u64,
    pub different: u64,
    pub expiring: u64,
    pub identical: u64,
}

impl Classes {
    pub fn count(&mut self, class: Class) {
        *match class {
            Class::WrongType => &mut self.wrong_type,
            Class::Missing => &mut self.missing,
            Class::Different => &mut self.different,
            Class::Expiring => &mut self.expiring,
            Class::Identical => &mut self.identical,
        } += 1;
    }

    pub fn total(&self) -> u64 {
        self.present() + self.missing
    }

    /// Keys with any value.
    pub fn present(&self) -> u64 {
        self.equal() + self.stale()
    }

    /// Keys with the value that the database has now.
    pub fn equal(&self) -> u64 {
        self.expiring + self.identical
    }

    /// Keys with another value.
    pub fn stale(&self) -> u64 {
        self.different + self.wrong_type
    }
}

impl Sum for Classes {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, more| Self {
            wrong_type: sum.wrong_type + more.wrong_type,
            missing: sum.missing + more.missing,
            different: sum.different + more.different,
            expiring: sum.expiring + more.expiring,
            identical: sum.identical + more.identical,
        })
    }
}
