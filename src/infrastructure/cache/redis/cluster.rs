//! A cluster: which node has which key, and what changes in that.
//!
//! Each batch is split by the node that has the slot of a key, and each part is sent and judged as
//! one server's. Where a node names another, the map is corrected at once, and asked for again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::{ConnectionAddr, ConnectionInfo, RedisError, RedisResult, Value as Reply};
use tokio::sync::Mutex;

use super::address::neighbour;
use super::node::{Mode, Node, setting};
use super::pipe;
use super::servers::{GIVE_UP, Picks, Wait, other_kind, refused};
use crate::domain::failure::{Failure, FailureKind};

/// There are several nodes, and each is one thread.
const CONNECTIONS: usize = 2;

pub(super) const SLOTS: usize = 16_384;

/// The map is not asked for more often.
const REFRESH_EVERY: Duration = Duration::from_millis(250);

/// What a node waits for another where it does not say.
const NODE_TIMEOUT: Duration = Duration::from_secs(15);

/// A cluster that was not down for so long is down anew.
const QUIET: Duration = Duration::from_secs(5);

pub(super) struct Cluster {
    /// How nodes are reached.
    seed: ConnectionInfo,
    patience: Duration,
    nodes: StdMutex<HashMap<String, Arc<Node>>>,
    map: RwLock<Map>,
    refreshed: Mutex<Option<Instant>>,
    /// Since when nodes say that the cluster is down, and when one said so last.
    down: StdMutex<Option<(Instant, Instant)>>,
    past: StdMutex<Past>,
}

/// Who has which slot.
struct Map {
    /// By slot, a place in `primaries`.
    owners: Vec<Option<u16>>,
    primaries: Vec<Primary>,
}

struct Primary {
    node: Arc<Node>,
    id: String,
    /// The ids of those that copy it.
    replicas: Vec<String>,
}

/// What was seen of the nodes' lives.
#[derive(Default)]
struct Past {
    /// Nodes whose place another took, that began anew, or that are gone.
    losses: u64,
    /// Primaries by id, as they were last seen.
    lives: HashMap<String, Life>,
}

/// A primary as it was last seen.
struct Life {
    node: Arc<Node>,
    incarnation: u64,
    /// It did not answer since.
    silent: bool,
}

impl Past {
    /// Takes what a primary says of itself, if it does.
    fn see(&mut self, id: String, node: &Arc<Node>, now: Option<u64>) {
        let Some(life) = self.lives.get_mut(&id) else {
            if let Some(incarnation) = now {
                let node = Arc::clone(node);
                let life = Life {
                    node,
                    incarnation,
                    silent: false,
                };
                self.lives.insert(id, life);
            }
            return;
        };
        let is_lost = match now {
            Some(incarnation) => incarnation != life.incarnation,
            // Whoever comes back as he was has lost nothing twice.
            None => !life.silent,
        };
        life.incarnation = now.unwrap_or(life.incarnation);
        life.silent = now.is_none();
        self.losses += u64::from(is_lost);
    }
}

impl Cluster {
    /// A cluster of which some nodes are known.
    pub(super) async fn connect(nodes: Vec<ConnectionInfo>) -> Result<Self, Failure> {
        let mut first = None;
        for info in nodes {
            let node = Node::new(info, CONNECTIONS, GIVE_UP)?;
            match node.greet().await {
                Ok(greeting) if greeting.mode == Mode::Cluster => return Self::of(node).await,
                Ok(_) => {
                    let hint = "write redis:// (rediss:// with TLS) for a single server";
                    return Err(other_kind(&node.place(), "it is no cluster", hint));
                }
                Err(failure) if failure.kind != FailureKind::CacheUnreachable => {
                    return Err(failure);
                }
                Err(failure) => first = first.or(Some(failure)),
            }
        }
        // There is one host at least.
        Err(first.unwrap_or_else(|| super::invalid_url("it names no host")))
    }

    /// The cluster that a node is of.
    pub(super) async fn of(mut node: Node) -> Result<Self, Failure> {
        let mut timeout = pipe();
        timeout.cmd("CONFIG").arg("GET").arg("cluster-node-timeout");
        let replies = node.glance(&timeout).await;
        let replies = replies.map_err(|error| node.connect_failure(&error))?;
        let settings = replies.into_iter().flatten().next();
        let millis = settings.and_then(|reply| setting(reply, "cluster-node-timeout"));
        let millis = millis.and_then(|millis| millis.parse().ok());
        let timeout = millis.map_or(NODE_TIMEOUT, Duration::from_millis);
        node.be_patient(GIVE_UP + timeout);
        let cluster = Self {
            seed: node.info().clone(),
            patience: node.patience(),
            nodes: StdMutex::default(),
            map: RwLock::new(Map {
                owners: vec![None; SLOTS],
                primaries: Vec::new(),
            }),
            refreshed: Mutex::default(),
            down: StdMutex::default(),
            past: StdMutex::default(),
        };
        cluster
            .nodes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(node.place(), Arc::new(node));
        cluster.reload().await?;
        Ok(cluster)
    }

    /// The node at a place; not connected to before it is asked for something.
    fn node(&self, host: &str, port: u16) -> Result<Arc<Node>, Failure> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let place = format!("{host}:{port}");
        if let Some(node) = nodes.get(&place) {
            return Ok(Arc::clone(node));
        }
        let info = neighbour(&self.seed, host, port);
        let node = Arc::new(Node::new(info, CONNECTIONS, self.patience)?);
        if let Some(known) = nodes.values().next() {
            node.has_limits_of(known);
        }
        nodes.insert(place, Arc::clone(&node));
        Ok(node)
    }

    /// Where a node is, for those that it calls its neighbours.
    fn host_of(&self, node: &Node) -> (String, u16) {
        match node.info().addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                (host.clone(), *port)
            }
            _ => ("127.0.0.1".to_owned(), 6379),
        }
    }

    /// Entries by the node that has them. A slot that no node has goes to any: it says so.
    pub(super) fn groups<'k>(
        &self,
        picks: &Picks,
        key: impl Fn(usize) -> &'k [u8],
    ) -> Vec<(Arc<Node>, Vec<usize>)> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        let share = picks.len() / map.primaries.len().max(1) + picks.len() / 8 + 1;
        let mut groups: Vec<Vec<usize>> = vec![Vec::new(); map.primaries.len()];
        for i in picks.iter() {
            let owner = usize::from(map.owners[usize::from(slot(key(i)))].unwrap_or_default());
            let group = &mut groups[owner];
            if group.is_empty() {
                group.reserve(share);
            }
            group.push(i);
        }
        let nodes = map
            .primaries
            .iter()
            .map(|primary| Arc::clone(&primary.node));
        let groups = nodes.zip(groups);
        groups.filter(|(_, group)| !group.is_empty()).collect()
    }

    pub(super) fn primaries(&self) -> Vec<Arc<Node>> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        let mut is_owner = vec![false; map.primaries.len()];
        for owner in map.owners.iter().flatten() {
            is_owner[usize::from(*owner)] = true;
        }
        let owners = map.primaries.iter().zip(is_owner).filter(|(_, owns)| *owns);
        owners
            .map(|(primary, _)| Arc::clone(&primary.node))
            .collect()
    }

    /// A node that is well, if there is one.
    pub(super) fn any(&self) -> Arc<Node> {
        // The seed is one at least.
        self.everyone().swap_remove(0)
    }

    /// The part of all slots that a node has.
    pub(super) fn share(&self, node: &Arc<Node>) -> f64 {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        let owned = map.owners.iter().flatten();
        let is_node = |owner: &&u16| Arc::ptr_eq(&map.primaries[usize::from(**owner)].node, node);
        owned.filter(is_node).count() as f64 / SLOTS as f64
    }

    /// How many slots have a node, and how many nodes only copy others.
    pub(super) fn census(&self) -> (usize, usize) {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        let replicas = map.primaries.iter().map(|primary| primary.replicas.len());
        (map.owners.iter().flatten().count(), replicas.sum())
    }

    /// The node that an answer names.
    pub(super) fn named(&self, by: &Node, error: &RedisError) -> Option<Arc<Node>> {
        let (_, host, port) = self.direction(by, error)?;
        self.node(&host, port).ok()
    }

    /// Slot, host and port of `MOVED 3999 127.0.0.1:6381`.
    fn direction(&self, by: &Node, error: &RedisError) -> Option<(usize, String, u16)> {
        let mut words = error.detail()?.split_ascii_whitespace();
        let slot = words.next()?.parse().ok().filter(|slot| *slot < SLOTS)?;
        let (host, port) = words.next()?.rsplit_once(':')?;
        let host = match host {
            "" | "?" => self.host_of(by).0,
            host => host.trim_matches(['[', ']']).to_owned(),
        };
        Some((slot, host, port.parse().ok()?))
    }

    pub(super) fn moved(&self, by: &Node, error: &RedisError) {
        let Some((slot, host, port)) = self.direction(by, error) else {
            return;
        };
        let Ok(node) = self.node(&host, port) else {
            return;
        };
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        let known = map
            .primaries
            .iter()
            .position(|primary| Arc::ptr_eq(&primary.node, &node));
        let owner = known.unwrap_or_else(|| {
            // Its id comes with the next map.
            map.primaries.push(Primary {
                node,
                id: String::new(),
                replicas: Vec::new(),
            });
            map.primaries.len() - 1
        });
        map.owners[slot] = u16::try_from(owner).ok();
    }

    /// Notes that a node says the cluster is down; `true`: it has been for too long, or a node is gone
    /// without which it stays so.
    pub(super) fn is_down(&self) -> bool {
        if self.primaries().iter().any(|node| node.is_gone()) {
            return true;
        }
        let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let since = match *down {
            Some((since, last)) if last.elapsed() < QUIET => since,
            _ => now,
        };
        *down = Some((since, now));
        since.elapsed() >= self.patience
    }

    pub(super) async fn refresh(&self) {
        let mut refreshed = self.refreshed.lock().await;
        if refreshed.is_none_or(|at| at.elapsed() >= REFRESH_EVERY) {
            // Where nobody answers, the old map is as good as any.
            let _ = self.reload().await;
            *refreshed = Some(Instant::now());
        }
    }

    /// Asks nodes for the map until one has it.
    async fn reload(&self) -> Result<(), Failure> {
        let mut question = pipe();
        question.cmd("CLUSTER").arg("SLOTS");
        let mut failure = None;
        for node in self.everyone() {
            let answer = node
                .glance(&question)
                .await
                .map(|mut replies| replies.pop());
            match answer {
                Ok(Some(Ok(reply))) => match self.read(&node, reply)? {
                    Some(map) => {
                        self.take(map);
                        return Ok(());
                    }
                    None => {
                        let what = format!("the cluster at {} serves no keys", node.place());
                        let why = "no node has a slot";
                        failure = Some(
                            Failure::new(FailureKind::CacheRefused, what, why)
                                .hint("give its nodes their slots: redis-cli --cluster create"),
                        );
                    }
                },
                Ok(Some(Err(error))) => {
                    let hint = "a cluster needs +cluster|slots, beside what a single server needs";
                    failure = Some(
                        node.refusal(&error)
                            .unwrap_or_else(|| refused(&node, &error, hint)),
                    );
                    if let Some(failure) = &mut failure
                        && error.code() == Some("NOPERM")
                    {
                        failure.hint = Some(hint.to_owned());
                    }
                }
                Ok(None) => {}
                Err(error) => failure = failure.or_else(|| Some(node.connect_failure(&error))),
            }
        }
        // There is one node at least.
        failure.map_or(Ok(()), Err)
    }

    /// All nodes, those that are well first.
    fn everyone(&self) -> Vec<Arc<Node>> {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Arc<Node>> = nodes.values().cloned().collect();
        drop(nodes);
        fastrand::shuffle(&mut all);
        all.sort_by_key(|node| !node.is_well());
        all
    }

    /// The map as a node gives it; `None`: an empty one.
    fn read(&self, by: &Node, reply: Reply) -> Result<Option<Map>, Failure> {
        let mut map = Map {
            owners: vec![None; SLOTS],
            primaries: Vec::new(),
        };
        for range in items(reply) {
            let mut range = items(range).into_iter();
            let (Some(Reply::Int(start)), Some(Reply::Int(end))) = (range.next(), range.next())
            else {
                continue;
            };
            let mut nodes = range.filter_map(|node| Member::read(node, &self.host_of(by).0));
            let Some(primary) = nodes.next() else {
                continue;
            };
            let node = self.node(&primary.host, primary.port)?;
            let at = map
                .primaries
                .iter()
                .position(|known| known.id == primary.id);
            let at = at.unwrap_or_else(|| {
                map.primaries.push(Primary {
                    node,
                    id: primary.id,
                    replicas: Vec::new(),
                });
                map.primaries.len() - 1
            });
            for replica in nodes {
                // Known, so that it can be asked when its primary is gone.
                self.node(&replica.host, replica.port)?;
                let replicas = &mut map.primaries[at].replicas;
                if !replicas.contains(&replica.id) {
                    replicas.push(replica.id);
                }
            }
            let (Ok(start), Ok(end)) = (usize::try_from(start), usize::try_from(end)) else {
                continue;
            };
            for slot in start..=end.min(SLOTS - 1) {
                map.owners[slot] = u16::try_from(at).ok();
            }
        }
        Ok((!map.primaries.is_empty()).then_some(map))
    }

    /// Takes a new map, and counts the nodes whose place a replica has taken.
    fn take(&self, new: Map) {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        let was_primary = |id: &String| map.primaries.iter().any(|primary| primary.id == *id);
        let was_replica = |id| {
            map.primaries
                .iter()
                .any(|primary| primary.replicas.contains(id))
        };
        let risen = new.primaries.iter().map(|primary| &primary.id);
        let risen = risen
            .filter(|id| was_replica(*id) && !was_primary(id))
            .count();
        *map = new;
        drop(map);
        self.past().losses += risen as u64;
    }

    /// Counts up when a replica takes its primary's place, or a node begins anew or does not answer
    /// any more. Slots that move from one primary to another take their keys with them.
    pub(super) async fn epoch(&self) -> Result<u64, Failure> {
        self.reload().await?;
        let primaries: Vec<(String, Arc<Node>)> = {
            let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
            let all = map.primaries.iter();
            all.map(|primary| (primary.id.clone(), Arc::clone(&primary.node)))
                .collect()
        };
        let seen = join_all(primaries.iter().map(|(_, node)| self.incarnation(node))).await;
        let vanished: Vec<Arc<Node>> = {
            let mut past = self.past();
            let is_primary = |id: &String| primaries.iter().any(|(primary, _)| primary == id);
            let vanished = past.lives.extract_if(|id, _| !is_primary(id));
            vanished.map(|(_, life)| life.node).collect()
        };
        let emptied = join_all(vanished.iter().map(|node| is_primary_still(node))).await;
        let mut past = self.past();
        past.losses += emptied.iter().filter(|still| !**still).count() as u64;
        for ((id, node), now) in primaries.into_iter().zip(seen) {
            past.see(id, &node, now);
        }
        Ok(past.losses)
    }

    fn past(&self) -> std::sync::MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that hesitates is asked again before it counts as gone.
    async fn incarnation(&self, node: &Node) -> Option<u64> {
        let mut wait = Wait::new();
        loop {
            match node.incarnation().await {
                Ok(number) => return Some(number),
                Err(_) if node.is_gone() || wait.is_over(GIVE_UP) => return None,
                Err(_) => wait.pause().await,
            }
        }
    }

    /// What the nodes say of the cluster as a whole.
    pub(super) async fn state(&self) -> RedisResult<HashMap<String, String>> {
        let mut question = pipe();
        question.cmd("CLUSTER").arg("INFO");
        let mut last: RedisError = (redis::ErrorKind::Parse, "no node answers").into();
        for node in self.everyone() {
            match node
                .glance(&question)
                .await
                .map(|mut replies| replies.pop())
            {
                Ok(Some(Ok(reply))) => {
                    let text: String = redis::from_redis_value(reply).unwrap_or_default();
                    let lines = text.lines().filter_map(|line| line.split_once(':'));
                    let lines =
                        lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
                    return Ok(lines.collect());
                }
                Ok(Some(Err(error))) | Err(error) => last = error,
                Ok(None) => {}
            }
        }
        Err(last)
    }
}

/// A node in CLUSTER SLOTS.
struct Member {
    host: String,
    port: u16,
    id: String,
}

impl Member {
    /// `asked`: where the node is that tells, which stands for a host that it leaves out.
    fn read(reply: Reply, asked: &str) -> Option<Self> {
        let mut fields = items(reply).into_iter();
        let host = fields.next().and_then(text);
        let port = match fields.next()? {
            Reply::Int(port) => u16::try_from(port).ok()?,
            _ => return None,
        };
        let id = fields.next().and_then(text);
        // A node that has no name for itself still knows its address.
        let mut more = fields
            .next()
            .map(items)
            .unwrap_or_default()
            .into_iter()
            .filter_map(text);
        let mut address = || more.by_ref().skip_while(|name| name != "ip").nth(1);
        let host = match host.as_deref() {
            Some("?") => address().unwrap_or_else(|| asked.to_owned()),
            None | Some("") => asked.to_owned(),
            Some(host) => host.to_owned(),
        };
        let id = id.unwrap_or_else(|| format!("{host}:{port}"));
        Some(Self { host, port, id })
    }
}

/// Whether a node that has no slots any more was emptied, and not put in another's place.
async fn is_primary_still(node: &Node) -> bool {
    let mut question = pipe();
    question.cmd("ROLE");
    let Ok(replies) = node.glance(&question).await else {
        return false;
    };
    let role = replies.into_iter().next().and_then(RedisResult::ok);
    let role = role.and_then(|role| items(role).into_iter().next());
    role.is_some_and(|role| redis::from_redis_value::<String>(role).is_ok_and(|r| r == "master"))
}

fn items(reply: Reply) -> Vec<Reply> {
    match reply {
        Reply::Array(items) => items,
        Reply::Map(pairs) => pairs
            .into_iter()
            .flat_map(|(name, value)| [name, value])
            .collect(),
        _ => Vec::new(),
    }
}

fn text(reply: Reply) -> Option<String> {
    redis::from_redis_value::<Option<String>>(reply)
        .ok()
        .flatten()
}

/// The slot of a key: of the part in braces, where there is one that is not empty.
pub(super) fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    crc16(tag.unwrap_or(key)) % SLOTS as u16
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    const TABLE: [u16; 256] = table();
    bytes.iter().fold(0, |crc: u16, byte| {
        (crc << 8) ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)]
    })
}

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_what_a_cluster_says() {
        // As CLUSTER KEYSLOT answers.
        for (key, expected) in [
            ("", 0),
            ("foo", 12182),
            ("123456789", 12739),
            ("{user1000}.following", 3443),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
            ("foo{bar}{zap}", 5061),
        ] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }
}
