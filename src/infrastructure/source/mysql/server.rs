//! The server's clock, time zone and open transactions.

use std::time::{Duration, Instant, SystemTime};

use sqlx::Executor as _;
use sqlx::mysql::MySqlConnection;

use super::super::driver::Answer;
use super::super::server_info::{Clock, Role, ServerInfo};
use super::ask::{cell, is_on, setting, text};
use super::errors::PROXYSQL;
use super::role::{self, role};
use super::session::SERVER;
use crate::application::ports::SourceVitals;
use crate::domain::changes::Moment;
use crate::domain::finding::Finding;
use crate::domain::server::ServerZone;
use crate::domain::wording::exactly;

pub(super) async fn info(
    session: &mut MySqlConnection,
    statement_timeout: Duration,
) -> Answer<ServerInfo> {
    let before = SystemTime::now();
    let now = text(session, NOW).await?;
    let after = SystemTime::now();
    let version = text(session, "SELECT VERSION()").await?;
    let (name, read_only) = match version.contains("MariaDB") {
        true => ("MariaDB", "tx_read_only"),
        false => ("MySQL", "transaction_read_only"),
    };
    let timeout = exactly(statement_timeout);
    let number = version.split('-').next().unwrap_or(&version);
    Ok(ServerInfo {
        version: format!("{name} {number}"),
        user: Some(text(session, "SELECT CURRENT_USER()").await?),
        read_only: is_on(setting(session, read_only).await),
        writing: "",
        statement_timeout: timeout,
        role: role(session).await,
        clock: Some(Clock {
            theirs: now.parse::<f64>().ok().map(|micros| micros / 1e6),
            before,
            after,
        }),
    })
}

pub(super) async fn vitals(session: &mut MySqlConnection) -> Answer<SourceVitals> {
    let asked = Instant::now();
    text(session, "SELECT 'here'").await?;
    let latency = asked.elapsed();
    let running = session.fetch_one("SHOW GLOBAL STATUS LIKE 'Threads_running'").await?;
    let running = cell(&running, 1)?.parse::<u64>().ok();
    Ok(SourceVitals {
        latency,
        active: running.map(|running| running.saturating_sub(1)),
        lag: role::lag(session).await,
    })
}

/// Up to when a read is complete; inner `Err`: why it is unknown.
pub(super) async fn moment(session: &mut MySqlConnection) -> Answer<Result<Moment, String>> {
    // Read the clock first: a transaction that starts in between is later.
    let now = text(session, NOW).await?;
    let Ok(now) = now.parse() else {
        return Ok(Err("its clock cannot be read".to_owned()));
    };
    let role = role(session).await;
    let lag = match (role.behind(), &role) {
        // It counts whole seconds.
        (Ok(seconds), Role::Replica(_)) => (seconds * 1e6) as i64 + 1_000_000,
        (Ok(_), _) => 0,
        (Err(why), _) => return Ok(Err(why)),
    };
    let open = text(session, OPEN).await;
    let hidden = open
        .is_err()
        .then(|| "it does not show this user what others have open (GRANT PROCESS)".to_owned());
    let server = text(session, SERVER).await?;
    let schema = text(session, "SELECT COALESCE(DATABASE(), '')").await?;
    Ok(Ok(Moment {
        origin: format!("{server}/{schema}"),
        clock: now,
        now: now - lag,
        oldest_open: open.ok().and_then(|micros| micros.parse().ok()),
        doubt: role.doubt().or(hidden),
    }))
}

/// The default time zone of sessions.
pub(super) async fn zone(session: &mut MySqlConnection) -> Option<ServerZone> {
    let found = text(session, SERVER_ZONE).await.ok()?;
    let (ahead, names) = found.split_once(' ')?;
    let (sql, system) = names.split_once(' ')?;
    let name = if sql == "SYSTEM" { system } else { sql };
    Some(ServerZone {
        name: name.to_owned(),
        sql: sql.to_owned(),
        ahead: ahead.parse().ok()?,
        is_known: true,
    })
}

/// NULL if the server lacks the time zone tables.
const SERVER_ZONE: &str = include_str!("sql/server_zone.sql");

/// Its clock in microseconds since 1970, whatever the session's time zone is.
const NOW: &str = "SELECT CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) AS CHAR)";

/// Start of the oldest transaction, which the server reports in its system time zone.
const OPEN: &str = include_str!("sql/open.sql");

/// The finding about ProxySQL, which answers this text itself.
pub(super) async fn pooler(session: &mut MySqlConnection) -> Answer<Option<Finding>> {
    let row = session.fetch_one(sqlx::raw_sql("select @@version_comment limit 1")).await?;
    let is_proxysql = cell(&row, 0)?.contains("ProxySQL");
    Ok(is_proxysql.then(|| Finding::warning("database pooler", "ProxySQL").hint(PROXYSQL)))
}
