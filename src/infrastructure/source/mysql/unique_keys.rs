//! The keys by which a table's rows are known.

use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Executor as _, Row as _};

use super::super::driver::{Answer, safe};
use super::ask::cell;
use crate::domain::key_rows::{TableName, UniqueKeys};

pub(super) async fn of(session: &mut MySqlConnection, table: &TableName) -> Answer<UniqueKeys> {
    let sql = format!("SHOW KEYS FROM {} WHERE Non_unique = 0", table.name);
    let rows = session.fetch_all(sqlx::query(safe(&sql))).await?;
    let key = |row: &MySqlRow| {
        let name = cell(row, "Key_name")?;
        let column: Option<&[u8]> = row.try_get_unchecked("Column_name")?;
        let column = column.map(|column| String::from_utf8_lossy(column).into_owned());
        let is_primary = name == "PRIMARY";
        Ok((name, is_primary, column))
    };
    let rows = rows
        .iter()
        .map(key)
        .collect::<Result<Vec<_>, sqlx::Error>>();
    let columns = format!("SHOW COLUMNS FROM {}", table.name);
    let columns = session.fetch_all(sqlx::query(safe(&columns))).await?;
    let mut unique = UniqueKeys::of(rows?);
    for column in &columns {
        if is_text(&cell(column, "Type")?) {
            unique.texts.push(cell(column, "Field")?);
        }
    }
    Ok(unique)
}

/// Whether a column of a type, as SHOW COLUMNS names it, holds text.
fn is_text(column_type: &str) -> bool {
    let texts = [
        "char", "text", "blob", "binary", "enum", "set", "json", "uuid", "inet",
    ];
    texts.iter().any(|text| column_type.contains(text))
}
