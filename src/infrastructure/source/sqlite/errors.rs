//! Database errors, by code.

use sqlx::error::DatabaseError;

use super::super::errors::{Explained, SCHEMA_HINT, TIMEOUT_HINT, tidy};
use crate::domain::failure::FailureKind;
use crate::domain::place::{Missing, Spot};

pub(super) fn explain(error: &dyn DatabaseError) -> Explained {
    let code = error.code().unwrap_or_default();
    let message = error.message();
    let missing = match message {
        _ if message.contains("no such table") => Some(Missing::Table),
        _ if message.contains("no such column") => Some(Missing::Column),
        _ => None,
    };
    // The extended codes keep the plain one in their low byte.
    let (kind, hint) = match code.parse::<u32>().map_or(0, |code| code & 0xff) {
        14 => (FailureKind::SourceUnreachable, Some("check the file's path and its permissions")),
        23 | 3 => (FailureKind::SourceDenied, Some("check the file's permissions")),
        5 | 6 => (
            FailureKind::SourceLost,
            Some("another program has the file locked; run again when it is done"),
        ),
        26 => (FailureKind::Config, Some("the file is not an SQLite database")),
        9 => (FailureKind::Query, Some(TIMEOUT_HINT)),
        _ if missing.is_some() => (FailureKind::Query, Some(SCHEMA_HINT)),
        _ => (FailureKind::Query, None),
    };
    Explained {
        kind,
        message: tidy(message),
        spot: word(message).map(|word| Spot::Word(word.to_owned())),
        hint,
        missing,
    }
}

/// What a message is about: `no such column: p.name`, `near "FORM": syntax error`.
fn word(message: &str) -> Option<&str> {
    match message.strip_prefix("near \"") {
        Some(near) => near.split('"').next(),
        None => message.split_once(": ").map(|(_, name)| name),
    }
}
