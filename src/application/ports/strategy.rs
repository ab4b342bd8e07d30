//! What to warm.

use std::fmt;
use std::future::ready;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::answer::{Answer, unsupported};
use super::source::QueryPlan;
use super::workers::{PortionAsk, ReadPortion, Workers};
use crate::domain::changes::Since;
use crate::domain::checkpoint::FinishedPortions;
use crate::domain::entry::{Entry, EntryBatch, Name};
use crate::domain::expected::Expected;
use crate::domain::failure::Failure;
use crate::domain::portion::Portion;
use crate::domain::precision::Precision;
use crate::domain::strategy::StrategySpec;
use crate::domain::version::Version;

/// Entries on their way, a batch at a time; a single batch is made one by `.into()`.
pub type Entries<'a> = BoxStream<'a, Result<EntryBatch, Failure>>;

impl From<EntryBatch> for Entries<'_> {
    fn from(batch: EntryBatch) -> Self {
        stream::once(ready(Ok(batch))).boxed()
    }
}

/// What to warm: a bounded context's policy.
#[async_trait]
pub trait WarmupStrategy: Send + Sync {
    fn spec(&self) -> &StrategySpec;

    /// The entries asked for, in one streamed pass. A row that cannot be stored costs its key and
    /// comes in [`EntryBatch::failed`]; an `Err` ends the strategy.
    ///
    /// A [registered](crate::Registry) strategy may give more than was asked for and knows no prefix:
    /// the rest is left out, and the prefix put before its keys.
    fn entries(&self, ask: Ask) -> Entries<'_>;

    /// Counts the keys of [`Wanted::All`] in the database.
    async fn count(&self, limit: Option<u64>) -> Result<u64, Failure> {
        let mut batches = self.entries(Ask::all(limit).keys_only());
        let mut keys = 0;
        while let Some(batch) = batches.try_next().await? {
            keys += batch.len() + batch.failed.len() + batch.absent.len();
        }
        Ok(keys as u64)
    }

    /// Estimates the keys of [`Wanted::All`], if that is cheap.
    async fn estimate(&self, _limit: Option<u64>) -> Option<Expected> {
        None
    }

    /// Waits until cancelled queries have stopped at the database.
    async fn quiesced(&self) {}

    /// Why it has no entries, if that was known before the run.
    fn unfit(&self) -> Option<&Failure> {
        None
    }

    /// Whether its entries carry a version.
    fn is_versioned(&self) -> bool {
        false
    }

    /// Changes whenever the stored form of a row would change; `None`: it is not known.
    fn fingerprint(&self) -> Option<String> {
        None
    }

    /// Why its keys cannot be looked up again, for people; `None`: they can.
    fn opaque(&self) -> Option<&str> {
        None
    }

    /// The precision of the versions of its first rows; `None`: it has no version, or no row.
    ///
    /// # Errors
    /// The database's.
    async fn precision(&self) -> Result<Option<Precision>, Failure> {
        Ok(None)
    }

    /// The current versions of these entries on the primary, in order; `None`: there is no row. Only
    /// for a strategy that is not [opaque](Self::opaque).
    ///
    /// # Errors
    /// The database's.
    async fn versions(&self, entries: &[Entry<'_>]) -> Result<Vec<Option<Version>>, Failure> {
        Ok(vec![None; entries.len()])
    }

    /// Whether its whole selection can be read in portions.
    ///
    /// # Errors
    /// Why not, for people.
    async fn portions(&self) -> Result<(), String> {
        Err("its value is built in code".to_owned())
    }

    /// Reads one portion of it; `None`: more than should be in memory.
    ///
    /// # Errors
    /// The database's.
    async fn portion(&self, _: &PortionAsk, _batch_size: usize) -> Answer<Option<ReadPortion>> {
        unsupported("is not read in portions", "")
    }

    /// Which entries of a portion have changed, or left it, since it was read.
    ///
    /// # Errors
    /// The database's.
    async fn overtaken(
        &self,
        _portion: &Portion,
        entries: &[Entry<'_>],
    ) -> Result<Overtaken, Failure> {
        Ok(Overtaken { indexes: (0..entries.len()).collect(), now: EntryBatch::default() })
    }

    /// The database's plan for [`Wanted::All`], as far as known.
    async fn plan(&self, _limit: Option<u64>) -> Result<QueryPlan, Failure> {
        Ok(QueryPlan::default())
    }

    /// Reads only what changed; `Err`: it cannot, and why, for people.
    fn tracked(&self) -> Result<&dyn Tracked, String> {
        Err("its value is built in code".to_owned())
    }
}

/// Entries of a portion that are not in it as they were.
#[derive(Debug, Default)]
pub struct Overtaken {
    /// Their indexes.
    pub indexes: Vec<usize>,
    /// The current entries of those that are still in it.
    pub now: EntryBatch,
}

/// A strategy that can read only what changed.
#[async_trait]
pub trait Tracked: Send + Sync {
    /// The cheapest scan that finds all changes; `Err`: why there is none, for people.
    async fn scan(&self) -> Result<ChangeScan, String>;

    /// How many rows of the selection have a key and have not changed since a moment.
    async fn unchanged(&self, since: Since) -> Result<u64, Failure>;

    /// Whether a key's text alone determines its columns.
    fn has_one_reading(&self, key: &str) -> bool;

    /// Keys with the value `1` if they have changed since a moment, else `0`.
    fn changes(
        &self,
        scan: ChangeScan,
        since: Since,
        batch_size: usize,
    ) -> BoxStream<'_, Result<EntryBatch, Failure>>;
}

/// How changes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeScan {
    /// The keys of the whole selection, whether they have changed or not.
    Keys,
    /// The keys of all rows that have changed, whether they are in the selection or not.
    Rows,
}

/// What is asked of a strategy: [`Ask::all`] or [`Ask::named`], and how.
#[derive(Clone, Debug)]
pub struct Ask {
    pub keys: Wanted,
    /// Entries a batch holds at most.
    pub batch_size: usize,
    pub values: bool,
    pub from_primary: bool,
    /// Of a whole selection: in an order in which an interrupted query can continue, if any.
    pub in_order: bool,
    /// Of a whole selection: in portions, where the strategy can, and in no order.
    pub in_portions: Option<Dividing>,
}

impl Ask {
    /// The strategy's selection, at most `limit` keys of it.
    pub fn all(limit: Option<u64>) -> Self {
        Self::new(Wanted::All { limit })
    }

    /// These keys, in the selection or not.
    pub fn named(keys: impl IntoIterator<Item = impl Into<Name>>) -> Self {
        Self::new(Wanted::Named(keys.into_iter().map(Into::into).collect()))
    }

    pub fn new(keys: Wanted) -> Self {
        Self {
            keys,
            batch_size: 500,
            values: true,
            from_primary: false,
            in_order: false,
            in_portions: None,
        }
    }

    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// The entries' values may be empty, and the database reads less.
    #[must_use]
    pub fn keys_only(mut self) -> Self {
        self.values = false;
        self
    }

    /// Read from the primary, not from a replica.
    #[must_use]
    pub fn from_primary(mut self) -> Self {
        self.from_primary = true;
        self
    }

    /// In portions, where the strategy can, and in no order.
    #[must_use]
    pub fn in_portions(mut self) -> Self {
        self.in_portions = Some(Dividing::alone());
        self
    }
}

/// How a selection is read in portions.
#[derive(Clone)]
pub struct Dividing {
    /// Portions that are read at the same time; `None`: as many as pay off.
    pub readers: Option<usize>,
    /// Rows that a portion should have at most.
    pub max_rows: u64,
    /// What an earlier run has finished.
    pub finished: Option<Arc<FinishedPortions>>,
    /// Who reads and writes the portions instead; what changes meanwhile is still read here.
    pub workers: Option<Arc<dyn Workers>>,
}

impl Dividing {
    /// One after another, in this process.
    pub fn alone() -> Self {
        Self { readers: Some(1), max_rows: u64::MAX, finished: None, workers: None }
    }
}

impl fmt::Debug for Dividing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Dividing");
        shown.field("readers", &self.readers).field("max_rows", &self.max_rows);
        shown.finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub enum Wanted {
    /// The strategy's selection, at most `limit` keys of it.
    All { limit: Option<u64> },
    /// These keys, in the selection or not. Each is an entry, or in [`EntryBatch::absent`] if it has
    /// no row, or in [`EntryBatch::failed`] if that is not known.
    Named(Vec<Name>),
}
