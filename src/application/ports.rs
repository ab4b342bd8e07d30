//! What the engine needs of the world around it.

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::domain::Dialect;
use crate::domain::encode::Hint;
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::row::{Columns, RowBatch};
use crate::domain::strategy::StrategySpec;
use crate::domain::ttl::Ttl;

/// What to warm: a bounded context's policy. How is the coordinator's business.
pub trait WarmupStrategy: Send + Sync {
    fn spec(&self) -> &StrategySpec;

    /// The entries asked for, in one streamed pass. A row that cannot be stored costs its key and
    /// comes in [`EntryBatch::failed`]; an `Err` ends the strategy.
    fn entries(&self, ask: Ask) -> BoxStream<'_, Result<EntryBatch, Failure>>;

    /// About how many keys [`Wanted::All`] gives, if that is cheap to know: the length of a progress
    /// bar, nothing else.
    fn estimate(&self, limit: Option<u64>) -> BoxFuture<'_, Option<u64>>;
}

/// What is asked of a strategy.
#[derive(Clone, Debug)]
pub struct Ask {
    pub keys: Wanted,
    /// Entries a batch holds at most.
    pub batch_size: usize,
}

#[derive(Clone, Debug)]
pub enum Wanted {
    /// The strategy's selection, at most so many keys of it.
    All { limit: Option<u64> },
    /// These keys, in the selection or not.
    Named(Vec<String>),
}

/// Where rows come from. One adapter per database hides connection, session and wire format.
pub trait RowSource: Send + Sync {
    fn dialect(&self) -> Dialect;

    /// Prepares a query and says what it returns. Reads nothing.
    fn describe<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, Result<Columns, Failure>>;

    /// Streams the rows of a query. Dropping the stream ends the query at the database.
    fn rows(&self, query: Query) -> BoxStream<'static, Result<RowBatch, Failure>>;

    /// About how many rows a query returns, where the database can say it cheaply.
    fn estimate<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, Option<u64>>;
}

/// A query to stream.
#[derive(Clone, Debug)]
pub struct Query {
    /// Whose query it is, for the database's own lists of who does what.
    pub label: String,
    pub sql: String,
    pub params: Vec<Param>,
    /// What [`RowSource::describe`] said of it.
    pub columns: Columns,
    /// The hint of each column, by place.
    pub hints: Vec<Option<Hint>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Param {
    Text(String),
    Int(i64),
}

/// Where entries go.
pub trait Cache: Send + Sync {
    /// Stores a batch, retrying within the adapter's bounds; writing the same batch again is
    /// harmless.
    fn write<'a>(&'a self, batch: &'a EntryBatch, how: WriteOptions) -> BoxFuture<'a, Written>;
}

#[derive(Clone, Copy, Debug)]
pub struct WriteOptions {
    pub mode: Mode,
    pub ttl: Ttl,
}

/// What happens to a key that is in the cache already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is written over.
    Refresh,
    /// It stays as it is.
    OnlyMissing,
}

/// What became of a batch.
#[derive(Debug)]
pub struct Written {
    /// One outcome for each entry, in the batch's order.
    pub outcomes: Vec<WriteOutcome>,
    /// Set when the cache can take nothing more; the run ends with it.
    pub fatal: Option<Failure>,
}

impl Written {
    /// A batch that nobody waits for any more.
    pub fn unknown(entries: usize, why: &str) -> Self {
        Self {
            outcomes: vec![WriteOutcome::Unknown(why.to_owned()); entries],
            fatal: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    Stored,
    AlreadyPresent,
    Failed(String),
    /// Sent, and no answer came.
    Unknown(String),
}
