//! A query being read: rows in, batches of entries out. One that is interrupted continues at its last
//! row, where its order allows it.

use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::time::sleep;

use super::assembler::Assembler;
use super::order::Order;
use super::prepared::{Prepared, Reading};
use crate::application::ports::Query;
use crate::domain::entry::EntryBatch;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::row::RowBatch;

/// A stream that broke off this many times without a row in between does not continue.
pub(super) const MAX_LOSSES: u32 = 3;

/// How long a stream that gave way stays away: the session that waited for it may have more to do.
const PAUSE: Duration = Duration::from_millis(200);

/// Rows that are asked for beyond those that a limit leaves, as the last ones come again.
const OVERLAP: u64 = 64;

pub(super) struct Assembly<'a> {
    rows: Option<Rows>,
    assembler: Assembler<'a>,
    /// For the next batch.
    warnings: Vec<String>,
    /// Keys, for shapes where the database cannot count them.
    limit: Option<u64>,
    /// How it continues where it broke off; `None`: it cannot.
    rest: Option<Rest<'a>>,
}

pub(super) type Rows = BoxStream<'static, Result<RowBatch, Failure>>;

/// What is left of a selection when its stream breaks off.
pub(super) struct Rest<'a> {
    prepared: &'a Prepared,
    order: Order,
    reading: Reading<'a>,
    row_limit: Option<u64>,
    /// The rows that came last.
    last: Option<RowBatch>,
    /// Since the last row.
    losses: u32,
}

impl<'a> Rest<'a> {
    pub(super) fn new(
        prepared: &'a Prepared,
        order: Order,
        reading: Reading<'a>,
        row_limit: Option<u64>,
    ) -> Self {
        Self { prepared, order, reading, row_limit, last: None, losses: 0 }
    }

    /// The rows from the last one on, that one again.
    fn rows(&mut self, assembler: &mut Assembler<'_>) -> Option<Rows> {
        self.losses += 1;
        if self.losses > MAX_LOSSES {
            return None;
        }
        let Reading { composer, pick, layout } = self.reading;
        let (sql, params) = match &self.last {
            None => (composer.all(pick, self.row_limit), self.prepared.params.clone()),
            Some(last) => {
                let row = last.row(last.len().checked_sub(1)?);
                let mut params = self.prepared.params.clone();
                let condition = self.order.at_or_after(row, &mut params)?;
                let left = |limit: u64| limit.saturating_sub(assembler.rows) + OVERLAP;
                assembler.is_resumed = true;
                (composer.rest(pick, &condition, self.row_limit.map(left)), params)
            }
        };
        Some(
            self.prepared
                .sources
                .bulk
                .rows(Query { resumable: true, ..self.prepared.query(sql, params, layout) }),
        )
    }

    /// Whether the limit is reached, which the database counted while the stream was whole.
    fn is_enough(&self, assembler: &Assembler<'_>) -> bool {
        assembler.is_resumed && self.row_limit.is_some_and(|limit| assembler.rows >= limit)
    }
}

impl<'a> Assembly<'a> {
    pub(super) fn new(rows: Option<Rows>, assembler: Assembler<'a>) -> Self {
        Self { rows, assembler, warnings: Vec::new(), limit: None, rest: None }
    }

    /// A whole selection: at most `limit` keys of it.
    pub(super) fn of_selection(
        rows: Rows,
        assembler: Assembler<'a>,
        limit: Option<u64>,
        rest: Option<Rest<'a>>,
    ) -> Self {
        Self { limit, rest, ..Self::new(Some(rows), assembler) }
    }

    pub(super) fn into_stream(self) -> BoxStream<'a, Result<EntryBatch, Failure>> {
        stream::try_unfold(self, |mut assembly| async move {
            Ok(assembly.next().await?.map(|batch| (batch, assembly)))
        })
        .boxed()
    }

    pub(super) async fn next(&mut self) -> Result<Option<EntryBatch>, Failure> {
        loop {
            if !self.assembler.ready.is_empty() {
                let mut batch = self.assembler.ready.remove(0);
                batch.warnings.append(&mut self.warnings);
                return Ok(Some(batch));
            }
            let Some(rows) = &mut self.rows else {
                return Ok(self.remaining_warnings());
            };
            match rows.try_next().await {
                Ok(Some(batch)) => self.push(batch),
                Ok(None) => {
                    self.rows = None;
                    self.assembler.finish();
                }
                Err(failure) => self.resume(failure).await?,
            }
        }
    }

    /// The warnings that no batch came for.
    fn remaining_warnings(&mut self) -> Option<EntryBatch> {
        let mut batch = EntryBatch::default();
        batch.warnings.append(&mut self.warnings);
        (!batch.warnings.is_empty()).then_some(batch)
    }

    /// Continues at the last row, where that is all that was lost and the order allows it.
    async fn resume(&mut self, failure: Failure) -> Result<(), Failure> {
        if self.rest.is_none() || !failure.is_interruption() {
            return Err(failure);
        }
        if failure.kind == FailureKind::GaveWay {
            sleep(PAUSE).await;
        }
        let rest = self.rest.as_mut();
        let Some(rows) = rest.and_then(|rest| rest.rows(&mut self.assembler)) else {
            return Err(failure);
        };
        self.tell(&failure);
        self.rows = Some(rows);
        Ok(())
    }

    fn tell(&mut self, failure: &Failure) {
        let rows = self.assembler.rows;
        // It says nothing of somebody who may have waited.
        if failure.why.is_empty() {
            tracing::debug!(%failure, rows, "resuming after the last row");
            return;
        }
        tracing::warn!(%failure, rows, "resuming after the last row");
        if let (FailureKind::GaveWay, Some(rest)) = (failure.kind, &self.rest) {
            let id = rest.prepared.definition.spec.id.to_string();
            self.warnings.push(failure.about(&id));
        }
    }

    fn push(&mut self, batch: RowBatch) {
        for i in 0..batch.len() {
            if let Some(rest) = &self.rest
                && rest.is_enough(&self.assembler)
            {
                self.rows = None;
                self.assembler.finish();
                return;
            }
            self.assembler.push(batch.row(i));
            if self.limit.is_some_and(|limit| self.assembler.keys >= limit) {
                self.rows = None;
                self.assembler.cut();
                return;
            }
        }
        if let Some(rest) = &mut self.rest {
            rest.losses = 0;
            rest.last = Some(batch);
        }
    }
}
