//! Sessions with a database: opened, kept while nothing runs on them, opened again when they are
//! lost.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::Connection as _;
use tokio::sync::{Mutex, OwnedRwLockReadGuard, RwLock};
use tokio::time::{sleep, timeout};

use super::driver::{Connection, Driver};
use super::failures;
use super::shortage::{Lender, Out, Shortage};
use crate::application::ports::SourceVitals;
use crate::domain::failure::{Failure, FailureKind};

/// A server that has not answered a connection attempt by then is called unreachable.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Without a row for this long we look whether the server is still there: a slow query is, a dead
/// machine says nothing.
const LOOK_AFTER: Duration = Duration::from_secs(10);

/// How long a server that was lost in the middle of a query may take to come back.
const RECONNECT: Duration = Duration::from_secs(10);

/// A session that was in use this short a time ago is not asked whether it is still open: look-ups come
/// one after the other, and the question would cost each of them a round trip.
const SURELY_OPEN: Duration = Duration::from_millis(500);

/// Who has waited this long for an answer knows that the database is slow.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// How long a server may count a session that we have closed.
const STILL_COUNTED: Duration = Duration::from_secs(30);

/// Between two attempts to reach it: as much as a moment ago twice over, with chance.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The sessions with one database.
pub(super) struct Sessions<D: Driver> {
    pub(super) driver: D,
    /// Connections while nothing runs on them. One whose query was left in the middle is not put
    /// back: it would have to drain the rest first.
    idle: Mutex<Vec<Idle<D>>>,
    shortage: Arc<Shortage>,
    /// The server may be away: a session was lost in the middle of the run, and none was opened since.
    lost: AtomicBool,
    /// Since when it has been away for sure. Whoever asks for a session counts from there, so that they
    /// all give up at the same time and say the same.
    away: std::sync::Mutex<Option<Instant>>,
    /// Read by every query that is under way.
    under_way: Arc<RwLock<()>>,
}

/// A connection, and since when nothing runs on it.
type Idle<D> = (Connection<D>, Instant);

/// A session in use.
pub(super) struct Session<D: Driver> {
    connection: Connection<D>,
    _out: Out,
}

impl<D: Driver> Deref for Session<D> {
    type Target = Connection<D>;
    fn deref(&self) -> &Connection<D> {
        &self.connection
    }
}

impl<D: Driver> DerefMut for Session<D> {
    fn deref_mut(&mut self) -> &mut Connection<D> {
        &mut self.connection
    }
}

/// Why there is no session.
pub(super) enum NoSession {
    /// The server has none left, or a pooler in front of it.
    Full(Failure),
    /// It says nothing.
    Silent(Failure),
    Other(Failure),
}

impl<D: Driver> Sessions<D> {
    pub(super) fn new(driver: D) -> Self {
        Self {
            driver,
            idle: Mutex::default(),
            shortage: Arc::default(),
            lost: AtomicBool::new(false),
            away: std::sync::Mutex::default(),
            under_way: Arc::default(),
        }
    }

    /// One plain attempt at the start of a run, so that a dead server is noticed at once and named.
    pub(super) async fn connect(&self) -> Result<Session<D>, Failure> {
        self.is_back();
        self.try_connect().await.map_err(NoSession::into_failure)
    }

    async fn try_connect(&self) -> Result<Session<D>, NoSession> {
        let out = self.shortage.out();
        match timeout(CONNECT_TIMEOUT, self.driver.connect().boxed()).await {
            Ok(Ok(connection)) => {
                self.is_back();
                Ok(Session {
                    connection,
                    _out: out,
                })
            }
            Ok(Err(error)) => {
                let is_full =
                    matches!(&error, sqlx::Error::Database(error) if D::is_full(error.as_ref()));
                let failure = failures::unreachable(&self.driver, &error);
                Err(match is_full {
                    true => NoSession::Full(failure),
                    false => NoSession::Other(failure),
                })
            }
            Err(_) if self.is_greeted().await => Err(NoSession::Full(failures::kept_waiting(
                &self.driver.place(),
                CONNECT_TIMEOUT,
            ))),
            Err(_) => Err(NoSession::Silent(self.says_nothing())),
        }
    }

    /// Whether a pooler is there, whatever is behind it.
    async fn is_greeted(&self) -> bool {
        let greeted = timeout(LONGEST_LOOK, self.driver.is_greeted()).await;
        greeted.unwrap_or(false)
    }

    /// How the server is, asked on a session where nothing else waits.
    pub(super) async fn look(&self) -> Option<SourceVitals> {
        let looked = timeout(LONGEST_LOOK, self.vitals()).await;
        // Where sessions are short, it was one that we waited for.
        let slow = (!self.shortage.was_noticed()).then_some(SourceVitals {
            latency: LONGEST_LOOK,
            active: None,
            lag: None,
        });
        looked.unwrap_or(slow)
    }

    async fn vitals(&self) -> Option<SourceVitals> {
        let mut connection = self.try_session().await.ok()?;
        let vitals = self.driver.vitals(&mut connection).await.ok()?;
        self.put_back(connection).await;
        vitals
    }

    /// Whether nobody can tell who waits for a query.
    pub(super) fn is_blind(&self) -> bool {
        self.shortage.was_noticed() || !self.driver.tells_who_waits()
    }

    /// Says, until it is dropped, that a query could end for others.
    pub(super) fn lender(&self) -> Lender {
        self.shortage.lender()
    }

    /// Returns when somebody needs the session of a query that could end.
    pub(super) async fn is_wanted(&self) {
        self.shortage.is_wanted().await;
    }

    /// Whether somebody else held a lock that a statement waited for.
    pub(super) fn is_lock_timeout(error: &sqlx::Error) -> bool {
        matches!(error, sqlx::Error::Database(error) if D::is_lock_timeout(error.as_ref()))
    }

    /// An idle session, or a new one. Where the server has none left, one of ours is waited for.
    pub(super) async fn connection(&self) -> Result<Session<D>, Failure> {
        match self.prompt_session().await {
            // It had one for us before the run began.
            Some(Err(NoSession::Full(failure) | NoSession::Silent(failure))) => {
                tracing::debug!(%failure, "waiting for a session");
                self.shortage.notice();
            }
            Some(opened) => return opened.map_err(NoSession::into_failure),
            None => tracing::debug!("waiting for a session, perhaps a pooler's"),
        }
        Box::pin(self.next_session()).await
    }

    /// A session; `None`: it takes so long that there may be none left.
    async fn prompt_session(&self) -> Option<Result<Session<D>, NoSession>> {
        let mut opened = pin!(self.try_session());
        match timeout(self.shortage.patience(), &mut opened).await {
            Ok(opened) => Some(opened),
            // A server that is away takes its time.
            Err(_) if self.lost.load(Ordering::Relaxed) => Some(opened.await),
            Err(_) => None,
        }
    }

    /// The next session of ours that comes back.
    async fn next_session(&self) -> Result<Session<D>, Failure> {
        let _turn = self.shortage.turn().await;
        let opened = self.shortage.relieve(self.keep_trying()).await;
        opened.map_err(NoSession::into_failure)
    }

    async fn keep_trying(&self) -> Result<Session<D>, NoSession> {
        let since = Instant::now();
        let longest = self.driver.options().statement_timeout;
        loop {
            let opened = match self.idle_session().await {
                Some(session) => Ok(session),
                None => tokio::select! {
                    opened = self.open() => opened,
                    // A pooler may have no other for us while this one is ours.
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

    /// Returns when one of our sessions has nothing to do.
    async fn is_idle_again(&self) {
        loop {
            let came_back = self.shortage.came_back();
            if !self.idle.lock().await.is_empty() {
                return;
            }
            came_back.await;
        }
    }

    /// Waits for an answer that takes a moment once the session has its turn: a pooler may let it wait
    /// for the end of a query of ours.
    pub(super) async fn wait_for_turn<T>(
        &self,
        label: &str,
        answer: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let mut answer = pin!(self.wait(label, answer));
        match timeout(self.shortage.patience(), &mut answer).await {
            Ok(answer) => answer,
            Err(_) => self.shortage.relieve(answer).await,
        }
    }

    /// An idle session, or a new one.
    pub(super) async fn try_session(&self) -> Result<Session<D>, NoSession> {
        match self.idle_session().await {
            Some(session) => Ok(session),
            None => self.open().await,
        }
    }

    async fn idle_session(&self) -> Option<Session<D>> {
        while let Some((mut session, since)) = self.take_idle().await {
            if since.elapsed() < SURELY_OPEN {
                return Some(session);
            }
            match timeout(CONNECT_TIMEOUT, session.ping()).await {
                Ok(Ok(())) => return Some(session),
                // The server may have closed it while nothing ran on it.
                Ok(Err(_)) => self.lost.store(true, Ordering::Relaxed),
                Err(_) => {}
            }
        }
        None
    }

    async fn open(&self) -> Result<Session<D>, NoSession> {
        match self.lost.load(Ordering::Relaxed) {
            true => self.reconnect().await,
            false => self.try_connect().await,
        }
    }

    async fn take_idle(&self) -> Option<(Session<D>, Instant)> {
        let (connection, since) = self.idle.lock().await.pop()?;
        let session = Session {
            connection,
            _out: self.shortage.out(),
        };
        Some((session, since))
    }

    fn is_back(&self) {
        self.lost.store(false, Ordering::Relaxed);
        *self.away.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn away_since(&self) -> Instant {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        *away.get_or_insert_with(Instant::now)
    }

    /// Connects to a server that was there a moment ago, and gives it time to come back. A refusal
    /// is never tried again.
    async fn reconnect(&self) -> Result<Session<D>, NoSession> {
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match self.try_connect().await {
                Ok(session) => return Ok(session),
                Err(NoSession::Full(failure)) => return Err(NoSession::Full(failure)),
                Err(NoSession::Silent(failure) | NoSession::Other(failure)) => failure,
            };
            if failure.kind != FailureKind::SourceUnreachable {
                return Err(NoSession::Other(failure));
            }
            if self.away_since().elapsed() + pause >= RECONNECT {
                return Err(NoSession::Other(failures::stayed_away(
                    &self.driver.place(),
                    RECONNECT,
                    failure,
                )));
            }
            sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    pub(super) async fn put_back(&self, session: Session<D>) {
        let Session { connection, _out } = session;
        self.idle.lock().await.push((connection, Instant::now()));
    }

    /// Held while a query is under way.
    pub(super) fn begin_query(&self) -> Option<OwnedRwLockReadGuard<()>> {
        Arc::clone(&self.under_way).try_read_owned().ok()
    }

    /// Waits until no query is under way any more, not even one that nobody listens to.
    pub(super) async fn settled(&self) {
        let _ = timeout(CONNECT_TIMEOUT, self.under_way.write()).await;
    }

    /// Whether the server is there. An error is an answer too.
    async fn answers(&self) -> bool {
        match timeout(CONNECT_TIMEOUT, self.driver.connect()).await {
            Ok(connected) => matches!(connected, Ok(_) | Err(sqlx::Error::Database(_))),
            // The query that we wait for may have the pooler's last session.
            Err(_) => self.is_greeted().await,
        }
    }

    /// Waits for an answer as long as we ever wait for the database, but not for a server that is
    /// gone. Only what is waited here counts, never the time that the cache takes.
    pub(super) async fn wait<T>(
        &self,
        label: &str,
        answer: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let mut answer = pin!(answer);
        let limit = self.driver.options().statement_timeout + D::GRACE;
        let asked = Instant::now();
        loop {
            let left = limit.saturating_sub(asked.elapsed());
            if let Ok(answer) = timeout(LOOK_AFTER.min(left), &mut answer).await {
                return Ok(answer);
            }
            if asked.elapsed() >= limit {
                return Err(failures::timed_out(&self.driver, label));
            }
            if !self.answers().await {
                let why = format!("no answer for {} s", asked.elapsed().as_secs());
                return Err(self.lost(failures::lost(&self.driver.place(), label, &why)));
            }
        }
    }

    fn says_nothing(&self) -> Failure {
        let why = format!("no answer within {} s", CONNECT_TIMEOUT.as_secs());
        failures::unreachable_because(&self.driver.place(), why)
    }

    /// A failed statement.
    pub(super) fn query_failure(&self, label: &str, sql: &str, error: &sqlx::Error) -> Failure {
        self.lost(failures::of_query(&self.driver, label, sql, error))
    }

    /// Notices where a failure says that the server may be away.
    fn lost(&self, failure: Failure) -> Failure {
        if failure.kind == FailureKind::SourceLost {
            self.lost.store(true, Ordering::Relaxed);
        }
        failure
    }

    /// Asks something on a session of its own, which goes back when the answer has come.
    pub(super) async fn with_session<T, F>(
        &self,
        label: &str,
        sql: &str,
        ask: F,
    ) -> Result<T, Failure>
    where
        F: for<'c> FnOnce(&'c D, &'c mut Connection<D>) -> BoxFuture<'c, Result<T, sqlx::Error>>,
    {
        let mut session = self.connection().await?;
        let answer = ask(&self.driver, &mut session);
        let answer = self.wait_for_turn(label, answer).await?;
        if matches!(answer, Ok(_) | Err(sqlx::Error::Database(_))) {
            self.put_back(session).await;
        }
        answer.map_err(|error| self.query_failure(label, sql, &error))
    }

    /// The same where nobody waits long for the answer, or misses it.
    pub(super) async fn ask_briefly<T, F>(&self, ask: F) -> Option<T>
    where
        F: for<'c> FnOnce(&'c D, &'c mut Connection<D>) -> BoxFuture<'c, Result<T, sqlx::Error>>,
    {
        let mut session = self.connection().await.ok()?;
        let answer = timeout(CONNECT_TIMEOUT, ask(&self.driver, &mut session)).await;
        let answer = answer.ok()?.ok()?;
        self.put_back(session).await;
        Some(answer)
    }
}

impl NoSession {
    fn into_failure(self) -> Failure {
        match self {
            Self::Full(failure) | Self::Silent(failure) | Self::Other(failure) => failure,
        }
    }
}
