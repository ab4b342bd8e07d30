//! Sessions with a database: opened, kept while nothing runs on them, opened again when they are
//! lost; and what goes wrong with them, in words.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use tokio::sync::{Mutex, OwnedRwLockReadGuard, RwLock};
use tokio::time::{sleep, timeout};

use super::{Connection, Driver, Explained, invalid_url};
use crate::application::ports::SourceVitals;
use crate::domain::failure::{Failure, FailureKind};

/// A server that has not answered a connection attempt by then is called unreachable.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Without a row for this long we look whether the server is still there: a slow query is, a dead
/// machine says nothing.
const LOOK_AFTER: Duration = Duration::from_secs(10);

/// How long a server that was lost in the middle of a query may take to come back.
const RECONNECT: Duration = Duration::from_secs(10);

/// Who has waited this long for an answer knows that the database is slow.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// Between two attempts to reach it: as much as a moment ago twice over, with chance.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The sessions with one database.
pub(super) struct Sessions<D: Driver> {
    pub(super) driver: D,
    /// Connections while nothing runs on them. One whose query was left in the middle is not put
    /// back: it would have to drain the rest first.
    idle: Mutex<Vec<Connection<D>>>,
    /// Another one, for looking after the server while queries run.
    watch: Mutex<Option<Connection<D>>>,
    /// A query was lost in the middle: the server may be away for a moment.
    lost: AtomicBool,
    /// Read by every query that is under way.
    under_way: Arc<RwLock<()>>,
}

impl<D: Driver> Sessions<D> {
    pub(super) fn new(driver: D) -> Self {
        Self {
            driver,
            idle: Mutex::default(),
            watch: Mutex::default(),
            lost: AtomicBool::new(false),
            under_way: Arc::default(),
        }
    }

    /// One plain attempt, so that a dead server is noticed at once and named.
    pub(super) async fn connect(&self) -> Result<Connection<D>, Failure> {
        match timeout(CONNECT_TIMEOUT, self.driver.connect()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(self.unreachable(&error)),
            Err(_) => Err(self
                .unreachable_because(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()))),
        }
    }

    /// How the server is, asked on a session where nothing else waits.
    pub(super) async fn look(&self) -> Option<SourceVitals> {
        let looked = timeout(LONGEST_LOOK, self.vitals()).await;
        looked.unwrap_or(Some(SourceVitals {
            latency: LONGEST_LOOK,
            active: None,
            lag: None,
            is_replica: None,
        }))
    }

    async fn vitals(&self) -> Option<SourceVitals> {
        let mut watch = self.watch.lock().await;
        let mut connection = match watch.take() {
            Some(connection) => connection,
            None => self.connect().await.ok()?,
        };
        let vitals = self.driver.vitals(&mut connection).await.ok()?;
        *watch = Some(connection);
        vitals
    }

    /// An idle connection, or a new one.
    pub(super) async fn connection(&self) -> Result<Connection<D>, Failure> {
        let mut was_closed = false;
        while let Some(mut connection) = self.take_idle().await {
            // The server may have closed it while nothing ran on it.
            if let Ok(Ok(())) = timeout(CONNECT_TIMEOUT, connection.ping()).await {
                return Ok(connection);
            }
            was_closed = true;
        }
        match was_closed || self.lost.load(Ordering::Relaxed) {
            true => self.reconnect().await,
            false => self.connect().await,
        }
    }

    async fn take_idle(&self) -> Option<Connection<D>> {
        self.idle.lock().await.pop()
    }

    /// Connects to a server that was there a moment ago, and gives it time to come back. A refusal
    /// is never tried again.
    async fn reconnect(&self) -> Result<Connection<D>, Failure> {
        let since = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match self.connect().await {
                Ok(connection) => {
                    self.lost.store(false, Ordering::Relaxed);
                    return Ok(connection);
                }
                Err(failure) => failure,
            };
            let retryable = failure.kind == FailureKind::SourceUnreachable;
            if !retryable || since.elapsed() + pause >= RECONNECT {
                self.lost.store(false, Ordering::Relaxed);
                return Err(match retryable {
                    true => self.stayed_away(failure),
                    false => failure,
                });
            }
            sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    pub(super) async fn put_back(&self, connection: Connection<D>) {
        self.idle.lock().await.push(connection);
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
        let connected = timeout(CONNECT_TIMEOUT, self.driver.connect()).await;
        matches!(connected, Ok(Ok(_) | Err(sqlx::Error::Database(_))))
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
                return Err(self.timed_out(label));
            }
            if !self.answers().await {
                let why = format!("no answer for {} s", asked.elapsed().as_secs());
                return Err(self.lost(label, why));
            }
        }
    }

    fn lost(&self, label: &str, why: String) -> Failure {
        self.lost.store(true, Ordering::Relaxed);
        let place = self.driver.place();
        let what = format!("{label}: lost the database at {place} in the middle of the query");
        Failure::new(FailureKind::SourceLost, what, why)
            .hint("what was written is in the cache; run again when the database is back")
    }

    fn stayed_away(&self, failure: Failure) -> Failure {
        let place = self.driver.place();
        let what = format!("lost the database at {place} in the middle of the run");
        let why = format!("not back within {} s: {}", RECONNECT.as_secs(), failure.why);
        Failure::new(failure.kind, what, why)
            .hint("what was written is in the cache; run again when the database is back")
    }

    fn unreachable_because(&self, why: String) -> Failure {
        let what = format!("cannot reach the database at {}", self.driver.place());
        Failure::new(FailureKind::SourceUnreachable, what, why)
            .hint("check that it runs, and host and port in the database URL")
    }

    fn unreachable(&self, error: &sqlx::Error) -> Failure {
        match error {
            sqlx::Error::Database(error) => {
                let explained = D::explain(error.as_ref());
                let kind = match explained.kind {
                    FailureKind::Query | FailureKind::SourceLost => FailureKind::SourceUnreachable,
                    kind => kind,
                };
                let what = match kind {
                    FailureKind::SourceDenied => "the database refuses",
                    _ => "cannot use the database",
                };
                let what = format!("{what} at {}", self.driver.place());
                let mut failure = Failure::new(kind, what, explained.message);
                failure.hint = explained.hint.map(str::to_owned);
                failure
            }
            // What the TLS library objects to comes as bad data.
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                self.tls_failure(error)
            }
            sqlx::Error::Io(error) => self.unreachable_because(error.to_string()),
            sqlx::Error::Tls(error) => self.tls_failure(error),
            sqlx::Error::Configuration(error) => invalid_url(error.to_string()),
            _ => self.unreachable_because("it answers, but not as a database does".into()),
        }
    }

    fn tls_failure(&self, error: &dyn std::fmt::Display) -> Failure {
        self.unreachable_because(format!("TLS: {error}"))
            .hint("check the certificate, and sslmode/ssl-mode and the root certificate in the URL")
    }

    /// A failed statement.
    pub(super) fn query_failure(&self, label: &str, sql: &str, error: &sqlx::Error) -> Failure {
        match error {
            sqlx::Error::Database(error) => {
                let explained = D::explain(error.as_ref());
                if explained.is_lost() {
                    let mut failure = self.lost(label, explained.message);
                    failure.hint = explained.hint.map(str::to_owned).or(failure.hint);
                    return failure;
                }
                let at = explained
                    .position
                    .map(|p| in_definition(sql, p))
                    .unwrap_or_default();
                let place = self.driver.place();
                let what = format!("{label}: the database at {place} refused the query");
                let kind = match explained.kind {
                    FailureKind::Config => FailureKind::Query,
                    kind => kind,
                };
                let mut failure = Failure::new(kind, what, format!("{}{at}", explained.message));
                failure.hint = explained.hint.map(str::to_owned);
                failure
            }
            sqlx::Error::Io(error) => self.lost(label, error.to_string()),
            sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
                self.lost(label, "the connection broke off".into())
            }
            _ => {
                let place = self.driver.place();
                let what = format!("{label}: the database at {place} cannot be understood");
                Failure::new(FailureKind::Query, what, "its answer cannot be read")
            }
        }
    }

    fn timed_out(&self, label: &str) -> Failure {
        let what = format!(
            "{label}: the database at {} does not answer",
            self.driver.place()
        );
        let waited = self.driver.options().statement_timeout;
        let why = format!("no row within {}", humantime::format_duration(waited));
        Failure::new(FailureKind::Query, what, why).hint(super::TIMEOUT_HINT)
    }
}

impl Explained {
    /// Whether the session is gone, or was ended for a reason that has nothing to do with the
    /// query.
    fn is_lost(&self) -> bool {
        matches!(
            self.kind,
            FailureKind::SourceLost | FailureKind::SourceUnreachable
        )
    }
}
/// ` (line 3, column 8 of the SQL)`: a position in a composed query, as the definition counts.
fn in_definition(sql: &str, position: usize) -> String {
    let before: String = sql.chars().take(position.saturating_sub(1)).collect();
    // The engine's own first line stands above the definition's text.
    match before.matches('\n').count() {
        0 => String::new(),
        line => {
            let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
            format!(" (line {line}, column {column} of the SQL)")
        }
    }
}
