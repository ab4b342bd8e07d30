//! The keys by which a table's rows are known.

use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Executor as _, Row as _};

use super::super::driver::safe;
use crate::domain::key_rows::{TableName, UniqueKeys};

pub(super) async fn of(
    connection: &mut MySqlConnection,
    table: &TableName,
) -> Result<UniqueKeys, sqlx::Error> {
    let sql = format!("SHOW KEYS FROM {} WHERE Non_unique = 0", table.name);
    let rows = connection.fetch_all(sqlx::query(safe(&sql))).await?;
    let key = |row: &MySqlRow| {
        let name: &[u8] = row.try_get_unchecked("Key_name")?;
        let name = String::from_utf8_lossy(name).into_owned();
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
    let columns = connection.fetch_all(sqlx::query(safe(&columns))).await?;
    let text = |row: &MySqlRow, name| -> Result<String, sqlx::Error> {
        let text: &[u8] = row.try_get_unchecked(name)?;
        Ok(String::from_utf8_lossy(text).into_owned())
    };
    let mut unique = UniqueKeys::of(rows?);
    for column in &columns {
        if is_text(&text(column, "Type")?) {
            unique.texts.push(text(column, "Field")?);
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
