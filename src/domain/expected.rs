//! How many keys a selection has, as far as known.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The size of a selection: counted, or estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    pub keys: u64,
    pub is_exact: bool,
}

impl Expected {
    /// Counted.
    pub const fn exactly(keys: u64) -> Self {
        let is_exact = true;
        Self { keys, is_exact }
    }

    /// Estimated.
    pub const fn about(keys: u64) -> Self {
        let is_exact = false;
        Self { keys, is_exact }
    }

    /// At most `limit` keys of the selection are wanted.
    #[must_use]
    pub fn limited(self, limit: Option<u64>) -> Self {
        let keys = self.keys.min(limit.unwrap_or(u64::MAX));
        Self { keys, ..self }
    }

    /// What is still known once `read` keys have been read and more may come. An estimate that has
    /// been reached says nothing about the rest.
    pub fn beyond(self, read: u64) -> Option<Self> {
        let is_whole = if self.is_exact { self.keys >= read } else { self.keys > read };
        is_whole.then_some(self)
    }

    /// All of them together; `None` where one of them is not known, or none is.
    pub fn sum(all: impl Iterator<Item = Option<Self>>) -> Option<Self> {
        let both = |sum: Option<Self>, next: Option<Self>| {
            let (sum, next) = (sum?, next?);
            Some(Self {
                keys: sum.keys.saturating_add(next.keys),
                is_exact: sum.is_exact && next.is_exact,
            })
        };
        all.reduce(both).flatten()
    }
}

/// How many keys there are, as it is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Size {
    /// How many keys there are; null where that is not known. Of a strategy that was read to its end
    /// it is the total, of another one it is never less than what was read.
    #[schema(required = true)]
    pub expected: Option<u64>,
    /// Whether `expected` was counted; else it is an estimate.
    pub expected_is_exact: bool,
}

impl From<Option<Expected>> for Size {
    fn from(expected: Option<Expected>) -> Self {
        Self {
            expected: expected.map(|expected| expected.keys),
            expected_is_exact: expected.is_some_and(|expected| expected.is_exact),
        }
    }
}

impl Size {
    pub fn known(self) -> Option<Expected> {
        let is_exact = self.expected_is_exact;
        self.expected.map(|keys| Expected { keys, is_exact })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_that_was_reached_is_no_whole() {
        assert_eq!(Expected::about(10).beyond(9), Some(Expected::about(10)));
        assert_eq!(Expected::about(10).beyond(10), None);
        assert_eq!(Expected::exactly(10).beyond(10), Some(Expected::exactly(10)));
        assert_eq!(Expected::exactly(10).beyond(11), None);
    }

    #[test]
    fn a_sum_knows_no_more_than_its_parts() {
        let (ten, about) = (Some(Expected::exactly(10)), Some(Expected::about(5)));
        assert_eq!(Expected::sum([ten, ten].into_iter()), Some(Expected::exactly(20)));
        assert_eq!(Expected::sum([ten, about].into_iter()), Some(Expected::about(15)));
        assert_eq!(Expected::sum([ten, None].into_iter()), None);
        // A run that did not begin knows of no strategy.
        assert_eq!(Expected::sum(std::iter::empty()), None);
    }
}
