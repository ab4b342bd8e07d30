//! What sets one database's sessions apart from the others'.

use std::future::{Future, ready};
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::{AssertSqlSafe, Database};

use super::errors::Explained;
use super::server_info::{Role, ServerInfo};
use super::watched::{Waiting, Watched};
use crate::application::ports::{Dialect, QueryPlan, SourceVitals};
use crate::domain::changes::Moment;
use crate::domain::expected::Expected;
use crate::domain::finding::Finding;
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::row::Column;
use crate::domain::server::ServerZone;

/// What a driver has to say, or why the database did not.
pub(super) type Answer<T> = Result<T, sqlx::Error>;

pub(super) type Connection<D> = <<D as Driver>::Db as Database>::Connection;

/// What sets one database apart from the others.
pub(super) trait Driver: Sized + Send + Sync + 'static {
    type Db: Database;
    type Handle: Send;

    const DIALECT: Dialect;

    /// What a value is CAST to, to be a text.
    const TEXT: &str = "text";

    /// Stands before a query that is read.
    const PREFIX: &str;

    /// Stand before and after a query that is described.
    const DESCRIBED: [&str; 2] = ["", ""];

    /// How much longer than the statement timeout we wait: where the server keeps that too, its
    /// own words say more.
    const GRACE: Duration;

    /// Where it is, for messages: host and port or file, never the password.
    fn place(&self) -> String;

    /// The longest that we wait for the database: for its answer to a statement, or for its next rows.
    /// The time that the cache takes to store rows does not count.
    fn statement_timeout(&self) -> Duration;

    /// The same, where row-level security hides rows; `None`: the database has no such thing.
    fn filtered(&self) -> Option<Self> {
        None
    }

    /// The files that the URL names for TLS, each with its parameter's name.
    fn certificates(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Opens a session: read-only, named, with a statement timeout.
    fn connect(&self) -> impl Future<Output = Answer<Connection<Self>>> + Send;

    /// Whether a pooler lets us in there, which may have no session for us.
    fn is_greeted(&self) -> impl Future<Output = bool> + Send {
        ready(false)
    }

    /// What it takes to end a query on this session, asked before the query.
    fn handle(session: &mut Connection<Self>) -> impl Future<Output = Answer<Self::Handle>> + Send;

    /// Whether the database tells who waits for a query.
    fn tells_who_waits(&self) -> bool {
        true
    }

    /// Who waits for a lock that a query holds, asked on another session.
    fn who_waits(
        &self,
        session: &mut Connection<Self>,
        sql: &str,
        watched: &Watched,
    ) -> impl Future<Output = Answer<Waiting>> + Send;

    /// Whether a statement waited for a lock for as long as ours may.
    fn is_lock_timeout(_error: &dyn DatabaseError) -> bool {
        false
    }

    /// Whether the server refused a session because it has none left.
    fn is_full(_error: &dyn DatabaseError) -> bool {
        false
    }

    /// Ends the query at the server. A server that cannot be asked is left alone.
    fn end(&self, handle: Self::Handle) -> impl Future<Output = ()> + Send;

    /// The columns of a query, prepared and not run.
    fn describe(
        &self,
        session: &mut Connection<Self>,
        sql: &str,
    ) -> impl Future<Output = Result<Vec<Column>, Refusal>> + Send;

    fn estimate(
        &self,
        session: &mut Connection<Self>,
        sql: &str,
    ) -> impl Future<Output = Option<Expected>> + Send;

    /// The plan for a query; reads no row.
    fn plan(
        &self,
        session: &mut Connection<Self>,
        sql: &str,
    ) -> impl Future<Output = Answer<QueryPlan>> + Send;

    /// What the server says of itself.
    fn checkup(
        &self,
        session: &mut Connection<Self>,
    ) -> impl Future<Output = Answer<ServerInfo>> + Send;

    /// What there is to say of a pooler in front of the server.
    fn pooler(
        &self,
        _session: &mut Connection<Self>,
    ) -> impl Future<Output = Answer<Option<Finding>>> + Send {
        ready(Ok(None))
    }

    /// What the server is to others, and how far behind.
    fn role(&self, _session: &mut Connection<Self>) -> impl Future<Output = Answer<Role>> + Send {
        ready(Ok(Role::File))
    }

    /// The time zone of the server's sessions that choose none; `None`: it has none, or does not say.
    fn zone(
        &self,
        _session: &mut Connection<Self>,
    ) -> impl Future<Output = Option<ServerZone>> + Send {
        ready(None)
    }

    /// How the server is at the moment; `None`: there is none.
    fn vitals(
        &self,
        _session: &mut Connection<Self>,
    ) -> impl Future<Output = Answer<Option<SourceVitals>>> + Send {
        ready(Ok(None))
    }

    /// Its clock and what is open there; `Err` inside: why it cannot say.
    fn moment(
        &self,
        session: &mut Connection<Self>,
    ) -> impl Future<Output = Answer<Result<Moment, String>>> + Send;

    /// The keys by which a table's rows are known.
    fn unique_keys(
        &self,
        session: &mut Connection<Self>,
        table: &TableName,
    ) -> impl Future<Output = Answer<UniqueKeys>> + Send;

    /// The server's own error, in words.
    fn explain(error: &dyn DatabaseError) -> Explained;
}

/// Why a query cannot be described.
pub(super) enum Refusal {
    Sql(sqlx::Error),
    /// Columns without a JSON form: their names, and those of their types.
    Types(Vec<(String, String)>),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// Definitions are the operator's own files, trusted like code; sessions are read-only.
pub(super) fn safe(sql: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql.to_owned())
}
