//! Server errors, and warnings that count as errors.

use sqlx::Executor as _;
use sqlx::error::DatabaseError;
use sqlx::mysql::{MySqlConnection, MySqlDatabaseError};

use super::super::driver::{Answer, Refusal};
use super::super::errors::{Explained, SCHEMA_HINT, TIMEOUT_HINT, tidy};
use super::ask::cell;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::shortened;
use crate::domain::place::{Missing, Spot};

const NO_ZONES: &str = "session_timezone: load the server's time zone tables (mysql_tzinfo_to_sql), or write a \
    UTC offset such as +01:00, which has no daylight saving time";

/// ProxySQL keeps a session that has set variables with one group of servers.
pub(super) const PROXYSQL: &str = "ProxySQL's rules lead the statements of one session to several groups of servers: give \
    shopwarm a user with fast_forward = 1, or whose rules lead to one group, or use the server's own URL";

pub(super) fn explain(error: &dyn DatabaseError) -> Explained {
    let error = error.try_downcast_ref::<MySqlDatabaseError>();
    let number = error.map_or(0, MySqlDatabaseError::number);
    let (kind, hint) = match number {
        1044 => (
            FailureKind::SourceDenied,
            Some("check the database's name in the URL, or GRANT SELECT on it to this user"),
        ),
        1045 | 1698 => {
            (FailureKind::SourceDenied, Some("check user and password in the database URL"))
        }
        1142 | 1143 | 1227 => (
            FailureKind::NotGranted,
            Some(
                "GRANT SELECT on the table to this user, or leave the strategy out with --exclude",
            ),
        ),
        1049 => (FailureKind::Config, Some("check the database's name in the URL")),
        1040 | 1203 | 1226 => (
            FailureKind::SourceUnreachable,
            Some("the server has no free connection; shopwarm needs one"),
        ),
        1053 | 1927 | 3169 | 4031 => (
            FailureKind::SourceUnreachable,
            Some("the server is stopping, or ended the session; run again when it is up"),
        ),
        1298 => (FailureKind::Config, Some(NO_ZONES)),
        9006 => (FailureKind::Config, Some(PROXYSQL)),
        1205 | 1213 => (FailureKind::SourceLost, None),
        1054 | 1146 => (FailureKind::Query, Some(SCHEMA_HINT)),
        1969 | 3024 => (FailureKind::SourceBusy, Some(TIMEOUT_HINT)),
        1461 => (
            FailureKind::SourceBusy,
            Some("all prepared statements are in use; raise max_prepared_stmt_count"),
        ),
        // Its memory, its disk, its locks, its open files.
        1021 | 1037 | 1038 | 1041 | 1206 | 1135 => (FailureKind::SourceBusy, None),
        _ => (FailureKind::Query, None),
    };
    let message = error.map_or("refused", MySqlDatabaseError::message);
    let (message, spot) = match near(message) {
        Some((message, spot)) => (message, Some(spot)),
        None => (tidy(message), named(message)),
    };
    Explained { kind, message, spot, hint, missing: missing(number) }
}

/// What a query names and the database does not have.
fn missing(number: u16) -> Option<Missing> {
    match number {
        1054 => Some(Missing::Column),
        1146 => Some(Missing::Table),
        _ => None,
    }
}

/// A syntax error: `... to use near 'FORM products ...' at line 3`. What is near goes on to the end
/// of the query, which is not all the operator's.
fn near(message: &str) -> Option<(String, Spot)> {
    let (_, near) = message.split_once(" near '")?;
    let (near, line) = near.rsplit_once("' at line ")?;
    let near = near.lines().next().unwrap_or_default();
    let words = shortened(near, 40);
    let shown = match near.trim().is_empty() {
        true => "syntax error at the end of a line".to_owned(),
        false => format!("syntax error near `{}`", tidy(&words)),
    };
    let spot = Spot::Rest(line.trim().parse().ok()?, near.to_owned());
    Some((shown, spot))
}

/// The name that a message has: `Unknown column 'p.nam' in 'SELECT'`, `FUNCTION shop.f does not exist`.
fn named(message: &str) -> Option<Spot> {
    let function = || {
        let name = message.strip_prefix("FUNCTION ")?;
        name.strip_suffix(" does not exist")?.rsplit('.').next()
    };
    let name = message.split('\'').nth(1).or_else(function)?;
    Some(Spot::Word(name.to_owned()))
}

/// A value that is cut short is returned all the same; only a warning says so, to clients that ask.
/// GROUP_CONCAT or JSON_ARRAYAGG was cut; another function gave NULL for what is too long.
const TOO_LONG: [u16; 2] = [1260, 1301];

/// A recursive query ended at `max_recursive_iterations`.
const TOO_DEEP: u16 = 1931;

/// Checks that the last result is complete.
///
/// # Errors
/// The database's error; inner: the result is not complete.
pub(super) async fn check_whole(
    session: &mut MySqlConnection,
    label: &str,
) -> Answer<Result<(), Failure>> {
    for row in session.fetch_all("SHOW WARNINGS").await? {
        let hint = match cell(&row, 1)?.parse() {
            Ok(code) if TOO_LONG.contains(&code) => {
                "raise max_allowed_packet at the server, or make the value shorter in the SQL"
            }
            Ok(TOO_DEEP) => "raise max_recursive_iterations at the server, or bound the recursion",
            _ => continue,
        };
        let what = format!("{label}: the database cut the result short");
        let why = tidy(&cell(&row, 2)?);
        return Ok(Err(Failure::new(FailureKind::Query, what, why).hint(hint)));
    }
    Ok(Ok(()))
}

/// Types that the driver does not know, such as MySQL's VECTOR: it fails in the middle of the
/// answer, which is a query error and not a lost connection.
const UNKNOWN: &str = "unknown column type ";

/// Columns of this database with a type that the driver does not know.
const VECTORS: &str = "
    SELECT CONCAT(table_name, '.', column_name), data_type FROM information_schema.columns
    WHERE table_schema = DATABASE() AND data_type = 'vector'";

/// The type number in an error.
pub(super) fn strange_type(refusal: &Refusal) -> Option<String> {
    let Refusal::Sql(sqlx::Error::Protocol(text)) = refusal else {
        return None;
    };
    let (_, number) = text.split_once(UNKNOWN)?;
    Some(number.trim().to_owned())
}

/// The error for the query; `session`: a new one, since the other is out of sync.
pub(super) async fn strange(session: &mut MySqlConnection, number: String) -> Refusal {
    let rows = session.fetch_all(VECTORS).await.unwrap_or_default();
    let named = rows.iter();
    let named = named.filter_map(|row| Some((cell(row, 0).ok()?, cell(row, 1).ok()?)));
    let mut columns: Vec<(String, String)> = named.collect();
    if columns.is_empty() {
        columns.push(("of the query".to_owned(), format!("number {number}")));
    }
    Refusal::Types(columns)
}
