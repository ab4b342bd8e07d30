//! What became of the entries that were written.

use std::time::Duration;

use super::digest::Digest;
use super::failure::Failure;
use super::standing::{Class, Standing};

/// What became of a batch.
#[derive(Debug)]
pub struct Written {
    /// One outcome per entry, in the batch's order.
    pub outcomes: Vec<WriteOutcome>,
    /// Set when the cache accepts nothing more; the run ends with it.
    pub fatal: Option<Failure>,
    pub checked: Checked,
    /// Bytes of the keys and values that were stored, where the values are not at hand.
    pub bytes: Option<u64>,
}

/// What was found besides the outcomes.
#[derive(Debug, Default)]
pub struct Checked {
    /// Indexes of entries that were there already: stored, TTL refreshed, not sent.
    pub identical: Vec<usize>,
    /// Entries that had become stale and were written again.
    pub repaired: u64,
    /// Indexes of entries that were written again, and the digest of what was written.
    pub rewritten: Vec<(usize, Digest)>,
    /// Entries that had become stale and were deleted.
    pub withdrawn: u64,
    /// Entries that may be stale.
    pub unverified: u64,
    /// The longest time that a stale entry may have been served.
    pub exposure: Duration,
    /// Why the recheck failed.
    pub failure: Option<Failure>,
}

impl Written {
    pub fn new(outcomes: Vec<WriteOutcome>) -> Self {
        Self { outcomes, fatal: None, checked: Checked::default(), bytes: None }
    }

    /// What is at each entry's key, where it was inspected and not written.
    pub fn inspected(&self) -> Option<Vec<Inspected>> {
        let inspected = self.outcomes.iter().map(|outcome| match outcome {
            WriteOutcome::Inspected(inspected) => Some(inspected.clone()),
            _ => None,
        });
        inspected.collect::<Option<Vec<_>>>().filter(|all| !all.is_empty())
    }

    /// A batch of which no outcome is known.
    pub fn unknown(entries: usize, why: &str) -> Self {
        Self::new(vec![WriteOutcome::Unknown(why.to_owned()); entries])
    }
}

/// What is at an entry's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    pub standing: Standing,
    /// `None`: it is not known.
    pub class: Option<Class>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    Stored,
    AlreadyPresent,
    Failed(String),
    /// Written, overtaken by the application, and deleted again.
    Withdrawn,
    /// Sent, and no answer came.
    Unknown(String),
    /// Not written, only compared with what is there.
    Inspected(Inspected),
}
