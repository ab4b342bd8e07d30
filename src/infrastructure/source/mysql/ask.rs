//! One question, one answer.

use sqlx::mysql::MySqlConnection;
use sqlx::{Executor as _, Row as _};

use super::super::driver::safe;

/// The one text that a query returns.
pub(super) async fn text(
    connection: &mut MySqlConnection,
    sql: &str,
) -> Result<String, sqlx::Error> {
    let row = connection.fetch_one(sqlx::query(safe(sql))).await?;
    let text: &[u8] = row.try_get_unchecked(0)?;
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// A variable of the server's.
pub(super) async fn setting(
    connection: &mut MySqlConnection,
    name: &'static str,
) -> Option<String> {
    let sql = format!("SELECT CAST(@@{name} AS CHAR)");
    text(connection, &sql).await.ok()
}

pub(super) fn is_on(setting: Option<String>) -> bool {
    // Servers differ in how they write a truth.
    setting.is_some_and(|on| matches!(on.to_ascii_uppercase().as_str(), "1" | "ON" | "YES"))
}
