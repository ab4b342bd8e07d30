//! Failures of a database.

use std::io::ErrorKind;
use std::time::Duration;

use super::driver::Driver;
use super::errors::{Explained, TIMEOUT_HINT};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::wording::exactly;

/// Start of the driver's error for a password without TLS.
const NO_RSA: &str = "RSA auth backend disabled";

pub(super) fn lost(place: &str, label: &str, why: &str) -> Failure {
    let what = format!("{label}: lost the database at {place} in the middle of the query");
    Failure::new(FailureKind::SourceLost, what, why)
        .hint("what was written is in the cache; run again when the database is back")
}

pub(super) fn stayed_away(place: &str, longest: Duration, failure: Failure) -> Failure {
    let what = format!("lost the database at {place} in the middle of the run");
    let why = format!("not back within {} s: {}", longest.as_secs(), failure.why);
    Failure::new(failure.kind, what, why)
        .hint("what was written is in the cache; run again when the database is back")
}

pub(super) fn unreachable_because(place: &str, why: impl Into<String>) -> Failure {
    let what = format!("cannot reach the database at {place}");
    Failure::new(FailureKind::SourceUnreachable, what, why)
        .hint("check that it is running and that the database URL has the right host and port")
}

pub(super) fn kept_waiting(place: &str, longest: Duration) -> Failure {
    let what = format!("no session with the database at {place}");
    let why = format!("a pooler answers there, but gave us no session for {} s", longest.as_secs());
    Failure::new(FailureKind::SourceUnreachable, what, why).hint(
        "other clients may use all sessions of its pool (default_pool_size), or the database behind it is down",
    )
}

/// Why no session can be opened.
pub(super) fn unreachable<D: Driver>(driver: &D, error: &sqlx::Error) -> Failure {
    let place = driver.place();
    match error {
        sqlx::Error::Database(error) => {
            let explained = D::explain(error.as_ref());
            let kind = match explained.kind {
                FailureKind::Query | FailureKind::SourceBusy | FailureKind::SourceLost => {
                    FailureKind::SourceUnreachable
                }
                FailureKind::NotGranted => FailureKind::SourceDenied,
                kind => kind,
            };
            let what = match kind {
                FailureKind::SourceDenied => {
                    format!("the database at {place} refused the login")
                }
                _ => format!("cannot use the database at {place}"),
            };
            let mut failure = Failure::new(kind, what, explained.message);
            failure.hint = explained.hint.map(str::to_owned);
            failure
        }
        // TLS errors arrive as invalid data.
        sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
            tls_failure(&place, &error.to_string())
        }
        sqlx::Error::Io(error) => unreadable_certificate(driver, error.kind())
            .unwrap_or_else(|| unreachable_because(&place, error.to_string())),
        sqlx::Error::Tls(error) => tls_failure(&place, &error.to_string()),
        sqlx::Error::Configuration(error) => misconfigured(&place, &error.to_string()),
        _ => unreachable_because(&place, "it answers, but not like a database"),
    }
}

/// TLS errors do not go away by waiting.
fn tls_failure(place: &str, error: &str) -> Failure {
    let what = format!("cannot set up TLS with the database at {place}");
    Failure::new(FailureKind::Config, what, error)
        .hint("check the certificate, sslmode/ssl-mode and the root certificate in the URL")
}

/// An unreadable file in the URL, which the driver reports as a connection error.
fn unreadable_certificate<D: Driver>(driver: &D, kind: ErrorKind) -> Option<Failure> {
    if !matches!(kind, ErrorKind::NotFound | ErrorKind::PermissionDenied) {
        return None;
    }
    let files = driver.certificates().into_iter();
    let mut failed = files.filter_map(|(parameter, file)| {
        let error = std::fs::File::open(&file).err()?;
        let what = format!("{parameter} in the database URL: cannot read {file}");
        Some(Failure::new(FailureKind::Config, what, error.to_string()))
    });
    failed.next()
}

/// Configuration errors reported by the driver.
fn misconfigured(place: &str, error: &str) -> Failure {
    if error.starts_with(NO_RSA) {
        let what = format!("cannot log in to the database at {place}");
        let why = "its password method (caching_sha2_password or sha256_password) sends the \
                   password, and the connection is not encrypted";
        return Failure::new(FailureKind::Config, what, why).hint(
            "use TLS: turn it on at the server, and set ssl-mode=REQUIRED in the database URL",
        );
    }
    let what = format!("cannot use the database at {place}");
    Failure::new(FailureKind::Config, what, error).hint("check the parameters in the database URL")
}

/// A failed statement.
pub(super) fn of_query<D: Driver>(driver: &D, label: &str, error: &sqlx::Error) -> Failure {
    let place = &driver.place();
    match error {
        sqlx::Error::Database(error) => {
            let explained = D::explain(error.as_ref());
            if is_lost(&explained) {
                let mut failure = lost(place, label, &explained.message);
                failure.hint = explained.hint.map(str::to_owned).or(failure.hint);
                return failure;
            }
            let what = format!("{label}: the database at {place} refused the query");
            let kind = match explained.kind {
                FailureKind::Config => FailureKind::Query,
                kind => kind,
            };
            Failure {
                hint: explained.hint.map(str::to_owned),
                spot: explained.spot.map(Box::new),
                missing: explained.missing,
                ..Failure::new(kind, what, explained.message)
            }
        }
        sqlx::Error::Io(error) => lost(place, label, &error.to_string()),
        sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            lost(place, label, "the connection broke off")
        }
        _ => {
            let what = format!("{label}: the database at {place} sent an unexpected answer");
            Failure::new(FailureKind::Query, what, "its answer cannot be read")
        }
    }
}

/// A lock was held for longer than the statement timeout.
pub(super) fn locked_out<D: Driver>(driver: &D, label: &str) -> Failure {
    let place = driver.place();
    let what = format!("{label}: timed out waiting for a lock in the database at {place}");
    let waited = driver.statement_timeout();
    let waited = exactly(waited);
    let why = format!("another session has locked one of its tables for more than {waited}");
    Failure::new(FailureKind::SourceBusy, what, why)
        .hint("run again when that session is done; --statement-timeout sets how long to wait")
}

pub(super) fn timed_out<D: Driver>(driver: &D, label: &str) -> Failure {
    let what = format!("{label}: the database at {} does not answer", driver.place());
    let waited = driver.statement_timeout();
    let why = format!("no row within {}", exactly(waited));
    Failure::new(FailureKind::SourceBusy, what, why).hint(TIMEOUT_HINT)
}

/// Whether the session was lost for a reason other than the query.
fn is_lost(explained: &Explained) -> bool {
    matches!(explained.kind, FailureKind::SourceLost | FailureKind::SourceUnreachable)
}
