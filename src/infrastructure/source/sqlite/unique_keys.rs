//! The keys by which a table's rows are known.

use sqlx::sqlite::SqliteConnection;

use super::super::driver::Answer;
use super::columns::{Affinity, affinity};
use crate::domain::key_rows::{TableName, UniqueKeys};

pub(super) async fn of(session: &mut SqliteConnection, table: &TableName) -> Answer<UniqueKeys> {
    let (schema, table) = match table.parts.as_slice() {
        [table] => ("main", table),
        [schema, table] => (schema.as_str(), table),
        _ => return Ok(UniqueKeys::default()),
    };
    let sql = "SELECT 'primary', 1, name FROM pragma_table_info(?1, ?2) WHERE pk > 0
                UNION ALL
                SELECT i.name, 0, c.name FROM pragma_index_list(?1, ?2) i, pragma_index_info(i.name, ?2) c
                WHERE i.\"unique\" = 1 AND i.partial = 0";
    let rows: Vec<(String, bool, Option<String>)> = sqlx::query_as(sql)
        .bind(table)
        .bind(schema)
        .fetch_all(&mut *session)
        .await?;
    let sql = "SELECT name, upper(type) FROM pragma_table_info(?1, ?2)";
    let types: Vec<(String, String)> = sqlx::query_as(sql)
        .bind(table)
        .bind(schema)
        .fetch_all(session)
        .await?;
    let of_affinity = |wanted: Affinity| {
        let columns = types.iter().filter(move |(_, of)| affinity(of) == wanted);
        columns.map(|(name, _)| name.clone())
    };
    let mut unique = UniqueKeys::of(rows);
    // 1 and '1' are two values of such a column, and one text in a key.
    let none: Vec<String> = of_affinity(Affinity::None).collect();
    let is_sure = |key: &Vec<String>| !key.iter().any(|column| none.contains(column));
    unique.others.retain(is_sure);
    if !is_sure(&unique.primary) {
        unique.primary.clear();
    }
    unique.texts = of_affinity(Affinity::Text).collect();
    Ok(unique)
}
