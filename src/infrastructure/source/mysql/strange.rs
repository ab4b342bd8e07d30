//! Types that the driver has never heard of, such as MySQL's VECTOR. It gives up in the middle of
//! the answer, which is no loss of the connection but a query that cannot be read.

use sqlx::mysql::MySqlConnection;
use sqlx::{Executor as _, Row as _};

use super::super::driver::Refusal;

const UNKNOWN: &str = "unknown column type ";

/// Columns of this database that are of a type without a number in the driver.
const VECTORS: &str = "
    SELECT CONCAT(table_name, '.', column_name), data_type FROM information_schema.columns
    WHERE table_schema = DATABASE() AND data_type = 'vector'";

/// The number of the type that an error is about.
pub(super) fn number(refusal: &Refusal) -> Option<String> {
    let Refusal::Sql(sqlx::Error::Protocol(text)) = refusal else {
        return None;
    };
    let (_, number) = text.split_once(UNKNOWN)?;
    Some(number.trim().to_owned())
}

/// What has to be changed in the query; `connection`: a new one, the other is out of step.
pub(super) async fn refusal(connection: &mut MySqlConnection, number: String) -> Refusal {
    let rows = connection.fetch_all(VECTORS).await.unwrap_or_default();
    let named = rows.iter().filter_map(|row| {
        let text = |at: usize| {
            let bytes: &[u8] = row.try_get_unchecked(at).ok()?;
            Some(String::from_utf8_lossy(bytes).into_owned())
        };
        Some((text(0)?, text(1)?))
    });
    let mut columns: Vec<(String, String)> = named.collect();
    if columns.is_empty() {
        columns.push(("of the query".to_owned(), format!("number {number}")));
    }
    Refusal::Types(columns)
}
