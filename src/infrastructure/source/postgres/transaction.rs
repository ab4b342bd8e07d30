//! The only way to the server: a read-only transaction that brings its own settings along. When it
//! ends, nothing of ours is left on the session, which a pooler may give to the shop next.

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor as _, FromRow, Row as _};

/// Settings of the server that hold for a transaction. Ours are the same whatever role, database,
/// server and URL say; one that the server does not know is left out.
pub(super) struct Settings {
    /// Each value is an SQL expression.
    ours: Vec<(&'static str, String)>,
    /// What the operator sets.
    given: Vec<(String, String)>,
}

/// Text forms, and what literals in a definition mean: PostgreSQL's own defaults.
const FORMATS: [(&str, &str); 15] = [
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("timezone_abbreviations", "Default"),
    // All digits, before version 12 too.
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("xmlbinary", "base64"),
    ("xmloption", "content"),
    ("array_nulls", "on"),
    ("transform_null_equals", "off"),
    ("quote_all_identifiers", "off"),
    ("standard_conforming_strings", "on"),
    // The next two make rows disappear.
    ("gin_fuzzy_search_limit", "0"),
    ("sql_inheritance", "on"),
    // All rows of a cursor are read, not the first few.
    ("cursor_tuple_fraction", "1"),
];

/// Set by [`Settings`] elsewhere, or by BEGIN.
const OTHERS: [&str; 13] = [
    "client_connection_check_interval",
    "client_encoding",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "idle_in_transaction_session_timeout",
    "lock_timeout",
    "row_security",
    "statement_timeout",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
    "transaction_timeout",
];

/// Whether a setting, in lower case, is not the operator's to choose.
pub(super) fn is_ours(name: &str) -> bool {
    let is_format = |(ours, _): &(&str, &str)| ours.eq_ignore_ascii_case(name);
    OTHERS.contains(&name) || FORMATS.iter().any(is_format)
}

/// Bytes in no known encoding come as they are: a row whose text is not UTF-8 costs its key, not
/// the query.
const ENCODING: &str = "CASE pg_catalog.current_setting('server_encoding')
    WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END";

impl Settings {
    /// Those that have the same value in all transactions, and what the operator sets.
    pub(super) fn new(given: Vec<(String, String)>) -> Self {
        let formats = FORMATS.map(|(name, value)| (name, format!("'{value}'")));
        let mut ours = Vec::from(formats);
        ours.push(("client_encoding", ENCODING.to_owned()));
        Self { ours, given }
    }

    /// Adds a setting whose value is a number or a word.
    pub(super) fn with(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.ours.push((name, format!("'{value}'")));
        self
    }

    /// The statements that begin a transaction with these settings, for one message.
    pub(super) fn begin(&self) -> String {
        let ours = self.ours.iter();
        let ours: Vec<_> = ours
            .map(|(name, value)| format!("('{name}', {value})"))
            .collect();
        let given = self.given.iter();
        let given = given.map(|(name, value)| {
            format!(
                "; SELECT pg_catalog.set_config({}, {}, true)",
                quoted(name),
                quoted(value)
            )
        });
        format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY; \
             SELECT pg_catalog.set_config(name, value, true), pg_catalog.pg_backend_pid() \
             FROM (VALUES {}) s (name, value) \
             WHERE pg_catalog.current_setting(name, true) IS NOT NULL{}",
            ours.join(", "),
            given.collect::<String>()
        )
    }
}

/// A text as a literal, whatever standard_conforming_strings is.
fn quoted(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A transaction that is open. Whoever drops it without [`Transaction::end`] must close the
/// connection.
pub(super) struct Transaction<'c> {
    connection: &'c mut PgConnection,
    session: Option<i32>,
}

impl<'c> Transaction<'c> {
    /// `begin` is what [`Settings::begin`] says.
    pub(super) async fn begin(
        connection: &'c mut PgConnection,
        begin: String,
    ) -> Result<Self, sqlx::Error> {
        let mut transaction = Self {
            connection,
            session: None,
        };
        let begin = sqlx::raw_sql(AssertSqlSafe(begin));
        match transaction.connection.fetch_all(begin).await {
            Ok(rows) => {
                transaction.session = rows.first().and_then(|row| row.try_get(1).ok());
                Ok(transaction)
            }
            Err(error) => transaction.end(Err(error)).await,
        }
    }

    /// The server's number of the session that it runs on; a pooler's session may have another each
    /// time.
    pub(super) fn session(&self) -> Option<i32> {
        self.session
    }

    /// For statements of [`unnamed`] and of `sqlx::raw_sql`; others leave a name at the server.
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        self.connection
    }

    /// The row that a question of our own without parameters gives.
    pub(super) async fn ask<T>(&mut self, sql: &'static str) -> Result<T, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow>,
    {
        T::from_row(&self.connection.fetch_one(sqlx::raw_sql(sql)).await?)
    }

    /// The same of a question that the server may refuse without ending the transaction.
    pub(super) async fn try_ask<T>(&mut self, sql: &str) -> Result<T, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow>,
    {
        let guarded = format!("SAVEPOINT asked; {sql}; RELEASE SAVEPOINT asked");
        let row = self
            .connection
            .fetch_one(sqlx::raw_sql(AssertSqlSafe(guarded)))
            .await;
        if row.is_err() {
            let undo = sqlx::raw_sql("ROLLBACK TO SAVEPOINT asked; RELEASE SAVEPOINT asked");
            self.connection.execute(undo).await?;
        }
        T::from_row(&row?)
    }

    /// Ends it, and gives back the outcome. After an error, COMMIT rolls back.
    pub(super) async fn end<T, E>(self, outcome: Result<T, E>) -> Result<T, E>
    where
        E: From<sqlx::Error>,
    {
        let ended = self.connection.execute(sqlx::raw_sql("COMMIT")).await;
        let found = outcome?;
        ended?;
        Ok(found)
    }
}

/// A statement that leaves no name at the server.
pub(super) type Statement = Query<'static, sqlx::Postgres, PgArguments>;

pub(super) fn unnamed(sql: &str, arguments: PgArguments) -> Statement {
    sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments).persistent(false)
}

/// Whether a statement is to be tried again. Where the driver meets a type that it does not know, it
/// asks the server with a plain query, which removes the unnamed statement that it has just
/// prepared. The second time it knows the type.
pub(super) fn is_forgotten(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == "26000")
}
