//! Commands about keys.

use redis::{Pipeline, RedisError, RedisResult, Value as Reply};

use super::node::Node;
use crate::domain::failure::Failure;

/// What the router takes to the servers: a number of keys with some commands each.
pub(super) trait Job: Sync {
    /// How often a key is sent without an answer before it is given up.
    const ATTEMPTS: u32;

    /// What the replies to a key's commands mean.
    type Answer: Send;

    fn len(&self) -> usize;

    fn key(&self, i: usize) -> &[u8];

    /// Adds a key's commands.
    fn add(&self, pipe: &mut Pipeline, i: usize);

    /// Takes the replies to a key's commands, and the error among them that decides what is to be
    /// done.
    fn read(
        &self,
        i: usize,
        replies: &mut impl Iterator<Item = RedisResult<Reply>>,
    ) -> (Self::Answer, Option<RedisError>);

    /// The failure that ends the job, if an error is one.
    fn refusal(&self, node: &Node, error: &RedisError) -> Option<Failure>;

    /// About how many bytes are sent, of all keys and of one.
    fn bytes(&self) -> usize {
        0
    }

    fn bytes_of(&self, _: usize) -> usize {
        0
    }

    /// The longest argument of a key.
    fn longest(&self, _: usize) -> usize {
        0
    }

    /// Whether a key has commands that must be run as one.
    fn is_transaction(&self, _: usize) -> bool {
        false
    }
}
