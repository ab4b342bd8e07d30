//! The columns of a query.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Executor as _, Row as _};

use super::super::driver::{Answer, safe};
use crate::domain::row::{Column, ColumnKind};

/// A view shows the declared type of each column, which a prepared statement does not:
/// `NUMERIC(10,2)` keeps its digits, and a timestamp its meaning.
pub(super) async fn of(session: &mut SqliteConnection, sql: &str) -> Answer<Vec<Column>> {
    session
        .execute("DROP VIEW IF EXISTS temp.shopwarm_query")
        .await?;
    let view = format!("CREATE TEMP VIEW shopwarm_query AS {sql}");
    session.execute(sqlx::raw_sql(safe(&view))).await?;
    let columns = session
        .fetch_all("PRAGMA temp.table_info(shopwarm_query)")
        .await?;
    session.execute("DROP VIEW temp.shopwarm_query").await?;
    let column = |row: &SqliteRow| {
        let declared = row.try_get::<String, _>("type")?.to_ascii_uppercase();
        Ok(Column {
            name: row.try_get("name")?,
            kind: kind(&declared),
            declared,
        })
    };
    let columns: Result<Vec<Column>, sqlx::Error> = columns.iter().map(column).collect();
    let mut columns = columns?;
    name_as_written(&mut columns);
    Ok(columns)
}

/// Columns with the same name get a suffix: `id`, `id:1`.
fn name_as_written(columns: &mut [Column]) {
    for i in 1..columns.len() {
        let (before, this) = columns.split_at_mut(i);
        let name = &mut this[0].name;
        let plain = name.rsplit_once(':').map(|(plain, _)| plain);
        if let Some(plain) = plain.filter(|plain| before.iter().any(|c| c.name == *plain)) {
            *name = plain.to_owned();
        }
    }
}

fn kind(declared: &str) -> ColumnKind {
    match declared {
        // BLOB and NUM are columns or expressions without a type. Booleans are stored as numbers,
        // and are words in a key.
        "" | "BLOB" | "NUM" | "BOOL" | "BOOLEAN" => ColumnKind::Unknown,
        t if t.contains("INT") => ColumnKind::Integer,
        t if t.contains("CHAR") || t.contains("TEXT") || t.contains("CLOB") => ColumnKind::Text,
        t => ColumnKind::Other(t.to_owned()),
    }
}

/// The affinity of a column, see <https://sqlite.org/datatype3.html>, 3.1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Affinity {
    Text,
    Number,
    /// Stores every value unchanged.
    None,
}

/// `declared`: in capital letters.
pub(super) fn affinity(declared: &str) -> Affinity {
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if has(&["INT"]) {
        Affinity::Number
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Affinity::Text
    } else if declared.is_empty() || has(&["BLOB"]) || declared == "ANY" {
        Affinity::None
    } else {
        Affinity::Number
    }
}
