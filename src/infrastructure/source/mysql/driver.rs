//! Sessions with MySQL and MariaDB.

use std::time::Duration;

use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::mysql::{
    MySqlArguments, MySqlColumn, MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlRow,
};
use sqlx::{Arguments as _, Column as _, Decode, Executor as _, Row as _};
use sqlx::{SqlSafeStr as _, Statement as _};

use super::super::certificates::certificates;
use super::super::describe::all;
use super::super::driver::{Driver, Refusal, SessionOptions, safe};
use super::super::errors::Explained;
use super::super::rows::{Broken, Reader, Rows};
use super::super::server_info::{Role, ServerInfo};
use super::super::watched::{Waiting, Watched};
use super::codec::{self, Codec};
use super::dialect::MysqlDialect;
use super::{
    clock, cut, documents, errors, locks, plan, role, server, session, strange, unique_keys, url,
};
use crate::application::ports::{Dialect, Param, Query, QueryPlan, SourceVitals};
use crate::domain::changes::Moment;
use crate::domain::encode::{Hint, Scalar, encode};
use crate::domain::expected::Expected;
use crate::domain::failure::Failure;
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::row::{Column, RowBatch};
use crate::domain::server::ServerZone;

pub(in super::super) struct Mysql {
    connect: MySqlConnectOptions,
    options: SessionOptions,
}

impl Mysql {
    pub(super) fn new(url: &str, options: SessionOptions) -> Result<Self, Failure> {
        Ok(Self {
            connect: url::options(url)?,
            options,
        })
    }
}

impl Driver for Mysql {
    type Db = sqlx::MySql;
    /// The server, and the session there.
    type Handle = (String, u64);

    const DIALECT: Dialect = &MysqlDialect;
    const TEXT: &str = "CHAR";
    const PREFIX: &str = "";
    const GRACE: Duration = Duration::ZERO;

    fn place(&self) -> String {
        match self.connect.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", self.connect.get_host(), self.connect.get_port()),
        }
    }

    fn options(&self) -> SessionOptions {
        self.options
    }

    fn certificates(&self) -> Vec<(String, String)> {
        certificates(&self.connect)
    }

    async fn connect(&self) -> Result<MySqlConnection, sqlx::Error> {
        session::open(&self.connect).await
    }

    async fn describe(
        &self,
        connection: &mut MySqlConnection,
        sql: &str,
    ) -> Result<Vec<Column>, Refusal> {
        let described = prepared(connection, sql).await;
        let mut columns = match described {
            Ok(columns) => columns,
            Err(refused) => {
                let Some(number) = strange::number(&refused) else {
                    return Err(refused);
                };
                *connection = session::open(&self.connect).await?;
                return Err(strange::refusal(connection, number).await);
            }
        };
        documents::mark(connection, sql, &mut columns).await?;
        Ok(columns)
    }

    /// Its lists show only what other users do where one has rights to see it. So the query's locks
    /// are taken once more: what keeps us waiting is somebody who waits for a lock on one of its
    /// tables.
    async fn who_waits(
        &self,
        connection: &mut MySqlConnection,
        sql: &str,
        _: &Watched,
    ) -> Result<Waiting, sqlx::Error> {
        match locks::take(connection, sql).await {
            Ok(()) => Ok(Waiting::Nobody),
            Err(sqlx::Error::Database(error)) if Self::is_lock_timeout(error.as_ref()) => {
                let why = "another session waited for a lock on a table that it reads";
                Ok(Waiting::Somebody(why.to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    fn is_full(error: &dyn DatabaseError) -> bool {
        let error = error.try_downcast_ref::<MySqlDatabaseError>();
        error.is_some_and(|error| matches!(error.number(), 1040 | 1203 | 1226))
    }

    fn is_lock_timeout(error: &dyn DatabaseError) -> bool {
        let error = error.try_downcast_ref::<MySqlDatabaseError>();
        error.is_some_and(|error| error.number() == 1205)
    }

    async fn handle(connection: &mut MySqlConnection) -> Result<Self::Handle, sqlx::Error> {
        session::handle(connection).await
    }

    async fn end(&self, (server, id): Self::Handle) -> () {
        session::end(&self.connect, server, id).await
    }

    /// Nothing cheap is near the truth: only the operator's own limit is known.
    async fn estimate(&self, _: &mut MySqlConnection, sql: &str) -> Option<Expected> {
        let limit = sql.rsplit_once(" LIMIT ").and_then(|(_, n)| n.parse().ok());
        async move { limit.map(Expected::about) }.await
    }

    async fn plan(
        &self,
        connection: &mut MySqlConnection,
        sql: &str,
    ) -> Result<QueryPlan, sqlx::Error> {
        plan::of(connection, sql).await
    }

    async fn checkup(&self, connection: &mut MySqlConnection) -> Result<ServerInfo, sqlx::Error> {
        server::info(connection, self.options.statement_timeout).await
    }

    async fn role(&self, connection: &mut MySqlConnection) -> Result<Role, sqlx::Error> {
        Ok(role::role(connection).await)
    }

    async fn zone(&self, connection: &mut MySqlConnection) -> Option<ServerZone> {
        clock::zone(connection).await
    }

    async fn vitals(
        &self,
        connection: &mut MySqlConnection,
    ) -> Result<Option<SourceVitals>, sqlx::Error> {
        server::vitals(connection).await.map(Some)
    }

    async fn moment(
        &self,
        connection: &mut MySqlConnection,
    ) -> Result<Result<Moment, String>, sqlx::Error> {
        clock::moment(connection).await
    }

    async fn unique_keys(
        &self,
        connection: &mut MySqlConnection,
        table: &TableName,
    ) -> Result<UniqueKeys, sqlx::Error> {
        unique_keys::of(connection, table).await
    }

    fn explain(error: &dyn DatabaseError) -> Explained {
        errors::explain(error)
    }
}

impl Reader for Mysql {
    type Codec = Codec;

    fn codec(column: &Column, described: &MySqlColumn) -> Codec {
        match column.declared == documents::JSON {
            true => Codec::Json,
            false => Codec::of(described.type_info()),
        }
    }

    fn decode(codecs: &[Codec], query: &Query, row: &MySqlRow, out: &mut RowBatch) {
        for (i, codec) in codecs.iter().enumerate() {
            let hint = query.hints[i];
            out.push_cell(|out| {
                let value = row
                    .try_get_raw(i)
                    .map_err(|_| "the column is missing".to_owned())?;
                // Not `is_null`: the driver calls a zero date NULL, and that would hide it.
                let value = match <&[u8] as Decode<sqlx::MySql>>::decode(value) {
                    Err(_) => Scalar::Null,
                    Ok(wire) if hint == Some(Hint::Base64) && codec.is_bits() => {
                        Scalar::Bytes(wire)
                    }
                    Ok(wire) => codec.decode(wire)?,
                };
                encode(value, hint, out)
            });
        }
    }

    fn bind(arguments: &mut MySqlArguments, param: &Param) -> Result<(), BoxDynError> {
        match param {
            Param::Text(text) => arguments.add(text),
            Param::Int(integer) => arguments.add(*integer),
            Param::Texts(_) | Param::Ints(_) => Err("this database knows no arrays".into()),
        }
    }

    /// In one stream: there is no cursor to be had, and pages would sort or scan anew for each.
    async fn read(
        connection: &mut MySqlConnection,
        sql: &str,
        arguments: MySqlArguments,
        rows: &mut Rows<'_, Self>,
    ) -> Result<(), Broken> {
        let query = sqlx::query_with(safe(sql), arguments);
        rows.stream(query.fetch(&mut *connection)).await?;
        let whole = cut::check(connection, rows.label()).await?;
        whole.map_err(Broken::Failed)
    }
}

/// The columns of a prepared statement.
async fn prepared(connection: &mut MySqlConnection, sql: &str) -> Result<Vec<Column>, Refusal> {
    let statement = connection.prepare(safe(sql).into_sql_str()).await?;
    all(statement.columns(), codec::column)
}
