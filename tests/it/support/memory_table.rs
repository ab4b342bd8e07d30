//! A table in memory, for tests: a strategy and its database, with a clock that stops and
//! interruptions on demand.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use ::shopwarm::application::ports::{
    Ask, ChangeScan, Dialect, Overtaken, Param, Query, QueryPlan, RowSource, Sources, Tracked,
    Wanted, WarmupStrategy,
};
use ::shopwarm::domain::changes::{Moment, Since};
use ::shopwarm::domain::entry::{Collection, Entry, EntryBatch};
use ::shopwarm::domain::expected::Expected;
use ::shopwarm::domain::failure::{Failure, FailureKind};
use ::shopwarm::domain::finding::Finding;
use ::shopwarm::domain::key::printable;
use ::shopwarm::domain::key_rows::{TableName, UniqueKeys};
use ::shopwarm::domain::portion::{PartOf, Portion, TableState};
use ::shopwarm::domain::row::{Columns, RowBatch};
use ::shopwarm::domain::standing::Kind;
use ::shopwarm::domain::strategy::StrategySpec;
use ::shopwarm::domain::version::Version;
use ::shopwarm::infrastructure::source::dialect;

type Entries<'a> = BoxStream<'a, Result<EntryBatch, Failure>>;

/// Rows by their keys.
#[derive(Clone, Default)]
pub struct MemoryTable(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    rows: BTreeMap<String, Row>,
    /// Seconds since 1970.
    now: i64,
    /// Interruptions of the next selections.
    interruptions: VecDeque<(usize, Failure)>,
    values_read: u64,
    versions_read: u64,
    /// Questions for versions, and how long each takes.
    lookups: u64,
    lookup_takes: Duration,
    /// Batches of a portion, if there are portions.
    portions: Option<usize>,
    portions_verified: u64,
    /// Changes made when the next selection has been read; `None`: a deletion.
    overtaking: Vec<(String, Option<String>)>,
    /// Held by each stream that is open.
    open: Arc<()>,
    /// A run waited for its streams to end while one was open.
    waited_in_vain: bool,
}

#[derive(Clone)]
struct Row {
    value: String,
    changed_at: i64,
}

impl MemoryTable {
    /// Inserts or updates a row.
    pub fn set(&self, key: &str, value: &str) {
        let mut state = self.state();
        let row = Row { value: value.to_owned(), changed_at: state.now };
        state.rows.insert(key.to_owned(), row);
    }

    pub fn delete(&self, key: &str) {
        self.state().rows.remove(key);
    }

    /// Lets selections come in portions of some batches each.
    pub fn divide(&self, batches: usize) {
        self.state().portions = Some(batches);
    }

    /// Lets each question for versions take this long.
    pub fn look_up_within(&self, time: Duration) {
        self.state().lookup_takes = time;
    }

    /// How often versions were asked for since this was last asked.
    pub fn take_lookups(&self) -> u64 {
        std::mem::take(&mut self.state().lookups)
    }

    /// Changes a row when the next selection has been read; `None`: deletes it.
    pub fn overtake(&self, key: &str, value: Option<&str>) {
        self.state().overtaking.push((key.to_owned(), value.map(str::to_owned)));
    }

    /// How many portions were verified since this was last asked.
    pub fn take_portions_verified(&self) -> u64 {
        std::mem::take(&mut self.state().portions_verified)
    }

    /// Moves the table's clock.
    pub fn advance(&self, seconds: i64) {
        self.state().now += seconds;
    }

    /// Interrupts the next selection after this many keys; can be queued.
    pub fn interrupt(&self, after: usize, failure: Failure) {
        self.state().interruptions.push_back((after, failure));
    }

    /// Number of values read since the last call.
    pub fn take_values_read(&self) -> u64 {
        std::mem::take(&mut self.state().values_read)
    }

    /// How many versions were asked for since this was last asked.
    pub fn take_versions_read(&self) -> u64 {
        std::mem::take(&mut self.state().versions_read)
    }

    /// Whether a run waited for its streams to end while one was open.
    pub fn waited_in_vain(&self) -> bool {
        self.state().waited_in_vain
    }

    pub fn strategy(&self, spec: StrategySpec) -> Arc<dyn WarmupStrategy> {
        let table = self.clone();
        Arc::new(MemoryStrategy { spec, table })
    }

    pub fn sources(&self) -> Sources {
        Sources::one(Arc::new(self.clone()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All rows of a table.
struct MemoryStrategy {
    spec: StrategySpec,
    table: MemoryTable,
}

/// A collection's value is the JSON object of its parts; of a set, only the names count.
fn push(batch: &mut EntryBatch, key: &str, row: &Row, kind: &Kind) {
    let value = |out: &mut Vec<u8>| {
        out.extend_from_slice(row.value.as_bytes());
        Ok::<(), Infallible>(())
    };
    let collection = match kind {
        Kind::Hash => Some(Collection::Hash),
        Kind::Set => Some(Collection::Set),
        Kind::SortedSet => Some(Collection::SortedSet),
        _ => None,
    };
    match collection {
        Some(collection) => {
            let parts: BTreeMap<String, String> =
                serde_json::from_str(&row.value).unwrap_or_default();
            let value = |text: &str| match collection {
                Collection::Set => Vec::new(),
                _ => text.as_bytes().to_vec(),
            };
            let parts = parts.iter().map(|(n, v)| (n.as_bytes(), value(v).into()));
            batch.push_collection(key.as_bytes(), collection, parts);
        }
        None if *kind == Kind::Json => {
            let Ok(()) = batch.push_document(key.as_bytes(), value);
        }
        None => {
            let Ok(()) = batch.push_text(key.as_bytes(), value);
        }
    }
    batch.stamp(Some(Version::of_row(row.value.as_bytes())));
}

/// Makes batches the n-th portion.
fn mark(batches: &mut [EntryBatch], nth: u64) {
    let rows = batches.iter().map(|batch| batch.len() as u64).sum();
    let state = TableState { horizon: 0, next: 0, end: 0, storage: 0 };
    let portion = Portion { from: nth, to: nth + 1, rows, state };
    let last = batches.len() - 1;
    for (i, batch) in batches.iter_mut().enumerate() {
        batch.part_of = Some(PartOf::Portion { portion, is_last: i == last });
    }
}

#[async_trait]
impl WarmupStrategy for MemoryStrategy {
    fn spec(&self) -> &StrategySpec {
        &self.spec
    }

    fn entries(&self, ask: Ask) -> Entries<'_> {
        let kind = Kind::of(self.spec.value);
        let mut state = self.table.state();
        let mut interruption = None;
        let mut batches: Vec<EntryBatch> = Vec::new();
        match &ask.keys {
            Wanted::All { limit } => {
                interruption = state.interruptions.pop_front();
                let limit = limit.map_or(usize::MAX, |limit| limit as usize);
                let limit = interruption.as_ref().map_or(limit, |(after, _)| *after);
                let rows: Vec<_> = state.rows.iter().take(limit).collect();
                for rows in rows.chunks(ask.batch_size) {
                    let mut batch = EntryBatch::default();
                    rows.iter().for_each(|(key, row)| push(&mut batch, key, row, &kind));
                    batches.push(batch);
                }
                if let (Some(size), Some(_)) = (state.portions, ask.in_portions) {
                    let portions = batches.chunks_mut(size).zip(0..);
                    portions.for_each(|(portion, nth)| mark(portion, nth));
                }
                for (key, value) in std::mem::take(&mut state.overtaking) {
                    let changed_at = state.now;
                    match value {
                        Some(value) => drop(state.rows.insert(key, Row { value, changed_at })),
                        None => drop(state.rows.remove(&key)),
                    }
                }
            }
            Wanted::Named(names) => {
                let mut batch = EntryBatch::default();
                for name in names {
                    match state.rows.get(&name.key) {
                        Some(row) => push(&mut batch, &name.key, row, &kind),
                        None => batch.absent.push(printable(name.key.as_bytes())),
                    }
                }
                batches.push(batch);
            }
        }
        if ask.values {
            state.values_read += batches.iter().map(|batch| batch.len() as u64).sum::<u64>();
        }
        let failure = interruption.map(|(_, failure)| Err(failure));
        let open = Arc::clone(&state.open);
        let all = stream::iter(batches.into_iter().map(Ok).chain(failure));
        all.inspect(move |_| _ = &open).boxed()
    }

    fn is_versioned(&self) -> bool {
        true
    }

    fn fingerprint(&self) -> Option<String> {
        Some(String::new())
    }

    async fn portions(&self) -> Result<(), String> {
        self.table.state().portions.map(drop).ok_or("the table is not divided".to_owned())
    }

    async fn overtaken(
        &self,
        portion: &Portion,
        entries: &[Entry<'_>],
    ) -> Result<Overtaken, Failure> {
        self.table.state().portions_verified += 1;
        assert!(entries.len() as u64 <= portion.rows, "{portion:?}");
        let now = self.versions(entries).await?;
        let pairs = entries.iter().zip(now).enumerate();
        let changed = pairs.filter(|(_, (entry, now))| entry.version != *now);
        let (mut overtaken, kind) = (Overtaken::default(), Kind::of(self.spec.value));
        let state = self.table.state();
        for (i, (entry, _)) in changed {
            overtaken.indexes.push(i);
            let key = std::str::from_utf8(entry.key).expect("text");
            if let Some(row) = state.rows.get(key) {
                push(&mut overtaken.now, key, row, &kind);
            }
        }
        Ok(overtaken)
    }

    async fn quiesced(&self) {
        let mut state = self.table.state();
        state.waited_in_vain |= Arc::strong_count(&state.open) > 1;
    }

    async fn versions(&self, entries: &[Entry<'_>]) -> Result<Vec<Option<Version>>, Failure> {
        let takes = self.table.state().lookup_takes;
        tokio::time::sleep(takes).await;
        let mut state = self.table.state();
        state.lookups += 1;
        state.versions_read += entries.len() as u64;
        let version = |entry: &Entry<'_>| {
            let key = std::str::from_utf8(entry.key).ok()?;
            let row = state.rows.get(key)?;
            Some(Version::of_row(row.value.as_bytes()))
        };
        Ok(entries.iter().map(version).collect())
    }

    fn tracked(&self) -> Result<&dyn Tracked, String> {
        Ok(self)
    }
}

impl Row {
    fn has_changed(&self, since: Since) -> bool {
        let earliest = (self.changed_at + 1) * 1_000_000;
        Since::new(earliest, Duration::ZERO).utc() >= since.utc()
    }
}

#[async_trait]
impl Tracked for MemoryStrategy {
    async fn scan(&self) -> Result<ChangeScan, String> {
        Ok(ChangeScan::Rows)
    }

    async fn unchanged(&self, since: Since) -> Result<u64, Failure> {
        let state = self.table.state();
        let unchanged = state.rows.values().filter(|row| !row.has_changed(since));
        Ok(unchanged.count() as u64)
    }

    fn has_one_reading(&self, _: &str) -> bool {
        true
    }

    fn changes(&self, scan: ChangeScan, since: Since, _: usize) -> Entries<'_> {
        let mut batch = EntryBatch::default();
        for (key, row) in &self.table.state().rows {
            let changed = row.has_changed(since);
            if changed || scan == ChangeScan::Keys {
                let Ok(()) = batch.push_text(key.as_bytes(), |out| {
                    out.push(if changed { b'1' } else { b'0' });
                    Ok::<(), Infallible>(())
                });
            }
        }
        stream::iter([Ok(batch)]).boxed()
    }
}

fn no_sql<T>() -> Result<T, Failure> {
    let what = "a table in memory does not accept SQL";
    Err(Failure::new(FailureKind::Query, what, "it has rows only"))
}

#[async_trait]
impl RowSource for MemoryTable {
    fn dialect(&self) -> Dialect {
        dialect("sqlite:").expect("a dialect")
    }

    async fn moment(&self) -> Result<Moment, Failure> {
        let now = self.state().now * 1_000_000;
        let moment =
            Moment { origin: "memory".to_owned(), clock: now, now, oldest_open: None, doubt: None };
        Ok(moment)
    }

    async fn unique_keys(&self, _: &TableName) -> Result<UniqueKeys, Failure> {
        no_sql()
    }

    async fn describe(&self, _: &str, _: &[Param]) -> Result<Columns, Failure> {
        no_sql()
    }

    fn rows(&self, _: Query) -> BoxStream<'static, Result<RowBatch, Failure>> {
        stream::iter([no_sql()]).boxed()
    }

    async fn quiesced(&self) {}

    async fn estimate(&self, _: &str, _: &[Param]) -> Option<Expected> {
        None
    }

    async fn plan(&self, _: &str, _: &[Param]) -> Result<QueryPlan, Failure> {
        no_sql()
    }

    async fn checkup(&self) -> Vec<Finding> {
        Vec::new()
    }
}
