//! What an error to a command means for its key.

use std::sync::Arc;

use redis::RedisError;

use super::node::Node;
use super::reply::is_transient;
use super::servers::Servers;

pub(super) enum Course {
    /// The answer is final.
    End,
    /// Retry.
    Later,
    /// Ask the node that owns the key now, or this one for once.
    Elsewhere(Option<Arc<Node>>),
}

/// Takes the map's corrections with it.
pub(super) fn course(servers: &Servers, node: &Node, error: &RedisError) -> Course {
    match (error.code(), servers) {
        (Some("MOVED"), Servers::Cluster(cluster)) => {
            cluster.moved(node, error);
            Course::Elsewhere(None)
        }
        (Some("ASK"), Servers::Cluster(cluster)) => match cluster.named(node, error) {
            // Nobody has the key there any more, nor here.
            Some(there) if there.is_gone() => Course::End,
            Some(there) => Course::Elsewhere(Some(there)),
            None => Course::Later,
        },
        // Another has taken its place, or is about to.
        (Some("READONLY"), _) if servers.can_change() => Course::Later,
        _ if is_transient(error) => Course::Later,
        _ => Course::End,
    }
}
