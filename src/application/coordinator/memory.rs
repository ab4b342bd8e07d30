//! Whether the cache has room for what a strategy writes, and what it evicts for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::Run;
use crate::application::ports::{Cache, Known, Room, WarmupStrategy};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::standing::Standing;

/// What may be on its way to the cache and is in no figure of its yet.
const IN_FLIGHT: u64 = super::IN_FLIGHT_BYTES as u64;

/// By then what was on its way has arrived, where the cache is well.
const ARRIVED: Duration = Duration::from_millis(50);

/// How often the cache's figures are read again.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is left free for the clients' buffers: a share of all, up to so much.
const MARGIN_SHARE: u64 = 50;
const MARGIN: u64 = 8 * 1024 * 1024;

/// Bytes that a key costs beside its own where there is none to measure it on.
const USUAL_OVERHEAD: f64 = 128.0;

/// Keys that are looked at to know how many are there already.
const SAMPLE: usize = 100;

/// A database that has not counted by then cannot do it cheaply.
const COUNT_TIMEOUT: Duration = Duration::from_secs(10);

/// What to do when the cache evicts keys while it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnEviction {
    /// Ends the run.
    Stop,
    #[default]
    Warn,
    Ignore,
}

type Entries<'a> = BoxStream<'a, Result<EntryBatch, Failure>>;

/// Watches over the memory of a cache that a run writes.
pub(super) struct Memory {
    cache: Arc<dyn Cache>,
    on_eviction: OnEviction,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// There is no limit.
    is_free: bool,
    /// What can still be written; `None`: there is no limit, or old keys may make room.
    budget: Option<Budget>,
    /// How many keys had been evicted when the strategy began; `None`: that does not matter.
    evicted: Option<u64>,
    looked: Option<Instant>,
}

struct Budget {
    /// Bytes.
    left: f64,
    per_key: f64,
    max: u64,
}

impl Budget {
    /// What entries cost where nothing stands at their keys.
    fn cost(&self, keys: usize, bytes: usize) -> f64 {
        keys as f64 * self.per_key + bytes as f64
    }

    /// Takes it off what is left, if there is so much.
    fn take(&mut self, cost: f64) -> bool {
        let fits = cost <= self.left;
        if fits {
            self.left -= cost;
        }
        fits
    }
}

impl Memory {
    pub fn new(cache: Arc<dyn Cache>, on_eviction: OnEviction) -> Arc<Self> {
        Arc::new(Self {
            cache,
            on_eviction,
            state: Mutex::default(),
        })
    }

    /// Looks at the cache before a strategy.
    ///
    /// # Errors
    /// Why nothing can be watched, in the cache's words.
    pub async fn look(&self) -> Known<()> {
        let mut state = self.state.lock().await;
        if state.is_free {
            return Ok(());
        }
        *state = State::default();
        let room = self.cache.room(&[]).await;
        if room.max.clone()?.is_none() {
            state.is_free = true;
            return Ok(());
        }
        let evicts = room.policy.clone()? != "noeviction";
        if evicts && self.on_eviction != OnEviction::Ignore {
            state.evicted = Some(self.cache.evicted().await?);
        }
        if !evicts || self.on_eviction == OnEviction::Stop {
            state.budget = budget(room, IN_FLIGHT)?;
        }
        state.looked = Some(Instant::now());
        Ok(())
    }

    /// The same entries, as long as they fit.
    pub fn watch<'a>(
        self: Arc<Self>,
        strategy: &'a dyn WarmupStrategy,
        wanted: Option<Option<u64>>,
        entries: Entries<'a>,
    ) -> Entries<'a> {
        let state = (self, entries, wanted);
        stream::unfold(state, move |(memory, mut entries, mut first)| async move {
            let mut next = entries.next().await?;
            if let Ok(batch) = &next
                && !batch.is_empty()
            {
                let limit = first.take();
                if let Err(failure) = memory.admit(strategy, limit, batch).await {
                    entries = stream::empty().boxed();
                    next = Err(failure);
                }
            }
            Some((next, (memory, entries, first)))
        })
        .boxed()
    }

    /// Whether a batch may be written, and all of its strategy where it is the first of all.
    async fn admit(
        &self,
        strategy: &dyn WarmupStrategy,
        first: Option<Option<u64>>,
        batch: &EntryBatch,
    ) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        let is_time = state.looked.is_some_and(|at| at.elapsed() >= LOOK_EVERY);
        if is_time {
            state.looked = Some(Instant::now());
            self.look_again(&mut state, IN_FLIGHT).await;
            if self.on_eviction == OnEviction::Stop
                && let Some(evicted) = self.evicted_since(&state).await
            {
                return Err(evicts(strategy, evicted));
            }
        }
        let Some(budget) = &mut state.budget else {
            return Ok(());
        };
        if let Some(limit) = first {
            self.compare(strategy, limit, batch, budget).await?;
        }
        if budget.take(budget.cost(batch.len(), batch.bytes())) {
            return Ok(());
        }
        // It looks like more than it is where keys are written over, or what was on its way has
        // long arrived.
        sleep(ARRIVED).await;
        self.look_again(&mut state, 0).await;
        let happens = if state.evicted.is_some() {
            "evict"
        } else {
            "refuse"
        };
        let Some(budget) = &mut state.budget else {
            return Ok(());
        };
        let share = self.missing(strategy, batch).await;
        let cost = budget.cost(batch.len(), batch.bytes()) * share;
        if budget.take(cost) {
            return Ok(());
        }
        Err(no_room(
            strategy,
            "is full",
            &format!(
                "it was stopped before the cache would {}: the next {} keys need about {}, {} is left of {}",
                happens,
                batch.len(),
                size(cost),
                size(budget.left),
                size(budget.max as f64),
            ),
        ))
    }

    /// Compares a strategy's size with what is free, before any of it is written.
    async fn compare(
        &self,
        strategy: &dyn WarmupStrategy,
        limit: Option<u64>,
        batch: &EntryBatch,
        budget: &Budget,
    ) -> Result<(), Failure> {
        let one = budget.cost(batch.len(), batch.bytes()) / batch.len() as f64;
        // What the planner thinks is enough where it is far from the limit.
        let about = strategy.estimate(limit).await;
        if about.is_some_and(|keys| keys as f64 * one < budget.left / 4.0) {
            return Ok(());
        }
        let counted = timeout(COUNT_TIMEOUT, strategy.count(limit)).await;
        let Some(keys) = counted.ok().and_then(Result::ok).or(about) else {
            // Then it is watched while it is written.
            return Ok(());
        };
        let all = keys as f64 * one;
        if all <= budget.left {
            return Ok(());
        }
        let needed = all * self.missing(strategy, batch).await;
        if needed <= budget.left {
            return Ok(());
        }
        Err(no_room(
            strategy,
            "has no room for it",
            &format!(
                "{keys} keys need about {}, {} is free of {}; nothing of it was written",
                size(needed),
                size(budget.left),
                size(budget.max as f64),
            ),
        ))
    }

    /// The share of a batch's keys at which nothing stands yet; all, where that is not known.
    async fn missing(&self, strategy: &dyn WarmupStrategy, batch: &EntryBatch) -> f64 {
        let mut sample = EntryBatch::default();
        let step = batch.len().div_ceil(SAMPLE);
        batch
            .iter()
            .step_by(step)
            .for_each(|entry| sample.push(entry));
        let Ok(standings) = self.cache.inspect(&sample, strategy.spec().value).await else {
            return 1.0;
        };
        let there = standings.iter().filter(|s| matches!(s, Standing::Held(_)));
        1.0 - there.count() as f64 / sample.len().max(1) as f64
    }

    /// Reads again what is left.
    async fn look_again(&self, state: &mut State, in_flight: u64) {
        if state.budget.is_some() {
            let room = self.cache.room(&[]).await;
            // What does not answer now said before what is left.
            if let Ok(budget) = budget(room, in_flight) {
                state.budget = budget;
            }
        }
    }

    /// Keys that were evicted since the strategy began, if any were.
    async fn evicted_since(&self, state: &State) -> Option<u64> {
        let before = state.evicted?;
        let now = self.cache.evicted().await.ok()?;
        Some(now.saturating_sub(before)).filter(|evicted| *evicted > 0)
    }
}

/// What is left of a cache's memory; `None`: it has no limit.
fn budget(room: Room, in_flight: u64) -> Known<Option<Budget>> {
    let Some(max) = room.max? else {
        return Ok(None);
    };
    let kept = (max / MARGIN_SHARE).min(MARGIN) + in_flight.min(max / 4);
    Ok(Some(Budget {
        left: max.saturating_sub(room.used? + kept) as f64,
        per_key: room.overhead.map_or(USUAL_OVERHEAD, |o| o.per_key.max(0.0)),
        max,
    }))
}

fn no_room(strategy: &dyn WarmupStrategy, what: &str, why: &str) -> Failure {
    let what = format!("{}: the cache {what}", strategy.spec().id);
    Failure::new(FailureKind::NoRoom, what, why)
        .hint("raise maxmemory, or warm less: --limit, --exclude, a lower LIMIT in the query")
}

fn evicts(strategy: &dyn WarmupStrategy, evicted: u64) -> Failure {
    let what = format!("{}: the cache evicts keys", strategy.spec().id);
    let why = format!("{evicted} since this strategy began; --on-eviction is stop");
    Failure::new(FailureKind::CacheRefused, what, why)
        .hint("raise maxmemory, or warm less: --limit, --exclude, a lower LIMIT in the query")
}

/// Bytes as people read them.
fn size(bytes: f64) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    match bytes {
        large if large >= 10.0 * MIB => format!("{:.0} MiB", large / MIB),
        middle if middle >= MIB => format!("{:.1} MiB", middle / MIB),
        small => format!("{:.0} KiB", small / 1024.0),
    }
}

impl Run<'_> {
    /// Looks at the cache's memory before a strategy is written; says once where it cannot.
    pub(super) async fn look_at_memory(&mut self) {
        let Some(memory) = self.memory.clone() else {
            return;
        };
        let looked = tokio::select! {
            looked = memory.look() => looked,
            () = self.stop.stopped() => return,
        };
        if let Err(why) = looked {
            self.memory = None;
            let text = format!("memory is not watched, the cache does not say: {why}");
            self.warnings.push(text);
        }
    }

    /// What the cache evicted while a strategy was written.
    pub(super) async fn check_evictions(&mut self, index: usize) {
        let Some(memory) = &self.memory else { return };
        let state = memory.state.lock().await;
        let Some(evicted) = memory.evicted_since(&state).await else {
            return;
        };
        let strategy = self.coordinator.strategies[index].as_ref();
        let tally = &mut self.tallies[index];
        match memory.on_eviction {
            OnEviction::Stop => {
                let failure = evicts(strategy, evicted);
                self.broken = true;
                tally.failure.get_or_insert(failure);
            }
            OnEviction::Warn => tally.report.warnings.push(format!(
                "{}: the cache evicted {evicted} keys while it was written, older ones or its own",
                strategy.spec().id
            )),
            OnEviction::Ignore => {}
        }
    }
}
