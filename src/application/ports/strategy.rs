//! What to warm.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;

use super::source::QueryPlan;
use crate::domain::changes::Since;
use crate::domain::entry::{Entry, EntryBatch, Name};
use crate::domain::expected::Expected;
use crate::domain::failure::Failure;
use crate::domain::precision::Precision;
use crate::domain::strategy::StrategySpec;
use crate::domain::version::Version;

/// What to warm: a bounded context's policy. How is the coordinator's business.
#[async_trait]
pub trait WarmupStrategy: Send + Sync {
    fn spec(&self) -> &StrategySpec;

    /// The entries asked for, in one streamed pass. A row that cannot be stored costs its key and
    /// comes in [`EntryBatch::failed`]; an `Err` ends the strategy.
    fn entries(&self, ask: Ask) -> BoxStream<'_, Result<EntryBatch, Failure>>;

    /// How many keys [`Wanted::All`] gives, counted by the database.
    async fn count(&self, limit: Option<u64>) -> Result<u64, Failure> {
        let mut batches = self.entries(Ask::all(limit).keys_only());
        let mut keys = 0;
        while let Some(batch) = batches.try_next().await? {
            keys += batch.len() + batch.failed.len() + batch.absent.len();
        }
        Ok(keys as u64)
    }

    /// How many keys [`Wanted::All`] gives, if that is cheap to know.
    async fn estimate(&self, _limit: Option<u64>) -> Option<Expected> {
        None
    }

    /// Waits until what was left in the middle has ended at the database.
    async fn quiesced(&self) {}

    /// Why it cannot give any entries, where that was known before the run.
    fn unfit(&self) -> Option<&Failure> {
        None
    }

    /// Whether its entries carry a version.
    fn is_versioned(&self) -> bool {
        false
    }

    /// Why its keys cannot be looked up again, for people; `None`: they can.
    fn opaque(&self) -> Option<&str> {
        None
    }

    /// How finely the versions of its first rows tell changes apart; `None`: it has none, or no row.
    ///
    /// # Errors
    /// The database's.
    async fn precision(&self) -> Result<Option<Precision>, Failure> {
        Ok(None)
    }

    /// The versions that these entries would have now, in their order, as the primary says;
    /// `None`: there is no row. Only for a strategy that is not [opaque](Self::opaque).
    ///
    /// # Errors
    /// The database's.
    async fn versions(&self, entries: &[Entry<'_>]) -> Result<Vec<Option<Version>>, Failure> {
        Ok(vec![None; entries.len()])
    }

    /// How the database means to answer [`Wanted::All`], as far as that is known.
    async fn plan(&self, _limit: Option<u64>) -> Result<QueryPlan, Failure> {
        Ok(QueryPlan::default())
    }

    /// Reads only what changed; `Err`: it cannot, and why, for people.
    fn tracked(&self) -> Result<&dyn Tracked, String> {
        Err("it is put together in code".to_owned())
    }
}

/// A strategy whose changes can be told.
#[async_trait]
pub trait Tracked: Send + Sync {
    /// Another text whenever the same rows would be stored otherwise: then what is in the cache is
    /// not to be kept.
    fn fingerprint(&self) -> String;

    /// The way that leads to all changes and reads least; `Err`: why there is none, for people.
    async fn scan(&self) -> Result<ChangeScan, String>;

    /// How many rows of the selection have not changed since a moment, and have a key.
    async fn unchanged(&self, since: Since) -> Result<u64, Failure>;

    /// Whether a key's text alone tells what its columns are.
    fn has_one_reading(&self, key: &str) -> bool;

    /// Keys, and whether each has changed since a moment: its value is `1`, or `0`.
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
    /// Of a whole selection: in an order in which an interrupted query can continue, if there is one.
    pub in_order: bool,
    pub row_locations: bool,
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
            row_locations: false,
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

    /// As the primary has them now, where rows come from a copy of it.
    #[must_use]
    pub fn from_primary(mut self) -> Self {
        self.from_primary = true;
        self
    }

    /// With where their rows lie, which makes it cheap to ask for their versions afterwards.
    #[must_use]
    pub fn with_row_locations(mut self) -> Self {
        self.row_locations = true;
        self
    }
}

#[derive(Clone, Debug)]
pub enum Wanted {
    /// The strategy's selection, at most `limit` keys of it.
    All { limit: Option<u64> },
    /// These keys, in the selection or not. Of each there is an entry, or it comes in
    /// [`EntryBatch::absent`] where no row has it, or in [`EntryBatch::failed`] where that is not
    /// known.
    Named(Vec<Name>),
}
