//! Sessions with a database: opened, pooled, and reopened when they are lost.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sqlx::Connection as _;
use tokio::sync::{Mutex, OwnedRwLockReadGuard, RwLock};
use tokio::time::timeout;

use super::driver::{Answer, Connection, Driver};
use super::failures;
use super::opener::{Opener, PROBE_TIMEOUT, RECONNECT};
use super::options::CONNECT_TIMEOUT;
use super::session::{NoSession, Session};
use super::shortage::{Lender, Shortage};
use crate::application::ports::{FreshUrl, SourceVitals};
use crate::domain::failure::{Failure, FailureKind};

/// Without a row for this long, check that the server is alive: a slow query may go on.
const LOOK_AFTER: Duration = Duration::from_secs(10);

/// A session used this recently is not pinged: lookups follow each other, and a ping would cost
/// each a round trip.
const SURELY_OPEN: Duration = Duration::from_millis(500);

/// How long a server may still count a closed session.
const STILL_COUNTED: Duration = Duration::from_secs(30);

/// The sessions with one database.
pub(super) struct Sessions<D: Driver> {
    pub(super) driver: Arc<D>,
    opener: Opener<D>,
    /// Idle connections. One with an unfinished query is not reused, since it would have to drain
    /// the rest.
    idle: Mutex<Vec<Idle<D>>>,
    shortage: Arc<Shortage>,
    /// Read-locked by every active query.
    under_way: Arc<RwLock<()>>,
}

/// A connection, and since when it is idle.
type Idle<D> = (Connection<D>, Instant);

impl<D: Driver> Sessions<D> {
    pub(super) fn new(driver: D, fresh_url: Option<FreshUrl>) -> Self {
        let (driver, shortage) = (Arc::new(driver), Arc::default());
        Self {
            opener: Opener::new(&driver, &shortage, fresh_url),
            driver,
            idle: Mutex::default(),
            shortage,
            under_way: Arc::default(),
        }
    }

    pub(super) fn fresh_url(&self) -> Option<FreshUrl> {
        self.opener.fresh_url.clone()
    }

    /// A single attempt at the start of a run.
    ///
    /// # Errors
    /// Why there is no session with the server.
    pub(super) async fn connect(&self) -> Result<(), Failure> {
        let session = self.opener.connect().await?;
        self.put_back(session).await;
        Ok(())
    }

    /// Measures the server's load on a separate session.
    pub(super) async fn probe(&self) -> Option<SourceVitals> {
        let probed = timeout(PROBE_TIMEOUT, self.vitals()).await;
        // With few sessions, we waited for this one.
        let slow = (!self.shortage.was_noticed()).then_some(SourceVitals {
            latency: PROBE_TIMEOUT,
            active: None,
            lag: None,
        });
        probed.unwrap_or(slow)
    }

    async fn vitals(&self) -> Option<SourceVitals> {
        let mut connection = self.try_session().await.ok()?;
        let vitals = self.driver.vitals(&mut connection).await.ok()?;
        self.put_back(connection).await;
        vitals
    }

    /// Whether nobody can see who waits for a query.
    pub(super) fn is_blind(&self) -> bool {
        self.shortage.was_noticed() || !self.driver.tells_who_waits()
    }

    /// Until dropped: this query can end for others.
    pub(super) fn lender(&self) -> Lender {
        self.shortage.lender()
    }

    /// Returns when somebody needs the session of this query.
    pub(super) async fn is_wanted(&self) {
        self.shortage.is_wanted().await;
    }

    /// Whether a statement timed out on somebody else's lock.
    pub(super) fn is_lock_timeout(error: &sqlx::Error) -> bool {
        matches!(error, sqlx::Error::Database(error) if D::is_lock_timeout(error.as_ref()))
    }

    /// An idle session, or a new one. If the server has none left, waits for one of ours.
    pub(super) async fn connection(&self) -> Result<Session<D>, Failure> {
        match self.prompt_session().await {
            // It had one for us before the run.
            Some(Err(NoSession::Full(failure) | NoSession::Silent(failure))) => {
                tracing::debug!(%failure, "waiting for a session");
                self.shortage.notice();
            }
            Some(opened) => return opened.map_err(NoSession::into_failure),
            None => tracing::debug!("waiting for a session, perhaps a pooler's"),
        }
        Box::pin(self.next_session()).await
    }

    /// A session; `None`: there may be none left.
    async fn prompt_session(&self) -> Option<Result<Session<D>, NoSession>> {
        let mut opened = pin!(self.try_session());
        match timeout(self.shortage.session_timeout(), &mut opened).await {
            Ok(opened) => Some(opened),
            // The server may be away.
            Err(_) if self.opener.is_lost() => Some(opened.await),
            Err(_) => None,
        }
    }

    /// Waits for one of our sessions.
    async fn next_session(&self) -> Result<Session<D>, Failure> {
        let _turn = self.shortage.turn().await;
        let opened = self.shortage.relieve(self.keep_trying()).await;
        opened.map_err(NoSession::into_failure)
    }

    async fn keep_trying(&self) -> Result<Session<D>, NoSession> {
        let since = Instant::now();
        let longest = self.driver.statement_timeout();
        loop {
            let opened = match self.idle_session().await {
                Some(session) => Ok(session),
                None => tokio::select! {
                    opened = self.opener.open() => opened,
                    // A pooler may have no other while we hold this one.
                    () = self.is_idle_again() => continue,
                },
            };
            let waited = since.elapsed();
            match opened {
                Err(NoSession::Full(_)) if self.shortage.may_end() && waited < longest => {}
                Err(NoSession::Full(_)) if waited < STILL_COUNTED => {}
                Err(NoSession::Silent(_)) if waited < RECONNECT => {}
                opened => return opened,
            }
            self.shortage.pause().await;
        }
    }

    /// Returns when one of our sessions is idle.
    async fn is_idle_again(&self) {
        loop {
            let came_back = self.shortage.came_back();
            if !self.idle.lock().await.is_empty() {
                return;
            }
            came_back.await;
        }
    }

    /// Waits for a quick answer, which a pooler may delay until one of our queries ends.
    pub(super) async fn wait_for_turn<T>(
        &self,
        label: &str,
        answer: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let mut answer = pin!(self.wait(label, answer));
        match timeout(self.shortage.session_timeout(), &mut answer).await {
            Ok(answer) => answer,
            Err(_) => self.shortage.relieve(answer).await,
        }
    }

    /// An idle session, or a new one.
    pub(super) async fn try_session(&self) -> Result<Session<D>, NoSession> {
        match self.idle_session().await {
            Some(session) => Ok(session),
            None => self.opener.open().await,
        }
    }

    async fn idle_session(&self) -> Option<Session<D>> {
        // What ended one session may have ended the others, or be about to.
        if self.opener.is_lost() {
            self.idle.lock().await.clear();
        }
        while let Some((mut session, since)) = self.take_idle().await {
            if since.elapsed() < SURELY_OPEN {
                return Some(session);
            }
            match timeout(CONNECT_TIMEOUT, session.ping()).await {
                Ok(Ok(())) => return Some(session),
                // The server may have closed it while it was idle.
                Ok(Err(_)) => self.opener.lose(),
                Err(_) => {}
            }
        }
        None
    }

    async fn take_idle(&self) -> Option<(Session<D>, Instant)> {
        let (connection, since) = self.idle.lock().await.pop()?;
        let out = self.shortage.out();
        let session = Session { connection, out };
        Some((session, since))
    }

    pub(super) async fn put_back(&self, session: Session<D>) {
        let Session { connection, out: _out } = session;
        self.idle.lock().await.push((connection, Instant::now()));
    }

    /// Keeps a session after an error that the server reported. The server may have ended it too, so
    /// it is pinged before it is used again.
    pub(super) async fn put_back_after_error(&self, session: Session<D>, error: &sqlx::Error) {
        if let sqlx::Error::Database(error) = error
            && !D::is_statement_error(error.as_ref())
        {
            let long_ago = Instant::now().checked_sub(SURELY_OPEN);
            self.idle.lock().await.extend(long_ago.map(|since| (session.connection, since)));
        }
    }

    /// Held while a query is active.
    pub(super) fn begin_query(&self) -> Option<OwnedRwLockReadGuard<()>> {
        Arc::clone(&self.under_way).try_read_owned().ok()
    }

    /// Waits until no query is running, including abandoned ones.
    pub(super) async fn quiesced(&self) {
        let _ = timeout(CONNECT_TIMEOUT, self.under_way.write()).await;
    }

    /// Waits for an answer up to the statement timeout, but not for a dead server. Time spent on
    /// the cache does not count.
    pub(super) async fn wait<T>(
        &self,
        label: &str,
        answer: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let mut answer = pin!(answer);
        let limit = self.driver.statement_timeout() + D::GRACE;
        let asked = Instant::now();
        loop {
            let left = limit.saturating_sub(asked.elapsed());
            if let Ok(answer) = timeout(LOOK_AFTER.min(left), &mut answer).await {
                return Ok(answer);
            }
            if asked.elapsed() >= limit {
                return Err(failures::timed_out(self.driver.as_ref(), label));
            }
            if !self.opener.answers().await {
                let why = format!("no answer for {} s", asked.elapsed().as_secs());
                self.opener.lose();
                return Err(failures::lost(&self.driver.place(), label, &why));
            }
        }
    }

    /// A failed statement.
    pub(super) fn query_failure(&self, label: &str, error: &sqlx::Error) -> Failure {
        let failure = failures::of_query(self.driver.as_ref(), label, error);
        if failure.kind == FailureKind::SourceLost {
            self.opener.lose();
        }
        failure
    }

    /// Runs a request on a separate session, which is returned after the answer.
    pub(super) async fn with_session<T, F>(&self, label: &str, ask: F) -> Result<T, Failure>
    where
        F: for<'c> FnOnce(&'c D, &'c mut Connection<D>) -> BoxFuture<'c, Answer<T>>,
    {
        let mut session = self.connection().await?;
        let answer = ask(self.driver.as_ref(), &mut session);
        let answer = self.wait_for_turn(label, answer).await?;
        match &answer {
            Ok(_) => self.put_back(session).await,
            Err(error) => self.put_back_after_error(session, error).await,
        }
        answer.map_err(|error| self.query_failure(label, &error))
    }

    /// The same for an optional answer, with a short timeout.
    pub(super) async fn ask_briefly<T, F>(&self, ask: F) -> Option<T>
    where
        F: for<'c> FnOnce(&'c D, &'c mut Connection<D>) -> BoxFuture<'c, Answer<T>>,
    {
        let mut session = self.connection().await.ok()?;
        let answer = timeout(CONNECT_TIMEOUT, ask(self.driver.as_ref(), &mut session)).await;
        let answer = answer.ok()?.ok()?;
        self.put_back(session).await;
        Some(answer)
    }
}
