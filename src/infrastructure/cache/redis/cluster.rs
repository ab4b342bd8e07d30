//! A cluster: its nodes, and the map that says which of them owns which key.
//!
//! On a redirection the map is corrected at once and requested again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::{ConnectionAddr, ConnectionInfo, RedisError};
use tokio::sync::Mutex;

use super::address::neighbour;
use super::greeting::ServerMode;
use super::lives::Past;
use super::map::{Map, Member};
use super::node::Node;
use super::parts::Picks;
use super::peer::other_kind;
use super::reach::Reach;
use super::reply::{info_line, items, setting, text};
use super::sign_in::SignIn;
use super::slots::SLOTS;
use super::wait::Patience;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::sync::{lock, read, write};
use crate::infrastructure::cache::url::invalid_url;

/// A cluster has several nodes, each with one thread.
const CONNECTIONS: usize = 2;

/// Min interval between requests for the map.
const REFRESH_EVERY: Duration = Duration::from_millis(250);

/// Default of `cluster-node-timeout`.
const NODE_TIMEOUT: Duration = Duration::from_secs(15);

/// Without a report for this long, the outage starts over.
const QUIET: Duration = Duration::from_secs(5);

pub(super) struct Cluster {
    /// Connection settings of nodes.
    seed: ConnectionInfo,
    sign_in: SignIn,
    reach: Reach,
    patience: Patience,
    nodes: StdMutex<HashMap<String, Arc<Node>>>,
    map: RwLock<Map>,
    refreshed: Mutex<Option<Instant>>,
    /// When nodes first and last reported the cluster as down.
    down: StdMutex<Option<(Instant, Instant)>>,
    past: StdMutex<Past>,
}

impl Cluster {
    /// A cluster, from some of its nodes.
    pub(super) async fn connect(
        nodes: Vec<ConnectionInfo>,
        sign_in: &SignIn,
        reach: &Reach,
        patience: Patience,
    ) -> Result<Self, Failure> {
        let mut first = None;
        for info in nodes {
            let node = Node::new(info, sign_in.clone(), CONNECTIONS, patience)?;
            match node.greet().await {
                Ok(greeting) if greeting.mode == ServerMode::Cluster => {
                    return Self::of(node, reach).await;
                }
                Ok(_) => {
                    let hint = "write redis:// (rediss:// with TLS) for a single server";
                    return Err(other_kind(&node.peer.place(), "it is not a cluster", hint));
                }
                Err(failure) if failure.kind != FailureKind::CacheUnreachable => {
                    return Err(failure);
                }
                Err(failure) => first = first.or(Some(failure)),
            }
        }
        // At least one host.
        Err(first.unwrap_or_else(|| invalid_url("it has no host")))
    }

    /// The cluster of a node.
    pub(super) async fn of(mut node: Node, reach: &Reach) -> Result<Self, Failure> {
        let timeout = node.glance_at(&["CONFIG", "GET", "cluster-node-timeout"]).await;
        let millis = match timeout {
            Ok(reply) => setting(reply, "cluster-node-timeout"),
            // CONFIG may be denied.
            Err(error) if error.code().is_some() => None,
            Err(error) => return Err(node.peer.connect_failure(&error)),
        };
        let millis = millis.and_then(|millis| millis.parse().ok());
        let timeout = millis.map_or(NODE_TIMEOUT, Duration::from_millis);
        node.health.patience = node.health.patience.and(timeout);
        let cluster = Self {
            seed: node.peer.info.clone(),
            sign_in: node.sign_in.clone(),
            reach: reach.clone(),
            patience: node.health.patience,
            nodes: StdMutex::default(),
            map: RwLock::default(),
            refreshed: Mutex::default(),
            down: StdMutex::default(),
            past: StdMutex::default(),
        };
        lock(&cluster.nodes).insert(node.peer.place(), Arc::new(node));
        cluster.reload().await?;
        Ok(cluster)
    }

    /// The node at an address; connects on first use.
    fn node(&self, host: &str, port: u16, name: Option<&str>) -> Result<Arc<Node>, Failure> {
        let mut nodes = lock(&self.nodes);
        let (reached, at) = self.reach.place(host, port);
        let place = format!("{reached}:{at}");
        if let Some(node) = nodes.get(&place) {
            name.into_iter().for_each(|name| node.names.add(name));
            return Ok(Arc::clone(node));
        }
        let info = neighbour(&self.seed, &reached, at);
        let mut node = Node::new(info, self.sign_in.clone(), CONNECTIONS, self.patience)?;
        node.peer.announced = Some(format!("{host}:{port}"));
        node.names.add(&host_of(&self.seed).0);
        name.into_iter().for_each(|name| node.names.add(name));
        let node = Arc::new(node);
        if let Some(known) = nodes.values().next() {
            node.set_longest_value(known.longest_value());
        }
        nodes.insert(place, Arc::clone(&node));
        Ok(node)
    }

    /// Groups keys by owner.
    pub(super) fn groups<'k>(
        &self,
        picks: &Picks,
        key: impl Fn(usize) -> &'k [u8],
    ) -> Vec<(Arc<Node>, Picks)> {
        self.map().groups(picks, key)
    }

    pub(super) fn primaries(&self) -> Vec<Arc<Node>> {
        self.map().owners()
    }

    /// A healthy node, if there is one.
    pub(super) fn any(&self) -> Arc<Node> {
        // At least the seed.
        self.everyone().swap_remove(0)
    }

    /// A node's share of the slots.
    pub(super) fn share(&self, node: &Arc<Node>) -> f64 {
        self.map().owned(Some(node)) as f64 / SLOTS as f64
    }

    /// The number of assigned slots, and of replicas.
    pub(super) fn census(&self) -> (usize, usize) {
        let map = self.map();
        let replicas = map.primaries.iter().map(|primary| primary.replicas.len());
        (map.owned(None), replicas.sum())
    }

    /// The node in a redirection.
    pub(super) fn named(&self, by: &Node, error: &RedisError) -> Option<Arc<Node>> {
        let (_, host, port) = self.direction(by, error)?;
        self.node(&host, port, None).ok()
    }

    /// Slot, host and port of `MOVED 3999 127.0.0.1:6381`.
    fn direction(&self, by: &Node, error: &RedisError) -> Option<(usize, String, u16)> {
        let mut words = error.detail()?.split_ascii_whitespace();
        let slot = words.next()?.parse().ok().filter(|slot| *slot < SLOTS)?;
        let (host, port) = words.next()?.rsplit_once(':')?;
        let host = match host {
            "" | "?" => host_of(&by.peer.info).0,
            host => host.trim_matches(['[', ']']).to_owned(),
        };
        Some((slot, host, port.parse().ok()?))
    }

    pub(super) fn moved(&self, by: &Node, error: &RedisError) {
        let Some((slot, host, port)) = self.direction(by, error) else {
            return;
        };
        let Ok(node) = self.node(&host, port, None) else {
            return;
        };
        self.map_mut().set_owner(slot, node);
    }

    /// Records that a node reports the cluster as down; `true`: for too long, or because a required
    /// node is gone.
    pub(super) fn is_down(&self) -> bool {
        if self.primaries().iter().any(|node| node.is_gone()) {
            return true;
        }
        let mut down = lock(&self.down);
        let now = Instant::now();
        let since = match *down {
            Some((since, last)) if last.elapsed() < QUIET => since,
            _ => now,
        };
        *down = Some((since, now));
        since.elapsed() >= self.patience.silent
    }

    pub(super) async fn refresh(&self) {
        let mut refreshed = self.refreshed.lock().await;
        if refreshed.is_none_or(|at| at.elapsed() >= REFRESH_EVERY) {
            // If no node answers, keep the old map.
            let _ = self.reload().await;
            *refreshed = Some(Instant::now());
        }
    }

    /// Asks nodes for the map until one answers.
    async fn reload(&self) -> Result<(), Failure> {
        let mut failure = None;
        for node in self.everyone() {
            let reply = match node.glance_at(&["CLUSTER", "SLOTS"]).await {
                Ok(reply) => reply,
                Err(error) if error.code().is_some() => {
                    failure = Some(no_map(&node, &error));
                    continue;
                }
                Err(error) => {
                    failure = failure.or_else(|| Some(node.peer.connect_failure(&error)));
                    continue;
                }
            };
            let (asked, _) = host_of(&node.peer.info);
            let known =
                |member: &Member| self.node(&member.host, member.port, member.hostname.as_deref());
            if let Some(map) = Map::read(reply, &asked, known)? {
                self.take(map);
                return Ok(());
            }
            let what = format!("the cluster at {} serves no keys", node.peer.place());
            let empty = Failure::new(FailureKind::CacheRefused, what, "no node has a slot");
            let hint = "give its nodes their slots: redis-cli --cluster create";
            failure = Some(empty.hint(hint));
        }
        // At least one node.
        failure.map_or(Ok(()), Err)
    }

    /// All nodes, healthy ones first.
    fn everyone(&self) -> Vec<Arc<Node>> {
        let nodes = lock(&self.nodes);
        let mut all: Vec<Arc<Node>> = nodes.values().cloned().collect();
        drop(nodes);
        fastrand::shuffle(&mut all);
        all.sort_by_key(|node| !node.health.is_well());
        all
    }

    /// Installs a new map, and counts failovers.
    fn take(&self, new: Map) {
        let old = std::mem::replace(&mut *self.map_mut(), new);
        let promoted = self.map().promoted_since(&old);
        self.past().losses += promoted as u64;
    }

    fn map(&self) -> RwLockReadGuard<'_, Map> {
        read(&self.map)
    }

    fn map_mut(&self) -> RwLockWriteGuard<'_, Map> {
        write(&self.map)
    }

    /// Counts up when a replica takes its primary's place, or a node restarts or stops answering.
    /// Slots that move from one primary to another take their keys with them.
    pub(super) async fn epoch(&self) -> Result<u64, Failure> {
        self.reload().await?;
        let primaries: Vec<(String, Arc<Node>)> = {
            let map = self.map();
            let all = map.primaries.iter();
            all.map(|primary| (primary.id.clone(), Arc::clone(&primary.node))).collect()
        };
        let seen = join_all(primaries.iter().map(|(_, node)| node.patient_incarnation())).await;
        let vanished: Vec<(String, Arc<Node>)> = {
            let past = self.past();
            let is_primary = |id: &String| primaries.iter().any(|(primary, _)| primary == id);
            let vanished = past.lives.iter().filter(|(id, _)| !is_primary(id));
            vanished.map(|(id, life)| (id.clone(), Arc::clone(&life.node))).collect()
        };
        let emptied = join_all(vanished.iter().map(|(_, node)| is_primary_still(node))).await;
        // Nothing is forgotten before, as this may be cancelled.
        let mut past = self.past();
        past.losses += emptied.iter().filter(|still| !**still).count() as u64;
        vanished.iter().for_each(|(id, _)| drop(past.lives.remove(id)));
        for ((id, node), now) in primaries.into_iter().zip(seen) {
            past.see(id, &node, now.ok());
        }
        Ok(past.losses)
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        lock(&self.past)
    }

    /// A node's view of the whole cluster.
    pub(super) async fn state(&self) -> Option<String> {
        for node in self.everyone() {
            if let Ok(reply) = node.glance_at(&["CLUSTER", "INFO"]).await {
                return info_line(&text(reply)?, "cluster_state").map(str::to_owned);
            }
        }
        None
    }
}

/// Why a node did not return the map.
fn no_map(node: &Node, error: &RedisError) -> Failure {
    match node.peer.refusal(error) {
        Some(failure) if error.code() != Some("NOPERM") => failure,
        refused => refused
            .unwrap_or_else(|| node.peer.denied(error))
            .hint("a cluster needs +cluster|slots, besides the permissions for a single server"),
    }
}

/// Whether a node without slots was emptied by resharding, and not replaced.
async fn is_primary_still(node: &Node) -> bool {
    let role = node.glance_at(&["ROLE"]).await;
    let role = role.ok().and_then(|role| items(role).into_iter().next());
    role.and_then(text).is_some_and(|role| role == "master")
}

/// The host of a node, as a default for its neighbours.
fn host_of(info: &ConnectionInfo) -> (String, u16) {
    match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            (host.clone(), *port)
        }
        _ => ("127.0.0.1".to_owned(), 6379),
    }
}
