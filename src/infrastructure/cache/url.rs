//! What every cache says of its URL.

use std::path::PathBuf;

use crate::domain::failure::{Failure, FailureKind};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Write,
    /// Nothing is made, not even a cache file that is not there yet: it is as good as empty.
    Look,
}

/// What a cache's URL does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Authorities that a Redis is trusted by, in a PEM file; else the system's.
    pub ca: Option<PathBuf>,
    /// Our certificate, for a Redis that wants one.
    pub cert: Option<PathBuf>,
    /// The key to `cert`.
    pub key: Option<PathBuf>,
}

pub(super) fn invalid_url(why: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Config, "the cache URL is not valid", why)
        .hint("it looks like redis://USER:PASSWORD@HOST:6379/0 or sqlite:FILE")
}
