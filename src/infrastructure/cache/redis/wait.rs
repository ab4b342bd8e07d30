//! How long to wait for the servers.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::domain::backoff::Backoff;

/// A server that has not answered for this long ends the run. If another server can take its place,
/// the time to detect the failure is added.
pub(super) const GIVE_UP: Duration = Duration::from_secs(15);

const FIRST_RETRY: Duration = Duration::from_millis(50);
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The number of fruitless redirections before a pause: two nodes may name each other.
const MAX_HOPS: u32 = 5;

/// The retries since the last progress.
pub(super) struct Wait {
    backoff: Backoff,
    since: Instant,
    hops: u32,
}

impl Wait {
    pub(super) fn new() -> Self {
        Self { backoff: Backoff::new(FIRST_RETRY, MAX_RETRY_PAUSE), since: Instant::now(), hops: 0 }
    }

    pub(super) fn progress(&mut self) {
        *self = Self::new();
    }

    /// Whether there has been no progress for this long.
    pub(super) fn is_over(&self, give_up_after: Duration) -> bool {
        self.since.elapsed() >= give_up_after
    }

    pub(super) async fn pause(&mut self) {
        sleep(self.backoff.pause()).await;
    }

    pub(super) async fn hop(&mut self) {
        self.hops += 1;
        if self.hops > MAX_HOPS {
            self.pause().await;
        }
    }
}
