//! A selection read in portions, and then what changed meanwhile.
//!
//! A row that stays as it is lies in one place and is read once. All others, wherever they have moved,
//! are found by one query at the end; those whose keys were given already are left out.

use std::collections::VecDeque;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::assembler::Assembler;
use super::assembly::Assembly;
use super::given::Given;
use super::portions::{Portions, moved};
use super::prepared::{Prepared, Reading};
use super::readers::Readers;
use crate::application::ports::Dividing;
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
}

/// The selection of a definition, in no order.
pub(super) fn entries<'a>(
    prepared: &'a Prepared,
    portions: &'a Portions,
    reading: Reading<'a>,
    (batch_size, how): (usize, Dividing),
) -> BoxStream<'a, Result<EntryBatch, Failure>> {
    stream::once(async move {
        let state = portions.state(prepared).await?.ok_or_else(|| moved(prepared))?;
        let portioned = Portioned {
            prepared,
            portions,
            reading,
            state,
            readers: Readers::new(prepared, portions, reading, state, how),
            assembler: Assembler::new(reading.layout, batch_size),
            ready: VecDeque::new(),
            given: Given::default(),
            changed: None,
        };
        Ok::<_, Failure>(stream::try_unfold(portioned, move |mut portioned| async move {
            Ok(portioned.next(batch_size).await?.map(|batch| (batch, portioned)))
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
                    return Ok(None);
                }
                self.given.leave_out(&mut window)?;
                self.ready.extend(window);
            } else if let Some((portion, rows)) = self.read().await? {
                let rows = rows.iter().flat_map(|batch| (0..batch.len()).map(|i| batch.row(i)));
                rows.for_each(|row| self.assembler.push(row));
                self.assembler.finish();
                self.ready.extend(self.assembler.ready.drain(..));
                for batch in &mut self.ready {
                    self.given.note(batch)?;
                    batch.part_of = Some(PartOf { portion, is_last: false });
                }
                if let Some(last) = self.ready.back_mut() {
                    last.part_of = Some(PartOf { portion, is_last: true });
                }
            } else if self.has_changed().await? {
                let rows = self.portions.changed(self.prepared, self.reading, &self.state);
                let assembler = Assembler::new(self.reading.layout, batch_size);
                self.changed = Some(Assembly::new(Some(rows), assembler));
            } else {
                return Ok(None);
            }
        }
    }

    /// The rows of the next portion.
    async fn read(&mut self) -> Result<Option<(Portion, Vec<RowBatch>)>, Failure> {
        match self.readers.next().await {
            // An error of the query may come of another storage.
            Err(failure) if failure.kind == FailureKind::Query => {
                self.has_changed().await?;
                Err(failure)
            }
            read => read,
        }
    }

    /// Whether anything in the database has changed since the state.
    async fn has_changed(&mut self) -> Result<bool, Failure> {
        let now = self.portions.state(self.prepared).await?;
        let now = now.filter(|now| now.storage == self.state.storage);
        Ok(now.ok_or_else(|| moved(self.prepared))?.next != self.state.horizon)
    }
}

/// The next batches, some at a time: for each window all given keys are looked through.
async fn window(changed: &mut Assembly<'_>) -> Result<Vec<EntryBatch>, Failure> {
    let (mut batches, mut bytes) = (Vec::new(), 0);
    while bytes < WINDOW_BYTES
        && let Some(batch) = changed.next().await?
    {
        bytes += batch.bytes();
        batches.push(batch);
    }
    Ok(batches)
}
