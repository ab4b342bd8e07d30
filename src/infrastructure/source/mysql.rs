//! MySQL and MariaDB: the binary protocol's formats, straight to JSON.

use std::str::FromStr as _;
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value as Json;
use sqlx::error::DatabaseError;
use sqlx::mysql::{
    MySqlArguments, MySqlColumn, MySqlConnectOptions, MySqlConnection, MySqlDatabaseError,
    MySqlRow, MySqlTypeInfo,
};
use sqlx::{
    Column as _, ConnectOptions as _, Connection as _, Decode, Executor as _, Row as _, Type,
    TypeInfo as _,
};
use tokio::time::timeout;

use super::facts::{Clock, Facts, Role};
use super::session::CONNECT_TIMEOUT;
use super::{
    Broken, Driver, Explained, Refusal, Rows, SessionOptions, invalid_url, prepared, safe,
};
use crate::application::ports::{Query, QueryPlan, Scan, SourceVitals};
use crate::domain::Dialect;
use crate::domain::changes::{FARTHEST_ZONE, Moment, TrackedTable};
use crate::domain::encode::{Date, Scalar, encode};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::row::{Column, ColumnKind, RowBatch};

/// What tells one server from another behind the same address.
const SERVER: &str = "SELECT CONCAT_WS(':', @@hostname, @@port, @@server_id)";

pub(super) struct Mysql {
    connect: MySqlConnectOptions,
    options: SessionOptions,
}

impl Mysql {
    pub(super) fn new(url: &str, options: SessionOptions) -> Result<Self, Failure> {
        let connect =
            MySqlConnectOptions::from_str(url).map_err(|_| invalid_url("it cannot be parsed"))?;
        Ok(Self {
            connect: connect.disable_statement_logging(),
            options,
        })
    }
}

impl Driver for Mysql {
    type Db = sqlx::MySql;
    type Codec = Codec;
    /// The connection's number at the server.
    /// The server, and the session there.
    type Handle = (String, u64);

    const DIALECT: Dialect = Dialect::Mysql;
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

    async fn connect(&self) -> Result<MySqlConnection, sqlx::Error> {
        let mut connection = self.connect.connect().await?;
        for setting in [
            "SET SESSION TRANSACTION READ ONLY",
            // Orders with their items are put together by GROUP_CONCAT, which cuts silently.
            "SET SESSION group_concat_max_len = 67108864",
            // The server gives up on a client that does not read for a minute, else; and a slow
            // cache may keep us from reading.
            "SET SESSION net_write_timeout = 86400",
        ] {
            connection.execute(setting).await?;
        }
        // The server's own limit runs also while it waits for us: we keep it. MariaDB knows the
        // first, MySQL the second.
        if connection
            .execute("SET SESSION max_statement_time = 0")
            .await
            .is_err()
        {
            connection
                .execute("SET SESSION max_execution_time = 0")
                .await?;
        }
        Ok(connection)
    }

    fn describe<'c>(
        &'c self,
        connection: &'c mut MySqlConnection,
        sql: &'c str,
    ) -> BoxFuture<'c, Result<Vec<Column>, Refusal>> {
        prepared::<Self>(connection, sql, |described| {
            let declared = described.type_info().name().to_owned();
            let kind = match Codec::of(described.type_info()) {
                Codec::Unknown => return Err(declared.to_ascii_lowercase()),
                Codec::Bool | Codec::Int => ColumnKind::Integer,
                // The other unsigned ones fit into a signed parameter.
                Codec::Uint if declared != "BIGINT UNSIGNED" => ColumnKind::Integer,
                Codec::Text => ColumnKind::Text,
                _ => ColumnKind::Other(declared.clone()),
            };
            Ok(Column {
                name: described.name().to_owned(),
                kind,
                declared,
            })
        })
        .boxed()
    }

    fn handle(
        connection: &mut MySqlConnection,
    ) -> BoxFuture<'_, Result<Self::Handle, sqlx::Error>> {
        async move {
            let server = sqlx::query_scalar(SERVER);
            let server = server.fetch_one(&mut *connection).await?;
            let id = sqlx::query_scalar("SELECT CONNECTION_ID()");
            Ok((server, id.fetch_one(connection).await?))
        }
        .boxed()
    }

    /// A server runs a query on whose client has gone, so another session ends it: at the same
    /// server, which an address need not be, and only what is ours.
    fn end(&self, (server, id): Self::Handle) -> BoxFuture<'_, ()> {
        async move {
            let ours = format!(
                "SELECT COUNT(*) FROM information_schema.processlist
                 WHERE id = {id} AND info LIKE '/* shopwarm %'"
            );
            let kill = format!("KILL QUERY {id}");
            let killed = async {
                let mut connection = self.connect.connect().await?;
                let here: String = sqlx::query_scalar(SERVER)
                    .fetch_one(&mut connection)
                    .await?;
                let ours = sqlx::query_scalar::<_, i64>(safe(&ours));
                if here == server && ours.fetch_one(&mut connection).await? > 0 {
                    connection.execute(sqlx::raw_sql(safe(&kill))).await?;
                }
                connection.close().await
            };
            let _ = timeout(CONNECT_TIMEOUT, killed).await;
        }
        .boxed()
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
            rows.stream(query.fetch(connection)).await
        }
        .boxed()
    }

    fn codec(_: &Column, described: &MySqlColumn) -> Codec {
        Codec::of(described.type_info())
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
                    Ok(wire) => codec.decode(wire)?,
                };
                encode(value, hint, out)
            });
        }
    }

    /// Nothing cheap is near the truth: only the operator's own limit is known.
    fn estimate<'c>(_: &'c mut MySqlConnection, sql: &'c str) -> BoxFuture<'c, Option<u64>> {
        let limit = sql.rsplit_once(" LIMIT ").and_then(|(_, n)| n.parse().ok());
        async move { limit }.boxed()
    }

    fn plan<'c>(
        connection: &'c mut MySqlConnection,
        sql: &'c str,
    ) -> BoxFuture<'c, Result<QueryPlan, sqlx::Error>> {
        async move {
            let explain = format!("EXPLAIN FORMAT=JSON {sql}");
            let row = connection.fetch_one(sqlx::query(safe(&explain))).await?;
            let text: &[u8] = row.try_get_unchecked(0)?;
            let plan: Json = serde_json::from_slice(text).unwrap_or_default();
            let block = &plan["query_block"];
            let mut found = QueryPlan {
                // MariaDB from 11 on, and MySQL, which writes it as a text.
                cost: block["cost"]
                    .as_f64()
                    .or_else(|| block["cost_info"]["query_cost"].as_str()?.parse().ok()),
                ..QueryPlan::default()
            };
            find_scans(block, &mut found.scans);
            Ok(found)
        }
        .boxed()
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

    fn vitals<'c>(
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
            let role = role(connection).await;
            let is_replica = match role {
                Role::Primary | Role::File => Some(false),
                Role::Replica(_) => Some(true),
                Role::ReadOnly(_) => None,
            };
            let lag = match role {
                Role::Replica(Ok(lag)) => Duration::try_from_secs_f64(lag).ok(),
                _ => None,
            };
            Ok(Some(SourceVitals {
                latency,
                active: running.map(|running| running.saturating_sub(1)),
                lag,
                is_replica,
            }))
        }
        .boxed()
    }

    fn moment<'c>(
        &'c self,
        connection: &'c mut MySqlConnection,
    ) -> BoxFuture<'c, Result<Result<Moment, String>, sqlx::Error>> {
        async move {
            // Before what is open: one that begins between the two is later than this.
            let now = text(connection, "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) AS CHAR)").await?;
            let Some(now) = micros(&now) else {
                return Ok(Err("its clock cannot be read".to_owned()));
            };
            let (lag, mut doubt) = match role(connection).await {
                Role::Replica(Ok(seconds)) => (
                    (seconds * 1e6) as i64 + 1_000_000,
                    Some("it is a replica, which does not show what is open at its primary"),
                ),
                Role::Replica(Err(why)) => {
                    return Ok(Err(format!("how far behind it is is not known: {why}")));
                }
                Role::ReadOnly(why) => (0, Some(why)),
                Role::Primary | Role::File => (0, None),
            };
            let open = text(connection, OPEN).await;
            if open.is_err() {
                doubt.get_or_insert(
                    "it does not show this user what others have open (GRANT PROCESS)",
                );
            }
            let zone = text(connection, ZONE).await;
            let server = text(connection, SERVER).await?;
            let schema = text(connection, "SELECT COALESCE(DATABASE(), '')").await?;
            Ok(Ok(Moment {
                origin: format!("{server}/{schema}"),
                now: now - lag,
                oldest_open: open.ok().as_deref().and_then(micros),
                zone: zone
                    .ok()
                    .and_then(|zone| zone.parse().ok())
                    .unwrap_or(FARTHEST_ZONE),
                doubt: doubt.map(str::to_owned),
            }))
        }
        .boxed()
    }

    fn primary_key<'c>(
        connection: &'c mut MySqlConnection,
        table: &'c TrackedTable,
    ) -> BoxFuture<'c, Result<Vec<String>, sqlx::Error>> {
        async move {
            let sql = format!("SHOW KEYS FROM {} WHERE Key_name = 'PRIMARY'", table.name);
            let rows = connection.fetch_all(sqlx::query(safe(&sql))).await?;
            let column = |row: &MySqlRow| {
                let name: &[u8] = row.try_get_unchecked("Column_name")?;
                Ok(String::from_utf8_lossy(name).into_owned())
            };
            rows.iter().map(column).collect()
        }
        .boxed()
    }

    fn explain(error: &dyn DatabaseError) -> Explained {
        let error = error.try_downcast_ref::<MySqlDatabaseError>();
        let (kind, hint) = match error.map_or(0, MySqlDatabaseError::number) {
            1044 | 1045 | 1698 => (
                FailureKind::SourceDenied,
                Some("check user and password in the database URL"),
            ),
            1142 | 1143 | 1227 => (
                FailureKind::SourceDenied,
                Some(
                    "GRANT SELECT on the table to this user, or leave the strategy out with --exclude",
                ),
            ),
            1049 => (
                FailureKind::Config,
                Some("check the database's name in the URL"),
            ),
            1040 | 1203 | 1226 => (
                FailureKind::SourceUnreachable,
                Some("the server has no connection left; shopwarm needs one"),
            ),
            1053 | 1927 | 3169 | 4031 => (
                FailureKind::SourceUnreachable,
                Some("the server is stopping, or ended the session; run again when it is up"),
            ),
            1205 | 1213 => (FailureKind::SourceLost, None),
            1054 | 1146 => (FailureKind::Query, Some(super::SCHEMA_HINT)),
            1969 | 3024 => (FailureKind::Query, Some(super::TIMEOUT_HINT)),
            _ => (FailureKind::Query, None),
        };
        Explained {
            kind,
            message: error.map_or_else(|| "refused".to_owned(), |e| super::tidy(e.message())),
            position: None,
            hint,
        }
    }
}

/// When the oldest transaction began, which the server tells in its system's time zone.
const OPEN: &str = "
    SELECT COALESCE(CAST(UNIX_TIMESTAMP(CONVERT_TZ(MIN(trx_started), 'SYSTEM', '+00:00')) AS CHAR), '')
    FROM information_schema.innodb_trx WHERE trx_mysql_thread_id <> CONNECTION_ID()";

/// How far behind UTC a session's clock is that has chosen no time zone.
const ZONE: &str = "
    SELECT CAST(LEAST(0, TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(),
        CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', @@global.time_zone))) AS CHAR)";

/// A number of seconds, with or without a fraction, in microseconds.
fn micros(seconds: &str) -> Option<i64> {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let fraction: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    whole
        .parse::<i64>()
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(fraction)
}

/// The one text that a query returns.
async fn text(connection: &mut MySqlConnection, sql: &str) -> Result<String, sqlx::Error> {
    let row = connection.fetch_one(sqlx::query(safe(sql))).await?;
    let text: &[u8] = row.try_get_unchecked(0)?;
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// A variable of the server's.
async fn setting(connection: &mut MySqlConnection, name: &'static str) -> Option<String> {
    let sql = format!("SELECT CAST(@@{name} AS CHAR)");
    text(connection, &sql).await.ok()
}

fn is_on(setting: Option<String>) -> bool {
    // Servers differ in how they write a truth.
    setting.is_some_and(|on| matches!(on.to_ascii_uppercase().as_str(), "1" | "ON" | "YES"))
}

/// Whether it is a replica, and how far behind.
async fn role(connection: &mut MySqlConnection) -> Role {
    // Newer servers know the first, older ones the second.
    let mut status = connection.fetch_optional("SHOW REPLICA STATUS").await;
    if status.is_err() {
        status = connection.fetch_optional("SHOW SLAVE STATUS").await;
    }
    match status {
        Ok(Some(row)) => {
            let names = ["Seconds_Behind_Source", "Seconds_Behind_Master"];
            let seconds = names
                .iter()
                .find_map(|name| row.try_get_unchecked::<Option<i64>, _>(*name).ok());
            Role::Replica(match seconds.flatten() {
                Some(seconds) => Ok(seconds as f64),
                None => Err("it does not replicate now".to_owned()),
            })
        }
        Ok(None) => Role::Primary,
        // A user may not ask; a server that takes no writes is one all the same.
        Err(_) if is_on(setting(connection, "global.read_only").await) => {
            Role::ReadOnly("this user may not ask (REPLICA MONITOR)")
        }
        Err(_) => Role::Primary,
    }
}

fn malformed() -> String {
    "the database sent a value of another format than its type has".to_owned()
}

/// The tables that a plan reads from end to end.
fn find_scans(plan: &Json, found: &mut Vec<Scan>) {
    match plan {
        Json::Object(fields) => {
            if let Some(table) = fields.get("table_name").and_then(Json::as_str)
                && fields
                    .get("access_type")
                    .is_some_and(|access| access == "ALL")
                && !table.starts_with('<')
            {
                let rows = ["rows", "rows_examined_per_scan"];
                found.push(Scan {
                    table: table.to_owned(),
                    rows: rows.iter().find_map(|name| fields.get(*name)?.as_u64()),
                });
            }
            fields.values().for_each(|inner| find_scans(inner, found));
        }
        Json::Array(items) => items.iter().for_each(|inner| find_scans(inner, found)),
        _ => {}
    }
}

/// How to read one type's binary format.
#[derive(Clone, Copy, Debug)]
pub(super) enum Codec {
    Bool,
    Int,
    Uint,
    Float,
    Double,
    Decimal,
    Text,
    Bytes,
    Json,
    Date,
    DateTime,
    Timestamp,
    Time,
    Null,
    Unknown,
}

impl Codec {
    fn of(info: &MySqlTypeInfo) -> Self {
        // The driver names a text with a `_bin` collation as if it were binary. The server converts
        // every text to UTF-8, and nothing else is compatible with one.
        if <str as Type<sqlx::MySql>>::compatible(info) {
            return Self::Text;
        }
        match info.name() {
            "BOOLEAN" => Self::Bool,
            "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => Self::Int,
            "TINYINT UNSIGNED" | "SMALLINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "INT UNSIGNED"
            | "BIGINT UNSIGNED" | "YEAR" => Self::Uint,
            "FLOAT" => Self::Float,
            "DOUBLE" => Self::Double,
            "DECIMAL" => Self::Decimal,
            "CHAR" | "VARCHAR" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT" | "ENUM"
            | "SET" => Self::Text,
            "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" | "BIT" => {
                Self::Bytes
            }
            "JSON" => Self::Json,
            "DATE" => Self::Date,
            "DATETIME" => Self::DateTime,
            "TIMESTAMP" => Self::Timestamp,
            "TIME" => Self::Time,
            "NULL" => Self::Null,
            _ => Self::Unknown,
        }
    }

    fn decode(self, wire: &[u8]) -> Result<Scalar<'_>, String> {
        Ok(match self {
            // TINYINT(1) is how this database writes BOOLEAN, and also a small number.
            Self::Bool => match signed(wire)? {
                0 => Scalar::Bool(false),
                1 => Scalar::Bool(true),
                other => Scalar::Int(other),
            },
            Self::Int => Scalar::Int(signed(wire)?),
            Self::Uint => Scalar::Uint(unsigned(wire)?),
            Self::Float => Scalar::Float32(f32::from_le_bytes(
                wire.try_into().map_err(|_| malformed())?,
            )),
            Self::Double => Scalar::Float64(f64::from_le_bytes(
                wire.try_into().map_err(|_| malformed())?,
            )),
            Self::Decimal => Scalar::Decimal(decimal(wire)?),
            Self::Text => Scalar::Text(wire),
            Self::Bytes => Scalar::Bytes(wire),
            Self::Json => Scalar::Json(wire),
            Self::Date => Scalar::Date(date_time(wire)?.0),
            // Sessions run in UTC, so that is what a TIMESTAMP comes in.
            Self::DateTime | Self::Timestamp => {
                let (date, micros) = date_time(wire)?;
                let utc = matches!(self, Self::Timestamp);
                Scalar::DateTime { date, micros, utc }
            }
            Self::Time => Scalar::Time {
                micros: time(wire)?,
                utc: false,
            },
            Self::Null => Scalar::Null,
            Self::Unknown => return Err("its type has no JSON form".into()),
        })
    }
}

fn unsigned(wire: &[u8]) -> Result<u64, String> {
    if wire.len() > 8 {
        return Err(malformed());
    }
    let bytes = wire.iter().rev();
    Ok(bytes.fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn signed(wire: &[u8]) -> Result<i64, String> {
    let unused = 64 - 8 * u32::try_from(wire.len()).unwrap_or_default().clamp(1, 8);
    Ok((unsigned(wire)? << unused).cast_signed() >> unused)
}

/// The digits, without the zeros in front that ZEROFILL adds.
fn decimal(wire: &[u8]) -> Result<&str, String> {
    let mut text = std::str::from_utf8(wire).map_err(|_| malformed())?;
    while let Some(rest) = text.strip_prefix('0')
        && rest.starts_with(|c: char| c.is_ascii_digit())
    {
        text = rest;
    }
    Ok(text)
}

/// A length byte, then as much of year, month, day, hour, minute, second, microsecond as is not
/// zero at the end.
fn date_time(wire: &[u8]) -> Result<(Date, i64), String> {
    let fields = wire.get(1..).ok_or_else(malformed)?;
    let at = |i: usize| fields.get(i).copied().unwrap_or(0);
    let date = Date {
        year: i64::from(u16::from_le_bytes([at(0), at(1)])),
        month: at(2),
        day: at(3),
    };
    if date.month == 0 || date.day == 0 {
        return Err("a zero date is no date".into());
    }
    let seconds = i64::from(at(4)) * 3600 + i64::from(at(5)) * 60 + i64::from(at(6));
    let micros = u32::from_le_bytes([at(7), at(8), at(9), at(10)]);
    Ok((date, seconds * 1_000_000 + i64::from(micros)))
}

/// A length byte, then sign, days, hours, minutes, seconds, microseconds.
fn time(wire: &[u8]) -> Result<i64, String> {
    let fields = wire.get(1..).ok_or_else(malformed)?;
    let at = |i: usize| fields.get(i).copied().unwrap_or(0);
    let int = |i: usize| i64::from(u32::from_le_bytes([at(i), at(i + 1), at(i + 2), at(i + 3)]));
    let hours = int(1) * 24 + i64::from(at(5));
    let seconds = hours * 3600 + i64::from(at(6)) * 60 + i64::from(at(7));
    let micros = seconds * 1_000_000 + int(8);
    Ok(if at(0) == 1 { -micros } else { micros })
}
