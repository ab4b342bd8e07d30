//! What stands between us and the server: PgBouncer and its like.

use sqlx::postgres::PgDatabaseError;

pub(super) const STATEMENT_MODE: &str = "a pooler in statement mode has no transactions, and shopwarm reads \
     in read-only ones; use a pool with pool_mode = transaction or session, or the server itself";

pub(super) const REFUSED_PARAMETER: &str = "set ignore_startup_parameters to that name in the pooler's configuration; `options` comes from \
     PGOPTIONS, which may be unset instead";

/// PgBouncer's words begin so, in every language.
const UNSUPPORTED: &str = "unsupported startup parameter";

pub(super) fn is_statement_mode(error: &PgDatabaseError) -> bool {
    error
        .message()
        .contains("not allowed in statement pooling mode")
}

pub(super) fn refuses_parameter(error: &PgDatabaseError) -> bool {
    refused_parameter(error.message()).is_some()
}

/// The start-up parameter that a pooler refuses.
pub(super) fn refused_parameter(message: &str) -> Option<&str> {
    let (_, name) = message.strip_prefix(UNSUPPORTED)?.rsplit_once(": ")?;
    Some(name)
}
