//! Reads the portions of a table in order, some of them ahead, each in one short query; or has workers
//! warm them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::assembly::{MAX_LOSSES, Rows};
use super::portions::Portions;
use super::prepared::{Prepared, Reading};
use crate::application::ports::{Dividing, PortionAsk, WarmedPortion};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::portion::{Portion, TableState};
use crate::domain::row::RowBatch;

/// The size of a portion's rows in memory: what it should be, and what it may be.
const PORTION_BYTES: u64 = 1024 * 1024;
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// How long reading a portion should take at most.
const PORTION_TIME: Duration = Duration::from_millis(500);

/// Blocks of the first portion.
const FIRST_BLOCKS: u64 = 16;

/// After this many portions for which writing had to wait, one more is read at the same time.
const LATE_PORTIONS: u32 = 3;

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
    /// The last portion had no row.
    is_gap: bool,
    reader_count: ReaderCount,
    /// In the order of their places.
    queue: VecDeque<Reader>,
    losses: u32,
}

/// How many portions are read at the same time.
struct ReaderCount {
    now: usize,
    max: usize,
    /// Portions in a row for which writing had to wait.
    late: u32,
}

impl ReaderCount {
    fn new(wanted: Option<usize>, max: usize) -> Self {
        Self { now: wanted.unwrap_or(1), max: wanted.unwrap_or(max), late: 0 }
    }

    /// One more, if writing keeps waiting for a good part of the time that reading takes; but not of a
    /// database that is slow already.
    fn adapt(&mut self, waited: Duration, took: Duration) {
        let is_late = waited > took / 4 && took < PORTION_TIME;
        self.late = if is_late { self.late + 1 } else { 0 };
        if self.late == LATE_PORTIONS && self.now < self.max {
            self.now += 1;
            self.late = 0;
        }
    }
}

/// A portion that is being read.
struct Reader {
    from: u64,
    to: u64,
    /// Places that have rows, about.
    size: u64,
    task: JoinSet<Result<Option<Taken>, Failure>>,
}

/// `None`: more than [`MAX_BYTES`].
pub(super) type Read = Result<Option<Vec<RowBatch>>, Failure>;

/// A portion that was read.
pub(super) struct Taken {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) took: Duration,
    pub(super) content: Content,
}

pub(super) enum Content {
    Rows(Vec<RowBatch>),
    /// A worker has written them.
    Warmed(Vec<EntryBatch>),
}

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
        Self {
            prepared,
            portions,
            reading,
            state,
            size,
            next: 0,
            is_gap: false,
            reader_count: ReaderCount::new(how.readers, portions.sql.max_readers()),
            queue: VecDeque::new(),
            losses: 0,
            how: Dividing { max_rows: how.max_rows.min(portions.max_rows()), ..how },
        }
    }

    /// The next portion and its rows.
    ///
    /// # Errors
    /// The database's. A portion that is interrupted is read again first.
    pub(super) async fn next(&mut self) -> Result<Option<(Portion, Content)>, Failure> {
        loop {
            if let Err(failure) = self.read_ahead().await {
                self.pause(failure).await?;
                continue;
            }
            let Some(mut reader) = self.queue.pop_front() else {
                return Ok(None);
            };
            let (from, to) = (reader.from, reader.to);
            let asked = Instant::now();
            match joined(&mut reader.task).await {
                Ok(Some(Taken { rows, bytes, took, content })) => {
                    self.losses = 0;
                    self.reader_count.adapt(asked.elapsed(), took);
                    let least = FIRST_BLOCKS * self.portions.sql.places_a_block();
                    let read = (rows, bytes, took);
                    let size = sized(reader.size, read, self.how.max_rows, least);
                    self.resize(size);
                    self.is_gap = rows == 0;
                    // While these rows are written. What fails is tried again by the next call.
                    let _ = self.read_ahead().await;
                    return Ok(Some((Portion { from, to, rows, state: self.state }, content)));
                }
                Ok(None) => {
                    let middle = from + (to - from) / 2;
                    self.size = (reader.size / 2).max(1);
                    for (from, to) in [(middle, to), (from, middle)] {
                        let half = self.open(from, to);
                        self.queue.push_front(half);
                    }
                }
                Err(failure) => {
                    self.pause(failure).await?;
                    let again = self.open(from, to);
                    self.queue.push_front(again);
                }
            }
        }
    }

    /// Reads up to a later end of the table, without workers.
    pub(super) fn extend(&mut self, end: u64) {
        self.state.end = end.max(self.state.end);
        self.how.workers = None;
    }

    /// Waits before a query that was interrupted is sent again.
    async fn pause(&mut self, failure: Failure) -> Result<(), Failure> {
        if !failure.is_interruption() || self.losses == MAX_LOSSES {
            return Err(failure);
        }
        tracing::warn!(%failure, "reading a portion again");
        self.losses += 1;
        sleep(PAUSE * self.losses).await;
        Ok(())
    }

    /// Keeps all readers busy.
    async fn read_ahead(&mut self) -> Result<(), Failure> {
        let workers = self.how.workers.as_ref();
        let ahead = workers.map_or(self.reader_count.now, |workers| workers.ahead());
        while self.queue.len() < ahead
            && let Some((from, to)) = self.next_range().await?
        {
            let reader = self.open(from, to);
            self.queue.push_back(reader);
        }
        Ok(())
    }

    async fn next_range(&mut self) -> Result<Option<(u64, u64)>, Failure> {
        if self.is_gap {
            let first = self.portions.first_from(self.prepared, self.next).await?;
            self.next = first.min(self.state.end);
            self.is_gap = false;
        }
        let (mut from, mut to) = (self.next, self.state.end);
        if let Some(finished) = &self.how.finished {
            from = finished.first_open(from).min(to);
            to = finished.next_after(from).unwrap_or(to).min(to);
        }
        self.next = to.min(from.saturating_add(self.size));
        Ok((from < self.next).then_some((from, self.next)))
    }

    fn open(&self, from: u64, to: u64) -> Reader {
        let mut task = JoinSet::new();
        match &self.how.workers {
            Some(workers) => {
                let strategy = self.prepared.definition.spec.id.to_string();
                let ask = PortionAsk { strategy, from, to, state: self.state };
                let workers = Arc::clone(workers);
                task.spawn(async move { Ok(workers.warm(ask).await?.map(Taken::from)) });
            }
            None => {
                let range = (from, to);
                task.spawn(taken(self.prepared, self.portions, self.reading, range, &self.state));
            }
        }
        Reader { from, to, size: self.size.min(to - from), task }
    }

    /// Makes the next portion this large, in whole blocks, and not much larger than the last.
    fn resize(&mut self, size: u64) {
        let block = self.portions.sql.places_a_block();
        let size = size.clamp(1, self.size.saturating_mul(4));
        self.size = if size > block { size / block * block } else { size };
    }
}

/// How many places a portion should have, judged by one that had so many. A slow server does not make it
/// smaller than `least`: much of the time may be the same for each query.
fn sized(places: u64, (rows, bytes, took): (u64, u64, Duration), max_rows: u64, least: u64) -> u64 {
    let by_bytes = places.saturating_mul(PORTION_BYTES) / bytes.max(1);
    let by_rows = places.saturating_mul(max_rows) / rows.max(1);
    let by_time = places as f64 * PORTION_TIME.as_secs_f64() / took.as_secs_f64();
    by_bytes.min(by_rows).min(least.max(by_time as u64))
}

/// Reads a portion whole. `Some`: it holds at most [`MAX_BYTES`], or one place.
pub(super) fn taken(
    prepared: &Prepared,
    portions: &Portions,
    reading: Reading<'_>,
    (from, to): (u64, u64),
    state: &TableState,
) -> impl Future<Output = Result<Option<Taken>, Failure>> + Send + 'static {
    let rows = portions.rows(prepared, reading, (from, to), state);
    let max_bytes = if to - from > 1 { MAX_BYTES } else { usize::MAX };
    async move {
        let began = Instant::now();
        let batches = collect(rows, max_bytes).await?;
        let took = began.elapsed();
        Ok(batches.map(|batches| Taken {
            rows: batches.iter().map(|batch| batch.len() as u64).sum(),
            bytes: batches.iter().map(RowBatch::bytes).sum::<usize>() as u64,
            took,
            content: Content::Rows(batches),
        }))
    }
}

impl From<WarmedPortion> for Taken {
    fn from(warmed: WarmedPortion) -> Self {
        let WarmedPortion { rows, bytes, took, batches } = warmed;
        Self { rows, bytes, took, content: Content::Warmed(batches) }
    }
}

/// All rows of a query, if they are few; `None`: they are more than [`MAX_BYTES`].
pub(super) async fn read_whole(rows: Rows) -> Read {
    let mut task = JoinSet::new();
    task.spawn(collect(rows, MAX_BYTES));
    joined(&mut task).await
}

/// The result of a task, so that its query ends even if the engine takes nothing.
async fn joined<T: 'static>(task: &mut JoinSet<Result<T, Failure>>) -> Result<T, Failure> {
    match task.join_next().await {
        Some(Ok(read)) => read,
        _ => {
            let (what, why) = ("reading a portion failed", "its task has ended");
            Err(Failure::new(FailureKind::Internal, what, why))
        }
    }
}

/// All rows of a query; `None`: they are more than `max_bytes`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_added_while_writing_waits_for_them() {
        let (short, took) = (Duration::from_millis(10), Duration::from_millis(100));
        let after = |wanted, waits: &[Duration]| {
            let mut reader_count = ReaderCount::new(wanted, 4);
            waits.iter().for_each(|waited| reader_count.adapt(*waited, took));
            reader_count.now
        };
        assert_eq!(after(None, &[took, took, short, took, took]), 1);
        assert_eq!(after(None, &[took; 3]), 2);
        assert_eq!(after(None, &[took; 30]), 4);
        assert_eq!(after(Some(2), &[took; 30]), 2);
        let mut slow = ReaderCount::new(None, 4);
        (0..9).for_each(|_| slow.adapt(PORTION_TIME, PORTION_TIME));
        assert_eq!(slow.now, 1);
        assert_eq!(ReaderCount::new(None, 1).max, 1);
    }

    #[test]
    fn a_portion_is_bounded_by_bytes_rows_and_time() {
        let (moment, mib) = (Duration::from_millis(1), PORTION_BYTES);
        let long = 5 * PORTION_TIME;
        assert_eq!(sized(1000, (1000, mib / 2, moment), u64::MAX, 64), 2000);
        assert_eq!(sized(1000, (1000, mib / 2, moment), 500, 64), 500);
        assert_eq!(sized(1000, (1000, mib / 2, long), u64::MAX, 64), 200);
        assert_eq!(sized(1000, (1000, mib / 2, long), u64::MAX, 300), 300);
        assert_eq!(sized(1000, (1000, mib * 100, long), u64::MAX, 300), 10);
        assert_eq!(sized(1000, (0, 0, Duration::ZERO), u64::MAX, 64), 1000 * mib);
    }
}
