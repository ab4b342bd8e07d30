//! Opens sessions, and cancels their queries.

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::time::timeout;

use super::super::driver::{Answer, safe};
use super::super::options::CONNECT_TIMEOUT;
use super::variables;

/// Identifies a server behind a shared address.
pub(super) const SERVER: &str = "SELECT CONCAT_WS(':', @@hostname, @@port, @@server_id)";

/// Opens a read-only session in which no setting of the server or URL changes a query's result.
pub(super) async fn open(options: &MySqlConnectOptions) -> Answer<MySqlConnection> {
    let mut session = options.connect().await?;
    variables::set(&mut session).await?;
    Ok(session)
}

/// The server, and the session's id.
pub(super) async fn handle(session: &mut MySqlConnection) -> Answer<(String, u64)> {
    let server = sqlx::query_scalar(SERVER);
    let server = server.fetch_one(&mut *session).await?;
    let id = sqlx::query_scalar("SELECT CONNECTION_ID()");
    Ok((server, id.fetch_one(session).await?))
}

/// A query goes on when its client is gone, so another session kills it, after checking that it is
/// the same server and our session.
pub(super) async fn end(options: &MySqlConnectOptions, server: String, id: u64) {
    let ours = format!(
        "SELECT COUNT(*) FROM information_schema.processlist
         WHERE id = {id} AND info LIKE '/* shopwarm %'"
    );
    let kill = format!("KILL QUERY {id}");
    let killed = async {
        let mut session = open(options).await?;
        let here: String = sqlx::query_scalar(SERVER).fetch_one(&mut session).await?;
        let ours = sqlx::query_scalar::<_, i64>(safe(&ours));
        if here == server && ours.fetch_one(&mut session).await? > 0 {
            session.execute(sqlx::raw_sql(safe(&kill))).await?;
        }
        session.close().await
    };
    let _ = timeout(CONNECT_TIMEOUT, killed).await;
}
