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

/// The tables of full scans, with their approximate number of rows. Partitions count as their table.
async fn find_scans(transaction: &mut Transaction<'_>, top: &Json) -> Answer<Vec<Scan>> {
    let mut found: Vec<Scan> = Vec::new();
    let mut nodes = vec![top];
    while let Some(node) = nodes.pop() {
        if node["Node Type"] == "Seq Scan"
            && let Some(table) = node["Relation Name"].as_str()
        {
            let scan = scan_of(transaction, table).await?;
            match found.iter_mut().find(|other| other.table == scan.table && table != scan.table) {
                Some(whole) => whole.rows = whole.rows.zip(scan.rows).map(|(a, b)| a + b),
                None => found.push(scan),
            }
        }
        nodes.extend(node["Plans"].as_array().into_iter().flatten());
    }
    Ok(found)
}

async fn scan_of(transaction: &mut Transaction<'_>, table: &str) -> Answer<Scan> {
    let rows = unnamed(include_str!("sql/scanned.sql"), PgArguments::default()).bind(table);
    let row = rows.fetch_optional(transaction.connection()).await?;
    let row = row.and_then(|row| Some((row.try_get(0).ok()?, row.try_get::<f64, _>(1).ok()?)));
    let (table, rows) = row.unwrap_or((table.to_owned(), -1.0));
    Ok(Scan { table, rows: (rows >= 0.0).then_some(rows as u64) })
}
