//! Commands about keys.

use redis::{Pipeline, RedisError, RedisResult, Value as Reply};

use super::node::Node;
use crate::domain::failure::Failure;

/// A job of the router: keys with commands each.
pub(super) trait Job: Sync {
    /// Max attempts per key without an answer.
    const ATTEMPTS: u32;

    /// The result of a key.
    type Answer: Send;

    fn len(&self) -> usize;

    fn key(&self, i: usize) -> &[u8];

    /// Adds a key's commands.
    fn add(&self, pipe: &mut Pipeline, i: usize);

    /// Interprets the replies to a key's commands; returns the error that decides what to do.
    fn read(
        &self,
        i: usize,
        replies: &mut impl Iterator<Item = RedisResult<Reply>>,
    ) -> (Self::Answer, Option<RedisError>);

    /// The failure that ends the job, if the error is fatal.
    fn refusal(&self, node: &Node, error: &RedisError) -> Option<Failure>;

    /// Approximate bytes of all keys, and of one.
    fn bytes(&self) -> usize {
        0
    }

    fn bytes_of(&self, _: usize) -> usize {
        0
    }

    /// Length of a key's longest argument.
    fn longest(&self, _: usize) -> usize {
        0
    }

    /// Whether a key's commands must be atomic.
    fn is_transaction(&self, _: usize) -> bool {
        false
    }
}
