//! Reads a query through a cursor: between two fetches no server timeout runs, however long the
//! cache takes.

use sqlx::postgres::{PgArguments, PgConnection};

use super::super::driver::safe;
use super::super::rows::{Broken, Reader, Rows};
use super::transaction::{Statement, Transaction, unnamed};

/// What opens the cursor, before a query.
pub(super) const CURSOR: &str = "DECLARE shopwarm BINARY NO SCROLL CURSOR FOR ";

/// Reads a query in its own transaction.
pub(super) async fn read_once<D: Reader<Db = sqlx::Postgres>>(
    connection: &mut PgConnection,
    sql: &str,
    arguments: PgArguments,
    rows: &mut Rows<'_, D>,
    begin: &str,
) -> Result<(), Broken> {
    let (is_cursor, mut is_open) = (!rows.is_brief(), false);
    let open = is_cursor.then_some(&mut is_open);
    match read(connection, sql, arguments.clone(), rows, (begin, open)).await {
        Err(Broken::Sql(error)) if is_cursor && !is_open && is_unsupported(&error) => {
            let sql = sql.replacen(CURSOR, "", 1);
            read(connection, &sql, arguments, rows, (begin, None)).await
        }
        read => read,
    }
}

/// CockroachDB has no cursors with binary rows.
fn is_unsupported(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == "0A000")
}

/// `open`: read through a cursor, and set this once it is open.
async fn read<D: Reader<Db = sqlx::Postgres>>(
    connection: &mut PgConnection,
    sql: &str,
    arguments: PgArguments,
    rows: &mut Rows<'_, D>,
    (begin, open): (&str, Option<&mut bool>),
) -> Result<(), Broken> {
    let begin = rows.labelled(begin);
    let begun = Transaction::begin(connection, begin);
    let mut transaction = rows.wait_for_turn(begun).await?;
    if let Some(session) = transaction.session() {
        rows.read_on(session);
    }
    let query = unnamed(sql, arguments);
    let read = match open {
        Some(open) => read_cursor(transaction.connection(), query, rows, open).await,
        None => rows.stream(query.fetch(transaction.connection())).await,
    };
    match read {
        Ok(()) | Err(Broken::Sql(_)) => {
            let ended = rows.wait(transaction.end(Ok(()))).await;
            read.and(ended)
        }
        // The server may still be running it.
        Err(_) => read,
    }
}

/// Declares a cursor and fetches in portions.
async fn read_cursor<D: Reader<Db = sqlx::Postgres>>(
    connection: &mut PgConnection,
    declare: Statement,
    rows: &mut Rows<'_, D>,
    is_open: &mut bool,
) -> Result<(), Broken> {
    rows.wait(declare.execute(&mut *connection)).await?;
    *is_open = true;
    let mut size = FIRST_PORTION;
    // The first fetch is prepared, to get the column types.
    let first = unnamed(&rows.labelled(&fetch(size)), PgArguments::default());
    let mut taken = rows.portion(first.fetch(&mut *connection)).await?;
    while taken == size {
        size = next_portion(size, rows.rows_a_portion());
        rows.hand_on().await?;
        let steps = vec![fetch(size / STEPS); STEPS];
        let next = rows.labelled(&steps.join(";"));
        let next = sqlx::raw_sql(safe(&next));
        taken = rows.portion(next.fetch(&mut *connection)).await?;
    }
    rows.hand_on().await
}

/// Rows of the first fetch, before their size is known, and max rows per fetch.
const FIRST_PORTION: usize = 16;
const LARGEST_PORTION: usize = 32 * 1024;

/// FETCH statements per portion, in one message. The server makes all rows of a FETCH before it
/// sends the first; with several it works while we read.
const STEPS: usize = 8;

fn fetch(rows: usize) -> String {
    format!("FETCH {rows} FROM shopwarm")
}

/// Rows for the next portion, in whole steps; it grows slowly, since later rows may be larger.
fn next_portion(last: usize, rows_a_portion: usize) -> usize {
    let rows = rows_a_portion.min(LARGEST_PORTION).min(8 * last);
    (rows / STEPS).max(1) * STEPS
}
