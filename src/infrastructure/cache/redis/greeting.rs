//! What a server reports about itself.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;

use redis::{Pipeline, RedisError, RedisResult, Value as Reply};
use tokio::time::timeout;

use super::node::{CONNECT_TIMEOUT, Node};
use super::reply::{Replies, no_answer_in_time, pipe, setting};
use super::wait::Wait;
use crate::domain::failure::{Failure, FailureKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    pub mode: ServerMode,
    /// It reports itself as a replica.
    pub is_replica: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerMode {
    Alone,
    Cluster,
    Sentinel,
}

impl Node {
    /// Connects and identifies the server.
    ///
    /// # Errors
    /// It cannot be reached, or refuses us.
    pub(super) async fn greet(&self) -> Result<Greeting, Failure> {
        let unreachable = |error: &RedisError| self.peer.connect_failure(error);
        let mut connection = self.open().await.map_err(|error| unreachable(&error))?;
        let mut questions = pipe();
        questions.cmd("PING");
        questions.cmd("CONFIG").arg("GET").arg("proto-max-bulk-len");
        // HELLO without arguments changes nothing, and every user may run it.
        questions.cmd("HELLO");
        questions.cmd("INFO");
        // A missing password is reported only by the first command.
        let replies: RedisResult<Replies> = questions.query_async(&mut connection).await;
        let replies = replies.map_err(|error| unreachable(&error))?;
        if let Some(Err(error)) = replies.first()
            && matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "DENIED"))
        {
            return Err(unreachable(error));
        }
        let mut replies = replies.into_iter().skip(1);
        // CONFIG may be denied; then use the default.
        if let Some(Ok(reply)) = replies.next()
            && let Some(limit) = setting(reply, "proto-max-bulk-len")
            && let Ok(limit) = limit.parse()
        {
            self.set_longest_value(limit);
        }
        let greeting = greeting(replies.next(), replies.next());
        self.adopt(connection).await;
        Ok(greeting)
    }

    /// Changes when the server may have lost acknowledged writes: it restarted, or is or was a
    /// replica. If unknown, a hash of its address.
    pub(super) async fn incarnation(&self) -> RedisResult<u64> {
        let mut info = pipe();
        info.cmd("INFO").arg("server").cmd("INFO").arg("replication");
        let mut hasher = DefaultHasher::new();
        self.peer.place().hash(&mut hasher);
        let is_alone = self.was_primary();
        let replies =
            if is_alone { self.ask_anew(&info).await? } else { self.glance(&info).await? };
        let mut is_replica = false;
        for reply in replies.into_iter().flatten() {
            let text: String = redis::from_redis_value(reply).unwrap_or_default();
            is_replica |= text.lines().any(|line| line == "role:slave");
            life(&text).for_each(|line| line.hash(&mut hasher));
        }
        let number = hasher.finish();
        if is_alone {
            self.follow_address(is_replica, number).await?;
        }
        Ok(number)
    }

    /// Asks whoever answers at the address now.
    async fn ask_anew(&self, question: &Pipeline) -> RedisResult<Replies> {
        let ask = async { question.query_async(&mut self.open().await?).await };
        timeout(CONNECT_TIMEOUT, ask).await.unwrap_or_else(|_| Err(no_answer_in_time()))
    }

    /// If another server answers at the address, all connections lead there from now on.
    ///
    /// # Errors
    /// It has become a replica: its successor is not there yet.
    async fn follow_address(&self, is_replica: bool, number: u64) -> RedisResult<()> {
        let is_other = self.change_incarnation(number).is_some_and(|former| former != number);
        if is_replica || is_other {
            self.reconnect().await;
        }
        if !is_replica {
            return Ok(());
        }
        self.health.note_failover();
        Err(io::Error::new(io::ErrorKind::NotConnected, "it has become a replica").into())
    }

    /// The same, with retries before the server counts as gone.
    pub(super) async fn patient_incarnation(&self) -> Result<u64, Failure> {
        let mut wait = Wait::new();
        loop {
            let failure = match self.incarnation().await {
                Ok(number) => return Ok(number),
                Err(error) => self.peer.connect_failure(&error),
            };
            let is_silent = failure.kind == FailureKind::CacheUnreachable;
            if !is_silent || self.is_gone() || wait.is_over(self.health.give_up_after()) {
                return Err(failure);
            }
            wait.pause().await;
        }
    }
}

/// The lines of INFO that change when a server may have lost keys.
///
/// Not the `master_replid` of a primary: it changes without a loss when a first replica or a backup
/// connects, and when the backlog of the last one is freed. A primary that was a replica names its
/// former history in `master_replid2`.
fn life(info: &str) -> impl Iterator<Item = &str> {
    let history = match info.lines().any(|line| line == "role:slave") {
        true => "master_replid:",
        false => "master_replid2:",
    };
    let names = ["run_id:", "role:", history];
    let says = move |line: &&str| names.iter().any(|name| line.starts_with(name));
    info.lines().filter(says)
}

/// The reply of HELLO, or of INFO on servers that are too old for HELLO.
fn greeting(hello: Option<RedisResult<Reply>>, info: Option<RedisResult<Reply>>) -> Greeting {
    let hello = hello.and_then(Result::ok);
    let mut hello = hello
        .and_then(|hello| redis::from_redis_value::<HashMap<String, Reply>>(hello).ok())
        .unwrap_or_default();
    let info: Option<String> =
        info.and_then(Result::ok).and_then(|info| redis::from_redis_value(info).ok());
    let info = info.unwrap_or_default();
    let mut says = |name: &str, in_info: &str| -> Option<String> {
        let said = hello.remove(name);
        let said = said.and_then(|said| redis::from_redis_value(said).ok());
        let line = || info.lines().find_map(|line| line.strip_prefix(in_info));
        said.or_else(|| line().map(|value| value.trim().to_owned()))
    };
    Greeting {
        mode: match says("mode", "redis_mode:").as_deref() {
            Some("cluster") => ServerMode::Cluster,
            Some("sentinel") => ServerMode::Sentinel,
            _ => ServerMode::Alone,
        },
        is_replica: matches!(says("role", "role:").as_deref(), Some("replica" | "slave")),
    }
}
