//! Where rows come from.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;

use super::dialect::Dialect;
use super::param::Param;
use crate::domain::changes::Moment;
use crate::domain::encode::Hint;
use crate::domain::expected::Expected;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::finding::Finding;
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::row::{Column, Columns, RowBatch};
use crate::domain::schema::Schema;
use crate::domain::server::{ServerRole, ServerZone};
use crate::domain::strategy::RowSecurity;

/// Where rows come from. One adapter per database hides connection, session and wire format.
#[async_trait]
pub trait RowSource: Send + Sync {
    fn dialect(&self) -> Dialect;

    /// The same database, reading tables with row-level security as their policies allow, instead of
    /// failing; `None`: it has no such thing.
    fn filtered(&self) -> Option<Arc<dyn RowSource>> {
        None
    }

    /// Its clock, and since when changes may be invisible. Ask before the first read: a later query
    /// sees everything that changed before.
    ///
    /// # Errors
    /// It does not know, like a replica that does not reveal its lag.
    async fn moment(&self) -> Result<Moment, Failure>;

    /// The primary and unique keys of a table.
    ///
    /// # Errors
    /// The database's.
    async fn unique_keys(&self, table: &TableName) -> Result<UniqueKeys, Failure>;

    /// The tables that this user can read without naming a schema.
    ///
    /// # Errors
    /// The database's, or that its tables cannot be listed.
    async fn schema(&self) -> Result<Schema, Failure> {
        let (what, why) = ("the tables cannot be listed", "not supported");
        Err(Failure::new(FailureKind::Query, what, why))
    }

    /// Prepares a query and says what it returns. Reads nothing.
    async fn describe(&self, sql: &str, params: &[Param]) -> Result<Columns, Failure>;

    /// Streams the rows of a query. Dropping the stream ends the query at the database.
    fn rows(&self, query: Query) -> BoxStream<'static, Result<RowBatch, Failure>>;

    /// Whether waiting sessions are invisible, so that a slow query is ended from time to time: it
    /// should have an order in which it can continue.
    fn is_blind(&self) -> bool {
        false
    }

    /// Waits a few seconds for cancelled queries to stop at the database.
    async fn quiesced(&self);

    /// How many rows a query returns, where the database can say it cheaply.
    async fn estimate(&self, sql: &str, params: &[Param]) -> Option<Expected>;

    /// The plan that the database makes for a query. Reads no row.
    async fn plan(&self, sql: &str, params: &[Param]) -> Result<QueryPlan, Failure>;

    /// What an operator should know of the server before a run. What cannot be asked is a finding.
    async fn checkup(&self) -> Vec<Finding>;

    /// Whether it is a primary or a replica.
    async fn role(&self) -> ServerRole {
        ServerRole::Primary
    }

    /// The default time zone of sessions; `None`: it has none, or does not say.
    async fn zone(&self) -> Option<ServerZone> {
        None
    }

    /// Its current load, on a separate session; `None`: it has no other clients, or does not answer.
    async fn vitals(&self) -> Option<SourceVitals> {
        None
    }
}

/// The database that a strategy reads.
#[derive(Clone)]
pub struct Sources {
    /// Where selections are read; may be a replica.
    pub bulk: Arc<dyn RowSource>,
    /// Where the latest versions of a few rows are read.
    pub primary: Arc<dyn RowSource>,
}

impl Sources {
    /// One database for both.
    pub fn one(source: Arc<dyn RowSource>) -> Self {
        Self { bulk: Arc::clone(&source), primary: source }
    }

    /// Where a definition's rows come from.
    #[must_use]
    pub fn with(&self, row_security: RowSecurity) -> Self {
        let with = |source: &Arc<dyn RowSource>| match row_security {
            RowSecurity::Refuse => Arc::clone(source),
            RowSecurity::Apply => source.filtered().unwrap_or_else(|| Arc::clone(source)),
        };
        Self { bulk: with(&self.bulk), primary: with(&self.primary) }
    }

    /// Whether the operator names another server as the primary.
    pub fn names_a_primary(&self) -> bool {
        !Arc::ptr_eq(&self.bulk, &self.primary)
    }
}

/// The current load of a database.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SourceVitals {
    /// Of a query that reads nothing.
    pub latency: Duration,
    /// Active sessions, including ours; `None`: it does not say.
    pub active: Option<u64>,
    /// How far a replica is behind.
    pub lag: Option<Duration>,
}

/// A database's plan for a query, as far as known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryPlan {
    /// In the planner's own unit.
    pub cost: Option<f64>,
    /// Rows that it expects to return.
    pub rows: Option<u64>,
    /// Tables that it scans.
    pub scans: Vec<Scan>,
}

/// A table that is read without an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    pub table: String,
    /// Other names: of its partitions that are read, and of the table that it is a partition of.
    pub names: Vec<String>,
    /// About how many rows it reads.
    pub rows: Option<u64>,
}

/// A query to stream.
#[derive(Clone, Debug)]
pub struct Query {
    /// Whose query it is, for the database's list of active queries.
    pub label: String,
    /// The file and the line that have its SQL.
    pub written: Option<String>,
    pub sql: String,
    pub params: Vec<Param>,
    /// What [`RowSource::describe`] said of it.
    pub columns: Columns,
    /// The hint of each column, by place.
    pub hints: Vec<Option<Hint>>,
    /// It has few rows, needs no portions, and is likely to be repeated with other parameters.
    pub brief: bool,
    /// Another query can continue at its last row, so it may end at any row.
    pub resumable: bool,
}

impl Query {
    /// A query without parameters and hints.
    pub fn new(label: impl Into<String>, sql: String, columns: Columns) -> Self {
        Self {
            label: label.into(),
            written: None,
            sql,
            params: Vec::new(),
            hints: vec![None; columns.len()],
            columns,
            brief: false,
            resumable: false,
        }
    }

    /// A query that gives a number.
    pub fn counting(label: impl Into<String>, sql: String) -> Self {
        Self { brief: true, ..Self::new(label, sql, Arc::new([Column::integer("n")])) }
    }

    /// The number that it gives.
    ///
    /// # Errors
    /// The database's.
    pub async fn number(self, source: &dyn RowSource) -> Result<u64, Failure> {
        let mut rows = source.rows(self);
        let mut counted = None;
        // To the end: an unfinished query costs its connection.
        while let Some(batch) = rows.try_next().await? {
            let text = batch.row(0).text(0).ok().flatten();
            counted = text.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
        }
        counted.ok_or_else(|| {
            let why = "the database gave no number";
            Failure::new(FailureKind::Query, "counting keys failed", why)
        })
    }

    /// Adds to a query's fault where the query is written.
    pub fn locate(&self, mut failure: Failure) -> Failure {
        if let (FailureKind::Query, Some(written)) = (failure.kind, &self.written) {
            failure.why = format!("{} ({written})", failure.why);
        }
        failure
    }
}
