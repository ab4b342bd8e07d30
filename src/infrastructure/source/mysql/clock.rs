//! The server's clock, and what is open there.

use sqlx::mysql::MySqlConnection;

use super::super::facts::Role;
use super::ask::text;
use super::role::role;
use super::session::SERVER;
use crate::domain::changes::Moment;

/// Up to when what is read now is complete; `Err` inside: why the server cannot say.
pub(super) async fn moment(
    connection: &mut MySqlConnection,
) -> Result<Result<Moment, String>, sqlx::Error> {
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
        doubt.get_or_insert("it does not show this user what others have open (GRANT PROCESS)");
    }
    let server = text(connection, SERVER).await?;
    let schema = text(connection, "SELECT COALESCE(DATABASE(), '')").await?;
    Ok(Ok(Moment {
        origin: format!("{server}/{schema}"),
        clock: now,
        now: now - lag,
        oldest_open: open.ok().as_deref().and_then(micros),
        doubt: doubt.map(str::to_owned),
    }))
}

/// When the oldest transaction began, which the server tells in its system's time zone.
const OPEN: &str = "
    SELECT COALESCE(CAST(UNIX_TIMESTAMP(CONVERT_TZ(MIN(trx_started), 'SYSTEM', '+00:00')) AS CHAR), '')
    FROM information_schema.innodb_trx WHERE trx_mysql_thread_id <> CONNECTION_ID()";

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
