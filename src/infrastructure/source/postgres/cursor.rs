//! A query read through a cursor: between two portions the server waits for nothing, however long the
//! cache takes, and no timeout of its own runs.

use sqlx::postgres::{PgArguments, PgConnection};

use super::super::driver::safe;
use super::super::rows::{Broken, Reader, Rows};
use super::transaction::{Statement, Transaction, unnamed};

/// Reads a query in a transaction of its own.
pub(super) async fn read_once<D: Reader<Db = sqlx::Postgres>>(
    connection: &mut PgConnection,
    sql: &str,
    arguments: PgArguments,
    rows: &mut Rows<'_, D>,
    begin: &str,
) -> Result<(), Broken> {
    let begin = rows.labelled(begin);
    let begun = Transaction::begin(connection, begin);
    let mut transaction = rows.wait_for_turn(begun).await?;
    if let Some(session) = transaction.session() {
        rows.read_on(session);
    }
    let query = unnamed(sql, arguments);
    let read = match rows.is_brief() {
        true => rows.stream(query.fetch(transaction.connection())).await,
        false => read_cursor(transaction.connection(), query, rows).await,
    };
    match read {
        Ok(()) | Err(Broken::Sql(_)) => {
            let ended = rows.wait(transaction.end(Ok(()))).await;
            read.and(ended)
        }
        // The server may still be at work on it.
        Err(_) => read,
    }
}

/// Declares a cursor and reads it in portions.
async fn read_cursor<D: Reader<Db = sqlx::Postgres>>(
    connection: &mut PgConnection,
    declare: Statement,
    rows: &mut Rows<'_, D>,
) -> Result<(), Broken> {
    rows.wait(declare.execute(&mut *connection)).await?;
    let mut size = FIRST_PORTION;
    // The first is prepared, which tells the columns' types.
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

/// Rows of a cursor's first portion, before their size is known, and of any.
const FIRST_PORTION: usize = 16;
const LARGEST_PORTION: usize = 32 * 1024;

/// Statements that a portion is fetched by, in one message. The server makes all rows of a FETCH
/// before it sends the first; with several it makes some while we read others.
const STEPS: usize = 8;

fn fetch(rows: usize) -> String {
    format!("FETCH {rows} FROM shopwarm")
}

/// As many rows as make up a portion, in whole steps, but not many times more than the last time:
/// what comes may be larger than what came.
fn next_portion(last: usize, rows_a_portion: usize) -> usize {
    let rows = rows_a_portion.min(LARGEST_PORTION).min(8 * last);
    (rows / STEPS).max(1) * STEPS
}
