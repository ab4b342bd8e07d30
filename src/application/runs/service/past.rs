//! Runs of the past and of other processes, as the cache remembers them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::connect::{Open, Use};
use crate::application::record::RunRecord;
use crate::application::record::history::{self, LastComplete};
use crate::domain::failure::Failure;

/// What was read of the history is good for this long: many may ask at once.
const MAX_AGE: Duration = Duration::from_secs(1);

pub struct PastRuns {
    open: Arc<Open>,
    known: Mutex<Option<Known>>,
    /// How many runs of this process have ended.
    ends: AtomicU64,
}

/// What was read, or why it could not be: a cache that does not answer is waited for once, and not
/// by each who asks.
struct Known {
    records: Result<Arc<Vec<RunRecord>>, Failure>,
    at: Instant,
    /// How many runs had ended by then.
    ends: u64,
}

impl PastRuns {
    pub(super) fn new(open: Arc<Open>) -> Self {
        Self { open, known: Mutex::default(), ends: AtomicU64::new(0) }
    }

    /// A run of this process has ended: there is more to read.
    pub(super) fn add(&self) {
        self.ends.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) async fn forget(&self) {
        *self.known.lock().await = None;
    }

    pub(super) async fn records(&self) -> Result<Arc<Vec<RunRecord>>, Failure> {
        // Held while it is read: who asks at the same moment waits for the same answer.
        let mut known = self.known.lock().await;
        let ends = self.ends.load(Ordering::Relaxed);
        if let Some(known) = known.as_ref()
            && known.ends == ends
            && known.at.elapsed() < MAX_AGE
        {
            return known.records.clone();
        }
        let records = self.read().await.map(Arc::new);
        *known = Some(Known { records: records.clone(), at: Instant::now(), ends });
        records
    }

    async fn read(&self) -> Result<Vec<RunRecord>, Failure> {
        let store = (self.open)(Use::Read).await?;
        history::runs(store.cache.as_ref(), &store.prefix).await
    }

    /// Of each strategy its last complete run.
    ///
    /// # Errors
    /// The cache's.
    pub async fn last_complete(&self) -> Result<BTreeMap<String, LastComplete>, Failure> {
        let store = (self.open)(Use::Read).await?;
        history::last_complete(store.cache.as_ref(), &store.prefix).await
    }

    /// The last time that each job has run for.
    ///
    /// # Errors
    /// The cache's.
    pub async fn last_occurrences(&self) -> Result<BTreeMap<String, Timestamp>, Failure> {
        let store = (self.open)(Use::Read).await?;
        history::occurrences(store.cache.as_ref(), &store.prefix).await
    }
}
