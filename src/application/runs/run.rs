//! One run as everybody starts it, at the command line, over HTTP or by the clock: the lock is
//! taken, the cache is warmed, the run is recorded, the lock is given back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::leave::leave;
use crate::application::engine::coordinator::{Coordinator, KeyWindows};
use crate::application::ports::Workers;
use crate::application::record::RunRecord;
use crate::application::run_state::event::Reporter;
use crate::application::run_state::stop::StopSignal;
use crate::application::runs::lock::{Lock, Locking, Taken};
use crate::application::runs::refused::Refused;
use crate::application::workers::crew::Crew;
use crate::domain::failure::Failure;
use crate::domain::gate::Verified;
use crate::domain::report::{Outcome, Report, Stop};
use crate::domain::run::RunInfo;
use crate::domain::verdict::Verdict;

/// Nobody waits longer for what a run leaves behind: it has done its work.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);

/// The span of a run, for logs and traces.
pub fn span(info: &RunInfo) -> tracing::Span {
    tracing::info_span!(
        "run",
        run_id = %info.id,
        command = %info.command,
        trigger = info.trigger.name(),
        job = info.job.as_deref(),
    )
}

/// What is known of a run when it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// The contexts that it has locked.
    pub locked: Vec<String>,
    /// It warms all keys of its strategies.
    pub whole: bool,
}

/// A run that has ended, and its record: made once, kept in the history and shown.
pub struct Finished {
    pub report: Report,
    pub record: RunRecord,
}

impl Finished {
    /// Of a run that was stopped before it began.
    pub fn before(info: &RunInfo, stop: Stop) -> Self {
        let report = Report::stopped_before(stop);
        let verdict = Verdict::of_run(&report, info);
        let record = RunRecord::new(info, &report, verdict);
        Self { report, record }
    }
}

/// A run that may write.
pub struct Run<'a> {
    coordinator: &'a Coordinator,
    info: &'a RunInfo,
    /// Since when the elapsed time counts.
    since: Instant,
    lock: Option<Lock>,
    /// Who warms portions for it.
    crew: Option<Arc<Crew>>,
    warning: Option<String>,
}

impl<'a> Run<'a> {
    /// Takes the lock of every context that the run is about, so that nobody else writes there.
    ///
    /// # Errors
    /// Another run has one of them, or the cache fails.
    pub async fn begin(
        coordinator: &'a Coordinator,
        info: &'a RunInfo,
        since: Instant,
        locking: Locking,
        reporter: &dyn Reporter,
        stop: &StopSignal,
    ) -> Result<Self, Refused> {
        let mut run = Self { coordinator, info, since, lock: None, crew: None, warning: None };
        match Lock::take(coordinator.plan(), info, locking, reporter, stop).await? {
            Taken::Held(lock) => run.lock = Some(lock),
            Taken::NotAsked => {}
            Taken::NotPossible(why) => {
                tracing::warn!("{why}");
                run.warning = Some(why);
            }
        }
        match Crew::gather(coordinator.plan(), info).await {
            Ok(crew) => run.crew = crew.map(Arc::new),
            Err(failure) => {
                run.abandon().await;
                return Err(failure.into());
            }
        }
        if let Some(crew) = &run.crew {
            let crew: Arc<dyn Workers> = Arc::<Crew>::clone(crew);
            let _ = coordinator.plan().workers.set(crew);
        }
        tracing::info!("run begins");
        Ok(run)
    }

    /// Gives the lock back; nothing was done.
    pub async fn abandon(self) {
        if let Some(lock) = self.lock {
            lock.release().await;
        }
    }

    /// Its record from now on.
    pub fn begun(&self) -> Begun {
        Begun {
            locked: self.lock.iter().flat_map(Lock::contexts).cloned().collect(),
            whole: self.coordinator.options().limit.is_none(),
        }
    }

    /// Warms everything, and leaves a record of it for `shopwarm runs` and the next run.
    pub async fn warm_all(self, reporter: &dyn Reporter, stop: &StopSignal) -> Finished {
        let report = self.warm(reporter, stop).await;
        self.end(report, None, true).await
    }

    /// The same, and reads it back, before others may write: the record is of both.
    pub async fn warm_and_verify(
        self,
        reporter: &dyn Reporter,
        stop: &StopSignal,
        read_back: impl Future<Output = Verified>,
    ) -> (Finished, Option<Verified>) {
        let report = self.warm(reporter, stop).await;
        let verified = match report.stopped.is_none() && report.fatal().is_none() {
            true => Some(read_back.await),
            false => None,
        };
        (self.end(report, verified.as_ref(), true).await, verified)
    }

    async fn warm(&self, reporter: &dyn Reporter, stop: &StopSignal) -> Report {
        let mut report = self.coordinator.warm_all(Some(self.info), reporter, stop).await;
        if let Some(crew) = &self.crew {
            report.workers = Some(crew.count());
            let is_whole = report.outcome() == Outcome::Complete;
            report.warnings.extend(crew.dismiss(is_whole).await);
        }
        report
    }

    /// Warms some keys, and leaves a record of it.
    ///
    /// # Errors
    /// As [`Coordinator::warm_keys`].
    pub async fn warm_keys(
        self,
        keys: KeyWindows,
        reporter: &dyn Reporter,
        stop: &StopSignal,
    ) -> Result<Finished, Failure> {
        let report = self.coordinator.warm_keys(self.info, keys, reporter, stop).await?;
        if let Some(crew) = &self.crew {
            crew.dismiss(true).await;
        }
        Ok(self.end(report, None, false).await)
    }

    async fn end(self, mut report: Report, verified: Option<&Verified>, whole: bool) -> Finished {
        report.elapsed = self.since.elapsed().saturating_sub(report.asked);
        report.warnings.splice(0..0, self.warning);
        let lost = self.lock.as_ref().and_then(Lock::warning);
        report.warnings.extend(lost);
        let verdict = Verdict::of_run_and(&report, verified, self.info);
        let mut record = RunRecord::new(self.info, &report, verdict);
        log_end(&record);
        let recorded =
            leave(self.coordinator.plan(), &record, &report, whole, RECORD_TIMEOUT).await;
        record.warnings.extend(recorded.err());
        // Last: who has waited for the lock finds the record.
        if let Some(lock) = self.lock {
            lock.release().await;
        }
        Finished { report, record }
    }
}

/// A run that was not good is a warning, with what to do next; one that warmed nothing is an error.
fn log_end(record: &RunRecord) {
    let outcome = record.status();
    let (verdict, next) = (record.verdict.as_deref(), record.next.as_deref());
    let elapsed_ms = record.elapsed_ms;
    let (warmed, total) = (record.totals.counts.warmed, record.totals.total);
    let (failed, all) = (record.totals.strategies_failed, record.totals.strategies);
    macro_rules! ended {
        ($level:ident) => {
            tracing::$level!(outcome, verdict, next, warmed, total, elapsed_ms, "run ended")
        };
    }
    match record.passed {
        Some(true) => ended!(info),
        _ if failed > 0 && failed == all => ended!(error),
        _ => ended!(warn),
    }
}
