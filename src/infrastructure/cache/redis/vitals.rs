//! What a gentle run watches: how long the servers' clients wait, and what they evict.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::{Cmd, RedisResult, Value as Reply};
use tokio::time::timeout;

use super::RedisCache;
use super::node::Node;
use super::reply::{info, info_line, no_answer_in_time};
use crate::application::ports::Known;

/// An answer that takes longer than this is too late in any case.
const MAX_WAIT: Duration = Duration::from_secs(1);

impl RedisCache {
    /// The slowest of all servers.
    pub(super) async fn measure_latency(&self) -> Option<Duration> {
        let primaries = self.servers.primaries();
        let measured = join_all(primaries.iter().map(|node| latency(node))).await;
        measured.into_iter().flatten().max()
    }

    /// By all servers together.
    pub(super) async fn count_evicted(&self) -> Known<u64> {
        let primaries = self.servers.primaries();
        let counted = join_all(primaries.iter().map(|node| evicted(node))).await;
        counted.into_iter().sum()
    }
}

async fn latency(node: &Node) -> Option<Duration> {
    match ask(node, &redis::cmd("PING")).await {
        (Err(error), _) if error.is_timeout() => Some(MAX_WAIT),
        // The connection broke: that says nothing of the server.
        (Err(error), _) if error.code().is_none() => None,
        (_, took) => took,
    }
}

async fn evicted(node: &Node) -> Known<u64> {
    let (reply, _) = ask(node, redis::cmd("INFO").arg("stats")).await;
    let text = info(Some(reply))?;
    let count = info_line(&text, "evicted_keys").and_then(|count| count.parse().ok());
    count.ok_or_else(|| "INFO has no evicted_keys".to_owned())
}

/// Asks on a connection where nothing else waits: the answer, and how long it took, if it was asked.
async fn ask(node: &Node, question: &Cmd) -> (RedisResult<Reply>, Option<Duration>) {
    let mut watch = node.watch.lock().await;
    let connection = match watch.take() {
        Some(connection) => Ok(connection),
        None => in_time(node.open()).await,
    };
    // Connecting is not what a client of the shop waits for.
    let asked = Instant::now();
    let mut connection = match connection {
        Ok(connection) => connection,
        Err(error) => return (Err(error), None),
    };
    let answer = in_time(question.query_async(&mut connection)).await;
    // After an answer that came too late there is a new connection the next time.
    if answer
        .as_ref()
        .err()
        .is_none_or(|error| error.code().is_some())
    {
        *watch = Some(connection);
    }
    (answer, Some(asked.elapsed()))
}

async fn in_time<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let answer = timeout(MAX_WAIT, answer).await;
    answer.unwrap_or_else(|_| Err(no_answer_in_time()))
}
