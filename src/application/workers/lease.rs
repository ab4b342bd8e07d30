//! A portion that a worker owns, and what keeps it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::LEASE;
use crate::application::ports::{Cache, QueueOf, TakenPortion};
use crate::domain::sync::lock;

/// How often a portion is kept, and how long the cache may take to say so.
const KEEP_EVERY: Duration = Duration::from_secs(2);
const KEEP_TIMEOUT: Duration = Duration::from_secs(3);

/// A portion that was not kept for this long counts as lost: it may soon be another worker's.
const SAFE: Duration = Duration::from_secs(7);
const _: () = assert!(SAFE.as_secs() < LEASE.as_secs());

/// Between two looks at the clock.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Keeps a portion until it is dropped.
pub(super) struct Heartbeat {
    lease: Arc<Lease>,
    _beating: JoinSet<()>,
}

/// The right to write a portion. Once lost, it does not come back.
pub(super) struct Lease {
    /// When it was kept last.
    kept: Mutex<Instant>,
    is_lost: AtomicBool,
}

impl Lease {
    /// Whether the portion is still the worker's, as far as it knows.
    pub(super) fn is_ours(&self) -> bool {
        if lock(&self.kept).elapsed() >= SAFE {
            self.is_lost.store(true, Ordering::Release);
        }
        !self.is_lost.load(Ordering::Acquire)
    }

    /// Waits until it is lost.
    pub(super) async fn lost(&self) {
        while self.is_ours() {
            sleep(LOOK_EVERY).await;
        }
    }
}

impl Heartbeat {
    /// `since`: when the portion was taken.
    pub(super) fn start(
        cache: &Arc<dyn Cache>,
        (prefix, run_id): (&str, &str),
        worker: &str,
        portion: &TakenPortion,
        since: Instant,
    ) -> Self {
        let lease = Arc::new(Lease { kept: Mutex::new(since), is_lost: AtomicBool::new(false) });
        let (cache, worker, id) = (Arc::clone(cache), worker.to_owned(), portion.id.clone());
        let (prefix, run_id) = (prefix.to_owned(), run_id.to_owned());
        let mut beating = JoinSet::new();
        let held = Arc::clone(&lease);
        beating.spawn(async move {
            let run = QueueOf { prefix: &prefix, run_id: &run_id };
            let Some(queue) = cache.queue() else { return };
            loop {
                sleep(KEEP_EVERY).await;
                let asked = Instant::now();
                match timeout(KEEP_TIMEOUT, queue.keep(&run, &worker, &id)).await {
                    Ok(Ok(true)) => *lock(&held.kept) = asked,
                    Ok(Ok(false)) => return held.is_lost.store(true, Ordering::Release),
                    // The time that is left decides.
                    Ok(Err(_)) | Err(_) => {}
                }
            }
        });
        Self { lease, _beating: beating }
    }

    pub(super) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }
}
