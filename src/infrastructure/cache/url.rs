//! Errors and options that all caches share.

use std::path::PathBuf;
use std::time::Duration;

use crate::application::ports::FreshUrl;
use crate::domain::failure::{Failure, FailureKind};

/// The purpose of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Write,
    /// Read only: does not create a cache file.
    Read,
}

/// Options besides the URL.
#[derive(Clone, Default)]
pub struct ConnectOptions {
    /// CA certificates (PEM) to verify a Redis server with; default: the system's.
    pub ca: Option<PathBuf>,
    /// Client certificate, if the server requires one.
    pub cert: Option<PathBuf>,
    /// Private key of `cert`.
    pub key: Option<PathBuf>,
    /// Where servers are reached that a cluster or sentinels announce: `ANNOUNCED=REACHABLE`.
    pub nodes: Vec<String>,
    /// How long to wait for a server that fails over; default: a minute for one that has become a
    /// replica, 15 seconds for one that does not answer.
    pub failover_timeout: Option<Duration>,
    /// Gives the URL again, if its password may change.
    pub fresh_url: Option<FreshUrl>,
}

pub(super) fn invalid_url(why: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Config, "the cache URL is not valid", why)
        .hint("it looks like redis://USER:PASSWORD@HOST:6379/0 or sqlite:FILE")
}
