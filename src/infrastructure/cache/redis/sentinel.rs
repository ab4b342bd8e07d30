//! A primary behind sentinels: its address, and its replacement after a failover.
//!
//! A replaced primary still answers OK for seconds, and loses these writes. So only the sentinels
//! decide which server is the primary, never the connection.

use std::sync::{Arc, Mutex as StdMutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::{ConnectionInfo, RedisError, RedisResult, Value as Reply};
use tokio::sync::Mutex;

use super::address::{SentinelAddress, neighbour};
use super::node::{CONNECTIONS, Node};
use super::peer::other_kind;
use super::reach::Reach;
use super::reply::{Replies, pipe, shown, words};
use super::sign_in::SignIn;
use super::wait::{Patience, Wait};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::sync::lock;
use crate::infrastructure::cache::url::invalid_url;

/// Min interval between requests to the sentinels.
const REFRESH_EVERY: Duration = Duration::from_millis(250);

/// How long a name may be unknown to all sentinels: they may be about to learn it.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// Default of the sentinels' `down-after-milliseconds`.
const DOWN_AFTER: Duration = Duration::from_secs(30);

pub(super) struct Sentinels {
    name: String,
    sentinels: Vec<Node>,
    /// Credentials for the primary.
    primary: ConnectionInfo,
    sign_in: SignIn,
    reach: Reach,
    patience: Patience,
    current: StdMutex<Option<Arc<Node>>>,
    refreshed: Mutex<Option<Instant>>,
}

/// A sentinel's view of the primary.
struct Word {
    host: String,
    port: u16,
    /// The configuration epoch: a higher one is newer.
    rank: u64,
    /// A failover is in progress.
    in_failover: bool,
    down_after: Option<Duration>,
}

impl Sentinels {
    /// # Errors
    /// No sentinel can be reached, none knows the name, or no primary appears in time.
    pub(super) async fn connect(
        address: SentinelAddress,
        sign_in: SignIn,
        reach: Reach,
        patience: Patience,
    ) -> Result<Self, Failure> {
        let sentinels = address.sentinels.into_iter();
        let sentinels = sentinels.map(|info| Node::new(info, SignIn::default(), 1, patience));
        let mut all = Self {
            name: address.name,
            sentinels: sentinels.collect::<Result<_, _>>()?,
            primary: address.primary,
            sign_in,
            reach,
            patience: patience.and(DOWN_AFTER),
            current: StdMutex::default(),
            refreshed: Mutex::default(),
        };
        let mut wait = Wait::new();
        loop {
            let (failure, give_up_after) = match all.ask().await {
                Ok(word) => {
                    all.patience = patience.and(word.down_after.unwrap_or(DOWN_AFTER));
                    match all.install(&word).await {
                        Ok(()) => return Ok(all),
                        Err(failure) => (failure, all.patience.silent),
                    }
                }
                Err(failure) => (failure, ASK_TIMEOUT),
            };
            if failure.kind == FailureKind::CacheDenied || wait.is_over(give_up_after) {
                return Err(failure);
            }
            wait.pause().await;
        }
    }

    pub(super) fn primary(&self) -> Arc<Node> {
        let current = lock(&self.current);
        // Set before this is shared.
        Arc::clone(current.as_ref().expect("a primary was found"))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Switches to the primary that the sentinels name, if it really is a primary.
    async fn install(&self, word: &Word) -> Result<(), Failure> {
        let (host, port) = self.reach.place(&word.host, word.port);
        let is_current = || {
            let current = lock(&self.current);
            let info = neighbour(&self.primary, &host, port);
            current.as_ref().is_some_and(|node| *node.peer.info.addr() == *info.addr())
        };
        if is_current() {
            return Ok(());
        }
        let info = neighbour(&self.primary, &host, port);
        let node = Node::new(info, self.sign_in.clone(), CONNECTIONS, self.patience)?;
        let greeting = node.greet().await.map_err(|mut failure| {
            if failure.kind == FailureKind::CacheUnreachable {
                failure.hint = Some(format!(
                    "the sentinels name {}:{} as the primary of {}; check that this host can reach it, or \
                     say where with --cache-node {0}:{1}=HOST:PORT",
                    word.host,
                    word.port,
                    shown(&self.name)
                ));
            }
            failure
        })?;
        if greeting.is_replica {
            let what = format!("{} has no primary now", shown(&self.name));
            let why = format!("the sentinels name {}, which is a replica", node.peer.place());
            return Err(Failure::new(FailureKind::CacheRefused, what, why)
                .hint("see SENTINEL MASTERS, and the logs of the sentinels"));
        }
        *lock(&self.current) = Some(Arc::new(node));
        Ok(())
    }

    pub(super) async fn refresh(&self) {
        let mut refreshed = self.refreshed.lock().await;
        if refreshed.is_none_or(|at| at.elapsed() >= REFRESH_EVERY) {
            // Retry if no sentinel answers, or there is no primary yet.
            if let Ok(word) = self.ask().await {
                let _ = self.install(&word).await;
            }
            *refreshed = Some(Instant::now());
        }
    }

    /// The newest view of the sentinels that answer.
    async fn ask(&self) -> Result<Word, Failure> {
        let mut question = pipe();
        let sentinel = |question: &mut redis::Pipeline, about: &str| {
            question.cmd("SENTINEL").arg(about).arg(&self.name);
        };
        sentinel(&mut question, "get-master-addr-by-name");
        sentinel(&mut question, "master");
        let answers = self.sentinels.iter().map(|node| node.glance(&question));
        let mut best: Option<Word> = None;
        let mut failure: Option<Failure> = None;
        for (node, answer) in self.sentinels.iter().zip(join_all(answers).await) {
            match self.understand(node, answer) {
                Ok(word) if best.as_ref().is_none_or(|best| word.rank > best.rank) => {
                    best = Some(word);
                }
                Ok(_) => {}
                // The error of a sentinel that answers is more useful than a timeout.
                Err(new) if new.kind != FailureKind::CacheUnreachable => failure = Some(new),
                Err(new) => failure = failure.or(Some(new)),
            }
        }
        if let Some(word) = best {
            return Ok(word);
        }
        let mut failure = failure.unwrap_or_else(|| invalid_url("it names no sentinel"));
        if failure.kind == FailureKind::Config && failure.hint.is_none() {
            let names = self.names().await;
            failure = failure.hint(format!("names that they know: {names}"));
        }
        Err(failure)
    }

    fn understand(&self, node: &Node, answer: RedisResult<Replies>) -> Result<Word, Failure> {
        let place = node.peer.place();
        let mut replies = answer.map_err(|error| no_sentinel(node, &error))?.into_iter();
        let address = match replies.next() {
            Some(Ok(Reply::Nil)) => {
                let what = format!("the sentinels know no primary named {}", shown(&self.name));
                let why = format!("so says the sentinel at {place}");
                return Err(Failure::new(FailureKind::Config, what, why));
            }
            Some(Ok(address)) => redis::from_redis_value::<(String, u16)>(address).ok(),
            Some(Err(error)) => return Err(no_sentinel(node, &error)),
            None => None,
        };
        let Some((host, port)) = address else {
            let what = format!("the sentinel at {place} sent a malformed answer");
            return Err(Failure::new(FailureKind::CacheUnreachable, what, ""));
        };
        let more = replies.next().and_then(Result::ok);
        let more: Vec<(String, String)> =
            more.and_then(|more| redis::from_redis_value(more).ok()).unwrap_or_default();
        let says = |name: &str| {
            let found = more.iter().find(|(field, _)| field == name);
            found.map(|(_, value)| value.as_str())
        };
        let number = |name| says(name).and_then(|value| value.parse::<u64>().ok());
        // In the last step of a failover a sentinel already names the new primary but still describes the old one.
        let is_ahead = says("ip").is_some_and(|ip| ip != host)
            || number("port").is_some_and(|other| other != u64::from(port));
        Ok(Word {
            rank: number("config-epoch").unwrap_or(0) + u64::from(is_ahead),
            in_failover: says("flags").is_some_and(|flags| flags.contains("failover_in_progress")),
            down_after: number("down-after-milliseconds").map(Duration::from_millis),
            host,
            port,
        })
    }

    /// The primaries' names that the sentinels know.
    async fn names(&self) -> String {
        for node in &self.sentinels {
            if let Some(names) = names(node).await {
                return names;
            }
        }
        "none".to_owned()
    }

    /// The epoch of the primary that the sentinels name now. During a failover this waits for the
    /// new primary.
    pub(super) async fn epoch(&self) -> Result<u64, Failure> {
        let mut wait = Wait::new();
        loop {
            let settled = match self.ask().await {
                Ok(word) => self.install(&word).await.map(|()| !word.in_failover),
                Err(failure) => Err(failure),
            };
            let failure = match settled {
                Ok(true) => None,
                Ok(false) if wait.is_over(self.patience.silent) => None,
                Ok(false) => {
                    wait.pause().await;
                    continue;
                }
                Err(failure) => Some(failure),
            };
            let failure = match failure {
                Some(failure) => failure,
                None => {
                    let node = self.primary();
                    match node.incarnation().await {
                        Ok(number) => return Ok(number),
                        Err(error) => node.peer.connect_failure(&error),
                    }
                }
            };
            if wait.is_over(self.patience.silent) {
                return Err(failure);
            }
            wait.pause().await;
        }
    }

    /// The state of each sentinel, as text.
    pub(super) async fn health(&self) -> Vec<(String, Option<String>)> {
        let answers = self.sentinels.iter().map(|node| node.glance_at(&["PING"]));
        let nodes = self.sentinels.iter().zip(join_all(answers).await);
        nodes
            .map(|(node, answer)| {
                // An error is an answer too.
                let lost = answer.err().filter(|error| error.code().is_none());
                (node.peer.place(), lost.map(|error| words(&error)))
            })
            .collect()
    }
}

/// Why a server did not answer like a sentinel.
fn no_sentinel(node: &Node, error: &RedisError) -> Failure {
    let place = node.peer.place();
    let refuses = matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"))
        || error.kind() == redis::ErrorKind::AuthenticationFailed;
    if refuses {
        let what = format!("the sentinel at {place} refuses");
        return Failure::new(FailureKind::CacheDenied, what, words(error)).hint(
            "put the sentinels' user and password at the end of the URL: ?sentinel_user=USER&sentinel_password=PASSWORD",
        );
    }
    if error.detail().is_some_and(|detail| detail.contains("unknown command")) {
        let hint = "write redis:// for a single server, or give the sentinels' port (26379)";
        return other_kind(&place, "it is not a sentinel", hint);
    }
    node.peer.connect_failure(error)
}

/// The failure if a URL for a server reaches a sentinel.
pub(super) async fn not_a_server(node: &Node) -> Failure {
    let place = node.peer.place();
    let scheme = match node.peer.info.addr() {
        redis::ConnectionAddr::TcpTls { .. } => "rediss+sentinel",
        _ => "redis+sentinel",
    };
    let hint = match names(node).await {
        Some(names) => format!("write {scheme}://{place}/NAME, with a name that it knows: {names}"),
        None => format!("write {scheme}://{place}/NAME"),
    };
    other_kind(&place, "it is a sentinel", &hint)
}

/// The primaries' names that one sentinel knows.
async fn names(node: &Node) -> Option<String> {
    let reply = node.glance_at(&["SENTINEL", "masters"]).await.ok()?;
    let all: Vec<Vec<(String, String)>> = redis::from_redis_value(reply).ok()?;
    let names = all.into_iter().filter_map(|fields| {
        let name = fields.into_iter().find(|(field, _)| field == "name");
        name.map(|(_, name)| shown(&name))
    });
    let names: Vec<String> = names.collect();
    (!names.is_empty()).then(|| names.join(", "))
}
