//! The runs of a long-lived process: started by any trigger, one at a time for each context,
//! watched, stopped and remembered.

mod connect;
mod named;
mod past;
mod registry;
mod request;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::application::engine::coordinator::Coordinator;
use crate::application::record::RunRecord;
use crate::application::record::history;
use crate::application::run_state::stop::StopSignal;
use crate::application::runs::live::LiveRun;
use crate::application::runs::refused::Refused;
use crate::application::runs::run::{self, Finished, Run};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::{Outcome, Stop};
use crate::domain::run::{Flags, RunInfo, Trigger};
use crate::domain::sync::lock;

pub use connect::{Milestone, Observe, Open, Prepare, Prepared, Store, Use};
use named::NamedRequest;
pub use named::Started;
pub use past::PastRuns;
pub use registry::ActiveRuns;
pub use request::{RunRequest, hex};

/// Nobody waits longer for the record of a run that did not begin.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);

pub struct Service {
    prepare: Box<Prepare>,
    open: Arc<Open>,
    observe: Box<Observe>,
    /// Flags of this process that the next command needs, too.
    flags: Flags,
    pub registry: ActiveRuns,
    pub past: PastRuns,
    /// Why each command could not begin the last time, if it could not.
    not_begun: Mutex<BTreeMap<String, String>>,
    warmed: AtomicBool,
}

impl Service {
    pub fn new(
        prepare: Box<Prepare>,
        open: Arc<Open>,
        observe: Box<Observe>,
        flags: Flags,
    ) -> Self {
        Self {
            prepare,
            past: PastRuns::new(Arc::clone(&open)),
            open,
            observe,
            flags,
            registry: ActiveRuns::default(),
            not_begun: Mutex::default(),
            warmed: AtomicBool::new(false),
        }
    }

    /// Starts a run and returns once it has its lock. It goes on whether or not anybody watches.
    ///
    /// # Errors
    /// Why it could not begin.
    pub async fn start(self: &Arc<Self>, request: RunRequest) -> Result<Arc<LiveRun>, Refused> {
        self.start_as(request.info(), request).await
    }

    async fn start_as(
        self: &Arc<Self>,
        info: RunInfo,
        request: RunRequest,
    ) -> Result<Arc<LiveRun>, Refused> {
        let flags = self.flags.clone();
        let run = Arc::new(LiveRun::new(RunInfo { flags, ..info }));
        self.registry.add(&run)?;
        let (begun, has_begun) = oneshot::channel();
        let span = run::span(&run.info);
        let conduct = Arc::clone(self).conduct(Arc::clone(&run), request, begun);
        tokio::spawn(conduct.instrument(span));
        if has_begun.await.is_ok() {
            return Ok(run);
        }
        match run.end().await {
            Ok(_) => Ok(run),
            Err(refused) => Err(refused.as_ref().clone()),
        }
    }

    /// Starts a run for a request that names itself.
    ///
    /// # Errors
    /// Why it could not begin.
    pub async fn start_once(
        self: &Arc<Self>,
        name: &str,
        request: RunRequest,
    ) -> Result<Started, Refused> {
        let info = request.info();
        let store = (self.open)(Use::Write).await?;
        let taken = NamedRequest::take(store, name, info.id.clone(), request.digest()).await?;
        let named = match taken {
            Ok(named) => named,
            Err(before) => return Ok(before),
        };
        match self.start_as(info, request).await {
            Ok(run) => {
                tokio::spawn(named.renew(Arc::clone(&run)));
                Ok(Started::New(run))
            }
            Err(refused) => {
                named.release().await;
                Err(refused)
            }
        }
    }

    /// The whole life of a run.
    async fn conduct(
        self: Arc<Self>,
        run: Arc<LiveRun>,
        request: RunRequest,
        begun: oneshot::Sender<()>,
    ) {
        // Tell everybody who waits, however it ended.
        let carried_out = AssertUnwindSafe(self.carry_out(&run, &request, begun)).catch_unwind();
        let end = carried_out.await.unwrap_or_else(|_| Err(panicked().into()));
        let end = end.map_err(Arc::new);
        if let Err(refused) = &end {
            log_refusal(refused);
            self.record_refusal(&run.info, refused).await;
        }
        let dry_run = request.dry_run;
        (self.observe)(&run.info, Milestone::Ended { dry_run, end: &end });
        self.past.add();
        run.set_ended(end);
        if run.has_passed() {
            self.warmed.store(true, Ordering::Relaxed);
        }
        self.registry.end(run);
    }

    async fn carry_out(
        &self,
        run: &LiveRun,
        request: &RunRequest,
        begun: oneshot::Sender<()>,
    ) -> Result<RunRecord, Refused> {
        let since = Instant::now();
        let prepared = tokio::select! {
            prepared = (self.prepare)(request.clone()) => prepared?,
            () = run.stop.stopped() => {
                return Err(Refused::Stopped(run.stop.reason().unwrap_or(Stop::Interrupted)));
            }
        };
        let coordinator = prepared.coordinator;
        if coordinator.writes() {
            run.set_pace(coordinator.pace().clone());
        }
        let locking = request.locking;
        let ready = Run::begin(&coordinator, &run.info, since, locking, run, &run.stop).await?;
        if let Err(refused) = self.may_run(&coordinator, request).await {
            ready.abandon().await;
            return Err(refused);
        }
        // The deadline starts after the wait for other runs.
        let _deadline = prepared.deadline.map(|time| stop_after(time, &run.stop));
        (self.observe)(&run.info, Milestone::Begun(&ready.begun()));
        lock(&self.not_begun).remove(&run.info.command);
        run.set_begun();
        let _ = begun.send(());
        let whole = ready.begun().whole && !request.is_part();
        let Finished { report, record } = ready.warm_all(run, &run.stop).await;
        if whole && !request.dry_run && report.passes() {
            run.set_passed();
        }
        Ok(record)
    }

    /// Whether nobody has done the same yet, now that nobody else can begin it.
    async fn may_run(&self, coordinator: &Coordinator, asked: &RunRequest) -> Result<(), Refused> {
        if let Some(other) = &asked.unless {
            self.past.forget().await;
            if self.has_seen_complete(other).await {
                return Err(Refused::RunBefore);
            }
        }
        let (Some(cache), Some(job), Some(at)) =
            (coordinator.cache(), &asked.job, asked.occurrence)
        else {
            return Ok(());
        };
        let prefix = &coordinator.options().prefix;
        match history::take_occurrence(cache.as_ref(), prefix, job, at).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refused::RunBefore),
            // Where nothing can be written it is better warmed twice than never.
            Err(failure) if failure.kind == FailureKind::CacheDenied => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// A run that could not begin is in the history too, if the cache takes it.
    async fn record_refusal(&self, info: &RunInfo, refused: &Refused) {
        match refused {
            Refused::Failed(failure) if self.is_news(info, failure) => {}
            Refused::Stopped(_) => {}
            _ => return,
        }
        let record = refused.record(info);
        let recording = async {
            let store = (self.open)(Use::Write).await?;
            history::push(store.cache.as_ref(), &store.prefix, &record).await
        };
        // The caller gets the error anyway.
        let _ = timeout(RECORD_TIMEOUT, recording).await;
    }

    /// Whether the history does not say it yet: of what is tried again and again the first failure
    /// says it all.
    fn is_news(&self, info: &RunInfo, failure: &Failure) -> bool {
        let command = info.command.clone();
        let before = lock(&self.not_begun).insert(command, failure.to_string());
        let tries_again = matches!(info.trigger, Trigger::Start | Trigger::Schedule);
        failure.is_worth_recording() && !(tries_again && before == Some(failure.to_string()))
    }

    /// The last runs of all processes, those that go on here first.
    ///
    /// # Errors
    /// The cache's.
    pub async fn runs(&self) -> Result<Vec<RunRecord>, Failure> {
        let active = self.registry.active();
        let past = self.past.records().await?;
        let known = |id: &str| past.iter().any(|record| record.run_id == id);
        let live = active.iter().filter(|run| !known(&run.info.id));
        let live = live.map(|run| run.record());
        Ok(live.chain(past.iter().cloned()).collect())
    }

    /// The record of a run, wherever it was.
    ///
    /// # Errors
    /// The cache's.
    pub async fn record(&self, id: &str) -> Result<Option<RunRecord>, Failure> {
        if let Some(run) = self.registry.find(id) {
            return Ok(Some(run.record()));
        }
        let past = self.past.records().await?;
        Ok(past.iter().find(|record| record.run_id == id).cloned())
    }

    /// Whether a run of another server was complete; then what it warmed is as good as warmed here.
    pub async fn has_seen_complete(&self, run_id: &str) -> bool {
        let record = self.record(run_id).await.ok().flatten();
        let complete = record.is_some_and(|record| record.outcome == Some(Outcome::Complete));
        if complete {
            self.warmed.store(true, Ordering::Relaxed);
        }
        complete
    }

    /// Whether a run of this process has ended complete. This holds as soon as the run is seen to have ended.
    pub fn has_warmed(&self) -> bool {
        let just_ended = |run: &Arc<LiveRun>| run.has_passed();
        self.warmed.load(Ordering::Relaxed) || self.registry.active().iter().any(just_ended)
    }
}

/// Ends a run at its deadline, unless it is dropped before.
fn stop_after(deadline: Duration, stop: &StopSignal) -> JoinSet<()> {
    let stop = stop.clone();
    let mut waiting = JoinSet::new();
    waiting.spawn(async move {
        tokio::time::sleep(deadline).await;
        stop.stop(Stop::Deadline);
    });
    waiting
}

/// Why a run did not begin, where somebody may want to know.
fn log_refusal(refused: &Refused) {
    match refused {
        // The usual end where several servers have the same schedule.
        Refused::RunBefore => tracing::debug!(why = %refused, "run did not start"),
        Refused::Failed(_) => tracing::error!(why = %refused, "run did not start"),
        _ => tracing::warn!(why = %refused, "run did not start"),
    }
}

fn panicked() -> Failure {
    let why = "its task panicked; the log says where";
    Failure::new(FailureKind::Internal, "the run crashed", why)
        .hint("please report it with the log; everything written before the crash stays")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::selection::Selection;

    /// Nothing that it asks for works.
    fn broken() -> Arc<Service> {
        let open: Arc<Open> = Arc::new(|_| async { Err(panicked()) }.boxed());
        Arc::new(Service::new(
            Box::new(|_| async { panic!("broken") }.boxed()),
            open,
            Box::new(|_, milestone| match milestone {
                Milestone::Begun(_) => panic!("it cannot begin"),
                Milestone::Ended { end, .. } => assert!(end.is_err()),
            }),
            Flags::default(),
        ))
    }

    fn request() -> RunRequest {
        RunRequest::new(Selection::All, Trigger::Api)
    }

    #[tokio::test]
    async fn a_panic_ends_its_run_and_nobody_waits_for_it() {
        let service = broken();
        let started = timeout(Duration::from_secs(20), service.start(request()));
        match started.await.expect("an end") {
            Err(Refused::Failed(failure)) => assert_eq!(failure.kind, FailureKind::Internal),
            other => panic!("{:?}", other.map(|run| run.info.id.clone())),
        }
        assert!(service.registry.drain(Duration::from_secs(20)).await);
        assert_eq!(service.registry.active().len(), 0);
        assert!(service.start(request()).await.is_err(), "it takes no more");
    }

    #[test]
    fn requests_are_the_same_that_ask_for_the_same() {
        let one = request();
        let mut other = request();
        assert_eq!(one.digest(), other.digest());
        other.settings.limit = Some(crate::application::settings::Count::new(3));
        assert_ne!(one.digest(), other.digest());
        let mut look = request();
        look.dry_run = true;
        assert_ne!(one.digest(), look.digest());
    }
}
