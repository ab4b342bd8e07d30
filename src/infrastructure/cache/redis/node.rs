//! One server: its connections, its health, and what its answers mean.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{MultiplexedConnection, PubSubStream};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, Pipeline, ProtocolVersion,
    RedisError, RedisResult, Value as Reply,
};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

use super::servers::Wait;
use super::{invalid_url, is_transient, pipe, words};
use crate::domain::failure::{Failure, FailureKind};

/// A server that has not accepted a connection by then is called unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A batch without an answer for this long is unknown. Far above any healthy latency: a server
/// that forks or rewrites its log pauses for a while.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Nobody waits less than this for an answer.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// A pipeline without an answer is sent again this often.
pub(super) const ATTEMPTS: usize = 4;

/// Nobody waits longer for a server's view of the others.
const GLANCE: Duration = Duration::from_secs(2);

/// What a user of the cache needs.
const RIGHTS: &str = "a run needs +set and +ping, and +select for a database index; hashes +multi +exec +del +hset \
     +pexpire; --mode only-missing with hashes +eval +exists +hset +pexpire; a version_field +eval +get +hget and these";

/// The longest value that a server takes where it does not say.
const LONGEST_VALUE: usize = 512 * 1024 * 1024;

pub(super) type Replies = Vec<RedisResult<Reply>>;

pub(super) struct Node {
    client: Client,
    lines: Vec<Line>,
    next: AtomicUsize,
    health: StdMutex<Health>,
    /// How long it may answer nothing before it is given up.
    patience: Duration,
    /// The longest value the server takes (`proto-max-bulk-len`). A longer one makes it close the
    /// connection, and the whole batch would be lost with it.
    longest_value: AtomicUsize,
    /// It runs commands as one, and has said so.
    has_transactions: AtomicBool,
    /// For looking after the server while a run writes: nothing else waits on it.
    pub(super) watch: Mutex<Option<MultiplexedConnection>>,
}

/// One of the connections, shared by several batches.
struct Line {
    link: Mutex<Link>,
    /// A batch takes one turn. One that was lost before takes all: if it is what breaks the
    /// connection, no other batch is on it.
    turns: Semaphore,
}

const ALL_TURNS: u32 = 1 << 20;

impl Default for Line {
    fn default() -> Self {
        Self {
            link: Mutex::default(),
            turns: Semaphore::new(ALL_TURNS as usize),
        }
    }
}

#[derive(Default)]
struct Link {
    connection: Option<MultiplexedConnection>,
    /// Counts the connections, so that a broken one is thrown away once.
    generation: u64,
    /// When an attempt to connect failed last.
    failed: Option<Instant>,
}

/// What all connections together know of the server.
#[derive(Default)]
struct Health {
    /// When the first command was sent that had no useful answer, if none had one since.
    silent_since: Option<Instant>,
    /// Why it was given up; what is still to be sent need not wait for it again.
    gone: Option<Failure>,
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

/// What a server says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    pub mode: Mode,
    /// It copies another, as far as it says.
    pub is_replica: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Alone,
    Cluster,
    Sentinel,
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
            client,
            lines: (0..connections).map(|_| Line::default()).collect(),
            next: AtomicUsize::new(0),
            health: StdMutex::default(),
            patience,
            longest_value: AtomicUsize::new(LONGEST_VALUE),
            has_transactions: AtomicBool::new(false),
            watch: Mutex::default(),
        })
    }

    /// Connects, and says what the server is.
    ///
    /// # Errors
    /// It cannot be reached, or refuses us.
    pub(super) async fn greet(&self) -> Result<Greeting, Failure> {
        let unreachable = |error: &RedisError| self.connect_failure(error);
        let mut connection = self.open().await.map_err(|error| unreachable(&error))?;
        let mut questions = pipe();
        questions.cmd("PING");
        questions.cmd("CONFIG").arg("GET").arg("proto-max-bulk-len");
        // Without arguments it changes nothing, and every user may ask.
        questions.cmd("HELLO");
        questions.cmd("INFO");
        // Connecting proves nothing: a server that wants a password says so to the first command.
        let replies: RedisResult<Replies> = questions.query_async(&mut connection).await;
        let replies = replies.map_err(|error| unreachable(&error))?;
        if let Some(Err(error)) = replies.first()
            && matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "DENIED"))
        {
            return Err(unreachable(error));
        }
        let mut replies = replies.into_iter().skip(1);
        // CONFIG may be denied; then the default stands.
        if let Some(Ok(reply)) = replies.next()
            && let Some(limit) = setting(reply, "proto-max-bulk-len")
            && let Ok(limit) = limit.parse()
        {
            self.longest_value.store(limit, Ordering::Relaxed);
        }
        let greeting = greeting(replies.next(), replies.next());
        self.lines[0].link.lock().await.connection = Some(connection);
        Ok(greeting)
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

    /// Hears what is published on a channel, on a connection of its own.
    pub(super) async fn subscribe(&self, channel: &str) -> RedisResult<PubSubStream> {
        // Such connections know the older protocol only.
        let settings = self.info().redis_settings().clone();
        let settings = settings.set_protocol(ProtocolVersion::RESP2);
        let client = Client::open(self.info().clone().set_redis_settings(settings))?;
        let listening = async {
            let mut connection = client.get_async_pubsub().await?;
            connection.subscribe(channel).await?;
            Ok(connection.into_on_message())
        };
        match timeout(CONNECT_TIMEOUT, listening).await {
            Ok(heard) => heard,
            Err(_) => Err(no_answer_in_time()),
        }
    }

    /// Where it is, for people.
    pub(super) fn place(&self) -> String {
        self.info().addr().to_string()
    }

    pub(super) fn info(&self) -> &ConnectionInfo {
        self.client.get_connection_info()
    }

    /// It takes what its neighbour takes.
    pub(super) fn has_limits_of(&self, neighbour: &Self) {
        let limit = neighbour.longest_value();
        self.longest_value.store(limit, Ordering::Relaxed);
    }

    pub(super) fn longest_value(&self) -> usize {
        self.longest_value.load(Ordering::Relaxed)
    }

    /// Another may take its place, and that takes a while.
    pub(super) fn be_patient(&mut self, patience: Duration) {
        self.patience = patience;
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Whether it has answered all that it was asked.
    pub(super) fn is_well(&self) -> bool {
        let health = self.health();
        health.silent_since.is_none() && health.gone.is_none()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.health().gone.is_some()
    }

    pub(super) fn connect_failure(&self, error: &RedisError) -> Failure {
        if let Some(failure) = self.refusal(error) {
            return failure;
        }
        let place = self.place();
        if words(error).contains("not allowed in cluster mode") {
            let what = format!("the cache at {place} does not have what the URL asks for");
            return Failure::new(FailureKind::Config, what, words(error))
                .hint("a cluster has only the database 0: leave the index out of the cache URL");
        }
        if words(error).contains("KeyMismatch") {
            let why = "certificate and key do not belong together";
            return Failure::new(
                FailureKind::Config,
                "--cache-key does not fit --cache-cert",
                why,
            );
        }
        let tls = matches!(
            self.client.get_connection_info().addr(),
            redis::ConnectionAddr::TcpTls { .. }
        );
        if matches!(
            error.kind(),
            ErrorKind::Client | ErrorKind::InvalidClientConfig
        ) || error.detail().is_some_and(|d| d.contains("DB index"))
        {
            return Failure::new(
                FailureKind::Config,
                format!("the cache at {place} does not have what the URL asks for"),
                words(error),
            )
            .hint("check the database index and the options in the cache URL");
        }
        let broke_off = error.is_timeout() || error.is_connection_dropped();
        let hint = if error.is_connection_refusal() || !(tls || broke_off) {
            "check that it runs, and host and port in the cache URL"
        } else if let Some(hint) = certificate_hint(error) {
            hint
        } else if tls {
            "check that it runs and speaks TLS on this port (redis:// is without), and that its certificate is trusted"
        } else {
            "check that it runs, that it has connections left (maxclients), and whether it wants TLS (rediss://)"
        };
        Failure::new(
            FailureKind::CacheUnreachable,
            format!("cannot reach the cache at {place}"),
            words(error),
        )
        .hint(hint)
    }

    /// The failure that ends the run, if the server's answer is one.
    pub(super) fn refusal(&self, error: &RedisError) -> Option<Failure> {
        let place = self.place();
        let failure = |kind, what: &str, hint: &str| {
            Some(Failure::new(kind, format!("{what} at {place}"), words(error)).hint(hint))
        };
        if error.kind() == ErrorKind::AuthenticationFailed {
            return failure(
                FailureKind::CacheDenied,
                "the cache refuses the password",
                "check user and password in the cache URL",
            );
        }
        // While connecting (SELECT), the crate wraps the server's words in its own.
        if error.code().is_none() && error.to_string().contains("no permissions") {
            return failure(
                FailureKind::CacheDenied,
                "the cache refuses this user a command",
                "connecting needs +select where the URL names a database index",
            );
        }
        match error.code()? {
            "NOAUTH" => failure(
                FailureKind::CacheDenied,
                "the cache wants a password",
                "put it into the cache URL: redis://:PASSWORD@HOST",
            ),
            "WRONGPASS" => failure(
                FailureKind::CacheDenied,
                "the cache refuses the password",
                "check user and password in the cache URL",
            ),
            "DENIED" => failure(
                FailureKind::CacheDenied,
                "the cache is in protected mode",
                "give it a password or bind it to this host",
            ),
            "NOPERM" if !error.detail().unwrap_or_default().contains("to access") => failure(
                FailureKind::CacheDenied,
                "the cache refuses this user a command",
                RIGHTS,
            ),
            // Before 7.2 a script that is refused a command has no code for it.
            "ERR"
                if error
                    .detail()
                    .unwrap_or_default()
                    .contains("user executing the script") =>
            {
                failure(
                    FailureKind::CacheDenied,
                    "the cache refuses this user a command of a script",
                    RIGHTS,
                )
            }
            "OOM" => failure(
                FailureKind::CacheRefused,
                "the cache is full",
                "raise maxmemory, choose an evicting maxmemory-policy, or warm less (--limit, --exclude)",
            ),
            "READONLY" => failure(
                FailureKind::CacheRefused,
                "the cache takes no writes: it is a replica",
                "give the URL of its primary",
            ),
            "MISCONF" => failure(
                FailureKind::CacheRefused,
                "the cache takes no writes",
                "it cannot save to its disk: see rdb_last_bgsave_status in INFO and its log",
            ),
            "MOVED" | "ASK" | "CROSSSLOT" => failure(
                FailureKind::CacheRefused,
                "the cache has become a cluster",
                "run again",
            ),
            _ => None,
        }
    }

    fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was sent at `asked` has no useful answer. Returns the failure that ends the run when
    /// there has been none for too long.
    pub(super) fn silent(&self, asked: Instant, why: impl FnOnce() -> Failure) -> Option<Failure> {
        let mut health = self.health();
        let since = *health.silent_since.get_or_insert(asked);
        if since.elapsed() >= self.patience {
            health.gone.get_or_insert_with(why);
        }
        health.gone.clone()
    }

    /// The failure of a server that stopped answering.
    fn lost(&self, error: &RedisError) -> Failure {
        let mut failure = self.connect_failure(error);
        failure.kind = FailureKind::CacheUnreachable;
        failure.what = format!(
            "lost the cache at {} in the middle of the run",
            self.place()
        );
        failure
    }

    /// The failure of a server that asks again and again to come back later.
    pub(super) fn not_ready(&self, error: &RedisError) -> Failure {
        let what = format!("the cache at {} is not ready", self.place());
        Failure::new(FailureKind::CacheUnreachable, what, words(error))
            .hint("run again when it is: see INFO (loading, master_link_status) and its log")
    }

    /// How long an answer, or a connection, is still worth waiting for: one that has been silent for
    /// a while is not given the whole time once more.
    fn time_left(&self, longest: Duration) -> Duration {
        let since = self.health().silent_since;
        let left = since.map(|since| self.patience.saturating_sub(since.elapsed()));
        left.map_or(longest, |left| left.clamp(SHORTEST_WAIT, longest))
    }

    /// It has answered something useful.
    pub(super) fn answered(&self) {
        self.health().silent_since = None;
    }

    /// Sends a pipeline; alone on its connection where it is suspected to break it.
    pub(super) async fn send(&self, pipe: &Pipeline, suspect: bool) -> Result<Replies, Lost> {
        let line = &self.lines[self.next.fetch_add(1, Ordering::Relaxed) % self.lines.len()];
        // Never closed, so never refused.
        let _turn = line
            .turns
            .acquire_many(if suspect { ALL_TURNS } else { 1 })
            .await;
        if suspect {
            // A line that nobody used for long may be as dead as the one before.
            line.link.lock().await.connection = None;
        }
        let (mut connection, generation) = self.connection(line).await?;
        let asked = Instant::now();
        let answer = pipe.query_async(&mut connection);
        let answer = timeout(self.time_left(RESPONSE_TIMEOUT), answer).await;
        match answer.unwrap_or_else(|_| Err(no_answer_in_time())) {
            Ok(replies) => Ok(replies),
            Err(error) => {
                let mut link = line.link.lock().await;
                if link.generation == generation {
                    link.connection = None;
                }
                Err(match self.silent(asked, || self.lost(&error)) {
                    Some(failure) => Lost::Server {
                        failure,
                        sent: true,
                    },
                    None => Lost::Answer(words(&error)),
                })
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
            let what = format!(
                "the cache at {} cannot write hashes in one step",
                self.place()
            );
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

    /// The line's connection, opened again when it broke.
    async fn connection(&self, line: &Line) -> Result<(MultiplexedConnection, u64), Lost> {
        let asked = Instant::now();
        // Held while connecting: the other batches of this line wait for the same connection.
        let mut link = line.link.lock().await;
        // A connection that is open still would only be waited on for nothing.
        let refused = |failure| Lost::Server {
            failure,
            sent: false,
        };
        if let Some(failure) = self.health().gone.clone() {
            return Err(refused(failure));
        }
        if let Some(connection) = &link.connection {
            return Ok((connection.clone(), link.generation));
        }
        // Who waited here for another's attempt shares what came of it.
        if link.failed.is_some_and(|at| at > asked) {
            return Err(Lost::Unsent);
        }
        let asked = Instant::now();
        let opened = timeout(self.time_left(CONNECT_TIMEOUT), self.open()).await;
        match opened.unwrap_or_else(|_| Err(no_answer_in_time())) {
            Ok(connection) => {
                link.generation += 1;
                link.connection = Some(connection.clone());
                Ok((connection, link.generation))
            }
            Err(error) => {
                if let Some(failure) = self.refusal(&error) {
                    // Asking again and again gets a user locked out.
                    self.health().gone.get_or_insert_with(|| failure.clone());
                    return Err(refused(failure));
                }
                if let Some(failure) = self.silent(asked, || self.lost(&error)) {
                    return Err(refused(failure));
                }
                link.failed = Some(Instant::now());
                Err(Lost::Unsent)
            }
        }
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
                    let mut errors = replies.iter().filter_map(|reply| reply.as_ref().err());
                    let Some(error) = errors.find(|error| is_transient(error)) else {
                        return self.accept(replies);
                    };
                    if let Some(failure) = self.silent(asked, || self.not_ready(error)) {
                        return Err(failure);
                    }
                }
                Err(Lost::Server { failure, .. }) => return Err(failure),
                Err(Lost::Unsent) => {}
                Err(Lost::Answer(why)) => {
                    attempts += 1;
                    if attempts == ATTEMPTS {
                        return Err(self.no_answer(why));
                    }
                    continue;
                }
            }
            wait.pause().await;
        }
    }

    /// Replies that are final, unless the server takes nothing from us.
    fn accept(&self, replies: Replies) -> Result<Replies, Failure> {
        self.lets_in(&replies)?;
        self.answered();
        Ok(replies)
    }

    /// # Errors
    /// The server takes nothing from us.
    pub(super) fn lets_in(&self, replies: &Replies) -> Result<(), Failure> {
        let mut errors = replies.iter().filter_map(|reply| reply.as_ref().err());
        let refused = errors.find(|e| matches!(e.code(), Some("NOAUTH" | "DENIED")));
        match refused.and_then(|error| self.refusal(error)) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    pub(super) fn no_answer(&self, why: impl Into<String>) -> Failure {
        let what = format!("the cache at {} does not answer", self.place());
        Failure::new(FailureKind::CacheUnreachable, what, why)
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
        match timeout(GLANCE, ask).await {
            Ok(answered) => answered,
            Err(_) => {
                self.lines[0].link.lock().await.connection = None;
                Err(no_answer_in_time())
            }
        }
    }

    async fn over_first_line(&self, pipe: &Pipeline) -> RedisResult<Replies> {
        let mut link = self.lines[0].link.lock().await;
        let mut connection = match &link.connection {
            Some(connection) => connection.clone(),
            None => {
                let connection = self.open().await?;
                link.generation += 1;
                link.connection.insert(connection).clone()
            }
        };
        let generation = link.generation;
        drop(link);
        let answered = pipe.query_async(&mut connection).await;
        let mut link = self.lines[0].link.lock().await;
        if answered.is_err() && link.generation == generation {
            link.connection = None;
        }
        answered
    }

    /// Sends a pipeline over the connection that is open already, without a second try.
    pub(super) async fn once(&self, pipe: &Pipeline) -> Result<Replies, Failure> {
        let mut link = self.lines[0].link.lock().await;
        // Not put back: the questions may leave it in a state of its own.
        let connection = match link.connection.take() {
            Some(connection) => Ok(connection),
            None => self.open().await,
        };
        let answered = match connection {
            Ok(mut connection) => pipe.query_async(&mut connection).await,
            Err(error) => Err(error),
        };
        answered.map_err(|error| self.connect_failure(&error))
    }

    /// A number that is another one when the server may have lost what it acknowledged: it was
    /// restarted, or it is or was a replica. Where the server does not say, of its address alone.
    pub(super) async fn incarnation(&self) -> RedisResult<u64> {
        let mut info = pipe();
        info.cmd("INFO")
            .arg("server")
            .cmd("INFO")
            .arg("replication");
        let mut hasher = DefaultHasher::new();
        self.place().hash(&mut hasher);
        for reply in self.glance(&info).await?.into_iter().flatten() {
            let text: String = redis::from_redis_value(reply).unwrap_or_default();
            life(&text).for_each(|line| line.hash(&mut hasher));
        }
        Ok(hasher.finish())
    }

    /// A command that this user or this server does not run.
    pub(super) fn denied(&self, error: &RedisError) -> Failure {
        let what = format!("the cache at {} refuses", self.place());
        Failure::new(FailureKind::CacheDenied, what, words(error))
    }
}

/// The lines of INFO that are others when a server may have lost keys.
///
/// The `master_replid` of a primary is none of them. It changes, and nothing is lost, when a first
/// replica or a backup connects, and when the backlog of the last one is freed. A primary that was a
/// replica names the history that it had then in `master_replid2`.
fn life(info: &str) -> impl Iterator<Item = &str> {
    let history = match info.lines().any(|line| line == "role:slave") {
        true => "master_replid:",
        false => "master_replid2:",
    };
    let names = ["run_id:", "role:", history];
    let says = move |line: &&str| names.iter().any(|name| line.starts_with(name));
    info.lines().filter(says)
}

/// What CONFIG GET says of a setting: a list in the older protocol, a map in the newer one.
pub(super) fn setting(reply: Reply, name: &str) -> Option<String> {
    let all = redis::from_redis_value::<HashMap<String, String>>(reply);
    all.ok()?.remove(name)
}

/// What to do where a certificate is what keeps two servers apart.
fn certificate_hint(error: &RedisError) -> Option<&'static str> {
    const HINTS: [(&str, &str); 9] = [
        (
            "UnknownIssuer",
            "its certificate is not trusted: give the authority that has signed it with --cache-ca FILE",
        ),
        (
            "CaUsedAsEndEntity",
            "the server shows an authority's certificate as its own: give it one that the authority has signed (CA:FALSE)",
        ),
        (
            "NotValidForName",
            "write the host as the server's certificate names it",
        ),
        (
            "not valid for name",
            "write the host as the server's certificate names it",
        ),
        ("Expired", "the server's certificate needs to be renewed"),
        ("expired", "the server's certificate needs to be renewed"),
        (
            "CertificateRequired",
            "it wants a certificate from its clients: --cache-cert FILE and --cache-key FILE",
        ),
        (
            "HandshakeFailure",
            "it may want a certificate from its clients: --cache-cert FILE and --cache-key FILE",
        ),
        (
            "fatal alert",
            "it refuses the certificate in --cache-cert: one that its authority has signed for clients is needed",
        ),
    ];
    let text = error.to_string();
    let hint = HINTS.iter().find(|(word, _)| text.contains(word));
    hint.map(|(_, hint)| *hint)
}

fn no_answer_in_time() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

/// What HELLO says, or INFO where the server is too old for it.
fn greeting(hello: Option<RedisResult<Reply>>, info: Option<RedisResult<Reply>>) -> Greeting {
    let hello = hello.and_then(Result::ok);
    let mut hello = hello
        .and_then(|hello| redis::from_redis_value::<HashMap<String, Reply>>(hello).ok())
        .unwrap_or_default();
    let info: Option<String> = info
        .and_then(Result::ok)
        .and_then(|info| redis::from_redis_value(info).ok());
    let info = info.unwrap_or_default();
    let mut says = |name: &str, in_info: &str| -> Option<String> {
        let said = hello.remove(name);
        let said = said.and_then(|said| redis::from_redis_value(said).ok());
        let line = || info.lines().find_map(|line| line.strip_prefix(in_info));
        said.or_else(|| line().map(|value| value.trim().to_owned()))
    };
    Greeting {
        mode: match says("mode", "redis_mode:").as_deref() {
            Some("cluster") => Mode::Cluster,
            Some("sentinel") => Mode::Sentinel,
            _ => Mode::Alone,
        },
        is_replica: matches!(says("role", "role:").as_deref(), Some("replica" | "slave")),
    }
}
