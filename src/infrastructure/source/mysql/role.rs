//! Whether a MySQL or MariaDB server is a replica, as far as this user may know.

use std::time::Duration;

use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Executor as _, Row as _};

use super::super::server_info::{Lag, Role};
use super::ask::{setting, text};

/// Each shows all channels. A server knows one of them: MariaDB, MySQL, and older versions of both.
const STATUS: [&str; 4] = [
    "SHOW ALL REPLICAS STATUS",
    "SHOW ALL SLAVES STATUS",
    "SHOW REPLICA STATUS",
    "SHOW SLAVE STATUS",
];

/// The server does not know this statement.
const UNKNOWN_WORDS: u16 = 1064;

/// Settings of a server that refuses writes; a server knows some of them.
const READ_ONLY: [(&str, &str); 3] = [
    (EVERYWHERE, "read_only is on"),
    ("global.super_read_only", "super_read_only is on"),
    // A reader of an Aurora cluster, which replicates differently.
    ("global.innodb_read_only", "innodb_read_only is on"),
];

/// The setting that every server has.
const EVERYWHERE: &str = "global.read_only";

const DENIED: &str = "this user lacks the privilege to query it (GRANT REPLICATION CLIENT, on MariaDB REPLICA MONITOR)";

const HAS_REPLICATED: &str = "it has replicated from another server, and this user may not ask \
                              whether it still does (GRANT REPLICA MONITOR)";

/// Whether it is a replica, and its lag. A denied query is no answer.
pub(super) async fn role(session: &mut MySqlConnection) -> Role {
    let channels = channels(session).await;
    if let Some(channels) = &channels
        && !channels.is_empty()
    {
        return Role::Replica(farthest(channels));
    }
    match (takes_no_writes(session).await, channels) {
        (Err(why), _) => Role::NotKnown(why),
        (Ok(Some(why)), _) => Role::ReadOnly(why),
        (Ok(None), Some(_)) => Role::Primary,
        (Ok(None), None) => by_public_signs(session).await,
    }
}

/// The server's replication channels; `None`: not permitted.
async fn channels(session: &mut MySqlConnection) -> Option<Vec<MySqlRow>> {
    for question in STATUS {
        match session.fetch_all(question).await {
            Ok(channels) => return Some(channels),
            Err(error) if is_unknown(&error) => {}
            Err(_) => return None,
        }
    }
    None
}

fn is_unknown(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    let error = error.and_then(|error| error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>());
    error.is_some_and(|error| error.number() == UNKNOWN_WORDS)
}

/// Its lag, if it is a replica and reports it.
pub(super) async fn lag(session: &mut MySqlConnection) -> Option<Duration> {
    let lag = farthest(&channels(session).await?).ok()?;
    Duration::try_from_secs_f64(lag).ok()
}

/// The largest lag of its channels.
fn farthest(channels: &[MySqlRow]) -> Lag {
    let names = ["Seconds_Behind_Source", "Seconds_Behind_Master"];
    let seconds = |row: &MySqlRow| {
        let column = |name: &&str| row.try_get_unchecked::<Option<i64>, _>(*name).ok();
        names.iter().find_map(column).flatten()
    };
    let all: Option<Vec<i64>> = channels.iter().map(seconds).collect();
    let farthest = all.and_then(|all| all.into_iter().max());
    farthest.map(|seconds| seconds as f64).ok_or_else(|| "it does not replicate now".to_owned())
}

/// Which setting says that the server refuses writes; `Err`: why that is not known.
async fn takes_no_writes(
    session: &mut MySqlConnection,
) -> Result<Option<&'static str>, &'static str> {
    let is_off = |value: &str| matches!(value.to_ascii_uppercase().as_str(), "0" | "OFF");
    for (name, why) in READ_ONLY {
        match setting(session, name).await {
            Some(value) if is_off(&value) => {}
            Some(_) => return Ok(Some(why)),
            None if name == EVERYWHERE => return Err("the server does not answer"),
            None => {}
        }
    }
    Ok(None)
}

/// What a user without privileges can see: MariaDB counts its replication threads and keeps its
/// replication position. MySQL shows nothing.
async fn by_public_signs(session: &mut MySqlConnection) -> Role {
    let Some(running) = status(session, "SHOW GLOBAL STATUS LIKE 'Slaves_running'").await else {
        return Role::NotKnown(DENIED);
    };
    if running != "0" {
        return Role::Replica(Err(DENIED.to_owned()));
    }
    let heartbeat = status(session, "SHOW GLOBAL STATUS LIKE 'Slave_heartbeat_period'").await;
    let position = text(session, "SELECT @@global.gtid_slave_pos").await;
    match (heartbeat, position) {
        (Some(heartbeat), Ok(position)) if position.is_empty() && heartbeat == "0.000" => {
            Role::Primary
        }
        _ => Role::NotKnown(HAS_REPLICATED),
    }
}

async fn status(session: &mut MySqlConnection, question: &'static str) -> Option<String> {
    let row = session.fetch_optional(question).await.ok()??;
    let value: &[u8] = row.try_get_unchecked(1).ok()?;
    Some(String::from_utf8_lossy(value).into_owned())
}
