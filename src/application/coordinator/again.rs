//! Which strategy is warmed next, and which once more: a stream that broke off begins anew, and what
//! a cache acknowledged that has been replaced since is sent again.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::{sleep, timeout};
use tracing::Instrument as _;

use super::{Run, Tally};
use crate::application::event::Event;
use crate::application::ports::{Mode, Wanted};
use crate::domain::changes::ReadHow;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::{Status, StrategyReport};

/// How often a strategy is warmed from its start in one run.
const MAX_PASSES: u32 = 3;

/// How often a strategy that cannot go on where it was gives way to others, and how long it stays
/// away: each time longer by this.
const MAX_PAUSES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// One whose place another is taking does not say which it is before that is over.
const EPOCH_TIMEOUT: Duration = Duration::from_secs(60);

/// The same for a run that is asked to stop.
const LAST_EPOCH_TIMEOUT: Duration = Duration::from_secs(1);

const BROKE_OFF: &str = "the database's stream broke off";
const GAVE_WAY: &str = "the database's stream gave way to another session";
const REPLACED: &str = "the cache was restarted or replaced during the run";

impl Run<'_> {
    /// Asks the cache whether it is still the one that it was.
    pub(super) async fn ask_epoch(&mut self) {
        let coordinator = self.coordinator;
        let Some(cache) = coordinator.cache().filter(|_| coordinator.writes()) else {
            return;
        };
        let failed = |tally: &Tally| match &tally.report.status {
            Status::Failed(failure) => failure.kind == FailureKind::CacheUnreachable,
            Status::Completed | Status::Cancelled => false,
        };
        if self.tallies.iter().any(failed) {
            return;
        }
        let stop = self.stop;
        let hurry = async {
            stop.stopped().await;
            sleep(LAST_EPOCH_TIMEOUT).await;
        };
        let said = tokio::select! {
            said = timeout(EPOCH_TIMEOUT, cache.epoch()) => said.ok().and_then(Result::ok),
            () = hurry => None,
        };
        // What one acknowledged that cannot say is not known to be there.
        self.epoch = said;
    }

    /// The first strategy that has not been warmed, or whose keys went with a former cache.
    pub(super) fn next_due(&self) -> Option<usize> {
        let is_due = |tally: &Tally| match tally.passes {
            0 => true,
            passes => passes < MAX_PASSES && self.is_gone(tally),
        };
        self.tallies.iter().position(is_due)
    }

    /// Whether keys count that a former cache acknowledged.
    fn is_gone(&self, tally: &Tally) -> bool {
        let stats = &tally.report.stats;
        let replaced = tally.epoch.is_some() && tally.epoch != self.epoch;
        replaced && stats.warmed + stats.skipped > stats.absent
    }

    /// Warms a strategy from its start to its end.
    pub(super) async fn pass(&mut self, index: usize) {
        let coordinator = self.coordinator;
        let limit = coordinator.options.limit;
        if self.epoch.is_none() {
            self.ask_epoch().await;
        }
        let former = (self.tallies[index].passes > 0).then(|| self.tallies[index].report.clone());
        if former.is_some() {
            self.begin_anew(index, REPLACED);
            self.tallies[index].started = false;
            if let Some(recorder) = &mut self.recorder {
                recorder.begin_anew(index);
            }
        }
        let tally = &mut self.tallies[index];
        tally.passes += 1;
        tally.epoch = self.epoch;
        let span = tracing::info_span!("strategy", id = %tally.report.id);
        self.begin(index);
        async {
            if self.check_shrink(index).await {
                self.begin_changes(index).await;
                self.warm(index, Wanted::All { limit }).await;
                self.end_changes(index);
                Box::pin(self.read_again_if_interrupted(index)).await;
                self.heed_failure(index);
                self.check_min_keys(index);
            }
            if let Some(former) = &former {
                self.doubt_former(index, former);
            }
            self.end(index);
            self.leave_watermark(index);
            self.close_keys(index);
        }
        .instrument(span)
        .await;
        // Of one that was not to be written.
        self.ahead.remove(&index);
    }

    /// What the cache had taken before may be there all the same, where this pass did not get as far
    /// or was refused: one that was replaced may be back.
    fn doubt_former(&mut self, index: usize, former: &StrategyReport) {
        let stopped = self.stop.reason().is_some();
        let tally = &mut self.tallies[index];
        let stats = &mut tally.report.stats;
        if stats.failed + stats.unknown == 0 && tally.failure.is_none() && !stopped {
            return;
        }
        let missing = former.stats.total().saturating_sub(stats.total());
        stats.unknown += std::mem::take(&mut stats.failed) + missing;
        let warning = format!("not known to be there still: {REPLACED}");
        tally.report.warn(warning);
    }

    /// Warms a strategy from its start whose stream alone was interrupted: once where it was lost, a
    /// few times where it gave way to others.
    async fn read_again_if_interrupted(&mut self, index: usize) {
        let (mut lost, mut gave_way) = (0, 0);
        // What was looked at has been told already.
        while self.coordinator.writes() && self.stop.reason().is_none() {
            let failure = self.tallies[index].failure.as_ref();
            match failure.map(|failure| failure.kind) {
                Some(FailureKind::SourceLost) if lost < 1 => {
                    lost += 1;
                    self.read_again(index, BROKE_OFF).await;
                }
                Some(FailureKind::GaveWay) if gave_way < MAX_PAUSES => {
                    gave_way += 1;
                    self.tell_pause(index);
                    // Whoever waited may have more to do.
                    tokio::select! {
                        () = sleep(PAUSE * gave_way) => {}
                        () = self.stop.stopped() => return,
                    }
                    self.read_again(index, GAVE_WAY).await;
                }
                Some(FailureKind::GaveWay) => return self.give_up(index),
                _ => return,
            }
        }
    }

    /// Says for whom a strategy was interrupted.
    fn tell_pause(&mut self, index: usize) {
        let tally = &mut self.tallies[index];
        if let Some(failure) = &tally.failure {
            let id = tally.report.id.to_string();
            tally.report.warn(failure.about(&id));
        }
    }

    /// Fails a strategy that others interrupt again and again.
    fn give_up(&mut self, index: usize) {
        let tally = &mut self.tallies[index];
        let what = format!("{} was interrupted {MAX_PAUSES} times", tally.report.id);
        let why = tally.failure.take().map_or_else(String::new, |f| f.why);
        let hint = "run again when the migration is over; with an order_by that holds all columns \
                    of the key a run goes on where it was interrupted";
        tally.failure = Some(Failure::new(FailureKind::Query, what, why).hint(hint));
    }

    /// Warms a strategy whose stream was interrupted from its start, if there is one again. What was
    /// stored before stays in the cache, also where this pass is not completed.
    async fn read_again(&mut self, index: usize, why: &str) {
        let limit = self.coordinator.options.limit;
        let stop = self.stop;
        let in_order = why == GAVE_WAY;
        let entries = self.entries_in(index, Wanted::All { limit }, in_order);
        let mut entries = entries.fuse();
        let first = tokio::select! {
            first = entries.next() => first,
            () = stop.stopped() => return,
        };
        if let Some(Err(failure)) = first {
            self.broken |= failure.ends_run();
            self.tallies[index].failure = Some(failure);
            return;
        }
        let former = self.tallies[index].report.clone();
        self.begin_anew(index, why);
        let entries = stream::iter(first).chain(entries).boxed();
        self.ahead.insert(index, entries);
        self.warm(index, Wanted::All { limit }).await;
        let tally = &mut self.tallies[index];
        if tally.failure.is_some() || stop.reason().is_some() {
            tally.report.join_incomplete(former);
        }
    }

    /// Forgets what a strategy has counted.
    fn begin_anew(&mut self, index: usize, why: &str) {
        let only_missing = self.coordinator.options.mode == Mode::OnlyMissing;
        let tally = &mut self.tallies[index];
        tally.failure = None;
        tally.report = tally.report.anew();
        if let Some(changed) = &mut tally.report.changed {
            changed.read = ReadHow::Full;
            changed.why = Some(why.to_owned());
            changed.unchanged = 0;
        }
        let mut warning = format!("sent again: {why}");
        if only_missing {
            warning.push_str("; keys that it had stored before count as skipped");
        }
        tally.report.warn(warning);
        let id = &tally.report.id;
        tracing::warn!(%id, why, "beginning anew");
        self.reporter.report(&Event::StrategyRepeated { id, why });
    }

    /// Opens the streams of the strategies that come next, as many as the database may be asked for
    /// at the same time. They read a little and wait.
    pub(super) fn open_ahead(&mut self, index: usize) {
        let options = &self.coordinator.options;
        let more = options.db_concurrency - 1;
        if more == 0 || !self.goes_on() || self.reads_changes() {
            return;
        }
        let next = (index + 1..self.tallies.len()).filter(|i| self.tallies[*i].passes == 0);
        for next in next.take(more).collect::<Vec<_>>() {
            if !self.ahead.contains_key(&next) {
                let limit = options.limit;
                let entries = self.entries(next, Wanted::All { limit });
                self.ahead.insert(next, entries);
            }
        }
    }

    /// Keys that are asked for by name are all acknowledged by the cache that is there now.
    pub(super) fn acknowledge_all(&mut self) {
        for tally in &mut self.tallies {
            tally.epoch = self.epoch;
        }
    }

    /// Says of what could not be warmed, or not again, what became of it.
    pub(super) fn end_of_passes(&mut self) {
        self.ahead.clear();
        for index in 0..self.tallies.len() {
            let is_gone = self.is_gone(&self.tallies[index]);
            let tally = &mut self.tallies[index];
            if is_gone {
                let stats = &mut tally.report.stats;
                stats.unknown += stats.warmed;
                stats.warmed = 0;
                stats.identical = stats.identical.map(|_| 0);
                stats.bytes = 0;
                let warning = format!("not known to be there still: {REPLACED}");
                tally.report.warnings.push(warning);
                if tally.passes == MAX_PASSES {
                    let what = format!("{} cannot be warmed", tally.report.id);
                    let why = format!("{REPLACED}, in each of {MAX_PASSES} passes");
                    let failure = Failure::new(FailureKind::CacheUnreachable, what, why)
                        .hint("look at the cache's log, and run again when it stays up");
                    tally.report.status = Status::Failed(failure);
                }
            }
            // What ended the run before it began stays.
            if tally.passes == 0 && !tally.started && tally.report.status == Status::Completed {
                tally.report.status = Status::Cancelled;
            }
        }
    }

    /// Lets queries that were left in the middle end at the database.
    pub(super) async fn settle(&mut self) {
        for strategy in &self.coordinator.strategies {
            strategy.settled().await;
        }
    }
}
