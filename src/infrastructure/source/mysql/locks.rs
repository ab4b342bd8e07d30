//! The locks on tables that a query holds while it runs.

use sqlx::mysql::{MySqlArguments, MySqlConnection};
use sqlx::{
    Arguments as _, Connection as _, Either, Executor as _, SqlSafeStr as _, Statement as _,
};

use super::super::driver::{Answer, safe};

/// Takes the locks of a query, and gives them back. Preparing it is not enough: a session that
/// waits to `LOCK TABLES` holds up only what is run.
///
/// # Errors
/// The database's: a lock that was not to be had for as long as we wait for one.
pub(super) async fn take(session: &mut MySqlConnection, sql: &str) -> Answer<()> {
    // The server locks all tables first, and then sees that there is nothing to be read.
    let sql = format!("SELECT 1 FROM ({sql}\n) AS locked LIMIT 0");
    let statement = session.prepare(safe(&sql).into_sql_str()).await?;
    let parameters = match statement.parameters() {
        Some(Either::Left(types)) => types.len(),
        Some(Either::Right(count)) => count,
        None => 0,
    };
    let mut arguments = MySqlArguments::default();
    for _ in 0..parameters {
        arguments.add(None::<i64>).map_err(sqlx::Error::Encode)?;
    }
    let taken = session
        .execute(sqlx::query_with(safe(&sql), arguments))
        .await;
    session.clear_cached_statements().await?;
    taken.map(drop)
}
