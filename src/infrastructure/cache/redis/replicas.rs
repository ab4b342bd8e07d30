//! The replicas of the servers: how far they are behind, and how many full resynchronizations there were.

use futures_util::future::join_all;

use super::RedisCache;
use super::node::Node;
use super::reply::{info, info_line, setting};
use super::vitals::ask;
use crate::application::ports::Replicas;

/// The soft limit of the server's defaults, for a user that is not allowed to read it.
const DEFAULT_LIMIT: u64 = 64 * 1024 * 1024;

impl RedisCache {
    /// Those of the server where one is closest to its limit, with the full resynchronizations of all servers.
    pub(super) async fn measure_replicas(&self) -> Option<Replicas> {
        let primaries = self.servers.primaries();
        let all = join_all(primaries.iter().map(|node| replicas(node))).await;
        let all: Vec<Replicas> = all.into_iter().flatten().collect();
        let full_syncs = all.iter().map(|replicas| replicas.full_syncs).sum();
        let share = |replicas: &Replicas| {
            replicas.behind as f64 / replicas.limit.unwrap_or(u64::MAX) as f64
        };
        let worst = all.into_iter().max_by(|a, b| share(a).total_cmp(&share(b)))?;
        Some(Replicas { full_syncs, ..worst })
    }
}

async fn replicas(node: &Node) -> Option<Replicas> {
    let (reply, _) = ask(node, &redis::cmd("INFO")).await;
    let text = info(Some(reply)).ok()?;
    let number = |name: &str| info_line(&text, name)?.parse::<u64>().ok();
    let full_syncs = number("sync_full")?;
    let mut replicas = Replicas { full_syncs, ..Replicas::default() };
    if number("connected_slaves")? > 0 {
        replicas.behind = behind(&text, number("master_repl_offset")?);
        let limits = redis::cmd("CONFIG").arg("GET").arg("client-output-buffer-limit").clone();
        let (reply, _) = ask(node, &limits).await;
        let limits = reply.ok().and_then(|reply| setting(reply, "client-output-buffer-limit"));
        replicas.limit = limits.map_or(Some(DEFAULT_LIMIT), |limits| lowest_limit(&limits));
    }
    Some(replicas)
}

/// The bytes that the slowest replica has not confirmed. One that resynchronizes is not counted: it
/// confirms nothing yet.
fn behind(info: &str, offset: u64) -> u64 {
    let online =
        info.lines().filter(|line| line.starts_with("slave") && line.contains("state=online"));
    let confirmed = online.filter_map(|line| {
        let (_, rest) = line.split_once("offset=")?;
        rest.split(',').next()?.trim().parse::<u64>().ok()
    });
    confirmed.min().map_or(0, |confirmed| offset.saturating_sub(confirmed))
}

/// The lower limit for replicas in `normal 0 0 0 slave 268435456 67108864 60 pubsub ...`.
fn lowest_limit(limits: &str) -> Option<u64> {
    let mut words =
        limits.split_whitespace().skip_while(|word| !matches!(*word, "slave" | "replica"));
    let [hard, soft] = [words.nth(1)?, words.next()?].map(|word| word.parse::<u64>().ok());
    [hard, soft].into_iter().flatten().filter(|limit| *limit > 0).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_replica_and_the_lower_limit_count() {
        let info = "role:master\r\nconnected_slaves:3\r\n\
                    slave0:ip=10.0.0.1,port=6379,state=online,offset=900,lag=0\r\n\
                    slave1:ip=10.0.0.2,port=6379,state=online,offset=300,lag=4\r\n\
                    slave2:ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=0\r\n";
        assert_eq!(behind(info, 1000), 700);
        assert_eq!(behind("connected_slaves:0\r\n", 1000), 0);
        let limits = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
        assert_eq!(lowest_limit(limits), Some(67_108_864));
        assert_eq!(lowest_limit("normal 0 0 0 replica 1000 0 0 pubsub 1 1 1"), Some(1000));
        assert_eq!(lowest_limit("slave 0 0 0"), None);
    }
}
