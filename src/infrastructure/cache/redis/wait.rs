//! How long to wait for the servers.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::domain::backoff::Backoff;

const SILENT: Duration = Duration::from_secs(15);
const FAILOVER: Duration = Duration::from_mins(1);

const FIRST_RETRY: Duration = Duration::from_millis(50);
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The number of fruitless redirections before a pause: two nodes may name each other.
const MAX_HOPS: u32 = 5;

/// How long to wait for a server before the run ends.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// One that does not answer.
    pub silent: Duration,
    /// One that has become a replica: until a primary answers at its address.
    pub failover: Duration,
}

impl Patience {
    pub(super) fn new(wanted: Option<Duration>) -> Self {
        Self { silent: wanted.unwrap_or(SILENT), failover: wanted.unwrap_or(FAILOVER) }
    }

    /// For a server that another one can replace: adds the time until its failure is detected.
    pub(super) fn and(self, detection: Duration) -> Self {
        Self { silent: self.silent + detection, ..self }
    }
}

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
    pub(super) fn is_over(&self, longest: Duration) -> bool {
        self.since.elapsed() >= longest
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
