//! A cluster's map: which primary owns which slot.

use std::sync::Arc;

use redis::Value as Reply;

use super::node::Node;
use super::parts::Picks;
use super::reply::{items, text};
use super::slots::{SLOTS, slot};
use crate::domain::failure::Failure;

pub(super) struct Map {
    /// By slot, an index into `primaries`.
    owners: Vec<Option<u16>>,
    pub primaries: Vec<Primary>,
}

pub(super) struct Primary {
    pub node: Arc<Node>,
    pub id: String,
    /// The ids of its replicas.
    pub replicas: Vec<String>,
}

impl Primary {
    fn new(node: Arc<Node>, id: String) -> Self {
        let replicas = Vec::new();
        Self { node, id, replicas }
    }
}

impl Default for Map {
    fn default() -> Self {
        Self { owners: vec![None; SLOTS], primaries: Vec::new() }
    }
}

impl Map {
    /// The map from CLUSTER SLOTS; `None`: empty. `asked` is the host of the answering node, `node`
    /// returns the node at an address.
    pub(super) fn read(
        reply: Reply,
        asked: &str,
        node: impl Fn(&Member) -> Result<Arc<Node>, Failure>,
    ) -> Result<Option<Self>, Failure> {
        let mut map = Self::default();
        for range in items(reply) {
            let mut range = items(range).into_iter();
            let (Some(Reply::Int(start)), Some(Reply::Int(end))) = (range.next(), range.next())
            else {
                continue;
            };
            let mut members = range.filter_map(|member| Member::read(member, asked));
            let Some(primary) = members.next() else {
                continue;
            };
            let at = map.add(node(&primary)?, primary.id);
            for replica in members {
                // Keep it, to ask it if its primary is gone.
                node(&replica)?;
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

    /// The index of a primary by its id.
    fn add(&mut self, node: Arc<Node>, id: String) -> usize {
        let known = self.primaries.iter().position(|primary| primary.id == id);
        known.unwrap_or_else(|| {
            self.primaries.push(Primary::new(node, id));
            self.primaries.len() - 1
        })
    }

    /// Moves a slot to another node.
    pub(super) fn set_owner(&mut self, slot: usize, node: Arc<Node>) {
        let is_node = |primary: &Primary| Arc::ptr_eq(&primary.node, &node);
        let owner = self.primaries.iter().position(is_node).unwrap_or_else(|| {
            // The next map has its id.
            self.primaries.push(Primary::new(Arc::clone(&node), String::new()));
            self.primaries.len() - 1
        });
        self.owners[slot] = u16::try_from(owner).ok();
    }

    /// Groups keys by owner. Slots without an owner go to any node, which reports that.
    pub(super) fn groups<'k>(
        &self,
        picks: &Picks,
        key: impl Fn(usize) -> &'k [u8],
    ) -> Vec<(Arc<Node>, Picks)> {
        let share = picks.len() / self.primaries.len().max(1) + picks.len() / 8 + 1;
        let mut groups: Vec<Vec<usize>> = vec![Vec::new(); self.primaries.len()];
        for i in picks.iter() {
            let owner = usize::from(self.owners[usize::from(slot(key(i)))].unwrap_or_default());
            let group = &mut groups[owner];
            if group.is_empty() {
                group.reserve(share);
            }
            group.push(i);
        }
        let groups = self.primaries.iter().zip(groups);
        groups
            .filter(|(_, group)| !group.is_empty())
            .map(|(primary, group)| (Arc::clone(&primary.node), Picks::Some(group)))
            .collect()
    }

    /// Primaries with slots.
    pub(super) fn owners(&self) -> Vec<Arc<Node>> {
        let mut is_owner = vec![false; self.primaries.len()];
        for owner in self.owners.iter().flatten() {
            is_owner[usize::from(*owner)] = true;
        }
        let owners = self.primaries.iter().zip(is_owner).filter(|(_, owns)| *owns);
        owners.map(|(primary, _)| Arc::clone(&primary.node)).collect()
    }

    /// Number of assigned slots, or of this node's.
    pub(super) fn owned(&self, by: Option<&Arc<Node>>) -> usize {
        let is_its = |owner: &&u16| {
            by.is_none_or(|node| Arc::ptr_eq(&self.primaries[usize::from(**owner)].node, node))
        };
        self.owners.iter().flatten().filter(is_its).count()
    }

    /// How many primaries were replicas in another map.
    pub(super) fn promoted_since(&self, old: &Self) -> usize {
        let was_primary = |id: &String| old.primaries.iter().any(|primary| primary.id == *id);
        let was_replica = |id| old.primaries.iter().any(|primary| primary.replicas.contains(id));
        let ids = self.primaries.iter().map(|primary| &primary.id);
        ids.filter(|id| was_replica(*id) && !was_primary(id)).count()
    }
}

/// A node in CLUSTER SLOTS.
pub(super) struct Member {
    pub host: String,
    pub port: u16,
    /// The name that it announces besides its address.
    pub hostname: Option<String>,
    id: String,
}

impl Member {
    /// `asked`: the host of the node that was asked, for a host that is left out.
    fn read(reply: Reply, asked: &str) -> Option<Self> {
        let mut fields = items(reply).into_iter();
        let host = fields.next().and_then(text);
        let port = match fields.next()? {
            Reply::Int(port) => u16::try_from(port).ok()?,
            _ => return None,
        };
        let id = fields.next().and_then(text);
        // A node without a host name still has an address.
        let more = fields.next().map(items).unwrap_or_default().into_iter();
        let more: Vec<String> = more.filter_map(text).collect();
        let metadata = |wanted: &str| {
            let mut pairs = more.chunks_exact(2);
            pairs.find(|pair| pair[0] == wanted && !pair[1].is_empty()).map(|pair| pair[1].clone())
        };
        let host = match host.as_deref() {
            Some("?") => metadata("ip").unwrap_or_else(|| asked.to_owned()),
            None | Some("") => asked.to_owned(),
            Some(host) => host.to_owned(),
        };
        let id = id.unwrap_or_else(|| format!("{host}:{port}"));
        Some(Self { host, port, hostname: metadata("hostname"), id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_may_announce_an_address_and_a_name() {
        let word = |text: &str| Reply::BulkString(text.as_bytes().to_vec());
        let member = |host: &str, more: &[&str]| {
            let more = Reply::Array(more.iter().map(|text| word(text)).collect());
            let fields = vec![word(host), Reply::Int(6379), word("id"), more];
            let member = Member::read(Reply::Array(fields), "asked").expect("a node");
            (member.host, member.hostname)
        };
        let named = Some("cache-1.test".to_owned());
        assert_eq!(member("10.0.0.5", &["hostname", "cache-1.test"]), ("10.0.0.5".into(), named));
        assert_eq!(member("10.0.0.5", &["hostname", ""]), ("10.0.0.5".into(), None));
        assert_eq!(member("?", &["ip", "10.0.0.6"]), ("10.0.0.6".into(), None));
        assert_eq!(member("", &[]), ("asked".into(), None));
    }
}
