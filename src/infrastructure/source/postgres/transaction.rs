//! Every statement runs in a read-only transaction with its own settings. Afterwards nothing is
//! left on the session, which a pooler may give to the shop next.

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor as _, FromRow, Row as _};

use crate::domain::session_zone::SessionZone;

/// Settings of a transaction, independent of role, database, server and URL. Unknown ones are
/// skipped.
pub(super) struct Settings {
    /// Each value is an SQL expression.
    ours: Vec<(&'static str, String)>,
    /// What the operator sets.
    given: Vec<(String, String)>,
}

/// Text formats and the meaning of literals: PostgreSQL's defaults.
const FORMATS: [(&str, &str); 14] = [
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("timezone_abbreviations", "Default"),
    // All digits, also before version 12.
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
    // All rows of a cursor are read.
    ("cursor_tuple_fraction", "1"),
];

/// Set elsewhere in [`Settings`], or by BEGIN.
const OTHERS: [&str; 14] = [
    "client_connection_check_interval",
    "client_encoding",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "idle_in_transaction_session_timeout",
    "lock_timeout",
    "row_security",
    "statement_timeout",
    "timezone",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
    "transaction_timeout",
];

/// Whether the operator may not set this (in lower case).
pub(super) fn is_ours(name: &str) -> bool {
    let is_format = |(ours, _): &(&str, &str)| ours.eq_ignore_ascii_case(name);
    OTHERS.contains(&name) || FORMATS.iter().any(is_format)
}

/// With SQL_ASCII, bytes are passed through: a row that is not UTF-8 fails its key, not the query.
const ENCODING: &str = "CASE pg_catalog.current_setting('server_encoding')
    WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END";

impl Settings {
    /// The settings of all transactions, and the operator's.
    pub(super) fn new(given: Vec<(String, String)>, zone: &SessionZone) -> Self {
        let formats = FORMATS.map(|(name, value)| (name, format!("'{value}'")));
        let mut ours = Vec::from(formats);
        ours.push(("TimeZone", format!("'{}'", posix(zone))));
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
        let ours: Vec<_> = ours.map(|(name, value)| format!("('{name}', {value})")).collect();
        let given = self.given.iter();
        let given = given.map(|(name, value)| {
            format!("; SELECT pg_catalog.set_config({}, {}, true)", quoted(name), quoted(value))
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

/// A zone as PostgreSQL takes it: an offset as a zone of its own, whose sign is the other way round.
fn posix(zone: &SessionZone) -> String {
    match zone.offset() {
        None => zone.to_string(),
        Some(offset) => {
            let (sign, hours) = offset.split_at(1);
            let other = if sign == "+" { '-' } else { '+' };
            format!("<{offset}>{other}{hours}")
        }
    }
}

/// A text as a literal, whatever standard_conforming_strings is.
fn quoted(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// An open transaction. If it is dropped without [`Transaction::end`], the connection must be
/// closed.
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
        let mut transaction = Self { connection, session: None };
        let begin = sqlx::raw_sql(AssertSqlSafe(begin));
        match transaction.connection.fetch_all(begin).await {
            Ok(rows) => {
                transaction.session = rows.first().and_then(|row| row.try_get(1).ok());
                Ok(transaction)
            }
            Err(error) => transaction.end(Err(error)).await,
        }
    }

    /// The id of the server session; a pooler may use another one each time.
    pub(super) fn session(&self) -> Option<i32> {
        self.session
    }

    /// Use only [`unnamed`] and `sqlx::raw_sql`; others leave a named statement on the server.
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        self.connection
    }

    /// Queries one row, without parameters.
    pub(super) async fn ask<T>(&mut self, sql: &'static str) -> Result<T, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow>,
    {
        T::from_row(&self.connection.fetch_one(sqlx::raw_sql(sql)).await?)
    }

    /// The same, but an error does not abort the transaction.
    pub(super) async fn try_ask<T>(&mut self, sql: &str) -> Result<T, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow>,
    {
        let guarded = format!("SAVEPOINT asked; {sql}; RELEASE SAVEPOINT asked");
        let row = self.connection.fetch_one(sqlx::raw_sql(AssertSqlSafe(guarded))).await;
        if row.is_err() {
            let undo = sqlx::raw_sql("ROLLBACK TO SAVEPOINT asked; RELEASE SAVEPOINT asked");
            self.connection.execute(undo).await?;
        }
        T::from_row(&row?)
    }

    /// Ends it and returns the outcome. After an error, COMMIT rolls back.
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

/// A statement without a name on the server.
pub(super) type Statement = Query<'static, sqlx::Postgres, PgArguments>;

pub(super) fn unnamed(sql: &str, arguments: PgArguments) -> Statement {
    sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments).persistent(false)
}

/// Whether to retry a statement. For an unknown type the driver queries the server, which drops the
/// unnamed statement that it has just prepared. The second time it knows the type.
pub(super) fn is_forgotten(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == "26000")
}
