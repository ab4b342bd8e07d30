//! The server's clock, and what is open there.

use super::super::driver::Answer;
use super::role::role;
use super::transaction::Transaction;
use crate::domain::changes::Moment;

pub(super) async fn moment(transaction: &mut Transaction<'_>) -> Answer<Result<Moment, String>> {
    let clock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8";
    let (now,): (i64,) = transaction.ask(clock).await?;
    let role = role(transaction).await?;
    let lag = match role.behind() {
        Ok(seconds) => (seconds * 1e6) as i64,
        Err(why) => return Ok(Err(why)),
    };
    let (oldest_open, hidden): (Option<i64>, i64) = transaction.ask(OPEN).await?;
    let hidden = (hidden > 0).then(|| {
        "it does not show this user what others have open (GRANT pg_read_all_stats)".to_owned()
    });
    Ok(Ok(Moment {
        origin: origin(transaction).await?,
        clock: now,
        now: now - lag,
        oldest_open,
        doubt: role.doubt().or(hidden),
    }))
}

/// When the oldest transaction began that may have changed something here or may yet, and how many
/// sessions do not show whether they have one. A prepared one is known since it was prepared only.
const OPEN: &str = "
    SELECT (extract(epoch FROM least(min(a.xact_start),
                (SELECT min(prepared) FROM pg_prepared_xacts WHERE database = current_database())
            )) * 1000000)::int8,
        count(*) FILTER (WHERE a.state = 'disabled' OR a.query = '<insufficient privilege>')
    FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
        AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
        AND a.backend_type IS DISTINCT FROM 'walsender'";

/// Which database it is: of a cluster, on a timeline that goes on from no backup since.
async fn origin(transaction: &mut Transaction<'_>) -> Answer<String> {
    let name = "SELECT concat_ws('/', current_database(), current_schema())";
    let (name,): (String,) = transaction.ask(name).await?;
    let cluster = "SELECT concat_ws('/', s.system_identifier, c.timeline_id)
                   FROM pg_control_system() s, pg_control_checkpoint() c";
    let cluster = transaction.try_ask(cluster).await;
    let cluster = cluster.map_or_else(|_| String::new(), |(cluster,)| cluster);
    Ok(format!("{cluster}/{name}"))
}
