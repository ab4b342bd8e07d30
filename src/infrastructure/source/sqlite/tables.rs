//! Tables that a query reads: how, and by which keys.

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Executor as _, Row as _};

use super::super::driver::{Answer, safe};
use super::columns::{Affinity, affinity};
use crate::application::ports::{QueryPlan, Scan};
use crate::domain::key_rows::{TableName, UniqueKeys};

pub(super) async fn plan(
    session: &mut SqliteConnection,
    sql: &str,
    arguments: SqliteArguments,
) -> Answer<QueryPlan> {
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    let explain = sqlx::query_with(safe(&explain), arguments);
    let steps = session.fetch_all(explain).await?;
    let mut plan = QueryPlan::default();
    let mut inner = Vec::new();
    for step in steps {
        let detail: String = step.try_get("detail")?;
        // A subquery, which is scanned but is not a table.
        let subquery = ["CO-ROUTINE ", "MATERIALIZE "];
        inner.extend(subquery.iter().find_map(|word| detail.strip_prefix(word).map(str::to_owned)));
        // `SCAN products`, and with an index `SCAN products USING INDEX ...`. An index that is made for
        // this query takes a scan too: `SEARCH products USING AUTOMATIC COVERING INDEX ...`.
        let made =
            detail.strip_prefix("SEARCH ").and_then(|rest| rest.split_once(" USING AUTOMATIC "));
        let scanned = detail.strip_prefix("SCAN ").filter(|_| !detail.contains(" USING "));
        if let Some(table) = scanned.or(made.map(|(table, _)| table))
            && !table.starts_with('(')
            && !inner.iter().any(|name| name == table)
        {
            plan.scans.push(Scan {
                table: table.to_owned(),
                names: Vec::new(),
                rows: highest_row(session, table).await,
            });
        }
    }
    Ok(plan)
}

/// Approximate number of rows: the highest row id, which is found quickly. Aliases are not
/// resolved.
async fn highest_row(session: &mut SqliteConnection, table: &str) -> Option<u64> {
    let sql = format!("SELECT max(_rowid_) FROM \"{}\"", table.replace('"', "\"\""));
    let highest: Option<i64> = sqlx::query_scalar(safe(&sql)).fetch_one(session).await.ok()?;
    u64::try_from(highest.unwrap_or(0)).ok()
}

pub(super) async fn unique_keys(
    session: &mut SqliteConnection,
    table: &TableName,
) -> Answer<UniqueKeys> {
    let (schema, table) = match table.parts.as_slice() {
        [table] => ("main", table),
        [schema, table] => (schema.as_str(), table),
        _ => return Ok(UniqueKeys::default()),
    };
    let sql = "SELECT 'primary', 1, name FROM pragma_table_info(?1, ?2) WHERE pk > 0
                UNION ALL
                SELECT i.name, 0, c.name FROM pragma_index_list(?1, ?2) i, pragma_index_info(i.name, ?2) c
                WHERE i.\"unique\" = 1 AND i.partial = 0";
    let rows: Vec<(String, bool, Option<String>)> =
        sqlx::query_as(sql).bind(table).bind(schema).fetch_all(&mut *session).await?;
    let sql = "SELECT name, upper(type) FROM pragma_table_info(?1, ?2)";
    let types: Vec<(String, String)> =
        sqlx::query_as(sql).bind(table).bind(schema).fetch_all(session).await?;
    let of_affinity = |wanted: Affinity| {
        let columns = types.iter().filter(move |(_, of)| affinity(of) == wanted);
        columns.map(|(name, _)| name.clone())
    };
    let mut unique = UniqueKeys::of(rows);
    // 1 and '1' are different values of such a column, but the same text in a key.
    let none: Vec<String> = of_affinity(Affinity::None).collect();
    let is_sure = |key: &Vec<String>| !key.iter().any(|column| none.contains(column));
    unique.others.retain(is_sure);
    if !is_sure(&unique.primary) {
        unique.primary.clear();
    }
    unique.texts = of_affinity(Affinity::Text).collect();
    Ok(unique)
}
