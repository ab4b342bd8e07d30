//! One server, a primary behind sentinels, or a cluster: which server owns which key.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use redis::RedisError;

use super::address::Address;
use super::cluster::Cluster;
use super::greeting::ServerMode;
use super::node::{CONNECTIONS, Node};
use super::parts::Picks;
use super::reach::Reach;
use super::sentinel::{Sentinels, not_a_server};
use super::sign_in::SignIn;
use super::wait::Patience;
use crate::domain::failure::Failure;
use crate::infrastructure::cache::url::ConnectOptions;

pub(super) enum Servers {
    One(Arc<Node>),
    Sentinels(Sentinels),
    Cluster(Cluster),
}

impl Servers {
    /// # Errors
    /// None of them can be reached, or they do not match the URL.
    pub(super) async fn connect(url: &str, options: &ConnectOptions) -> Result<Self, Failure> {
        let (sign_in, reach) = (SignIn::new(options), Reach::new(&options.nodes)?);
        let patience = Patience::new(options.failover_timeout);
        let info = match Address::parse(url, options)? {
            Address::Cluster(nodes) => {
                let cluster = Cluster::connect(nodes, &sign_in, &reach, patience).await?;
                return Ok(Self::Cluster(cluster));
            }
            Address::Sentinel(address) => {
                let sentinels = Sentinels::connect(address, sign_in, reach, patience).await?;
                return Ok(Self::Sentinels(sentinels));
            }
            Address::One(info) => info,
        };
        let node = Node::new(info, sign_in, CONNECTIONS, patience)?;
        let greeting = node.greet().await?;
        match greeting.mode {
            ServerMode::Alone => {
                if !greeting.is_replica {
                    node.set_primary();
                }
                Ok(Self::One(Arc::new(node)))
            }
            ServerMode::Cluster => Ok(Self::Cluster(Cluster::of(node, &reach).await?)),
            ServerMode::Sentinel => Err(not_a_server(&node).await),
        }
    }

    /// Whether another server may take a server's place.
    pub(super) fn can_change(&self) -> bool {
        !matches!(self, Self::One(_))
    }

    /// Groups keys by owner.
    pub(super) fn parts<'k>(
        &self,
        picks: Picks,
        key: impl Fn(usize) -> &'k [u8],
    ) -> Vec<(Arc<Node>, Picks)> {
        match self {
            Self::One(node) => vec![(Arc::clone(node), picks)],
            Self::Sentinels(sentinels) => vec![(sentinels.primary(), picks)],
            Self::Cluster(cluster) => cluster.groups(&picks, key),
        }
    }

    /// Requests the owners again, unless that was done a moment ago.
    pub(super) async fn refresh(&self) {
        match self {
            Self::One(node) if node.health.has_failed_over() => node.reconnect().await,
            Self::One(_) => {}
            Self::Sentinels(sentinels) => sentinels.refresh().await,
            Self::Cluster(cluster) => cluster.refresh().await,
        }
    }

    /// Whether the whole cluster has accepted nothing for too long.
    pub(super) fn is_down(&self, error: &RedisError) -> bool {
        match self {
            Self::Cluster(cluster) if error.code() == Some("CLUSTERDOWN") => cluster.is_down(),
            _ => false,
        }
    }

    /// Max keys per script, since it blocks the server. A cluster refuses a script with
    /// keys of several slots.
    pub(super) fn keys_per_script(&self) -> usize {
        match self {
            Self::Cluster(_) => 1,
            _ => 50,
        }
    }

    /// All servers that own keys.
    pub(super) fn primaries(&self) -> Vec<Arc<Node>> {
        match self {
            Self::One(node) => vec![Arc::clone(node)],
            Self::Sentinels(sentinels) => vec![sentinels.primary()],
            Self::Cluster(cluster) => cluster.primaries(),
        }
    }

    /// A server's share of the keys.
    pub(super) fn share(&self, node: &Arc<Node>) -> f64 {
        match self {
            Self::Cluster(cluster) => cluster.share(node),
            _ => 1.0,
        }
    }

    /// Any server.
    pub(super) fn any(&self) -> Arc<Node> {
        match self {
            Self::One(node) => Arc::clone(node),
            Self::Sentinels(sentinels) => sentinels.primary(),
            Self::Cluster(cluster) => cluster.any(),
        }
    }

    /// Whether no server is left to write to.
    pub(super) fn are_gone(&self) -> bool {
        self.primaries().iter().all(|node| node.is_gone())
    }

    /// Of all servers that own keys.
    pub(super) async fn identity(&self) -> Result<u64, Failure> {
        let mut all = Vec::new();
        for node in self.primaries() {
            all.push(node.patient_incarnation().await?);
        }
        all.sort_unstable();
        let mut hasher = DefaultHasher::new();
        all.hash(&mut hasher);
        Ok(hasher.finish())
    }

    pub(super) async fn epoch(&self) -> Result<u64, Failure> {
        match self {
            Self::One(node) => node.patient_incarnation().await,
            Self::Sentinels(sentinels) => sentinels.epoch().await,
            Self::Cluster(cluster) => cluster.epoch().await,
        }
    }
}
