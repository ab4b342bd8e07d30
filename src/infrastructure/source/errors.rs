//! Server errors.

use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::{printable, shortened};
use crate::domain::place::Spot;

pub(super) const TIMEOUT_HINT: &str = "--statement-timeout sets how long we wait for the database";

pub(super) const SCHEMA_HINT: &str = "the definitions expect other tables or columns than this database has: change sql in a file \
     given with --contexts (`shopwarm strategies -v` shows what each one reads)";

/// A parsed server error.
pub(super) struct Explained {
    pub(super) kind: FailureKind,
    pub(super) message: String,
    /// Where in the statement, as it was sent.
    pub(super) spot: Option<Spot>,
    pub(super) hint: Option<&'static str>,
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
