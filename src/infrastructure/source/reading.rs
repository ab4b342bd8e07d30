//! Reads a query in a task that stays a little ahead of the engine.

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::failures::locked_out;
use super::rows::{Broken, Handed, Reader, Rows, arguments};
use super::session::Session;
use super::sessions::Sessions;
use super::waiters::wait_for_waiters;
use super::watched::{LOCK_PAUSE, Watched};
use crate::application::ports::Query;
use crate::domain::failure::Failure;

/// Batches read ahead of the engine.
const READ_AHEAD: usize = 2;

/// Starts reading a query. Dropping the stream cancels the query.
pub(super) fn rows<D: Reader>(
    sessions: &Arc<Sessions<D>>,
    query: Query,
) -> BoxStream<'static, Handed> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let (ask, asked) = oneshot::channel();
    let sessions = Arc::clone(sessions);
    let under_way = sessions.begin_query();
    tokio::spawn(async move {
        if let Err(failure) = read_unlocked(&sessions, &query, &sender, asked).await {
            // The receiver may be gone.
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

/// Why reading a query ended early.
enum Ended {
    Failed(Failure),
    /// Another session holds a lock or waits for one of ours, and no row was delivered.
    Locked,
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Reads a query into `sender`. While another session holds a lock that it needs, it is retried,
/// since a waiting query keeps the locks that it has. So is a lookup that another session waits
/// for.
async fn read_unlocked<D: Reader>(
    sessions: &Arc<Sessions<D>>,
    query: &Query,
    sender: &mpsc::Sender<Handed>,
    mut asked: oneshot::Receiver<()>,
) -> Result<(), Failure> {
    let began = Instant::now();
    let mut is_told = false;
    loop {
        match read(sessions, query, sender, &mut asked).await {
            Ok(()) => return Ok(()),
            Err(Ended::Failed(failure)) => return Err(failure),
            Err(Ended::Locked) => {}
        }
        if began.elapsed() >= sessions.driver.statement_timeout() {
            return Err(locked_out(sessions.driver.as_ref(), &query.label));
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

/// Reads a query into `sender`. The connection is reused if everything was read, or if the server
/// refused the query.
async fn read<D: Reader>(
    sessions: &Arc<Sessions<D>>,
    query: &Query,
    sender: &mpsc::Sender<Handed>,
    asked: &mut oneshot::Receiver<()>,
) -> Result<(), Ended> {
    let mut connection = tokio::select! {
        connected = connect(sessions, asked) => connected?,
        () = sender.closed() => return Ok(()),
    };
    let watched = Arc::new(Watched::default());
    let mut rows = Rows::new(sessions, query, sender, &watched);
    let prefix = if query.brief { "" } else { D::PREFIX };
    let sql = rows.labelled(&format!("{prefix}{}", query.sql));
    let failed = |error| query.locate(sessions.query_failure(&query.label, &error));
    let arguments = arguments::<D>(&query.params).map_err(failed)?;
    let handle = sessions.wait(&query.label, D::handle(&mut connection));
    let handle = handle.await?.map_err(failed)?;
    let lender = (!query.brief).then(|| sessions.lender());
    // A separate task, so that decoding rows does not delay it.
    let mut watch = JoinSet::new();
    let (own, seen) = (Arc::clone(sessions), Arc::clone(&watched));
    watch.spawn(wait_for_waiters(own, sql.clone(), query.resumable, seen));
    let read = tokio::select! {
        read = D::read(&mut connection, &sql, arguments, &mut rows) => read,
        () = sender.closed() => Err(Broken::Unwanted),
        Some(Ok(reason)) = watch.join_next() => Err(Broken::GaveWay(reason)),
    };
    let Err(broken) = read else {
        sessions.put_back(connection).await;
        return Ok(());
    };
    match broken {
        Broken::Sql(error) if Sessions::<D>::is_lock_timeout(&error) && rows.is_untouched() => {
            Err(Ended::Locked)
        }
        Broken::Sql(error) => {
            sessions.put_back_after_error(connection, &error).await;
            Err(failed(error).into())
        }
        Broken::Failed(failure) => {
            sessions.driver.end(handle).await;
            Err(failure.into())
        }
        Broken::GaveWay(reason) => {
            // Closing the session releases the locks. The rows read so far are still good.
            drop((connection, lender));
            sessions.driver.end(handle).await;
            if query.brief && rows.is_untouched() {
                return Err(Ended::Locked);
            }
            rows.hand_on_rest().await;
            Err(reason.into_failure(&query.label).into())
        }
        Broken::Unwanted => {
            sessions.driver.end(handle).await;
            Ok(())
        }
    }
}

/// A connection for a query. A query that is opened ahead without a free connection waits until its
/// rows are needed.
async fn connect<D: Reader>(
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
