//! One server: its connections, and how it is asked.

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
use super::peer::Peer;
use super::reply::{Replies, is_transient, malformed, no_answer_in_time, pipe, words};
use super::wait::Wait;
use crate::domain::failure::{Failure, FailureKind};
use crate::infrastructure::cache::url::invalid_url;

/// A server's one thread is the limit; a few connections keep it busy, more would only cost it.
pub(super) const CONNECTIONS: usize = 4;

/// A server that has not accepted a connection by then is called unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A batch without an answer for this long is unknown. Far above any healthy latency: a server
/// that forks or rewrites its log pauses for a while.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A request without an answer is sent this often.
pub(super) const ATTEMPTS: u32 = 4;

/// Nobody waits longer for a server's view of the others.
const GLANCE_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest value that a server takes where it does not say.
const DEFAULT_MAX_VALUE: usize = 512 * 1024 * 1024;

pub(super) struct Node {
    client: Client,
    pub(super) peer: Peer,
    pub(super) health: Health,
    lines: Vec<Line>,
    next: AtomicUsize,
    /// The longest value the server takes (`proto-max-bulk-len`). A longer one makes it close the
    /// connection, and the whole batch would be lost with it.
    longest_value: AtomicUsize,
    /// It runs commands as one, and has said so.
    has_transactions: AtomicBool,
    /// For watching the server while a run writes: nothing else waits on it.
    pub(super) watch: Mutex<Option<MultiplexedConnection>>,
}

/// Why a pipeline has no replies.
pub(super) enum Lost {
    /// There is no connection: nothing was sent.
    Unsent,
    /// The connection broke or the answer did not come in time.
    Answer(String),
    /// The server is gone or refuses us.
    Server {
        failure: Failure,
        /// It may have taken what it did not answer.
        sent: bool,
    },
}

impl Node {
    /// A server that is not asked for anything yet.
    pub(super) fn new(
        info: ConnectionInfo,
        connections: usize,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let client = Client::open(info).map_err(|_| invalid_url("it cannot be parsed"))?;
        Ok(Self {
            peer: Peer {
                info: client.get_connection_info().clone(),
            },
            client,
            health: Health::new(patience),
            lines: (0..connections).map(|_| Line::default()).collect(),
            next: AtomicUsize::new(0),
            longest_value: AtomicUsize::new(DEFAULT_MAX_VALUE),
            has_transactions: AtomicBool::new(false),
            watch: Mutex::default(),
        })
    }

    pub(super) async fn open(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let mut connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        // Looking at a key must not make it younger in the eyes of an evicting server; one that does
        // not know the command (before 7.2) cannot be helped.
        let mut no_touch = pipe();
        no_touch.cmd("CLIENT").arg("NO-TOUCH").arg("ON");
        let _: Replies = no_touch.query_async(&mut connection).await?;
        Ok(connection)
    }

    /// Uses a connection that is open already.
    pub(super) async fn adopt(&self, connection: MultiplexedConnection) {
        self.lines[0].link.lock().await.connection = Some(connection);
    }

    /// Listens to a channel, on a connection of its own.
    pub(super) async fn subscribe(&self, channel: &str) -> RedisResult<PubSubStream> {
        // Such connections know the older protocol only.
        let info = &self.peer.info;
        let settings = info.redis_settings().clone();
        let settings = settings.set_protocol(ProtocolVersion::RESP2);
        let client = Client::open(info.clone().set_redis_settings(settings))?;
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

    /// Sends a pipeline; alone on its connection where it is suspected to break it.
    pub(super) async fn send(&self, pipe: &Pipeline, suspect: bool) -> Result<Replies, Lost> {
        let line = &self.lines[self.next.fetch_add(1, Ordering::Relaxed) % self.lines.len()];
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
                    Some(failure) => Lost::Server {
                        failure,
                        sent: true,
                    },
                    None => Lost::Answer(words(&error)),
                })
            }
        }
    }

    /// The line's connection, opened again when it broke.
    async fn connection(&self, line: &Line) -> Result<(MultiplexedConnection, u64), Lost> {
        let asked = Instant::now();
        // Held while connecting: the other batches of this line wait for the same connection.
        let mut link = line.link.lock().await;
        let refused = |failure| Lost::Server {
            failure,
            sent: false,
        };
        // A connection that is open still would only be waited on for nothing.
        if let Some(failure) = self.health.gone() {
            return Err(refused(failure));
        }
        if let Some(open) = link.open() {
            return Ok(open);
        }
        // Who waited here for another's attempt shares what came of it.
        if link.failed.is_some_and(|at| at > asked) {
            return Err(Lost::Unsent);
        }
        let asked = Instant::now();
        let opened = timeout(self.health.time_left(CONNECT_TIMEOUT), self.open()).await;
        match opened.unwrap_or_else(|_| Err(no_answer_in_time())) {
            Ok(connection) => Ok(link.set(connection)),
            Err(error) => {
                if let Some(failure) = self.peer.refusal(&error) {
                    // Asking again and again gets a user locked out.
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

    /// Asks, until it has said so, whether the server runs commands as one. Where MULTI is refused
    /// (ACL, `rename-command`, a proxy), the commands after it would be run one by one.
    pub(super) async fn need_transactions(&self) -> Result<(), Lost> {
        if self.has_transactions.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut empty = pipe();
        // DISCARD ends what EXEC has not; after EXEC it is an error that says nothing.
        empty.cmd("MULTI").cmd("EXEC").cmd("DISCARD");
        let replies = self.send(&empty, false).await?;
        if let Some(error) = replies.into_iter().take(2).find_map(Result::err) {
            let place = self.peer.place();
            let what = format!("the cache at {place} cannot write hashes in one step");
            let failure = Failure::new(FailureKind::CacheDenied, what, words(&error)).hint(
                "allow MULTI and EXEC (ACL: +multi +exec); where a proxy does not know them, \
                 give the server's own URL, or store the strategy as value = \"object\"",
            );
            return Err(Lost::Server {
                failure,
                sent: false,
            });
        }
        self.has_transactions.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Sends a pipeline until it is answered, within bounds. Errors of single commands are for the
    /// caller to read.
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

    /// Asks once and soon, whatever is thought of its health.
    pub(super) async fn glance(&self, pipe: &Pipeline) -> RedisResult<Replies> {
        let ask = async {
            match self.over_first_line(pipe).await {
                // Nothing may have been sent on it for long: it says nothing of the server.
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

    /// Asks one thing at a glance.
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

    /// Sends a pipeline over the connection that is open already, without a second try.
    pub(super) async fn once(&self, pipe: &Pipeline) -> Result<Replies, Failure> {
        // Not put back: the questions may leave it in a state of its own.
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
