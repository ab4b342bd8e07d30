//! A query being read: one task asks the database and stays a little ahead of the engine.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use sqlx::{Arguments as _, Column as _, Database, Encode, Executor, Type};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::session::{Session, Sessions};
use super::waiters::{LOCK_PAUSE, Reason, Watched, wait_for_waiters};
use super::{Connection, Driver};
use crate::application::ports::{Param, Query};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::row::{Column, RowBatch};

/// Rows are handed on in batches of at most this many, or this many bytes: large enough that a
/// hand-over costs nothing, small enough that memory stays flat.
const BATCH_ROWS: usize = 512;
const BATCH_BYTES: usize = 256 * 1024;

/// What is taken of a database at once that is not kept waiting while we read it: large enough that
/// asking for it costs nothing.
const PORTION_BYTES: usize = 1024 * 1024;

/// How often the time is counted that the engine keeps a query waiting.
const TICK: Duration = Duration::from_millis(100);

/// Batches read ahead of the engine.
const READ_AHEAD: usize = 2;

type Handed = Result<RowBatch, Failure>;

/// Begins to read a query. Dropping the stream ends the query at the database.
pub(super) fn rows<D: Driver>(
    sessions: &Arc<Sessions<D>>,
    query: Query,
) -> BoxStream<'static, Handed>
where
    for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
    for<'q> String: Encode<'q, D::Db> + Type<D::Db>,
    for<'q> i64: Encode<'q, D::Db> + Type<D::Db>,
{
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let (ask, asked) = oneshot::channel();
    let sessions = Arc::clone(sessions);
    let under_way = sessions.begin_query();
    tokio::spawn(async move {
        if let Err(failure) = read_unlocked(&sessions, &query, &sender, asked).await {
            // Nobody listens any more: then nobody misses it.
            let _ = sender.send(Err(failure)).await;
        }
        drop(under_way);
    });
    stream::unfold((receiver, Some(ask)), |(mut receiver, ask)| async move {
        // The reader may have ended.
        let _ = ask.map(|ask| ask.send(()));
        let batch = receiver.recv().await?;
        Some((batch, (receiver, None)))
    })
    .boxed()
}

/// Why a query is not read to its end.
pub(super) enum Broken {
    Sql(sqlx::Error),
    /// It took too long, or the server is gone.
    Failed(Failure),
    /// It holds up another session.
    GaveWay(Reason),
    /// Nobody listens any more.
    Unwanted,
}

impl From<sqlx::Error> for Broken {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// Why reading a query ended early.
enum Ended {
    Failed(Failure),
    /// Another session holds a lock or waits for one of ours, and nothing was handed on.
    Locked,
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Reads a query into `sender`. While another session holds a lock that it needs, it is asked again
/// and again: a query that waits keeps the locks that it already has. So is a look-up that another
/// session waits for.
async fn read_unlocked<D: Driver>(
    sessions: &Arc<Sessions<D>>,
    query: &Query,
    sender: &mpsc::Sender<Handed>,
    mut asked: oneshot::Receiver<()>,
) -> Result<(), Failure>
where
    for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
    for<'q> String: Encode<'q, D::Db> + Type<D::Db>,
    for<'q> i64: Encode<'q, D::Db> + Type<D::Db>,
{
    let began = Instant::now();
    let mut is_told = false;
    loop {
        match read(sessions, query, sender, &mut asked).await {
            Ok(()) => return Ok(()),
            Err(Ended::Failed(failure)) => return Err(failure),
            Err(Ended::Locked) => {}
        }
        if began.elapsed() >= sessions.driver.options().statement_timeout {
            return Err(sessions.locked_out(&query.label));
        }
        if !std::mem::replace(&mut is_told, true) {
            tracing::warn!(query = query.label, "waiting for another session's lock");
        }
        tokio::select! {
            () = sleep(LOCK_PAUSE) => {}
            () = sender.closed() => return Ok(()),
        }
    }
}

/// Reads a query into `sender`. The connection is put back only when all was read.
async fn read<D: Driver>(
    sessions: &Arc<Sessions<D>>,
    query: &Query,
    sender: &mpsc::Sender<Handed>,
    asked: &mut oneshot::Receiver<()>,
) -> Result<(), Ended>
where
    for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
    for<'q> String: Encode<'q, D::Db> + Type<D::Db>,
    for<'q> i64: Encode<'q, D::Db> + Type<D::Db>,
{
    let connected = tokio::select! {
        connected = connect(sessions, asked) => connected,
        () = sender.closed() => return Ok(()),
    };
    let mut connection = connected?;
    let watched = Arc::new(Watched::default());
    let mut rows = Rows::new(sessions, query, sender, &watched);
    let prefix = if query.brief { "" } else { D::PREFIX };
    let sql = rows.labelled(&format!("{prefix}{}", query.sql));
    let failed = |error| sessions.query_failure(&query.label, &sql, &error);
    let arguments = arguments::<D>(&query.params).map_err(failed)?;
    let handle = sessions
        .wait(&query.label, D::handle(&mut connection))
        .await?;
    let handle = handle.map_err(failed)?;
    let lender = (!query.brief).then(|| sessions.lender());
    // A task of its own: decoding rows must not keep it from looking.
    let mut watch = JoinSet::new();
    watch.spawn(wait_for_waiters(
        Arc::clone(sessions),
        sql.clone(),
        query.resumable,
        Arc::clone(&watched),
    ));

    let read = tokio::select! {
        read = D::read(&mut connection, &sql, arguments, &mut rows) => read,
        () = sender.closed() => Err(Broken::Unwanted),
        Some(Ok(reason)) = watch.join_next() => Err(Broken::GaveWay(reason)),
    };
    match read {
        Ok(()) => {
            sessions.put_back(connection).await;
            Ok(())
        }
        Err(Broken::Sql(error))
            if Sessions::<D>::is_lock_timeout(&error) && rows.is_untouched() =>
        {
            Err(Ended::Locked)
        }
        Err(Broken::Sql(error)) => Err(failed(error).into()),
        Err(Broken::Failed(failure)) => {
            sessions.driver.end(handle).await;
            Err(failure.into())
        }
        Err(Broken::GaveWay(reason)) => {
            // The locks go with the session. The rows in hand are still good.
            drop((connection, lender));
            sessions.driver.end(handle).await;
            if query.brief && rows.is_untouched() {
                return Err(Ended::Locked);
            }
            rows.hand_on_rest().await;
            Err(reason.into_failure(&query.label).into())
        }
        Err(Broken::Unwanted) => {
            sessions.driver.end(handle).await;
            Ok(())
        }
    }
}

/// A connection for a query. One that is opened ahead and cannot have a connection yet, as when the
/// server has none left, waits until somebody asks for its rows.
async fn connect<D: Driver>(
    sessions: &Sessions<D>,
    asked: &mut oneshot::Receiver<()>,
) -> Result<Session<D>, Failure> {
    if let Err(TryRecvError::Empty) = asked.try_recv() {
        match sessions.try_session().await {
            Ok(session) => return Ok(session),
            Err(_) => {
                let _ = asked.await;
            }
        }
    }
    sessions.connection().await
}

fn arguments<D: Driver>(params: &[Param]) -> Result<<D::Db as Database>::Arguments, sqlx::Error>
where
    for<'q> String: Encode<'q, D::Db> + Type<D::Db>,
    for<'q> i64: Encode<'q, D::Db> + Type<D::Db>,
{
    let mut arguments = <D::Db as Database>::Arguments::default();
    for param in params {
        match param {
            Param::Text(text) => arguments.add(text.clone()),
            Param::Int(integer) => arguments.add(*integer),
            Param::Texts(_) | Param::Ints(_) => D::add_array(&mut arguments, param),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// Where the rows of a query go: decoded, in batches, to the engine.
pub(super) struct Rows<'r, D: Driver> {
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

impl<'r, D: Driver> Rows<'r, D> {
    fn new(
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

    /// Says which session of the server's reads.
    pub(super) fn read_on(&self, session: i32) {
        self.watched.reads_on(session);
    }

    /// Whether nobody has seen a row of it.
    fn is_untouched(&self) -> bool {
        !self.has_handed_on
    }

    /// A statement with the query's label, which is shown where the server lists what it does. It
    /// holds a checked name only.
    pub(super) fn labelled(&self, statement: &str) -> String {
        format!("/* shopwarm {} */ {statement}", self.query.label)
    }

    /// Waits for the database, as long as we ever do.
    pub(super) async fn wait<T>(
        &self,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Broken> {
        let answer = self.sessions.wait(&self.query.label, answer).await;
        Ok(answer.map_err(Broken::Failed)??)
    }

    /// Waits until a pooler has a session for a transaction.
    pub(super) async fn wait_for_turn<T>(
        &self,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Broken> {
        let answer = self.sessions.wait_for_turn(&self.query.label, answer).await;
        Ok(answer.map_err(Broken::Failed)??)
    }

    /// Takes rows to their end, and hands them on in batches as they come.
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

    /// Takes a portion of the rows whole, so that the database is never kept waiting for its rows
    /// to be read; returns how many they were.
    pub(super) async fn portion(
        &mut self,
        mut rows: BoxStream<'_, Result<<D::Db as Database>::Row, sqlx::Error>>,
    ) -> Result<usize, Broken> {
        let (mut taken, mut bytes) = (0, 0);
        while let Some(row) = self.next(&mut rows).await? {
            self.decode(&row)?;
            taken += 1;
            // Rows far larger than those before them: memory comes first.
            if self.batch.bytes() >= 4 * PORTION_BYTES {
                bytes += self.batch.bytes();
                self.hand_on().await?;
            }
        }
        bytes += self.batch.bytes();
        self.row_bytes = bytes / taken.max(1);
        Ok(taken)
    }

    /// Rows like those of the last portion that make up the next one.
    pub(super) fn rows_a_portion(&self) -> usize {
        PORTION_BYTES / self.row_bytes.max(1)
    }

    async fn next(
        &self,
        rows: &mut BoxStream<'_, Result<<D::Db as Database>::Row, sqlx::Error>>,
    ) -> Result<Option<<D::Db as Database>::Row>, Broken> {
        // Most rows are there already; only waiting needs a timer.
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
        D::decode(&self.codecs, self.query, row, &mut self.batch);
        Ok(())
    }

    /// A migration has changed the query's columns since it was prepared.
    fn other_columns(&self) -> Failure {
        let what = format!("{}: its rows cannot be read", self.query.label);
        let why = "the query returns other columns than it did when the run began";
        Failure::new(FailureKind::Query, what, why).hint("run again")
    }

    /// Hands on what was taken, when the engine has room for it.
    pub(super) async fn hand_on(&mut self) -> Result<(), Broken> {
        if self.batch.is_empty() {
            return Ok(());
        }
        // The batch is taken only when there is room: whoever gives up here still has it.
        let permit = self.room().await?;
        let columns = self.query.columns.len();
        let full = std::mem::replace(&mut self.batch, RowBatch::new(columns));
        permit.send(Ok(full));
        self.has_handed_on = true;
        Ok(())
    }

    /// Hands on what was taken when nothing more comes.
    async fn hand_on_rest(&mut self) {
        let rest = std::mem::replace(&mut self.batch, RowBatch::new(0));
        if !rest.is_empty() {
            // Nobody may listen any more.
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
