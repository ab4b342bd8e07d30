//! Reads, writes and verifies a portion.

use std::sync::Arc;

use futures_util::future::pending;
use futures_util::{FutureExt as _, StreamExt as _, stream};

use super::answer::Summary;
use super::job::Job;
use super::lease::Lease;
use super::task::Task;
use crate::application::engine::delivery::Delivery;
use crate::application::guards::recheck::Sent;
use crate::application::pace::Change;
use crate::application::run_state::options::{Options, ShapeGuard};
use crate::application::run_state::plan::RunPlan;
use crate::domain::entry::EntryBatch;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::sync::lock;

/// A worker compares the values of every such portion of a strategy with those in the cache.
const COMPARED: u64 = 16;

/// What became of a portion.
pub(super) enum Done {
    Warmed(Summary),
    /// Another worker has it now, or the run is over.
    Lost,
    /// Nothing was written.
    Failed(Failure),
    /// Some of it was written, and could not be verified.
    Unverified(Failure),
}

/// Warms a portion, and puts its keys into `keys`.
pub(super) async fn warm(job: &Job, task: &Task, lease: &Arc<Lease>, keys: &mut Vec<u8>) -> Done {
    let plan = job.coordinator.plan();
    let mut ids = plan.strategies.iter().map(|strategy| strategy.spec().id.to_string());
    let Some(index) = ids.position(|id| id == task.strategy) else {
        let what = format!("there is no {}", task.strategy);
        return Done::Failed(Failure::new(FailureKind::Config, what, ""));
    };
    let ask = task.ask();
    let reading = plan.strategies[index].portion(&ask, plan.options.batch_size);
    let read = tokio::select! {
        read = reading => read,
        () = lease.lost() => return Done::Lost,
    };
    let read = match read {
        Ok(Some(read)) => read,
        Ok(None) => return Done::Warmed(Summary::too_large()),
        Err(failure) => return Done::Failed(failure),
    };
    let mut summary = Summary::of(&read);
    follow_rate(plan, task.rate);
    let compared = next_compared(job, index);
    let delivery = match compared % COMPARED {
        0 => Delivery::new(plan, index),
        _ => Delivery::of(plan, index, &Options { shape: ShapeGuard::Off, ..plan.options.clone() }),
    };
    let (sent, refused) = write(plan, &delivery, lease, read.batches).await;
    // Also by a worker that was stopped in between.
    let sent = delivery.settle(sent, pending().boxed().shared()).await;
    if !lease.is_ours() {
        return Done::Lost;
    }
    if let Some(failure) = sent.iter().find_map(|sent| sent.written.checked.failure.clone()) {
        return Done::Unverified(failure);
    }
    if let Some(failure) = refused {
        return if sent.is_empty() { Done::Failed(failure) } else { Done::Unverified(failure) };
    }
    sent.iter().for_each(|sent| summary.add(sent, keys));
    if compared == 0 {
        summary.warn(delivery.warnings().await);
    }
    Done::Warmed(summary)
}

fn next_compared(job: &Job, index: usize) -> u64 {
    let mut compared = lock(&job.compared);
    let portions = compared.entry(index).or_default();
    *portions += 1;
    *portions - 1
}

/// Writes batches, while the portion is ours; with the first reason why one was not written.
async fn write(
    plan: &RunPlan,
    delivery: &Delivery<'_>,
    lease: &Arc<Lease>,
    batches: Vec<EntryBatch>,
) -> (Vec<Sent>, Option<Failure>) {
    let held = Arc::clone(lease);
    // A batch that is on its way when the portion is lost is in doubt, and verified.
    let lost = async move { held.lost().await }.boxed().shared();
    let entries = plan.pace.throttle(stream::iter(batches.into_iter().map(Ok)).boxed());
    let entries = entries.take_until(lost.clone());
    let deliver = |batch: Result<EntryBatch, Failure>| async {
        let batch = batch?;
        // At the last moment.
        if !lease.is_ours() {
            return Err(Failure::new(FailureKind::GaveWay, "the portion was lost", ""));
        }
        delivery.deliver(batch, false, lost.clone()).await
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
