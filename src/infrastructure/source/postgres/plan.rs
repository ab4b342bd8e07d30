//! The server's plan for a query.

use serde_json::Value as Json;
use sqlx::Row as _;
use sqlx::postgres::PgArguments;

use super::super::driver::Answer;
use super::transaction::{Transaction, unnamed};
use crate::application::ports::{QueryPlan, Scan};

pub(super) async fn plan(
    transaction: &mut Transaction<'_>,
    sql: &str,
    arguments: PgArguments,
) -> Answer<QueryPlan> {
    let explain = format!("EXPLAIN (FORMAT JSON) {sql}");
    let explain = unnamed(&explain, arguments);
    let row = explain.fetch_one(transaction.connection()).await?;
    let text = row.try_get_raw(0)?.as_bytes().map_err(sqlx::Error::Decode)?;
    let plan: Json = serde_json::from_slice(text).unwrap_or_default();
    let top = &plan[0]["Plan"];
    Ok(QueryPlan {
        cost: top["Total Cost"].as_f64(),
        rows: top["Plan Rows"].as_u64(),
        scans: find_scans(transaction, top).await?,
    })
}

/// The tables of full scans, with their approximate number of rows.
async fn find_scans(transaction: &mut Transaction<'_>, top: &Json) -> Answer<Vec<Scan>> {
    let mut found = Vec::new();
    let mut nodes = vec![top];
    while let Some(node) = nodes.pop() {
        if node["Node Type"] == "Seq Scan"
            && let Some(table) = node["Relation Name"].as_str()
        {
            // A node's rows are counted after its filter, the table's before.
            let rows = "SELECT reltuples FROM pg_class WHERE oid = to_regclass(quote_ident($1))";
            let rows = unnamed(rows, PgArguments::default()).bind(table);
            let rows = rows.fetch_optional(transaction.connection()).await?;
            let rows: Option<f32> = rows.and_then(|row| row.try_get(0).ok());
            found.push(Scan {
                table: table.to_owned(),
                rows: rows.filter(|rows| *rows >= 0.0).map(|rows| rows as u64),
            });
        }
        nodes.extend(node["Plans"].as_array().into_iter().flatten());
    }
    Ok(found)
}
