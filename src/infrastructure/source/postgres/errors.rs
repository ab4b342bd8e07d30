//! Server errors, by code.

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use super::super::errors::{Explained, SCHEMA_HINT, TIMEOUT_HINT, tidy};
use super::pooler;
use crate::domain::failure::FailureKind;
use crate::domain::place::{Missing, Spot};

pub(super) fn explain(error: &dyn DatabaseError) -> Explained {
    let code = error.code().unwrap_or_default();
    let pg = error.try_downcast_ref::<PgDatabaseError>();
    let (kind, hint) = classify(&code, pg);
    Explained {
        kind,
        message: pg.map_or_else(|| "refused".to_owned(), message),
        spot: pg.and_then(spot),
        hint,
        missing: missing(&code, error.message()),
    }
}

/// The kind of a failure, and what to do, by its SQLSTATE.
fn classify(code: &str, pg: Option<&PgDatabaseError>) -> (FailureKind, Option<&'static str>) {
    match code {
        _ if pg.is_some_and(pooler::is_statement_mode) => {
            (FailureKind::Config, Some(pooler::STATEMENT_MODE))
        }
        _ if pg.is_some_and(pooler::refuses_parameter) => {
            (FailureKind::Config, Some(pooler::REFUSED_PARAMETER))
        }
        "42501" if pg.and_then(PgDatabaseError::routine) == Some("check_enable_rls") => (
            FailureKind::SourceDenied,
            Some(
                "read as the table's owner or a role with BYPASSRLS; row_security = \"apply\" in the \
                 definition warms only the rows that its policies show",
            ),
        ),
        // A setting that the server does not accept.
        "42704" | "22023" | "55P02" => (FailureKind::Config, None),
        "28P01" | "28000" => {
            (FailureKind::SourceDenied, Some("check user and password in the database URL"))
        }
        "42501" => (
            FailureKind::NotGranted,
            Some(
                "GRANT SELECT on the table to this user, or leave the strategy out with --exclude",
            ),
        ),
        "3D000" => (FailureKind::Config, Some("check the database's name in the URL")),
        "53300" => (
            FailureKind::SourceUnreachable,
            Some("the server has no free connection; shopwarm needs one"),
        ),
        "57P01" | "57P02" | "57P03" => (
            FailureKind::SourceUnreachable,
            Some("the server is starting or stopping; run again when it is up"),
        ),
        // A recovery conflict on a standby, or a serialization conflict.
        "40001" | "40P01" => (FailureKind::SourceLost, None),
        // A pooler's lost session; a lock timeout; a timeout that is not ours.
        "08000" | "08003" | "08006" | "08P01" | "55P03" | "25P03" | "25P04" | "57P05" => {
            (FailureKind::SourceLost, None)
        }
        "42P01" | "42703" => (FailureKind::Query, Some(SCHEMA_HINT)),
        "42883" if pg.is_some_and(|pg| pg.message().starts_with("operator")) => (
            FailureKind::Query,
            Some(
                "a parameter is a string or a number: cast it to the column's type, as in :status::mood",
            ),
        ),
        "57014" => (FailureKind::SourceBusy, Some(TIMEOUT_HINT)),
        code if code.starts_with("53") => (FailureKind::SourceBusy, None),
        _ => (FailureKind::Query, None),
    }
}

/// What a query names and the database does not have.
fn missing(code: &str, message: &str) -> Option<Missing> {
    match code {
        "42P01" if !message.starts_with("missing FROM") => Some(Missing::Table),
        "42P01" | "42703" => Some(Missing::Column),
        _ => None,
    }
}

/// Where in the query it is.
fn spot(error: &PgDatabaseError) -> Option<Spot> {
    match error.position()? {
        PgErrorPosition::Original(at) => Some(Spot::Char(at.saturating_sub(1))),
        PgErrorPosition::Internal { .. } => None,
    }
}

/// The server's or the pooler's message.
fn message(error: &PgDatabaseError) -> String {
    let message = tidy(error.message());
    match pooler::refused_parameter(&message) {
        Some(name) => format!("{message} (ignore_startup_parameters = {name})"),
        None => message,
    }
}
