//! Whether what a run writes is protected against changes that overtake it.

use std::sync::Arc;

use super::precision::Precision;

/// Why a strategy without a version is not protected.
pub const NO_VERSION: &str = "no _version in the query";

/// Whether a strategy's entries are protected against changes that overtake them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Each is read again after the write, and undone if it has become stale.
    Verified,
    /// The same, but the later of two changes within a second may go unnoticed.
    ToTheSecond,
    /// The same within a day.
    ToTheDay,
    /// Switched off by the operator.
    Off,
    /// Its query selects no version.
    NoVersion,
    /// Its version does not come from all tables that its values do: why, for people.
    Partial(Arc<str>),
    /// Its keys cannot be looked up again.
    Opaque,
    /// The database is a replica, which may lag.
    Replica,
    /// The database refuses writes: it may be such a copy.
    ReadOnly,
    /// The database does not say whether it is one.
    NotKnown,
}

impl Protection {
    pub fn is_protected(&self) -> bool {
        matches!(self, Self::Verified | Self::ToTheSecond)
    }

    /// Whether it comes of the definition itself, and not of how it is run.
    pub fn is_by_definition(&self) -> bool {
        use Protection::{NotKnown, Off, ReadOnly, Replica, Verified};
        !matches!(self, Verified | Off | Replica | ReadOnly | NotKnown)
    }

    /// The protection that versions of this precision give.
    #[must_use]
    pub fn limited_to(self, finest: Precision) -> Self {
        match (self, finest) {
            (Self::Verified | Self::ToTheSecond | Self::ToTheDay, finest) => match finest {
                Precision::Exact => Self::Verified,
                Precision::Second => Self::ToTheSecond,
                Precision::Day => Self::ToTheDay,
            },
            (other, _) => other,
        }
    }

    /// Why it is not protected.
    pub fn why_not(&self) -> Option<&str> {
        match self {
            Self::Verified | Self::ToTheSecond => None,
            Self::ToTheDay => Some("_version is a date, which changes once a day"),
            Self::Off => Some("--no-verify-writes"),
            Self::NoVersion => Some(NO_VERSION),
            Self::Partial(why) => Some(why),
            Self::Opaque => Some("keys cannot be looked up again"),
            Self::NotKnown => Some("the database does not say whether it is a replica"),
            Self::Replica => Some("the database is a replica; give --primary-url"),
            Self::ReadOnly => Some(
                "the database refuses writes: a replica or a standby reader; give --primary-url",
            ),
        }
    }
}
