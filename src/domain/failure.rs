//! What went wrong, in words a person can act on.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::place::{Missing, Spot};
use super::redaction;
use super::wording::without_number;

/// The class of a failure; it decides the exit code and whether the run can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The command line asks for something that does not exist.
    Usage,
    /// Configuration or a definition is invalid.
    Config,
    /// The database does not answer.
    SourceUnreachable,
    /// The database refuses: password, role, privilege.
    SourceDenied,
    /// The database does not let this user read what one query reads.
    NotGranted,
    /// A query broke off for an outside reason: the same query may succeed now.
    SourceLost,
    /// We ended our query because another session waited for its locks: it may succeed later.
    GaveWay,
    /// A query failed; the next query may work.
    Query,
    /// The database had no time or no memory for the query.
    SourceBusy,
    /// The cache does not answer.
    CacheUnreachable,
    /// The cache refuses: password, user, permission.
    CacheDenied,
    /// The cache answers and cannot take more: full, read-only, unable to persist.
    CacheRefused,
    /// Another run works on the same strategies.
    Busy,
    /// A bug.
    Internal,
}

/// A failure with its cause and the next step. Never holds a secret or a driver's own rendering.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    pub kind: FailureKind,
    /// What failed: "cannot reach the database at db:5432".
    pub what: String,
    /// Why: the server's own words, shortened.
    pub why: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Where in our query the database found it; for those who know what the query is made of.
    pub spot: Option<Box<Spot>>,
    /// What the query names there and the database does not have.
    pub missing: Option<Missing>,
    /// The reason without its place, where other definitions may have the same.
    pub cause: Option<String>,
}

impl Failure {
    /// Redacts URLs in the texts: somebody may have put one in the wrong place. The numbers of the system's errors help
    /// nobody.
    pub fn new(kind: FailureKind, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            kind,
            what: redaction::text(&what.into()).into_owned(),
            why: without_number(&redaction::text(&why.into())),
            hint: None,
            spot: None,
            missing: None,
            cause: None,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The failure as a line about `subject`, without repeating it.
    pub fn about(&self, subject: &str) -> String {
        about(&self.to_string(), subject)
    }

    /// Whether a query was interrupted: the same query may succeed on a retry.
    pub fn is_interruption(&self) -> bool {
        matches!(self.kind, FailureKind::SourceLost | FailureKind::GaveWay)
    }

    /// Whether the cache itself failed: gone, or unable to store anything.
    pub fn ends_run_of_cache(&self) -> bool {
        matches!(self.kind, FailureKind::CacheUnreachable | FailureKind::CacheRefused)
    }

    /// Whether the run cannot go on: a server is gone or refuses everything.
    pub fn ends_run(&self) -> bool {
        !matches!(
            self.kind,
            FailureKind::SourceLost
                | FailureKind::GaveWay
                | FailureKind::Query
                | FailureKind::SourceBusy
                | FailureKind::Config
                | FailureKind::NotGranted
        )
    }

    /// Whether waiting may help: a server does not answer, or is not ready (cluster nodes have no
    /// slots yet, sentinels still name a replica).
    pub fn may_pass(&self) -> bool {
        self.is_unreachable() || self.kind == FailureKind::CacheRefused
    }

    /// Whether the database or the cache does not answer.
    pub fn is_unreachable(&self) -> bool {
        matches!(self.kind, FailureKind::SourceUnreachable | FailureKind::CacheUnreachable)
    }

    /// Whether the history should record that a run could not start because of it. A person who
    /// mistyped a name at the command line knows already.
    pub fn is_worth_recording(&self) -> bool {
        !matches!(
            self.kind,
            FailureKind::Usage
                | FailureKind::Busy
                | FailureKind::CacheUnreachable
                | FailureKind::CacheDenied
                | FailureKind::Internal
        )
    }

    /// Whether a full read may succeed instead. A server that is gone will not answer that either.
    pub fn may_fit_a_full_read(&self) -> bool {
        matches!(
            self.kind,
            FailureKind::Query
                | FailureKind::SourceBusy
                | FailureKind::CacheRefused
                | FailureKind::CacheDenied
        )
    }

    /// Whether it concerns one definition: invalid, or asking for what the database does not have or
    /// does not grant. It costs that strategy only.
    pub fn is_unfit(&self) -> bool {
        matches!(self.kind, FailureKind::Config | FailureKind::NotGranted)
    }
}

/// A failure's text as a line about `subject`, without repeating it: of `a/b (c.toml): why`, the
/// line about `a/b` is `c.toml: why`.
pub fn about(text: &str, subject: &str) -> String {
    let Some(rest) = text.strip_prefix(subject) else {
        return text.to_owned();
    };
    let rest = rest.trim_start_matches([' ', ':']);
    match rest.strip_prefix('(').and_then(|r| r.split_once("): ")) {
        Some((place, why)) => format!("{place}: {why}"),
        None => rest.to_owned(),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.why {
            why if why.is_empty() => Ok(()),
            // A list with one item per line.
            why if why.starts_with('\n') => write!(f, ":{why}"),
            why => write!(f, ": {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_ends_in_a_blank() {
        let shown = |why: &str| Failure::new(FailureKind::Config, "two fail", why).to_string();
        assert_eq!(shown(""), "two fail");
        assert_eq!(shown("so"), "two fail: so");
        assert_eq!(shown("\n  a\n  b"), "two fail:\n  a\n  b");
    }
}
