//! How the database means to run a query.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Executor as _, Row as _};

use super::super::driver::{Answer, safe};
use crate::application::ports::{QueryPlan, Scan};

pub(super) async fn of(session: &mut SqliteConnection, sql: &str) -> Answer<QueryPlan> {
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    let steps = session.fetch_all(sqlx::query(safe(&explain))).await?;
    let mut plan = QueryPlan::default();
    let mut inner = Vec::new();
    for step in steps {
        let detail: String = step.try_get("detail")?;
        // A subquery, which is scanned as a table is, and is none.
        let subquery = ["CO-ROUTINE ", "MATERIALIZE "];
        inner.extend(
            subquery
                .iter()
                .find_map(|word| detail.strip_prefix(word).map(str::to_owned)),
        );
        // `SCAN products`, and with an index `SCAN products USING INDEX ...`.
        if let Some(table) = detail.strip_prefix("SCAN ")
            && !detail.contains(" USING ")
            && !table.starts_with('(')
            && !inner.iter().any(|name| name == table)
        {
            plan.scans.push(Scan {
                table: table.to_owned(),
                rows: highest_row(session, table).await,
            });
        }
    }
    Ok(plan)
}

/// About how many rows a table has: the highest row number, which is found at once. A table that
/// the query calls by another name is not found.
async fn highest_row(session: &mut SqliteConnection, table: &str) -> Option<u64> {
    let sql = format!(
        "SELECT max(_rowid_) FROM \"{}\"",
        table.replace('"', "\"\"")
    );
    let highest: Option<i64> = sqlx::query_scalar(safe(&sql))
        .fetch_one(session)
        .await
        .ok()?;
    u64::try_from(highest.unwrap_or(0)).ok()
}
