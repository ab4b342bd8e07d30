//! What an error means for its key.

use std::sync::Arc;

use redis::RedisError;

use super::node::Node;
use super::reply::{is_read_only, is_transient};
use super::servers::Servers;

pub(super) enum Course {
    /// The answer is final.
    End,
    /// Retry.
    Later,
    /// Ask the current owner, or this node once.
    Elsewhere(Option<Arc<Node>>),
}

/// Also corrects the map.
pub(super) fn course(servers: &Servers, node: &Node, error: &RedisError) -> Course {
    match (error.code(), servers) {
        (Some("MOVED"), Servers::Cluster(cluster)) => {
            cluster.moved(node, error);
            Course::Elsewhere(None)
        }
        (Some("ASK"), Servers::Cluster(cluster)) => match cluster.named(node, error) {
            // The key has moved away.
            Some(there) if there.is_gone() => Course::End,
            Some(there) => Course::Elsewhere(Some(there)),
            None => Course::Later,
        },
        // A failover is finished or in progress.
        _ if is_read_only(error) && servers.can_change() => Course::Later,
        // The name, or the proxy, will lead to its successor.
        (_, Servers::One(_)) if is_read_only(error) && node.was_primary() => {
            node.health.note_failover();
            Course::Later
        }
        _ if is_transient(error) => Course::Later,
        _ => Course::End,
    }
}
