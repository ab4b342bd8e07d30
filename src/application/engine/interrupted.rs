//! Restarts a strategy after an interrupted stream: once if the stream was lost, a few times if it
//! gave way to others.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::sleep;

use super::flow::Flow;
use crate::application::ports::Wanted;
use crate::application::run_state::book::Book;
use crate::application::run_state::context::RunContext;
use crate::application::run_state::passes::restart;
use crate::domain::failure::{Failure, FailureKind};

/// How often a strategy gives way to others, and how much longer each pause is than the last.
const MAX_PAUSES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

const BROKE_OFF: &str = "the database's stream broke off";
const GAVE_WAY: &str = "the database's stream was interrupted";

/// Reads a strategy again while only its stream was interrupted.
pub(super) async fn read_again<'a>(
    flow: &mut Flow<'a>,
    book: &mut Book,
    index: usize,
    run: &RunContext<'a>,
) {
    let (mut lost, mut gave_way) = (0, 0);
    // Keys that were reported cannot be taken back.
    while !run.plan.options.lists_keys && !run.is_stopped() {
        let failure = book.tallies[index].failure.clone();
        match failure.as_ref().map(|failure| failure.kind) {
            Some(FailureKind::SourceLost) if lost < 1 => {
                lost += 1;
                from_start(flow, book, index, run, BROKE_OFF).await;
            }
            Some(FailureKind::GaveWay) if gave_way < MAX_PAUSES => {
                gave_way += 1;
                let report = &mut book.tallies[index].report;
                let id = report.id.to_string();
                failure.into_iter().for_each(|f| report.warn(f.about(&id)));
                // The other session may have more to do.
                if run.unless_stopped(sleep(PAUSE * gave_way)).await.is_none() {
                    return;
                }
                from_start(flow, book, index, run, GAVE_WAY).await;
            }
            Some(FailureKind::GaveWay) => return give_up(book, index),
            _ => return,
        }
    }
}

/// Fails a strategy that others interrupt again and again.
fn give_up(book: &mut Book, index: usize) {
    let tally = &mut book.tallies[index];
    let what = format!("{} was interrupted {MAX_PAUSES} times", tally.report.id);
    let why = tally.failure.take().map_or_else(String::new, |f| f.why);
    let hint = "run again when the migration is over; with an order_by that holds all columns \
                of the key a run goes on where it was interrupted";
    tally.failure = Some(Failure::new(FailureKind::Query, what, why).hint(hint));
}

/// Warms an interrupted strategy from its start, if it can be read again. Entries stored before stay
/// in the cache, even if this pass does not finish.
async fn from_start<'a>(
    flow: &mut Flow<'a>,
    book: &mut Book,
    index: usize,
    run: &RunContext<'a>,
    why: &str,
) {
    let limit = run.plan.options.limit;
    let in_order = why == GAVE_WAY;
    let entries = run.plan.entries(index, Wanted::All { limit }, in_order);
    let mut entries = entries.fuse();
    let Some(first) = run.unless_stopped(entries.next()).await else {
        return;
    };
    if let Some(Err(failure)) = first {
        book.tallies[index].failure = None;
        book.fail(index, failure);
        return;
    }
    let former = book.tallies[index].report.clone();
    restart(&mut book.tallies[index], run, why);
    flow.writer.notes.restart().await;
    let entries = stream::iter(first).chain(entries).boxed();
    flow.warm(book, index, entries).await;
    let tally = &mut book.tallies[index];
    if tally.failure.is_some() || run.is_stopped() {
        tally.report.join_incomplete(former);
    }
}
