//! Handles a shortage of sessions: a query that needs one waits its turn, and a query that the
//! cache delays ends for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::futures::Notified;
use tokio::sync::{Mutex, MutexGuard, Notify, Semaphore};
use tokio::time::{sleep, timeout};

/// Pause between attempts to get a session: a closed one is still counted for a moment.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Attempts until a query must end although other sessions may be returned, and until the next one
/// must.
const FIRST_ATTEMPTS: u32 = 4;
const ATTEMPTS_PER_QUERY: u32 = 20;

/// A server that takes longer than this may be a pooler without a free session. After a shortage,
/// it probably is.
const SLOW: Duration = Duration::from_secs(5);
const SLOW_AGAIN: Duration = Duration::from_millis(200);

/// Sessions in use, and who waits for one.
pub(super) struct Shortage {
    out: AtomicUsize,
    /// Sessions whose queries can end for others.
    lenders: AtomicUsize,
    came_back: Notify,
    turn: Mutex<()>,
    /// A permit for each query that must end.
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

/// Counts a session as in use, until dropped.
pub(super) struct Out(Arc<Shortage>);

impl Drop for Out {
    fn drop(&mut self) {
        self.0.out.fetch_sub(1, Ordering::Relaxed);
        self.0.came_back.notify_waiters();
    }
}

/// Counts a session whose query can end, until dropped.
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

    /// Whether sessions in use may be returned.
    pub(super) fn may_end(&self) -> bool {
        self.out.load(Ordering::Relaxed) > 0
    }

    /// Whether there was a shortage at any time.
    pub(super) fn was_noticed(&self) -> bool {
        self.was_noticed.load(Ordering::Relaxed)
    }

    pub(super) fn notice(&self) {
        self.was_noticed.store(true, Ordering::Relaxed);
    }

    /// Timeout for a session before we assume a shortage.
    pub(super) fn session_timeout(&self) -> Duration {
        if self.was_noticed() { SLOW_AGAIN } else { SLOW }
    }

    /// Waits for the turn to wait.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Waits a moment for a returned session.
    pub(super) async fn pause(&self) {
        let _ = timeout(LOOK_AGAIN, self.came_back.notified()).await;
    }

    /// The next returned session.
    pub(super) fn came_back(&self) -> Notified<'_> {
        self.came_back.notified()
    }

    /// Waits for something that needs a session. If none is likely to be returned, asks queries
    /// that the cache delays to end, one after the other.
    pub(super) async fn relieve<T>(&self, answer: impl Future<Output = T>) -> T {
        let has_asked = AtomicBool::new(false);
        let answer = tokio::select! {
            biased;
            answer = answer => answer,
            never = self.keep_asking(&has_asked) => match never {},
        };
        // A query has ended for it.
        if self.wanted.forget_permits(1) == 0 && has_asked.into_inner() {
            self.notice();
        }
        answer
    }

    async fn keep_asking(&self, has_asked: &AtomicBool) -> Infallible {
        let mut attempt = 0_u32;
        loop {
            let lenders = self.lenders.load(Ordering::Relaxed);
            let others = self.out.load(Ordering::Relaxed) > lenders;
            let when = if others { FIRST_ATTEMPTS } else { 0 };
            if attempt % ATTEMPTS_PER_QUERY == when && self.wanted.available_permits() == 0 {
                self.wanted.add_permits(1);
                has_asked.store(true, Ordering::Relaxed);
            }
            sleep(LOOK_AGAIN).await;
            attempt = attempt.wrapping_add(1);
        }
    }

    /// Returns when the caller's session is needed.
    pub(super) async fn is_wanted(&self) {
        match self.wanted.acquire().await {
            Ok(permit) => permit.forget(),
            // Never closed.
            Err(_) => std::future::pending().await,
        }
    }
}
