//! The driver of a database.

use std::future::{Future, ready};
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::{AssertSqlSafe, Database};

use super::errors::Explained;
use super::options::CONNECT_TIMEOUT;
use super::server_info::{Role, ServerInfo};
use super::watched::{Waiting, Watched};
use crate::application::ports::{Dialect, Param, QueryPlan, SourceVitals};
use crate::domain::changes::Moment;
use crate::domain::expected::Expected;
use crate::domain::failure::Failure;
use crate::domain::finding::Finding;
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::row::Column;
use crate::domain::schema::Schema;
use crate::domain::server::ServerZone;
use crate::domain::session_zone::SessionZone;

/// A driver's answer, or the database's error.
pub(super) type Answer<T> = Result<T, sqlx::Error>;

pub(super) type Connection<D> = <<D as Driver>::Db as Database>::Connection;

/// What differs between databases.
pub(super) trait Driver: Sized + Send + Sync + 'static {
    type Db: Database;
    type Handle: Send;

    const DIALECT: Dialect;

    /// Prefix of a query that is read.
    const PREFIX: &str;

    /// Prefix and suffix of a query that is described.
    const DESCRIBED: [&str; 2] = ["", ""];

    /// Extra time after the statement timeout, for servers that enforce the timeout themselves and
    /// give a better error.
    const GRACE: Duration;

    /// How its queries are written.
    fn dialect(&self) -> Dialect {
        Self::DIALECT
    }

    /// The time zone of its sessions.
    fn session_zone(&self) -> SessionZone;

    /// The address for messages: host and port, or file, without the password.
    fn place(&self) -> String;

    /// Timeout for a session, which one of several servers may give.
    fn connect_timeout(&self) -> Duration {
        CONNECT_TIMEOUT
    }

    /// Timeout for an answer or the next rows. Time spent on the cache does not count.
    fn statement_timeout(&self) -> Duration;

    /// The same with row-level security applied; `None`: not supported.
    fn filtered(&self) -> Option<Self> {
        None
    }

    /// The TLS files in the URL, with their parameters.
    fn certificates(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Takes user and password for further sessions from another URL of the same database.
    ///
    /// # Errors
    /// The URL is not valid.
    fn sign_in_with(&self, _url: &str) -> Result<(), Failure> {
        Ok(())
    }

    /// Opens a read-only, named session with a statement timeout.
    fn connect(&self) -> impl Future<Output = Answer<Connection<Self>>> + Send;

    /// Whether a pooler accepts connections, even if it has no free session.
    fn is_greeted(&self) -> impl Future<Output = bool> + Send {
        ready(false)
    }

    /// Gets the handle to cancel a query on this session, before the query.
    fn handle(session: &mut Connection<Self>) -> impl Future<Output = Answer<Self::Handle>> + Send;

    /// Whether the database shows who waits for a query.
    fn tells_who_waits(&self) -> bool {
        true
    }

    /// Who waits for a lock of a query, asked on another session.
    fn who_waits(
        &self,
        session: &mut Connection<Self>,
        sql: &str,
        watched: &Watched,
    ) -> impl Future<Output = Answer<Waiting>> + Send;

    /// Whether the error is our lock timeout.
    fn is_lock_timeout(_error: &dyn DatabaseError) -> bool {
        false
    }

    /// Whether the server has no free session.
    fn is_full(_error: &dyn DatabaseError) -> bool {
        false
    }

    /// Whether the session's prepared statements are the problem, so that it must be closed.
    fn is_statement_error(_error: &dyn DatabaseError) -> bool {
        false
    }

    /// Cancels the query on the server, if possible.
    fn end(&self, handle: Self::Handle) -> impl Future<Output = ()> + Send;

    /// The columns of a query, without running it.
    fn describe(
        &self,
        session: &mut Connection<Self>,
        sql: &str,
        params: &[Param],
    ) -> impl Future<Output = Result<Vec<Column>, Refusal>> + Send;

    fn estimate(
        &self,
        session: &mut Connection<Self>,
        sql: &str,
        params: &[Param],
    ) -> impl Future<Output = Option<Expected>> + Send;

    /// The plan of a query, without running it.
    fn plan(
        &self,
        session: &mut Connection<Self>,
        sql: &str,
        params: &[Param],
    ) -> impl Future<Output = Answer<QueryPlan>> + Send;

    /// Information about the server.
    fn checkup(
        &self,
        session: &mut Connection<Self>,
    ) -> impl Future<Output = Answer<ServerInfo>> + Send;

    /// The finding about a pooler in front of the server.
    fn pooler(
        &self,
        _session: &mut Connection<Self>,
    ) -> impl Future<Output = Answer<Option<Finding>>> + Send {
        ready(Ok(None))
    }

    /// Primary or replica, and its lag.
    fn role(&self, _session: &mut Connection<Self>) -> impl Future<Output = Answer<Role>> + Send {
        ready(Ok(Role::File))
    }

    /// The server's default time zone; `None`: none, or unknown.
    fn zone(
        &self,
        _session: &mut Connection<Self>,
    ) -> impl Future<Output = Option<ServerZone>> + Send {
        ready(None)
    }

    /// The current load of the server; `None`: no server.
    fn vitals(
        &self,
        _session: &mut Connection<Self>,
    ) -> impl Future<Output = Answer<Option<SourceVitals>>> + Send {
        ready(Ok(None))
    }

    /// Its clock and oldest open transaction; inner `Err`: why it is unknown.
    fn moment(
        &self,
        session: &mut Connection<Self>,
    ) -> impl Future<Output = Answer<Result<Moment, String>>> + Send;

    /// The tables, as the catalogue lists them.
    fn schema(&self, session: &mut Connection<Self>)
    -> impl Future<Output = Answer<Schema>> + Send;

    /// Unique keys of a table.
    fn unique_keys(
        &self,
        session: &mut Connection<Self>,
        table: &TableName,
    ) -> impl Future<Output = Answer<UniqueKeys>> + Send;

    /// Explains a server error.
    fn explain(error: &dyn DatabaseError) -> Explained;
}

/// Why a query cannot be described.
pub(super) enum Refusal {
    Sql(sqlx::Error),
    /// Columns without a JSON form, with their types.
    Types(Vec<(String, String)>),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// Definitions are trusted like code, and sessions are read-only.
pub(super) fn safe(sql: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql.to_owned())
}
