//! How the servers are while a run writes: what anybody who asks has to wait, and what they evict.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::{Cmd, RedisError, RedisResult, Value as Reply};
use tokio::time::timeout;

use super::RedisCache;
use super::node::Node;
use super::reply::{info, info_line, words};
use crate::application::ports::Known;

/// Who has waited this long need not wait longer to know that it is long.
const LONGEST: Duration = Duration::from_secs(1);

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
    let mut watch = node.watch.lock().await;
    // Connecting is not what a client of the shop waits for.
    let mut connection = match watch.take() {
        Some(connection) => connection,
        None => match timeout(LONGEST, node.open()).await {
            Ok(opened) => opened.ok()?,
            Err(_) => return Some(LONGEST),
        },
    };
    let (ping, asked) = (redis::cmd("PING"), Instant::now());
    let answer = timeout(LONGEST, ping.query_async::<Reply>(&mut connection)).await;
    match answer {
        Ok(Err(error)) if is_lost(&error) => None,
        // Who waits too long for an answer has another connection the next time.
        Err(_) => Some(LONGEST),
        Ok(_) => {
            *watch = Some(connection);
            Some(asked.elapsed())
        }
    }
}

async fn evicted(node: &Node) -> Known<u64> {
    let mut question = redis::cmd("INFO");
    let reply = ask(node, question.arg("stats")).await?;
    let text = info(Some(Ok(reply)))?;
    let count = info_line(&text, "evicted_keys").and_then(|count| count.parse().ok());
    count.ok_or_else(|| "INFO has no evicted_keys".to_owned())
}

/// Asks on a connection where nothing else waits. The time that another question takes there is not
/// the server's.
async fn ask(node: &Node, question: &Cmd) -> Known<Reply> {
    let late = || "no answer in time".to_owned();
    let mut watch = node.watch.lock().await;
    let connection = match watch.take() {
        Some(connection) => Ok(connection),
        None => timeout(LONGEST, node.open()).await.map_err(|_| late())?,
    };
    let mut connection = connection.map_err(|error| words(&error))?;
    let answer = timeout(LONGEST, question.query_async(&mut connection)).await;
    let answer: RedisResult<Reply> = answer.map_err(|_| late())?;
    if !answer.as_ref().is_err_and(is_lost) {
        *watch = Some(connection);
    }
    answer.map_err(|error| words(&error))
}

/// Whether it was not the server that said so.
fn is_lost(error: &RedisError) -> bool {
    error.code().is_none()
}
