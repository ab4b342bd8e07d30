//! The runs of a process that goes on: started by whoever may, one at a time for each context,
//! watched, stopped and remembered.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::Instrument as _;

use super::engine::coordinator::Coordinator;
use super::history::{self, LastComplete, OWN};
use super::live::{Ended, LiveRun};
use super::lock::Locking;
use super::ports::{Cache, Mode};
use super::record::RunRecord;
use super::refused::Refused;
use super::run::{self, Begun, Finished, Run};
use super::selection::Selection;
use super::stop::StopSignal;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::{Outcome, Stop};
use crate::domain::run::{RunInfo, Trigger};
use crate::domain::sync::lock;

/// Ended runs that can still be watched without asking the cache.
const KEPT_ENDED: usize = 50;

/// What was read of the history is good for this long: many may ask at once.
const HISTORY_AGE: Duration = Duration::from_secs(1);

/// How long a request stays the same one.
const SAME_REQUEST: Duration = Duration::from_secs(24 * 3600);

/// Runs of this process at once, those that look or wait among them: each has connections of its
/// own to the database and the cache.
const MOST_RUNS: usize = 16;

/// How often the name of a request is kept for a run that goes on, and for how long: where the
/// process dies the same request may begin anew.
const KEEP_REQUEST_EVERY: Duration = Duration::from_secs(20);
const KEEP_REQUEST: Duration = Duration::from_secs(60);

/// Nobody waits longer for the record of a run that did not begin.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);

/// A stopped run ends within this: what is in flight, and its record.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// What somebody wants warmed, and how. Belongs to the run, never to shared state.
#[derive(Clone, Debug)]
pub struct Order {
    pub selection: Selection,
    /// As it would be spelled on the command line.
    pub command: String,
    pub trigger: Trigger,
    pub job: Option<String>,
    /// The time of the job that it is for: each is run once, by whatever server.
    pub occurrence: Option<Timestamp>,
    /// A run of another server that does the same: where that was complete, this one is not needed.
    pub unless: Option<String>,
    pub locking: Locking,
    /// It is ended after this time.
    pub deadline: Option<Duration>,
    pub wishes: Wishes,
}

impl Order {
    /// An order for a selection as it is, that gives way to other runs.
    pub fn new(selection: Selection, trigger: Trigger) -> Self {
        Self {
            command: format!("warmup {}", selection.words()),
            selection,
            trigger,
            job: None,
            occurrence: None,
            unless: None,
            locking: Locking::GiveWay,
            deadline: None,
            wishes: Wishes::default(),
        }
    }
}

/// What a run does otherwise than the configuration says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wishes {
    pub concurrency: Option<usize>,
    /// Keys a second at most; none inside: as fast as it goes.
    pub rate: Option<Option<u64>>,
    /// No faster than the servers bear.
    pub gentle: Option<bool>,
    pub mode: Option<Mode>,
    pub skip_identical: Option<bool>,
    /// Reads only what changed.
    pub changed: Option<bool>,
    /// A definition that does not fit stops the run; else it costs its strategy.
    pub strict: Option<bool>,
    pub tags: Option<Vec<String>>,
    pub limit: Option<u64>,
    /// Looks, and writes nothing.
    pub dry_run: bool,
}

/// Puts real runs together.
pub trait Workshop: Send + Sync {
    /// A coordinator for an order, connected and prepared.
    ///
    /// # Errors
    /// What is wrong with definitions, database, cache or the order's names.
    fn coordinator<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<Coordinator, Failure>>;

    /// The cache, connected anew to be read: whoever writes it is not held up.
    ///
    /// # Errors
    /// It cannot be reached.
    fn view(&self) -> BoxFuture<'_, Result<Arc<dyn Cache>, Failure>>;

    /// The cache, connected anew.
    ///
    /// # Errors
    /// It cannot be reached.
    fn cache(&self) -> BoxFuture<'_, Result<Arc<dyn Cache>, Failure>>;

    /// What stands before every key.
    fn prefix(&self) -> String;
}

/// Hears of each run that it has begun and how it ended.
pub trait Observer: Send + Sync {
    /// It has its locks and is about to warm. Of a run that does not get so far only the end is
    /// heard.
    fn begun(&self, info: &RunInfo, begun: &Begun);

    fn ended(&self, info: &RunInfo, dry_run: bool, end: &Ended);
}

pub struct Service {
    workshop: Arc<dyn Workshop>,
    observer: Arc<dyn Observer>,
    runs: Mutex<Runs>,
    history: tokio::sync::Mutex<Option<Known>>,
    /// How many runs of this process have ended.
    ends: AtomicU64,
    /// Why each command could not begin the last time, if it could not.
    not_begun: Mutex<BTreeMap<String, String>>,
    warmed: AtomicBool,
    draining: AtomicBool,
}

#[derive(Default)]
struct Runs {
    active: Vec<Arc<LiveRun>>,
    ended: VecDeque<Arc<LiveRun>>,
}

/// What was read of the history, or why it could not be: a cache that does not answer is waited for
/// once, and not by each who asks.
struct Known {
    records: Result<Arc<Vec<RunRecord>>, Failure>,
    at: Instant,
    /// After so many ends of runs.
    ends: u64,
}

/// What a request that names itself leads to.
pub enum Started {
    /// A new run.
    New(Arc<LiveRun>),
    /// The run that the same request led to before.
    Before(String),
    /// Another request used the name.
    Other,
}

/// What is kept of a request that names itself.
#[derive(Serialize, Deserialize)]
struct Request {
    run_id: String,
    /// A digest of what was asked.
    asked: String,
}

/// A request's name, kept in the cache.
struct NamedRequest {
    cache: Arc<dyn Cache>,
    key: String,
    request: Request,
}

impl NamedRequest {
    fn value(&self) -> String {
        serde_json::to_string(&self.request).unwrap_or_default()
    }

    /// It led to nothing: asked again, it is a new one. What fails here ends by itself.
    async fn give_back(&self) {
        let (key, value) = (self.key.as_bytes(), self.value());
        let _ = self.cache.meta().release(&[key], value.as_bytes()).await;
    }

    /// Keeps the name while the run goes on, and for [`SAME_REQUEST`] after it.
    async fn keep(self, run: Arc<LiveRun>) {
        let (key, value) = ([self.key.as_bytes()], self.value());
        let renew = |time| self.cache.meta().renew(&key, value.as_bytes(), time);
        while timeout(KEEP_REQUEST_EVERY, run.end()).await.is_err() {
            // A renewal that fails is tried again before the name ends.
            let _ = renew(KEEP_REQUEST).await;
        }
        let _ = renew(SAME_REQUEST).await;
    }
}

impl Service {
    pub fn new(workshop: Arc<dyn Workshop>, observer: Arc<dyn Observer>) -> Self {
        Self {
            workshop,
            observer,
            runs: Mutex::default(),
            history: tokio::sync::Mutex::default(),
            ends: AtomicU64::new(0),
            not_begun: Mutex::default(),
            warmed: AtomicBool::new(false),
            draining: AtomicBool::new(false),
        }
    }

    /// Starts a run and returns once it has its lock. It goes on whether or not anybody watches.
    ///
    /// # Errors
    /// Why it could not begin.
    pub async fn start(self: &Arc<Self>, order: Order) -> Result<Arc<LiveRun>, Refused> {
        let info = self.info(&order);
        self.start_as(info, order).await
    }

    fn info(&self, order: &Order) -> RunInfo {
        let mut info = RunInfo::new(order.command.clone(), order.trigger);
        info.job.clone_from(&order.job);
        info
    }

    async fn start_as(
        self: &Arc<Self>,
        info: RunInfo,
        order: Order,
    ) -> Result<Arc<LiveRun>, Refused> {
        let run = Arc::new(LiveRun::new(info));
        self.add(&run)?;
        let (begun, has_begun) = oneshot::channel();
        let span = run::span(&run.info);
        let conduct = Arc::clone(self).conduct(Arc::clone(&run), order, begun);
        tokio::spawn(conduct.instrument(span));
        if has_begun.await.is_ok() {
            return Ok(run);
        }
        match run.end().await {
            Ok(_) => Ok(run),
            Err(refused) => Err(refused.as_ref().clone()),
        }
    }

    /// Adds a run to those that go on.
    fn add(&self, run: &Arc<LiveRun>) -> Result<(), Failure> {
        let mut runs = lock(&self.runs);
        // Asked while nobody else can look: who drains sees every run, or the run sees that.
        if self.is_draining() {
            let why = "this server is shutting down and takes no more runs";
            let failure = Failure::new(FailureKind::Busy, "no run can start", why);
            return Err(failure.hint("ask another server, or again in a moment"));
        }
        if runs.active.len() >= MOST_RUNS {
            let why = format!("this server is at work on {MOST_RUNS} already, or they wait");
            let failure = Failure::new(FailureKind::Busy, "no run can start", why);
            return Err(failure.hint("ask again when one has ended, or stop one"));
        }
        runs.active.push(Arc::clone(run));
        Ok(())
    }

    /// Starts a run for a request that names itself: the same request again leads to the same run,
    /// also on another server.
    ///
    /// # Errors
    /// Why it could not begin.
    pub async fn start_once(
        self: &Arc<Self>,
        name: &str,
        asked: String,
        order: Order,
    ) -> Result<Started, Refused> {
        let info = self.info(&order);
        let cache = self.workshop.cache().await?;
        let key = format!("{}{OWN}request:{name}", self.workshop.prefix());
        let request = Request {
            run_id: info.id.clone(),
            asked,
        };
        let name = NamedRequest {
            cache,
            key,
            request,
        };
        let value = name.value();
        let key = [name.key.as_bytes()];
        let claim = name
            .cache
            .meta()
            .claim(&key, value.as_bytes(), KEEP_REQUEST);
        if let Some(before) = claim.await? {
            return Ok(match serde_json::from_slice::<Request>(&before.value) {
                Ok(before) if before.asked == name.request.asked => Started::Before(before.run_id),
                _ => Started::Other,
            });
        }
        match self.start_as(info, order).await {
            Ok(run) => {
                tokio::spawn(name.keep(Arc::clone(&run)));
                Ok(Started::New(run))
            }
            Err(refused) => {
                name.give_back().await;
                Err(refused)
            }
        }
    }

    /// The whole life of a run.
    async fn conduct(self: Arc<Self>, run: Arc<LiveRun>, order: Order, begun: oneshot::Sender<()>) {
        // Whoever waits for the end must hear of it, whatever it was.
        let carried_out = AssertUnwindSafe(self.carry_out(&run, &order, begun)).catch_unwind();
        let end = carried_out.await.unwrap_or_else(|_| Err(panicked().into()));
        let end = end.map_err(Arc::new);
        if let Err(refused) = &end {
            log_refusal(refused);
            self.record_refusal(&run.info, refused).await;
        }
        self.observer.ended(&run.info, order.wishes.dry_run, &end);
        self.ends.fetch_add(1, Ordering::Relaxed);
        run.set_ended(end);
        let mut runs = lock(&self.runs);
        runs.active.retain(|active| active.info.id != run.info.id);
        if run.ended().is_some_and(|end| end.is_ok()) {
            runs.ended.push_front(run);
            runs.ended.truncate(KEPT_ENDED);
        }
    }

    async fn carry_out(
        &self,
        run: &LiveRun,
        order: &Order,
        begun: oneshot::Sender<()>,
    ) -> Result<RunRecord, Refused> {
        let since = Instant::now();
        let stopped = || Refused::Stopped(run.stop.reason().unwrap_or(Stop::Interrupted));
        let coordinator = tokio::select! {
            coordinator = self.workshop.coordinator(order) => coordinator?,
            () = run.stop.stopped() => return Err(stopped()),
        };
        if coordinator.writes() {
            run.set_pace(coordinator.pace().clone());
        }
        let locking = order.locking;
        let ready = Run::begin(&coordinator, &run.info, since, locking, run, &run.stop).await?;
        if let Err(refused) = self.may_run(&coordinator, order).await {
            ready.abandon().await;
            return Err(refused);
        }
        // Whoever waits for others has all of its time afterwards.
        let _deadline = order
            .deadline
            .map(|deadline| stop_after(deadline, &run.stop));
        self.observer.begun(&run.info, &ready.begun());
        lock(&self.not_begun).remove(&run.info.command);
        run.set_begun();
        let _ = begun.send(());
        let whole = ready.begun().whole && order.wishes.tags.is_none();
        let Finished { report, record } = ready.warm_all(run, &run.stop).await;
        if whole && !order.wishes.dry_run && report.passes() {
            self.warmed.store(true, Ordering::Relaxed);
            run.set_passed();
        }
        Ok(record)
    }

    /// Whether nobody has done the same yet, now that nobody else can begin it.
    async fn may_run(&self, coordinator: &Coordinator, order: &Order) -> Result<(), Refused> {
        if let Some(other) = &order.unless {
            *self.history.lock().await = None;
            if self.has_seen_complete(other).await {
                return Err(Refused::RunBefore);
            }
        }
        let (Some(cache), Some(job), Some(at)) =
            (coordinator.cache(), &order.job, order.occurrence)
        else {
            return Ok(());
        };
        let prefix = &coordinator.options().prefix;
        match history::take_occurrence(cache.as_ref(), prefix, job, at).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refused::RunBefore),
            // Where nothing can be kept it is better warmed twice than never.
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
            let cache = self.workshop.cache().await?;
            history::push(cache.as_ref(), &self.workshop.prefix(), &record).await
        };
        // Who asked hears of it anyway.
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

    /// The runs that go on at this moment, newest first.
    pub fn active(&self) -> Vec<Arc<LiveRun>> {
        let runs = lock(&self.runs);
        runs.active.iter().rev().cloned().collect()
    }

    /// A run of this process, going on or ended not long ago.
    pub fn find(&self, id: &str) -> Option<Arc<LiveRun>> {
        let runs = lock(&self.runs);
        let mut all = runs.active.iter().chain(&runs.ended);
        all.find(|run| run.info.id == id).cloned()
    }

    /// The last runs of all processes, those that go on here first.
    ///
    /// # Errors
    /// The cache's.
    pub async fn runs(&self) -> Result<Vec<RunRecord>, Failure> {
        let active = self.active();
        let history = self.history().await?;
        let known = |id: &str| history.iter().any(|record| record.run_id == id);
        let live = active.iter().filter(|run| !known(&run.info.id));
        let live = live.map(|run| run.record());
        Ok(live.chain(history.iter().cloned()).collect())
    }

    /// The record of a run, wherever it was.
    ///
    /// # Errors
    /// The cache's.
    pub async fn record(&self, id: &str) -> Result<Option<RunRecord>, Failure> {
        if let Some(run) = self.find(id) {
            return Ok(Some(run.record()));
        }
        let history = self.history().await?;
        Ok(history.iter().find(|record| record.run_id == id).cloned())
    }

    async fn history(&self) -> Result<Arc<Vec<RunRecord>>, Failure> {
        // Held while it is read: who asks at the same moment waits for the same answer.
        let mut known = self.history.lock().await;
        let ends = self.ends.load(Ordering::Relaxed);
        if let Some(known) = known.as_ref()
            && known.ends == ends
            && known.at.elapsed() < HISTORY_AGE
        {
            return known.records.clone();
        }
        let records = self.read_history().await.map(Arc::new);
        *known = Some(Known {
            records: records.clone(),
            at: Instant::now(),
            ends,
        });
        records
    }

    async fn read_history(&self) -> Result<Vec<RunRecord>, Failure> {
        let cache = self.workshop.view().await?;
        history::runs(cache.as_ref(), &self.workshop.prefix()).await
    }

    /// Of each strategy its last complete run.
    ///
    /// # Errors
    /// The cache's.
    pub async fn last_complete(&self) -> Result<BTreeMap<String, LastComplete>, Failure> {
        let cache = self.workshop.view().await?;
        history::last_complete(cache.as_ref(), &self.workshop.prefix()).await
    }

    /// The last time that each job has run for.
    ///
    /// # Errors
    /// The cache's.
    pub async fn last_occurrences(&self) -> Result<BTreeMap<String, Timestamp>, Failure> {
        let cache = self.workshop.view().await?;
        history::occurrences(cache.as_ref(), &self.workshop.prefix()).await
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

    /// Whether a run of this process has been complete.
    pub fn has_warmed(&self) -> bool {
        self.warmed.load(Ordering::Relaxed)
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Takes no more runs, lets those that go on finish within `grace`, and stops the rest. Whether
    /// all could finish; one that still waits for another need not begin.
    pub async fn drain(&self, grace: Duration) -> bool {
        self.draining.store(true, Ordering::Relaxed);
        let active = self.active();
        for run in active.iter().filter(|run| !run.has_begun()) {
            run.stop.stop(Stop::Terminated);
        }
        if timeout(grace, all_ended(&active)).await.is_ok() {
            return true;
        }
        for run in &active {
            run.stop.stop(Stop::Terminated);
        }
        let _ = timeout(STOP_TIMEOUT, all_ended(&active)).await;
        false
    }
}

/// Ends a run when its time is over, unless it is dropped before.
fn stop_after(deadline: Duration, stop: &StopSignal) -> AbortOnDrop {
    let stop = stop.clone();
    AbortOnDrop(tokio::spawn(async move {
        tokio::time::sleep(deadline).await;
        stop.stop(Stop::Deadline);
    }))
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn all_ended(runs: &[Arc<LiveRun>]) {
    for run in runs {
        let _ = run.end().await;
    }
}

/// Why a run did not begin, where somebody may want to know.
fn log_refusal(refused: &Refused) {
    match refused {
        // The usual end where several servers keep time.
        Refused::RunBefore => tracing::debug!(why = %refused, "run did not begin"),
        _ => tracing::warn!(why = %refused, "run did not begin"),
    }
}

fn panicked() -> Failure {
    let why = "its task panicked; the log says where";
    Failure::new(FailureKind::Internal, "the run broke off", why)
        .hint("report it, with the log; what was written before stays")
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// Breaks whatever is asked of it.
    struct Broken;

    impl Workshop for Broken {
        fn coordinator<'a>(&'a self, _: &'a Order) -> BoxFuture<'a, Result<Coordinator, Failure>> {
            async { panic!("broken") }.boxed()
        }

        fn view(&self) -> BoxFuture<'_, Result<Arc<dyn Cache>, Failure>> {
            self.cache()
        }

        fn cache(&self) -> BoxFuture<'_, Result<Arc<dyn Cache>, Failure>> {
            async { Err(panicked()) }.boxed()
        }

        fn prefix(&self) -> String {
            String::new()
        }
    }

    impl Observer for Broken {
        fn begun(&self, _: &RunInfo, _: &Begun) {}

        fn ended(&self, _: &RunInfo, _: bool, end: &Ended) {
            assert!(end.is_err());
        }
    }

    fn order() -> Order {
        Order::new(Selection::All, Trigger::Api)
    }

    #[tokio::test]
    async fn a_panic_ends_its_run_and_nobody_waits_for_it() {
        let service = Arc::new(Service::new(Arc::new(Broken), Arc::new(Broken)));
        let started = timeout(Duration::from_secs(20), service.start(order()));
        match started.await.expect("an end") {
            Err(Refused::Failed(failure)) => assert_eq!(failure.kind, FailureKind::Internal),
            other => panic!("{:?}", other.map(|run| run.info.id.clone())),
        }
        assert!(service.drain(Duration::from_secs(20)).await);
        assert_eq!(service.active().len(), 0);
        assert!(service.start(order()).await.is_err(), "it takes no more");
    }
}
