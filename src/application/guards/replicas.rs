//! Whether replicas of the cache could not keep up with a run.

use std::sync::Arc;

use crate::application::ports::Cache;
use crate::application::run_state::book::Book;

/// Compares the counts of full resynchronizations before and after a run.
pub struct ReplicaGuard<'a> {
    cache: Option<&'a Arc<dyn Cache>>,
    full_syncs: Option<u64>,
}

impl<'a> ReplicaGuard<'a> {
    /// `cache`: the one that is written.
    pub async fn new(cache: Option<&'a Arc<dyn Cache>>) -> Self {
        Self { cache, full_syncs: full_syncs(cache).await }
    }

    pub async fn close(&self, book: &mut Book) {
        let Some(before) = self.full_syncs else {
            return;
        };
        // A restarted server counts anew.
        let after = full_syncs(self.cache).await.unwrap_or(before);
        if let Some(times @ 1..) = after.checked_sub(before) {
            let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
            book.warnings.push(format!(
                "full resynchronization of a replica of the cache during the run ({times}): unless one was \
                 added, a replica could not keep up; use --gentle or a lower --rate"
            ));
        }
    }
}

async fn full_syncs(cache: Option<&Arc<dyn Cache>>) -> Option<u64> {
    Some(cache?.replicas().await?.full_syncs)
}
