//! The server's role, clock, open transactions and time zone.
//!
//! Our sessions set a zone at their start, which hides the default. Database settings are readable,
//! and so is the server's configuration, for users with the privilege. Role settings are ignored: the
//! applications' role is not known.

use std::time::{Duration, Instant, SystemTime};

use super::super::driver::Answer;
use super::super::server_info::{Clock, Lag, Role, ServerInfo};
use super::transaction::Transaction;
use crate::application::ports::SourceVitals;
use crate::domain::changes::Moment;
use crate::domain::server::ServerZone;

pub(super) async fn info(transaction: &mut Transaction<'_>) -> Answer<ServerInfo> {
    let before = SystemTime::now();
    let seconds = "SELECT extract(epoch FROM clock_timestamp())::float8";
    let (seconds,): (f64,) = transaction.ask(seconds).await?;
    let after = SystemTime::now();
    let (version, user, is_superuser, read_only, statement_timeout): (
        String,
        String,
        bool,
        String,
        String,
    ) = transaction
        .ask(
            "SELECT split_part(version(), ' on ', 1), current_user::text,
             current_setting('is_superuser') = 'on',
             current_setting('transaction_read_only'),
             current_setting('statement_timeout')",
        )
        .await?;
    Ok(ServerInfo {
        version,
        user: Some(user),
        read_only: read_only == "on",
        writing: if is_superuser {
            " (the user is a superuser; one that may only SELECT is enough)"
        } else {
            ""
        },
        statement_timeout,
        role: role(transaction).await?,
        clock: Some(Clock { theirs: Some(seconds), before, after }),
    })
}

pub(super) async fn vitals(transaction: &mut Transaction<'_>) -> Answer<SourceVitals> {
    let asked = Instant::now();
    let (is_replica,): (bool,) = transaction.ask("SELECT pg_is_in_recovery()").await?;
    let latency = asked.elapsed();
    // Without pg_read_all_stats, other sessions are listed without their transactions.
    let active = "SELECT count(*) FROM pg_stat_activity
                  WHERE state = 'active' AND pid <> pg_backend_pid()";
    let (active,): (i64,) = transaction.ask(active).await?;
    let lag = if is_replica { lag(transaction).await.ok() } else { None };
    Ok(SourceVitals {
        latency,
        active: u64::try_from(active).ok(),
        lag: lag.and_then(|lag| Duration::try_from_secs_f64(lag).ok()),
    })
}

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

/// Start of the oldest transaction that may write here, and how many sessions hide theirs. A
/// prepared one counts from its preparation.
const OPEN: &str = include_str!("sql/open.sql");

/// Identifies the database: cluster and timeline, which a restored backup changes.
async fn origin(transaction: &mut Transaction<'_>) -> Answer<String> {
    let name = "SELECT concat_ws('/', current_database(), current_schema())";
    let (name,): (String,) = transaction.ask(name).await?;
    let cluster = "SELECT concat_ws('/', s.system_identifier, c.timeline_id)
                   FROM pg_control_system() s, pg_control_checkpoint() c";
    let cluster = transaction.try_ask(cluster).await;
    let cluster = cluster.map_or_else(|_| String::new(), |(cluster,)| cluster);
    Ok(format!("{cluster}/{name}"))
}

/// Whether it is a standby, and whether the server makes sessions read-only (not we or our own
/// user's settings).
const ROLE: &str = include_str!("sql/role.sql");

/// A standby that has replayed everything has no lag, however old the last change.
const LAG: &str = include_str!("sql/lag.sql");

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

/// The setting of the database or of all roles, and the zone of the server's log.
const ZONES: &str = include_str!("sql/zones.sql");

/// The setting in the server's files; default GMT.
const CONFIGURED: &str = include_str!("sql/configured.sql");

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
    // Usually both have the same value.
    let name = known.unwrap_or(of_log);
    let literal = name.replace('\'', "''");
    let ahead = format!(
        "SELECT extract(epoch FROM
             (now() AT TIME ZONE '{literal}') - (now() AT TIME ZONE 'UTC'))::int8"
    );
    let (ahead,): (i64,) = transaction.try_ask(&ahead).await?;
    Ok(ServerZone { sql: name.clone(), name, ahead, is_known })
}
