//! MySQL and MariaDB.

mod ask;
mod clock;
mod codec;
mod cut;
pub(super) mod dialect;
mod documents;
mod errors;
mod locks;
mod plan;
mod role;
mod session;
mod strange;
mod url;
mod variables;

use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::error::DatabaseError;
use sqlx::mysql::{
    MySqlArguments, MySqlColumn, MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlRow,
};
use sqlx::{Column as _, Decode, Executor as _, Row as _};

use self::ask::{is_on, setting, text};
use self::codec::Codec;
use self::dialect::MysqlDialect;
use self::role::role;
use super::facts::{Clock, Facts, Role};
use super::{
    Adapter, Broken, Driver, Explained, Refusal, Rows, SessionOptions, Waiting, Watched,
    certificates, open, prepared, safe,
};
use crate::application::ports::{Dialect, Query, QueryPlan, SourceVitals};
use crate::domain::changes::Moment;
use crate::domain::encode::{Hint, Scalar, encode};
use crate::domain::expected::Expected;
use crate::domain::failure::Failure;
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::row::{Column, RowBatch};
use crate::domain::server::ServerZone;

pub(super) struct Mysql {
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

pub(super) const DATABASE: Adapter = Adapter {
    schemes: &["mysql", "mariadb"],
    dialect: &MysqlDialect,
    open: |url, options| Ok(open(Mysql::new(url, options)?)),
};

impl Driver for Mysql {
    type Db = sqlx::MySql;
    type Codec = Codec;
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

    fn describe<'c>(
        &'c self,
        connection: &'c mut MySqlConnection,
        sql: &'c str,
    ) -> BoxFuture<'c, Result<Vec<Column>, Refusal>> {
        async move {
            let described = prepared::<Self>(connection, sql, codec::column).await;
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
        .boxed()
    }

    /// Its lists show only what other users do where one has rights to see it. So the query's locks
    /// are taken once more: what keeps us waiting is somebody who waits for a lock on one of its
    /// tables.
    fn who_waits<'c>(
        &'c self,
        connection: &'c mut MySqlConnection,
        sql: &'c str,
        _: &'c Watched,
    ) -> BoxFuture<'c, Result<Waiting, sqlx::Error>> {
        async move {
            match locks::take(connection, sql).await {
                Ok(()) => Ok(Waiting::Nobody),
                Err(sqlx::Error::Database(error)) if Self::is_lock_timeout(error.as_ref()) => {
                    let why = "another session waited for a lock on a table that it reads";
                    Ok(Waiting::Somebody(why.to_owned()))
                }
                Err(error) => Err(error),
            }
        }
        .boxed()
    }

    fn is_full(error: &dyn DatabaseError) -> bool {
        let error = error.try_downcast_ref::<MySqlDatabaseError>();
        error.is_some_and(|error| matches!(error.number(), 1040 | 1203 | 1226))
    }

    fn is_lock_timeout(error: &dyn DatabaseError) -> bool {
        let error = error.try_downcast_ref::<MySqlDatabaseError>();
        error.is_some_and(|error| error.number() == 1205)
    }

    fn handle(
        connection: &mut MySqlConnection,
    ) -> BoxFuture<'_, Result<Self::Handle, sqlx::Error>> {
        session::handle(connection).boxed()
    }

    fn end(&self, (server, id): Self::Handle) -> BoxFuture<'_, ()> {
        session::end(&self.connect, server, id).boxed()
    }

    /// In one stream: there is no cursor to be had, and pages would sort or scan anew for each.
    fn read<'c>(
        connection: &'c mut MySqlConnection,
        sql: &'c str,
        arguments: MySqlArguments,
        rows: &'c mut Rows<'_, Self>,
    ) -> BoxFuture<'c, Result<(), Broken>> {
        async move {
            let query = sqlx::query_with(safe(sql), arguments);
            rows.stream(query.fetch(&mut *connection)).await?;
            let whole = cut::check(connection, rows.label()).await?;
            whole.map_err(Broken::Failed)
        }
        .boxed()
    }

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

    /// Nothing cheap is near the truth: only the operator's own limit is known.
    fn estimate<'c>(
        &'c self,
        _: &'c mut MySqlConnection,
        sql: &'c str,
    ) -> BoxFuture<'c, Option<Expected>> {
        let limit = sql.rsplit_once(" LIMIT ").and_then(|(_, n)| n.parse().ok());
        async move { limit.map(Expected::about) }.boxed()
    }

    fn plan<'c>(
        &'c self,
        connection: &'c mut MySqlConnection,
        sql: &'c str,
    ) -> BoxFuture<'c, Result<QueryPlan, sqlx::Error>> {
        plan::of(connection, sql).boxed()
    }

    fn checkup<'c>(
        &'c self,
        connection: &'c mut MySqlConnection,
    ) -> BoxFuture<'c, Result<Facts, sqlx::Error>> {
        async move {
            let before = SystemTime::now();
            let seconds = "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) AS CHAR)";
            let seconds = text(connection, seconds).await?;
            let after = SystemTime::now();
            let version = text(connection, "SELECT VERSION()").await?;
            let (name, read_only) = match version.contains("MariaDB") {
                true => ("MariaDB", "tx_read_only"),
                false => ("MySQL", "transaction_read_only"),
            };
            let timeout = humantime::format_duration(self.options.statement_timeout);
            let number = version.split('-').next().unwrap_or(&version);
            Ok(Facts {
                version: format!("{name} {number}"),
                user: Some(text(connection, "SELECT CURRENT_USER()").await?),
                read_only: is_on(setting(connection, read_only).await),
                writing: "",
                statement_timeout: timeout.to_string(),
                role: role(connection).await,
                clock: Some(Clock {
                    theirs: seconds.parse().ok(),
                    before,
                    after,
                }),
            })
        }
        .boxed()
    }

    fn role<'c>(
        &'c self,
        connection: &'c mut MySqlConnection,
    ) -> BoxFuture<'c, Result<Role, sqlx::Error>> {
        role(connection).map(Ok).boxed()
    }

    fn zone<'c>(
        &'c self,
        connection: &'c mut MySqlConnection,
    ) -> BoxFuture<'c, Option<ServerZone>> {
        clock::zone(connection).boxed()
    }

    fn vitals<'c>(
        &'c self,
        connection: &'c mut MySqlConnection,
    ) -> BoxFuture<'c, Result<Option<SourceVitals>, sqlx::Error>> {
        async move {
            let asked = Instant::now();
            text(connection, "SELECT 'here'").await?;
            let latency = asked.elapsed();
            let running = connection
                .fetch_one("SHOW GLOBAL STATUS LIKE 'Threads_running'")
                .await?;
            let running: &[u8] = running.try_get_unchecked(1)?;
            let running = String::from_utf8_lossy(running).parse::<u64>().ok();
            Ok(Some(SourceVitals {
                latency,
                active: running.map(|running| running.saturating_sub(1)),
                lag: role::lag(connection).await,
            }))
        }
        .boxed()
    }

    fn moment<'c>(
        &'c self,
        connection: &'c mut MySqlConnection,
    ) -> BoxFuture<'c, Result<Result<Moment, String>, sqlx::Error>> {
        clock::moment(connection).boxed()
    }

    fn unique_keys<'c>(
        &'c self,
        connection: &'c mut MySqlConnection,
        table: &'c TableName,
    ) -> BoxFuture<'c, Result<UniqueKeys, sqlx::Error>> {
        async move {
            let sql = format!("SHOW KEYS FROM {} WHERE Non_unique = 0", table.name);
            let rows = connection.fetch_all(sqlx::query(safe(&sql))).await?;
            let key = |row: &MySqlRow| {
                let name: &[u8] = row.try_get_unchecked("Key_name")?;
                let name = String::from_utf8_lossy(name).into_owned();
                let column: Option<&[u8]> = row.try_get_unchecked("Column_name")?;
                let column = column.map(|column| String::from_utf8_lossy(column).into_owned());
                let is_primary = name == "PRIMARY";
                Ok((name, is_primary, column))
            };
            let rows = rows
                .iter()
                .map(key)
                .collect::<Result<Vec<_>, sqlx::Error>>();
            let columns = format!("SHOW COLUMNS FROM {}", table.name);
            let columns = connection.fetch_all(sqlx::query(safe(&columns))).await?;
            let text = |row: &MySqlRow, name| -> Result<String, sqlx::Error> {
                let text: &[u8] = row.try_get_unchecked(name)?;
                Ok(String::from_utf8_lossy(text).into_owned())
            };
            let mut unique = UniqueKeys::of(rows?);
            for column in &columns {
                if is_text(&text(column, "Type")?) {
                    unique.texts.push(text(column, "Field")?);
                }
            }
            Ok(unique)
        }
        .boxed()
    }

    fn explain(error: &dyn DatabaseError) -> Explained {
        errors::explain(error)
    }
}

/// Whether a column of a type, as SHOW COLUMNS names it, holds text.
fn is_text(column_type: &str) -> bool {
    let texts = [
        "char", "text", "blob", "binary", "enum", "set", "json", "uuid", "inet",
    ];
    texts.iter().any(|text| column_type.contains(text))
}
