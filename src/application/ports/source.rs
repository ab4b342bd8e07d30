//! Where rows come from.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::dialect::{Dialect, Param};
use crate::domain::changes::Moment;
use crate::domain::encode::Hint;
use crate::domain::expected::Expected;
use crate::domain::failure::Failure;
use crate::domain::finding::Finding;
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::row::{Columns, RowBatch};
use crate::domain::server::{ServerRole, ServerZone};
use crate::domain::strategy::RowSecurity;

/// Where rows come from. One adapter per database hides connection, session and wire format.
#[async_trait]
pub trait RowSource: Send + Sync {
    fn dialect(&self) -> Dialect;

    /// The same database, where a table with row-level security gives the rows that its policies
    /// show, and not an error; `None`: it has no such thing.
    fn filtered(&self) -> Option<Arc<dyn RowSource>> {
        None
    }

    /// Its clock, and since when somebody may have changed what is not to be seen yet. To be asked
    /// before anything is read: a later query sees all that was changed before.
    ///
    /// # Errors
    /// It cannot be asked, or does not know, as a replica that does not say how far behind it is.
    async fn moment(&self) -> Result<Moment, Failure>;

    /// The keys by which a table's rows are known.
    ///
    /// # Errors
    /// The database's.
    async fn unique_keys(&self, table: &TableName) -> Result<UniqueKeys, Failure>;

    /// Prepares a query and says what it returns. Reads nothing.
    async fn describe(&self, sql: &str) -> Result<Columns, Failure>;

    /// Streams the rows of a query. Dropping the stream ends the query at the database.
    fn rows(&self, query: Query) -> BoxStream<'static, Result<RowBatch, Failure>>;

    /// Whether it cannot be seen who waits for a query, so that one that is read slowly ends from time
    /// to time: a query should have an order in which it can go on.
    fn is_blind(&self) -> bool {
        false
    }

    /// Waits until queries whose streams were dropped have ended at the database, for a few seconds.
    async fn quiesced(&self);

    /// How many rows a query returns, where the database can say it cheaply.
    async fn estimate(&self, sql: &str) -> Option<Expected>;

    /// The plan that the database makes for a query. Reads no row.
    async fn plan(&self, sql: &str) -> Result<QueryPlan, Failure>;

    /// What is to be known of the server before a run. Never fails: what cannot be asked is a
    /// finding.
    async fn checkup(&self) -> Vec<Finding>;

    /// Whether it has the latest state of its rows.
    async fn role(&self) -> ServerRole {
        ServerRole::Primary
    }

    /// The time zone of sessions that choose none; `None`: it has none, or does not say.
    async fn zone(&self) -> Option<ServerZone> {
        None
    }

    /// How it is at the moment, asked on a session of its own; `None`: nobody else is there to be
    /// disturbed, or it does not answer.
    async fn vitals(&self) -> Option<SourceVitals> {
        None
    }
}

/// The database that a strategy reads.
#[derive(Clone)]
pub struct Sources {
    /// Where selections are read; it may be a copy.
    pub bulk: Arc<dyn RowSource>,
    /// Where the latest state of a few rows is asked.
    pub primary: Arc<dyn RowSource>,
}

impl Sources {
    /// One database for both.
    pub fn one(source: Arc<dyn RowSource>) -> Self {
        Self {
            bulk: Arc::clone(&source),
            primary: source,
        }
    }

    /// Where a definition's rows come from.
    #[must_use]
    pub fn with(&self, row_security: RowSecurity) -> Self {
        let with = |source: &Arc<dyn RowSource>| match row_security {
            RowSecurity::Refuse => Arc::clone(source),
            RowSecurity::Apply => source.filtered().unwrap_or_else(|| Arc::clone(source)),
        };
        Self {
            bulk: with(&self.bulk),
            primary: with(&self.primary),
        }
    }

    /// Whether the operator names another server as the primary.
    pub fn names_a_primary(&self) -> bool {
        !Arc::ptr_eq(&self.bulk, &self.primary)
    }
}

/// How a database is at the moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SourceVitals {
    /// Of a query that reads nothing.
    pub latency: Duration,
    /// Sessions at work, ours among them; `None`: it does not say.
    pub active: Option<u64>,
    /// How far a replica is behind.
    pub lag: Option<Duration>,
}

/// A database's plan for a query, as far as it says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryPlan {
    /// In the planner's own unit.
    pub cost: Option<f64>,
    /// Rows that it expects to return.
    pub rows: Option<u64>,
    /// Tables that it reads from end to end.
    pub scans: Vec<Scan>,
}

/// A table that is read without an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    pub table: String,
    /// Rows that are read for it, about.
    pub rows: Option<u64>,
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
    /// Its rows are few and come at once: it need not be read in portions, and is likely to come
    /// again with other parameters.
    pub brief: bool,
    /// Another query can continue at its last row, so it may end at any row.
    pub resumable: bool,
}
