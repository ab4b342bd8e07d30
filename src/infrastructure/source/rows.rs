//! Delivers the rows of a query to the engine.

use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, TryStreamExt as _};
use sqlx::error::BoxDynError;
use sqlx::{Column as _, Database};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::driver::{Answer, Connection, Driver};
use super::sessions::Sessions;
use super::waiters::Reason;
use super::watched::Watched;
use crate::application::ports::{Param, Query};
use crate::domain::encode::Hint;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::row::{Column, RowBatch};

/// Max rows and bytes per batch: large enough to make delivery cheap, small enough to keep memory
/// flat.
const BATCH_ROWS: usize = 512;
const BATCH_BYTES: usize = 256 * 1024;

/// What is taken of a database at once that is not kept waiting while we read it: large enough that
/// asking for it costs nothing.
const PORTION_BYTES: usize = 1024 * 1024;

/// How often to count the time that the engine delays a query.
const TICK: Duration = Duration::from_millis(100);

/// Why a cell has no JSON.
pub(super) const NO_COLUMN: &str = "the column is missing";

pub(super) type Handed = Result<RowBatch, Failure>;

/// What differs between databases when reading rows.
pub(super) trait Reader: Driver {
    /// The wire format of a column.
    type Codec: Send + Sync + 'static;
    fn codec(column: &Column, described: &<Self::Db as Database>::Column) -> Self::Codec;

    /// Appends a cell as JSON.
    ///
    /// # Errors
    /// Why it has no JSON form.
    fn cell(
        codec: &Self::Codec,
        row: &<Self::Db as Database>::Row,
        at: usize,
        hint: Option<Hint>,
        out: &mut Vec<u8>,
    ) -> Result<(), String>;

    /// Adds a parameter to a query's arguments.
    ///
    /// # Errors
    /// It is an array, which the database does not support.
    fn bind(
        arguments: &mut <Self::Db as Database>::Arguments,
        param: &Param,
    ) -> Result<(), BoxDynError>;

    /// Reads a query to its end, into `rows`.
    fn read(
        connection: &mut Connection<Self>,
        sql: &str,
        arguments: <Self::Db as Database>::Arguments,
        rows: &mut Rows<'_, Self>,
    ) -> impl Future<Output = Result<(), Broken>> + Send;
}

/// Parameters as a driver takes them.
pub(super) fn arguments<D: Reader>(params: &[Param]) -> Answer<<D::Db as Database>::Arguments> {
    let mut arguments = <D::Db as Database>::Arguments::default();
    for param in params {
        D::bind(&mut arguments, param).map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// Why a query is not read to its end.
pub(super) enum Broken {
    Sql(sqlx::Error),
    /// Timeout, or the server is gone.
    Failed(Failure),
    /// Another session waits for it.
    GaveWay(Reason),
    /// The receiver is gone.
    Unwanted,
}

impl From<sqlx::Error> for Broken {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// Decodes rows and sends them to the engine in batches.
pub(super) struct Rows<'r, D: Reader> {
    sessions: &'r Sessions<D>,
    query: &'r Query,
    sender: &'r mpsc::Sender<Handed>,
    watched: &'r Watched,
    codecs: Vec<D::Codec>,
    batch: RowBatch,
    /// The size of a row, as the last portion's were.
    row_bytes: usize,
    has_handed_on: bool,
}

impl<'r, D: Reader> Rows<'r, D> {
    pub(super) fn new(
        sessions: &'r Sessions<D>,
        query: &'r Query,
        sender: &'r mpsc::Sender<Handed>,
        watched: &'r Watched,
    ) -> Self {
        Self {
            sessions,
            query,
            sender,
            watched,
            codecs: Vec::new(),
            batch: RowBatch::new(query.columns.len()),
            row_bytes: 0,
            has_handed_on: false,
        }
    }

    pub(super) fn label(&self) -> &'r str {
        &self.query.label
    }

    pub(super) fn is_brief(&self) -> bool {
        self.query.brief
    }

    pub(super) fn driver(&self) -> &'r D {
        &self.sessions.driver
    }

    /// Records the server session that reads.
    pub(super) fn read_on(&self, session: i32) {
        self.watched.reads_on(session);
    }

    /// Whether no row was delivered.
    pub(super) fn is_untouched(&self) -> bool {
        !self.has_handed_on
    }

    /// Adds the query's label as a comment, for the server's process list. The label is a checked
    /// name.
    pub(super) fn labelled(&self, statement: &str) -> String {
        format!("/* shopwarm {} */ {statement}", self.query.label)
    }

    /// Waits for the database, up to the statement timeout.
    pub(super) async fn wait<T>(
        &self,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Broken> {
        let answer = self.sessions.wait(&self.query.label, answer).await;
        Ok(answer.map_err(Broken::Failed)??)
    }

    /// Waits for a pooler's session.
    pub(super) async fn wait_for_turn<T>(
        &self,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Broken> {
        let answer = self.sessions.wait_for_turn(&self.query.label, answer).await;
        Ok(answer.map_err(Broken::Failed)??)
    }

    /// Reads all rows, and delivers them in batches.
    pub(super) async fn stream(
        &mut self,
        mut rows: BoxStream<'_, Result<<D::Db as Database>::Row, sqlx::Error>>,
    ) -> Result<(), Broken> {
        while let Some(row) = self.next(&mut rows).await? {
            self.decode(&row)?;
            if self.batch.len() >= BATCH_ROWS || self.batch.bytes() >= BATCH_BYTES {
                self.hand_on().await?;
            }
        }
        self.hand_on().await
    }

    /// Reads a whole portion, so that the database never waits for us; returns its number of rows.
    pub(super) async fn portion(
        &mut self,
        mut rows: BoxStream<'_, Result<<D::Db as Database>::Row, sqlx::Error>>,
    ) -> Result<usize, Broken> {
        let (mut taken, mut bytes) = (0, 0);
        while let Some(row) = self.next(&mut rows).await? {
            self.decode(&row)?;
            taken += 1;
            // Far larger rows than before: limit memory.
            if self.batch.bytes() >= 4 * PORTION_BYTES {
                bytes += self.batch.bytes();
                self.hand_on().await?;
            }
        }
        bytes += self.batch.bytes();
        self.row_bytes = bytes / taken.max(1);
        Ok(taken)
    }

    /// Number of rows for the next portion, by the size of the last.
    pub(super) fn rows_a_portion(&self) -> usize {
        PORTION_BYTES / self.row_bytes.max(1)
    }

    async fn next(
        &self,
        rows: &mut BoxStream<'_, Result<<D::Db as Database>::Row, sqlx::Error>>,
    ) -> Result<Option<<D::Db as Database>::Row>, Broken> {
        // Most rows are ready; only waiting needs a timer.
        match rows.try_next().now_or_never() {
            Some(next) => Ok(next?),
            None => self.wait(rows.try_next()).await,
        }
    }

    fn decode(&mut self, row: &<D::Db as Database>::Row) -> Result<(), Broken> {
        if self.codecs.is_empty() {
            let (columns, described) = (&self.query.columns, sqlx::Row::columns(row));
            let is_same = |(c, d): (&Column, &<D::Db as Database>::Column)| c.name == d.name();
            if columns.len() != described.len() || !columns.iter().zip(described).all(is_same) {
                return Err(Broken::Failed(self.other_columns()));
            }
            let columns = columns.iter().zip(described);
            self.codecs = columns.map(|(c, d)| D::codec(c, d)).collect();
        }
        for (at, codec) in self.codecs.iter().enumerate() {
            let hint = self.query.hints[at];
            self.batch.push_cell(|out| D::cell(codec, row, at, hint, out));
        }
        Ok(())
    }

    /// A migration has changed the query's columns.
    fn other_columns(&self) -> Failure {
        let what = format!("{}: its rows cannot be read", self.query.label);
        let why = "the query returns other columns than it did when the run began";
        Failure::new(FailureKind::Query, what, why).hint("run again")
    }

    /// Delivers the batch when the engine has room.
    pub(super) async fn hand_on(&mut self) -> Result<(), Broken> {
        if self.batch.is_empty() {
            return Ok(());
        }
        // Take the batch only when there is room, so that it can still be delivered at the end.
        let permit = self.room().await?;
        let columns = self.query.columns.len();
        let full = std::mem::replace(&mut self.batch, RowBatch::new(columns));
        permit.send(Ok(full));
        self.has_handed_on = true;
        Ok(())
    }

    /// Delivers the last batch.
    pub(super) async fn hand_on_rest(&mut self) {
        let rest = std::mem::replace(&mut self.batch, RowBatch::new(0));
        if !rest.is_empty() {
            // The receiver may be gone.
            let _ = self.sender.send(Ok(rest)).await;
        }
    }

    /// Waits until the engine takes rows, and counts the time. Meanwhile others may need the session.
    async fn room(&self) -> Result<mpsc::Permit<'r, Handed>, Broken> {
        loop {
            let since = Instant::now();
            let permit = tokio::select! {
                biased;
                permit = self.sender.reserve() => Some(permit),
                () = self.sessions.is_wanted(), if !self.query.brief => {
                    return Err(Broken::GaveWay(Reason::Session));
                }
                () = sleep(TICK) => None,
            };
            self.watched.was_held_up(since);
            if let Some(permit) = permit {
                return permit.map_err(|_| Broken::Unwanted);
            }
        }
    }
}
