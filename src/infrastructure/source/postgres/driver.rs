//! Sessions with PostgreSQL.

use std::time::Duration;

use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::postgres::{PgArguments, PgColumn, PgConnectOptions, PgConnection, PgRow};
use sqlx::{Arguments as _, Column as _, ConnectOptions as _, Row as _, ValueRef as _};

use super::super::certificates::certificates;
use super::super::driver::{Answer, Driver, Refusal};
use super::super::errors::Explained;
use super::super::options::CONNECT_TIMEOUT;
use super::super::options::SessionOptions;
use super::super::rows::{Broken, NO_COLUMN, Reader, Rows, arguments};
use super::super::server_info::{Role, ServerInfo};
use super::super::watched::{LOCK_TIMEOUT, Waiting, Watched};
use super::codec::Codec;
use super::columns::columns;
use super::cursor::{CURSOR, read_once};
use super::dialect::PostgresDialect;
use super::numeric::malformed;
use super::parameters::Parameters;
use super::servers::Servers;
use super::transaction::{Settings, Transaction, is_forgotten, unnamed};
use super::{errors, plan, pooler, schema, server};
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

#[derive(Clone)]
pub(crate) struct Postgres {
    servers: Servers,
    statement_timeout: Duration,
    zone: SessionZone,
    /// Begins every transaction.
    begin: String,
    /// Begins a transaction in which row-level security hides rows.
    begin_filtered: String,
}

impl Postgres {
    pub(super) fn new(url: &str, options: &SessionOptions) -> Result<Self, Failure> {
        let statement_timeout = options.statement_timeout;
        let (servers, settings) = Self::servers(url)?;
        let begin = |row_security| {
            let settings = Settings::new(settings.clone(), &options.zone);
            let settings = settings.with("row_security", row_security);
            // Compiling a short query takes longer than running it.
            let settings = settings.with("jit", "off");
            with_timeouts(settings, statement_timeout).begin()
        };
        Ok(Self {
            servers,
            statement_timeout,
            zone: options.zone.clone(),
            begin: begin("off"),
            begin_filtered: begin("on"),
        })
    }

    /// The servers of a URL, and its settings for sessions.
    fn servers(url: &str) -> Result<(Servers, Vec<(String, String)>), Failure> {
        let Parameters { servers, target, settings } = Parameters::read(url)?;
        let ours = |server: PgConnectOptions| {
            server
                .application_name("shopwarm")
                // A start-up parameter of the driver, which poolers refuse.
                .extra_float_digits(None)
                // A named statement would remain on a pooler's session.
                .statement_cache_capacity(0)
                .disable_statement_logging()
        };
        Ok((Servers::new(servers.into_iter().map(ours).collect(), target), settings))
    }

    async fn describe_once(
        &self,
        session: &mut PgConnection,
        sql: &str,
        params: &[Param],
    ) -> Result<Vec<Column>, Refusal> {
        let mut transaction = self.begin(session).await?;
        let row = unnamed(sql, arguments::<Self>(params)?);
        let row = row.fetch_one(transaction.connection()).await;
        let columns = row.map_err(Refusal::Sql).and_then(|row| columns(&row));
        transaction.end(columns).await
    }

    async fn begin<'c>(&self, session: &'c mut PgConnection) -> Answer<Transaction<'c>> {
        Transaction::begin(session, self.begin.clone()).await
    }
}

fn with_timeouts(settings: Settings, longest: Duration) -> Settings {
    // Half of the statement timeout, so that the two can be distinguished.
    let for_locks = LOCK_TIMEOUT.min(longest / 2);
    settings
        .with("statement_timeout", longest.as_millis())
        .with("lock_timeout", for_locks.as_millis())
        // A slow cache may delay our next fetch.
        .with("idle_in_transaction_session_timeout", 0)
        .with("transaction_timeout", 0)
        // From version 14 on, a query ends when its client is gone.
        .with("client_connection_check_interval", 1000)
}

impl Driver for Postgres {
    type Db = sqlx::Postgres;
    type Handle = ();

    const DIALECT: Dialect = &PostgresDialect;
    /// A row of NULLs, without reading a table. Preparing would leave a named statement.
    const DESCRIBED: [&str; 2] =
        ["SELECT d.* FROM (SELECT 1) AS one LEFT JOIN (", ") AS d ON false"];
    const PREFIX: &str = CURSOR;
    const GRACE: Duration = CONNECT_TIMEOUT;

    fn session_zone(&self) -> SessionZone {
        self.zone.clone()
    }

    fn place(&self) -> String {
        self.servers.place()
    }

    fn connect_timeout(&self) -> Duration {
        CONNECT_TIMEOUT * u32::try_from(self.servers.count()).unwrap_or(u32::MAX)
    }

    fn statement_timeout(&self) -> Duration {
        self.statement_timeout
    }

    fn certificates(&self) -> Vec<(String, String)> {
        certificates(&self.servers.last())
    }

    fn filtered(&self) -> Option<Self> {
        let mut filtered = self.clone();
        filtered.begin.clone_from(&self.begin_filtered);
        Some(filtered)
    }

    fn sign_in_with(&self, url: &str) -> Result<(), Failure> {
        let (servers, _) = Self::servers(url)?;
        self.servers.sign_in_as(&servers);
        Ok(())
    }

    /// Also runs a first transaction, to see whether the server or its pooler lets us work.
    async fn connect(&self) -> Answer<PgConnection> {
        let mut session = self.servers.connect().await?;
        self.begin(&mut session).await?.end(Answer::Ok(())).await?;
        Ok(session)
    }

    /// A pooler accepts every connection, and makes the first statement wait.
    async fn is_greeted(&self) -> bool {
        self.servers.connect().await.is_ok()
    }

    async fn describe(
        &self,
        session: &mut PgConnection,
        sql: &str,
        params: &[Param],
    ) -> Result<Vec<Column>, Refusal> {
        match self.describe_once(session, sql, params).await {
            Err(Refusal::Sql(error)) if is_forgotten(&error) => {
                self.describe_once(session, sql, params).await
            }
            described => described,
        }
    }

    async fn who_waits(
        &self,
        session: &mut PgConnection,
        _: &str,
        watched: &Watched,
    ) -> Answer<Waiting> {
        let Some(reading) = watched.session() else {
            return Ok(Waiting::Nobody);
        };
        let mut transaction = self.begin(session).await?;
        let who = unnamed(WHO_WAITS, PgArguments::default()).bind(reading);
        let who = who.fetch_one(transaction.connection()).await;
        let who = who.and_then(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        let (waiting, tables): (i64, String) = transaction.end(who).await?;
        Ok(match (waiting, tables.as_str()) {
            (0, _) => Waiting::Nobody,
            (_, "") => Waiting::Somebody("another session waited for its end".to_owned()),
            (_, tables) => {
                Waiting::Somebody(format!("another session waited for a lock on {tables}"))
            }
        })
    }

    fn is_full(error: &dyn DatabaseError) -> bool {
        error.code().is_some_and(|code| code == "53300")
    }

    fn is_lock_timeout(error: &dyn DatabaseError) -> bool {
        error.code().is_some_and(|code| code == "55P03")
    }

    async fn handle(_: &mut PgConnection) -> Answer<()> {
        Ok(())
    }

    /// The server notices that its client is gone.
    async fn end(&self, (): ()) {}

    /// The planner's estimate; reads no row.
    async fn estimate(
        &self,
        session: &mut PgConnection,
        sql: &str,
        params: &[Param],
    ) -> Option<Expected> {
        let rows = self.plan(session, sql, params).await.ok()?.rows;
        rows.map(Expected::about)
    }

    async fn plan(
        &self,
        session: &mut PgConnection,
        sql: &str,
        params: &[Param],
    ) -> Answer<QueryPlan> {
        let arguments = arguments::<Self>(params)?;
        let mut transaction = self.begin(session).await?;
        let plan = plan::plan(&mut transaction, sql, arguments).await;
        transaction.end(plan).await
    }

    async fn checkup(&self, session: &mut PgConnection) -> Answer<ServerInfo> {
        let mut transaction = self.begin(session).await?;
        let info = server::info(&mut transaction).await;
        transaction.end(info).await
    }

    async fn pooler(&self, session: &mut PgConnection) -> Answer<Option<Finding>> {
        pooler::finding(&self.servers.last(), &self.begin, session).await
    }

    async fn role(&self, session: &mut PgConnection) -> Answer<Role> {
        let mut transaction = self.begin(session).await?;
        let role = server::role(&mut transaction).await;
        transaction.end(role).await
    }

    async fn zone(&self, session: &mut PgConnection) -> Option<ServerZone> {
        let mut transaction = self.begin(session).await.ok()?;
        let zone = server::zone(&mut transaction).await;
        transaction.end(zone).await.ok()
    }

    async fn vitals(&self, session: &mut PgConnection) -> Answer<Option<SourceVitals>> {
        let mut transaction = self.begin(session).await?;
        let vitals = server::vitals(&mut transaction).await;
        transaction.end(vitals.map(Some)).await
    }

    async fn moment(&self, session: &mut PgConnection) -> Answer<Result<Moment, String>> {
        let mut transaction = self.begin(session).await?;
        let moment = server::moment(&mut transaction).await;
        transaction.end(moment).await
    }

    async fn schema(&self, session: &mut PgConnection) -> Answer<Schema> {
        let mut transaction = self.begin(session).await?;
        let schema = schema::schema(&mut transaction).await;
        transaction.end(schema).await
    }

    /// Not for tables with row security, which may hide rows, nor for parent tables, whose keys do
    /// not cover their children.
    async fn unique_keys(
        &self,
        session: &mut PgConnection,
        table: &TableName,
    ) -> Answer<UniqueKeys> {
        let sql = "SELECT i.indexrelid::text, i.indisprimary, a.attname::text
            FROM pg_index i
            JOIN pg_class c ON c.oid = i.indrelid
            CROSS JOIN unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS k (attnum)
            LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                AND k.attnum > 0
            WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid
                AND i.indpred IS NULL AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
                AND (c.relkind = 'p' OR NOT c.relhassubclass)";
        let mut transaction = self.begin(session).await?;
        let keys = unnamed(sql, PgArguments::default()).bind(&table.name);
        let keys = keys.fetch_all(transaction.connection()).await;
        let key = |row: &PgRow| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        let keys = keys.and_then(|rows| rows.iter().map(key).collect::<Result<Vec<_>, _>>());
        Ok(UniqueKeys::of(transaction.end(keys).await?))
    }

    fn explain(error: &dyn DatabaseError) -> Explained {
        errors::explain(error)
    }
}

impl Reader for Postgres {
    type Codec = Codec;

    fn codec(_: &Column, described: &PgColumn) -> Codec {
        Codec::of(described.type_info())
    }

    fn cell(
        codec: &Codec,
        row: &PgRow,
        at: usize,
        hint: Option<Hint>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let value = row.try_get_raw(at).map_err(|_| NO_COLUMN.to_owned())?;
        if value.is_null() {
            return encode(Scalar::Null, hint, out);
        }
        codec.decode(value.as_bytes().map_err(|_| malformed())?, hint, out)
    }

    fn bind(arguments: &mut PgArguments, param: &Param) -> Result<(), BoxDynError> {
        match param {
            Param::Texts(texts) => arguments.add(texts),
            Param::Ints(integers) => arguments.add(integers),
            Param::Text(text) => arguments.add(text),
            Param::Int(integer) => arguments.add(*integer),
            Param::Bool(truth) => arguments.add(*truth),
        }
    }

    /// Through a cursor: between two fetches no server timeout runs, however long the cache takes.
    async fn read(
        session: &mut PgConnection,
        sql: &str,
        arguments: PgArguments,
        rows: &mut Rows<'_, Self>,
    ) -> Result<(), Broken> {
        let begin = rows.driver().begin.clone();
        match read_once(session, sql, arguments.clone(), rows, &begin).await {
            Err(Broken::Sql(error)) if is_forgotten(&error) => {
                read_once(session, sql, arguments, rows, &begin).await
            }
            read => read,
        }
    }
}

/// Sessions that wait for a lock of our session, and the tables that they wait for.
const WHO_WAITS: &str = include_str!("sql/who_waits.sql");
