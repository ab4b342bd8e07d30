//! Writes a batch, and reports the exact result for each key.

use redis::{Pipeline, RedisError, RedisResult, Value as Reply};

use super::RedisCache;
use super::answers::Answer;
use super::commands::{self, Judged, cost, judge, longest_part};
use super::job::Job;
use super::node::Node;
use super::reply::words;
use super::router;
use crate::application::ports::{Mode, WriteOptions, WriteOutcome, Written};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;

struct Write<'w> {
    batch: &'w EntryBatch,
    how: &'w WriteOptions,
}

impl Job for Write<'_> {
    const ATTEMPTS: u32 = 2;

    type Answer = WriteOutcome;

    fn len(&self) -> usize {
        self.batch.len()
    }

    fn key(&self, i: usize) -> &[u8] {
        self.batch.get(i).map_or(&[][..], |entry| entry.key)
    }

    fn add(&self, pipe: &mut Pipeline, i: usize) {
        if let Some(entry) = self.batch.get(i) {
            commands::add(pipe, entry, self.how);
        }
    }

    fn read(
        &self,
        i: usize,
        replies: &mut impl Iterator<Item = RedisResult<Reply>>,
    ) -> (WriteOutcome, Option<RedisError>) {
        let count = self.batch.get(i).map_or(0, |entry| commands::count(entry, self.how));
        match judge(replies, count) {
            Judged::Done(outcome) => (outcome, None),
            Judged::Refused(error) => (WriteOutcome::Failed(words(&error)), Some(error)),
        }
    }

    fn refusal(&self, node: &Node, error: &RedisError) -> Option<Failure> {
        node.peer.refusal(error)
    }

    fn bytes(&self) -> usize {
        self.batch.bytes()
    }

    fn bytes_of(&self, i: usize) -> usize {
        self.batch.get(i).map_or(0, cost)
    }

    fn longest(&self, i: usize) -> usize {
        self.batch.get(i).map_or(0, longest_part)
    }

    fn is_transaction(&self, i: usize) -> bool {
        let entry = self.batch.get(i);
        entry.is_some_and(|entry| commands::count(entry, self.how) > 1)
    }
}

impl RedisCache {
    pub(super) async fn write_batch(&self, batch: &EntryBatch, how: &WriteOptions) -> Written {
        let answers = router::run(&self.servers, &Write { batch, how }).await;
        let (answers, fatal) = answers.finish();
        let outcome = |answer| match answer {
            Answer::Given { answer, repeated } => settled(answer, how.mode, repeated),
            Answer::Refused(why) => WriteOutcome::Failed(why),
            Answer::Unknown(why) => WriteOutcome::Unknown(why),
        };
        Written { fatal, ..Written::new(answers.into_iter().map(outcome).collect()) }
    }
}

/// The meaning of a final reply for a key that an earlier attempt may have stored.
fn settled(outcome: WriteOutcome, mode: Mode, repeated: bool) -> WriteOutcome {
    match outcome {
        WriteOutcome::Failed(why) if repeated => WriteOutcome::Unknown(why),
        // The stored value is probably ours.
        WriteOutcome::AlreadyPresent if repeated && mode == Mode::OnlyMissing => {
            WriteOutcome::Stored
        }
        outcome => outcome,
    }
}
