//! One server, a primary that sentinels name, or a cluster: who is to be asked about which key.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::RedisError;
use tokio::time::sleep;

use super::address::Address;
use super::cluster::Cluster;
use super::node::{Mode, Node};
use super::sentinel::Sentinels;
use super::words;
use crate::domain::failure::{Failure, FailureKind};
use crate::infrastructure::cache::ConnectOptions;

/// Redis' one thread is the limit; a few connections keep it busy, more would only cost it.
pub(super) const CONNECTIONS: usize = 4;

/// A server that has answered nothing this long in the middle of a run ends the run. Where another
/// can take its place, the time that the others need to notice comes on top.
pub(super) const GIVE_UP: Duration = Duration::from_secs(15);

const FIRST_RETRY: Duration = Duration::from_millis(50);
const SLOWEST_RETRY: Duration = Duration::from_secs(1);

pub(super) enum Servers {
    One(Arc<Node>),
    Sentinels(Sentinels),
    Cluster(Cluster),
}

/// Some of a batch's entries, or of a list of questions, by place.
#[derive(Clone)]
pub(super) enum Picks {
    Run(Range<usize>),
    Some(Vec<usize>),
}

impl Picks {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Run(range) => range.len(),
            Self::Some(places) => places.len(),
        }
    }

    pub(super) fn at(&self, n: usize) -> usize {
        match self {
            Self::Run(range) => range.start + n,
            Self::Some(places) => places[n],
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).map(|n| self.at(n))
    }

    /// The first so many, and the rest.
    pub(super) fn split(self, n: usize) -> (Self, Self) {
        match self {
            Self::Run(range) => {
                let middle = range.start + n;
                (Self::Run(range.start..middle), Self::Run(middle..range.end))
            }
            Self::Some(mut places) => {
                let rest = places.split_off(n);
                (Self::Some(places), Self::Some(rest))
            }
        }
    }
}

/// What one server is to be sent together.
pub(super) struct Part {
    pub node: Arc<Node>,
    pub picks: Picks,
    /// How often it was sent and no answer came.
    pub losses: u32,
    /// Of keys that are on their way to this node, which does not have their slot yet.
    pub asking: bool,
}

impl Servers {
    /// # Errors
    /// None of them can be reached, or they are not what the URL says.
    pub(super) async fn connect(url: &str, options: &ConnectOptions) -> Result<Self, Failure> {
        let info = match Address::parse(url, options)? {
            Address::Cluster(nodes) => return Ok(Self::Cluster(Cluster::connect(nodes).await?)),
            Address::Sentinel(address) => {
                return Ok(Self::Sentinels(Sentinels::connect(address).await?));
            }
            Address::One(info) => info,
        };
        let node = Node::new(info, CONNECTIONS, GIVE_UP)?;
        match node.greet().await?.mode {
            Mode::Alone => Ok(Self::One(Arc::new(node))),
            Mode::Cluster => Ok(Self::Cluster(Cluster::of(node).await?)),
            Mode::Sentinel => Err(super::sentinel::not_a_server(&node).await),
        }
    }

    /// Whether another server may take a server's place.
    pub(super) fn can_change(&self) -> bool {
        !matches!(self, Self::One(_))
    }

    /// Each to the server that has it.
    pub(super) fn parts<'k>(
        &self,
        picks: Picks,
        losses: u32,
        key: impl Fn(usize) -> &'k [u8],
    ) -> Vec<Part> {
        let part = |(node, picks)| Part {
            node,
            picks,
            losses,
            asking: false,
        };
        match self {
            Self::One(node) => vec![part((Arc::clone(node), picks))],
            Self::Sentinels(sentinels) => vec![part((sentinels.primary(), picks))],
            Self::Cluster(cluster) => {
                let groups = cluster.groups(&picks, key).into_iter();
                groups
                    .map(|(node, list)| part((node, Picks::Some(list))))
                    .collect()
            }
        }
    }

    /// Asks again who has what, unless that was asked a moment ago.
    pub(super) async fn refresh(&self) {
        match self {
            Self::One(_) => {}
            Self::Sentinels(sentinels) => sentinels.refresh().await,
            Self::Cluster(cluster) => cluster.refresh().await,
        }
    }

    /// Takes a server's word on where a key is now.
    pub(super) fn moved(&self, by: &Node, error: &RedisError) {
        if let Self::Cluster(cluster) = self {
            cluster.moved(by, error);
        }
    }

    /// The server that is to be asked about one key instead.
    pub(super) fn named(&self, by: &Node, error: &RedisError) -> Option<Arc<Node>> {
        match self {
            Self::Cluster(cluster) => cluster.named(by, error),
            _ => None,
        }
    }

    /// Whether a cluster as such has taken nothing for too long.
    pub(super) fn is_down(&self, error: &RedisError) -> bool {
        match self {
            Self::Cluster(cluster) if error.code() == Some("CLUSTERDOWN") => cluster.is_down(),
            _ => false,
        }
    }

    /// All servers that hold keys of their own.
    pub(super) fn primaries(&self) -> Vec<Arc<Node>> {
        match self {
            Self::One(node) => vec![Arc::clone(node)],
            Self::Sentinels(sentinels) => vec![sentinels.primary()],
            Self::Cluster(cluster) => cluster.primaries(),
        }
    }

    /// The part of all keys that a server gets.
    pub(super) fn share(&self, node: &Arc<Node>) -> f64 {
        match self {
            Self::Cluster(cluster) => cluster.share(node),
            _ => 1.0,
        }
    }

    /// Any of them.
    pub(super) fn any(&self) -> Arc<Node> {
        match self {
            Self::One(node) => Arc::clone(node),
            Self::Sentinels(sentinels) => sentinels.primary(),
            Self::Cluster(cluster) => cluster.any(),
        }
    }

    /// Whether there is nobody left to write to.
    pub(super) fn are_gone(&self) -> bool {
        self.primaries().iter().all(|node| node.is_gone())
    }

    pub(super) async fn epoch(&self) -> Result<u64, Failure> {
        match self {
            Self::One(node) => {
                let mut wait = Wait::new();
                loop {
                    match node.incarnation().await {
                        Ok(number) => return Ok(number),
                        Err(error) => {
                            let failure = node.connect_failure(&error);
                            let silent = failure.kind == FailureKind::CacheUnreachable;
                            if !silent || node.is_gone() || wait.is_over(GIVE_UP) {
                                return Err(failure);
                            }
                            wait.pause().await;
                        }
                    }
                }
            }
            Self::Sentinels(sentinels) => sentinels.epoch().await,
            Self::Cluster(cluster) => cluster.epoch().await,
        }
    }
}

/// The patience with which something is tried again.
pub(super) struct Wait {
    pause: Duration,
    since: Instant,
    /// Redirections without anything that came of them.
    hops: u32,
}

/// Two nodes that name each other are not asked in a ring.
const HOPS: u32 = 5;

impl Wait {
    pub(super) fn new() -> Self {
        Self {
            pause: FIRST_RETRY,
            since: Instant::now(),
            hops: 0,
        }
    }

    /// Something came of it.
    pub(super) fn progress(&mut self) {
        *self = Self::new();
    }

    /// Whether nothing has come of it for so long.
    pub(super) fn is_over(&self, patience: Duration) -> bool {
        self.since.elapsed() >= patience
    }

    pub(super) async fn pause(&mut self) {
        // Not all at the same moment.
        sleep(self.pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        self.pause = (self.pause * 2).min(SLOWEST_RETRY);
    }

    pub(super) async fn hop(&mut self) {
        self.hops += 1;
        if self.hops > HOPS {
            self.pause().await;
        }
    }
}

/// The servers are not what the URL says.
pub(super) fn other_kind(place: &str, what: &str, hint: &str) -> Failure {
    Failure::new(
        FailureKind::Config,
        format!("the cache URL does not fit the server at {place}"),
        what,
    )
    .hint(hint)
}

/// An answer that says no more than that it was refused.
pub(super) fn refused(node: &Node, error: &RedisError, hint: &str) -> Failure {
    let what = format!("the cache at {} refuses", node.place());
    Failure::new(FailureKind::CacheDenied, what, words(error)).hint(hint)
}
