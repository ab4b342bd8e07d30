//! Whether a run that only reads saw the same cache from start to end.

use std::sync::Arc;

use crate::application::ports::{Answer, Cache};
use crate::application::run_state::book::Book;
use crate::application::run_state::context::RunContext;
use crate::domain::failure::{Failure, FailureKind};

pub struct SameCacheGuard<'a> {
    /// `None`: it writes, or there is no cache.
    cache: Option<&'a Arc<dyn Cache>>,
    identity: Option<u64>,
}

impl<'a> SameCacheGuard<'a> {
    pub async fn new(run: &RunContext<'a>) -> Self {
        let reads = run.plan.written_cache().is_none() && run.plan.options.values;
        let cache = run.plan.cache.as_ref().filter(|_| reads);
        // If it does not answer now, nothing can be compared either.
        let asked = run.unless_stopped(ask(cache)).await.flatten();
        Self { cache, identity: asked.and_then(Result::ok) }
    }

    /// Fails a strategy if the cache that it was compared with was replaced in the meantime, or is gone.
    pub async fn after(&self, book: &mut Book, index: usize, run: &RunContext<'_>) {
        if self.identity.is_none() || book.tallies[index].failure.is_some() {
            return;
        }
        // A stopped run shows what it has, and does not wait for more.
        match run.unless_stopped(ask(self.cache)).await.flatten() {
            Some(Ok(now)) if Some(now) != self.identity => {
                let what =
                    format!("{}: the comparison is not valid", book.tallies[index].report.id);
                let why = "the cache was restarted or replaced in the meantime";
                let failure = Failure::new(FailureKind::CacheUnreachable, what, why);
                book.fail(index, failure.hint("run again"));
            }
            Some(Err(failure)) => book.fail(index, failure),
            _ => {}
        }
    }
}

async fn ask(cache: Option<&Arc<dyn Cache>>) -> Option<Answer<u64>> {
    Some(cache?.identity().await)
}
