//! A selection read in portions, and then what changed meanwhile.
//!
//! A row that stays as it is lies in one place and is read once. All others, wherever they have moved,
//! are found at the end, by one query or in further portions; those whose keys were given already are
//! left out.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::assembler::Assembler;
use super::assembly::{Assembly, Rows};
use super::given::Given;
use super::portions::{Portions, moved};
use super::prepared::{Prepared, Reading};
use super::readers::{Content, Readers, read_whole};
use crate::application::ports::Dividing;
use crate::domain::checkpoint::FinishedPortions;
use crate::domain::entry::EntryBatch;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::portion::{PartOf, Portion, TableState};
use crate::domain::row::RowBatch;

/// The size of changed rows that are in memory at the same time.
const WINDOW_BYTES: usize = 4 * 1024 * 1024;

pub(super) struct Portioned<'a> {
    prepared: &'a Prepared,
    portions: &'a Portions,
    reading: Reading<'a>,
    state: TableState,
    readers: Readers<'a>,
    assembler: Assembler<'a>,
    ready: VecDeque<EntryBatch>,
    given: Given,
    /// What changed meanwhile, after the last portion.
    changed: Option<Assembly<'a>>,
    /// Reads what was added meanwhile.
    is_late: bool,
    /// What an earlier run has finished, until it is counted.
    finished: Option<Arc<FinishedPortions>>,
}

/// The selection of a definition, in no order.
pub(super) fn entries<'a>(
    prepared: &'a Prepared,
    portions: &'a Portions,
    reading: Reading<'a>,
    (batch_size, how): (usize, Dividing),
) -> BoxStream<'a, Result<EntryBatch, Failure>> {
    stream::once(async move {
        let now = portions.state(prepared).await?.ok_or_else(|| moved(prepared))?;
        let (state, how, former) = portions.resumed(now, how);
        let finished = how.finished.clone();
        let portioned = Portioned {
            prepared,
            portions,
            reading,
            state,
            readers: Readers::new(prepared, portions, reading, state, how),
            assembler: Assembler::new(reading.layout, batch_size),
            ready: former.into_iter().collect(),
            given: Given::default(),
            changed: None,
            is_late: false,
            finished,
        };
        Ok::<_, Failure>(stream::try_unfold(portioned, move |mut portioned| async move {
            match portioned.next(batch_size).await {
                Ok(batch) => Ok(batch.map(|batch| (batch, portioned))),
                Err(failure) => Err(portioned.explain(failure).await),
            }
        }))
    })
    .try_flatten()
    .boxed()
}

impl Portioned<'_> {
    async fn next(&mut self, batch_size: usize) -> Result<Option<EntryBatch>, Failure> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            if let Some(changed) = &mut self.changed {
                let mut window = window(changed).await?;
                if window.is_empty() {
                    return Ok(self.count_taken_over().await);
                }
                self.given.leave_out(&mut window)?;
                self.ready.extend(window);
            } else if let Some((portion, content)) = self.readers.next().await? {
                self.take(portion, content)?;
            } else if !self.is_late
                && let Some(end) = self.changed_until().await?
            {
                match self.portions.sql.changed_since(&self.state) {
                    Some(condition) => {
                        let rows = self.changed_rows(&condition).await?;
                        let assembler = Assembler::new(self.reading.layout, batch_size);
                        self.changed = Some(Assembly::new(Some(rows), assembler));
                    }
                    None => {
                        self.is_late = true;
                        self.readers.extend(end);
                    }
                }
            } else {
                return Ok(self.count_taken_over().await);
            }
        }
    }

    /// Makes batches of what a portion holds.
    fn take(&mut self, portion: Portion, content: Content) -> Result<(), Failure> {
        match content {
            Content::Rows(batches) => {
                self.ready.extend(assembled(&mut self.assembler, portion, &batches));
            }
            Content::Warmed(mut batches) => {
                batches.iter_mut().for_each(|batch| self.assembler.check(batch));
                self.ready.extend(batches);
            }
        }
        if self.is_late && !self.ready.is_empty() {
            self.given.leave_out(self.ready.make_contiguous())?;
        }
        self.ready.iter().try_for_each(|batch| self.given.note(batch))
    }

    /// How many of the keys that an earlier run wrote were not given again, in an empty batch.
    async fn count_taken_over(&mut self) -> Option<EntryBatch> {
        let finished = self.finished.take()?;
        let keys = self.portions.count_finished(self.prepared, &finished).await;
        Some(EntryBatch::taken_over(keys))
    }

    /// What changed meanwhile. If it is not much, its query has ended before any of it is written.
    async fn changed_rows(&mut self, condition: &str) -> Result<Rows, Failure> {
        let (portions, reading) = (self.portions, self.reading);
        let changed = (condition, &self.state);
        let few = read_whole(portions.changed(self.prepared, reading, changed, true)).await?;
        Ok(match few {
            Some(batches) => stream::iter(batches.into_iter().map(Ok)).boxed(),
            None => portions.changed(self.prepared, reading, changed, false),
        })
    }

    /// A query that fails may have met another storage.
    async fn explain(&mut self, failure: Failure) -> Failure {
        match failure.kind {
            FailureKind::Query => self.changed_until().await.err().unwrap_or(failure),
            _ => failure,
        }
    }

    /// The end of the table now; `None`: nothing in the database has changed since the state.
    async fn changed_until(&mut self) -> Result<Option<u64>, Failure> {
        let now = self.portions.state(self.prepared).await?;
        let now = now.filter(|now| now.storage == self.state.storage);
        let now = now.ok_or_else(|| moved(self.prepared))?;
        Ok((now.next != self.state.horizon).then_some(now.end))
    }
}

/// The entries of a portion's rows, in batches.
pub(super) fn assembled(
    assembler: &mut Assembler<'_>,
    portion: Portion,
    batches: &[RowBatch],
) -> Vec<EntryBatch> {
    let rows = batches.iter().flat_map(|batch| (0..batch.len()).map(|i| batch.row(i)));
    rows.for_each(|row| assembler.push(row));
    assembler.finish();
    let mut ready = std::mem::take(&mut assembler.ready);
    for batch in &mut ready {
        batch.part_of = Some(PartOf::Portion { portion, is_last: false });
    }
    if let Some(last) = ready.last_mut() {
        last.part_of = Some(PartOf::Portion { portion, is_last: true });
    }
    ready
}

/// The next batches, some at a time: for each window all given keys are looked through.
async fn window(changed: &mut Assembly<'_>) -> Result<Vec<EntryBatch>, Failure> {
    let (mut batches, mut bytes) = (Vec::new(), 0);
    while bytes < WINDOW_BYTES
        && let Some(mut batch) = changed.next().await?
    {
        bytes += batch.bytes();
        batch.part_of = Some(PartOf::Changed);
        batches.push(batch);
    }
    Ok(batches)
}
