//! A strategy that cannot run: its definition is invalid, or asks for what the database does not
//! have or does not grant. It fails where others give entries, and the others still run.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use super::ports::{Ask, QueryPlan, WarmupStrategy};
use crate::domain::entry::{Entry, EntryBatch};
use crate::domain::expected::Expected;
use crate::domain::failure::Failure;
use crate::domain::strategy::StrategySpec;
use crate::domain::version::Version;

/// What is known of the strategy, and why it cannot run.
pub struct Unfit {
    spec: StrategySpec,
    failure: Failure,
}

impl Unfit {
    pub fn new(spec: StrategySpec, failure: Failure) -> Self {
        Self { spec, failure }
    }

    fn fails<T: Send + 'static>(&self) -> BoxFuture<'_, Result<T, Failure>> {
        let failure = self.failure.clone();
        async { Err(failure) }.boxed()
    }
}

impl WarmupStrategy for Unfit {
    fn spec(&self) -> &StrategySpec {
        &self.spec
    }

    fn entries(&self, _: Ask) -> BoxStream<'_, Result<EntryBatch, Failure>> {
        stream::iter([Err(self.failure.clone())]).boxed()
    }

    fn count(&self, _: Option<u64>) -> BoxFuture<'_, Result<u64, Failure>> {
        self.fails()
    }

    fn estimate(&self, _: Option<u64>) -> BoxFuture<'_, Option<Expected>> {
        async { None }.boxed()
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }

    fn versions<'a>(
        &'a self,
        _: &'a [Entry<'a>],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, Failure>> {
        self.fails()
    }

    fn plan(&self, _: Option<u64>) -> BoxFuture<'_, Result<QueryPlan, Failure>> {
        self.fails()
    }

    fn unfit(&self) -> Option<&Failure> {
        Some(&self.failure)
    }
}
