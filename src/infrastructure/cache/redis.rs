//! Redis and Valkey: pipelines over a few connections, and the truth about each key.
//!
//! A reply makes a key stored or failed. A connection that breaks leaves the keys of its batch
//! unknown; they are sent again, which is harmless, until the server has answered nothing for
//! [`GIVE_UP`]. The crate's error texts are never shown: they repeat every error of a pipeline.

mod checkup;
mod ledger;
mod look;
mod room;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisResult,
    Value as Reply,
};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::sleep;

use super::invalid_url;
use crate::application::ports::{
    Cache, Cached, Mode, Probe, Room, WriteOptions, WriteOutcome, Written,
};
use crate::domain::entry::{Entry, EntryBatch, Value};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::finding::Finding;
use crate::domain::key::{printable, shortened};
use crate::domain::standing::Standing;
use crate::domain::strategy::Shape;

/// Redis' one thread is the limit; a few connections keep it busy, more would only cost it.
const CONNECTIONS: usize = 4;

/// A server that has not accepted a connection by then is called unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A batch without an answer for this long is unknown. Far above any healthy latency: a server
/// that forks or rewrites its log pauses for a while.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A server that has answered nothing this long in the middle of a run ends the run.
const GIVE_UP: Duration = Duration::from_secs(15);

const FIRST_RETRY: Duration = Duration::from_millis(50);
const SLOWEST_RETRY: Duration = Duration::from_secs(1);

/// Sets a hash only where nothing is. A transaction cannot: its commands do not see each other's
/// answers.
const SET_MISSING_HASH: &str = "if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end \
     for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end \
     redis.call('PEXPIRE', KEYS[1], ARGV[1]) return 1";

pub(super) struct RedisCache {
    client: Client,
    slots: Vec<Slot>,
    next: AtomicUsize,
    health: StdMutex<Health>,
    /// The longest value the server takes (`proto-max-bulk-len`). A longer one makes it close the
    /// connection, and the whole batch would be lost with it.
    longest_value: usize,
    /// How values are compared; each way that the server refuses is not tried again.
    way: AtomicUsize,
}

/// One of the connections, shared by several batches.
struct Slot {
    link: Mutex<Link>,
    /// A batch takes one turn. One that was lost before takes all: if it is what breaks the
    /// connection, no other batch is on it.
    turns: Semaphore,
}

const ALL_TURNS: u32 = 1 << 20;

impl Default for Slot {
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
}

/// What all connections together know of the server.
#[derive(Default)]
struct Health {
    /// When the first command was sent that had no useful answer, if none had one since.
    silent_since: Option<Instant>,
    /// Why the run gave up; what is still to be sent need not wait for it again.
    gone: Option<Failure>,
}

impl RedisCache {
    pub(super) async fn connect(url: &str) -> Result<Self, Failure> {
        let client = Client::open(url).map_err(|_| invalid_url("it cannot be parsed"))?;
        let mut cache = Self {
            client,
            slots: (0..CONNECTIONS).map(|_| Slot::default()).collect(),
            next: AtomicUsize::new(0),
            health: StdMutex::default(),
            longest_value: 512 * 1024 * 1024,
            way: AtomicUsize::new(0),
        };
        let mut connection = cache
            .open()
            .await
            .map_err(|error| cache.connect_failure(&error))?;
        let mut questions = redis::pipe();
        questions
            .ignore_errors()
            .cmd("PING")
            .cmd("CONFIG")
            .arg("GET")
            .arg("proto-max-bulk-len");
        // Connecting proves nothing: a server that wants a password says so to the first command.
        let replies: RedisResult<Vec<RedisResult<Reply>>> =
            questions.query_async(&mut connection).await;
        let replies = replies.map_err(|error| cache.connect_failure(&error))?;
        if let Some(Err(error)) = replies.first()
            && matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "DENIED"))
        {
            return Err(cache.connect_failure(error));
        }
        // CONFIG may be denied; then the default stands.
        if let Some(Ok(reply)) = replies.into_iter().nth(1)
            && let Ok(settings) = redis::from_redis_value::<Vec<String>>(reply)
            && let Some(limit) = settings.get(1).and_then(|limit| limit.parse().ok())
        {
            cache.longest_value = limit;
        }
        cache.slots[0].link.get_mut().connection = Some(connection);
        Ok(cache)
    }

    async fn open(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let mut connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        // Looking at a key must not make it younger in the eyes of an evicting server; one that does
        // not know the command (before 7.2) cannot be helped.
        let mut no_touch = redis::pipe();
        no_touch
            .ignore_errors()
            .cmd("CLIENT")
            .arg("NO-TOUCH")
            .arg("ON");
        let _: Vec<RedisResult<Reply>> = no_touch.query_async(&mut connection).await?;
        Ok(connection)
    }

    fn place(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    fn connect_failure(&self, error: &RedisError) -> Failure {
        if let Some(failure) = self.refusal(error) {
            return failure;
        }
        let place = self.place();
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
    fn refusal(&self, error: &RedisError) -> Option<Failure> {
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
                "a run needs +set and +ping, and +select for a database index; hashes +multi +exec +del +hset +pexpire, with --mode only-missing +eval",
            ),
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
                "the cache is a cluster",
                "this version writes to a single server; give the URL of one",
            ),
            _ => None,
        }
    }

    fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was sent at `asked` has no useful answer. Returns the failure that ends the run when
    /// there has been none for too long.
    fn silent(&self, asked: Instant, why: impl FnOnce() -> Failure) -> Option<Failure> {
        let mut health = self.health();
        let since = *health.silent_since.get_or_insert(asked);
        if since.elapsed() >= GIVE_UP {
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
    fn not_ready(&self, error: &RedisError) -> Failure {
        let what = format!("the cache at {} is not ready", self.place());
        Failure::new(FailureKind::CacheUnreachable, what, words(error))
            .hint("run again when it is: see INFO (loading, master_link_status) and its log")
    }

    /// Sends a pipeline; alone on its connection where it is suspected to break it.
    async fn send(
        &self,
        slot: usize,
        pipe: &Pipeline,
        suspect: bool,
    ) -> Result<Vec<RedisResult<Reply>>, Lost> {
        let slot = &self.slots[slot];
        // Never closed, so never refused.
        let _turn = slot
            .turns
            .acquire_many(if suspect { ALL_TURNS } else { 1 })
            .await;
        let (mut connection, generation) = self.connection(slot).await?;
        let asked = Instant::now();
        match pipe.query_async(&mut connection).await {
            Ok(replies) => Ok(replies),
            Err(error) => {
                let mut link = slot.link.lock().await;
                if link.generation == generation {
                    link.connection = None;
                }
                Err(match self.silent(asked, || self.lost(&error)) {
                    Some(failure) => Lost::Server(failure),
                    None => Lost::Answer(words(&error)),
                })
            }
        }
    }

    /// The slot's connection, opened again when it broke.
    async fn connection(&self, slot: &Slot) -> Result<(MultiplexedConnection, u64), Lost> {
        // Held while connecting: the other batches of this slot wait for the same connection.
        let mut link = slot.link.lock().await;
        if let Some(connection) = &link.connection {
            return Ok((connection.clone(), link.generation));
        }
        let mut pause = FIRST_RETRY;
        loop {
            if let Some(failure) = self.health().gone.clone() {
                return Err(Lost::Server(failure));
            }
            let asked = Instant::now();
            match self.open().await {
                Ok(connection) => {
                    link.generation += 1;
                    link.connection = Some(connection.clone());
                    return Ok((connection, link.generation));
                }
                Err(error) => {
                    if let Some(failure) = self.refusal(&error) {
                        // Asking again and again gets a user locked out.
                        self.health().gone.get_or_insert_with(|| failure.clone());
                        return Err(Lost::Server(failure));
                    }
                    if let Some(failure) = self.silent(asked, || self.lost(&error)) {
                        return Err(Lost::Server(failure));
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(SLOWEST_RETRY);
                }
            }
        }
    }

    fn next_slot(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed) % CONNECTIONS
    }

    async fn write_batch(&self, batch: &EntryBatch, how: WriteOptions) -> Written {
        let slot = self.next_slot();
        let mut delivery = Delivery::new(batch.len());
        for (i, entry) in batch.iter().enumerate() {
            if longest_part(entry) > self.longest_value {
                delivery.settle(i, WriteOutcome::Failed(format!(
                    "{} bytes is more than the server takes in one value (proto-max-bulk-len is {})",
                    longest_part(entry), self.longest_value
                )));
            }
        }
        let mut parts: VecDeque<(Range<usize>, u32)> = delivery.open_ranges(0..batch.len(), 0);
        while let Some((range, losses)) = parts.pop_front() {
            let asked = Instant::now();
            let pipe = stores(batch, range.clone(), how);
            match self.send(slot, &pipe, losses > 0).await {
                Ok(replies) => {
                    let later = self.settle(&mut delivery, batch, range.clone(), replies, how);
                    if let Some(error) = later {
                        let failure = self.silent(asked, || self.not_ready(&error));
                        if failure.is_some() {
                            let refused = WriteOutcome::Failed(words(&error));
                            delivery.settle_open(range.clone(), &refused);
                        }
                        delivery.fatal = delivery.fatal.take().or(failure);
                    }
                    if delivery.fatal.is_some() {
                        break;
                    }
                    let again = delivery.open_ranges(range, losses);
                    if !again.is_empty() {
                        sleep(SLOWEST_RETRY / 4).await;
                        parts.extend(again);
                    }
                }
                Err(Lost::Server(failure)) => {
                    delivery.fatal = Some(failure);
                    break;
                }
                // The server is up (it takes connections) and breaks this one: after two losses the
                // entry that does it is looked for.
                Err(Lost::Answer(why)) if losses > 0 && range.len() == 1 => {
                    let why = format!("{why}; the server breaks the connection over this entry");
                    delivery.settle(range.start, WriteOutcome::Unknown(why));
                }
                Err(Lost::Answer(_)) if losses > 0 => {
                    let middle = range.start + range.len() / 2;
                    parts.push_front((middle..range.end, losses));
                    parts.push_front((range.start..middle, losses));
                }
                Err(Lost::Answer(_)) => parts.push_front((range, losses + 1)),
            }
        }
        delivery.finish()
    }

    /// Takes a pipeline's replies. Entries that the server asks to send later stay open; returns
    /// what it says then.
    fn settle(
        &self,
        delivery: &mut Delivery,
        batch: &EntryBatch,
        range: Range<usize>,
        replies: Vec<RedisResult<Reply>>,
        how: WriteOptions,
    ) -> Option<RedisError> {
        let mut replies = replies.into_iter();
        let mut later = None;
        for i in range {
            let Some(entry) = batch.get(i) else { break };
            match judge(&mut replies, entry, how) {
                Judged::Done(outcome) => delivery.settle(i, outcome),
                Judged::Refused(error) if is_transient(&error) => later = Some(error),
                Judged::Refused(error) => {
                    if let Some(failure) = self.refusal(&error) {
                        delivery.fatal.get_or_insert(failure);
                    }
                    delivery.settle(i, WriteOutcome::Failed(words(&error)));
                }
            }
        }
        if later.is_none() {
            self.health().silent_since = None;
        }
        later
    }
}

impl Cache for RedisCache {
    fn write<'a>(&'a self, batch: &'a EntryBatch, how: WriteOptions) -> BoxFuture<'a, Written> {
        self.write_batch(batch, how).boxed()
    }

    fn epoch(&self) -> BoxFuture<'_, Result<u64, Failure>> {
        async {
            let info = self.info("server").await;
            let info = info.map_err(|why| {
                Failure::new(FailureKind::CacheUnreachable, "the cache does not say", why)
            })?;
            let run_id = info.iter().find(|(name, _)| name == "run_id");
            let digits = run_id.and_then(|(_, id)| id.get(..16));
            Ok(digits
                .and_then(|id| u64::from_str_radix(id, 16).ok())
                .unwrap_or(0))
        }
        .boxed()
    }

    fn inspect<'a>(
        &'a self,
        batch: &'a EntryBatch,
        shape: Shape,
    ) -> BoxFuture<'a, Result<Vec<Standing>, Failure>> {
        self.inspect_batch(batch, shape).boxed()
    }

    fn read<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Cached>, Failure>> {
        self.read_key(key).boxed()
    }

    fn scan<'a>(&'a self, prefix: &'a [u8]) -> BoxStream<'a, Result<Vec<Vec<u8>>, Failure>> {
        self.scan_keys(prefix)
    }

    fn room<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Room> {
        self.measure_room(keys).boxed()
    }

    fn checkup<'a>(&'a self, probes: &'a [Probe]) -> BoxFuture<'a, Vec<Finding>> {
        self.check(probes).boxed()
    }
}

/// Why a pipeline has no replies.
enum Lost {
    /// The connection broke or the answer did not come in time.
    Answer(String),
    /// The server is gone or refuses us.
    Server(Failure),
}

enum Judged {
    Done(WriteOutcome),
    Refused(RedisError),
}

/// The outcomes of a batch as they come in.
struct Delivery {
    outcomes: Vec<Option<WriteOutcome>>,
    fatal: Option<Failure>,
}

impl Delivery {
    fn new(entries: usize) -> Self {
        Self {
            outcomes: vec![None; entries],
            fatal: None,
        }
    }

    fn settle(&mut self, i: usize, outcome: WriteOutcome) {
        self.outcomes[i] = Some(outcome);
    }

    fn settle_open(&mut self, range: Range<usize>, outcome: &WriteOutcome) {
        for open in self.outcomes[range].iter_mut().filter(|o| o.is_none()) {
            *open = Some(outcome.clone());
        }
    }

    /// What is not settled yet of `range`, as runs of neighbours.
    fn open_ranges(&self, range: Range<usize>, losses: u32) -> VecDeque<(Range<usize>, u32)> {
        let mut open: VecDeque<(Range<usize>, u32)> = VecDeque::new();
        for i in range.filter(|i| self.outcomes[*i].is_none()) {
            match open.back_mut() {
                Some((last, _)) if last.end == i => last.end = i + 1,
                _ => open.push_back((i..i + 1, losses)),
            }
        }
        open
    }

    fn finish(self) -> Written {
        let why = self
            .fatal
            .as_ref()
            .map_or("no answer", |failure| failure.why.as_str());
        let unknown = || WriteOutcome::Unknown(why.to_owned());
        let outcomes = self.outcomes.into_iter().map(|o| o.unwrap_or_else(unknown));
        Written {
            outcomes: outcomes.collect(),
            fatal: self.fatal,
        }
    }
}

/// The commands that store some entries.
fn stores(batch: &EntryBatch, range: Range<usize>, how: WriteOptions) -> Pipeline {
    let mut pipe = Pipeline::with_capacity(range.len());
    pipe.ignore_errors();
    for entry in range.filter_map(|i| batch.get(i)) {
        add(&mut pipe, entry, how);
    }
    pipe
}

/// Adds the commands that store an entry.
fn add(pipe: &mut Pipeline, entry: Entry<'_>, how: WriteOptions) {
    let ttl = how.ttl.millis_for(entry.key);
    match (entry.value, how.mode) {
        (Value::Text(text), mode) => {
            // Sized at once: growing a buffer for each key is what a pipeline costs most.
            let mut set = Cmd::with_capacity(6, entry.key.len() + text.len() + 32);
            set.arg("SET").arg(entry.key).arg(text).arg("PX").arg(ttl);
            if mode == Mode::OnlyMissing {
                set.arg("NX");
            }
            pipe.add_command(set);
        }
        (Value::Hash(fields), Mode::Refresh) => {
            pipe.cmd("MULTI")
                .cmd("DEL")
                .arg(entry.key)
                .cmd("HSET")
                .arg(entry.key);
            for (field, value) in fields.iter() {
                pipe.arg(field).arg(value);
            }
            pipe.cmd("PEXPIRE").arg(entry.key).arg(ttl).cmd("EXEC");
        }
        (Value::Hash(fields), Mode::OnlyMissing) => {
            pipe.cmd("EVAL")
                .arg(SET_MISSING_HASH)
                .arg(1)
                .arg(entry.key)
                .arg(ttl);
            for (field, value) in fields.iter() {
                pipe.arg(field).arg(value);
            }
        }
    }
}

/// Takes the replies of an entry's commands and says what they mean.
fn judge(
    replies: &mut impl Iterator<Item = RedisResult<Reply>>,
    entry: Entry<'_>,
    how: WriteOptions,
) -> Judged {
    let commands = match (entry.value, how.mode) {
        (Value::Hash(_), Mode::Refresh) => 5,
        _ => 1,
    };
    let mut last = None;
    for answered in 1..=commands {
        match replies.next() {
            Some(Ok(reply)) => last = Some(reply),
            // Later errors say only that there was one before.
            Some(Err(error)) => {
                replies.by_ref().take(commands - answered).for_each(drop);
                return Judged::Refused(error);
            }
            None => break,
        }
    }
    match last {
        None => Judged::Refused((ErrorKind::Parse, "a reply is missing").into()),
        Some(Reply::Nil | Reply::Int(0)) => Judged::Done(WriteOutcome::AlreadyPresent),
        Some(Reply::Array(results)) => {
            let refused = results.into_iter().find_map(|result| match result {
                Reply::ServerError(error) => Some(RedisError::from(error)),
                _ => None,
            });
            refused.map_or(Judged::Done(WriteOutcome::Stored), Judged::Refused)
        }
        Some(_) => Judged::Done(WriteOutcome::Stored),
    }
}

/// The server asks to come back later.
fn is_transient(error: &RedisError) -> bool {
    matches!(
        error.code(),
        Some("LOADING" | "BUSY" | "TRYAGAIN" | "MASTERDOWN" | "CLUSTERDOWN" | "NOREPLICAS")
    )
}

fn longest_part(entry: Entry<'_>) -> usize {
    let value = match entry.value {
        Value::Text(text) => text.len(),
        Value::Hash(fields) => fields
            .iter()
            .map(|(f, v)| f.len().max(v.len()))
            .max()
            .unwrap_or(0),
    };
    value.max(entry.key.len())
}

/// An error in one short line: the server's code and sentence, or what broke.
fn words(error: &RedisError) -> String {
    let text = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, _) if error.is_timeout() => "no answer in time".to_owned(),
        (None, _) if error.kind() == ErrorKind::AuthenticationFailed => {
            "the password is wrong".to_owned()
        }
        (None, Some(detail)) => detail.to_owned(),
        (None, None) if error.is_io_error() || error.is_connection_dropped() => error.to_string(),
        (None, None) => error.category().to_owned(),
    };
    let line = text.lines().next().unwrap_or_default();
    shortened(&printable(line.as_bytes()), 200)
}
