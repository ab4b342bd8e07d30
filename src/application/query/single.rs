//! One portion, read for a run in another process.

use super::assembler::Assembler;
use super::encoded::encoded;
use super::portioned::assembled;
use super::portions::{Portions, moved};
use super::prepared::{Prepared, Reading};
use super::readers::{Content, Taken, taken};
use crate::application::ports::{PortionAsk, ReadPortion};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::portion::{Portion, TableState};

/// Reads a portion; `None`: it is too large.
///
/// # Errors
/// The database's.
pub(super) async fn read(
    prepared: &Prepared,
    portions: &Portions,
    reading: Reading<'_>,
    ask: &PortionAsk,
    batch_size: usize,
) -> Result<Option<ReadPortion>, Failure> {
    let layout = reading.layout;
    let range = (ask.from, ask.to);
    let taken = match taken(prepared, portions, reading, range, &ask.state).await {
        Err(failure) if failure.kind == FailureKind::Query => {
            return Err(moved_or(prepared, portions, &ask.state, failure).await);
        }
        taken => taken?,
    };
    let Some(Taken { rows, bytes, took, content: Content::Rows(batches) }) = taken else {
        return Ok(None);
    };
    let portion = Portion { from: ask.from, to: ask.to, rows, state: ask.state };
    let batches = assembled(&mut Assembler::new(layout, batch_size), portion, &batches);
    let coding = prepared.definition.spec.coding;
    let batches = batches.into_iter().map(|batch| encoded(batch, coding)).collect();
    Ok(Some(ReadPortion { rows, bytes, took, batches }))
}

/// A failure, or that the table is no longer as it was.
async fn moved_or(
    prepared: &Prepared,
    portions: &Portions,
    then: &TableState,
    failure: Failure,
) -> Failure {
    match portions.state(prepared).await {
        Ok(Some(now)) if now.storage == then.storage => failure,
        Ok(_) => moved(prepared),
        Err(failure) => failure,
    }
}
