//! How a batch of one strategy gets to the cache, and past which guards.

use std::time::Instant;

use super::in_flight::Delivered;
use super::inspect::inspect;
use super::plan::RunPlan;
use crate::application::guards::identical::Identical;
use crate::application::guards::recheck::Recheck;
use crate::application::guards::shape::ShapeCheck;
use crate::application::ports::{Cache, WriteOptions};
use crate::domain::entry::EntryBatch;
use crate::domain::report::StrategyReport;
use crate::domain::strategy::Shape;

/// Writes the batches of one strategy, or inspects what is in their place.
pub struct Delivery<'a> {
    cache: Option<&'a dyn Cache>,
    shape: Shape,
    how: WriteOptions,
    /// `None`: the run only inspects.
    guards: Option<Guards<'a>>,
}

/// What watches over a strategy's batches on their way.
struct Guards<'a> {
    shape: Option<ShapeCheck>,
    identical: Option<Identical<'a>>,
    recheck: Option<Recheck<'a>>,
}

impl<'a> Delivery<'a> {
    pub fn new(plan: &'a RunPlan, index: usize) -> Self {
        let options = &plan.options;
        let strategy = plan.strategies[index].as_ref();
        let spec = strategy.spec();
        let guards = plan.written_cache().map(|cache| Guards {
            shape: ShapeCheck::for_mode(options.shape, options.mode, spec),
            identical: Identical::wanted(options.skip_identical, options.mode, cache.as_ref()),
            recheck: Recheck::wanted(options.verify_writes, strategy, cache.as_ref()),
        });
        Self {
            cache: plan.cache.as_deref(),
            shape: spec.value,
            how: plan.write_options(index),
            guards,
        }
    }

    pub async fn deliver(&self, batch: &EntryBatch) -> Delivered {
        let (Some(cache), Some(guards)) = (self.cache, &self.guards) else {
            return Ok(inspect(self.cache, batch, self.shape).await);
        };
        if let Some(shape) = &guards.shape
            && let Some(failure) = shape.refuses(cache, batch).await
        {
            return Err(failure);
        }
        let since = Instant::now();
        let written = match &guards.identical {
            Some(identical) => identical.write(batch, &self.how).await,
            None => cache.write(batch, &self.how).await,
        };
        Ok(match &guards.recheck {
            Some(recheck) => recheck.settle(batch, &self.how, since, written).await,
            None => written,
        })
    }

    /// Adds what the guards found without stopping anything.
    pub async fn warn(&self, report: &mut StrategyReport) {
        let Some(guards) = &self.guards else { return };
        let shape = match &guards.shape {
            Some(shape) => shape.warning().await,
            None => None,
        };
        let identical = guards.identical.as_ref().and_then(Identical::warning);
        for warning in [shape, identical].into_iter().flatten() {
            report.warn(warning);
        }
    }
}
