//! A strategy that cannot run: its definition is invalid, or asks for what the database does not
//! have or does not grant. It fails where others give entries, and the others still run.

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use crate::application::ports::{Ask, QueryPlan, WarmupStrategy};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::strategy::StrategySpec;

/// What is known of the strategy, and why it cannot run.
pub struct Unfit {
    spec: StrategySpec,
    failure: Failure,
}

impl Unfit {
    pub fn new(spec: StrategySpec, failure: Failure) -> Self {
        Self { spec, failure }
    }
}

#[async_trait]
impl WarmupStrategy for Unfit {
    fn spec(&self) -> &StrategySpec {
        &self.spec
    }

    fn entries(&self, _: Ask) -> BoxStream<'_, Result<EntryBatch, Failure>> {
        stream::iter([Err(self.failure.clone())]).boxed()
    }

    async fn plan(&self, _: Option<u64>) -> Result<QueryPlan, Failure> {
        Err(self.failure.clone())
    }

    fn unfit(&self) -> Option<&Failure> {
        Some(&self.failure)
    }
}

/// A strategy that is repeated for no values, which its definition allows.
pub struct Nothing {
    spec: StrategySpec,
}

impl Nothing {
    pub fn new(spec: StrategySpec) -> Self {
        Self { spec }
    }
}

#[async_trait]
impl WarmupStrategy for Nothing {
    fn spec(&self) -> &StrategySpec {
        &self.spec
    }

    fn entries(&self, _: Ask) -> BoxStream<'_, Result<EntryBatch, Failure>> {
        stream::empty().boxed()
    }
}
