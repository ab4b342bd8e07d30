//! Reads, writes and verifies a portion.

use futures_util::future::pending;
use futures_util::{FutureExt as _, StreamExt as _, stream};

use super::answer::Summary;
use super::duty::Lease;
use super::job::Job;
use super::order::Parcel;
use crate::application::engine::delivery::Delivery;
use crate::application::guards::recheck::Sent;
use crate::application::pace::Change;
use crate::application::run_state::plan::RunPlan;
use crate::domain::entry::EntryBatch;
use crate::domain::failure::{Failure, FailureKind};

/// Warms a portion, and puts its keys into `keys`; `None`: it was lost to another worker.
///
/// # Errors
/// The database's, or why a batch may not be written.
pub(super) async fn warm(
    job: &Job,
    parcel: &Parcel,
    lease: &Lease,
    keys: &mut Vec<u8>,
) -> Result<Option<Summary>, Failure> {
    let plan = job.coordinator.plan();
    let ids = plan.strategies.iter().map(|strategy| strategy.spec().id.to_string());
    let index = ids.into_iter().position(|id| id == parcel.strategy).ok_or_else(|| {
        Failure::new(FailureKind::Config, format!("there is no {}", parcel.strategy), "")
    })?;
    let strategy = &plan.strategies[index];
    let read = strategy.portion(&parcel.ask(), plan.options.batch_size).await?;
    let Some(read) = read else {
        return Ok(Some(Summary::too_large()));
    };
    let mut summary = Summary::of(&read);
    follow_rate(plan, parcel.rate);
    let delivery = Delivery::new(plan, index);
    let (sent, refused) = write(plan, &delivery, lease, read.batches).await;
    // Whatever was written is verified, also by a worker that was stopped in between.
    let sent = delivery.settle(sent, pending().boxed().shared()).await;
    if !lease.is_ours() {
        return Ok(None);
    }
    if let Some(failure) = refused {
        return Err(failure);
    }
    sent.iter().for_each(|sent| summary.add(sent, keys));
    summary.warn(delivery.warnings().await);
    Ok(Some(summary))
}

/// Writes batches, while the portion is ours; with the first reason why one was not written.
async fn write(
    plan: &RunPlan,
    delivery: &Delivery<'_>,
    lease: &Lease,
    batches: Vec<EntryBatch>,
) -> (Vec<Sent>, Option<Failure>) {
    let entries = plan.pace.throttle(stream::iter(batches.into_iter().map(Ok)).boxed());
    let deliver = |batch: Result<EntryBatch, Failure>| async {
        let batch = batch?;
        // At the last moment.
        if !lease.is_ours() {
            return Err(Failure::new(FailureKind::Busy, "the portion is another worker's", ""));
        }
        delivery.deliver(batch, false, pending().boxed().shared()).await
    };
    let mut delivered = entries.map(deliver).buffer_unordered(plan.options.concurrency);
    let (mut sent, mut refused) = (Vec::new(), None);
    while let Some(next) = delivered.next().await {
        match next {
            Ok(batch) => sent.push(batch),
            Err(failure) => refused = refused.or(Some(failure)),
        }
    }
    (sent, refused)
}

/// The run's rate, if it is lower than the worker's own.
fn follow_rate(plan: &RunPlan, of_run: Option<u64>) {
    let own = plan.options.pace.rate;
    let rate = own.into_iter().chain(of_run).min();
    if plan.pace.now().rate != rate {
        plan.pace.change(Change::Rate(rate));
        plan.pace.take_changes();
    }
}
