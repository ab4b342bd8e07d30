//! Whether what a run writes is protected against changes that overtake it.

use super::precision::Precision;

/// Whether a strategy's entries are protected against changes that overtake them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Each is read again after it was written, and undone where it had become stale.
    Verified,
    /// The same; but of two changes within a second the later one may not be seen.
    ToTheSecond,
    /// The same within a day.
    ToTheDay,
    /// Switched off by the operator.
    Off,
    /// Its query says no version.
    NoVersion,
    /// Its keys cannot be looked up again.
    Opaque,
    /// The database is a copy that may be behind.
    Replica,
    /// The database refuses writes: it may be such a copy.
    ReadOnly,
    /// Whether it is one could not be learned.
    NotKnown,
}

impl Protection {
    pub fn is_protected(self) -> bool {
        matches!(self, Self::Verified | Self::ToTheSecond)
    }

    /// What it is where its versions are as fine as this at best.
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

    /// Why it is not.
    pub fn why_not(self) -> Option<&'static str> {
        match self {
            Self::Verified | Self::ToTheSecond => None,
            Self::ToTheDay => Some("its _version is a date, which changes once a day"),
            Self::Off => Some("--no-verify-writes"),
            Self::NoVersion => Some("its query selects no _version"),
            Self::Opaque => Some("its keys cannot be looked up again"),
            Self::NotKnown => Some("the database does not say whether it is a replica"),
            Self::Replica => Some("the database is a replica; give --primary-url"),
            Self::ReadOnly => Some(
                "the database refuses writes: a replica or a standby reader; give --primary-url",
            ),
        }
    }
}
