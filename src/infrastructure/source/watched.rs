//! The state of a query that is being read.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Lock timeout of our statements. They are retried, and hold no other lock in between.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Pause between attempts to get a lock.
pub(super) const LOCK_PAUSE: Duration = Duration::from_millis(500);

/// Max total delay by the cache for a query whose waiters cannot be seen.
const HELD_UP: Duration = Duration::from_secs(1);

/// Who waits for a query of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    Nobody,
    /// Another session, and for what.
    Somebody(String),
    /// Unknown.
    Unknown,
}

/// The shared state of a query that is being read.
#[derive(Default)]
pub(super) struct Watched {
    /// The server's id of the reading session.
    session: OnceLock<i32>,
    held_up_millis: AtomicU64,
}

impl Watched {
    /// Records the reading session, once.
    pub(super) fn reads_on(&self, session: i32) {
        let _ = self.session.set(session);
    }

    pub(super) fn session(&self) -> Option<i32> {
        self.session.get().copied()
    }

    /// Adds time in which the engine took no rows.
    pub(super) fn was_held_up(&self, since: Instant) {
        let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.held_up_millis.fetch_add(millis, Ordering::Relaxed);
    }

    pub(super) fn is_held_up(&self) -> bool {
        Duration::from_millis(self.held_up_millis.load(Ordering::Relaxed)) >= HELD_UP
    }
}
