//! Sessions with a SQLite file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::sqlite::{
    SqliteArguments, SqliteColumn, SqliteConnectOptions, SqliteConnection, SqliteRow,
    SqliteValueRef,
};
use sqlx::{
    Arguments as _, ConnectOptions as _, Decode, Executor as _, Row as _, TypeInfo as _,
    ValueRef as _,
};

use super::super::driver::{Answer, Driver, Refusal, safe};
use super::super::errors::Explained;
use super::super::options::SessionOptions;
use super::super::rows::{Broken, NO_COLUMN, Reader, Rows, arguments};
use super::super::server_info::{Role, ServerInfo};
use super::super::watched::{Waiting, Watched};
use super::codec::Codec;
use super::dialect::SqliteDialect;
use super::{columns, errors, schema, tables, url};
use crate::application::ports::{Dialect, Param, QueryPlan};
use crate::domain::changes::Moment;
use crate::domain::encode::{Hint, Scalar, encode};
use crate::domain::expected::Expected;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::row::Column;
use crate::domain::schema::Schema;
use crate::domain::session_zone::SessionZone;
use crate::domain::wording::exactly;

/// Virtual-machine steps between two checks of the clock.
const STEPS: i32 = 10_000;

/// Counting must not be noticeable.
const ESTIMATE_TIMEOUT: Duration = Duration::from_millis(100);

pub(crate) struct SqliteFile {
    connect: SqliteConnectOptions,
    file: PathBuf,
    statement_timeout: Duration,
    /// Whether it has a write-ahead log.
    has_log: AtomicBool,
}

impl SqliteFile {
    pub(super) fn new(url: &str, options: &SessionOptions) -> Result<Self, Failure> {
        let zone = &options.zone;
        if !zone.is_utc() {
            let why = format!("it is {zone}, and SQLite has no time zone: its clock is in UTC");
            let hint = "leave it out, and name the zone in the SQL: datetime('now', '+02:00'), or \
                        datetime('now', 'localtime') with TZ in shopwarm's environment";
            return Err(Failure::new(FailureKind::Config, "session_timezone", why).hint(hint));
        }
        let connect = url::options(url)?
            .read_only(true)
            .create_if_missing(false)
            // Shorter than the session timeout, so that the error names the lock.
            .busy_timeout(Duration::from_secs(4))
            .disable_statement_logging();
        Ok(Self {
            file: connect.get_filename().to_owned(),
            connect,
            statement_timeout: options.statement_timeout,
            has_log: AtomicBool::new(true),
        })
    }
}

impl SqliteFile {
    /// Identifies the file, even if another takes its path.
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

impl Driver for SqliteFile {
    type Db = sqlx::Sqlite;
    /// Set to end the query.
    type Handle = Arc<AtomicBool>;

    const DIALECT: Dialect = &SqliteDialect;
    const PREFIX: &str = "";
    const GRACE: Duration = Duration::ZERO;

    fn session_zone(&self) -> SessionZone {
        SessionZone::default()
    }

    fn place(&self) -> String {
        self.file.display().to_string()
    }

    fn statement_timeout(&self) -> Duration {
        self.statement_timeout
    }

    async fn connect(&self) -> Answer<SqliteConnection> {
        let mut session = self.connect.connect().await?;
        // Read the file now: one that is not a database must fail here, not in a query.
        session.execute("SELECT count(*) FROM sqlite_schema").await?;
        let mode: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut session).await?;
        self.has_log.store(mode.eq_ignore_ascii_case("wal"), Ordering::Relaxed);
        Ok(session)
    }

    async fn who_waits(&self, _: &mut SqliteConnection, _: &str, _: &Watched) -> Answer<Waiting> {
        let waiting = if self.tells_who_waits() { Waiting::Nobody } else { Waiting::Unknown };
        Ok(waiting)
    }

    /// With a write-ahead log nobody waits. Without one a writer waits for all readers, and the
    /// reading process cannot see its lock.
    fn tells_who_waits(&self) -> bool {
        self.has_log.load(Ordering::Relaxed)
    }

    /// The "server" is this process.
    async fn handle(session: &mut SqliteConnection) -> Answer<Arc<AtomicBool>> {
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        let mut handle = session.lock_handle().await?;
        handle.set_progress_handler(STEPS, move || !seen.load(Ordering::Relaxed));
        Ok(ended)
    }

    async fn end(&self, ended: Arc<AtomicBool>) {
        ended.store(true, Ordering::Relaxed);
    }

    /// Counting is the only way; give up if it takes too long.
    async fn estimate(
        &self,
        session: &mut SqliteConnection,
        sql: &str,
        params: &[Param],
    ) -> Option<Expected> {
        let arguments = arguments::<Self>(params).ok()?;
        let deadline = Instant::now() + ESTIMATE_TIMEOUT;
        let mut handle = session.lock_handle().await.ok()?;
        handle.set_progress_handler(STEPS, move || Instant::now() < deadline);
        drop(handle);
        let count = format!("SELECT count(*) FROM ({sql})");
        let count: i64 =
            sqlx::query_scalar_with(safe(&count), arguments).fetch_one(session).await.ok()?;
        u64::try_from(count).ok().map(Expected::exactly)
    }

    async fn checkup(&self, session: &mut SqliteConnection) -> Answer<ServerInfo> {
        let version: String =
            sqlx::query_scalar("SELECT sqlite_version()").fetch_one(session).await?;
        let timeout = exactly(self.statement_timeout);
        Ok(ServerInfo {
            version: format!("SQLite {version}"),
            user: None,
            read_only: true,
            writing: "",
            statement_timeout: timeout,
            role: Role::File,
            clock: None,
        })
    }

    /// Open transactions of other programs cannot be seen, but are short, as they block all other
    /// writers.
    async fn moment(&self, session: &mut SqliteConnection) -> Answer<Result<Moment, String>> {
        let sql = "SELECT CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)";
        let now: i64 = sqlx::query_scalar(sql).fetch_one(session).await?;
        Ok(Ok(Moment { origin: self.origin(), clock: now, now, oldest_open: None, doubt: None }))
    }

    async fn describe(
        &self,
        session: &mut SqliteConnection,
        sql: &str,
        params: &[Param],
    ) -> Result<Vec<Column>, Refusal> {
        Ok(columns::of(session, sql, params).await?)
    }

    async fn plan(
        &self,
        session: &mut SqliteConnection,
        sql: &str,
        params: &[Param],
    ) -> Answer<QueryPlan> {
        tables::plan(session, sql, arguments::<Self>(params)?).await
    }

    async fn schema(&self, session: &mut SqliteConnection) -> Answer<Schema> {
        schema::schema(session).await
    }

    async fn unique_keys(
        &self,
        session: &mut SqliteConnection,
        table: &TableName,
    ) -> Answer<UniqueKeys> {
        tables::unique_keys(session, table).await
    }

    fn explain(error: &dyn DatabaseError) -> Explained {
        errors::explain(error)
    }
}

impl Reader for SqliteFile {
    type Codec = Codec;

    fn codec(column: &Column, _: &SqliteColumn) -> Codec {
        Codec::of(&column.declared)
    }

    fn cell(
        codec: &Codec,
        row: &SqliteRow,
        at: usize,
        hint: Option<Hint>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let value = row.try_get_raw(at).map_err(|_| NO_COLUMN.to_owned())?;
        if value.is_null() {
            return encode(Scalar::Null, hint, out);
        }
        let storage = value.type_info().name().to_owned();
        let mut digits = String::new();
        let stored = match storage.as_str() {
            "INTEGER" | "BOOLEAN" => Scalar::Int(decoded(value)?),
            "REAL" => Scalar::Float64(decoded(value)?),
            "BLOB" => Scalar::Bytes(decoded(value)?),
            _ => Scalar::Text(decoded(value)?),
        };
        let value = codec.read(stored, &mut digits);
        if hint.is_none() {
            codec.check(&value)?;
        }
        encode(value, hint, out)
    }

    fn bind(arguments: &mut SqliteArguments, param: &Param) -> Result<(), BoxDynError> {
        match param {
            Param::Text(text) => arguments.add(text.clone()),
            Param::Int(integer) => arguments.add(*integer),
            Param::Bool(truth) => arguments.add(*truth),
            Param::Texts(_) | Param::Ints(_) => Err("this database has no arrays".into()),
        }
    }

    async fn read(
        session: &mut SqliteConnection,
        sql: &str,
        arguments: SqliteArguments,
        rows: &mut Rows<'_, Self>,
    ) -> Result<(), Broken> {
        let query = sqlx::query_with(safe(sql), arguments);
        rows.stream(query.fetch(session)).await
    }
}

fn decoded<'r, T: Decode<'r, sqlx::Sqlite>>(value: SqliteValueRef<'r>) -> Result<T, String> {
    T::decode(value).map_err(|_| "the column cannot be read".to_owned())
}
