//! Finds JSON columns on MariaDB: columns declared JSON, and results of its JSON functions, also
//! through subqueries and views.
//!
//! The protocol shows them only as LONGTEXT. But JSON_ARRAY embeds a document and quotes text, so
//! SQL can tell, without reading a row.

use sqlx::mysql::{MySqlArguments, MySqlConnection};
use sqlx::{Executor as _, Row as _};

use super::super::driver::{Answer, safe};
use crate::domain::row::{Column, ColumnKind};

/// The declared type of a column that holds documents.
pub(super) const JSON: &str = "JSON";

/// The server has no JSON functions.
const UNKNOWN_FUNCTION: u16 = 1305;

/// Marks the JSON columns of a query.
pub(super) async fn mark(
    session: &mut MySqlConnection,
    sql: &str,
    arguments: MySqlArguments,
    columns: &mut [Column],
) -> Answer<()> {
    let mut texts: Vec<&mut Column> =
        columns.iter_mut().filter(|column| column.kind == ColumnKind::Text).collect();
    if texts.is_empty() {
        return Ok(());
    }
    let names = texts.iter().map(|column| quoted(&column.name));
    let question = question(sql, &names.collect::<Vec<_>>());
    let question = sqlx::query_with(safe(&question), arguments);
    let answer = match session.fetch_one(question).await {
        Err(sqlx::Error::Database(error)) if number(error.as_ref()) == UNKNOWN_FUNCTION => {
            return Ok(());
        }
        answer => answer?,
    };
    for (at, column) in texts.iter_mut().enumerate() {
        let text: &[u8] = answer.try_get_unchecked(at)?;
        if text == b"[[0]]" {
            JSON.clone_into(&mut column.declared);
        }
    }
    Ok(())
}

/// In a UNION with a document, the column is JSON only if both are.
fn question(sql: &str, names: &[String]) -> String {
    let each = |form: fn(usize, &String) -> String| {
        let all = names.iter().enumerate().map(|(at, name)| form(at, name));
        all.collect::<Vec<_>>().join(", ")
    };
    format!(
        "SELECT {} FROM ((SELECT {} FROM (\n{sql}\n) p WHERE FALSE) UNION ALL SELECT {}) u",
        each(|at, _| format!("JSON_ARRAY(u.c{at})")),
        each(|at, name| format!("{name} AS c{at}")),
        each(|_, _| "JSON_ARRAY(0)".to_owned()),
    )
}

fn quoted(name: &str) -> String {
    format!("p.`{}`", name.replace('`', "``"))
}

fn number(error: &dyn sqlx::error::DatabaseError) -> u16 {
    let error = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>();
    error.map_or(0, sqlx::mysql::MySqlDatabaseError::number)
}
