//! A strategy without entries: it is repeated for no values, or it cannot run, because its definition is
//! invalid or asks for what the database does not have or does not grant. That one fails where others
//! give entries, and the others still run.

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _};

use crate::application::ports::{Ask, Entries, QueryPlan, WarmupStrategy};
use crate::domain::failure::Failure;
use crate::domain::strategy::StrategySpec;

pub struct Empty {
    pub spec: StrategySpec,
    /// Why it cannot run.
    pub unfit: Option<Failure>,
}

#[async_trait]
impl WarmupStrategy for Empty {
    fn spec(&self) -> &StrategySpec {
        &self.spec
    }

    fn entries(&self, _: Ask) -> Entries<'_> {
        stream::iter(self.unfit.clone().map(Err)).boxed()
    }

    async fn plan(&self, _: Option<u64>) -> Result<QueryPlan, Failure> {
        self.unfit.clone().map_or(Ok(QueryPlan::default()), Err)
    }

    fn unfit(&self) -> Option<&Failure> {
        self.unfit.as_ref()
    }
}
