//! What the server says of itself.

use std::time::{Duration, Instant, SystemTime};

use super::super::driver::Answer;
use super::super::server_info::{Clock, ServerInfo};
use super::role::{self, role};
use super::transaction::Transaction;
use crate::application::ports::SourceVitals;

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
        clock: Some(Clock {
            theirs: Some(seconds),
            before,
            after,
        }),
    })
}

pub(super) async fn vitals(transaction: &mut Transaction<'_>) -> Answer<SourceVitals> {
    let asked = Instant::now();
    let (is_replica,): (bool,) = transaction.ask("SELECT pg_is_in_recovery()").await?;
    let latency = asked.elapsed();
    // Who may not see the others' sessions sees that they are there, not what they do.
    let active = "SELECT count(*) FROM pg_stat_activity
                  WHERE state = 'active' AND pid <> pg_backend_pid()";
    let (active,): (i64,) = transaction.ask(active).await?;
    let lag = match is_replica {
        true => role::lag(transaction).await.ok(),
        false => None,
    };
    Ok(SourceVitals {
        latency,
        active: u64::try_from(active).ok(),
        lag: lag.and_then(|lag| Duration::try_from_secs_f64(lag).ok()),
    })
}
