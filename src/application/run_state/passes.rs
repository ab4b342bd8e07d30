//! Decides which strategy is warmed next. If the cache was replaced, strategies are warmed again.

mod report;

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::book::Book;
use super::context::RunContext;
use super::tally::Tally;
use crate::application::ports::Mode;
use crate::application::run_state::event::Event;
use crate::domain::changes::ReadHow;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::{Status, StrategyReport};

/// How often a strategy is warmed from its start in one run.
const MAX_PASSES: u32 = 3;

/// How long a cache may take to answer: during a failover it does not.
const EPOCH_TIMEOUT: Duration = Duration::from_mins(1);

/// The same for a run that is asked to stop.
const LAST_EPOCH_TIMEOUT: Duration = Duration::from_secs(1);

pub const REPLACED: &str = "the cache was restarted or replaced during the run";

/// How often each strategy was warmed, and into which cache.
pub struct Passes {
    /// The cache's last known epoch.
    epoch: Option<u64>,
    of: Vec<Pass>,
}

/// The last pass of a strategy.
#[derive(Clone, Copy, Default)]
struct Pass {
    count: u32,
    /// The cache's epoch when it began.
    epoch: Option<u64>,
}

impl Passes {
    pub async fn new(book: &Book, run: &RunContext<'_>) -> Self {
        let mut passes = Self { epoch: None, of: vec![Pass::default(); book.tallies.len()] };
        passes.ask_epoch(book, run).await;
        passes
    }

    /// The same for named keys: the current cache takes them all.
    pub async fn of_named(book: &Book, run: &RunContext<'_>) -> Self {
        let mut passes = Self::new(book, run).await;
        for pass in &mut passes.of {
            pass.epoch = passes.epoch;
        }
        passes
    }

    /// Asks the cache for its epoch.
    pub async fn ask_epoch(&mut self, book: &Book, run: &RunContext<'_>) {
        let cache = &run.plan.target;
        if book.failed_by(|failure| failure.kind == FailureKind::CacheUnreachable) {
            return;
        }
        let hurry = async {
            run.stop.stopped().await;
            sleep(LAST_EPOCH_TIMEOUT).await;
        };
        // Without an answer, acknowledged entries are not known to be there.
        self.epoch = tokio::select! {
            said = timeout(EPOCH_TIMEOUT, cache.epoch()) => said.ok().and_then(Result::ok),
            () = hurry => None,
        };
    }

    /// The first strategy that was not warmed yet, or was lost with a former cache.
    pub fn next_due(&self, book: &Book) -> Option<usize> {
        let is_due = |index: &usize| match self.of[*index].count {
            0 => true,
            count => count < MAX_PASSES && self.is_gone(*index, book),
        };
        (0..self.of.len()).find(is_due)
    }

    /// Whether it has counted keys that a former cache acknowledged.
    fn is_gone(&self, index: usize, book: &Book) -> bool {
        let acknowledged = self.of[index].epoch;
        let stats = &book.tallies[index].report.stats;
        let replaced = acknowledged.is_some() && acknowledged != self.epoch;
        replaced && stats.warmed + stats.skipped > stats.absent
    }

    /// Begins a pass; `Some`: the report of an earlier pass, which is void.
    pub async fn begin(
        &mut self,
        index: usize,
        book: &mut Book,
        run: &RunContext<'_>,
    ) -> Option<StrategyReport> {
        if self.epoch.is_none() {
            self.ask_epoch(book, run).await;
        }
        let pass = &mut self.of[index];
        let tally = &mut book.tallies[index];
        let former = (pass.count > 0).then(|| tally.report.clone());
        if former.is_some() {
            restart(tally, run, REPLACED);
            tally.begun = false;
        }
        pass.count += 1;
        pass.epoch = self.epoch;
        former
    }

    /// The epoch of the cache that a strategy is written to, if known.
    pub fn epoch(&self, index: usize) -> Option<u64> {
        self.of[index].epoch
    }

    /// Whether a strategy was warmed before.
    pub fn is_repeated(&self, index: usize) -> bool {
        self.of[index].count > 1
    }

    /// Settles strategies that were not warmed, or not again.
    pub fn close(&self, book: &mut Book) {
        for (index, pass) in self.of.iter().enumerate() {
            let is_gone = self.is_gone(index, book);
            let tally = &mut book.tallies[index];
            if is_gone {
                lose_all(tally);
                if pass.count == MAX_PASSES {
                    tally.report.status = Status::Failed(replaced_too_often(&tally.report));
                }
            }
            if pass.count == 0 && !tally.begun && tally.report.status == Status::Completed {
                tally.report.status = Status::Cancelled;
            }
        }
    }
}

/// Acknowledged entries may be there or not.
fn lose_all(tally: &mut Tally) {
    let stats = &mut tally.report.stats;
    stats.unknown += stats.warmed;
    stats.warmed = 0;
    stats.identical = stats.identical.map(|_| 0);
    stats.bytes = 0;
    tally.report.warnings.push(may_be_gone());
}

fn may_be_gone() -> String {
    format!("keys that were written may be gone: {REPLACED}")
}

fn replaced_too_often(report: &StrategyReport) -> Failure {
    let what = format!("{} cannot be warmed", report.id);
    let why = format!("{REPLACED}, in each of {MAX_PASSES} passes");
    Failure::new(FailureKind::CacheUnreachable, what, why)
        .hint("look at the cache's log, and run again when it stays up")
}

/// If this pass did not get as far as an earlier one, the earlier entries may still be there: a
/// replaced cache may be back.
pub fn doubt(former: &StrategyReport, tally: &mut Tally, run: &RunContext<'_>) {
    let stats = &mut tally.report.stats;
    if stats.failed + stats.unknown == 0 && tally.failure.is_none() && !run.is_stopped() {
        return;
    }
    let missing = former.stats.total().saturating_sub(stats.total());
    stats.unknown += std::mem::take(&mut stats.failed) + missing;
    tally.report.warn(may_be_gone());
}

/// Resets a strategy's counts: it is warmed again from its start.
pub fn restart(tally: &mut Tally, run: &RunContext<'_>, why: &str) {
    tally.failure = None;
    tally.report = tally.report.restarted();
    if let Some(changed) = &mut tally.report.changed {
        changed.read = ReadHow::Full;
        changed.why = Some(why.to_owned());
        changed.unchanged = 0;
    }
    let mut warning = format!("sent again: {why}");
    if run.plan.options.mode == Mode::OnlyMissing {
        warning.push_str("; keys that it had stored before count as skipped");
    }
    tally.report.warn(warning);
    let id = &tally.report.id;
    tracing::warn!(%id, why, "restarting");
    run.report(&Event::StrategyRepeated { id, why });
}
