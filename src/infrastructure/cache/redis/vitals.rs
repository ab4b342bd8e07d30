//! The measurements for a gentle run: the servers' latency and evictions.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::{Cmd, RedisResult, Value as Reply};
use tokio::time::timeout;

use super::RedisCache;
use super::node::Node;
use super::reply::{info, info_line, no_answer_in_time};
use crate::application::ports::Known;

/// Timeout of a measurement.
const MAX_WAIT: Duration = Duration::from_secs(1);

impl RedisCache {
    /// The slowest of all servers.
    pub(super) async fn measure_latency(&self) -> Option<Duration> {
        let primaries = self.servers.primaries();
        let measured = join_all(primaries.iter().map(|node| latency(node))).await;
        measured.into_iter().flatten().max()
    }

    /// The total over all servers.
    pub(super) async fn count_evicted(&self) -> Known<u64> {
        let primaries = self.servers.primaries();
        let counted = join_all(primaries.iter().map(|node| evicted(node))).await;
        counted.into_iter().sum()
    }
}

async fn latency(node: &Node) -> Option<Duration> {
    match ask(node, &redis::cmd("PING")).await {
        (Err(error), _) if error.is_timeout() => Some(MAX_WAIT),
        // A broken connection says nothing about the server.
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

/// Sends a command on a connection without other traffic; returns the answer and the time it took.
pub(super) async fn ask(node: &Node, question: &Cmd) -> (RedisResult<Reply>, Option<Duration>) {
    let mut watch = node.watch.lock().await;
    let connection = match watch.take() {
        Some(connection) => Ok(connection),
        None => in_time(node.open()).await,
    };
    // The shop's clients do not wait for connecting, so do not measure it.
    let asked = Instant::now();
    let mut connection = match connection {
        Ok(connection) => connection,
        Err(error) => return (Err(error), None),
    };
    let answer = in_time(question.query_async(&mut connection)).await;
    // Drop the connection after a late answer.
    if answer.as_ref().err().is_none_or(|error| error.code().is_some()) {
        *watch = Some(connection);
    }
    (answer, Some(asked.elapsed()))
}

async fn in_time<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let answer = timeout(MAX_WAIT, answer).await;
    answer.unwrap_or_else(|_| Err(no_answer_in_time()))
}
