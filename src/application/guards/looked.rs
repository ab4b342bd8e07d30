//! Whether a run that only reads has looked at one cache, from its start to its end.

use std::sync::Arc;

use crate::application::ports::Cache;
use crate::application::run_state::book::Book;
use crate::application::run_state::context::RunContext;
use crate::domain::failure::{Failure, FailureKind};

pub struct LookGuard<'a> {
    /// `None`: it writes, or there is no cache.
    cache: Option<&'a Arc<dyn Cache>>,
    identity: Option<u64>,
}

impl<'a> LookGuard<'a> {
    pub async fn new(run: &RunContext<'a>) -> Self {
        let reads = run.plan.written_cache().is_none() && run.plan.options.values;
        let cache = run.plan.cache.as_ref().filter(|_| reads);
        Self { cache, identity: run.unless_stopped(identity(cache)).await.flatten() }
    }

    /// Fails a strategy that was compared with a cache that is another one now.
    pub async fn after(&self, book: &mut Book, index: usize, run: &RunContext<'_>) {
        if self.identity.is_none() || book.tallies[index].failure.is_some() {
            return;
        }
        // A run that was stopped shows what it has, and does not wait for more.
        let now = run.unless_stopped(identity(self.cache)).await;
        if now.is_some_and(|now| now != self.identity) {
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
