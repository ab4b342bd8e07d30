//! Ends our query when another session waits for its lock: a migration that waits for a long read
//! would block everybody behind it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::driver::Driver;
use super::options::CONNECT_TIMEOUT;
use super::sessions::Sessions;
use super::watched::{Waiting, Watched};
use crate::domain::failure::{Failure, FailureKind};

/// How often to look for waiting sessions.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Without a view of waiting sessions for this long, a query ends when the cache has delayed it for
/// a second in total.
const BLIND: Duration = Duration::from_secs(2);

/// Why a query ends before its last row.
#[derive(Debug)]
pub(super) enum Reason {
    /// Another session waits for this lock.
    Waiter(String),
    /// Another session may wait.
    Blind,
    /// Its session is needed.
    Session,
}

impl Reason {
    pub(super) fn into_failure(self, label: &str) -> Failure {
        let (what, why) = match self {
            Self::Waiter(why) => ("paused for a migration", why),
            Self::Blind => ("interrupted", String::new()),
            Self::Session => (
                "read in parts",
                "the database, or a pooler, had no other session free (three are enough)"
                    .to_owned(),
            ),
        };
        Failure::new(FailureKind::GaveWay, format!("{label}: {what}"), why)
            .hint("run again when the database is less busy")
    }
}

/// Who waits for a lock that a query of ours holds, asked on another session.
async fn who_waits<D: Driver>(sessions: &Sessions<D>, sql: &str, watched: &Watched) -> Waiting {
    // A pooler without a free session does not answer, and would reserve the next one for us. A
    // busy server is only slow.
    let limit = if sessions.is_blind() { BLIND } else { CONNECT_TIMEOUT };
    let Ok(Ok(mut session)) = timeout(limit, sessions.try_session()).await else {
        return Waiting::Unknown;
    };
    let asked = sessions.driver.who_waits(&mut session, sql, watched);
    let Ok(Ok(waiting)) = timeout(CONNECT_TIMEOUT, asked).await else {
        return Waiting::Unknown;
    };
    sessions.put_back(session).await;
    waiting
}

/// Returns when and why a query should end early.
pub(super) async fn wait_for_waiters<D: Driver>(
    sessions: Arc<Sessions<D>>,
    sql: String,
    is_resumable: bool,
    watched: Arc<Watched>,
) -> Reason {
    let mut seen = Instant::now();
    loop {
        sleep(LOOK_EVERY).await;
        match who_waits(&sessions, &sql, &watched).await {
            Waiting::Somebody(why) => return Reason::Waiter(why),
            Waiting::Nobody => seen = Instant::now(),
            Waiting::Unknown => {
                let is_blind = seen.elapsed() >= BLIND && watched.is_held_up();
                if is_blind && is_resumable {
                    return Reason::Blind;
                }
            }
        }
    }
}
