//! The time zone of a PostgreSQL server's sessions that choose none.
//!
//! Ours choose one when they begin, and no session is shown what it would have had otherwise. What a
//! database says is there to read, and so is the server's configuration for whoever may read it. A
//! role's setting is no sign: which role the applications have is not known.

use super::super::driver::Answer;
use super::transaction::Transaction;
use crate::domain::server::ServerZone;

/// What is set for this database or for all, and the zone of the server's log.
const ZONES: &str = "
    SELECT (SELECT split_part(setting, '=', 2)
            FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) AS setting
            WHERE s.setrole = 0 AND lower(setting) LIKE 'timezone=%' AND s.setdatabase IN (0,
                (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
            ORDER BY s.setdatabase DESC LIMIT 1),
        current_setting('log_timezone')";

/// What the server's files say; it has GMT if they say nothing.
const CONFIGURED: &str = "
    SELECT coalesce(
        (SELECT setting FROM pg_catalog.pg_show_all_file_settings()
         WHERE lower(name) = 'timezone' AND error IS NULL ORDER BY seqno DESC LIMIT 1), 'GMT')";

pub(super) async fn zone(transaction: &mut Transaction<'_>) -> Answer<ServerZone> {
    let (of_database, of_log): (Option<String>, String) = transaction.ask(ZONES).await?;
    let known = match of_database {
        Some(zone) => Some(zone),
        None => {
            let configured: Result<(String,), _> = transaction.try_ask(CONFIGURED).await;
            configured.ok().map(|(zone,)| zone)
        }
    };
    let is_known = known.is_some();
    // Whoever sets up a server sets both, and few change one of them.
    let name = known.unwrap_or(of_log);
    let literal = name.replace('\'', "''");
    let ahead = format!(
        "SELECT extract(epoch FROM
             (now() AT TIME ZONE '{literal}') - (now() AT TIME ZONE 'UTC'))::int8"
    );
    let (ahead,): (i64,) = transaction.try_ask(&ahead).await?;
    Ok(ServerZone {
        sql: name.clone(),
        name,
        ahead,
        is_known,
    })
}
