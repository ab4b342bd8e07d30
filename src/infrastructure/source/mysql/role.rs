//! Whether the server is a copy of another.

use sqlx::mysql::MySqlConnection;
use sqlx::{Executor as _, Row as _};

use super::super::facts::Role;
use super::ask::{is_on, setting};

/// Whether it is a replica, and how far behind.
pub(super) async fn role(connection: &mut MySqlConnection) -> Role {
    // Newer servers know the first, older ones the second.
    let mut status = connection.fetch_optional("SHOW REPLICA STATUS").await;
    if status.is_err() {
        status = connection.fetch_optional("SHOW SLAVE STATUS").await;
    }
    match status {
        Ok(Some(row)) => {
            let names = ["Seconds_Behind_Source", "Seconds_Behind_Master"];
            let seconds = names
                .iter()
                .find_map(|name| row.try_get_unchecked::<Option<i64>, _>(*name).ok());
            Role::Replica(match seconds.flatten() {
                Some(seconds) => Ok(seconds as f64),
                None => Err("it does not replicate now".to_owned()),
            })
        }
        Ok(None) => Role::Primary,
        // A user may not ask; a server that takes no writes is one all the same.
        Err(_) if is_on(setting(connection, "global.read_only").await) => {
            Role::ReadOnly("this user may not ask (REPLICA MONITOR)")
        }
        Err(_) => Role::Primary,
    }
}
