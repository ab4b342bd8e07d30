//! Where the server gives us fewer sessions than we want: whoever needs one waits for its turn, and
//! a query that the cache keeps waiting ends for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, Notify, Semaphore};
use tokio::time::timeout;

/// Between two attempts to get a session: one that was closed is still counted for a moment.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Attempts after which a query is to end although others have sessions that may come back, and
/// after which another one is.
const PATIENCE: u32 = 4;
const MORE_PATIENCE: u32 = 20;

/// How many sessions are out, and who waits for one.
pub(super) struct Shortage {
    out: AtomicUsize,
    /// Those among them whose queries can end for others.
    lenders: AtomicUsize,
    came_back: Notify,
    turn: Mutex<()>,
    /// A permit for each query that is to end.
    wanted: Semaphore,
    was_noticed: AtomicBool,
}

impl Default for Shortage {
    fn default() -> Self {
        Self {
            out: AtomicUsize::new(0),
            lenders: AtomicUsize::new(0),
            came_back: Notify::new(),
            turn: Mutex::default(),
            wanted: Semaphore::new(0),
            was_noticed: AtomicBool::new(false),
        }
    }
}

/// Counts a session as being out, until it is dropped.
pub(super) struct Out(Arc<Shortage>);

impl Drop for Out {
    fn drop(&mut self) {
        self.0.out.fetch_sub(1, Ordering::Relaxed);
        self.0.came_back.notify_waiters();
    }
}

/// Counts a session as one that can be lent, until it is dropped.
pub(super) struct Lender(Arc<Shortage>);

impl Drop for Lender {
    fn drop(&mut self) {
        self.0.lenders.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shortage {
    pub(super) fn out(self: &Arc<Self>) -> Out {
        self.out.fetch_add(1, Ordering::Relaxed);
        Out(Arc::clone(self))
    }

    pub(super) fn lender(self: &Arc<Self>) -> Lender {
        self.lenders.fetch_add(1, Ordering::Relaxed);
        Lender(Arc::clone(self))
    }

    /// Whether sessions are out that may come back.
    pub(super) fn may_end(&self) -> bool {
        self.out.load(Ordering::Relaxed) > 0
    }

    /// Whether there were too few at any time.
    pub(super) fn was_noticed(&self) -> bool {
        self.was_noticed.load(Ordering::Relaxed)
    }

    /// Waits for one's turn to wait.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.was_noticed.store(true, Ordering::Relaxed);
        self.turn.lock().await
    }

    /// Waits a moment for a session to come back. If none is likely to, a query that the cache keeps
    /// waiting is asked to end.
    pub(super) async fn wait(&self, attempt: u32) {
        let lenders = self.lenders.load(Ordering::Relaxed);
        let others = self.out.load(Ordering::Relaxed) > lenders;
        let when = if others { PATIENCE } else { 0 };
        if attempt % MORE_PATIENCE == when && self.wanted.available_permits() == 0 {
            self.wanted.add_permits(1);
        }
        let _ = timeout(LOOK_AGAIN, self.came_back.notified()).await;
    }

    /// The one who waited has a session.
    pub(super) fn is_over(&self) {
        self.wanted.forget_permits(1);
    }

    /// Returns when the caller's session is wanted.
    pub(super) async fn is_wanted(&self) {
        match self.wanted.acquire().await {
            Ok(permit) => permit.forget(),
            // It is never closed.
            Err(_) => std::future::pending().await,
        }
    }
}
