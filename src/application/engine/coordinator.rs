//! The shared coordinator: warms strategies and counts what became of each key.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::flow::Flow;
use super::inspect::{InspectingCache, Inspection};
use super::interrupted;
use super::{expected, protection};
use crate::application::changed::ChangedOnly;
use crate::application::guards::replicas::ReplicaGuard;
use crate::application::guards::same_cache::SameCacheGuard;
use crate::application::guards::size::SizeGuard;
use crate::application::keys::{orphans, prune};
use crate::application::pace::{Governor, Pace, PaceLimits};
use crate::application::ports::Consent;
use crate::application::ports::{Cache, Sources, Wanted, WarmupStrategy};
use crate::application::resume;
use crate::application::resume::notes::Notes;
use crate::application::run_state::book::{Book, Unmatched};
use crate::application::run_state::context::RunContext;
use crate::application::run_state::event::Reporter;
use crate::application::run_state::lookup;
use crate::application::run_state::options::Options;
use crate::application::run_state::passes::{self, Passes};
use crate::application::run_state::plan::RunPlan;
use crate::application::run_state::stop::StopSignal;
use crate::application::run_state::tally::keep_first;
use crate::domain::entry::Name;
use crate::domain::failure::Failure;
use crate::domain::key::printable;
use crate::domain::report::Report;
use crate::domain::run::RunInfo;
use crate::domain::ttl::Ttl;

/// Keys asked for by name, a window at a time.
pub type KeyWindows = BoxStream<'static, Result<Vec<String>, Failure>>;

/// Warms what its plan says.
pub struct Coordinator {
    plan: RunPlan,
}

impl Coordinator {
    /// Strategies run by priority, highest first, then by id, one after another.
    pub fn new(
        strategies: Vec<Arc<dyn WarmupStrategy>>,
        cache: Arc<dyn Cache>,
        options: Options,
    ) -> Self {
        let target = Arc::clone(&cache);
        Self::of(strategies, Some(cache), target, options)
    }

    /// For a dry run: compares with the cache, if there is one, and writes nothing.
    pub fn inspecting(
        strategies: Vec<Arc<dyn WarmupStrategy>>,
        cache: Option<Arc<dyn Cache>>,
        inspection: Inspection,
        options: Options,
    ) -> Self {
        let (target, orphans) = InspectingCache::new(cache.clone(), &inspection);
        let options = inspection.options(options);
        let mut coordinator = Self::of(strategies, cache, Arc::new(target), options);
        coordinator.plan.orphans = orphans;
        coordinator
    }

    fn of(
        mut strategies: Vec<Arc<dyn WarmupStrategy>>,
        cache: Option<Arc<dyn Cache>>,
        target: Arc<dyn Cache>,
        options: Options,
    ) -> Self {
        strategies.sort_by(|a, b| {
            let (a, b) = (a.spec(), b.spec());
            b.priority.cmp(&a.priority).then_with(|| a.id.cmp(&b.id))
        });
        let ttl = |strategy: &Arc<dyn WarmupStrategy>| {
            let base = strategy.spec().ttl.unwrap_or(options.default_ttl);
            Ttl::new(base, options.ttl_jitter)
        };
        Self {
            plan: RunPlan {
                ttls: strategies.iter().map(ttl).collect(),
                strategies,
                target,
                cache,
                orphans: None,
                sources: None,
                prune: None,
                pace: Pace::new(&options.pace),
                workers: OnceLock::new(),
                options,
            },
        }
    }

    /// Sets the database to ask for its clock, role and load.
    #[must_use]
    pub fn reading(mut self, sources: Sources) -> Self {
        self.plan.sources = Some(sources);
        self
    }

    /// After a complete run, removes keys of earlier runs that no longer have a row, if `consent`
    /// agrees.
    #[must_use]
    pub fn pruning(mut self, consent: Arc<dyn Consent>) -> Self {
        self.plan.prune = Some(consent);
        self
    }

    /// A dry run with the same strategies, options and cache, at this run's last rate.
    #[must_use]
    pub fn inspection(&self, inspection: Inspection) -> Self {
        let plan = &self.plan;
        let options = Options {
            pace: PaceLimits {
                rate: plan.pace.now().rate,
                bytes_rate: plan.options.pace.bytes_rate,
                ..PaceLimits::default()
            },
            ..plan.options.clone()
        };
        Self::inspecting(plan.strategies.clone(), plan.cache.clone(), inspection, options)
    }

    pub fn plan(&self) -> &RunPlan {
        &self.plan
    }

    /// In the order of the run.
    pub fn strategies(&self) -> &[Arc<dyn WarmupStrategy>] {
        &self.plan.strategies
    }

    /// How long the entries of each live, in the same order.
    pub fn ttls(&self) -> &[Ttl] {
        &self.plan.ttls
    }

    /// The cache that is written or inspected, if there is one.
    pub fn cache(&self) -> Option<&Arc<dyn Cache>> {
        self.plan.cache.as_ref()
    }

    /// Whether it changes the cache.
    pub fn writes(&self) -> bool {
        self.plan.written_cache().is_some()
    }

    /// The pace of a run that writes; it can be changed while one goes on.
    pub fn pace(&self) -> &Pace {
        &self.plan.pace
    }

    pub fn options(&self) -> &Options {
        &self.plan.options
    }

    /// Warms every strategy's selection. A strategy that fails does not stop the next one. A run that
    /// `info` names leaves its keys for later runs.
    pub async fn warm_all(
        &self,
        info: Option<&RunInfo>,
        reporter: &dyn Reporter,
        stop: &StopSignal,
    ) -> Report {
        let run = RunContext::new(&self.plan, info, reporter, stop);
        let _governing = governed(&self.plan);
        let mut book = Book::open(&run);
        let replicas = ReplicaGuard::new(self.plan.written_cache()).await;
        let same_cache = SameCacheGuard::new(&run).await;
        let size = SizeGuard::new(&mut book, run).await;
        expected::learn(&mut book, size.last_complete(), &run).await;
        let is_whole = self.plan.options.limit.is_none() && !self.plan.options.changed.on;
        protection::learn(&mut book, &run, is_whole).await;
        let mut passes = Passes::new(&book, &run).await;
        let mut changes = ChangedOnly::look_back(&mut book, run).await;
        let mut flow = Flow::new(run, Notes::new(run).await);
        resume::check(&mut book, &run, &flow.writer.notes);
        while book.goes_on(&run)
            && let Some(index) = passes.next_due(&book)
        {
            let span = tracing::info_span!("strategy", id = %self.plan.spec(index).id);
            let guards = (&size, &same_cache);
            warm_one(index, &run, &mut book, guards, &mut passes, &mut changes, &mut flow)
                .instrument(span)
                .await;
            passes.ask_epoch(&book, &run).await;
        }
        flow.writer.streams.close();
        passes.close(&mut book);
        orphans::find(&mut book, &run).await;
        let written = flow.writer.keys.take_written();
        if let Some(whole) = flow.writer.keys.leave(&mut book, &run).await {
            changes.forget_superseded(&book, &whole).await;
        }
        prune::prune(&mut book, &run, written).await;
        let is_over = !run.is_stopped() && !book.is_broken;
        flow.writer.notes.finish(is_over).await;
        replicas.close(&mut book).await;
        self.quiesce().await;
        book.close(&run, Unmatched::default())
    }

    /// Warms the keys in `windows`, each through the strategy with its template.
    ///
    /// # Errors
    /// The list of keys could not be read.
    pub async fn warm_keys(
        &self,
        info: &RunInfo,
        mut windows: KeyWindows,
        reporter: &dyn Reporter,
        stop: &StopSignal,
    ) -> Result<Report, Failure> {
        let run = RunContext::new(&self.plan, Some(info), reporter, stop);
        let _governing = governed(&self.plan);
        let mut book = Book::open(&run);
        protection::learn(&mut book, &run, false).await;
        let mut passes = Passes::of_named(&book, &run).await;
        let mut flow = Flow::new(run, Notes::none(run));
        let mut unmatched = Unmatched::default();
        while book.goes_on(&run)
            && let Some(window) = run.unless_stopped(windows.try_next()).await
            && let Some(window) = window?
        {
            for (index, names) in self.route(window, &mut unmatched) {
                if book.goes_on(&run) {
                    book.begin(index, &run);
                    let entries = self.plan.entries(index, Wanted::Named(names), false);
                    flow.warm_named(&mut book, index, entries).await;
                    book.obey_stop_on_error(index, &run);
                }
            }
        }
        passes.ask_epoch(&book, &run).await;
        passes.close(&mut book);
        flow.writer.keys.leave(&mut book, &run).await;
        book.end_begun(&run);
        self.quiesce().await;
        Ok(book.close(&run, unmatched))
    }

    /// Sends each key to the strategy with the most specific template.
    fn route(&self, keys: Vec<String>, unmatched: &mut Unmatched) -> BTreeMap<usize, Vec<Name>> {
        let templates = || self.plan.strategies.iter().map(|s| &s.spec().key);
        let maker = |key: String| Some((lookup::maker(templates(), &key)?, key));
        let mut routes: BTreeMap<usize, Vec<Name>> = BTreeMap::new();
        for key in keys {
            let with_prefix = format!("{}{key}", self.plan.options.prefix);
            match maker(key.clone()).or_else(|| maker(with_prefix)) {
                Some((index, key)) => routes.entry(index).or_default().push(key.into()),
                None => {
                    unmatched.total += 1;
                    keep_first(&mut unmatched.first, || printable(key.as_bytes()));
                }
            }
        }
        routes
    }

    /// Waits until cancelled queries have stopped at the database.
    async fn quiesce(&self) {
        for strategy in &self.plan.strategies {
            strategy.quiesced().await;
        }
    }
}

/// Watches the servers while the run is gentle, until it is dropped.
fn governed(plan: &RunPlan) -> JoinSet<()> {
    let source = plan.sources.as_ref().map(|sources| &sources.bulk);
    let governor = Governor::new(
        plan.pace.clone(),
        Arc::clone(&plan.target),
        source.map(Arc::clone),
        plan.options.pace.gentle_limits.clone(),
    );
    let mut governing = JoinSet::new();
    governing.spawn(governor.run());
    governing
}

/// Warms one strategy from its start to its end.
async fn warm_one<'a>(
    index: usize,
    run: &RunContext<'a>,
    book: &mut Book,
    (size, same_cache): (&SizeGuard<'_>, &SameCacheGuard<'_>),
    passes: &mut Passes,
    changes: &mut ChangedOnly<'a>,
    flow: &mut Flow<'a>,
) {
    let former = passes.begin(index, book, run).await;
    if former.is_some() {
        flow.writer.keys.restart(index);
    }
    book.begin(index, run);
    if size.before(book, index).await {
        let recorder = flow.writer.keys.recorder();
        let changed = changes.open(book, index, passes, recorder).await;
        let rest = resume::open(book, index, run, &mut flow.writer.notes, former.is_some()).await;
        let entries = changed.or(rest).unwrap_or_else(|| flow.writer.streams.take(index));
        flow.warm(book, index, entries).await;
        changes.close(book, index);
        interrupted::read_again(flow, book, index, run).await;
        book.obey_stop_on_error(index, run);
        size.after(book, index);
        same_cache.after(book, index, run).await;
    }
    if let Some(former) = &former {
        passes::doubt(former, &mut book.tallies[index], run);
    }
    book.end(index, run);
    changes.leave_watermark(book, index, passes);
    flow.writer.keys.close(index, &book.tallies[index].report.status);
    flow.writer.notes.end(book, index);
    flow.writer.streams.drop(index);
}
