//! Reads the portions of a table in order, some of them ahead, each in one short query.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::assembly::{MAX_LOSSES, Rows};
use super::portions::Portions;
use super::prepared::{Prepared, Reading};
use crate::application::ports::Dividing;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::portion::{Portion, TableState};
use crate::domain::row::RowBatch;

/// The size of a portion's rows in memory: what it should be, and what it may be.
const PORTION_BYTES: u64 = 1024 * 1024;
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Blocks of the first portion, and of any.
const FIRST_BLOCKS: u64 = 16;
const MAX_BLOCKS: u64 = 4096;

/// How long an interrupted reader waits: the session that it gave way to may have more to do.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Readers<'a> {
    prepared: &'a Prepared,
    portions: &'a Portions,
    reading: Reading<'a>,
    state: TableState,
    how: Dividing,
    /// Places of the next portion, and where it begins.
    size: u64,
    next: u64,
    /// Of portions that were too large.
    halves: Vec<(u64, u64)>,
    queue: VecDeque<Reader>,
    losses: u32,
}

/// A portion that is being read.
struct Reader {
    from: u64,
    to: u64,
    task: JoinSet<Read>,
}

/// `None`: more than [`MAX_BYTES`].
pub(super) type Read = Result<Option<Vec<RowBatch>>, Failure>;

impl<'a> Readers<'a> {
    pub(super) fn new(
        prepared: &'a Prepared,
        portions: &'a Portions,
        reading: Reading<'a>,
        state: TableState,
        how: Dividing,
    ) -> Self {
        // A limit on rows is a low rate.
        let blocks = if how.max_rows == u64::MAX { FIRST_BLOCKS } else { 1 };
        let size = blocks * portions.sql.places_a_block();
        let (next, halves, queue, losses) = (0, Vec::new(), VecDeque::new(), 0);
        Self { prepared, portions, reading, state, how, size, next, halves, queue, losses }
    }

    /// The next portion and its rows.
    ///
    /// # Errors
    /// The database's. A portion that is interrupted is read again first.
    pub(super) async fn next(&mut self) -> Result<Option<(Portion, Vec<RowBatch>)>, Failure> {
        loop {
            self.read_ahead();
            let Some(mut reader) = self.queue.pop_front() else {
                return Ok(None);
            };
            let (from, to) = (reader.from, reader.to);
            match collected(&mut reader.task).await {
                Ok(Some(batches)) => {
                    self.losses = 0;
                    let rows = batches.iter().map(|batch| batch.len() as u64).sum();
                    self.learn(to - from, rows, &batches);
                    // While these rows are written.
                    self.read_ahead();
                    return Ok(Some((Portion { from, to, rows, state: self.state }, batches)));
                }
                Ok(None) => {
                    let middle = from + (to - from) / 2;
                    self.size = middle - from;
                    self.halves.extend([(middle, to), (from, middle)]);
                }
                Err(failure) if failure.is_interruption() && self.losses < MAX_LOSSES => {
                    tracing::warn!(%failure, from, to, "reading a portion again");
                    self.losses += 1;
                    sleep(PAUSE * self.losses).await;
                    let again = self.open(from, to);
                    self.queue.push_front(again);
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Keeps all readers busy.
    fn read_ahead(&mut self) {
        while self.queue.len() < self.how.readers
            && let Some((from, to)) = self.next_range()
        {
            let reader = self.open(from, to);
            self.queue.push_back(reader);
        }
    }

    fn next_range(&mut self) -> Option<(u64, u64)> {
        if let Some(half) = self.halves.pop() {
            return Some(half);
        }
        let from = self.next;
        self.next = self.state.end.min(from + self.size);
        (from < self.next).then_some((from, self.next))
    }

    fn open(&self, from: u64, to: u64) -> Reader {
        let rows = self.portions.rows(self.prepared, self.reading, (from, to), &self.state);
        let max_bytes = if to - from > 1 { MAX_BYTES } else { usize::MAX };
        Reader { from, to, task: collecting(rows, max_bytes) }
    }

    /// Makes the next portion as large as it should be, judged by the last.
    fn learn(&mut self, places: u64, rows: u64, batches: &[RowBatch]) {
        let bytes: usize = batches.iter().map(RowBatch::bytes).sum();
        let by_bytes = places * PORTION_BYTES / (bytes as u64).max(1);
        let by_rows = places.saturating_mul(self.how.max_rows) / rows.max(1);
        let block = self.portions.sql.places_a_block();
        let size = by_bytes.min(by_rows).clamp(1, (4 * self.size).min(MAX_BLOCKS * block));
        self.size = if size > block { size / block * block } else { size };
    }
}

/// All rows of a query, if they are few; `None`: they are more than [`MAX_BYTES`].
pub(super) async fn read_whole(rows: Rows) -> Read {
    collected(&mut collecting(rows, MAX_BYTES)).await
}

/// A task, so that the query ends even if the engine takes nothing.
fn collecting(rows: Rows, max_bytes: usize) -> JoinSet<Read> {
    let mut task = JoinSet::new();
    task.spawn(collect(rows, max_bytes));
    task
}

async fn collected(task: &mut JoinSet<Read>) -> Read {
    match task.join_next().await {
        Some(Ok(read)) => read,
        _ => {
            let (what, why) = ("reading a portion failed", "its task has ended");
            Err(Failure::new(FailureKind::Internal, what, why))
        }
    }
}

async fn collect(mut rows: Rows, max_bytes: usize) -> Read {
    let (mut batches, mut bytes) = (Vec::new(), 0);
    while let Some(batch) = rows.try_next().await? {
        bytes += batch.bytes();
        if bytes > max_bytes {
            return Ok(None);
        }
        batches.push(batch);
    }
    Ok(Some(batches))
}
