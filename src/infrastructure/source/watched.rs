//! A query being read, and who waits for it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// No statement of ours waits longer for a lock. It is asked again, and holds no other lock
/// meanwhile.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Between two attempts to get a lock.
pub(super) const LOCK_PAUSE: Duration = Duration::from_millis(500);

/// How long the cache may hold up a query in total whose waiters cannot be seen.
const HELD_UP: Duration = Duration::from_secs(1);

/// Who waits for a query of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    Nobody,
    /// Somebody, and what for.
    Somebody(String),
    /// The database does not tell.
    Unknown,
}

/// A query being read, as those who watch it see it.
#[derive(Default)]
pub(super) struct Watched {
    /// The server's number of the session that reads.
    session: OnceLock<i32>,
    held_up_millis: AtomicU64,
}

impl Watched {
    /// Says which session reads. The first word counts.
    pub(super) fn reads_on(&self, session: i32) {
        let _ = self.session.set(session);
    }

    pub(super) fn session(&self) -> Option<i32> {
        self.session.get().copied()
    }

    /// Adds a time since which the engine has taken no rows.
    pub(super) fn was_held_up(&self, since: Instant) {
        let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.held_up_millis.fetch_add(millis, Ordering::Relaxed);
    }

    pub(super) fn is_held_up(&self) -> bool {
        Duration::from_millis(self.held_up_millis.load(Ordering::Relaxed)) >= HELD_UP
    }
}
