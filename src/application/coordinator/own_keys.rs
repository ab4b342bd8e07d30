//! What a run leaves of the keys that it has written.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Coordinator, Run, Task};
use crate::application::own_keys::{Recorded, Recorder};
use crate::application::ports::{Mode, WriteOutcome, Written};
use crate::domain::digest::Digest;
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::report::{Status, StrategyReport};
use crate::domain::run::RunInfo;
use crate::domain::strategy::StrategySpec;
use crate::domain::ttl::Ttl;

/// How long the end of a run waits for what it leaves, and that of one that is asked to stop.
const PATIENCE: Duration = Duration::from_secs(10);
const LAST_PATIENCE: Duration = Duration::from_secs(2);

impl Coordinator {
    /// Keeps the keys of a run that writes, and has a name.
    pub(super) fn recorder(&self, info: Option<&RunInfo>) -> Option<Recorder> {
        let (Task::Warm(cache), Some(info)) = (&self.task, info) else {
            return None;
        };
        let recorded = |(spec, ttl): (&StrategySpec, &Ttl)| Recorded {
            strategy: spec.id.to_string(),
            ttl: ttl.base,
        };
        let specs = self.strategies.iter().map(|strategy| strategy.spec());
        let strategies = specs.zip(&self.ttls).map(recorded).collect();
        let cache = Arc::clone(cache);
        Some(Recorder::new(cache, &self.options.prefix, info, strategies))
    }
}

impl Run<'_> {
    /// Notes the keys of a batch that were stored.
    pub(super) fn record(&mut self, index: usize, batch: &EntryBatch, written: &Written) {
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        let prunes = self.coordinator.prune.is_some();
        let both = batch.iter().zip(&written.outcomes);
        // One that was taken back is of the selection all the same: a later run looks for it.
        let is_ours = |outcome: &WriteOutcome| {
            matches!(outcome, WriteOutcome::Stored | WriteOutcome::Withdrawn)
        };
        // What was repaired is another value by now.
        let repaired: HashMap<usize, Digest> = written.checked.rewritten.iter().copied().collect();
        for (place, (entry, _)) in both
            .enumerate()
            .filter(|(_, (_, outcome))| is_ours(outcome))
        {
            let digest = repaired.get(&place).copied();
            let digest = digest.unwrap_or_else(|| Digest::of(entry.value));
            recorder.push(index, entry.key, digest);
            if prunes {
                self.planned.insert(entry.key);
            }
        }
    }

    /// Hands on what a strategy has written, which is all. A cache that is full takes no more.
    pub(super) fn close_keys(&mut self, index: usize) {
        if self.tallies[index].report.status == Status::Completed
            && let Some(recorder) = &mut self.recorder
        {
            recorder.close(index);
        }
    }

    /// Whether what a strategy has written is its whole selection: nothing was left as it stood.
    fn is_whole(&self, index: usize) -> bool {
        self.coordinator.options.mode == Mode::Refresh && self.is_complete(index)
    }

    /// Whether all of a strategy's selection was read, and every key of it is in the cache.
    pub(super) fn is_complete(&self, index: usize) -> bool {
        let options = &self.coordinator.options;
        let report = &self.tallies[index].report;
        options.limit.is_none()
            && self.stop.reason().is_none()
            && self.tallies[index].passes > 0
            && report.status == Status::Completed
            && report.stats.failed + report.stats.unknown == 0
            && !self.failed(Failure::ends_run)
    }

    fn failed(&self, so: impl Fn(&Failure) -> bool) -> bool {
        let failed = |report: &StrategyReport| match &report.status {
            Status::Failed(failure) => so(failure),
            Status::Completed | Status::Cancelled => false,
        };
        self.tallies.iter().any(|tally| failed(&tally.report))
    }

    /// Leaves the keys for later runs. What cannot be left is no failure of this one.
    pub(super) async fn leave_keys(&mut self) {
        let Some(recorder) = self.recorder.take() else {
            return;
        };
        // Of a cache that is gone nobody needs to hear it again, and a full one takes no more.
        if self.failed(Failure::ends_run_of_cache) {
            return;
        }
        let patience = match self.stop.reason() {
            Some(_) => LAST_PATIENCE,
            None => PATIENCE,
        };
        let whole = (0..self.tallies.len()).map(|at| self.is_whole(at));
        let whole: Vec<bool> = whole.collect();
        if let Err(why) = recorder.finish(patience, &whole).await {
            let warning = format!("later runs do not know which keys this one has written: {why}");
            tracing::warn!("{warning}");
            self.warnings.push(warning);
        } else {
            self.forget_superseded(&whole).await;
        }
    }
}
