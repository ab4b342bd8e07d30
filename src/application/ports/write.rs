//! How a batch is written, and what became of it.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::digest::Digest;
use crate::domain::failure::Failure;
use crate::domain::standing::Standing;
use crate::domain::ttl::Ttl;

#[derive(Clone, Debug)]
pub struct WriteOptions {
    pub mode: Mode,
    pub ttl: Ttl,
    /// The field of a value that says how new it is: one that is newer is not written over.
    pub version_field: Option<Arc<str>>,
}

/// What happens to a key that is in the cache already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is written over.
    Refresh,
    /// It stays as it is.
    OnlyMissing,
}

/// What became of a batch.
#[derive(Debug)]
pub struct Written {
    /// One outcome for each entry, in the batch's order.
    pub outcomes: Vec<WriteOutcome>,
    /// Set when the cache can take nothing more; the run ends with it.
    pub fatal: Option<Failure>,
    pub checked: Checked,
}

/// What was found beside the outcomes.
#[derive(Debug, Default)]
pub struct Checked {
    /// The places of entries that stood there already: stored, with a new time, and not sent.
    pub identical: Vec<usize>,
    /// Entries that had become stale and were written again.
    pub repaired: u64,
    /// The places of entries that were written again, and what was written then.
    pub rewritten: Vec<(usize, Digest)>,
    /// Entries that had become stale and are left out.
    pub withdrawn: u64,
    /// Entries of which nobody could say whether they are stale.
    pub unverified: u64,
    /// The longest time that a stale entry may have been served.
    pub exposure: Duration,
    /// Why it was not possible.
    pub failure: Option<Failure>,
}

impl Written {
    /// A batch that nobody waits for any more.
    pub fn unknown(entries: usize, why: &str) -> Self {
        Self {
            outcomes: vec![WriteOutcome::Unknown(why.to_owned()); entries],
            fatal: None,
            checked: Checked::default(),
        }
    }
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
    /// Not written, only looked at.
    Seen(Standing),
}
