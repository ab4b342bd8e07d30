//! Types that the driver has never heard of, such as MySQL's VECTOR. It gives up in the middle of
//! the answer, which is no loss of the connection but a query that cannot be read.

use sqlx::Executor as _;
use sqlx::mysql::MySqlConnection;

use super::super::driver::Refusal;
use super::ask::cell;

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

/// What has to be changed in the query; `session`: a new one, the other is out of step.
pub(super) async fn refusal(session: &mut MySqlConnection, number: String) -> Refusal {
    let rows = session.fetch_all(VECTORS).await.unwrap_or_default();
    let named = rows.iter();
    let named = named.filter_map(|row| Some((cell(row, 0).ok()?, cell(row, 1).ok()?)));
    let mut columns: Vec<(String, String)> = named.collect();
    if columns.is_empty() {
        columns.push(("of the query".to_owned(), format!("number {number}")));
    }
    Refusal::Types(columns)
}
