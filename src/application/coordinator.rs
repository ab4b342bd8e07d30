//! The shared coordinator: runs strategies against the cache and counts what became of each key.

mod again;
mod breaker;
mod changed;
mod expected;
mod orphans;
mod own_keys;
mod passes;
mod prune;
mod tripwires;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{BoxStream, FuturesOrdered, FuturesUnordered};
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::canary::{Canary, ShapeGuard};
use super::event::{Event, Reporter};
use super::governor::Governor;
use super::guards::memory::{MemoryGuard, OnEviction};
use super::history::LastComplete;
use super::identical::Identical;
use super::lookup;
use super::own_keys::Recorder;
use super::pace::{Pace, PaceLimits};
use super::ports::{
    Cache, Mode, Sources, Wanted, WarmupStrategy, WriteOptions, WriteOutcome, Written,
};
use super::preview::{Look, look};
use super::recheck::Recheck;
use super::stop::StopSignal;
use crate::domain::counts::{Counts, millis};
use crate::domain::entry::{Entry, EntryBatch, KeyError, Name};
use crate::domain::expected::Expected;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::printable;
use crate::domain::precision::Precision;
use crate::domain::report::{Gates, KEPT_ERRORS, Percent, Report, Seen, Status, StrategyReport};
use crate::domain::run::RunInfo;
use crate::domain::standing::{Class, Standing};
use crate::domain::strategy::{Shape, StrategySpec};
use crate::domain::ttl::Ttl;
use breaker::Breaker;
use orphans::PlannedKeys;
pub use prune::{Consent, Prunable};

/// Bytes in flight to the cache at most, however many batches that is: flat memory for large
/// values too.
const IN_FLIGHT_BYTES: usize = 3 * 1024 * 1024;

/// How long a stopped run waits for the batches in flight.
const GRACE: Duration = Duration::from_secs(5);

const GRACE_OVER: &str = "the run was stopped before the cache answered";

/// How one run is to be done. Belongs to the run, never to shared state.
#[derive(Clone, Debug)]
pub struct Options {
    /// Stands before every key; a key asked for by name may have it or not.
    pub prefix: String,
    /// Batches in flight.
    pub concurrency: usize,
    /// Keys a batch.
    pub batch_size: usize,
    /// Strategies whose queries are open at the database at the same time.
    pub db_concurrency: usize,
    pub default_ttl: Duration,
    /// 0.0 to 1.0, see [`Ttl::jitter`].
    pub ttl_jitter: f64,
    pub mode: Mode,
    /// Values that stand there already are not sent again.
    pub skip_identical: bool,
    /// Keys a strategy.
    pub limit: Option<u64>,
    /// What is written is read again, and undone where it had become stale.
    pub verify_writes: bool,
    pub stop_on_error: bool,
    /// What may be missing from a run that counts as good.
    pub gates: Gates,
    /// A strategy that has shrunk by more than this since its last complete run fails.
    pub max_shrink: Option<Percent>,
    pub shape: ShapeGuard,
    pub pace: PaceLimits,
    pub on_eviction: OnEviction,
    pub changed: ChangedOptions,
}

/// Whether and how a run reads only what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangedOptions {
    pub on: bool,
    /// Everything is read where that was so long ago.
    pub full_every: Duration,
    /// So much earlier than what the last run cannot have seen.
    pub overlap: Duration,
}

/// What became of a batch, or why none of it was sent.
type Delivered = Result<Written, Failure>;

/// What a run does with the entries.
#[derive(Clone)]
pub enum Task {
    /// Writes them.
    Warm(Arc<dyn Cache>),
    /// Looks at what stands in their place, where there is a cache to ask.
    Look(Look, Option<Arc<dyn Cache>>),
}

impl Task {
    fn cache(&self) -> Option<&Arc<dyn Cache>> {
        match self {
            Self::Warm(cache) => Some(cache),
            Self::Look(_, cache) => cache.as_ref(),
        }
    }

    fn look(&self) -> Option<&Look> {
        match self {
            Self::Warm(_) => None,
            Self::Look(look, _) => Some(look),
        }
    }

    async fn deliver(
        &self,
        batch: &EntryBatch,
        how: &WriteOptions,
        shape: Shape,
        guards: &Guards<'_>,
    ) -> Delivered {
        match self {
            Self::Warm(cache) => {
                if let Some(canary) = &guards.canary
                    && let Some(failure) = canary.refuses(cache.as_ref(), batch).await
                {
                    return Err(failure);
                }
                let since = Instant::now();
                let written = match &guards.identical {
                    Some(identical) => identical.write(batch, how).await,
                    None => cache.write(batch, how).await,
                };
                Ok(match &guards.recheck {
                    Some(recheck) => recheck.settle(batch, how, since, written).await,
                    None => written,
                })
            }
            Self::Look(_, cache) => Ok(look(cache.as_deref(), batch, shape).await),
        }
    }
}

/// What watches over a strategy's batches on their way.
struct Guards<'a> {
    canary: Option<Canary>,
    identical: Option<Identical<'a>>,
    recheck: Option<Recheck<'a>>,
}

/// Keys asked for by name, a window at a time.
pub type KeyWindows = BoxStream<'static, Result<Vec<String>, Failure>>;

pub struct Coordinator {
    strategies: Vec<Arc<dyn WarmupStrategy>>,
    /// Of each strategy.
    ttls: Vec<Ttl>,
    task: Task,
    pace: Pace,
    /// What a gentle run watches, beside the cache.
    sources: Option<Sources>,
    /// Keys whose rows are gone are removed, where it agrees.
    prune: Option<Arc<dyn Consent>>,
    options: Options,
}

impl Coordinator {
    /// Strategies run by priority, highest first, then by id, one after another.
    pub fn new(mut strategies: Vec<Arc<dyn WarmupStrategy>>, task: Task, options: Options) -> Self {
        strategies.sort_by(|a, b| {
            let (a, b) = (a.spec(), b.spec());
            b.priority.cmp(&a.priority).then_with(|| a.id.cmp(&b.id))
        });
        let ttl = |strategy: &Arc<dyn WarmupStrategy>| {
            let base = strategy.spec().ttl.unwrap_or(options.default_ttl);
            Ttl::new(base, options.ttl_jitter)
        };
        Self {
            ttls: strategies.iter().map(ttl).collect(),
            strategies,
            task,
            pace: Pace::new(&options.pace),
            sources: None,
            prune: None,
            options,
        }
    }

    /// Watches over this database too, where the run is to be gentle.
    #[must_use]
    pub fn reading(mut self, sources: Sources) -> Self {
        self.sources = Some(sources);
        self
    }

    /// Watches over the servers of a run that writes, until it is dropped.
    fn governed(&self) -> JoinSet<()> {
        let mut governing = JoinSet::new();
        if let Task::Warm(cache) = &self.task {
            let governor = Governor {
                pace: self.pace.clone(),
                cache: Arc::clone(cache),
                source: self
                    .sources
                    .as_ref()
                    .map(|sources| Arc::clone(&sources.bulk)),
                limits: self.options.pace.gentle_limits.clone(),
            };
            governing.spawn(governor.run());
        }
        governing
    }

    /// In the order of the run.
    pub fn strategies(&self) -> &[Arc<dyn WarmupStrategy>] {
        &self.strategies
    }

    /// How long the entries of each live, in the same order.
    pub fn ttls(&self) -> &[Ttl] {
        &self.ttls
    }

    /// The cache that is written or asked, if there is one.
    pub fn cache(&self) -> Option<&Arc<dyn Cache>> {
        self.task.cache()
    }

    /// Whether it changes the cache.
    pub fn writes(&self) -> bool {
        matches!(self.task, Task::Warm(_))
    }

    /// The pace of a run that writes; it can be changed while one goes on.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The same strategies and options for a run that looks at the same cache, no faster than this
    /// one was allowed to write at last.
    #[must_use]
    pub fn looking(&self, look: Look) -> Self {
        Self {
            strategies: self.strategies.clone(),
            ttls: self.ttls.clone(),
            task: Task::Look(look, self.cache().cloned()),
            pace: Pace::new(&PaceLimits {
                rate: self.pace.now().rate,
                bytes_rate: self.options.pace.bytes_rate,
                ..PaceLimits::default()
            }),
            sources: None,
            prune: None,
            options: self.options.clone(),
        }
    }

    /// Warms every strategy's selection. A strategy that fails does not stop the next one; what
    /// happened is in the report, never in a log alone. Of a run that writes later ones know the keys
    /// where `info` names it.
    pub async fn warm_all(
        &self,
        info: Option<&RunInfo>,
        reporter: &dyn Reporter,
        stop: &StopSignal,
    ) -> Report {
        let _governing = self.governed();
        let mut run = Run::start(self, info, reporter, stop);
        run.read_last_complete().await;
        run.learn_expected().await;
        run.learn_protection().await;
        run.ask_epoch().await;
        run.look_back().await;
        while run.goes_on()
            && let Some(index) = run.next_due()
        {
            run.pass(index).await;
            run.ask_epoch().await;
        }
        run.end_of_passes();
        run.find_orphans().await;
        run.leave_keys().await;
        run.prune().await;
        run.settle().await;
        run.finish()
    }

    /// Warms the keys that come in `windows`, each through the strategy whose template it is of.
    ///
    /// # Errors
    /// The windows' own: the list of keys could not be read.
    pub async fn warm_keys(
        &self,
        info: &RunInfo,
        mut windows: KeyWindows,
        reporter: &dyn Reporter,
        stop: &StopSignal,
    ) -> Result<Report, Failure> {
        let _governing = self.governed();
        let mut run = Run::start(self, Some(info), reporter, stop);
        run.learn_protection().await;
        run.ask_epoch().await;
        run.acknowledge_all();
        while run.goes_on() {
            let window = tokio::select! {
                window = windows.try_next() => window?,
                () = stop.stopped() => None,
            };
            let Some(window) = window else { break };
            for (index, keys) in run.route(window) {
                if run.goes_on() {
                    run.begin(index);
                    let names = keys.into_iter().map(Name::from).collect();
                    run.warm(index, Wanted::Named(names)).await;
                    run.heed_failure(index);
                }
            }
        }
        run.ask_epoch().await;
        run.end_of_passes();
        run.leave_keys().await;
        run.end_started();
        run.settle().await;
        Ok(run.finish())
    }
}

/// The counts of one strategy while it runs.
struct Tally {
    report: StrategyReport,
    started: bool,
    failure: Option<Failure>,
    /// All its entries were read.
    is_whole: bool,
    /// How many times it was warmed from the start.
    passes: u32,
    /// The cache's epoch when the last of them began.
    epoch: Option<u64>,
    /// The finest of its versions so far.
    finest: Option<Precision>,
}

struct Run<'a> {
    coordinator: &'a Coordinator,
    reporter: &'a dyn Reporter,
    stop: &'a StopSignal,
    started: Instant,
    tallies: Vec<Tally>,
    unmatched: Vec<String>,
    unmatched_total: u64,
    warnings: Vec<String>,
    /// The last complete run of each strategy, where that matters.
    last_complete: BTreeMap<String, LastComplete>,
    planned: PlannedKeys,
    breaker: Breaker,
    memory: MemoryGuard,
    broken: bool,
    /// The cache's, as last asked; `None`: it does not say.
    epoch: Option<u64>,
    /// Of a run that has a name.
    run_id: Option<String>,
    /// Of a run that writes.
    recorder: Option<Recorder>,
    /// What was known before anything was read, and when that was: seconds since 1970.
    before: changed::Before,
    began: i64,
    /// Streams of strategies that come next, opened ahead.
    ahead: BTreeMap<usize, Entries<'a>>,
}

type Entries<'a> = BoxStream<'a, Result<EntryBatch, Failure>>;

/// What is on its way to the cache. A run that looks is heard in order.
enum InFlight<F: Future> {
    AsItComes(FuturesUnordered<F>),
    InOrder(FuturesOrdered<F>),
}

impl<F: Future> InFlight<F> {
    fn new(in_order: bool) -> Self {
        match in_order {
            true => Self::InOrder(FuturesOrdered::new()),
            false => Self::AsItComes(FuturesUnordered::new()),
        }
    }

    fn push(&mut self, future: F) {
        match self {
            Self::AsItComes(all) => all.push(future),
            Self::InOrder(all) => all.push_back(future),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::AsItComes(all) => all.len(),
            Self::InOrder(all) => all.len(),
        }
    }

    async fn next(&mut self) -> Option<F::Output> {
        match self {
            Self::AsItComes(all) => all.next().await,
            Self::InOrder(all) => all.next().await,
        }
    }
}

impl<'a> Run<'a> {
    fn start(
        coordinator: &'a Coordinator,
        info: Option<&RunInfo>,
        reporter: &'a dyn Reporter,
        stop: &'a StopSignal,
    ) -> Self {
        let options = &coordinator.options;
        let specs = coordinator.strategies.iter().map(|s| s.spec());
        let is_asked = options.skip_identical && coordinator.writes();
        let tally = |spec: &StrategySpec| Tally {
            report: StrategyReport {
                id: spec.id.clone(),
                priority: spec.priority,
                ttl: spec.ttl.unwrap_or(coordinator.options.default_ttl),
                status: Status::Completed,
                expected: None,
                stats: Counts {
                    identical: is_asked.then_some(0),
                    ..Counts::default()
                },
                errors: Vec::new(),
                not_found: Vec::new(),
                warnings: Vec::new(),
                protection: None,
                seen: Seen::default(),
                changed: None,
                watermark: None,
            },
            started: false,
            failure: None,
            is_whole: false,
            passes: 0,
            epoch: None,
            finest: None,
        };
        reporter.report(&Event::RunStarted {
            strategies: specs.clone().collect(),
        });
        Self {
            coordinator,
            reporter,
            stop,
            started: Instant::now(),
            tallies: specs.map(tally).collect(),
            unmatched: Vec::new(),
            unmatched_total: 0,
            warnings: Vec::new(),
            last_complete: BTreeMap::new(),
            planned: PlannedKeys::default(),
            breaker: Breaker::new(options.batch_size),
            memory: MemoryGuard::new(
                coordinator
                    .cache()
                    .filter(|_| coordinator.writes())
                    .cloned(),
                options.on_eviction,
            ),
            broken: false,
            epoch: None,
            run_id: info.map(|info| info.id.clone()),
            recorder: coordinator.recorder(info),
            before: changed::Before::default(),
            began: changed::now(),
            ahead: BTreeMap::new(),
        }
    }

    /// Counts what became of a batch, and lets a reporter hear of what was only looked at.
    fn count(&mut self, index: usize, batch: &EntryBatch, written: Written) -> Option<Failure> {
        let coordinator = self.coordinator;
        let Some(look) = coordinator.task.look() else {
            let enough = self.breaker.hear(&written);
            self.record(index, batch, &written);
            let fatal = self.tallies[index].count(batch, written, |_, _, _| {});
            return fatal.or(enough);
        };
        let shape = coordinator.strategies[index].spec().value;
        if look.orphans {
            batch
                .iter()
                .for_each(|entry| self.planned.insert(entry.key));
        }
        let mut standings: Vec<(Standing, Option<Class>)> = Vec::with_capacity(batch.len());
        let ttl = &coordinator.ttls[index];
        let fatal = self.tallies[index].count(batch, written, |report, entry, standing| {
            let seen = &mut report.seen;
            let class = seen.count(entry, &standing, shape, ttl, look);
            standings.push((standing, class));
        });
        // None were, of a batch that is lost.
        if standings.len() == batch.len() {
            let id = &self.tallies[index].report.id;
            self.reporter.report(&Event::Looked {
                id,
                batch,
                standings: &standings,
            });
        }
        fatal
    }

    fn goes_on(&self) -> bool {
        !self.broken && self.stop.reason().is_none()
    }

    /// Each key to the strategy whose template fixes most of it.
    fn route(&mut self, keys: Vec<String>) -> BTreeMap<usize, Vec<String>> {
        let mut routes: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for key in keys {
            let with_prefix = || format!("{}{key}", self.coordinator.options.prefix);
            let found = self.maker(&key).map(|index| (index, key.clone()));
            let found = found
                .or_else(|| Some(with_prefix()).and_then(|key| Some((self.maker(&key)?, key))));
            match found {
                Some((index, key)) => routes.entry(index).or_default().push(key),
                None => {
                    self.unmatched_total += 1;
                    keep(&mut self.unmatched, || printable(key.as_bytes()));
                }
            }
        }
        routes
    }

    /// The strategy that makes a key.
    fn maker(&self, key: &str) -> Option<usize> {
        lookup::maker(
            self.coordinator.strategies.iter().map(|s| &s.spec().key),
            key,
        )
    }

    fn begin(&mut self, index: usize) {
        let tally = &mut self.tallies[index];
        if !std::mem::replace(&mut tally.started, true) {
            let (id, expected) = (&tally.report.id, tally.report.expected);
            self.reporter
                .report(&Event::StrategyStarted { id, expected });
        }
    }

    /// Streams what is wanted of a strategy into the cache, and watches the cache meanwhile.
    async fn warm(&mut self, index: usize, wanted: Wanted) {
        let (coordinator, stop) = (self.coordinator, self.stop);
        let named = matches!(wanted, Wanted::Named(_));
        let opened = self.ahead.remove(&index);
        let opened = opened.unwrap_or_else(|| self.entries(index, wanted));
        let entries = coordinator.pace.keep(opened);
        let id = &coordinator.strategies[index].spec().id;
        let mut memory = std::mem::take(&mut self.memory);
        let mut watched = memory
            .watch(id, stop, entries, |entries| {
                self.write(index, named, entries)
            })
            .await;
        self.memory = memory;
        let tally = &mut self.tallies[index];
        watched.tell(&mut self.warnings, &mut tally.report.warnings);
        if let Some(failure) = watched.failure {
            self.broken = true;
            tally.failure.get_or_insert(failure);
        }
    }

    /// Writes a strategy's entries, several batches at a time; whether the run goes on.
    async fn write(&mut self, index: usize, named: bool, entries: Entries<'a>) -> bool {
        let started = Instant::now();
        let coordinator = self.coordinator;
        let options = &coordinator.options;
        let how = WriteOptions {
            mode: options.mode,
            ttl: coordinator.ttls[index].clone(),
            version_field: coordinator.strategies[index].spec().version_field.clone(),
        };
        let how = &how;
        let task = &coordinator.task;
        let shape = coordinator.strategies[index].spec().value;
        let mut entries = Some(entries);
        let guards = Guards {
            canary: self.canary(index),
            identical: self.identical(),
            recheck: self.recheck(index),
        };
        let guards = &guards;
        let mut in_flight = InFlight::new(task.look().is_some());
        let mut flying_bytes = 0_usize;
        let stop = self.stop;
        let mut stopping = false;
        let grace_over = async { stop.stopped().then(|()| sleep(GRACE)).await };
        let grace_over = grace_over.boxed().shared();
        let base = self.tallies[index].report.stats.elapsed;
        let mut is_whole = false;

        while entries.is_some() || in_flight.len() > 0 {
            let room = in_flight.len() < options.concurrency && flying_bytes < IN_FLIGHT_BYTES;
            tokio::select! {
                biased;
                () = stop.stopped(), if !stopping => {
                    self.reporter.report(&Event::Stopping);
                    entries = None;
                    stopping = true;
                }
                Some((batch, written)) = in_flight.next(), if in_flight.len() > 0 => {
                    let batch: EntryBatch = batch;
                    flying_bytes -= batch.bytes();
                    let ended = match written {
                        Ok(written) => self.count(index, &batch, written),
                        Err(refusal) => Some(refusal),
                    };
                    if let Some(failure) = ended {
                        self.broken |= failure.ends_run();
                        self.tallies[index].failure.get_or_insert(failure);
                        entries = None;
                    }
                }
                next = async { entries.as_mut().expect("guarded").next().await }, if room && entries.is_some() => {
                    if !named {
                        self.open_ahead(index);
                    }
                    match next {
                        Some(Ok(mut batch)) => {
                            self.tallies[index].count_unsent(&mut batch, named);
                            if batch.is_empty() {
                                continue;
                            }
                            flying_bytes += batch.bytes();
                            let grace_over = grace_over.clone();
                            in_flight.push(async move {
                                let written = tokio::select! {
                                    written = task.deliver(&batch, how, shape, guards) => written,
                                    () = grace_over => Ok(Written::unknown(batch.len(), GRACE_OVER)),
                                };
                                (batch, written)
                            });
                            continue;
                        }
                        Some(Err(failure)) => {
                            self.broken |= failure.ends_run();
                            self.tallies[index].failure.get_or_insert(failure);
                            entries = None;
                        }
                        None => {
                            entries = None;
                            is_whole = !named;
                        }
                    }
                }
            }
            self.tell_pace();
            let report = &mut self.tallies[index].report;
            report.stats.elapsed = base + started.elapsed();
            let (id, stats, pace) = (&report.id, report.stats, coordinator.pace.now());
            self.reporter.report(&Event::Progress { id, stats, pace });
        }
        self.tallies[index].report.stats.elapsed = base + started.elapsed();
        self.tallies[index].is_whole = is_whole;
        let canary = match &guards.canary {
            Some(canary) => canary.warning().await,
            None => None,
        };
        let identical = guards.identical.as_ref().and_then(Identical::warning);
        for warning in [canary, identical].into_iter().flatten() {
            self.tallies[index].report.warn(warning);
        }
        self.tallies[index].failure.is_none() && stop.reason().is_none()
    }

    /// A strategy that failed ends the run where that is wished for.
    fn heed_failure(&mut self, index: usize) {
        let stop_on_error = self.coordinator.options.stop_on_error;
        self.broken |= stop_on_error && self.tallies[index].failure.is_some();
    }

    /// Tells what somebody has changed.
    fn tell_pace(&self) {
        let pace = &self.coordinator.pace;
        for change in pace.take_changes() {
            let pace = pace.now();
            self.reporter.report(&Event::PaceChanged { change, pace });
        }
    }

    fn end(&mut self, index: usize) {
        let stopped = self.stop.reason().is_some();
        let tally = &mut self.tallies[index];
        if tally.is_whole {
            let total = tally.report.stats.total();
            tally.report.expected = Some(Expected::exactly(total));
        }
        tally.report.status = match tally.failure.take() {
            Some(failure) => Status::Failed(failure),
            None if stopped => Status::Cancelled,
            None if tally.report.stats.unverified > 0 => Status::Failed(unverified(&tally.report)),
            None => Status::Completed,
        };
        let report = &tally.report;
        log_strategy(report);
        self.reporter.report(&Event::StrategyFinished { report });
    }

    /// Ends the strategies that had keys, forgets those that had none.
    fn end_started(&mut self) {
        self.tallies.retain(|tally| tally.started);
        for index in 0..self.tallies.len() {
            self.end(index);
        }
    }

    fn finish(mut self) -> Report {
        self.warnings.extend(self.coordinator.pace.warnings());
        let report = Report {
            strategies: self.tallies.into_iter().map(|tally| tally.report).collect(),
            elapsed: self.started.elapsed(),
            stopped: self.stop.reason(),
            unmatched: self.unmatched,
            unmatched_total: self.unmatched_total,
            warnings: self.warnings,
            pace: self.coordinator.pace.report(),
            gates: self.coordinator.options.gates,
        };
        let event = Event::RunFinished { report: &report };
        self.reporter.report(&event);
        report
    }
}

impl Tally {
    /// Counts what a batch holds that is not sent.
    fn count_unsent(&mut self, batch: &mut EntryBatch, named: bool) {
        let report = &mut self.report;
        report.stats.skipped += batch.absent.len() as u64;
        report.stats.absent += batch.absent.len() as u64;
        report.stats.failed += batch.failed.len() as u64;
        for key in batch.absent.drain(..).filter(|_| named) {
            keep(&mut report.not_found, || key);
        }
        for error in batch.failed.drain(..) {
            keep(&mut report.errors, || error);
        }
        for warning in batch.warnings.drain(..) {
            report.warn(warning);
        }
    }

    /// Counts what became of a batch, and puts into `looked` what was only looked at; returns the
    /// failure that ends the run.
    fn count(
        &mut self,
        batch: &EntryBatch,
        written: Written,
        mut looked: impl FnMut(&mut StrategyReport, Entry<'_>, Standing),
    ) -> Option<Failure> {
        self.learn_precision(batch);
        let report = &mut self.report;
        debug_assert_eq!(batch.len(), written.outcomes.len());
        for (entry, outcome) in batch.iter().zip(written.outcomes) {
            let stats = &mut report.stats;
            let error = match outcome {
                WriteOutcome::Seen(standing) => {
                    stats.planned += 1;
                    stats.bytes += entry.bytes();
                    looked(report, entry, standing);
                    continue;
                }
                WriteOutcome::Stored => {
                    stats.warmed += 1;
                    stats.bytes += entry.bytes();
                    continue;
                }
                WriteOutcome::AlreadyPresent | WriteOutcome::Withdrawn => {
                    stats.skipped += 1;
                    continue;
                }
                WriteOutcome::Failed(error) => {
                    stats.failed += 1;
                    error
                }
                WriteOutcome::Unknown(error) => {
                    stats.unknown += 1;
                    error
                }
            };
            let key = || printable(entry.key);
            keep(&mut report.errors, || KeyError { key: key(), error });
        }
        let (stats, checked) = (&mut report.stats, written.checked);
        if let Some(identical) = &mut stats.identical {
            *identical += checked.identical.len() as u64;
        }
        stats.repaired += checked.repaired;
        stats.withdrawn += checked.withdrawn;
        stats.unverified += checked.unverified;
        stats.exposure = stats.exposure.max(checked.exposure);
        written.fatal.or(checked.failure)
    }
}

/// The keys that failed are in the report: a log is no place for thousands of them.
fn log_strategy(report: &StrategyReport) {
    let stats = &report.stats;
    let failed = stats.failed + stats.unknown;
    let elapsed_ms = millis(stats.elapsed);
    match &report.status {
        Status::Failed(failure) => {
            tracing::warn!(warmed = stats.warmed, failed, elapsed_ms, %failure, "strategy failed");
        }
        status => tracing::info!(
            status = status.stage().name(),
            warmed = stats.warmed,
            skipped = stats.skipped,
            failed,
            elapsed_ms,
            "strategy ended"
        ),
    }
}

/// The failure of a strategy of which some keys may be stale, although it went on.
fn unverified(report: &StrategyReport) -> Failure {
    let what = format!("{}: not all that was written could be verified", report.id);
    let why = format!("{} keys may be stale", report.stats.unverified);
    Failure::new(FailureKind::Query, what, why).hint("run again")
}

/// Keeps the first [`KEPT_ERRORS`].
fn keep<T>(kept: &mut Vec<T>, item: impl FnOnce() -> T) {
    if kept.len() < KEPT_ERRORS {
        kept.push(item());
    }
}
