//! Tables that a query reads: how, by which keys, and with which locks.

use serde_json::Value as Json;
use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlRow};
use sqlx::{
    Arguments as _, Connection as _, Either, Executor as _, Row as _, SqlSafeStr as _,
    Statement as _,
};

use super::super::driver::{Answer, safe};
use super::ask::cell;
use crate::application::ports::{QueryPlan, Scan};
use crate::domain::key_rows::{TableName, UniqueKeys};

pub(super) async fn plan(
    session: &mut MySqlConnection,
    sql: &str,
    arguments: MySqlArguments,
) -> Answer<QueryPlan> {
    let explain = format!("EXPLAIN FORMAT=JSON {sql}");
    let explain = sqlx::query_with(safe(&explain), arguments);
    let row = session.fetch_one(explain).await?;
    let text: &[u8] = row.try_get_unchecked(0)?;
    let plan: Json = serde_json::from_slice(text).unwrap_or_default();
    let block = &plan["query_block"];
    let mut found = QueryPlan {
        // MariaDB from 11 on, and MySQL, which writes it as a text.
        cost: block["cost"]
            .as_f64()
            .or_else(|| block["cost_info"]["query_cost"].as_str()?.parse().ok()),
        ..QueryPlan::default()
    };
    find_scans(block, &mut found.scans);
    Ok(found)
}

/// The tables that a plan reads from end to end.
fn find_scans(plan: &Json, found: &mut Vec<Scan>) {
    match plan {
        Json::Object(fields) => {
            if let Some(table) = fields.get("table_name").and_then(Json::as_str)
                && fields.get("access_type").is_some_and(|access| access == "ALL")
                && !table.starts_with('<')
            {
                let rows = ["rows", "rows_examined_per_scan"];
                found.push(Scan {
                    names: Vec::new(),
                    table: table.to_owned(),
                    rows: rows.iter().find_map(|name| fields.get(*name)?.as_u64()),
                });
            }
            fields.values().for_each(|inner| find_scans(inner, found));
        }
        Json::Array(items) => items.iter().for_each(|inner| find_scans(inner, found)),
        _ => {}
    }
}

pub(super) async fn unique_keys(
    session: &mut MySqlConnection,
    table: &TableName,
) -> Answer<UniqueKeys> {
    let sql = format!("SHOW KEYS FROM {} WHERE Non_unique = 0", table.name);
    let rows = session.fetch_all(sqlx::query(safe(&sql))).await?;
    let key = |row: &MySqlRow| {
        let name = cell(row, "Key_name")?;
        let column: Option<&[u8]> = row.try_get_unchecked("Column_name")?;
        let column = column.map(|column| String::from_utf8_lossy(column).into_owned());
        let is_primary = name == "PRIMARY";
        Ok((name, is_primary, column))
    };
    let rows = rows.iter().map(key).collect::<Result<Vec<_>, sqlx::Error>>();
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
    let texts = ["char", "text", "blob", "binary", "enum", "set", "json", "uuid", "inet"];
    texts.iter().any(|text| column_type.contains(text))
}

/// Takes the locks of a query, and gives them back. Preparing it is not enough: a session that
/// waits to `LOCK TABLES` holds up only what is run.
///
/// # Errors
/// The database's: a lock that was not to be had for as long as we wait for one.
pub(super) async fn take_locks(session: &mut MySqlConnection, sql: &str) -> Answer<()> {
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
    let taken = session.execute(sqlx::query_with(safe(&sql), arguments)).await;
    session.clear_cached_statements().await?;
    taken.map(drop)
}
