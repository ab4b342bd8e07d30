//! Memory of the servers.

use futures_util::future::join_all;

use super::RedisCache;
use super::node::Node;
use super::parts::Picks;
use super::reply::{info, info_line, pipe};
use super::servers::Servers;
use crate::application::ports::{Headroom, Known};
use crate::domain::entry::{Entry, EntryBatch};
use crate::domain::sync::lock;

impl RedisCache {
    pub(super) async fn measure_headroom(&self) -> Headroom {
        let nodes = self.servers.primaries();
        let all = join_all(nodes.iter().map(|node| headroom(node))).await;
        let places: Vec<String> = nodes.iter().map(|node| node.peer.place()).collect();
        let planned = lock(&self.planned).clone();
        let total: u64 = planned.values().sum();
        let shares = nodes.iter().zip(&places).map(|(node, place)| match total {
            0 => self.servers.share(node),
            total => planned.get(place).copied().unwrap_or_default() as f64 / total as f64,
        });
        together(all, &places.iter().cloned().zip(shares).collect::<Vec<_>>())
    }

    /// Counts the bytes that each node of a cluster would get: a hash tag puts all keys on one.
    pub(super) fn note_planned(&self, batch: &EntryBatch) {
        let Servers::Cluster(cluster) = &self.servers else {
            return;
        };
        let entries: Vec<Entry<'_>> = batch.iter().collect();
        let mut planned = lock(&self.planned);
        for (node, picks) in cluster.groups(&Picks::Run(0..entries.len()), |i| entries[i].key) {
            let bytes = picks.iter().map(|i| entries[i].bytes());
            *planned.entry(node.peer.place()).or_default() += bytes.sum::<u64>();
        }
    }
}

/// The memory of several servers as one: what fits until the first one is full, with each server's
/// share of the keys. The policy is that server's.
fn together(mut all: Vec<Headroom>, shares: &[(String, f64)]) -> Headroom {
    if all.len() == 1 {
        return all.remove(0);
    }
    let used: Known<u64> = all.iter().map(|one| one.used.clone()).sum();
    let mut policy = all[0].policy.clone();
    let mut least: Option<u64> = None;
    let mut full_first = None;
    for (one, (place, share)) in all.into_iter().zip(shares) {
        if let Err(why) = one.max.as_ref().and(one.used.as_ref()) {
            return Headroom { max: Err(why.clone()), policy: one.policy, used, full_first: None };
        }
        // How much fits in total until this server is full.
        let free = one.free().map(|free| (free as f64 / share.max(f64::EPSILON)) as u64);
        if let Some(free) = free.filter(|free| least.is_none_or(|least| *free < least)) {
            least = Some(free);
            policy = one.policy;
            full_first = Some((place.clone(), *share));
        }
    }
    let max = |used: &u64| least.map(|free| used.saturating_add(free));
    let max = used.as_ref().map(max).map_err(Clone::clone);
    Headroom { used, max, policy, full_first }
}

async fn headroom(node: &Node) -> Headroom {
    let mut pipe = pipe();
    pipe.cmd("INFO").arg("memory");
    let info = match node.ask(&pipe).await {
        Ok(mut replies) => info(replies.pop()),
        Err(failure) => Err(failure.why),
    };
    let info = match info {
        Ok(info) => info,
        Err(why) => return Headroom::unknown(&why),
    };
    let figure = |name: &str| info_line(&info, name).ok_or_else(|| format!("INFO has no {name}"));
    let bytes = |name: &str| figure(name)?.parse().map_err(|_| format!("{name} is not a number"));
    Headroom {
        used: bytes("used_memory"),
        max: bytes("maxmemory").map(|max: u64| (max > 0).then_some(max)),
        policy: figure("maxmemory_policy").map(str::to_owned),
        full_first: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(used: u64, max: Option<u64>, policy: &str) -> Headroom {
        Headroom { used: Ok(used), max: Ok(max), policy: Ok(policy.to_owned()), full_first: None }
    }

    fn shares(all: &[f64]) -> Vec<(String, f64)> {
        all.iter().enumerate().map(|(i, share)| (format!("node {i}"), *share)).collect()
    }

    #[test]
    fn the_server_that_is_full_first_decides() {
        let all = vec![
            of(10, Some(100), "noeviction"),
            of(70, Some(100), "allkeys-lru"),
            of(10, None, "noeviction"),
        ];
        let all = together(all, &shares(&[0.25, 0.25, 0.5]));
        // 30 bytes are left for a quarter of the keys.
        assert_eq!((all.used, all.max), (Ok(90), Ok(Some(90 + 120))));
        assert_eq!(all.policy, Ok("allkeys-lru".to_owned()));
        assert_eq!(all.full_first, Some(("node 1".to_owned(), 0.25)));
        let none = together(vec![of(1, None, "x"), of(2, None, "x")], &shares(&[0.5, 0.5]));
        assert_eq!((none.used, none.max), (Ok(3), Ok(None)));
    }
}
