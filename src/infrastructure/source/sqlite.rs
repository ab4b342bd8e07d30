//! SQLite: values have types of their own here, and columns declare what they mean.

pub(super) mod dialect;
mod url;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{
    SqliteArguments, SqliteColumn, SqliteConnectOptions, SqliteConnection, SqliteRow,
};
use sqlx::{ConnectOptions as _, Decode, Executor as _, Row as _, TypeInfo as _, ValueRef as _};

use self::dialect::SqliteDialect;
use super::facts::{Facts, Role};
use super::{
    Adapter, Broken, Driver, Explained, Refusal, Rows, SessionOptions, Waiting, Watched, open, safe,
};
use crate::application::ports::{Dialect, Query, QueryPlan, Scan};
use crate::domain::changes::Moment;
use crate::domain::encode::{Date, Scalar, encode};
use crate::domain::expected::Expected;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::row::{Column, ColumnKind, RowBatch};

/// Virtual-machine steps between two looks at the clock.
const STEPS: i32 = 10_000;

/// Counting must cost less than a person notices.
const ESTIMATE_TIMEOUT: Duration = Duration::from_millis(100);

pub(super) struct SqliteFile {
    connect: SqliteConnectOptions,
    file: PathBuf,
    options: SessionOptions,
    /// It has a write-ahead log.
    has_log: AtomicBool,
}

impl SqliteFile {
    pub(super) fn new(url: &str, options: SessionOptions) -> Result<Self, Failure> {
        let connect = url::options(url)?
            .read_only(true)
            .create_if_missing(false)
            // Less than a connection may take: who has the lock is said, then.
            .busy_timeout(Duration::from_secs(4))
            .disable_statement_logging();
        Ok(Self {
            file: connect.get_filename().to_owned(),
            connect,
            options,
            has_log: AtomicBool::new(true),
        })
    }
}

impl SqliteFile {
    /// The file, and not another that was put in its place.
    fn origin(&self) -> String {
        let file = self.file.canonicalize();
        let file = file.as_deref().unwrap_or(&self.file);
        #[cfg(unix)]
        let which = {
            use std::os::unix::fs::MetadataExt as _;
            file.metadata().map_or(0, |metadata| metadata.ino())
        };
        #[cfg(not(unix))]
        let which = 0;
        format!("{}/{which}", file.display())
    }
}

pub(super) const DATABASE: Adapter = Adapter {
    schemes: &["sqlite"],
    dialect: &SqliteDialect,
    open: |url, options| Ok(open(SqliteFile::new(url, options)?)),
};

impl Driver for SqliteFile {
    type Db = sqlx::Sqlite;
    type Codec = Codec;
    /// Set: the query is to end.
    type Handle = Arc<AtomicBool>;

    const DIALECT: Dialect = &SqliteDialect;
    const PREFIX: &str = "";
    const GRACE: Duration = Duration::ZERO;

    fn place(&self) -> String {
        self.file.display().to_string()
    }

    fn options(&self) -> SessionOptions {
        self.options
    }

    async fn connect(&self) -> Result<SqliteConnection, sqlx::Error> {
        let mut connection = self.connect.connect().await?;
        // The file is read only now: one that is no database must fail here, not in a query.
        connection
            .execute("SELECT count(*) FROM sqlite_schema")
            .await?;
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
            .fetch_one(&mut connection)
            .await?;
        self.has_log
            .store(mode.eq_ignore_ascii_case("wal"), Ordering::Relaxed);
        Ok(connection)
    }

    fn who_waits<'c>(
        &'c self,
        _: &'c mut SqliteConnection,
        _: &'c str,
        _: &'c Watched,
    ) -> BoxFuture<'c, Result<Waiting, sqlx::Error>> {
        let waiting = match self.tells_who_waits() {
            true => Waiting::Nobody,
            false => Waiting::Unknown,
        };
        async { Ok(waiting) }.boxed()
    }

    /// With a write-ahead log nobody waits. Without one a writer waits until all readers are done,
    /// and which lock it has is not to be seen from within the process that reads.
    fn tells_who_waits(&self) -> bool {
        self.has_log.load(Ordering::Relaxed)
    }

    fn is_full(_: &dyn DatabaseError) -> bool {
        false
    }

    fn is_lock_timeout(_: &dyn DatabaseError) -> bool {
        false
    }

    /// The server that would end a query is this process.
    fn handle(
        connection: &mut SqliteConnection,
    ) -> BoxFuture<'_, Result<Arc<AtomicBool>, sqlx::Error>> {
        async move {
            let ended = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&ended);
            let mut handle = connection.lock_handle().await?;
            handle.set_progress_handler(STEPS, move || !seen.load(Ordering::Relaxed));
            Ok(ended)
        }
        .boxed()
    }

    fn end(&self, ended: Arc<AtomicBool>) -> BoxFuture<'_, ()> {
        ended.store(true, Ordering::Relaxed);
        async {}.boxed()
    }

    fn read<'c>(
        connection: &'c mut SqliteConnection,
        sql: &'c str,
        arguments: SqliteArguments,
        rows: &'c mut Rows<'_, Self>,
    ) -> BoxFuture<'c, Result<(), Broken>> {
        async move {
            let query = sqlx::query_with(safe(sql), arguments);
            rows.stream(query.fetch(connection)).await
        }
        .boxed()
    }

    /// A view tells the declared type of each column, which a prepared statement does not: that is
    /// how `NUMERIC(10,2)` keeps its digits and a timestamp its meaning.
    fn describe<'c>(
        &'c self,
        connection: &'c mut SqliteConnection,
        sql: &'c str,
    ) -> BoxFuture<'c, Result<Vec<Column>, Refusal>> {
        async move {
            connection
                .execute("DROP VIEW IF EXISTS temp.shopwarm_query")
                .await?;
            let view = format!("CREATE TEMP VIEW shopwarm_query AS {sql}");
            connection.execute(sqlx::raw_sql(safe(&view))).await?;
            let columns = connection
                .fetch_all("PRAGMA temp.table_info(shopwarm_query)")
                .await?;
            connection.execute("DROP VIEW temp.shopwarm_query").await?;
            let column = |row: &SqliteRow| {
                let declared = row.try_get::<String, _>("type")?.to_ascii_uppercase();
                Ok(Column {
                    name: row.try_get("name")?,
                    kind: kind(&declared),
                    declared,
                })
            };
            let columns: Result<Vec<Column>, sqlx::Error> = columns.iter().map(column).collect();
            let mut columns = columns?;
            name_as_written(&mut columns);
            Ok(columns)
        }
        .boxed()
    }

    fn codec(column: &Column, _: &SqliteColumn) -> Codec {
        Codec::of(&column.declared)
    }

    fn decode(codecs: &[Codec], query: &Query, row: &SqliteRow, out: &mut RowBatch) {
        for (i, codec) in codecs.iter().enumerate() {
            let hint = query.hints[i];
            out.push_cell(|out| {
                let failed = |_| "the column cannot be read".to_owned();
                let value = row
                    .try_get_raw(i)
                    .map_err(|_| "the column is missing".to_owned())?;
                if value.is_null() {
                    return encode(Scalar::Null, hint, out);
                }
                let storage = value.type_info().name().to_owned();
                let mut digits = String::new();
                let stored = match storage.as_str() {
                    "INTEGER" | "BOOLEAN" => {
                        Scalar::Int(<i64 as Decode<sqlx::Sqlite>>::decode(value).map_err(failed)?)
                    }
                    "REAL" => Scalar::Float64(
                        <f64 as Decode<sqlx::Sqlite>>::decode(value).map_err(failed)?,
                    ),
                    "BLOB" => Scalar::Bytes(
                        <&[u8] as Decode<sqlx::Sqlite>>::decode(value).map_err(failed)?,
                    ),
                    _ => Scalar::Text(
                        <&[u8] as Decode<sqlx::Sqlite>>::decode(value).map_err(failed)?,
                    ),
                };
                let value = codec.read(stored, &mut digits);
                if hint.is_none() {
                    codec.check(&value)?;
                }
                encode(value, hint, out)
            });
        }
    }

    /// Counting is the only way; what cannot be counted at once is not counted.
    fn estimate<'c>(
        &'c self,
        connection: &'c mut SqliteConnection,
        sql: &'c str,
    ) -> BoxFuture<'c, Option<Expected>> {
        async move {
            let deadline = Instant::now() + ESTIMATE_TIMEOUT;
            let mut handle = connection.lock_handle().await.ok()?;
            handle.set_progress_handler(STEPS, move || Instant::now() < deadline);
            drop(handle);
            let count = format!("SELECT count(*) FROM ({sql})");
            let count: i64 = sqlx::query_scalar(safe(&count))
                .fetch_one(connection)
                .await
                .ok()?;
            u64::try_from(count).ok().map(Expected::exactly)
        }
        .boxed()
    }

    fn plan<'c>(
        &'c self,
        connection: &'c mut SqliteConnection,
        sql: &'c str,
    ) -> BoxFuture<'c, Result<QueryPlan, sqlx::Error>> {
        async move {
            let explain = format!("EXPLAIN QUERY PLAN {sql}");
            let steps = connection.fetch_all(sqlx::query(safe(&explain))).await?;
            let mut plan = QueryPlan::default();
            let mut inner = Vec::new();
            for step in steps {
                let detail: String = step.try_get("detail")?;
                // A subquery, which is scanned as a table is, and is none.
                let subquery = ["CO-ROUTINE ", "MATERIALIZE "];
                inner.extend(
                    subquery
                        .iter()
                        .find_map(|word| detail.strip_prefix(word).map(str::to_owned)),
                );
                // `SCAN products`, and with an index `SCAN products USING INDEX ...`.
                if let Some(table) = detail.strip_prefix("SCAN ")
                    && !detail.contains(" USING ")
                    && !table.starts_with('(')
                    && !inner.iter().any(|name| name == table)
                {
                    plan.scans.push(Scan {
                        table: table.to_owned(),
                        rows: highest_row(connection, table).await,
                    });
                }
            }
            Ok(plan)
        }
        .boxed()
    }

    fn checkup<'c>(
        &'c self,
        connection: &'c mut SqliteConnection,
    ) -> BoxFuture<'c, Result<Facts, sqlx::Error>> {
        async move {
            let version: String = sqlx::query_scalar("SELECT sqlite_version()")
                .fetch_one(connection)
                .await?;
            let timeout = humantime::format_duration(self.options.statement_timeout);
            Ok(Facts {
                version: format!("SQLite {version}"),
                user: None,
                read_only: true,
                writing: "",
                statement_timeout: timeout.to_string(),
                role: Role::File,
                clock: None,
            })
        }
        .boxed()
    }

    /// What another program has open is not to be seen in a file; it is soon closed, as nobody else
    /// can write until then.
    fn moment<'c>(
        &'c self,
        connection: &'c mut SqliteConnection,
    ) -> BoxFuture<'c, Result<Result<Moment, String>, sqlx::Error>> {
        async move {
            let sql = "SELECT CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)";
            let now: i64 = sqlx::query_scalar(sql).fetch_one(connection).await?;
            Ok(Ok(Moment {
                origin: self.origin(),
                clock: now,
                now,
                oldest_open: None,
                doubt: None,
            }))
        }
        .boxed()
    }

    fn unique_keys<'c>(
        &'c self,
        connection: &'c mut SqliteConnection,
        table: &'c TableName,
    ) -> BoxFuture<'c, Result<UniqueKeys, sqlx::Error>> {
        async move {
            let (schema, table) = match table.parts.as_slice() {
                [table] => ("main", table),
                [schema, table] => (schema.as_str(), table),
                _ => return Ok(UniqueKeys::default()),
            };
            let sql = "SELECT 'primary', 1, name FROM pragma_table_info(?1, ?2) WHERE pk > 0
                UNION ALL
                SELECT i.name, 0, c.name FROM pragma_index_list(?1, ?2) i, pragma_index_info(i.name, ?2) c
                WHERE i.\"unique\" = 1 AND i.partial = 0";
            let rows: Vec<(String, bool, Option<String>)> = sqlx::query_as(sql)
                .bind(table)
                .bind(schema)
                .fetch_all(&mut *connection)
                .await?;
            let sql = "SELECT name, upper(type) FROM pragma_table_info(?1, ?2)";
            let types: Vec<(String, String)> = sqlx::query_as(sql)
                .bind(table)
                .bind(schema)
                .fetch_all(connection)
                .await?;
            let of_affinity = |wanted: Affinity| {
                let columns = types.iter().filter(move |(_, of)| affinity(of) == wanted);
                columns.map(|(name, _)| name.clone())
            };
            let mut unique = UniqueKeys::of(rows);
            // 1 and '1' are two values of such a column, and one text in a key.
            let none: Vec<String> = of_affinity(Affinity::None).collect();
            let is_sure = |key: &Vec<String>| !key.iter().any(|column| none.contains(column));
            unique.others.retain(is_sure);
            if !is_sure(&unique.primary) {
                unique.primary.clear();
            }
            unique.texts = of_affinity(Affinity::Text).collect();
            Ok(unique)
        }
        .boxed()
    }

    fn explain(error: &dyn DatabaseError) -> Explained {
        let code = error.code().unwrap_or_default();
        let message = error.message();
        // The extended codes keep the plain one in their low byte.
        let (kind, hint) = match code.parse::<u32>().map_or(0, |code| code & 0xff) {
            14 => (
                FailureKind::SourceUnreachable,
                Some("check the file's path and its permissions"),
            ),
            23 | 3 => (
                FailureKind::SourceDenied,
                Some("check the file's permissions"),
            ),
            5 | 6 => (
                FailureKind::SourceLost,
                Some("another program has the file locked; run again when it is done"),
            ),
            26 => (FailureKind::Config, Some("the file is no SQLite database")),
            9 => (FailureKind::Query, Some(super::TIMEOUT_HINT)),
            _ if message.contains("no such table") || message.contains("no such column") => {
                (FailureKind::Query, Some(super::SCHEMA_HINT))
            }
            _ => (FailureKind::Query, None),
        };
        Explained {
            kind,
            message: super::tidy(message),
            position: None,
            hint,
        }
    }
}

/// Two columns of one name are told apart by a suffix: `id`, `id:1`.
fn name_as_written(columns: &mut [Column]) {
    for i in 1..columns.len() {
        let (before, this) = columns.split_at_mut(i);
        let name = &mut this[0].name;
        let plain = name.rsplit_once(':').map(|(plain, _)| plain);
        if let Some(plain) = plain.filter(|plain| before.iter().any(|c| c.name == *plain)) {
            *name = plain.to_owned();
        }
    }
}

/// About how many rows a table has: the highest row number, which is found at once. A table that
/// the query calls by another name is not found.
async fn highest_row(connection: &mut SqliteConnection, table: &str) -> Option<u64> {
    let sql = format!(
        "SELECT max(_rowid_) FROM \"{}\"",
        table.replace('"', "\"\"")
    );
    let highest: Option<i64> = sqlx::query_scalar(safe(&sql))
        .fetch_one(connection)
        .await
        .ok()?;
    u64::try_from(highest.unwrap_or(0)).ok()
}

fn kind(declared: &str) -> ColumnKind {
    match declared {
        // BLOB and NUM is what the database calls a column or an expression without a type. Truth
        // is stored as a number, and looks like a word in a key.
        "" | "BLOB" | "NUM" | "BOOL" | "BOOLEAN" => ColumnKind::Unknown,
        t if t.contains("INT") => ColumnKind::Integer,
        t if t.contains("CHAR") || t.contains("TEXT") || t.contains("CLOB") => ColumnKind::Text,
        t => ColumnKind::Other(t.to_owned()),
    }
}

/// What a column's declared type says of its values.
#[derive(Clone, Copy, Debug)]
pub(super) enum Codec {
    AsStored,
    Bool,
    Number,
    /// With this many decimal places.
    Decimal(usize),
    Text,
    Date,
    Time,
    DateTime {
        zoned: bool,
    },
    Json,
}

impl Codec {
    /// A name that is not known here means what it means to the database, which goes by its affinity.
    fn of(declared: &str) -> Self {
        let (name, arguments) = declared.split_once('(').unwrap_or((declared, ""));
        let scale = arguments
            .trim_end_matches(')')
            .split_once(',')
            .map_or("0", |(_, s)| s.trim());
        match name.trim() {
            "BOOL" | "BOOLEAN" => Self::Bool,
            "NUMERIC" | "DECIMAL" => Self::Decimal(scale.parse().unwrap_or(0)),
            "DATE" => Self::Date,
            "TIME" | "TIME WITHOUT TIME ZONE" => Self::Time,
            "JSON" | "JSONB" => Self::Json,
            "UUID" => Self::Text,
            "DATETIME" | "TIMESTAMP" | "TIMESTAMP WITHOUT TIME ZONE" => Self::DateTime {
                zoned: declared.contains("WITH TIME ZONE"),
            },
            "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE" => Self::DateTime { zoned: true },
            _ => match affinity(declared) {
                Affinity::Text => Self::Text,
                Affinity::Number => Self::Number,
                Affinity::None => Self::AsStored,
            },
        }
    }

    /// A column has one JSON type, whatever its rows hold; the database keeps anything anywhere.
    fn check(self, value: &Scalar<'_>) -> Result<(), String> {
        let is_number = matches!(
            value,
            Scalar::Int(_) | Scalar::Float64(_) | Scalar::Decimal(_)
        );
        let (fits, kind) = match self {
            Self::Bool => (matches!(value, Scalar::Bool(_)), "bool"),
            Self::Number | Self::Decimal(_) => (is_number, "number"),
            Self::Text => (!is_number, "text"),
            Self::Date => (matches!(value, Scalar::Date(_)), "date YYYY-MM-DD"),
            Self::Time => (matches!(value, Scalar::Time { .. }), "time HH:MM:SS"),
            Self::DateTime { .. } => (
                matches!(value, Scalar::DateTime { .. }),
                "date and time YYYY-MM-DD HH:MM:SS",
            ),
            Self::AsStored | Self::Json => return Ok(()),
        };
        match fits {
            true => Ok(()),
            false => Err(format!(
                "cannot be read as {kind}, which its column is declared to be; CAST it, or say \
                 in `types` what the column holds"
            )),
        }
    }

    /// The stored value as its column means it; as stored where it does not look that way.
    fn read<'v>(self, stored: Scalar<'v>, digits: &'v mut String) -> Scalar<'v> {
        match (self, stored) {
            (Self::Bool, Scalar::Int(i @ (0 | 1))) => Scalar::Bool(i == 1),
            (Self::Decimal(scale), Scalar::Int(i)) => {
                *digits = i.to_string();
                pad(digits, scale);
                Scalar::Decimal(digits)
            }
            (Self::Decimal(scale), Scalar::Float64(f)) if f.is_finite() => {
                *digits = f.to_string();
                pad(digits, scale);
                Scalar::Decimal(digits)
            }
            (Self::Json, Scalar::Text(text)) => Scalar::Json(text),
            (Self::Date, Scalar::Text(text)) => match parse_date(text) {
                Some((date, b"")) => Scalar::Date(date),
                _ => stored,
            },
            (Self::Time, Scalar::Text(text)) => match parse_time(text) {
                Some((micros, b"")) => Scalar::Time { micros, utc: false },
                _ => stored,
            },
            (Self::DateTime { zoned }, Scalar::Text(text)) => {
                parse_date_time(text, zoned).unwrap_or(stored)
            }
            _ => stored,
        }
    }
}

/// Adds the zeros that the declared scale has and the stored number has not. Never rounds.
fn pad(digits: &mut String, scale: usize) {
    let places = digits
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len());
    if places < scale {
        if places == 0 {
            digits.push('.');
        }
        digits.extend(std::iter::repeat_n('0', scale - places));
    }
}

fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (head, rest) = text.split_at_checked(digits)?;
    let number = head.iter().try_fold(0_i64, |n, b| {
        b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0'))
    })?;
    Some((number, rest))
}

/// `YYYY-MM-DD`, and what follows.
fn parse_date(text: &[u8]) -> Option<(Date, &[u8])> {
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let (day, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let date = Date {
        year,
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
    };
    // A date that the calendar does not have comes back as another.
    (Date::from_unix_days(date.to_unix_days()) == date).then_some((date, rest))
}

/// `HH:MM[:SS[.ffffff]]` as microseconds, and what follows.
fn parse_time(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, rest) = number(text, 2)?;
    let (minute, mut rest) = number(rest.strip_prefix(b":")?, 2)?;
    let (mut second, mut micros) = (0, 0);
    if let Some(seconds) = rest.strip_prefix(b":") {
        (second, rest) = number(seconds, 2)?;
        if let Some(fraction) = rest.strip_prefix(b".") {
            let places = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            // More digits than a microsecond has would be lost.
            if places == 0 || places > 6 {
                return None;
            }
            let scale = 10_i64.pow(6 - u32::try_from(places).ok()?);
            micros = number(fraction, places)?.0 * scale;
            rest = &fraction[places..];
        }
    }
    let in_range = hour < 24 && minute < 60 && second < 60;
    // The end of the day, as the other databases have it, too.
    let is_end = (hour, minute, second, micros) == (24, 0, 0, 0);
    (in_range || is_end).then_some((
        ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros,
        rest,
    ))
}

/// A date and a time, with an offset or without; an offset is worked into UTC.
fn parse_date_time(text: &[u8], zoned: bool) -> Option<Scalar<'static>> {
    let (date, rest) = parse_date(text)?;
    let (micros, zone) = match rest {
        [] => (0, rest),
        [b'T' | b' ', time @ ..] => parse_time(time)?,
        _ => return None,
    };
    let offset_minutes = match zone {
        [] => None,
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), offset @ ..] => {
            let (hours, rest) = number(offset, 2)?;
            let minutes = match rest {
                [] => 0,
                [b':', rest @ ..] => number(rest, 2).filter(|(_, rest)| rest.is_empty())?.0,
                rest => number(rest, 2).filter(|(_, rest)| rest.is_empty())?.0,
            };
            let offset = hours * 60 + minutes;
            Some(if *sign == b'-' { -offset } else { offset })
        }
        _ => return None,
    };
    let unix =
        date.to_unix_days() * 86_400_000_000 + micros - offset_minutes.unwrap_or(0) * 60_000_000;
    Some(Scalar::date_time_from_unix_micros(
        unix,
        zoned || offset_minutes.is_some(),
    ))
}

/// What a column does with a value of another type, see <https://sqlite.org/datatype3.html>, 3.1.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Affinity {
    Text,
    Number,
    /// It keeps every value as it is.
    None,
}

/// `declared`: in capital letters.
fn affinity(declared: &str) -> Affinity {
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if has(&["INT"]) {
        Affinity::Number
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Affinity::Text
    } else if declared.is_empty() || has(&["BLOB"]) || declared == "ANY" {
        Affinity::None
    } else {
        Affinity::Number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(declared: &str, stored: Scalar<'_>) -> String {
        let (mut digits, mut out) = (String::new(), Vec::new());
        let codec = Codec::of(declared);
        let value = codec.read(stored, &mut digits);
        codec.check(&value).expect("is what its column is");
        encode(value, None, &mut out).expect("has a JSON form");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_declared_type_gives_a_stored_value_its_meaning() {
        for (declared, stored, expected) in [
            ("NUMERIC(10,2)", Scalar::Int(20), "20.00"),
            ("NUMERIC(10,2)", Scalar::Float64(19.9), "19.90"),
            ("DECIMAL(10, 2)", Scalar::Float64(0.125), "0.125"),
            ("NUMERIC", Scalar::Float64(1.5), "1.5"),
            ("BOOLEAN", Scalar::Int(1), "true"),
            (
                "TIMESTAMPTZ",
                Scalar::Text(b"2026-01-01 02:00:00"),
                "\"2026-01-01T02:00:00+00:00\"",
            ),
            (
                "TIMESTAMP",
                Scalar::Text(b"2026-01-01 02:00:00"),
                "\"2026-01-01T02:00:00\"",
            ),
            (
                "TIMESTAMP",
                Scalar::Text(b"2026-01-01T00:30:00.5+01:00"),
                "\"2025-12-31T23:30:00.500000+00:00\"",
            ),
            ("DATE", Scalar::Text(b"2026-01-31"), "\"2026-01-31\""),
            ("JSON", Scalar::Text(b"{ }"), "{}"),
            ("", Scalar::Text(b"2026-01-31"), "\"2026-01-31\""),
        ] {
            assert_eq!(read(declared, stored), expected, "{declared} {stored:?}");
        }
    }
}
