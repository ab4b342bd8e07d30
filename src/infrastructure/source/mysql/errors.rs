//! The server's errors, by number.

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;

use super::super::errors::{Explained, SCHEMA_HINT, TIMEOUT_HINT, tidy};
use crate::domain::failure::FailureKind;

pub(super) fn explain(error: &dyn DatabaseError) -> Explained {
    let error = error.try_downcast_ref::<MySqlDatabaseError>();
    let (kind, hint) = match error.map_or(0, MySqlDatabaseError::number) {
        1044 | 1045 | 1698 => (
            FailureKind::SourceDenied,
            Some("check user and password in the database URL"),
        ),
        1142 | 1143 | 1227 => (
            FailureKind::NotGranted,
            Some(
                "GRANT SELECT on the table to this user, or leave the strategy out with --exclude",
            ),
        ),
        1049 => (
            FailureKind::Config,
            Some("check the database's name in the URL"),
        ),
        1040 | 1203 | 1226 => (
            FailureKind::SourceUnreachable,
            Some("the server has no connection left; shopwarm needs one"),
        ),
        1053 | 1927 | 3169 | 4031 => (
            FailureKind::SourceUnreachable,
            Some("the server is stopping, or ended the session; run again when it is up"),
        ),
        1205 | 1213 => (FailureKind::SourceLost, None),
        1054 | 1146 => (FailureKind::Query, Some(SCHEMA_HINT)),
        1969 | 3024 => (FailureKind::SourceBusy, Some(TIMEOUT_HINT)),
        1461 => (
            FailureKind::SourceBusy,
            Some("other sessions hold all prepared statements; raise max_prepared_stmt_count"),
        ),
        // Its memory, its disk, its locks, its open files.
        1021 | 1037 | 1038 | 1041 | 1206 | 1135 => (FailureKind::SourceBusy, None),
        _ => (FailureKind::Query, None),
    };
    Explained {
        kind,
        message: error.map_or_else(|| "refused".to_owned(), |e| tidy(e.message())),
        position: None,
        hint,
    }
}
