//! Whether a run that only reads has looked at one cache, from its start to its end.

use std::sync::Arc;

use crate::application::ports::Cache;
use crate::application::run_state::book::Book;
use crate::application::run_state::plan::RunPlan;
use crate::domain::failure::{Failure, FailureKind};

pub struct LookGuard<'a> {
    /// `None`: it writes, or there is no cache.
    cache: Option<&'a Arc<dyn Cache>>,
    identity: Option<u64>,
}

impl<'a> LookGuard<'a> {
    pub async fn new(plan: &'a RunPlan) -> Self {
        let reads = plan.written_cache().is_none() && plan.options.values;
        let cache = plan.cache.as_ref().filter(|_| reads);
        Self { cache, identity: identity(cache).await }
    }

    /// Fails a strategy that was compared with a cache that is another one now.
    pub async fn after(&self, book: &mut Book, index: usize) {
        if self.identity.is_some() && identity(self.cache).await != self.identity {
            let what =
                format!("{}: what was compared no longer counts", book.tallies[index].report.id);
            let why = "the cache was restarted or replaced meanwhile";
            book.fail(
                index,
                Failure::new(FailureKind::CacheUnreachable, what, why).hint("run again"),
            );
        }
    }
}

async fn identity(cache: Option<&Arc<dyn Cache>>) -> Option<u64> {
    cache?.identity().await.ok()
}
