//! What every cache says of its URL.

use crate::domain::failure::{Failure, FailureKind};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Write,
    /// Nothing is made, not even a cache file that is not there yet: it is as good as empty.
    Look,
}

pub(super) fn invalid_url(why: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Config, "the cache URL is not valid", why)
        .hint("it looks like redis://USER:PASSWORD@HOST:6379/0 or sqlite:FILE")
}
