//! The engine on a table and a cache in memory: in milliseconds, what the others show on servers.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use crate::support::memory_cache::MemoryCache;
use crate::support::memory_table::MemoryTable;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use shopwarm::application::engine::coordinator::Coordinator;
use shopwarm::application::engine::inspect::Inspection;
use shopwarm::application::ports::{Cache, CachedValue, Mode};
use shopwarm::application::ports::{Consent, Prunable};
use shopwarm::application::record::history;
use shopwarm::application::run_state::event::{Event, Reporter};
use shopwarm::application::run_state::options::Options;
use shopwarm::application::run_state::stop::StopSignal;
use shopwarm::application::runs::lock::Locking;
use shopwarm::application::runs::run::Run;
use shopwarm::domain::changes::ReadHow;
use shopwarm::domain::failure::{Failure, FailureKind};
use shopwarm::domain::percent::Percent;
use shopwarm::domain::report::{Report, Status, StrategyReport};
use shopwarm::domain::run::{RunInfo, Trigger};
use shopwarm::domain::strategy::{Shape, StrategyId, StrategySpec};

struct Silent;

impl Reporter for Silent {
    fn report(&self, _: &Event<'_>) {}
}

struct Yes;

impl Consent for Yes {
    fn may_remove<'a>(&'a self, _: &'a [Prunable]) -> BoxFuture<'a, bool> {
        ready(true).boxed()
    }
}

fn spec(shape: Shape) -> StrategySpec {
    StrategySpec {
        id: StrategyId::new("own", "rows"),
        description: String::new(),
        priority: 0,
        ttl: Some(Duration::from_mins(10)),
        tags: Vec::new(),
        min_keys: 1,
        key: "row:{id}".parse().expect("a template"),
        value: shape,
        coding: Default::default(),
        version_field: None,
        uncovered: None,
        unprotected_ok: false,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

/// A shop with rows `row:0`, `row:1` and so on.
struct Shop {
    table: MemoryTable,
    cache: Arc<MemoryCache>,
    shape: Shape,
}

impl Shop {
    fn new(rows: u32) -> Self {
        let table = MemoryTable::default();
        table.advance(1_700_000_000);
        (0..rows).for_each(|id| table.set(&key(id), &value(id, 0)));
        table.advance(100);
        Self { table, cache: Arc::default(), shape: Shape::Object }
    }

    fn coordinator(&self, options: Options) -> Coordinator {
        let strategies = vec![self.table.strategy(spec(self.shape))];
        let cache: Arc<dyn Cache> = Arc::clone(&self.cache) as _;
        Coordinator::new(strategies, cache, options).reading(self.table.sources())
    }

    /// Runs as everybody does, with a record of the run.
    fn run(&self, coordinator: &Coordinator) -> StrategyReport {
        let info = RunInfo::new("warmup all".to_owned(), Trigger::Cli);
        let stop = StopSignal::default();
        runtime().block_on(async {
            let now = std::time::Instant::now();
            let run = Run::begin(coordinator, &info, now, Locking::GiveWay, &Silent, &stop).await;
            let finished = run.expect("nobody else runs").warm_all(&Silent, &stop).await;
            only(finished.report)
        })
    }

    fn warm(&self, options: Options) -> StrategyReport {
        self.run(&self.coordinator(options))
    }

    fn inspect(&self) -> StrategyReport {
        self.inspect_with(Options::default())
    }

    fn inspect_with(&self, options: Options) -> StrategyReport {
        let strategies = vec![self.table.strategy(spec(self.shape))];
        let cache: Arc<dyn Cache> = Arc::clone(&self.cache) as _;
        let inspection = Inspection { orphans: true, ..Inspection::new(None) };
        let viewer = Coordinator::inspecting(strategies, Some(cache), inspection, options);
        let stop = StopSignal::default();
        only(runtime().block_on(viewer.warm_all(None, &Silent, &stop)))
    }

    fn cached(&self, id: u32) -> Option<String> {
        let key = key(id);
        let cached = runtime().block_on(self.cache.read(key.as_bytes()));
        match cached.expect("an answer")?.value {
            CachedValue::Text(text) => Some(String::from_utf8(text).expect("text")),
            other => panic!("{other:?}"),
        }
    }
}

fn only(mut report: Report) -> StrategyReport {
    report.strategies.remove(0)
}

fn key(id: u32) -> String {
    format!("row:{id}")
}

fn value(id: u32, state: u32) -> String {
    format!("{{\"id\":{id},\"state\":{state}}}")
}

fn changed() -> Options {
    let mut options = Options::default();
    options.changed.on = true;
    options.changed.overlap = Duration::ZERO;
    options
}

fn failure(report: &StrategyReport) -> &Failure {
    match &report.status {
        Status::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_row_is_warmed_and_its_value_is_there() {
    let shop = Shop::new(1234);
    let report = shop.warm(Options::default());
    assert_eq!((report.stats.warmed, report.stats.total()), (1234, 1234));
    assert_eq!(report.status, Status::Completed);
    assert_eq!(shop.cached(1233), Some(value(1233, 0)));
    shop.cache.advance(Duration::from_secs(700));
    assert_eq!(shop.cached(1233), None, "it has expired");
}

#[test]
fn a_dry_run_reads_the_same_and_writes_nothing() {
    let shop = Shop::new(10);
    let seen = shop.inspect();
    assert_eq!((seen.stats.planned, seen.stats.warmed), (10, 0));
    assert_eq!(seen.seen.classes.missing, 10);
    assert_eq!(shop.cached(0), None);
    shop.warm(Options::default());
    shop.table.set(&key(3), &value(3, 1));
    shop.table.delete(&key(4));
    let seen = shop.inspect().seen;
    assert_eq!((seen.classes.identical, seen.classes.different), (8, 1));
    assert_eq!(seen.orphans, Some(1));
}

#[test]
fn a_dry_run_over_a_cache_that_refuses_reads_nothing_twice() {
    let shop = Shop::new(10);
    let refusal = Failure::new(FailureKind::CacheUnreachable, "the cache is gone", "closed");
    shop.cache.refuse(Some(refusal));
    let report = shop.inspect();
    assert_eq!(failure(&report).what, "the cache is gone");
    assert_eq!((report.stats.planned, report.stats.unverified), (0, 0));
    assert_eq!(shop.table.take_versions_read(), 0);
}

#[test]
fn a_portion_is_verified_once_when_all_of_it_is_written() {
    let shop = Shop::new(5200);
    shop.table.divide(3);
    let stats = shop.warm(Options::default()).stats;
    assert_eq!((stats.warmed, stats.repaired, stats.unverified), (5200, 0, 0));
    assert_eq!(shop.table.take_portions_verified(), 4, "11 batches of 500");
    let options = Options { verify_writes: false, ..Options::default() };
    assert_eq!(shop.warm(options).stats.warmed, 5200);
    assert_eq!(shop.table.take_portions_verified(), 0);
    assert_eq!(shop.inspect().stats.planned, 5200);
    assert_eq!(shop.table.take_portions_verified(), 0, "nothing was written");
}

#[test]
fn what_overtakes_a_portion_is_undone() {
    let shop = Shop::new(5200);
    shop.table.divide(3);
    shop.table.overtake(&key(7), Some(&value(7, 1)));
    shop.table.overtake(&key(8), None);
    let stats = shop.warm(Options::default()).stats;
    assert_eq!((stats.warmed, stats.repaired, stats.withdrawn), (5199, 1, 1));
    assert_eq!((shop.cached(7), shop.cached(8)), (Some(value(7, 1)), None));
}

#[test]
fn a_portion_that_does_not_come_to_its_end_is_verified_too() {
    let shop = Shop::new(5200);
    shop.table.divide(3);
    shop.table.interrupt(1800, Failure::new(FailureKind::Query, "the query failed", "disk full"));
    shop.table.overtake(&key(0), Some(&value(0, 1)));
    let report = shop.warm(Options::default());
    assert_eq!(failure(&report).what, "the query failed");
    assert_eq!((report.stats.warmed, report.stats.repaired), (1800, 1));
    assert_eq!(shop.table.take_portions_verified(), 3, "two portions, and a repair");
}

/// Where no index knows the keys, a question about a few of them costs as much as one about many.
#[test]
fn slow_questions_by_key_are_few() {
    let shop = Shop::new(20_000);
    let options = || Options { concurrency: 2, ..Options::default() };
    shop.table.look_up_within(Duration::from_millis(120));
    for i in [0, 10_000, 19_999] {
        shop.table.overtake(&key(i), Some(&value(i, 1)));
    }
    let stats = shop.warm(options()).stats;
    assert_eq!((stats.warmed, stats.repaired, stats.unverified), (20_000, 3, 0));
    let lookups = shop.table.take_lookups();
    assert!(lookups < 16, "{lookups}");
    assert_eq!(shop.cached(10_000), Some(value(10_000, 1)));
}

#[test]
fn a_throttled_portion_is_verified_when_its_last_slice_is_written() {
    let shop = Shop::new(600);
    shop.table.divide(2);
    let mut options = Options::default();
    options.pace.rate = Some(6_000);
    let stats = shop.warm(options).stats;
    assert_eq!((stats.warmed, stats.unverified), (600, 0));
    assert_eq!(shop.table.take_portions_verified(), 1);
}

#[test]
fn a_lost_answer_is_unknown_and_never_warmed() {
    let shop = Shop::new(1200);
    shop.cache.lose_answers(1);
    let stats = shop.warm(Options::default()).stats;
    assert_eq!((stats.warmed, stats.unknown), (700, 500));
}

#[test]
fn a_cache_that_refuses_ends_the_run() {
    let shop = Shop::new(10);
    let refusal = Failure::new(FailureKind::CacheRefused, "the cache is full", "OOM");
    let coordinator = shop.coordinator(Options::default());
    shop.cache.refuse(Some(refusal));
    let stop = StopSignal::default();
    let report = runtime().block_on(coordinator.warm_all(None, &Silent, &stop));
    let report = only(report);
    assert_eq!(failure(&report).what, "the cache is full");
    assert_eq!(report.stats.failed, 10);
}

#[test]
fn a_stream_that_breaks_off_is_read_again_once() {
    let lost = || Failure::new(FailureKind::SourceLost, "the database is gone", "closed");
    let shop = Shop::new(1000);
    shop.table.interrupt(600, lost());
    let report = shop.warm(Options::default());
    assert_eq!((report.stats.warmed, &report.status), (1000, &Status::Completed));
    let warnings = report.warnings.join("\n");
    assert!(warnings.contains("the database's stream broke off"), "{warnings}");
    shop.table.interrupt(600, lost());
    shop.table.interrupt(100, lost());
    let report = shop.warm(Options::default());
    assert_eq!(failure(&report).kind, FailureKind::SourceLost);
}

/// Restarts the cache once some keys were written, or compared.
struct Restarts<'a>(&'a MemoryCache, std::sync::atomic::AtomicBool);

impl Reporter for Restarts<'_> {
    fn report(&self, event: &Event<'_>) {
        let first = || !self.1.swap(true, std::sync::atomic::Ordering::Relaxed);
        let is_under_way =
            matches!(event, Event::Progress { stats, .. } if stats.warmed + stats.planned > 0);
        if is_under_way && first() {
            self.0.restart();
        }
    }
}

/// A comparison with the former cache is not valid.
#[test]
fn a_comparison_with_a_cache_that_was_restarted_fails() {
    let shop = Shop::new(1000);
    assert_eq!(shop.warm(Options::default()).stats.warmed, 1000);
    let strategies = vec![shop.table.strategy(spec(shop.shape))];
    let cache: Arc<dyn Cache> = Arc::clone(&shop.cache) as _;
    let inspection = Inspection::new(None);
    let viewer = Coordinator::inspecting(strategies, Some(cache), inspection, Options::default());
    let reporter = Restarts(&shop.cache, false.into());
    let stop = StopSignal::default();
    let report = only(runtime().block_on(viewer.warm_all(None, &reporter, &stop)));
    assert_eq!(failure(&report).kind, FailureKind::CacheUnreachable);
    assert!(failure(&report).what.contains("the comparison is not valid"));
}

#[test]
fn a_cache_that_was_restarted_is_warmed_again() {
    let shop = Shop::new(1000);
    let coordinator = shop.coordinator(Options::default());
    let reporter = Restarts(&shop.cache, false.into());
    let stop = StopSignal::default();
    let report = only(runtime().block_on(coordinator.warm_all(None, &reporter, &stop)));
    assert_eq!(report.stats.warmed, 1000);
    assert!((0..1000).all(|id| shop.cached(id).is_some()));
}

#[test]
fn a_run_reads_only_what_changed() {
    let shop = Shop::new(1000);
    shop.warm(Options::default());
    shop.table.advance(100);
    shop.table.set(&key(7), &value(7, 1));
    shop.table.set(&key(1000), &value(1000, 0));
    shop.table.take_values_read();
    let report = shop.warm(changed());
    let read = report.changed.as_ref().expect("it was asked for");
    assert_eq!((read.read, &read.why, read.unchanged), (ReadHow::Changed, &None, 999));
    assert_eq!(report.stats.warmed, 1001);
    assert_eq!(shop.table.take_values_read(), 2);
    assert_eq!(shop.cached(7), Some(value(7, 1)));

    // A row that was deleted tells nothing: the keys of all rows are read.
    shop.table.advance(100);
    shop.table.delete(&key(8));
    let report = shop.warm(changed());
    let read = report.changed.as_ref().expect("it was asked for");
    assert_eq!((read.read, read.removed), (ReadHow::Keys, 1));
    assert_eq!(shop.cached(8), None);

    // What was evicted is loaded again.
    shop.table.advance(100);
    shop.cache.evict(key(9).as_bytes());
    assert_eq!(shop.warm(changed()).stats.warmed, 1000);
    assert_eq!(shop.cached(9), Some(value(9, 0)));

    shop.cache.restart();
    let report = shop.warm(changed());
    let read = report.changed.expect("it was asked for");
    assert_eq!(read.read, ReadHow::Full);
}

#[test]
fn keys_of_earlier_runs_without_a_row_are_pruned() {
    let shop = Shop::new(20);
    shop.warm(Options::default());
    shop.table.delete(&key(5));
    let pruning = shop.coordinator(Options::default()).pruning(Arc::new(Yes));
    let report = shop.run(&pruning);
    assert_eq!((report.stats.warmed, report.stats.pruned), (19, 1));
    assert_eq!(shop.cached(5), None);
    assert_eq!(shop.cached(6), Some(value(6, 0)));
}

#[test]
fn identical_values_are_not_sent_again() {
    let long = |id: u32| format!("{{\"id\":{id},\"text\":\"{}\"}}", "x".repeat(300));
    let shop = Shop::new(0);
    (0..1000).for_each(|id| shop.table.set(&key(id), &long(id)));
    shop.warm(Options::default());
    shop.table.set(&key(1), &value(1, 1));
    let options = Options { skip_identical: true, ..Options::default() };
    let stats = shop.warm(options).stats;
    assert_eq!((stats.warmed, stats.identical), (1000, Some(999)));
}

#[test]
fn keys_that_are_there_stay_where_that_is_wanted() {
    let shop = Shop::new(10);
    shop.warm(Options::default());
    (0..12).for_each(|id| shop.table.set(&key(id), &value(id, 1)));
    let options = Options { mode: Mode::OnlyMissing, ..Options::default() };
    let stats = shop.warm(options).stats;
    assert_eq!((stats.warmed, stats.skipped), (2, 10));
    assert_eq!(shop.cached(0), Some(value(0, 0)));
    assert_eq!(shop.cached(11), Some(value(11, 1)));
}

#[test]
fn every_type_is_warmed_compared_and_pruned_as_texts_are() {
    for shape in [Shape::Hash, Shape::Set, Shape::SortedSet, Shape::Json] {
        let shop = Shop { shape, ..Shop::new(0) };
        let value = |n: u32| format!("{{\"{}{n}\":\"7\",\"b\":\"8\"}}", "a".repeat(150));
        (0..1000).for_each(|id| shop.table.set(&key(id), &value(id)));
        assert_eq!(shop.warm(Options::default()).stats.warmed, 1000);
        shop.table.advance(100);
        shop.table.set(&key(3), &value(5000));
        shop.table.delete(&key(4));
        let seen = shop.inspect().seen;
        let classes = &seen.classes;
        assert_eq!((classes.different, classes.identical), (1, 998), "{shape:?}");
        assert_eq!(seen.orphans, Some(1));
        let options = Options { skip_identical: true, ..changed() };
        let pruning = shop.coordinator(options).pruning(Arc::new(Yes));
        let stats = shop.run(&pruning).stats;
        assert_eq!(stats.warmed, 999, "{shape:?}");
        let seen = shop.inspect().seen;
        assert_eq!((seen.classes.identical, seen.orphans), (999, Some(0)), "{shape:?}");
    }
}

#[test]
fn a_strategy_that_has_shrunk_is_not_written() {
    let shop = Shop::new(100);
    shop.warm(Options::default());
    (10..100).for_each(|id| shop.table.delete(&key(id)));
    shop.table.set(&key(0), &value(0, 1));
    let options = Options { max_shrink: Some(Percent::whole(20)), ..Options::default() };
    let report = shop.warm(options);
    assert!(failure(&report).what.contains("has shrunk too much"), "{report:?}");
    assert_eq!(shop.cached(0), Some(value(0, 0)), "nothing was written");
}

#[test]
fn a_dry_run_says_that_a_strategy_has_shrunk() {
    let shop = Shop::new(100);
    shop.warm(Options::default());
    (10..100).for_each(|id| shop.table.delete(&key(id)));
    let report =
        shop.inspect_with(Options { max_shrink: Some(Percent::whole(20)), ..Options::default() });
    assert!(failure(&report).what.contains("has shrunk too much"), "{report:?}");
}

#[test]
fn streams_that_were_opened_ahead_end_with_the_run() {
    let shop = Shop::new(10);
    let named =
        |name: &str| StrategySpec { id: StrategyId::new("own", name), ..spec(Shape::Object) };
    let refusal = Failure::new(FailureKind::SourceUnreachable, "the database is gone", "closed");
    shop.table.interrupt(0, refusal);
    let strategies = ["a", "b", "c"].map(|name| shop.table.strategy(named(name)));
    let cache: Arc<dyn Cache> = Arc::clone(&shop.cache) as _;
    let options = Options { db_concurrency: 3, ..Options::default() };
    let coordinator = Coordinator::new(strategies.into(), cache, options);
    let stop = StopSignal::default();
    let report = runtime().block_on(coordinator.warm_all(None, &Silent, &stop));
    assert_eq!(failure(&report.strategies[0]).what, "the database is gone");
    assert!(!shop.table.waited_in_vain());
}

#[test]
fn too_few_keys_are_a_failure() {
    let report = Shop::new(0).warm(Options::default());
    assert!(failure(&report).what.contains("selects too few keys"));
}

#[test]
fn a_run_is_in_the_history() {
    let shop = Shop::new(3);
    shop.warm(Options::default());
    let runs = runtime().block_on(history::runs(shop.cache.as_ref(), ""));
    let runs = runs.expect("an answer");
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].totals.counts.warmed, 3);
}
