//! One server and its connections.

use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use redis::aio::{MultiplexedConnection, PubSubStream};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, Pipeline, ProtocolVersion, RedisResult,
    Value as Reply,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::health::Health;
use super::line::Line;
use super::named::Names;
use super::peer::Peer;
use super::reply::{Replies, is_transient, malformed, no_answer_in_time, pipe, words};
use super::sign_in::SignIn;
use super::wait::{Patience, Wait};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::sync::lock;
use crate::infrastructure::cache::url::invalid_url;

/// A few connections keep a server's single thread busy.
pub(super) const CONNECTIONS: usize = 4;

/// Timeout for connecting.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Timeout of a batch. Far above any healthy latency: a server pauses when it forks or rewrites its
/// log.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Max attempts of a request.
pub(super) const ATTEMPTS: u32 = 4;

/// Timeout for a server's view of the others.
const GLANCE_TIMEOUT: Duration = Duration::from_secs(2);

/// Default of `proto-max-bulk-len`.
const DEFAULT_MAX_VALUE: usize = 512 * 1024 * 1024;

pub(super) struct Node {
    pub(super) sign_in: SignIn,
    pub(super) peer: Peer,
    pub(super) health: Health,
    /// What its certificate may name instead of its address.
    pub(super) names: Names,
    lines: Vec<Line>,
    /// The longest value that the server accepts (`proto-max-bulk-len`). A longer one makes it
    /// close the connection, and the whole batch is lost.
    longest_value: AtomicUsize,
    /// It was a primary when the run began.
    was_primary: AtomicBool,
    /// What was last known of the server at its address.
    incarnation: StdMutex<Option<u64>>,
    /// It supports transactions.
    has_transactions: AtomicBool,
    /// A separate connection for watching the server.
    pub(super) watch: Mutex<Option<MultiplexedConnection>>,
}

/// Why a pipeline failed.
pub(super) enum Lost {
    /// No connection: nothing was sent.
    Unsent,
    /// The connection broke, or the answer timed out.
    Answer(String),
    /// The server is gone or refuses us.
    Server {
        failure: Failure,
        /// Unanswered commands may have been executed.
        sent: bool,
    },
}

impl Node {
    /// A server; not connected yet.
    pub(super) fn new(
        info: ConnectionInfo,
        sign_in: SignIn,
        connections: usize,
        patience: Patience,
    ) -> Result<Self, Failure> {
        let client = Client::open(info).map_err(|_| invalid_url("it cannot be parsed"))?;
        Ok(Self {
            peer: Peer { info: client.get_connection_info().clone(), announced: None },
            sign_in,
            health: Health::new(patience),
            names: Names::default(),
            lines: (0..connections).map(|_| Line::default()).collect(),
            longest_value: AtomicUsize::new(DEFAULT_MAX_VALUE),
            was_primary: AtomicBool::new(false),
            incarnation: StdMutex::default(),
            has_transactions: AtomicBool::new(false),
            watch: Mutex::default(),
        })
    }

    pub(super) async fn open(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let (info, url) = self.sign_in.current(&self.peer.info).await;
        let connect = async |info| self.names.connect(info, &config).await;
        let mut connection = match connect(info).await {
            Ok(connection) => connection,
            Err(refusal) => match self.sign_in.after(&refusal, &self.peer.info, &url).await {
                Some(info) => connect(info).await?,
                None => return Err(refusal),
            },
        };
        // Reads must not count as use for eviction. Servers before 7.2 do not know the command.
        let mut no_touch = pipe();
        no_touch.cmd("CLIENT").arg("NO-TOUCH").arg("ON");
        let _: Replies = no_touch.query_async(&mut connection).await?;
        Ok(connection)
    }

    pub(super) fn was_primary(&self) -> bool {
        self.was_primary.load(Ordering::Relaxed)
    }

    pub(super) fn set_primary(&self) {
        self.was_primary.store(true, Ordering::Relaxed);
    }

    /// Notes what is known of the server now; returns what was known before.
    pub(super) fn change_incarnation(&self, now: u64) -> Option<u64> {
        lock(&self.incarnation).replace(now)
    }

    /// Closes all connections: the next ones may lead to another server, since the name is resolved
    /// again.
    pub(super) async fn reconnect(&self) {
        for line in &self.lines {
            line.link.lock().await.connection = None;
        }
    }

    /// Takes over an open connection.
    pub(super) async fn adopt(&self, connection: MultiplexedConnection) {
        self.lines[0].link.lock().await.connection = Some(connection);
    }

    /// Subscribes to a channel on a separate connection.
    pub(super) async fn subscribe(&self, channel: &str) -> RedisResult<PubSubStream> {
        // Such connections support only RESP2.
        let (info, _) = self.sign_in.current(&self.peer.info).await;
        let settings = info.redis_settings().clone();
        let settings = settings.set_protocol(ProtocolVersion::RESP2);
        let client = Client::open(info.set_redis_settings(settings))?;
        let listening = async {
            let mut connection = client.get_async_pubsub().await?;
            connection.subscribe(channel).await?;
            Ok(connection.into_on_message())
        };
        let heard = timeout(CONNECT_TIMEOUT, listening).await;
        heard.unwrap_or_else(|_| Err(no_answer_in_time()))
    }

    pub(super) fn longest_value(&self) -> usize {
        self.longest_value.load(Ordering::Relaxed)
    }

    pub(super) fn set_longest_value(&self, bytes: usize) {
        self.longest_value.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn is_gone(&self) -> bool {
        self.health.gone().is_some()
    }

    /// Sends a pipeline; alone on its connection if it may break it.
    pub(super) async fn send(&self, pipe: &Pipeline, suspect: bool) -> Result<Replies, Lost> {
        // The first of those with the fewest batches: one after the other needs one connection.
        let line = self.lines.iter().min_by_key(|line| line.batches());
        let line = line.unwrap_or(&self.lines[0]);
        let _turn = line.turn(suspect).await;
        let (mut connection, generation) = self.connection(line).await?;
        let asked = Instant::now();
        let answer = pipe.query_async(&mut connection);
        let answer = timeout(self.health.time_left(RESPONSE_TIMEOUT), answer).await;
        match answer.unwrap_or_else(|_| Err(no_answer_in_time())) {
            Ok(replies) => Ok(replies),
            Err(error) => {
                line.broke(generation).await;
                let gone = self.health.silent(asked, || self.peer.lost(&error));
                Err(match gone {
                    Some(failure) => Lost::Server { failure, sent: true },
                    None => Lost::Answer(words(&error)),
                })
            }
        }
    }

    /// The line's connection, reopened if it broke.
    async fn connection(&self, line: &Line) -> Result<(MultiplexedConnection, u64), Lost> {
        let asked = Instant::now();
        // Held while connecting: other batches wait for the same connection.
        let mut link = line.link.lock().await;
        let refused = |failure| Lost::Server { failure, sent: false };
        // Waiting on an open connection would be useless.
        if let Some(failure) = self.health.gone() {
            return Err(refused(failure));
        }
        if let Some(open) = link.open() {
            return Ok(open);
        }
        // Waiters share the result of the attempt.
        if link.failed.is_some_and(|at| at > asked) {
            return Err(Lost::Unsent);
        }
        let asked = Instant::now();
        let opened = timeout(self.health.time_left(CONNECT_TIMEOUT), self.open()).await;
        match opened.unwrap_or_else(|_| Err(no_answer_in_time())) {
            Ok(connection) => Ok(link.set(connection)),
            Err(error) => {
                if let Some(failure) = self.peer.refusal(&error) {
                    // Retrying gets the user locked out.
                    self.health.give_up(&failure);
                    return Err(refused(failure));
                }
                if let Some(failure) = self.health.silent(asked, || self.peer.lost(&error)) {
                    return Err(refused(failure));
                }
                link.failed = Some(Instant::now());
                Err(Lost::Unsent)
            }
        }
    }

    /// Checks whether the server supports transactions. Where MULTI is refused (ACL,
    /// `rename-command`, a proxy), the commands after it would run one by one.
    pub(super) async fn need_transactions(&self) -> Result<(), Lost> {
        if self.has_transactions.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut empty = pipe();
        // DISCARD ends an open transaction; after EXEC its error is expected.
        empty.cmd("MULTI").cmd("EXEC").cmd("DISCARD");
        let replies = self.send(&empty, false).await?;
        if let Some(error) = replies.into_iter().take(2).find_map(Result::err) {
            let place = self.peer.place();
            let what = format!("the cache at {place} cannot write hashes in one step");
            let failure = Failure::new(FailureKind::CacheDenied, what, words(&error)).hint(
                "allow MULTI and EXEC (ACL: +multi +exec); where a proxy does not know them, \
                 give the server's own URL, or store the strategy as value = \"object\"",
            );
            return Err(Lost::Server { failure, sent: false });
        }
        self.has_transactions.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Sends a pipeline with retries. The caller handles errors of single commands.
    pub(super) async fn ask(&self, pipe: &Pipeline) -> Result<Replies, Failure> {
        let mut attempts = 0;
        let mut wait = Wait::new();
        loop {
            let asked = Instant::now();
            match self.send(pipe, attempts > 0).await {
                Ok(replies) => {
                    let errors = || replies.iter().filter_map(|reply| reply.as_ref().err());
                    let Some(error) = errors().find(|error| is_transient(error)) else {
                        let refused =
                            errors().find(|e| matches!(e.code(), Some("NOAUTH" | "DENIED")));
                        if let Some(failure) = refused.and_then(|e| self.peer.refusal(e)) {
                            return Err(failure);
                        }
                        self.health.answered();
                        return Ok(replies);
                    };
                    let not_ready = || self.peer.not_ready(error);
                    if let Some(failure) = self.health.silent(asked, not_ready) {
                        return Err(failure);
                    }
                }
                Err(Lost::Server { failure, .. }) => return Err(failure),
                Err(Lost::Unsent) => {}
                Err(Lost::Answer(why)) => {
                    attempts += 1;
                    if attempts == ATTEMPTS {
                        return Err(self.peer.no_answer(why));
                    }
                    continue;
                }
            }
            wait.pause().await;
        }
    }

    /// Asks once, whatever its health.
    pub(super) async fn glance(&self, pipe: &Pipeline) -> RedisResult<Replies> {
        let ask = async {
            match self.over_first_line(pipe).await {
                // An idle connection may be dead, which says nothing about the server.
                Err(_) => self.over_first_line(pipe).await,
                answered => answered,
            }
        };
        match timeout(GLANCE_TIMEOUT, ask).await {
            Ok(answered) => answered,
            Err(_) => {
                self.lines[0].link.lock().await.connection = None;
                Err(no_answer_in_time())
            }
        }
    }

    /// Asks once, with a short timeout.
    pub(super) async fn glance_at(&self, command: &[&str]) -> RedisResult<Reply> {
        let mut question = pipe();
        question.cmd(command[0]).arg(&command[1..]);
        let reply = self.glance(&question).await?.pop();
        reply.unwrap_or_else(|| Err(malformed()))
    }

    async fn over_first_line(&self, pipe: &Pipeline) -> RedisResult<Replies> {
        let line = &self.lines[0];
        let mut link = line.link.lock().await;
        let (mut connection, generation) = match link.open() {
            Some(open) => open,
            None => link.set(self.open().await?),
        };
        drop(link);
        let answered = pipe.query_async(&mut connection).await;
        if answered.is_err() {
            line.broke(generation).await;
        }
        answered
    }

    /// Sends a pipeline over the open connection, without a retry.
    pub(super) async fn once(&self, pipe: &Pipeline) -> Result<Replies, Failure> {
        // Not reused: its state may have changed.
        let connection = match self.lines[0].link.lock().await.connection.take() {
            Some(connection) => Ok(connection),
            None => self.open().await,
        };
        let answered = match connection {
            Ok(mut connection) => pipe.query_async(&mut connection).await,
            Err(error) => Err(error),
        };
        answered.map_err(|error| self.peer.connect_failure(&error))
    }
}
