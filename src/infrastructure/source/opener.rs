//! Opens sessions, and reconnects to a server that was away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::time::{sleep, timeout};

use super::driver::Driver;
use super::failures;
use super::session::{NoSession, Session};
use super::shortage::Shortage;
use crate::application::ports::FreshUrl;
use crate::domain::backoff::Backoff;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::sync::lock;

/// Timeout for a lost server to come back.
pub(super) const RECONNECT: Duration = Duration::from_secs(10);

/// Timeout of a latency probe: by then the database is slow.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Pauses between attempts: doubling, with jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Opens sessions with one database.
pub(super) struct Opener<D: Driver> {
    driver: Arc<D>,
    shortage: Arc<Shortage>,
    /// A session was lost during the run, and none has been opened since.
    lost: AtomicBool,
    /// Since when it has been away. All requests for a session count from there, so that they fail
    /// together with the same error.
    away: std::sync::Mutex<Option<Instant>>,
    /// `None`: the URL does not change.
    pub(super) fresh_url: Option<FreshUrl>,
    /// The URL that the driver signs in with.
    signs_in_with: std::sync::Mutex<String>,
}

impl<D: Driver> Opener<D> {
    pub(super) fn new(
        driver: &Arc<D>,
        shortage: &Arc<Shortage>,
        fresh_url: Option<FreshUrl>,
    ) -> Self {
        Self {
            driver: Arc::clone(driver),
            shortage: Arc::clone(shortage),
            lost: AtomicBool::new(false),
            away: std::sync::Mutex::default(),
            fresh_url,
            signs_in_with: std::sync::Mutex::default(),
        }
    }

    /// A single attempt at the start of a run, so that a dead server is reported at once.
    pub(super) async fn connect(&self) -> Result<Session<D>, Failure> {
        self.is_back();
        self.try_connect().await.map_err(NoSession::into_failure)
    }

    pub(super) async fn open(&self) -> Result<Session<D>, NoSession> {
        if self.is_lost() { self.reconnect().await } else { self.try_connect().await }
    }

    /// A password that was refused may have been replaced.
    async fn try_connect(&self) -> Result<Session<D>, NoSession> {
        if let Some(url) = &self.fresh_url
            && let Err(failure) = self.sign_in_with(url.get().await)
        {
            tracing::warn!(%failure, "the last password is used");
        }
        // Another session may take over another URL meanwhile.
        let used = lock(&self.signs_in_with).clone();
        match (self.try_once().await, &self.fresh_url) {
            (Err(NoSession::Other(failure)), Some(url))
                if failure.kind == FailureKind::SourceDenied =>
            {
                match url.other_than(&used).await {
                    None => Err(NoSession::Other(failure)),
                    Some(other) => {
                        self.sign_in_with(other).map_err(NoSession::Other)?;
                        self.try_once().await
                    }
                }
            }
            (opened, _) => opened,
        }
    }

    fn sign_in_with(&self, url: String) -> Result<(), Failure> {
        let mut last = lock(&self.signs_in_with);
        if *last != url {
            self.driver.sign_in_with(&url)?;
            *last = url;
        }
        Ok(())
    }

    async fn try_once(&self) -> Result<Session<D>, NoSession> {
        let out = self.shortage.out();
        let longest = self.driver.connect_timeout();
        match timeout(longest, self.driver.connect().boxed()).await {
            Ok(Ok(connection)) => {
                self.is_back();
                Ok(Session { connection, out })
            }
            Ok(Err(error)) => {
                let is_full =
                    matches!(&error, sqlx::Error::Database(error) if D::is_full(error.as_ref()));
                let failure = failures::unreachable(self.driver.as_ref(), &error);
                Err(if is_full { NoSession::Full(failure) } else { NoSession::Other(failure) })
            }
            Err(_) if self.is_greeted().await => {
                Err(NoSession::Full(failures::kept_waiting(&self.driver.place(), longest)))
            }
            Err(_) => Err(NoSession::Silent(self.says_nothing())),
        }
    }

    /// Whether a pooler answers.
    async fn is_greeted(&self) -> bool {
        let greeted = timeout(PROBE_TIMEOUT, self.driver.is_greeted()).await;
        greeted.unwrap_or(false)
    }

    /// Reconnects to a server, with time to come back. A refusal is not retried.
    async fn reconnect(&self) -> Result<Session<D>, NoSession> {
        let mut backoff = Backoff::new(FIRST_PAUSE, MAX_PAUSE);
        loop {
            let failure = match self.try_connect().await {
                Ok(session) => return Ok(session),
                Err(NoSession::Full(failure)) => return Err(NoSession::Full(failure)),
                Err(NoSession::Silent(failure) | NoSession::Other(failure)) => failure,
            };
            if failure.kind != FailureKind::SourceUnreachable {
                return Err(NoSession::Other(failure));
            }
            let pause = backoff.pause();
            if self.away_since().elapsed() + pause >= RECONNECT {
                return Err(NoSession::Other(failures::stayed_away(
                    &self.driver.place(),
                    RECONNECT,
                    failure,
                )));
            }
            sleep(pause).await;
        }
    }

    /// Whether the server answers. An error is an answer too.
    pub(super) async fn answers(&self) -> bool {
        let longest = self.driver.connect_timeout();
        match timeout(longest, self.driver.connect()).await {
            Ok(connected) => matches!(connected, Ok(_) | Err(sqlx::Error::Database(_))),
            // The query that we wait for may use the pooler's last session.
            Err(_) => self.is_greeted().await,
        }
    }

    fn says_nothing(&self) -> Failure {
        let longest = self.driver.connect_timeout();
        let why = format!("no answer within {} s", longest.as_secs());
        failures::unreachable_because(&self.driver.place(), why)
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Records that the server may be away.
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    fn is_back(&self) {
        self.lost.store(false, Ordering::Relaxed);
        *lock(&self.away) = None;
    }

    fn away_since(&self) -> Instant {
        let mut away = lock(&self.away);
        *away.get_or_insert_with(Instant::now)
    }
}
