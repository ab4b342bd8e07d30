//! Databases. What they share is here: one session at a time, one task that reads ahead of the
//! engine, failures in words. What differs is a driver, a file each.

mod mysql;
mod postgres;
mod sqlite;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use sqlx::error::DatabaseError;
use sqlx::{
    Arguments, AssertSqlSafe, Column as _, Connection as _, Database, Encode, Executor,
    SqlSafeStr as _, Statement as _, Type,
};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use crate::application::ports::{Param, Query, QueryPlan, RowSource};
use crate::domain::Dialect;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::finding::Finding;
use crate::domain::key::{printable, shortened};
use crate::domain::row::{Column, Columns, RowBatch};

/// A server that has not answered a connection attempt by then is called unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Without a row for this long we look whether the server is still there: a slow query is, a dead
/// machine says nothing.
const LOOK_AFTER: Duration = Duration::from_secs(10);

/// Rows are handed on in batches of at most this many, or this many bytes: large enough that a
/// hand-over costs nothing, small enough that memory stays flat.
const BATCH_ROWS: usize = 512;
const BATCH_BYTES: usize = 256 * 1024;

/// Batches read ahead of the engine.
const READ_AHEAD: usize = 2;

const SCHEMA_HINT: &str = "the definitions expect other tables or columns than this database has: change sql in a file \
     given with --contexts (`shopwarm strategies -v` shows what each one reads)";

/// How sessions are to be set up.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    /// The longest a statement may take.
    pub statement_timeout: Duration,
}

/// Connects to the database that `url` names by its scheme.
///
/// # Errors
/// Says which part is wrong without repeating the URL, which holds a password.
pub async fn connect(url: &str, options: SessionOptions) -> Result<Arc<dyn RowSource>, Failure> {
    match url.split_once(':').map_or("", |(scheme, _)| scheme) {
        "postgres" | "postgresql" => open(postgres::Postgres::new(url, options)?).await,
        "mysql" | "mariadb" => open(mysql::Mysql::new(url, options)?).await,
        "sqlite" => open(sqlite::SqliteFile::new(url, options)?).await,
        _ => Err(invalid_url(
            "it begins with none of postgres://, mysql://, mariadb://, sqlite:",
        )),
    }
}

fn invalid_url(why: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Config, "the database URL is not valid", why)
        .hint("it looks like postgres://USER:PASSWORD@HOST/DATABASE or sqlite:FILE")
}

async fn open<D: Driver>(driver: D) -> Result<Arc<dyn RowSource>, Failure>
where
    SqlSource<D>: RowSource + 'static,
{
    let session = Session::new(driver);
    let connection = session.connect().await?;
    *session.idle.lock().await = Some(connection);
    Ok(Arc::new(SqlSource(Arc::new(session))))
}

type Connection<D> = <<D as Driver>::Db as Database>::Connection;

/// What sets one database apart from the others.
trait Driver: Send + Sync + 'static {
    type Db: Database;
    /// How to read one column's wire format.
    type Codec: Send + Sync + 'static;

    const DIALECT: Dialect;

    /// Where it is, for messages: host and port or file, never the password.
    fn place(&self) -> String;

    fn options(&self) -> SessionOptions;

    /// Opens a session: read-only, named, with a statement timeout.
    fn connect(&self) -> impl Future<Output = Result<Connection<Self>, sqlx::Error>> + Send;

    /// Called before each statement.
    fn before<'c>(
        &self,
        _connection: &'c mut Connection<Self>,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        async { Ok(()) }.boxed()
    }

    /// The columns of a query, prepared and not run.
    fn describe<'c>(
        &'c self,
        connection: &'c mut Connection<Self>,
        sql: &'c str,
    ) -> BoxFuture<'c, Result<Vec<Column>, Refusal>>;

    fn codec(column: &Column, described: &<Self::Db as Database>::Column) -> Self::Codec;

    /// Appends a row's cells.
    fn decode(
        codecs: &[Self::Codec],
        query: &Query,
        row: &<Self::Db as Database>::Row,
        out: &mut RowBatch,
    );

    fn estimate<'c>(
        connection: &'c mut Connection<Self>,
        sql: &'c str,
    ) -> BoxFuture<'c, Option<u64>>;

    /// The plan for a query; reads no row.
    fn plan<'c>(
        connection: &'c mut Connection<Self>,
        sql: &'c str,
    ) -> BoxFuture<'c, Result<QueryPlan, sqlx::Error>>;

    /// What the server says of itself.
    fn checkup<'c>(
        &'c self,
        connection: &'c mut Connection<Self>,
    ) -> BoxFuture<'c, Result<Facts, sqlx::Error>>;

    /// The server's own error, in words.
    fn explain(error: &dyn DatabaseError) -> Explained;
}

/// Why a query cannot be described.
enum Refusal {
    Sql(sqlx::Error),
    /// A column of a type that nobody can encode.
    Type {
        column: String,
        name: String,
    },
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// A server's error, taken apart.
struct Explained {
    kind: FailureKind,
    message: String,
    /// Where in the statement, in characters from 1.
    position: Option<usize>,
    hint: Option<&'static str>,
}

/// A server's sentence as it can be shown: it may quote a row's data.
fn tidy(message: &str) -> String {
    let line = message.lines().collect::<Vec<_>>().join(" ");
    shortened(&printable(line.as_bytes()), 300)
}

/// The columns of a prepared statement.
async fn prepared<D: Driver>(
    connection: &mut Connection<D>,
    sql: &str,
    column: impl Fn(&<D::Db as Database>::Column) -> Result<Column, String>,
) -> Result<Vec<Column>, Refusal>
where
    for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
{
    let statement = connection.prepare(safe(sql).into_sql_str()).await?;
    let column = |described| {
        column(described).map_err(|name| Refusal::Type {
            column: described.name().to_owned(),
            name,
        })
    };
    statement.columns().iter().map(column).collect()
}

/// A clock that differs by more than this is worth a warning.
const CLOCK_TOLERANCE: f64 = 2.0;

/// A replica that is further behind than this is worth a warning, in seconds.
const LAG_TOLERANCE: f64 = 10.0;

/// What a server says of itself.
struct Facts {
    /// `PostgreSQL 16.1`.
    version: String,
    /// A file knows none.
    user: Option<String>,
    /// Whether the session can only read.
    read_only: bool,
    /// What else is to be said of writing.
    writing: &'static str,
    statement_timeout: String,
    role: Role,
    /// `None`: it has none of its own.
    clock: Option<Clock>,
}

enum Role {
    /// A file, which has no other servers.
    File,
    Primary,
    Replica(Lag),
    /// It takes no writes, and does not say more to this user.
    ReadOnly(&'static str),
}

/// A server's clock, in seconds since 1970, and ours before and after it was asked.
struct Clock {
    theirs: Option<f64>,
    before: SystemTime,
    after: SystemTime,
}

/// How far behind a replica is, in seconds, or why that is not known.
type Lag = Result<f64, String>;

impl Facts {
    fn findings(self, place: &str) -> Vec<Finding> {
        let user = self
            .user
            .as_deref()
            .map(|user| format!(", as {}", tidy(user)));
        let (version, user) = (tidy(&self.version), user.unwrap_or_default());
        let reached = format!("{place} answers: {version}{user}");
        let mut findings = vec![Finding::ok("database", reached)];
        let timeout = tidy(&self.statement_timeout);
        findings.push(if self.read_only {
            let text = format!("read-only{}, statement timeout {timeout}", self.writing);
            Finding::ok("database session", text)
        } else {
            let text =
                format!("not read-only, though it was asked for; statement timeout {timeout}");
            Finding::warning("database session", text).hint(
                "use a user that may only SELECT, and a pooler that keeps a session's settings",
            )
        });
        match &self.role {
            Role::File => {}
            Role::Primary => findings.push(Finding::ok("database role", "primary")),
            Role::Replica(lag) => findings.push(replica(lag)),
            Role::ReadOnly(why) => {
                let text =
                    format!("it takes no writes, as a replica does; more is not known: {why}");
                findings.push(Finding::ok("database role", text));
            }
        }
        findings.push(match self.clock {
            Some(clock) => clock.finding(),
            None => Finding::ok("clock", "the database is a file and has this machine's"),
        });
        findings
    }
}

fn replica(lag: &Lag) -> Finding {
    const CHECK: &str = "database role";
    match lag {
        Err(why) => Finding::ok(
            CHECK,
            format!("replica; how far behind is not known: {why}"),
        ),
        Ok(seconds) => {
            let text = format!("replica, {seconds:.1} s behind");
            if *seconds > LAG_TOLERANCE {
                Finding::warning(CHECK, text)
                    .hint("a run would fill the cache with what was true then; wait, or give the primary's URL")
            } else {
                Finding::ok(CHECK, text)
            }
        }
    }
}

impl Clock {
    /// Against ours in the middle of the round trip.
    fn finding(&self) -> Finding {
        let since_1970 = |moment: SystemTime| {
            let since = moment.duration_since(SystemTime::UNIX_EPOCH);
            since.unwrap_or_default().as_secs_f64()
        };
        let Some(theirs) = self.theirs else {
            return Finding::ok("clock", "not known: the database does not say");
        };
        let ahead = theirs - f64::midpoint(since_1970(self.before), since_1970(self.after));
        let direction = if ahead < 0.0 { "behind" } else { "ahead of" };
        let apart = ahead.abs();
        let text = format!("the database's is {apart:.1} s {direction} this machine's");
        if apart > CLOCK_TOLERANCE {
            return Finding::warning("clock", text).hint(
                "definitions that say `in the last hour` go by the database's clock, times to live \
                 by the cache's; set them by NTP",
            );
        }
        Finding::ok("clock", text)
    }
}

/// Definitions are the operator's own files, trusted like code; sessions are read-only.
fn safe(sql: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql.to_owned())
}

/// One session with a database, opened again when it is lost.
struct Session<D: Driver> {
    driver: D,
    /// The connection while nothing runs on it. One whose query was left in the middle is not put
    /// back: it would have to drain the rest first.
    idle: Mutex<Option<Connection<D>>>,
}

impl<D: Driver> Session<D> {
    fn new(driver: D) -> Self {
        Self {
            driver,
            idle: Mutex::new(None),
        }
    }

    /// One plain attempt, so that a dead server is noticed at once and named.
    async fn connect(&self) -> Result<Connection<D>, Failure> {
        match timeout(CONNECT_TIMEOUT, self.driver.connect()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(self.unreachable(&error)),
            Err(_) => Err(self
                .unreachable_because(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()))),
        }
    }

    async fn connection(&self) -> Result<Connection<D>, Failure> {
        let idle = self.idle.lock().await.take();
        if let Some(mut connection) = idle
            // The server may have closed it while nothing ran on it.
            && let Ok(Ok(())) = timeout(CONNECT_TIMEOUT, connection.ping()).await
        {
            return Ok(connection);
        }
        self.connect().await
    }

    /// Whether the server is there. An error is an answer too.
    async fn answers(&self) -> bool {
        let connected = timeout(CONNECT_TIMEOUT, self.driver.connect()).await;
        matches!(connected, Ok(Ok(_) | Err(sqlx::Error::Database(_))))
    }

    /// Waits for an answer as long as a statement may take, but not for a server that is gone.
    async fn wait<T>(&self, label: &str, answer: impl Future<Output = T>) -> Result<T, Failure> {
        let mut answer = pin!(answer);
        // The server keeps the same limit, and its own words say more.
        let limit = self.driver.options().statement_timeout + CONNECT_TIMEOUT;
        let asked = Instant::now();
        loop {
            let left = limit.saturating_sub(asked.elapsed());
            if let Ok(answer) = timeout(LOOK_AFTER.min(left), &mut answer).await {
                return Ok(answer);
            }
            if !self.answers().await {
                let why = format!("no answer for {} s", asked.elapsed().as_secs());
                return Err(self.lost(label, FailureKind::SourceUnreachable, why));
            }
            if asked.elapsed() >= limit {
                return Err(self.timed_out(label));
            }
        }
    }

    fn lost(&self, label: &str, kind: FailureKind, why: String) -> Failure {
        let place = self.driver.place();
        let what = format!("{label}: lost the database at {place} in the middle of the query");
        Failure::new(kind, what, why)
            .hint("what was written is in the cache; run again when the database is back")
    }

    /// A statement's failure. A lost connection may be all that was lost, and the next query works;
    /// a server that is gone ends the run.
    async fn failed(&self, label: &str, sql: &str, error: &sqlx::Error) -> Failure {
        let mut failure = self.query_failure(label, sql, error);
        let lost = match error {
            sqlx::Error::Database(error) => {
                D::explain(error.as_ref()).kind == FailureKind::SourceUnreachable
            }
            _ => true,
        };
        if lost && !self.answers().await {
            failure.kind = FailureKind::SourceUnreachable;
        }
        failure
    }

    async fn put_back(&self, connection: Connection<D>) {
        *self.idle.lock().await = Some(connection);
    }

    fn unreachable_because(&self, why: String) -> Failure {
        let what = format!("cannot reach the database at {}", self.driver.place());
        Failure::new(FailureKind::SourceUnreachable, what, why)
            .hint("check that it runs, and host and port in the database URL")
    }

    fn unreachable(&self, error: &sqlx::Error) -> Failure {
        match error {
            sqlx::Error::Database(error) => {
                let explained = D::explain(error.as_ref());
                let kind = match explained.kind {
                    FailureKind::Query => FailureKind::SourceUnreachable,
                    kind => kind,
                };
                let what = match kind {
                    FailureKind::SourceDenied => "the database refuses",
                    _ => "cannot use the database",
                };
                let what = format!("{what} at {}", self.driver.place());
                let mut failure = Failure::new(kind, what, explained.message);
                failure.hint = explained.hint.map(str::to_owned);
                failure
            }
            // What the TLS library objects to comes as bad data.
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                self.tls_failure(error)
            }
            sqlx::Error::Io(error) => self.unreachable_because(error.to_string()),
            sqlx::Error::Tls(error) => self.tls_failure(error),
            sqlx::Error::Configuration(error) => invalid_url(error.to_string()),
            _ => self.unreachable_because("it answers, but not as a database does".into()),
        }
    }

    fn tls_failure(&self, error: &dyn std::fmt::Display) -> Failure {
        self.unreachable_because(format!("TLS: {error}"))
            .hint("check the certificate, and sslmode/ssl-mode and the root certificate in the URL")
    }

    /// A failed statement.
    fn query_failure(&self, label: &str, sql: &str, error: &sqlx::Error) -> Failure {
        let place = self.driver.place();
        match error {
            sqlx::Error::Database(error) => {
                let explained = D::explain(error.as_ref());
                let at = explained
                    .position
                    .map(|p| in_definition(sql, p))
                    .unwrap_or_default();
                let what = format!("{label}: the database at {place} refused the query");
                let kind = match explained.kind {
                    // While a query runs, a lost session is the query's loss; the next may work.
                    FailureKind::SourceUnreachable | FailureKind::Config => FailureKind::Query,
                    kind => kind,
                };
                let mut failure = Failure::new(kind, what, format!("{}{at}", explained.message));
                failure.hint = explained.hint.map(str::to_owned);
                failure
            }
            error => {
                let why = match error {
                    sqlx::Error::Io(error) => error.to_string(),
                    sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
                        "the connection broke off".into()
                    }
                    _ => "the database's answer cannot be read".into(),
                };
                self.lost(label, FailureKind::Query, why)
            }
        }
    }

    fn timed_out(&self, label: &str) -> Failure {
        let what = format!(
            "{label}: the database at {} does not answer",
            self.driver.place()
        );
        let waited = self.driver.options().statement_timeout;
        let why = format!("no row within {}", humantime::format_duration(waited));
        Failure::new(FailureKind::Query, what, why)
            .hint("--statement-timeout sets how long a query may take")
    }
}

/// ` (line 3, column 8 of the SQL)`: a position in a composed query, as the definition counts.
fn in_definition(sql: &str, position: usize) -> String {
    let before: String = sql.chars().take(position.saturating_sub(1)).collect();
    // The engine's own first line stands above the definition's text.
    match before.matches('\n').count() {
        0 => String::new(),
        line => {
            let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
            format!(" (line {line}, column {column} of the SQL)")
        }
    }
}

/// A [`RowSource`] over a [`Driver`].
struct SqlSource<D: Driver>(Arc<Session<D>>);

impl<D: Driver> RowSource for SqlSource<D>
where
    for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
    for<'q> String: Encode<'q, D::Db> + Type<D::Db>,
    for<'q> i64: Encode<'q, D::Db> + Type<D::Db>,
    <D::Db as Database>::Arguments: sqlx::IntoArguments<D::Db>,
{
    fn dialect(&self) -> Dialect {
        D::DIALECT
    }

    fn describe<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, Result<Columns, Failure>> {
        async move {
            let session = &self.0;
            let mut connection = session.connection().await?;
            let described = session.driver.describe(&mut connection, sql);
            match session.wait("preparing", described).await? {
                Ok(columns) => {
                    session.put_back(connection).await;
                    Ok(columns.into())
                }
                Err(Refusal::Sql(error)) => {
                    if matches!(error, sqlx::Error::Database(_)) {
                        session.put_back(connection).await;
                    }
                    Err(session.failed("preparing", sql, &error).await)
                }
                Err(Refusal::Type { column, name }) => {
                    session.put_back(connection).await;
                    let why =
                        format!("column {column} has the type {name}, which has no JSON form");
                    let text = match D::DIALECT {
                        Dialect::Mysql => "CHAR",
                        Dialect::Postgres | Dialect::Sqlite => "text",
                    };
                    Err(
                        Failure::new(FailureKind::Query, "preparing", why).hint(format!(
                            "CAST it in the query, for example CAST({column} AS {text})"
                        )),
                    )
                }
            }
        }
        .boxed()
    }

    fn rows(&self, query: Query) -> BoxStream<'static, Result<RowBatch, Failure>> {
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        let session = Arc::clone(&self.0);
        let reader = tokio::spawn(async move {
            if let Err(failure) = read(&session, &query, &sender).await {
                // Nobody listens any more: then nobody misses it.
                let _ = sender.send(Err(failure)).await;
            }
        });
        let reading = Reading { receiver, reader };
        stream::unfold(reading, |mut reading| async move {
            let batch = reading.receiver.recv().await?;
            Some((batch, reading))
        })
        .boxed()
    }

    fn plan<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, Result<QueryPlan, Failure>> {
        async move {
            let mut connection = self.0.connection().await?;
            let plan = self
                .0
                .wait("planning", D::plan(&mut connection, sql))
                .await?;
            self.0.put_back(connection).await;
            plan.map_err(|error| self.0.query_failure("planning", sql, &error))
        }
        .boxed()
    }

    fn checkup(&self) -> BoxFuture<'_, Vec<Finding>> {
        async move {
            match self.0.connection().await {
                Ok(mut connection) => {
                    let facts = self.0.driver.checkup(&mut connection).await;
                    match facts {
                        Ok(facts) => {
                            self.0.put_back(connection).await;
                            facts.findings(&self.0.driver.place())
                        }
                        Err(error) => {
                            let failure = self.0.query_failure("checking", "", &error);
                            vec![Finding::of("database", &failure)]
                        }
                    }
                }
                Err(failure) => vec![Finding::of("database", &failure)],
            }
        }
        .boxed()
    }

    fn estimate<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, Option<u64>> {
        async move {
            let mut connection = self.0.connection().await.ok()?;
            let rows = timeout(CONNECT_TIMEOUT, D::estimate(&mut connection, sql))
                .await
                .ok()?;
            self.0.put_back(connection).await;
            rows
        }
        .boxed()
    }
}

/// The engine's end of a query that is being read. Dropping it ends the query.
struct Reading {
    receiver: mpsc::Receiver<Result<RowBatch, Failure>>,
    reader: tokio::task::JoinHandle<()>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Streams a query's rows into `sender`. The connection is put back only when all were read.
async fn read<D: Driver>(
    session: &Session<D>,
    query: &Query,
    sender: &mpsc::Sender<Result<RowBatch, Failure>>,
) -> Result<(), Failure>
where
    for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
    for<'q> String: Encode<'q, D::Db> + Type<D::Db>,
    for<'q> i64: Encode<'q, D::Db> + Type<D::Db>,
    <D::Db as Database>::Arguments: sqlx::IntoArguments<D::Db>,
{
    let mut connection = session.connection().await?;
    if let Err(error) = session.driver.before(&mut connection).await {
        return Err(session.failed(&query.label, &query.sql, &error).await);
    }

    let mut arguments = <D::Db as Database>::Arguments::default();
    for param in &query.params {
        match param {
            Param::Text(text) => arguments.add(text.clone()),
            Param::Int(integer) => arguments.add(*integer),
        }
        .map_err(|error| {
            session.query_failure(&query.label, &query.sql, &sqlx::Error::Encode(error))
        })?;
    }
    // The label is shown where the server lists its queries; it holds a checked name only.
    let sql = format!("/* shopwarm {} */ {}", query.label, query.sql);
    let mut rows = sqlx::query_with(safe(&sql), arguments).fetch(&mut connection);
    let mut codecs: Vec<D::Codec> = Vec::new();
    let mut batch = RowBatch::new(query.columns.len());
    loop {
        // Most rows are there already; only waiting needs a timer.
        let next = match rows.try_next().now_or_never() {
            Some(next) => next,
            None => session.wait(&query.label, rows.try_next()).await?,
        };
        let row = match next {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) => return Err(session.failed(&query.label, &sql, &error).await),
        };
        if codecs.is_empty() {
            let described = sqlx::Row::columns(&row).iter();
            codecs = query
                .columns
                .iter()
                .zip(described)
                .map(|(c, d)| D::codec(c, d))
                .collect();
        }
        D::decode(&codecs, query, &row, &mut batch);
        if batch.len() >= BATCH_ROWS || batch.bytes() >= BATCH_BYTES {
            let full = std::mem::replace(&mut batch, RowBatch::new(query.columns.len()));
            if sender.send(Ok(full)).await.is_err() {
                return Ok(());
            }
        }
    }
    drop(rows);
    session.put_back(connection).await;
    if !batch.is_empty() {
        // A receiver that is gone wants no rows.
        let _ = sender.send(Ok(batch)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::finding::Level;

    #[test]
    fn a_replica_far_behind_is_a_warning() {
        assert_eq!(replica(&Ok(0.5)).level, Level::Ok);
        assert_eq!(replica(&Ok(11.0)).level, Level::Warning);
        assert_eq!(replica(&Err("denied".to_owned())).level, Level::Ok);
    }

    #[test]
    fn clocks_are_compared_at_the_middle_of_the_round_trip() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let found = |theirs| {
            let (before, after) = (at(1000), at(1004));
            Clock {
                theirs,
                before,
                after,
            }
            .finding()
        };
        for (theirs, level, words) in [
            (Some(1002.0), Level::Ok, "0.0 s ahead of"),
            (Some(1003.5), Level::Ok, "1.5 s ahead of"),
            (Some(1004.5), Level::Warning, "2.5 s ahead of"),
            (Some(999.0), Level::Warning, "3.0 s behind"),
            (None, Level::Ok, "not known"),
        ] {
            let finding = found(theirs);
            assert_eq!(finding.level, level, "{}", finding.text);
            assert!(finding.text.contains(words), "{}", finding.text);
        }
    }
}
