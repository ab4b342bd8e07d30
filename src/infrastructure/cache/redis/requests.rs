//! Requests about keys, each sent to the owner of its key.

use redis::{Pipeline, RedisError, RedisResult, Value as Reply};

use super::RedisCache;
use super::answers::Answer;
use super::job::Job;
use super::node::{ATTEMPTS, Node};
use super::reply::{Replies, is_read_only, is_transient};
use super::router;
use crate::domain::failure::{Failure, FailureKind};

/// Adds the commands about a key. A generic parameter instead would compile the router once per closure.
pub(super) type Add<'q> = &'q (dyn Fn(&mut Pipeline, usize) + Sync);

/// The same number of commands for each key.
struct Requests<'q> {
    keys: Vec<&'q [u8]>,
    commands: usize,
    add: Add<'q>,
}

impl Job for Requests<'_> {
    const ATTEMPTS: u32 = ATTEMPTS;

    type Answer = Replies;

    fn len(&self) -> usize {
        self.keys.len()
    }

    fn key(&self, i: usize) -> &[u8] {
        self.keys[i]
    }

    fn add(&self, pipe: &mut Pipeline, i: usize) {
        (self.add)(pipe, i);
    }

    fn read(
        &self,
        _: usize,
        replies: &mut impl Iterator<Item = RedisResult<Reply>>,
    ) -> (Replies, Option<RedisError>) {
        let own: Replies = replies.take(self.commands).collect();
        let errors = || own.iter().filter_map(|reply| reply.as_ref().err());
        let is_for_now = |error: &&RedisError| {
            is_transient(error)
                || is_read_only(error)
                || matches!(error.code(), Some("MOVED" | "ASK"))
        };
        let error = errors().find(is_for_now).or_else(|| errors().next()).cloned();
        (own, error)
    }

    // Other errors are for the caller to read.
    fn refusal(&self, node: &Node, error: &RedisError) -> Option<Failure> {
        match error.code() {
            Some("NOAUTH" | "DENIED") => node.peer.refusal(error),
            _ => None,
        }
    }
}

impl RedisCache {
    /// Sends `commands` commands per key, added by `add`. Replies are in the order of the keys; the
    /// caller handles errors of single commands.
    pub(super) async fn ask(
        &self,
        keys: Vec<&[u8]>,
        commands: usize,
        add: Add<'_>,
    ) -> Result<Replies, Failure> {
        let requests = Requests { keys, commands, add };
        let mut answers = router::run(&self.servers, &requests).await;
        if let Some(failure) = answers.fatal.take().or(answers.failure.take()) {
            return Err(failure);
        }
        let (answers, _) = answers.finish();
        let mut replies = Replies::new();
        for answer in answers {
            match answer {
                Answer::Given { answer, .. } => replies.extend(answer),
                // Without its replies those of the keys behind it would be taken for others.
                Answer::Refused(why) | Answer::Unknown(why) => {
                    let what = "the cache did not answer for every key";
                    return Err(Failure::new(FailureKind::CacheUnreachable, what, why));
                }
            }
        }
        Ok(replies)
    }

    /// Asks about a single key.
    pub(super) async fn ask_about(
        &self,
        key: &[u8],
        commands: usize,
        add: &(dyn Fn(&mut Pipeline) + Sync),
    ) -> Result<Replies, Failure> {
        self.ask(vec![key], commands, &|pipe, _| add(pipe)).await
    }
}
