//! Poolers such as PgBouncer.

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError};

use super::transaction::Transaction;
use crate::domain::finding::Finding;

pub(super) const STATEMENT_MODE: &str = "a pooler in statement mode has no transactions, and shopwarm reads \
     in read-only ones; use a pool with pool_mode = transaction or session, or the server itself";

pub(super) const REFUSED_PARAMETER: &str = "set ignore_startup_parameters to that name in the pooler's configuration; `options` comes from \
     PGOPTIONS, which may be unset instead";

/// Start of PgBouncer's message.
const UNSUPPORTED: &str = "unsupported startup parameter";

pub(super) fn is_statement_mode(error: &PgDatabaseError) -> bool {
    error.message().contains("not allowed in statement pooling mode")
}

pub(super) fn refuses_parameter(error: &PgDatabaseError) -> bool {
    refused_parameter(error.message()).is_some()
}

/// The start-up parameter that a pooler refused.
pub(super) fn refused_parameter(message: &str) -> Option<&str> {
    let (_, name) = message.strip_prefix(UNSUPPORTED)?.rsplit_once(": ")?;
    Some(name)
}

/// Attempts for two sessions to share a server session.
const MEETINGS: usize = 3;

/// The finding about a pooler; `None`: no pooler.
///
/// # Errors
/// The server's or the pooler's error.
pub(super) async fn finding(
    connect: &PgConnectOptions,
    begin: &str,
    connection: &mut PgConnection,
) -> Result<Option<Finding>, sqlx::Error> {
    if !is_between(connect).await? {
        return Ok(None);
    }
    let mut other = connect.connect().await?;
    let first = server_session(connection, begin).await?;
    let mut is_shared = false;
    for _ in 0..MEETINGS {
        // An idle server session goes to the next client.
        let (theirs, ours) =
            (server_session(&mut other, begin).await?, server_session(connection, begin).await?);
        is_shared |= theirs == ours || ours != first;
    }
    let text = match is_shared {
        true => "a pooler such as PgBouncer, in transaction mode; nothing is left on its sessions",
        false => "a pooler such as PgBouncer, in session mode as far as can be seen",
    };
    Ok(Some(Finding::ok("database pooler", text)))
}

/// A server accepts any setting with a dot in its name at the start of a session; a pooler refuses
/// or drops it.
async fn is_between(connect: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let marked = connect.clone().options([("shopwarm.probe", "1")]);
    let mut session = match marked.connect().await {
        Err(sqlx::Error::Database(error)) => {
            let refused = error.try_downcast_ref::<PgDatabaseError>();
            return Ok(refused.is_some_and(refuses_parameter));
        }
        connected => connected?,
    };
    let arrived = "SELECT pg_catalog.current_setting('shopwarm.probe', true)";
    let arrived = sqlx::raw_sql(arrived).fetch_one(&mut session).await?;
    let arrived: Option<String> = sqlx::Row::try_get(&arrived, 0)?;
    Ok(arrived.is_none())
}

/// The server session of our transaction.
async fn server_session(connection: &mut PgConnection, begin: &str) -> Result<i32, sqlx::Error> {
    let mut transaction = Transaction::begin(connection, begin.to_owned()).await?;
    let pid = transaction.ask("SELECT pg_backend_pid()").await;
    transaction.end(pid.map(|(pid,)| pid)).await
}
