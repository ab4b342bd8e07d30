//! Writes the batches of one strategy, past its guards.

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::sleep;

use crate::application::guards::identical::Identical;
use crate::application::guards::recheck::{Lookup, Recheck, Sent};
use crate::application::guards::shape::ShapeCheck;
use crate::application::ports::{Cache, WriteOptions, Written};
use crate::application::run_state::context::RunContext;
use crate::application::run_state::options::Options;
use crate::application::run_state::plan::RunPlan;
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::portion::PartOf;

/// How long a stopped run waits for the batches in flight.
const GRACE: Duration = Duration::from_secs(5);

const GRACE_OVER: &str = "the run was stopped before the cache answered";

/// Ends some time after the run was stopped.
pub type Grace<'a> = Shared<BoxFuture<'a, ()>>;

pub(super) fn grace(run: RunContext<'_>) -> Grace<'_> {
    let over = async move {
        run.stop.stopped().await;
        sleep(GRACE).await;
    };
    over.boxed().shared()
}

/// Writes the batches of one strategy.
pub struct Delivery<'a> {
    cache: &'a dyn Cache,
    how: WriteOptions,
    shape: Option<ShapeCheck>,
    identical: Option<Identical<'a>>,
    recheck: Option<Recheck<'a>>,
}

impl<'a> Delivery<'a> {
    pub fn new(plan: &'a RunPlan, index: usize) -> Self {
        Self::of(plan, index, &plan.options)
    }

    /// The same with other options.
    pub fn of(plan: &'a RunPlan, index: usize, options: &Options) -> Self {
        let cache = plan.target.as_ref();
        let strategy = plan.strategies[index].as_ref();
        // Nothing was written where nothing can be.
        let verifies = options.verify_writes && !cache.is_read_only();
        Self {
            cache,
            how: plan.write_options(index),
            shape: ShapeCheck::wanted(options, strategy.spec(), cache.is_read_only()),
            identical: Identical::wanted(options.skip_identical, options.mode, cache),
            recheck: verifies.then(|| Recheck::new(strategy, cache)),
        }
    }

    /// Where the portion begins that a batch waits for before it is verified, and whether the batch is
    /// its last.
    pub(super) fn portion_of(&self, batch: &EntryBatch) -> Option<(u64, bool)> {
        match batch.part_of {
            Some(PartOf::Portion { portion, is_last })
                if self.recheck.is_some() && batch.done.is_none() =>
            {
                Some((portion.from, is_last))
            }
            _ => None,
        }
    }

    /// How long the last query by key took; `None`: nothing is verified.
    pub(super) fn last_lookup(&self) -> Option<Lookup> {
        self.recheck.as_ref().map(Recheck::last_lookup)
    }

    /// Writes a batch; verifies it too if it `is_alone`. A stopped run waits until the grace period is
    /// over.
    ///
    /// # Errors
    /// Why none of it was sent.
    pub async fn deliver(
        &self,
        mut batch: EntryBatch,
        is_alone: bool,
        grace: Grace<'_>,
    ) -> Result<Sent, Failure> {
        if let Some(done) = batch.done.take() {
            return Ok(Sent { batch, written: *done, since: Instant::now() });
        }
        if batch.is_empty() {
            let written = Written::new(Vec::new());
            return Ok(Sent { batch, written, since: Instant::now() });
        }
        let written = Written::unknown(batch.len(), GRACE_OVER);
        let mut sent = [Sent { batch, written, since: Instant::now() }];
        let delivered = tokio::select! {
            delivered = self.write(&mut sent, is_alone) => delivered,
            () = grace => {
                give_up(&mut sent);
                Ok(())
            }
        };
        let [sent] = sent;
        delivered.map(|()| sent)
    }

    async fn write(&self, sent: &mut [Sent; 1], is_alone: bool) -> Result<(), Failure> {
        let [Sent { batch, written, .. }] = sent;
        if let Some(shape) = &self.shape
            && let Some(failure) = shape.refuses(self.cache, batch).await
        {
            return Err(failure);
        }
        *written = match &self.identical {
            Some(identical) => identical.write(batch, &self.how).await,
            None => self.cache.write(batch, &self.how).await,
        };
        match &self.recheck {
            Some(recheck) if is_alone => {
                recheck.settle(sent, &self.how).await;
            }
            _ => {}
        }
        Ok(())
    }

    /// Verifies batches together.
    pub async fn settle(&self, mut sent: Vec<Sent>, grace: Grace<'_>) -> Vec<Sent> {
        if let Some(recheck) = &self.recheck {
            tokio::select! {
                () = recheck.settle(&mut sent, &self.how) => {}
                () = grace => give_up(&mut sent),
            }
        }
        sent
    }

    /// What the guards found without stopping anything.
    pub async fn warnings(&self) -> Vec<String> {
        let shape = match &self.shape {
            Some(shape) => shape.warning().await,
            None => None,
        };
        let identical = self.identical.as_ref().and_then(Identical::warning);
        [shape, identical].into_iter().flatten().collect()
    }
}

/// Nothing is known of batches whose outcome came too late.
fn give_up(sent: &mut [Sent]) {
    for Sent { batch, written, .. } in sent {
        *written = Written::unknown(batch.len(), GRACE_OVER);
    }
}
