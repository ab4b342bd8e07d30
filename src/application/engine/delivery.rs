//! Writes the batches of one strategy, past its guards.

use std::time::Instant;

use super::in_flight::Delivered;
use crate::application::guards::identical::Identical;
use crate::application::guards::recheck::Recheck;
use crate::application::guards::shape::ShapeCheck;
use crate::application::ports::{Cache, WriteOptions};
use crate::application::run_state::plan::RunPlan;
use crate::domain::entry::EntryBatch;
use crate::domain::report::StrategyReport;

/// Writes the batches of one strategy.
pub(super) struct Delivery<'a> {
    cache: &'a dyn Cache,
    how: WriteOptions,
    shape: Option<ShapeCheck>,
    identical: Option<Identical<'a>>,
    recheck: Option<Recheck<'a>>,
}

impl<'a> Delivery<'a> {
    pub(super) fn new(plan: &'a RunPlan, index: usize) -> Self {
        let (options, cache) = (&plan.options, plan.target.as_ref());
        let strategy = plan.strategies[index].as_ref();
        Self {
            cache,
            how: plan.write_options(index),
            shape: ShapeCheck::wanted(options, strategy.spec(), cache.is_read_only()),
            identical: Identical::wanted(options.skip_identical, options.mode, cache),
            // Nothing was written where nothing can be.
            recheck: Recheck::wanted(
                options.verify_writes && !cache.is_read_only(),
                strategy,
                cache,
            ),
        }
    }

    pub(super) async fn deliver(&self, batch: &EntryBatch) -> Delivered {
        if let Some(shape) = &self.shape
            && let Some(failure) = shape.refuses(self.cache, batch).await
        {
            return Err(failure);
        }
        let since = Instant::now();
        let written = match &self.identical {
            Some(identical) => identical.write(batch, &self.how).await,
            None => self.cache.write(batch, &self.how).await,
        };
        Ok(match &self.recheck {
            Some(recheck) => recheck.settle(batch, &self.how, since, written).await,
            None => written,
        })
    }

    /// Adds what the guards found without stopping anything.
    pub(super) async fn warn(&self, report: &mut StrategyReport) {
        let shape = match &self.shape {
            Some(shape) => shape.warning().await,
            None => None,
        };
        let identical = self.identical.as_ref().and_then(Identical::warning);
        for warning in [shape, identical].into_iter().flatten() {
            report.warn(warning);
        }
    }
}
