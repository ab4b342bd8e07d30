//! Sessions with MySQL and MariaDB.

use std::sync::RwLock;
use std::time::Duration;

use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::mysql::{
    MySqlArguments, MySqlColumn, MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlRow,
};
use sqlx::{Arguments as _, Column as _, Decode, Executor as _, Row as _};
use sqlx::{SqlSafeStr as _, Statement as _};

use super::super::certificates::certificates;
use super::super::describe::all;
use super::super::driver::{Answer, Driver, Refusal, safe};
use super::super::errors::Explained;
use super::super::options::SessionOptions;
use super::super::rows::{Broken, NO_COLUMN, Reader, Rows, arguments};
use super::super::server_info::{Role, ServerInfo};
use super::super::watched::{Waiting, Watched};
use super::codec::{self, Codec};
use super::dialect::{IN_ANOTHER_ZONE, IN_UTC};
use super::{documents, errors, role, schema, server, session, tables, url};
use crate::application::ports::{Dialect, Param, QueryPlan, SourceVitals};
use crate::domain::changes::Moment;
use crate::domain::encode::{Hint, Scalar, encode};
use crate::domain::expected::Expected;
use crate::domain::failure::Failure;
use crate::domain::finding::Finding;
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::row::Column;
use crate::domain::schema::Schema;
use crate::domain::server::ServerZone;
use crate::domain::session_zone::SessionZone;
use crate::domain::sync::{read, write};

pub(crate) struct Mysql {
    connect: RwLock<MySqlConnectOptions>,
    statement_timeout: Duration,
    zone: SessionZone,
}

impl Mysql {
    pub(super) fn new(url: &str, options: &SessionOptions) -> Result<Self, Failure> {
        let zone = options.zone.clone();
        let connect = RwLock::new(Self::options(url, &zone)?);
        Ok(Self { connect, statement_timeout: options.statement_timeout, zone })
    }

    fn options(url: &str, zone: &SessionZone) -> Result<MySqlConnectOptions, Failure> {
        let offset = if zone.is_utc() { "+00:00".to_owned() } else { zone.to_string() };
        Ok(url::options(url)?.timezone(offset))
    }

    fn connect_options(&self) -> MySqlConnectOptions {
        read(&self.connect).clone()
    }
}

impl Driver for Mysql {
    type Db = sqlx::MySql;
    /// The server, and the session there.
    type Handle = (String, u64);

    const DIALECT: Dialect = &IN_UTC;
    const PREFIX: &str = "";
    const GRACE: Duration = Duration::ZERO;

    fn dialect(&self) -> Dialect {
        if self.zone.is_utc() { &IN_UTC } else { &IN_ANOTHER_ZONE }
    }

    fn session_zone(&self) -> SessionZone {
        self.zone.clone()
    }

    fn place(&self) -> String {
        let options = self.connect_options();
        match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        }
    }

    fn statement_timeout(&self) -> Duration {
        self.statement_timeout
    }

    fn certificates(&self) -> Vec<(String, String)> {
        certificates(&self.connect_options())
    }

    fn sign_in_with(&self, url: &str) -> Result<(), Failure> {
        *write(&self.connect) = Self::options(url, &self.zone)?;
        Ok(())
    }

    async fn connect(&self) -> Answer<MySqlConnection> {
        session::open(&self.connect_options()).await
    }

    async fn describe(
        &self,
        session: &mut MySqlConnection,
        sql: &str,
        params: &[Param],
    ) -> Result<Vec<Column>, Refusal> {
        let described = prepared(session, sql).await;
        let mut columns = match described {
            Ok(columns) => columns,
            Err(refused) => {
                let Some(number) = errors::strange_type(&refused) else {
                    return Err(refused);
                };
                *session = session::open(&self.connect_options()).await?;
                return Err(errors::strange(session, number).await);
            }
        };
        documents::mark(session, sql, arguments::<Self>(params)?, &mut columns).await?;
        Ok(columns)
    }

    /// Its process lists need extra privileges. So take the query's locks once more: if that times out,
    /// somebody waits for a lock on one of its tables.
    async fn who_waits(
        &self,
        session: &mut MySqlConnection,
        sql: &str,
        _: &Watched,
    ) -> Answer<Waiting> {
        match tables::take_locks(session, sql).await {
            Ok(()) => Ok(Waiting::Nobody),
            Err(sqlx::Error::Database(error)) if Self::is_lock_timeout(error.as_ref()) => {
                let why = "another session waited for a lock on one of its tables";
                Ok(Waiting::Somebody(why.to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    fn is_full(error: &dyn DatabaseError) -> bool {
        let error = error.try_downcast_ref::<MySqlDatabaseError>();
        error.is_some_and(|error| matches!(error.number(), 1040 | 1203 | 1226))
    }

    /// Unknown to the server, too many on the server, or in need of another preparation.
    fn is_statement_error(error: &dyn DatabaseError) -> bool {
        let error = error.try_downcast_ref::<MySqlDatabaseError>();
        error.is_some_and(|error| matches!(error.number(), 1243 | 1461 | 1615))
    }

    fn is_lock_timeout(error: &dyn DatabaseError) -> bool {
        let error = error.try_downcast_ref::<MySqlDatabaseError>();
        error.is_some_and(|error| error.number() == 1205)
    }

    async fn handle(session: &mut MySqlConnection) -> Answer<Self::Handle> {
        session::handle(session).await
    }

    async fn end(&self, (server, id): Self::Handle) -> () {
        session::end(&self.connect_options(), server, id).await;
    }

    /// There is no cheap estimate: use only the definition's limit.
    async fn estimate(&self, _: &mut MySqlConnection, sql: &str, _: &[Param]) -> Option<Expected> {
        let limit = sql.rsplit_once(" LIMIT ").and_then(|(_, n)| n.parse().ok());
        async move { limit.map(Expected::about) }.await
    }

    async fn plan(
        &self,
        session: &mut MySqlConnection,
        sql: &str,
        params: &[Param],
    ) -> Answer<QueryPlan> {
        tables::plan(session, sql, arguments::<Self>(params)?).await
    }

    async fn checkup(&self, session: &mut MySqlConnection) -> Answer<ServerInfo> {
        server::info(session, self.statement_timeout).await
    }

    async fn pooler(&self, session: &mut MySqlConnection) -> Answer<Option<Finding>> {
        server::pooler(session).await
    }

    async fn role(&self, session: &mut MySqlConnection) -> Answer<Role> {
        Ok(role::role(session).await)
    }

    async fn zone(&self, session: &mut MySqlConnection) -> Option<ServerZone> {
        server::zone(session).await
    }

    async fn vitals(&self, session: &mut MySqlConnection) -> Answer<Option<SourceVitals>> {
        server::vitals(session).await.map(Some)
    }

    async fn moment(&self, session: &mut MySqlConnection) -> Answer<Result<Moment, String>> {
        server::moment(session).await
    }

    async fn schema(&self, session: &mut MySqlConnection) -> Answer<Schema> {
        schema::schema(session).await
    }

    async fn unique_keys(
        &self,
        session: &mut MySqlConnection,
        table: &TableName,
    ) -> Answer<UniqueKeys> {
        tables::unique_keys(session, table).await
    }

    fn explain(error: &dyn DatabaseError) -> Explained {
        errors::explain(error)
    }
}

impl Reader for Mysql {
    type Codec = Codec;

    fn codec(column: &Column, described: &MySqlColumn) -> Codec {
        let codec = Codec::of(described.type_info());
        match (column.declared.as_str(), codec) {
            (documents::JSON, _) => Codec::Json,
            ("TIMESTAMP", Codec::DateTime) => Codec::Instant,
            _ => codec,
        }
    }

    fn cell(
        codec: &Codec,
        row: &MySqlRow,
        at: usize,
        hint: Option<Hint>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let value = row.try_get_raw(at).map_err(|_| NO_COLUMN.to_owned())?;
        // Not `is_null`: the driver reports a zero date as NULL.
        let value = match <&[u8] as Decode<sqlx::MySql>>::decode(value) {
            Err(_) => Scalar::Null,
            Ok(wire) if hint == Some(Hint::Base64) && codec.is_bits() => Scalar::Bytes(wire),
            Ok(wire) => codec.decode(wire)?,
        };
        encode(value, hint, out)
    }

    fn bind(arguments: &mut MySqlArguments, param: &Param) -> Result<(), BoxDynError> {
        match param {
            Param::Text(text) => arguments.add(text),
            Param::Int(integer) => arguments.add(*integer),
            Param::Bool(truth) => arguments.add(*truth),
            Param::Texts(_) | Param::Ints(_) => Err("this database has no arrays".into()),
        }
    }

    /// A single stream: there are no cursors, and each page would sort or scan again.
    async fn read(
        session: &mut MySqlConnection,
        sql: &str,
        arguments: MySqlArguments,
        rows: &mut Rows<'_, Self>,
    ) -> Result<(), Broken> {
        let query = sqlx::query_with(safe(sql), arguments);
        rows.stream(query.fetch(&mut *session)).await?;
        let whole = errors::check_whole(session, rows.label()).await?;
        whole.map_err(Broken::Failed)
    }
}

/// The columns of a prepared statement.
async fn prepared(session: &mut MySqlConnection, sql: &str) -> Result<Vec<Column>, Refusal> {
    let statement = session.prepare(safe(sql).into_sql_str()).await?;
    all(statement.columns(), codec::column)
}
