//! Other processes that warm portions for a run.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::portion::TableState;

/// Warms portions in other processes.
#[async_trait]
pub trait Workers: Send + Sync {
    /// Has one of them read, write and verify a portion. `None`: it is too large to be read at once.
    ///
    /// # Errors
    /// The worker's failure, or that there is no worker.
    async fn warm(&self, ask: PortionAsk) -> Result<Option<WarmedPortion>, Failure>;

    /// Portions that are worth handing out at the same time.
    fn ahead(&self) -> usize;
}

/// A portion that is to be warmed.
#[derive(Clone, Debug)]
pub struct PortionAsk {
    /// `catalog/hot-products`.
    pub strategy: String,
    pub from: u64,
    /// After the last place.
    pub to: u64,
    pub state: TableState,
}

/// A portion that a worker has warmed.
#[derive(Debug)]
pub struct WarmedPortion {
    /// Rows that were read.
    pub rows: u64,
    /// Their size in the worker's memory.
    pub bytes: u64,
    /// How long reading them took.
    pub took: Duration,
    /// The keys, and what became of them: [`EntryBatch::done`].
    pub batches: Vec<EntryBatch>,
}

/// A portion that was read.
#[derive(Debug)]
pub struct ReadPortion {
    pub rows: u64,
    pub bytes: u64,
    pub took: Duration,
    /// Each is part of the portion.
    pub batches: Vec<EntryBatch>,
}
