//! A session: how it is set up, and how what runs on it is ended.

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::time::timeout;

use super::super::safe;
use super::super::session::CONNECT_TIMEOUT;

/// What tells one server from another behind the same address.
pub(super) const SERVER: &str = "SELECT CONCAT_WS(':', @@hostname, @@port, @@server_id)";

pub(super) async fn open(options: &MySqlConnectOptions) -> Result<MySqlConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    for setting in [
        "SET SESSION TRANSACTION READ ONLY",
        // Orders with their items are put together by GROUP_CONCAT, which cuts silently.
        "SET SESSION group_concat_max_len = 67108864",
        // The server gives up on a client that does not read for a minute, else; and a slow
        // cache may keep us from reading.
        "SET SESSION net_write_timeout = 86400",
        // Others queue behind whoever waits for a lock: the server's own default is a day.
        "SET SESSION lock_wait_timeout = 1",
        "SET SESSION innodb_lock_wait_timeout = 1",
    ] {
        connection.execute(setting).await?;
    }
    // The server's own limit runs also while it waits for us: we keep it. MariaDB knows the
    // first, MySQL the second.
    if connection
        .execute("SET SESSION max_statement_time = 0")
        .await
        .is_err()
    {
        connection
            .execute("SET SESSION max_execution_time = 0")
            .await?;
    }
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
        let mut connection = options.connect().await?;
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
