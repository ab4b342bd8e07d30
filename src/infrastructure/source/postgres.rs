//! PostgreSQL: the binary wire format of its types, straight to JSON.

pub(super) mod dialect;
mod parameters;
mod pooler;
mod role;
mod transaction;
mod zone;

use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value as Json;
use sqlx::error::{BoxDynError, DatabaseError};
use sqlx::postgres::{
    PgArguments, PgColumn, PgConnectOptions, PgConnection, PgDatabaseError, PgErrorPosition, PgRow,
    PgTypeInfo, PgTypeKind,
};
use sqlx::{
    Arguments as _, Column as _, ConnectOptions as _, Row as _, TypeInfo as _, ValueRef as _,
};

use self::dialect::PostgresDialect;
use self::parameters::Parameters;
use self::role::role;
use self::transaction::{Settings, Statement, Transaction, is_forgotten, unnamed};
use super::facts::{Clock, Facts, Role};
use super::session::CONNECT_TIMEOUT;
use super::waiters::LOCK_TIMEOUT;
use super::{
    Adapter, Broken, Driver, Explained, Refusal, Rows, SessionOptions, Waiting, Watched,
    certificates, open, safe,
};
use crate::application::ports::{Dialect, Param, Query, QueryPlan, Scan, SourceVitals};
use crate::domain::changes::Moment;
use crate::domain::encode::{Date, Hint, Scalar, encode};
use crate::domain::expected::Expected;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::finding::Finding;
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::row::{Column, ColumnKind, RowBatch};
use crate::domain::server::ServerZone;

/// Days and microseconds from 1970-01-01, which everybody counts from, to PostgreSQL's 2000-01-01.
const EPOCH_DAYS: i64 = 10_957;
const EPOCH_MICROS: i64 = EPOCH_DAYS * 86_400_000_000;

#[derive(Clone)]
pub(super) struct Postgres {
    connect: PgConnectOptions,
    options: SessionOptions,
    /// Begins every transaction.
    begin: String,
    /// Begins a transaction in which row-level security hides rows.
    begin_filtered: String,
}

impl Postgres {
    pub(super) fn new(url: &str, options: SessionOptions) -> Result<Self, Failure> {
        let Parameters { connect, settings } = Parameters::read(url)?;
        let begin = |row_security| {
            let settings = Settings::new(settings.clone()).with("row_security", row_security);
            with_timeouts(settings, options.statement_timeout).begin()
        };
        Ok(Self {
            connect: connect
                .application_name("shopwarm")
                // The driver's own start-up parameter, which poolers refuse.
                .extra_float_digits(None)
                // A named statement would stay behind at a pooler's session.
                .statement_cache_capacity(0)
                .disable_statement_logging(),
            options,
            begin: begin("off"),
            begin_filtered: begin("on"),
        })
    }

    async fn describe_once(
        &self,
        connection: &mut PgConnection,
        sql: &str,
    ) -> Result<Vec<Column>, Refusal> {
        let mut transaction = self.begin(connection).await?;
        let row = unnamed(sql, PgArguments::default());
        let row = row.fetch_one(transaction.connection()).await;
        let columns = row.map_err(Refusal::Sql).and_then(|row| columns(&row));
        transaction.end(columns).await
    }

    async fn begin<'c>(
        &self,
        connection: &'c mut PgConnection,
    ) -> Result<Transaction<'c>, sqlx::Error> {
        Transaction::begin(connection, self.begin.clone()).await
    }
}

fn with_timeouts(settings: Settings, longest: Duration) -> Settings {
    // Half of the statement's, or nobody knows which of the two it was.
    let for_locks = LOCK_TIMEOUT.min(longest / 2);
    settings
        .with("statement_timeout", longest.as_millis())
        .with("lock_timeout", for_locks.as_millis())
        // A slow cache may keep us from asking for the next rows.
        .with("idle_in_transaction_session_timeout", 0)
        .with("transaction_timeout", 0)
        // From version 14 on, a query whose client has gone ends by itself.
        .with("client_connection_check_interval", 1000)
}

pub(super) const DATABASE: Adapter = Adapter {
    schemes: &["postgres", "postgresql"],
    dialect: &PostgresDialect,
    open: |url, options| Ok(open(Postgres::new(url, options)?)),
};

impl Driver for Postgres {
    type Db = sqlx::Postgres;
    type Codec = Codec;
    type Handle = ();

    const DIALECT: Dialect = &PostgresDialect;
    /// One row of NULLs, for which nothing is read. Preparing alone would leave a named statement.
    const DESCRIBED: [&str; 2] = [
        "SELECT d.* FROM (SELECT 1) AS one LEFT JOIN (",
        ") AS d ON false",
    ];
    const PREFIX: &str = "DECLARE shopwarm BINARY NO SCROLL CURSOR FOR ";
    const GRACE: Duration = CONNECT_TIMEOUT;

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

    fn filtered(&self) -> Option<Self> {
        let mut filtered = self.clone();
        filtered.begin.clone_from(&self.begin_filtered);
        Some(filtered)
    }

    /// With a first transaction, which shows whether the server or its pooler lets us work.
    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = self.connect.connect().await?;
        self.begin(&mut connection)
            .await?
            .end(Ok::<_, sqlx::Error>(()))
            .await?;
        Ok(connection)
    }

    /// A pooler lets everybody in, and has them wait with their first statement.
    async fn is_greeted(&self) -> bool {
        self.connect.connect().await.is_ok()
    }

    fn describe<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        sql: &'c str,
    ) -> BoxFuture<'c, Result<Vec<Column>, Refusal>> {
        async move {
            match self.describe_once(connection, sql).await {
                Err(Refusal::Sql(error)) if is_forgotten(&error) => {
                    self.describe_once(connection, sql).await
                }
                described => described,
            }
        }
        .boxed()
    }

    fn who_waits<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        _: &'c str,
        watched: &'c Watched,
    ) -> BoxFuture<'c, Result<Waiting, sqlx::Error>> {
        async move {
            let Some(session) = watched.session() else {
                return Ok(Waiting::Nobody);
            };
            let mut transaction = self.begin(connection).await?;
            let who = unnamed(WHO_WAITS, PgArguments::default()).bind(session);
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
        .boxed()
    }

    fn is_full(error: &dyn DatabaseError) -> bool {
        error.code().is_some_and(|code| code == "53300")
    }

    fn is_lock_timeout(error: &dyn DatabaseError) -> bool {
        error.code().is_some_and(|code| code == "55P03")
    }

    fn handle(_: &mut PgConnection) -> BoxFuture<'_, Result<(), sqlx::Error>> {
        async { Ok(()) }.boxed()
    }

    /// A server notices by itself that its client has gone.
    fn end(&self, (): ()) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }

    /// Through a cursor: between two portions the server waits for nothing, however long the cache
    /// takes, and no timeout of its own runs.
    fn read<'c>(
        connection: &'c mut PgConnection,
        sql: &'c str,
        arguments: PgArguments,
        rows: &'c mut Rows<'_, Self>,
    ) -> BoxFuture<'c, Result<(), Broken>> {
        async move {
            match read_once(connection, sql, arguments.clone(), rows).await {
                Err(Broken::Sql(error)) if is_forgotten(&error) => {
                    read_once(connection, sql, arguments, rows).await
                }
                read => read,
            }
        }
        .boxed()
    }

    fn add_array(arguments: &mut PgArguments, array: &Param) -> Result<(), BoxDynError> {
        match array {
            Param::Texts(texts) => arguments.add(texts),
            Param::Ints(integers) => arguments.add(integers),
            Param::Text(text) => arguments.add(text),
            Param::Int(integer) => arguments.add(*integer),
        }
    }

    fn codec(_: &Column, described: &PgColumn) -> Codec {
        Codec::of(described.type_info())
    }

    fn decode(codecs: &[Codec], query: &Query, row: &PgRow, out: &mut RowBatch) {
        for (i, codec) in codecs.iter().enumerate() {
            let hint = query.hints[i];
            out.push_cell(|out| {
                let value = row
                    .try_get_raw(i)
                    .map_err(|_| "the column is missing".to_owned())?;
                if value.is_null() {
                    return encode(Scalar::Null, hint, out);
                }
                let wire = value.as_bytes().map_err(|_| malformed())?;
                codec.decode(wire, hint, out)
            });
        }
    }

    /// The planner's estimate; reads no row.
    fn estimate<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        sql: &'c str,
    ) -> BoxFuture<'c, Option<Expected>> {
        async move {
            let rows = self.plan(connection, sql).await.ok()?.rows;
            rows.map(Expected::about)
        }
        .boxed()
    }

    fn plan<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        sql: &'c str,
    ) -> BoxFuture<'c, Result<QueryPlan, sqlx::Error>> {
        async move {
            let mut transaction = self.begin(connection).await?;
            let plan = plan(&mut transaction, sql).await;
            transaction.end(plan).await
        }
        .boxed()
    }

    fn checkup<'c>(
        &'c self,
        connection: &'c mut PgConnection,
    ) -> BoxFuture<'c, Result<Facts, sqlx::Error>> {
        async move {
            let mut transaction = self.begin(connection).await?;
            let facts = facts(&mut transaction).await;
            transaction.end(facts).await
        }
        .boxed()
    }

    fn pooler<'c>(
        &'c self,
        connection: &'c mut PgConnection,
    ) -> BoxFuture<'c, Result<Option<Finding>, sqlx::Error>> {
        pooler::finding(&self.connect, &self.begin, connection).boxed()
    }

    fn role<'c>(
        &'c self,
        connection: &'c mut PgConnection,
    ) -> BoxFuture<'c, Result<Role, sqlx::Error>> {
        async move {
            let mut transaction = self.begin(connection).await?;
            let role = role(&mut transaction).await;
            transaction.end(role).await
        }
        .boxed()
    }

    fn zone<'c>(&'c self, connection: &'c mut PgConnection) -> BoxFuture<'c, Option<ServerZone>> {
        async move {
            let mut transaction = self.begin(connection).await.ok()?;
            let zone = zone::zone(&mut transaction).await;
            transaction.end(zone).await.ok()
        }
        .boxed()
    }

    fn vitals<'c>(
        &'c self,
        connection: &'c mut PgConnection,
    ) -> BoxFuture<'c, Result<Option<SourceVitals>, sqlx::Error>> {
        async move {
            let mut transaction = self.begin(connection).await?;
            let vitals = vitals(&mut transaction).await;
            transaction.end(vitals.map(Some)).await
        }
        .boxed()
    }

    fn moment<'c>(
        &'c self,
        connection: &'c mut PgConnection,
    ) -> BoxFuture<'c, Result<Result<Moment, String>, sqlx::Error>> {
        async move {
            let mut transaction = self.begin(connection).await?;
            let moment = moment(&mut transaction).await;
            transaction.end(moment).await
        }
        .boxed()
    }

    /// A table with row security shows whom it likes, and a parent's key does not hold for its
    /// children: their rows are known by none.
    fn unique_keys<'c>(
        &'c self,
        connection: &'c mut PgConnection,
        table: &'c TableName,
    ) -> BoxFuture<'c, Result<UniqueKeys, sqlx::Error>> {
        let sql = "SELECT i.indexrelid::text, i.indisprimary, a.attname::text
            FROM pg_index i
            JOIN pg_class c ON c.oid = i.indrelid
            CROSS JOIN unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS k (attnum)
            LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                AND k.attnum > 0
            WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid
                AND i.indpred IS NULL AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
                AND (c.relkind = 'p' OR NOT c.relhassubclass)";
        async move {
            let mut transaction = self.begin(connection).await?;
            let keys = unnamed(sql, PgArguments::default()).bind(&table.name);
            let keys = keys.fetch_all(transaction.connection()).await;
            let key = |row: &PgRow| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
            let keys = keys.and_then(|rows| rows.iter().map(key).collect::<Result<Vec<_>, _>>());
            Ok(UniqueKeys::of(transaction.end(keys).await?))
        }
        .boxed()
    }

    fn explain(error: &dyn DatabaseError) -> Explained {
        let code = error.code().unwrap_or_default();
        let pg = error.try_downcast_ref::<PgDatabaseError>();
        let (kind, hint) = match code.as_ref() {
            _ if pg.is_some_and(pooler::is_statement_mode) => {
                (FailureKind::Config, Some(pooler::STATEMENT_MODE))
            }
            _ if pg.is_some_and(pooler::refuses_parameter) => {
                (FailureKind::Config, Some(pooler::REFUSED_PARAMETER))
            }
            "42501" if pg.and_then(PgDatabaseError::routine) == Some("check_enable_rls") => (
                FailureKind::SourceDenied,
                Some(
                    "read as the table's owner or a role with BYPASSRLS; row_security = \"apply\" in the \
                     definition warms only the rows that its policies show",
                ),
            ),
            // A setting of the operator's that the server does not take.
            "42704" | "22023" | "55P02" => (FailureKind::Config, None),
            "28P01" | "28000" => (
                FailureKind::SourceDenied,
                Some("check user and password in the database URL"),
            ),
            "42501" => (
                FailureKind::NotGranted,
                Some(
                    "GRANT SELECT on the table to this user, or leave the strategy out with --exclude",
                ),
            ),
            "3D000" => (
                FailureKind::Config,
                Some("check the database's name in the URL"),
            ),
            "53300" => (
                FailureKind::SourceUnreachable,
                Some("the server has no connection left; shopwarm needs one"),
            ),
            "57P01" | "57P02" | "57P03" => (
                FailureKind::SourceUnreachable,
                Some("the server is starting or stopping; run again when it is up"),
            ),
            // A standby that must go on replaying, or two transactions in each other's way.
            "40001" | "40P01" => (FailureKind::SourceLost, None),
            // A pooler's words for a session that it lost; a lock that was waited for too long.
            "08000" | "08003" | "08006" | "08P01" | "55P03" => (FailureKind::SourceLost, None),
            // Ended for having waited, by a limit that is not ours.
            "25P03" | "25P04" | "57P05" => (FailureKind::SourceLost, None),
            "42P01" | "42703" => (FailureKind::Query, Some(super::SCHEMA_HINT)),
            "57014" => (FailureKind::SourceBusy, Some(super::TIMEOUT_HINT)),
            // Its memory, its disk, its locks.
            code if code.starts_with("53") => (FailureKind::SourceBusy, None),
            _ => (FailureKind::Query, None),
        };
        let position = pg.and_then(PgDatabaseError::position);
        Explained {
            kind,
            message: pg.map_or_else(|| "refused".to_owned(), message),
            position: match position {
                Some(PgErrorPosition::Original(at)) => Some(at),
                _ => None,
            },
            hint,
        }
    }
}

/// The server's own words, or the pooler's.
fn message(error: &PgDatabaseError) -> String {
    let message = super::tidy(error.message());
    match pooler::refused_parameter(&message) {
        Some(name) => format!("{message} (ignore_startup_parameters = {name})"),
        None => message,
    }
}

/// The columns of a row.
fn columns(row: &PgRow) -> Result<Vec<Column>, Refusal> {
    super::all(row.columns(), |described| {
        let info = described.type_info();
        if let Codec::Unknown = Codec::of(info) {
            return Err(info.name().to_ascii_lowercase());
        }
        Ok(Column {
            name: described.name().to_owned(),
            kind: kind(info),
            declared: info.name().to_ascii_uppercase(),
        })
    })
}

async fn plan(transaction: &mut Transaction<'_>, sql: &str) -> Result<QueryPlan, sqlx::Error> {
    let explain = format!("EXPLAIN (FORMAT JSON) {sql}");
    let explain = unnamed(&explain, PgArguments::default());
    let row = explain.fetch_one(transaction.connection()).await?;
    let text = row
        .try_get_raw(0)?
        .as_bytes()
        .map_err(sqlx::Error::Decode)?;
    let plan: Json = serde_json::from_slice(text).unwrap_or_default();
    let top = &plan[0]["Plan"];
    Ok(QueryPlan {
        cost: top["Total Cost"].as_f64(),
        rows: top["Plan Rows"].as_u64(),
        scans: find_scans(transaction, top).await?,
    })
}

async fn facts(transaction: &mut Transaction<'_>) -> Result<Facts, sqlx::Error> {
    let before = SystemTime::now();
    let seconds = "SELECT extract(epoch FROM clock_timestamp())::float8";
    let (seconds,): (f64,) = transaction.ask(seconds).await?;
    let after = SystemTime::now();
    let (version, user, is_superuser, read_only, statement_timeout): (
        String,
        String,
        bool,
        String,
        String,
    ) = transaction
        .ask(
            "SELECT split_part(version(), ' on ', 1), current_user::text,
             current_setting('is_superuser') = 'on',
             current_setting('transaction_read_only'),
             current_setting('statement_timeout')",
        )
        .await?;
    Ok(Facts {
        version,
        user: Some(user),
        read_only: read_only == "on",
        writing: if is_superuser {
            " (the user is a superuser; one that may only SELECT is enough)"
        } else {
            ""
        },
        statement_timeout,
        role: role(transaction).await?,
        clock: Some(Clock {
            theirs: Some(seconds),
            before,
            after,
        }),
    })
}

async fn vitals(transaction: &mut Transaction<'_>) -> Result<SourceVitals, sqlx::Error> {
    let asked = Instant::now();
    let (is_replica,): (bool,) = transaction.ask("SELECT pg_is_in_recovery()").await?;
    let latency = asked.elapsed();
    // Who may not see the others' sessions sees that they are there, not what they do.
    let active = "SELECT count(*) FROM pg_stat_activity
                  WHERE state = 'active' AND pid <> pg_backend_pid()";
    let (active,): (i64,) = transaction.ask(active).await?;
    let lag = match is_replica {
        true => role::lag(transaction).await.ok(),
        false => None,
    };
    Ok(SourceVitals {
        latency,
        active: u64::try_from(active).ok(),
        lag: lag.and_then(|lag| Duration::try_from_secs_f64(lag).ok()),
    })
}

async fn moment(transaction: &mut Transaction<'_>) -> Result<Result<Moment, String>, sqlx::Error> {
    let clock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8";
    let (now,): (i64,) = transaction.ask(clock).await?;
    let role = role(transaction).await?;
    let lag = match role.behind() {
        Ok(seconds) => (seconds * 1e6) as i64,
        Err(why) => return Ok(Err(why)),
    };
    let (oldest_open, hidden): (Option<i64>, i64) = transaction.ask(OPEN).await?;
    let hidden = (hidden > 0).then(|| {
        "it does not show this user what others have open (GRANT pg_read_all_stats)".to_owned()
    });
    Ok(Ok(Moment {
        origin: origin(transaction).await?,
        clock: now,
        now: now - lag,
        oldest_open,
        doubt: role.doubt().or(hidden),
    }))
}

/// When the oldest transaction began that may have changed something here or may yet, and how many
/// sessions do not show whether they have one. A prepared one is known since it was prepared only.
const OPEN: &str = "
    SELECT (extract(epoch FROM least(min(a.xact_start),
                (SELECT min(prepared) FROM pg_prepared_xacts WHERE database = current_database())
            )) * 1000000)::int8,
        count(*) FILTER (WHERE a.state = 'disabled' OR a.query = '<insufficient privilege>')
    FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
        AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
        AND a.backend_type IS DISTINCT FROM 'walsender'";

/// The sessions that wait for a lock of a session, and the tables that they wait for.
const WHO_WAITS: &str = "
    SELECT count(*), coalesce(string_agg(DISTINCT relation::regclass::text, ', '), '')
    FROM pg_catalog.pg_locks
    WHERE NOT granted AND $1 = ANY (pg_catalog.pg_blocking_pids(pid))";

/// Which database it is: of a cluster, on a timeline that goes on from no backup since.
async fn origin(transaction: &mut Transaction<'_>) -> Result<String, sqlx::Error> {
    let name = "SELECT concat_ws('/', current_database(), current_schema())";
    let (name,): (String,) = transaction.ask(name).await?;
    let cluster = "SELECT concat_ws('/', s.system_identifier, c.timeline_id)
                   FROM pg_control_system() s, pg_control_checkpoint() c";
    let cluster = transaction.try_ask(cluster).await;
    let cluster = cluster.map_or_else(|_| String::new(), |(cluster,)| cluster);
    Ok(format!("{cluster}/{name}"))
}

/// Reads a query in a transaction of its own.
async fn read_once(
    connection: &mut PgConnection,
    sql: &str,
    arguments: PgArguments,
    rows: &mut Rows<'_, Postgres>,
) -> Result<(), Broken> {
    let begin = rows.labelled(&rows.driver().begin);
    let begun = Transaction::begin(connection, begin);
    let mut transaction = rows.wait_for_turn(begun).await?;
    if let Some(session) = transaction.session() {
        rows.read_on(session);
    }
    let query = unnamed(sql, arguments);
    let read = match rows.is_brief() {
        true => rows.stream(query.fetch(transaction.connection())).await,
        false => read_cursor(transaction.connection(), query, rows).await,
    };
    match read {
        Ok(()) | Err(Broken::Sql(_)) => {
            let ended = rows.wait(transaction.end(Ok(()))).await;
            read.and(ended)
        }
        // The server may still be at work on it.
        Err(_) => read,
    }
}

/// Declares a cursor and reads it in portions.
async fn read_cursor(
    connection: &mut PgConnection,
    declare: Statement,
    rows: &mut Rows<'_, Postgres>,
) -> Result<(), Broken> {
    rows.wait(declare.execute(&mut *connection)).await?;
    let mut size = FIRST_PORTION;
    // The first is prepared, which tells the columns' types.
    let first = unnamed(&rows.labelled(&fetch(size)), PgArguments::default());
    let mut taken = rows.portion(first.fetch(&mut *connection)).await?;
    while taken == size {
        size = next_portion(size, rows.rows_a_portion());
        rows.hand_on().await?;
        let steps = vec![fetch(size / STEPS); STEPS];
        let next = rows.labelled(&steps.join(";"));
        let next = sqlx::raw_sql(safe(&next));
        taken = rows.portion(next.fetch(&mut *connection)).await?;
    }
    rows.hand_on().await
}

/// Rows of a cursor's first portion, before their size is known, and of any.
const FIRST_PORTION: usize = 16;
const LARGEST_PORTION: usize = 32 * 1024;

/// Statements that a portion is fetched by, in one message. The server makes all rows of a FETCH
/// before it sends the first; with several it makes some while we read others.
const STEPS: usize = 8;

fn fetch(rows: usize) -> String {
    format!("FETCH {rows} FROM shopwarm")
}

/// As many rows as make up a portion, in whole steps, but not many times more than the last time:
/// what comes may be larger than what came.
fn next_portion(last: usize, rows_a_portion: usize) -> usize {
    let rows = rows_a_portion.min(LARGEST_PORTION).min(8 * last);
    (rows / STEPS).max(1) * STEPS
}

/// The tables that a plan reads from end to end, each with about how many rows it has.
async fn find_scans(
    transaction: &mut Transaction<'_>,
    top: &Json,
) -> Result<Vec<Scan>, sqlx::Error> {
    let mut found = Vec::new();
    let mut nodes = vec![top];
    while let Some(node) = nodes.pop() {
        if node["Node Type"] == "Seq Scan"
            && let Some(table) = node["Relation Name"].as_str()
        {
            // What the node returns is after its filter; the table's own count is before.
            let rows = "SELECT reltuples FROM pg_class WHERE oid = to_regclass(quote_ident($1))";
            let rows = unnamed(rows, PgArguments::default()).bind(table);
            let rows = rows.fetch_optional(transaction.connection()).await?;
            let rows: Option<f32> = rows.and_then(|row| row.try_get(0).ok());
            found.push(Scan {
                table: table.to_owned(),
                rows: rows.filter(|rows| *rows >= 0.0).map(|rows| rows as u64),
            });
        }
        nodes.extend(node["Plans"].as_array().into_iter().flatten());
    }
    Ok(found)
}

fn kind(info: &PgTypeInfo) -> ColumnKind {
    if let PgTypeKind::Domain(base) = info.kind() {
        return kind(base);
    }
    match info.name().to_ascii_uppercase().as_str() {
        "INT2" | "INT4" | "INT8" | "OID" => ColumnKind::Integer,
        "TEXT" | "VARCHAR" | "NAME" => ColumnKind::Text,
        // In SQL, CHAR is one of a single character.
        "CHAR" => ColumnKind::Other("bpchar".to_owned()),
        "\"CHAR\"" => ColumnKind::Other("\"char\"".to_owned()),
        // The operator's own types are named as SQL would, with quotes and schema where they need it.
        _ => ColumnKind::Other(info.name().to_owned()),
    }
}

fn malformed() -> String {
    "the database sent a value of another format than its type has".to_owned()
}

/// How to read one type's binary format.
#[derive(Clone, Debug)]
pub(super) enum Codec {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    Text,
    /// One byte; zero is no character.
    Char,
    Uuid,
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
    Json,
    Jsonb,
    Bytea,
    Array(Box<Codec>),
    Unknown,
}

impl Codec {
    fn of(info: &PgTypeInfo) -> Self {
        match info.kind() {
            PgTypeKind::Enum(_) => return Self::Text,
            PgTypeKind::Domain(base) => return Self::of(base),
            PgTypeKind::Array(element) => {
                return match Self::of(element) {
                    Self::Unknown => Self::Unknown,
                    codec => Self::Array(Box::new(codec)),
                };
            }
            _ => {}
        }
        match info.name().to_ascii_uppercase().as_str() {
            "BOOL" => Self::Bool,
            "INT2" => Self::Int2,
            "INT4" => Self::Int4,
            "INT8" => Self::Int8,
            "OID" => Self::Oid,
            "FLOAT4" => Self::Float4,
            "FLOAT8" => Self::Float8,
            "NUMERIC" => Self::Numeric,
            "TEXT" | "VARCHAR" | "CHAR" | "BPCHAR" | "NAME" | "CITEXT" | "XML" | "UNKNOWN" => {
                Self::Text
            }
            "\"CHAR\"" => Self::Char,
            "UUID" => Self::Uuid,
            "DATE" => Self::Date,
            "TIME" => Self::Time,
            "TIMETZ" => Self::TimeTz,
            "TIMESTAMP" => Self::Timestamp,
            "TIMESTAMPTZ" => Self::TimestampTz,
            "JSON" => Self::Json,
            "JSONB" => Self::Jsonb,
            "BYTEA" => Self::Bytea,
            _ => Self::Unknown,
        }
    }

    fn decode(&self, wire: &[u8], hint: Option<Hint>, out: &mut Vec<u8>) -> Result<(), String> {
        let mut digits = String::new();
        let value = match self {
            Self::Array(element) => return decode_array(element, wire, hint, out),
            Self::Unknown => return Err("its type has no JSON form".into()),
            Self::Numeric => {
                numeric(wire, &mut digits)?;
                Scalar::Decimal(&digits)
            }
            Self::Bool => Scalar::Bool(fixed::<1>(wire)? != [0]),
            Self::Int2 => Scalar::Int(i16::from_be_bytes(fixed(wire)?).into()),
            Self::Int4 => Scalar::Int(i32::from_be_bytes(fixed(wire)?).into()),
            Self::Int8 => Scalar::Int(i64::from_be_bytes(fixed(wire)?)),
            Self::Oid => Scalar::Uint(u32::from_be_bytes(fixed(wire)?).into()),
            Self::Float4 => Scalar::Float32(f32::from_be_bytes(fixed(wire)?)),
            Self::Float8 => Scalar::Float64(f64::from_be_bytes(fixed(wire)?)),
            Self::Text => Scalar::Text(wire),
            Self::Char => Scalar::Text(wire.strip_suffix(&[0]).unwrap_or(wire)),
            Self::Uuid => Scalar::Uuid(fixed(wire)?),
            Self::Date => match i32::from_be_bytes(fixed(wire)?) {
                i32::MAX | i32::MIN => return Err("infinity is no date".into()),
                days => Scalar::Date(Date::from_unix_days(i64::from(days) + EPOCH_DAYS)),
            },
            Self::Time => Scalar::Time {
                micros: i64::from_be_bytes(fixed(wire)?),
                utc: false,
            },
            Self::TimeTz => time_tz(fixed(wire)?),
            Self::Timestamp | Self::TimestampTz => match i64::from_be_bytes(fixed(wire)?) {
                i64::MAX | i64::MIN => return Err("infinity is no moment".into()),
                micros => Scalar::date_time_from_unix_micros(
                    micros.saturating_add(EPOCH_MICROS),
                    matches!(self, Self::TimestampTz),
                ),
            },
            Self::Json => Scalar::Json(wire),
            // The first byte is the format's version.
            Self::Jsonb => Scalar::Json(wire.get(1..).ok_or_else(malformed)?),
            Self::Bytea => Scalar::Bytes(wire),
        };
        encode(value, hint, out)
    }
}

fn fixed<const N: usize>(wire: &[u8]) -> Result<[u8; N], String> {
    wire.try_into().map_err(|_| malformed())
}

/// Microseconds since midnight, and the zone as seconds west of Greenwich.
fn time_tz(wire: [u8; 12]) -> Scalar<'static> {
    let (micros, zone) = wire.split_at(8);
    let micros = i64::from_be_bytes(micros.try_into().unwrap_or_default());
    let micros = match i32::from_be_bytes(zone.try_into().unwrap_or_default()) {
        // 24:00 is a time of its own here.
        0 => micros,
        west => (micros + i64::from(west) * 1_000_000).rem_euclid(86_400_000_000),
    };
    Scalar::Time { micros, utc: true }
}

/// Base-10,000 digits to decimal ones, exactly those that the column has.
fn numeric(wire: &[u8], out: &mut String) -> Result<(), String> {
    let word = |i: usize| -> Result<u16, String> {
        let bytes = wire.get(2 * i..2 * i + 2).ok_or_else(malformed)?;
        Ok(u16::from_be_bytes(fixed(bytes)?))
    };
    let (count, weight, sign, scale) = (word(0)?, word(1)?.cast_signed(), word(2)?, word(3)?);
    match sign {
        0x0000 => {}
        0x4000 => out.push('-'),
        0xC000 => return Err("NaN and infinity have no JSON form".into()),
        0xD000 | 0xF000 => return Err("NaN and infinity have no JSON form".into()),
        _ => return Err(malformed()),
    }
    let group = |place: i32| -> Result<u16, String> {
        // Groups beyond those sent are zero.
        let index = i32::from(weight) - place;
        if (0..i32::from(count)).contains(&index) {
            word(4 + usize::try_from(index).unwrap_or_default())
        } else {
            Ok(0)
        }
    };
    if weight < 0 {
        out.push('0');
    } else {
        out.push_str(&group(weight.into())?.to_string());
        for place in (0..i32::from(weight)).rev() {
            out.push_str(&format!("{:04}", group(place)?));
        }
    }
    if scale > 0 {
        out.push('.');
        let end = out.len() + usize::from(scale);
        let mut place = -1;
        while out.len() < end {
            out.push_str(&format!("{:04}", group(place)?));
            place -= 1;
        }
        out.truncate(end);
    }
    Ok(())
}

/// Dimensions, then elements row by row; nested as deep as it has dimensions. A hint is about the
/// elements; an array is JSON already.
fn decode_array(
    element: &Codec,
    wire: &[u8],
    hint: Option<Hint>,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let hint = hint.filter(|hint| *hint != Hint::Json);
    let mut rest = wire;
    let int = |rest: &mut &[u8]| -> Result<i32, String> {
        let (head, tail) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
        *rest = tail;
        Ok(i32::from_be_bytes(*head))
    };
    let dimensions = int(&mut rest)?;
    int(&mut rest)?;
    int(&mut rest)?;
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        lengths.push(usize::try_from(int(&mut rest)?).map_err(|_| malformed())?);
        int(&mut rest)?;
    }
    if lengths.is_empty() {
        out.extend_from_slice(b"[]");
        return Ok(());
    }
    let total: usize = lengths.iter().product();
    for i in 0..total {
        open_or_separate(&lengths, i, out);
        let length = int(&mut rest)?;
        match usize::try_from(length) {
            Err(_) => out.extend_from_slice(b"null"),
            Ok(length) => {
                let (value, tail) = rest.split_at_checked(length).ok_or_else(malformed)?;
                rest = tail;
                element.decode(value, hint, out)?;
            }
        }
    }
    out.extend(std::iter::repeat_n(b']', lengths.len()));
    Ok(())
}

/// The brackets and the comma before element `i`.
fn open_or_separate(lengths: &[usize], i: usize, out: &mut Vec<u8>) {
    let mut size = 1;
    let mut closed = 0;
    for length in lengths.iter().rev() {
        size *= length;
        if i.is_multiple_of(size) {
            closed += 1;
        }
    }
    if i > 0 {
        out.extend(std::iter::repeat_n(b']', closed));
        out.push(b',');
    }
    out.extend(std::iter::repeat_n(b'[', closed));
}
