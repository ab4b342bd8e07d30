//! The time zone of a PostgreSQL server's sessions.

use super::transaction::Transaction;
use crate::domain::server::ServerZone;

/// The zone that is the farthest from UTC of those that sessions may begin in. The server's own is
/// not shown to a session that has chosen another; the zone of its log is the same unless somebody
/// has changed one of them.
const ZONE: &str = "
    SELECT zone, extract(epoch FROM (now() AT TIME ZONE zone) - (now() AT TIME ZONE 'UTC'))::int8
    FROM (SELECT current_setting('log_timezone') AS zone
          UNION
          SELECT btrim(split_part(setting, '=', 2), chr(34) || chr(39))
          FROM pg_db_role_setting, unnest(setconfig) AS setting
          WHERE lower(setting) LIKE 'timezone=%') zones
    ORDER BY abs(extract(epoch FROM (now() AT TIME ZONE zone) - (now() AT TIME ZONE 'UTC'))) DESC
    LIMIT 1";

pub(super) async fn zone(transaction: &mut Transaction<'_>) -> Result<ServerZone, sqlx::Error> {
    let (name, ahead): (String, i64) = transaction.ask(ZONE).await?;
    Ok(ServerZone {
        sql: name.clone(),
        name,
        ahead,
    })
}
