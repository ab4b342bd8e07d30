//! What the server says of itself.

use std::time::{Duration, Instant, SystemTime};

use sqlx::mysql::MySqlConnection;
use sqlx::{Executor as _, Row as _};

use super::super::driver::Answer;
use super::super::server_info::{Clock, ServerInfo};
use super::ask::{is_on, setting, text};
use super::role::{self, role};
use crate::application::ports::SourceVitals;

pub(super) async fn info(
    session: &mut MySqlConnection,
    statement_timeout: Duration,
) -> Answer<ServerInfo> {
    let before = SystemTime::now();
    let seconds = "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) AS CHAR)";
    let seconds = text(session, seconds).await?;
    let after = SystemTime::now();
    let version = text(session, "SELECT VERSION()").await?;
    let (name, read_only) = match version.contains("MariaDB") {
        true => ("MariaDB", "tx_read_only"),
        false => ("MySQL", "transaction_read_only"),
    };
    let timeout = humantime::format_duration(statement_timeout);
    let number = version.split('-').next().unwrap_or(&version);
    Ok(ServerInfo {
        version: format!("{name} {number}"),
        user: Some(text(session, "SELECT CURRENT_USER()").await?),
        read_only: is_on(setting(session, read_only).await),
        writing: "",
        statement_timeout: timeout.to_string(),
        role: role(session).await,
        clock: Some(Clock {
            theirs: seconds.parse().ok(),
            before,
            after,
        }),
    })
}

pub(super) async fn vitals(session: &mut MySqlConnection) -> Answer<SourceVitals> {
    let asked = Instant::now();
    text(session, "SELECT 'here'").await?;
    let latency = asked.elapsed();
    let running = session
        .fetch_one("SHOW GLOBAL STATUS LIKE 'Threads_running'")
        .await?;
    let running: &[u8] = running.try_get_unchecked(1)?;
    let running = String::from_utf8_lossy(running).parse::<u64>().ok();
    Ok(SourceVitals {
        latency,
        active: running.map(|running| running.saturating_sub(1)),
        lag: role::lag(session).await,
    })
}
