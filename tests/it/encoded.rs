//! Formats in the engine, on a table and a cache in memory: every step that looks at values works on
//! encoded ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::support::memory_cache::MemoryCache;
use crate::support::memory_table::MemoryTable;
use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _};
use shopwarm::application::engine::coordinator::Coordinator;
use shopwarm::application::engine::inspect::Inspection;
use shopwarm::application::ports::{Ask, Cache, CachedValue, Entries, WarmupStrategy};
use shopwarm::application::query::encoded::stored;
use shopwarm::application::run_state::event::{Event, Reporter};
use shopwarm::application::run_state::options::Options;
use shopwarm::application::run_state::stop::StopSignal;
use shopwarm::domain::coding::{Coding, Compression, Format};
use shopwarm::domain::entry::Entry;
use shopwarm::domain::failure::Failure;
use shopwarm::domain::report::StrategyReport;
use shopwarm::domain::strategy::StrategySpec;
use shopwarm::domain::version::Version;

struct Silent;

impl Reporter for Silent {
    fn report(&self, _: &Event<'_>) {}
}

/// A row changes after it was read, before its value is written.
struct Moving {
    inner: Arc<dyn WarmupStrategy>,
    table: MemoryTable,
    has_moved: AtomicBool,
}

#[async_trait]
impl WarmupStrategy for Moving {
    fn spec(&self) -> &StrategySpec {
        self.inner.spec()
    }

    fn entries(&self, ask: Ask) -> Entries<'_> {
        let moves = |_: &_| {
            if !self.has_moved.swap(true, SeqCst) {
                self.table.set("row:1", "{\"id\":1,\"state\":\"new\"}");
            }
        };
        let has_values = ask.values;
        let entries = self.inner.entries(ask).inspect_ok(moves).boxed();
        stored(entries, self.spec().coding, has_values)
    }

    fn is_versioned(&self) -> bool {
        self.inner.is_versioned()
    }

    async fn versions(&self, entries: &[Entry<'_>]) -> Result<Vec<Option<Version>>, Failure> {
        self.inner.versions(entries).await
    }
}

const CODINGS: [(Format, Compression); 4] = [
    (Format::Php, Compression::None),
    (Format::Msgpack, Compression::Zstd),
    (Format::Json, Compression::Gzip),
    (Format::Php, Compression::Lz4),
];

/// Runs with a strategy of three rows, one of which moves; or only compares.
fn run(
    (format, compression): (Format, Compression),
    cache: &Arc<MemoryCache>,
    compares: bool,
) -> StrategyReport {
    let table = MemoryTable::default();
    for id in 0..3 {
        let state = if compares && id == 1 { "new" } else { "old" };
        table.set(&format!("row:{id}"), &format!("{{\"id\":{id},\"state\":\"{state}\"}}"));
    }
    let mut spec = StrategySpec::new("own", "rows", "row:{id}").expect("a template");
    spec.coding = Coding { compression, ..format.into() };
    let strategy =
        Arc::new(Moving { inner: table.strategy(spec), has_moved: compares.into(), table });
    let options = Options { verify_writes: true, ..Options::default() };
    let cache: Arc<dyn Cache> = Arc::clone(cache) as _;
    let coordinator = match compares {
        true => {
            let inspection = Inspection::new(None);
            Coordinator::inspecting(vec![strategy], Some(cache), inspection, options)
        }
        false => Coordinator::new(vec![strategy], cache, options),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let stop = StopSignal::default();
    let warmed = coordinator.warm_all(None, &Silent, &stop);
    let mut report = runtime.expect("a runtime").block_on(warmed);
    report.strategies.remove(0)
}

#[test]
fn a_stale_value_is_found_and_written_again_in_every_format() {
    for coding in CODINGS {
        let cache = Arc::<MemoryCache>::default();
        let report = run(coding, &cache, false);
        let counts = (report.stats.warmed, report.stats.repaired);
        assert_eq!(counts, (3, 1), "{coding:?} {report:?}");
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let read = runtime.expect("a runtime").block_on(cache.read(b"row:1"));
        let Some(CachedValue::Text(stored)) = read.expect("an answer").map(|cached| cached.value)
        else {
            panic!("no text");
        };
        let (format, compression) = coding;
        let coding = Coding { compression, ..format.into() };
        let value = coding.decode(&stored).expect("of the format");
        assert_eq!(value["state"], "new", "{coding:?}");
    }
}

#[test]
fn a_dry_run_knows_every_format() {
    for coding in CODINGS {
        let cache = Arc::<MemoryCache>::default();
        run(coding, &cache, false);
        let seen = run(coding, &cache, true).seen;
        assert_eq!(seen.classes.identical, 3, "{coding:?}");
        for other in CODINGS.into_iter().filter(|other| *other != coding) {
            let seen = run(other, &cache, true).seen;
            assert_eq!(seen.classes.different, 3, "{coding:?} {other:?}");
        }
    }
}
