//! Queries with a single result.

use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{ColumnIndex, Executor as _, Row as _};

use super::super::driver::{Answer, safe};

/// The text that a query returns.
pub(super) async fn text(session: &mut MySqlConnection, sql: &str) -> Answer<String> {
    let row = session.fetch_one(sqlx::query(safe(sql))).await?;
    cell(&row, 0)
}

/// A cell's text.
pub(super) fn cell(row: &MySqlRow, at: impl ColumnIndex<MySqlRow>) -> Answer<String> {
    let bytes: &[u8] = row.try_get_unchecked(at)?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// A server variable.
pub(super) async fn setting(session: &mut MySqlConnection, name: &'static str) -> Option<String> {
    let sql = format!("SELECT CAST(@@{name} AS CHAR)");
    text(session, &sql).await.ok()
}

pub(super) fn is_on(setting: Option<String>) -> bool {
    // Servers differ in how they write booleans.
    setting.is_some_and(|on| matches!(on.to_ascii_uppercase().as_str(), "1" | "ON" | "YES"))
}
