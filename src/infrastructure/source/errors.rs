//! Server errors.

use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::{printable, shortened};
use crate::domain::place::{Missing, Spot};

pub(super) const TIMEOUT_HINT: &str = "--statement-timeout sets how long we wait for the database";

pub(super) const SCHEMA_HINT: &str =
    "correct the query, or let `shopwarm init` write definitions that fit this database";

/// A parsed server error.
pub(super) struct Explained {
    pub(super) kind: FailureKind,
    pub(super) message: String,
    /// Where in the statement, as it was sent.
    pub(super) spot: Option<Spot>,
    pub(super) hint: Option<&'static str>,
    /// What the statement names and the database does not have.
    pub(super) missing: Option<Missing>,
}

/// A server's message, made printable: it may quote a row's data.
pub(super) fn tidy(message: &str) -> String {
    let line = message.lines().collect::<Vec<_>>().join(" ");
    shortened(&printable(line.as_bytes()), 300)
}

pub(super) fn invalid_url(why: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Config, "the database URL is not valid", why)
        .hint("it looks like postgres://USER:PASSWORD@HOST/DATABASE, mysql://USER:PASSWORD@HOST/DATABASE or sqlite:FILE")
}
