//! Databases. What they share is here: one session at a time, one task that reads ahead of the
//! engine, failures in words. What differs is a driver, a file each.

mod facts;
mod mysql;
mod postgres;
mod reading;
mod session;
mod shortage;
mod sqlite;
mod waiters;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::{AssertSqlSafe, Database, Encode, Executor, SqlSafeStr as _, Statement as _, Type};
use tokio::time::{sleep, timeout};

use self::facts::{Facts, Role};
use self::reading::{Broken, Rows};
use self::session::{CONNECT_TIMEOUT, Session, Sessions};
use self::waiters::{LOCK_PAUSE, Waiting, Watched};
use crate::application::ports::grammar::Grammar;
use crate::application::ports::{Dialect, Param, Query, QueryPlan, RowSource, SourceVitals};
use crate::domain::changes::Moment;
use crate::domain::expected::Expected;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::finding::Finding;
use crate::domain::key::{printable, shortened};
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::row::{Column, Columns, RowBatch};
use crate::domain::server::{ServerRole, ServerZone};

const TIMEOUT_HINT: &str = "--statement-timeout sets how long we wait for the database";

const SCHEMA_HINT: &str = "the definitions expect other tables or columns than this database has: change sql in a file \
     given with --contexts (`shopwarm strategies -v` shows what each one reads)";

/// How sessions are to be set up.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    /// The longest that we wait for the database: for its answer to a statement, or for its next
    /// rows. The time that the cache takes to store rows does not count.
    pub statement_timeout: Duration,
}

/// Connects to the database that `url` names by its scheme.
///
/// # Errors
/// Says which part is wrong without repeating the URL, which holds a password.
pub async fn connect(url: &str, options: SessionOptions) -> Result<Arc<dyn RowSource>, Failure> {
    (database(url)?.open)(url, options)?.await
}

/// Whether `url` can be read, whoever answers there.
///
/// # Errors
/// As [`connect`].
pub fn check_url(url: &str, options: SessionOptions) -> Result<(), Failure> {
    (database(url)?.open)(url, options).map(drop)
}

/// The SQL of the database that `url` names by its scheme.
pub fn dialect(url: &str) -> Option<Dialect> {
    database(url).ok().map(|database| database.dialect)
}

/// How all databases that are known read SQL.
pub fn all_grammars() -> Vec<&'static Grammar> {
    let all = DATABASES.iter();
    all.map(|database| database.dialect.grammar()).collect()
}

/// The databases that are known, a folder each.
const DATABASES: [&Adapter; 3] = [&postgres::DATABASE, &mysql::DATABASE, &sqlite::DATABASE];

fn database(url: &str) -> Result<&'static Adapter, Failure> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let mut all = DATABASES.into_iter();
    let found = all.find(|database| database.schemes.contains(&scheme));
    found.ok_or_else(|| {
        invalid_url("it begins with none of postgres://, mysql://, mariadb://, sqlite:")
    })
}

/// A database, as the folder of its driver describes it.
struct Adapter {
    schemes: &'static [&'static str],
    dialect: Dialect,
    /// Reads a URL, and connects when awaited.
    open: fn(&str, SessionOptions) -> Result<Opening, Failure>,
}

type Opening = BoxFuture<'static, Result<Arc<dyn RowSource>, Failure>>;

fn invalid_url(why: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Config, "the database URL is not valid", why)
        .hint("it looks like postgres://USER:PASSWORD@HOST/DATABASE or sqlite:FILE")
}

fn open<D: Driver>(driver: D) -> Opening
where
    SqlSource<D>: RowSource + 'static,
{
    let opening = async {
        let sessions = Sessions::new(driver);
        let connection = sessions.connect().await?;
        sessions.put_back(connection).await;
        let source: Arc<dyn RowSource> = Arc::new(SqlSource(Arc::new(sessions), OnceLock::new()));
        Ok(source)
    };
    opening.boxed()
}

type Connection<D> = <<D as Driver>::Db as Database>::Connection;

/// The parameters of a URL that name files for TLS.
const CERTIFICATES: [&str; 6] = [
    "sslrootcert",
    "sslcert",
    "sslkey",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
];

/// The files that a connection's options name for TLS, each with its parameter's name.
fn certificates(options: &impl sqlx::ConnectOptions) -> Vec<(String, String)> {
    let url = options.to_url_lossy();
    let pairs = url.query_pairs().into_owned();
    let named = pairs.filter(|(name, _)| CERTIFICATES.contains(&name.as_str()));
    // The driver writes down that it is a file, or the certificate itself.
    let file = |(name, value): (String, String)| Some((name, value.strip_prefix("file: ")?.into()));
    named.filter_map(file).collect()
}

/// What sets one database apart from the others.
trait Driver: Sized + Send + Sync + 'static {
    type Db: Database;
    /// How to read one column's wire format.
    type Codec: Send + Sync + 'static;
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

    fn options(&self) -> SessionOptions;

    /// The same, where row-level security hides rows; `None`: the database has no such thing.
    fn filtered(&self) -> Option<Self> {
        None
    }

    /// The files that the URL names for TLS, each with its parameter's name.
    fn certificates(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Opens a session: read-only, named, with a statement timeout.
    fn connect(&self) -> impl Future<Output = Result<Connection<Self>, sqlx::Error>> + Send;

    /// Whether a pooler lets us in there, which may have no session for us.
    fn is_greeted(&self) -> impl Future<Output = bool> + Send {
        std::future::ready(false)
    }

    /// What it takes to end a query on this session, asked before the query.
    fn handle<'c>(
        connection: &'c mut Connection<Self>,
    ) -> BoxFuture<'c, Result<Self::Handle, sqlx::Error>>;

    /// Whether the database tells who waits for a query.
    fn tells_who_waits(&self) -> bool {
        true
    }

    /// Who waits for a lock that a query holds, asked on another session.
    fn who_waits<'c>(
        &'c self,
        connection: &'c mut Connection<Self>,
        sql: &'c str,
        watched: &'c Watched,
    ) -> BoxFuture<'c, Result<Waiting, sqlx::Error>>;

    /// Whether a statement waited for a lock for as long as ours may.
    fn is_lock_timeout(error: &dyn DatabaseError) -> bool;

    /// Whether the server refused a session because it has none left.
    fn is_full(error: &dyn DatabaseError) -> bool;

    /// Ends the query at the server. A server that cannot be asked is left alone.
    fn end(&self, handle: Self::Handle) -> BoxFuture<'_, ()>;

    /// Reads a query to its end, into `rows`.
    fn read<'c>(
        connection: &'c mut Connection<Self>,
        sql: &'c str,
        arguments: <Self::Db as Database>::Arguments,
        rows: &'c mut Rows<'_, Self>,
    ) -> BoxFuture<'c, Result<(), Broken>>;

    /// Adds an array to a query's arguments, where the database knows any.
    fn add_array(
        _arguments: &mut <Self::Db as Database>::Arguments,
        _array: &Param,
    ) -> Result<(), BoxDynError> {
        Err("this database knows no arrays".into())
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
        &'c self,
        connection: &'c mut Connection<Self>,
        sql: &'c str,
    ) -> BoxFuture<'c, Option<Expected>>;

    /// The plan for a query; reads no row.
    fn plan<'c>(
        &'c self,
        connection: &'c mut Connection<Self>,
        sql: &'c str,
    ) -> BoxFuture<'c, Result<QueryPlan, sqlx::Error>>;

    /// What the server says of itself.
    fn checkup<'c>(
        &'c self,
        connection: &'c mut Connection<Self>,
    ) -> BoxFuture<'c, Result<Facts, sqlx::Error>>;

    /// What there is to say of a pooler in front of the server.
    fn pooler<'c>(
        &'c self,
        _connection: &'c mut Connection<Self>,
    ) -> BoxFuture<'c, Result<Option<Finding>, sqlx::Error>> {
        async { Ok(None) }.boxed()
    }

    /// What the server is to others, and how far behind.
    fn role<'c>(
        &'c self,
        _connection: &'c mut Connection<Self>,
    ) -> BoxFuture<'c, Result<Role, sqlx::Error>> {
        async { Ok(Role::File) }.boxed()
    }

    /// The time zone of the server's sessions that choose none; `None`: it has none, or does not say.
    fn zone<'c>(
        &'c self,
        _connection: &'c mut Connection<Self>,
    ) -> BoxFuture<'c, Option<ServerZone>> {
        async { None }.boxed()
    }

    /// How the server is at the moment; `None`: there is none.
    fn vitals<'c>(
        &'c self,
        _connection: &'c mut Connection<Self>,
    ) -> BoxFuture<'c, Result<Option<SourceVitals>, sqlx::Error>> {
        async { Ok(None) }.boxed()
    }

    /// Its clock and what is open there; `Err` inside: why it cannot say.
    fn moment<'c>(
        &'c self,
        connection: &'c mut Connection<Self>,
    ) -> BoxFuture<'c, Result<Result<Moment, String>, sqlx::Error>>;

    /// The keys by which a table's rows are known.
    fn unique_keys<'c>(
        &'c self,
        connection: &'c mut Connection<Self>,
        table: &'c TableName,
    ) -> BoxFuture<'c, Result<UniqueKeys, sqlx::Error>>;

    /// The server's own error, in words.
    fn explain(error: &dyn DatabaseError) -> Explained;
}

/// Why a query cannot be described.
enum Refusal {
    Sql(sqlx::Error),
    /// Columns of types that nobody can encode: their names, and those of the types.
    Types(Vec<(String, String)>),
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
    all(statement.columns(), column)
}

/// All columns, or all that nobody can encode; `column` gives the name of such a type.
fn all<C: sqlx::Column>(
    described: &[C],
    column: impl Fn(&C) -> Result<Column, String>,
) -> Result<Vec<Column>, Refusal> {
    let mut refused = Vec::new();
    let mut columns = Vec::new();
    for described in described {
        match column(described) {
            Ok(column) => columns.push(column),
            Err(name) => refused.push((described.name().to_owned(), name)),
        }
    }
    match refused.is_empty() {
        true => Ok(columns),
        false => Err(Refusal::Types(refused)),
    }
}

/// Columns that have to be changed in the query, all in one sentence.
fn unencodable(refused: &[(String, String)], text: &str) -> Failure {
    let each = refused
        .iter()
        .map(|(column, name)| format!("column {column} has the type {name}"));
    let why = format!(
        "{}, which has no JSON form",
        each.collect::<Vec<_>>().join(", ")
    );
    let first = refused.first().map_or("", |(column, _)| column.as_str());
    Failure::new(FailureKind::Query, "preparing", why).hint(format!(
        "CAST it in the query, for example CAST({first} AS {text})"
    ))
}

/// Definitions are the operator's own files, trusted like code; sessions are read-only.
fn safe(sql: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql.to_owned())
}

/// A [`RowSource`] over a [`Driver`], and the same where row-level security hides rows.
struct SqlSource<D: Driver>(Arc<Sessions<D>>, OnceLock<Arc<dyn RowSource>>);

impl<D: Driver> SqlSource<D> {
    /// Describes a query, again and again while another session holds a lock on its tables.
    async fn describe_unlocked(
        &self,
        sql: &str,
    ) -> Result<(Session<D>, Result<Vec<Column>, Refusal>), Failure> {
        let (sessions, began) = (&self.0, Instant::now());
        loop {
            let mut session = sessions.connection().await?;
            let described = sessions.driver.describe(&mut session, sql);
            let described = sessions.wait_for_turn("preparing", described).await?;
            let is_locked = match &described {
                Err(Refusal::Sql(error)) => Sessions::<D>::is_lock_timeout(error),
                _ => false,
            };
            if !is_locked {
                return Ok((session, described));
            }
            if began.elapsed() >= sessions.driver.options().statement_timeout {
                return Err(sessions.locked_out("preparing"));
            }
            drop(session);
            sleep(LOCK_PAUSE).await;
        }
    }
}

impl<D: Driver> RowSource for SqlSource<D>
where
    for<'c> &'c mut Connection<D>: Executor<'c, Database = D::Db>,
    for<'q> String: Encode<'q, D::Db> + Type<D::Db>,
    for<'q> i64: Encode<'q, D::Db> + Type<D::Db>,
{
    fn dialect(&self) -> Dialect {
        D::DIALECT
    }

    fn filtered(&self) -> Option<Arc<dyn RowSource>> {
        let driver = self.0.driver.filtered()?;
        let filtered = self
            .1
            .get_or_init(|| Arc::new(SqlSource(Arc::new(Sessions::new(driver)), OnceLock::new())));
        Some(Arc::clone(filtered))
    }

    fn moment(&self) -> BoxFuture<'_, Result<Moment, Failure>> {
        async move {
            let label = "asking for the time";
            let mut connection = self.0.connection().await?;
            let asked = self.0.driver.moment(&mut connection);
            let moment = self.0.wait_for_turn(label, asked).await?;
            let moment = moment.map_err(|error| self.0.query_failure(label, "", &error))?;
            self.0.put_back(connection).await;
            moment.map_err(|why| {
                let what = "the database does not say up to when it is complete";
                Failure::new(FailureKind::Query, what, why)
            })
        }
        .boxed()
    }

    fn unique_keys<'a>(
        &'a self,
        table: &'a TableName,
    ) -> BoxFuture<'a, Result<UniqueKeys, Failure>> {
        async move {
            let label = "asking for a table's keys";
            let mut connection = self.0.connection().await?;
            let asked = self.0.driver.unique_keys(&mut connection, table);
            let columns = self.0.wait_for_turn(label, asked).await?;
            let columns = columns.map_err(|error| self.0.query_failure(label, "", &error))?;
            self.0.put_back(connection).await;
            Ok(columns)
        }
        .boxed()
    }

    fn describe<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, Result<Columns, Failure>> {
        async move {
            let session = &self.0;
            let sql = &D::DESCRIBED.join(sql);
            let (connection, described) = self.describe_unlocked(sql).await?;
            match described {
                Ok(columns) => {
                    session.put_back(connection).await;
                    Ok(columns.into())
                }
                Err(Refusal::Sql(error)) => {
                    if matches!(error, sqlx::Error::Database(_)) {
                        session.put_back(connection).await;
                    }
                    Err(session.query_failure("preparing", sql, &error))
                }
                Err(Refusal::Types(refused)) => {
                    session.put_back(connection).await;
                    Err(unencodable(&refused, D::TEXT))
                }
            }
        }
        .boxed()
    }

    fn is_blind(&self) -> bool {
        self.0.is_blind()
    }

    fn rows(&self, query: Query) -> BoxStream<'static, Result<RowBatch, Failure>> {
        reading::rows(&self.0, query)
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        self.0.settled().boxed()
    }

    fn plan<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, Result<QueryPlan, Failure>> {
        async move {
            let mut connection = self.0.connection().await?;
            let plan = self
                .0
                .wait_for_turn("planning", self.0.driver.plan(&mut connection, sql))
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
                            let mut findings = facts.findings(&self.0.driver.place());
                            let pooler = self.0.driver.pooler(&mut connection);
                            // Where it cannot be told, nothing is said of it.
                            if let Ok(Ok(pooler)) = timeout(CONNECT_TIMEOUT, pooler).await {
                                findings.extend(pooler);
                                self.0.put_back(connection).await;
                            }
                            findings
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

    fn role(&self) -> BoxFuture<'_, ServerRole> {
        async move {
            let Ok(mut connection) = self.0.connection().await else {
                return ServerRole::NotKnown;
            };
            let role = timeout(CONNECT_TIMEOUT, self.0.driver.role(&mut connection)).await;
            let Ok(Ok(role)) = role else {
                return ServerRole::NotKnown;
            };
            self.0.put_back(connection).await;
            role.known()
        }
        .boxed()
    }

    fn zone(&self) -> BoxFuture<'_, Option<ServerZone>> {
        async move {
            let mut connection = self.0.connection().await.ok()?;
            let asked = timeout(CONNECT_TIMEOUT, self.0.driver.zone(&mut connection));
            let zone = asked.await.ok()?;
            self.0.put_back(connection).await;
            zone
        }
        .boxed()
    }

    fn vitals(&self) -> BoxFuture<'_, Option<SourceVitals>> {
        self.0.look().boxed()
    }

    fn estimate<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, Option<Expected>> {
        async move {
            let mut connection = self.0.connection().await.ok()?;
            let rows = timeout(
                CONNECT_TIMEOUT,
                self.0.driver.estimate(&mut connection, sql),
            )
            .await
            .ok()?;
            self.0.put_back(connection).await;
            rows
        }
        .boxed()
    }
}

#[cfg(test)]
pub mod dialects {
    use crate::application::ports::Dialect;

    pub const POSTGRES: Dialect = &super::postgres::dialect::PostgresDialect;
    pub const MYSQL: Dialect = &super::mysql::dialect::MysqlDialect;
    pub const SQLITE: Dialect = &super::sqlite::dialect::SqliteDialect;
}

#[cfg(test)]
pub mod grammars {
    use crate::application::ports::grammar::Grammar;

    pub const POSTGRES: &Grammar = &super::postgres::dialect::GRAMMAR;
    pub const MYSQL: &Grammar = &super::mysql::dialect::GRAMMAR;
    pub const SQLITE: &Grammar = &super::sqlite::dialect::GRAMMAR;
}
