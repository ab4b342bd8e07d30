//! The server's plan for a query.

use serde_json::Value as Json;
use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgRow};

use super::super::driver::Answer;
use super::transaction::{Transaction, unnamed};
use crate::application::ports::{QueryPlan, Scan};

pub(super) async fn plan(
    transaction: &mut Transaction<'_>,
    sql: &str,
    arguments: PgArguments,
) -> Answer<QueryPlan> {
    let explain = format!("EXPLAIN (VERBOSE, FORMAT JSON) {sql}");
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
    let (mut schemas, mut names, mut are_scans) = (Vec::new(), Vec::new(), Vec::new());
    let mut nodes = vec![top];
    while let Some(node) = nodes.pop() {
        if let (Some(schema), Some(name)) =
            (node["Schema"].as_str(), node["Relation Name"].as_str())
        {
            are_scans.push(node["Node Type"] == "Seq Scan");
            schemas.push(schema.to_owned());
            names.push(name.to_owned());
        }
        nodes.extend(node["Plans"].as_array().into_iter().flatten());
    }
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let query = unnamed(include_str!("sql/scanned.sql"), PgArguments::default());
    let query = query.bind(schemas).bind(names).bind(are_scans);
    let rows = query.fetch_all(transaction.connection()).await?;
    let scan = |row: &PgRow| {
        let rows: Option<f64> = row.try_get(2)?;
        let rows = rows.filter(|rows| *rows >= 0.0).map(|rows| rows as u64);
        Ok(Scan { table: row.try_get(0)?, names: row.try_get(1)?, rows })
    };
    rows.iter().map(scan).collect()
}
