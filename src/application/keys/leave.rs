//! Records the keys that a run writes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::recorder::{Recorded, Recorder};
use crate::application::ports::{Mode, WriteOutcome, Written};
use crate::application::run_state::book::Book;
use crate::application::run_state::context::RunContext;
use crate::domain::digest::Digest;
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::planned_keys::PlannedKeys;
use crate::domain::report::Status;
use crate::domain::settings_text::MAX_TTL;

/// How long the end of a run waits for the recorder, and the end of a stopped run.
const TIMEOUT: Duration = Duration::from_secs(10);
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// The keys that a run has written.
pub struct RunKeys {
    /// Of a run that writes and has a name.
    recorder: Option<Recorder>,
    /// Of a run that prunes: what it has written needs no asking for.
    written: Option<PlannedKeys>,
}

impl RunKeys {
    pub fn new(run: &RunContext<'_>) -> Self {
        let plan = run.plan;
        let recorder = plan.written_cache().zip(run.info).map(|(cache, info)| {
            let strategies = plan.strategies.iter().zip(&plan.ttls);
            let strategies = strategies.map(|(strategy, ttl)| Recorded {
                strategy: strategy.spec().id.to_string(),
                ttl: ttl.base.min(MAX_TTL),
                definition: strategy.fingerprint(),
            });
            let cache = Arc::clone(cache);
            Recorder::new(cache, &plan.options.prefix, info, strategies.collect())
        });
        Self { recorder, written: plan.prune.is_some().then(PlannedKeys::default) }
    }

    /// Takes the keys that were written, for pruning.
    pub fn take_written(&mut self) -> PlannedKeys {
        self.written.take().unwrap_or_default()
    }

    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }

    /// Notes the keys of a batch that were stored.
    pub fn note(&mut self, index: usize, batch: &EntryBatch, written: &Written) {
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        // A repaired entry has another value now.
        let repaired: HashMap<usize, Digest> = written.checked.rewritten.iter().copied().collect();
        for (place, (entry, outcome)) in batch.iter().zip(&written.outcomes).enumerate() {
            // A withdrawn key is in the selection too: a later run looks for it.
            if matches!(outcome, WriteOutcome::Stored | WriteOutcome::Withdrawn) {
                let digest = repaired.get(&place).copied();
                let digest = digest.unwrap_or_else(|| Digest::of(entry.value));
                recorder.push(index, entry.key, digest);
                if let Some(written) = &mut self.written {
                    written.insert(entry.key);
                }
            }
        }
    }

    /// Forgets what a strategy had: it is warmed again.
    pub fn restart(&mut self, index: usize) {
        if let Some(recorder) = &mut self.recorder {
            recorder.restart(index);
        }
    }

    /// Flushes the keys of a strategy that completed.
    pub fn close(&mut self, index: usize, status: &Status) {
        if let (Some(recorder), Status::Completed) = (&mut self.recorder, status) {
            recorder.close(index);
        }
    }

    /// Leaves the keys for later runs; returns for each strategy whether its whole selection was left.
    /// A failure is a warning only.
    pub async fn leave(self, book: &mut Book, run: &RunContext<'_>) -> Option<Vec<bool>> {
        // A cache that is gone has been reported already, and a full one takes no more.
        let recorder = self.recorder.filter(|_| !book.failed_by(Failure::ends_run_of_cache))?;
        let timeout = if run.is_stopped() { LAST_TIMEOUT } else { TIMEOUT };
        let refreshes = run.plan.options.mode == Mode::Refresh;
        let whole = 0..book.tallies.len();
        let whole = whole.map(|index| refreshes && book.is_complete(index, run));
        let whole: Vec<bool> = whole.collect();
        match recorder.finish(timeout, &whole).await {
            Ok(()) => Some(whole),
            Err(why) => {
                let warning =
                    format!("no key list was kept for this run ({why}): --prune and usage skip it");
                tracing::warn!("{warning}");
                book.warnings.push(warning);
                None
            }
        }
    }
}
