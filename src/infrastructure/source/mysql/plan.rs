//! What the server would do for a query.

use serde_json::Value as Json;
use sqlx::mysql::MySqlConnection;
use sqlx::{Executor as _, Row as _};

use super::super::driver::{Answer, safe};
use crate::application::ports::{QueryPlan, Scan};

pub(super) async fn of(session: &mut MySqlConnection, sql: &str) -> Answer<QueryPlan> {
    let explain = format!("EXPLAIN FORMAT=JSON {sql}");
    let row = session.fetch_one(sqlx::query(safe(&explain))).await?;
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
                && fields
                    .get("access_type")
                    .is_some_and(|access| access == "ALL")
                && !table.starts_with('<')
            {
                let rows = ["rows", "rows_examined_per_scan"];
                found.push(Scan {
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
