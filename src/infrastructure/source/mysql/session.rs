//! A session: how it is set up, and how what runs on it is ended.

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::time::timeout;

use super::super::driver::safe;
use super::super::sessions::CONNECT_TIMEOUT;
use super::variables;

/// What tells one server from another behind the same address.
pub(super) const SERVER: &str = "SELECT CONCAT_WS(':', @@hostname, @@port, @@server_id)";

/// Opens a session that only reads, and in which nothing that the server or the URL says changes
/// what a query returns.
pub(super) async fn open(options: &MySqlConnectOptions) -> Result<MySqlConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    variables::set(&mut connection).await?;
    Ok(connection)
}

/// The server, and the session's number there.
pub(super) async fn handle(connection: &mut MySqlConnection) -> Result<(String, u64), sqlx::Error> {
    let server = sqlx::query_scalar(SERVER);
    let server = server.fetch_one(&mut *connection).await?;
    let id = sqlx::query_scalar("SELECT CONNECTION_ID()");
    Ok((server, id.fetch_one(connection).await?))
}

/// A server runs a query on whose client has gone, so another session ends it: at the same server,
/// which an address need not be, and only what is ours.
pub(super) async fn end(options: &MySqlConnectOptions, server: String, id: u64) {
    let ours = format!(
        "SELECT COUNT(*) FROM information_schema.processlist
         WHERE id = {id} AND info LIKE '/* shopwarm %'"
    );
    let kill = format!("KILL QUERY {id}");
    let killed = async {
        let mut connection = open(options).await?;
        let here: String = sqlx::query_scalar(SERVER)
            .fetch_one(&mut connection)
            .await?;
        let ours = sqlx::query_scalar::<_, i64>(safe(&ours));
        if here == server && ours.fetch_one(&mut connection).await? > 0 {
            connection.execute(sqlx::raw_sql(safe(&kill))).await?;
        }
        connection.close().await
    };
    let _ = timeout(CONNECT_TIMEOUT, killed).await;
}
