//! All keys with a prefix.

use std::collections::VecDeque;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use super::RedisCache;
use super::node::Node;
use super::reply::{malformed, pipe};
use crate::domain::failure::{Failure, FailureKind};

/// Keys asked for in one step of a scan.
const SCAN_COUNT: usize = 1000;

impl RedisCache {
    /// Uses SCAN, never KEYS, so that a server can work between two steps. Scans one server at a time.
    pub(super) fn scan_keys<'a>(
        &'a self,
        prefix: &'a [u8],
    ) -> BoxStream<'a, Result<Vec<Vec<u8>>, Failure>> {
        let pattern = glob(prefix);
        let nodes = VecDeque::from(self.servers.primaries());
        stream::try_unfold((nodes, b"0".to_vec()), move |(mut nodes, cursor)| {
            let pattern = pattern.clone();
            async move {
                let Some(node) = nodes.front() else {
                    return Ok(None);
                };
                let (next, keys) = scan_step(node, &cursor, &pattern).await?;
                if next == b"0" {
                    nodes.pop_front();
                }
                Ok(Some((keys, (nodes, next))))
            }
        })
        .boxed()
    }
}

async fn scan_step(
    node: &Node,
    cursor: &[u8],
    pattern: &[u8],
) -> Result<(Vec<u8>, Vec<Vec<u8>>), Failure> {
    let mut pipe = pipe();
    pipe.cmd("SCAN").arg(cursor);
    pipe.arg("MATCH").arg(pattern).arg("COUNT").arg(SCAN_COUNT);
    match node.ask(&pipe).await?.pop() {
        Some(Ok(reply)) => redis::from_redis_value(reply).map_err(|_| {
            let what = format!("the cache at {} cannot be scanned", node.peer.place());
            Failure::new(FailureKind::CacheRefused, what, "its answer is malformed")
        }),
        Some(Err(error)) => Err(node.peer.denied(&error)),
        None => Err(node.peer.denied(&malformed())),
    }
}

/// A pattern for all keys that begin with `prefix`.
fn glob(prefix: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(prefix.len() + 1);
    for byte in prefix {
        if b"*?[]\\^-".contains(byte) {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    pattern.push(b'*');
    pattern
}
