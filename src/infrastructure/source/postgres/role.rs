//! Whether a PostgreSQL server is a standby, and how far behind.

use super::super::driver::Answer;
use super::super::server_info::{Lag, Role};
use super::transaction::Transaction;

/// Whether it is a standby, and whether sessions begin read-only there: by the server's wish, not by
/// ours or by a setting of our own user's.
const ROLE: &str = "
    SELECT pg_is_in_recovery(), s.reset_val = 'on' AND NOT EXISTS (
        SELECT FROM pg_db_role_setting o
        JOIN pg_roles r ON r.oid = o.setrole, unnest(o.setconfig) AS setting
        WHERE r.rolname = session_user AND setting LIKE 'default_transaction_read_only=%')
    FROM pg_settings s WHERE s.name = 'default_transaction_read_only'";

/// One that has replayed all that it receives is not behind, however long ago the last change was.
const LAG: &str = "
    SELECT CASE WHEN EXISTS (SELECT FROM pg_stat_wal_receiver)
                AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
           ELSE extract(epoch FROM now() - pg_last_xact_replay_timestamp()) END::float8";

pub(super) async fn role(transaction: &mut Transaction<'_>) -> Answer<Role> {
    let (is_standby, is_read_only): (bool, bool) = transaction.ask(ROLE).await?;
    Ok(match (is_standby, is_read_only) {
        (true, _) => Role::Replica(lag(transaction).await),
        (false, true) => Role::ReadOnly("default_transaction_read_only is on"),
        (false, false) => Role::Primary,
    })
}

pub(super) async fn lag(transaction: &mut Transaction<'_>) -> Lag {
    match transaction.try_ask(LAG).await {
        Ok((Some(seconds),)) => Ok(seconds),
        Ok((None,)) => Err("it has replayed nothing yet".to_owned()),
        Err(_) => Err("the server does not say".to_owned()),
    }
}
