//! Whether the cache has room for what a strategy writes, and what it evicts for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::{Entries, Options, Run, Tally};
use crate::application::history;
use crate::application::ports::{Cache, CachedValue, Known, Mode, Room, WarmupStrategy};
use crate::domain::entry::{Entry, EntryBatch};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::standing::{Held, Standing};

/// What may be on its way to the cache and is in no figure of its yet.
const IN_FLIGHT: u64 = super::IN_FLIGHT_BYTES as u64;

/// By then what was on its way has arrived, where the cache is well.
const ARRIVED: Duration = Duration::from_millis(50);

/// How often the cache's figures are read again, at least.
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

/// How often the cache is asked for what must be known.
const ATTEMPTS: usize = 3;

const NOT_WATCHED: &str = "memory is not watched";

/// What to do when the cache evicts keys while it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnEviction {
    /// Ends the run.
    Stop,
    #[default]
    Warn,
    Ignore,
}

/// Watches over the memory of a cache that a run writes.
pub(super) struct Memory {
    cache: Arc<dyn Cache>,
    on_eviction: OnEviction,
    mode: Mode,
    prefix: String,
    /// Bytes on their way to the cache.
    flying: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// There is no limit.
    is_free: bool,
    /// What can still be written; `None`: there is no limit, or old keys may make room.
    budget: Option<Budget>,
    found: Option<Found>,
    /// The cache's count of evicted keys; `None`: it does not matter.
    count: Option<Count>,
    looked: Option<Instant>,
}

struct Budget {
    /// Bytes.
    left: f64,
    /// What was left when the cache was last asked.
    whole: f64,
    per_key: f64,
    max: u64,
    /// What may be written on a guess: half of what is kept free.
    spare: f64,
}

/// What stands already at keys that are written.
#[derive(Clone, Copy)]
struct Found {
    /// The share of keys at which nothing stands.
    missing: f64,
    /// Bytes that the other keys' values grow by, each.
    growth: f64,
    /// For so many bytes more it is taken to be the same.
    holds_for: f64,
}

/// A cache's count of the keys that it has evicted.
struct Count {
    at_start: u64,
    last: u64,
    went_back: bool,
}

/// What a run was told of the evictions while a strategy was written.
#[derive(Default)]
pub(super) struct Evictions {
    keys: u64,
    /// Why there may have been more.
    unknown: Option<String>,
    told: Option<String>,
}

impl State {
    /// Whether the cache is to be asked again: estimates are not trusted for long, nor for much.
    fn is_due(&self) -> bool {
        let is_time = self.looked.is_some_and(|at| at.elapsed() >= LOOK_EVERY);
        let is_half = |budget: &Budget| budget.left < budget.whole / 2.0;
        is_time || self.budget.as_ref().is_some_and(is_half)
    }

    /// Takes a batch off what is left, if there is so much.
    fn charge(&mut self, batch: &EntryBatch) -> bool {
        let Some(budget) = &mut self.budget else {
            return true;
        };
        let cost = budget.cost(batch);
        if budget.take(cost) {
            return true;
        }
        match &mut self.found {
            Some(found) if found.holds_for >= cost => {
                found.holds_for -= cost;
                budget.take(found.cost(batch.len() as f64, cost))
            }
            _ => false,
        }
    }
}

impl Budget {
    /// What entries cost where nothing stands at their keys.
    fn cost(&self, batch: &EntryBatch) -> f64 {
        batch.len() as f64 * self.per_key + batch.bytes() as f64
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

impl Found {
    /// What so many keys cost that would cost `all` if nothing stood there.
    fn cost(&self, keys: f64, all: f64) -> f64 {
        all * self.missing + keys * (1.0 - self.missing) * self.growth
    }
}

impl Count {
    fn from(at_start: u64) -> Self {
        Self {
            at_start,
            last: at_start,
            went_back: false,
        }
    }

    /// Keys that were evicted since the start.
    fn hear(&mut self, now: u64) -> Known<u64> {
        self.went_back |= now < self.last;
        self.last = now;
        if self.went_back {
            return Err("its count of evicted keys began anew".to_owned());
        }
        Ok(now - self.at_start)
    }
}

impl Memory {
    pub fn new(cache: Arc<dyn Cache>, options: &Options) -> Arc<Self> {
        Arc::new(Self {
            cache,
            on_eviction: options.on_eviction,
            mode: options.mode,
            prefix: options.prefix.clone(),
            flying: AtomicUsize::new(0),
            state: Mutex::default(),
        })
    }

    /// Hears how many bytes are on their way.
    pub fn set_flying(&self, bytes: usize) {
        self.flying.store(bytes, Ordering::Relaxed);
    }

    /// Looks at the cache before a strategy.
    ///
    /// # Errors
    /// Why nothing can be watched, in the cache's words.
    async fn look(&self) -> Known<()> {
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
            state.count = Some(Count::from(self.evicted(ATTEMPTS).await?));
        }
        if !evicts || self.on_eviction == OnEviction::Stop {
            state.budget = budget(room, IN_FLIGHT)?;
        }
        state.looked = Some(Instant::now());
        Ok(())
    }

    /// The same entries, if there is room for all of them.
    pub fn compared<'a>(
        self: Arc<Self>,
        strategy: &'a dyn WarmupStrategy,
        limit: Option<u64>,
        entries: Entries<'a>,
    ) -> Entries<'a> {
        let mut is_first = true;
        let check = move |batch: EntryBatch| {
            let memory = Arc::clone(&self);
            let is_first = !batch.is_empty() && std::mem::take(&mut is_first);
            async move {
                if is_first {
                    memory.compare(strategy, limit, &batch).await?;
                }
                Ok(batch)
            }
        };
        entries.and_then(check).boxed()
    }

    /// The same entries, as long as they fit.
    pub fn watched<'a>(
        self: Arc<Self>,
        strategy: &'a dyn WarmupStrategy,
        entries: Entries<'a>,
    ) -> Entries<'a> {
        let check = move |batch: EntryBatch| {
            let memory = Arc::clone(&self);
            async move {
                if !batch.is_empty() {
                    memory.admit(strategy, &batch).await?;
                }
                Ok(batch)
            }
        };
        entries.and_then(check).boxed()
    }

    /// Compares a strategy's size with what is free, before any of it is written.
    async fn compare(
        &self,
        strategy: &dyn WarmupStrategy,
        limit: Option<u64>,
        batch: &EntryBatch,
    ) -> Result<(), Failure> {
        let state = self.state.lock().await;
        let Some(budget) = &state.budget else {
            return Ok(());
        };
        let one = budget.cost(batch) / batch.len() as f64;
        // What the planner thinks is enough where it is far from the limit.
        let about = strategy.estimate(limit).await.map(|about| about.keys);
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
        let mut found = self.find(strategy, batch).await;
        if found.cost(keys as f64, all) > budget.left {
            // The first keys may be the newest. If the others are gone, it is stopped under way.
            found.missing = found.missing.min(self.new_share(strategy, keys).await);
        }
        let needed = found.cost(keys as f64, all);
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

    /// The share of a strategy's keys that the last complete run did not have.
    async fn new_share(&self, strategy: &dyn WarmupStrategy, keys: u64) -> f64 {
        let counts = history::last_complete(self.cache.as_ref(), &self.prefix).await;
        let counts = counts.unwrap_or_default();
        let last = counts.get(&strategy.spec().id.to_string());
        let last = last.map_or(0, |last| last.keys.min(keys));
        1.0 - last as f64 / keys.max(1) as f64
    }

    /// Whether a batch may be written.
    async fn admit(
        &self,
        strategy: &dyn WarmupStrategy,
        batch: &EntryBatch,
    ) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        if state.is_due() {
            self.look_again(&mut state, IN_FLIGHT).await;
            if self.on_eviction == OnEviction::Stop
                && let Ok(evicted @ 1..) = self.evicted_since(&mut state, 1).await
            {
                return Err(evicts(strategy, evicted));
            }
        }
        if state.charge(batch) {
            return Ok(());
        }
        self.look_closer(strategy, batch, &mut state).await
    }

    /// Whether a batch may be written that looks like more than is left: it is less where keys are
    /// written over, or where what was on its way has long arrived.
    async fn look_closer(
        &self,
        strategy: &dyn WarmupStrategy,
        batch: &EntryBatch,
        state: &mut State,
    ) -> Result<(), Failure> {
        sleep(ARRIVED).await;
        let flying = self.flying.load(Ordering::Relaxed) as u64;
        self.look_again(state, flying).await;
        let found = self.find(strategy, batch).await;
        let Some(budget) = &mut state.budget else {
            return Ok(());
        };
        let cost = found.cost(batch.len() as f64, budget.cost(batch));
        if budget.take(cost) {
            state.found = Some(Found {
                holds_for: budget.spare,
                ..found
            });
            return Ok(());
        }
        let happens = match state.count {
            Some(_) => "evict",
            None => "refuse",
        };
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

    /// What stands already at a batch's keys; nothing, where that is not known.
    async fn find(&self, strategy: &dyn WarmupStrategy, batch: &EntryBatch) -> Found {
        let mut sample = EntryBatch::default();
        let step = batch.len().div_ceil(SAMPLE);
        batch
            .iter()
            .step_by(step)
            .for_each(|entry| sample.push(entry));
        let inspected = self.cache.inspect(&sample, strategy.spec().value).await;
        let (mut held, mut growth) = (0, 0);
        for (entry, standing) in sample.iter().zip(inspected.unwrap_or_default()) {
            if let Standing::Held(there) = standing {
                held += 1;
                growth += self.growth(entry, &there).await;
            }
        }
        Found {
            missing: 1.0 - f64::from(held) / sample.len().max(1) as f64,
            growth: growth as f64 / f64::from(held.max(1)),
            holds_for: 0.0,
        }
    }

    /// Bytes that a value is longer than the one in whose place it is written.
    async fn growth(&self, entry: Entry<'_>, there: &Held) -> u64 {
        if there.equal || self.mode == Mode::OnlyMissing {
            return 0;
        }
        let old = match there.bytes {
            Some(bytes) => bytes,
            None => match self.cache.read(entry.key).await {
                Ok(Some(cached)) => hash_bytes(&cached.value),
                Ok(None) | Err(_) => 0,
            },
        };
        let new = entry.bytes() - entry.key.len() as u64;
        new.saturating_sub(old)
    }

    /// Reads again what is left.
    async fn look_again(&self, state: &mut State, in_flight: u64) {
        state.looked = Some(Instant::now());
        let Some(former) = &mut state.budget else {
            return;
        };
        match budget(self.cache.room(&[]).await, in_flight) {
            Ok(budget) => state.budget = budget,
            // What does not answer now said before what is left.
            Err(_) => former.whole = former.left,
        }
    }

    /// Keys that were evicted since the strategy began.
    async fn evicted_since(&self, state: &mut State, attempts: usize) -> Known<u64> {
        match &mut state.count {
            Some(count) => count.hear(self.evicted(attempts).await?),
            None => Ok(0),
        }
    }

    /// The cache's count of evicted keys, asked for again where it does not answer.
    async fn evicted(&self, attempts: usize) -> Known<u64> {
        for _ in 1..attempts {
            if let Ok(evicted) = self.cache.evicted().await {
                return Ok(evicted);
            }
            sleep(ARRIVED).await;
        }
        self.cache.evicted().await
    }
}

fn hash_bytes(value: &CachedValue) -> u64 {
    match value {
        CachedValue::Hash(fields) => fields.iter().map(|(f, v)| (f.len() + v.len()) as u64).sum(),
        CachedValue::Text(_) | CachedValue::Other(_) => 0,
    }
}

/// What is left of a cache's memory; `None`: it has no limit.
fn budget(room: Room, in_flight: u64) -> Known<Option<Budget>> {
    let Some(max) = room.max? else {
        return Ok(None);
    };
    let margin = (max / MARGIN_SHARE).min(MARGIN);
    let free = max.saturating_sub(room.used?);
    let left = free.saturating_sub(margin + in_flight.min(max / 4)) as f64;
    Ok(Some(Budget {
        left,
        whole: left,
        per_key: room.overhead.map_or(USUAL_OVERHEAD, |o| o.per_key.max(0.0)),
        max,
        spare: margin.min(free) as f64 / 2.0,
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

/// A guard that was asked for and cannot see must not let everything through.
fn blind(strategy: &dyn WarmupStrategy, why: &str) -> Failure {
    let what = format!("{}: {NOT_WATCHED}", strategy.spec().id);
    let why = format!("the cache does not say what it evicts ({why}); --on-eviction is stop");
    Failure::new(FailureKind::CacheDenied, what, why)
        .hint("see that the cache answers this user INFO, or run with --on-eviction warn")
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
    /// Looks at the cache's memory before a strategy is written. Where it cannot, it says so once, or
    /// ends the run; returns whether it goes on.
    pub(super) async fn look_at_memory(&mut self, index: usize) -> bool {
        let Some(memory) = &self.memory else {
            return true;
        };
        let looked = tokio::select! {
            looked = memory.look() => looked,
            () = self.stop.stopped() => return true,
        };
        let Err(why) = looked else { return true };
        if memory.on_eviction == OnEviction::Stop {
            let strategy = self.coordinator.strategies[index].as_ref();
            self.tallies[index]
                .failure
                .get_or_insert(blind(strategy, &why));
            self.broken = true;
            return false;
        }
        let is_said = |warning: &String| warning.starts_with(NOT_WATCHED);
        if !self.warnings.iter().any(is_said) {
            let text = format!("{NOT_WATCHED}, the cache does not say: {why}");
            self.warnings.push(text);
        }
        true
    }

    /// What the cache evicted while a strategy was written.
    pub(super) async fn check_evictions(&mut self, index: usize) {
        let Some(memory) = &self.memory else { return };
        let strategy = self.coordinator.strategies[index].as_ref();
        let tally = &mut self.tallies[index];
        // Of a run that ends anyway nobody waits for it.
        let matters = tally.failure.is_none() && self.stop.reason().is_none();
        let attempts = if matters { ATTEMPTS } else { 1 };
        let mut state = memory.state.lock().await;
        let evicted = memory.evicted_since(&mut state, attempts).await;
        let failure = match (evicted, memory.on_eviction) {
            (Ok(0), _) => return,
            (Ok(keys), OnEviction::Stop) => evicts(strategy, keys),
            (Ok(keys), _) => {
                tally.evictions.keys += keys;
                return;
            }
            (Err(_), _) if !matters => return,
            (Err(why), OnEviction::Stop) => blind(strategy, &why),
            (Err(why), _) => {
                tally.evictions.unknown.get_or_insert(why);
                return;
            }
        };
        self.broken = true;
        tally.failure.get_or_insert(failure);
    }
}

impl Tally {
    /// Says once what the cache evicted while it was written, however often that was.
    pub(super) fn tell_evictions(&mut self) {
        let Evictions {
            keys,
            unknown,
            told,
        } = &mut self.evictions;
        let (id, warnings) = (&self.report.id, &mut self.report.warnings);
        if let Some(told) = told.take() {
            warnings.retain(|warning| *warning != told);
        }
        let text = match (*keys, unknown) {
            (0, None) => return,
            (0, Some(why)) => format!(
                "{id}: the cache does not say whether it evicted keys while it was written: {why}"
            ),
            (keys, None) => format!(
                "{id}: the cache evicted {keys} keys while it was written, older ones or its own"
            ),
            (keys, Some(why)) => format!(
                "{id}: the cache evicted {keys} keys while it was written, or more, it does not say: {why}"
            ),
        };
        *told = Some(text.clone());
        warnings.push(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries of 100 bytes each.
    fn batch(keys: usize) -> EntryBatch {
        let mut batch = EntryBatch::default();
        for key in 0..keys {
            let value = crate::domain::entry::Value::Text(&[b'x'; 96]);
            let key = format!("{key:04}");
            batch.push(Entry {
                key: key.as_bytes(),
                value,
                version: None,
                place: None,
                ends: &[],
            });
        }
        batch
    }

    fn state(left: f64, found: Option<Found>) -> State {
        State {
            budget: Some(Budget {
                left,
                whole: left,
                per_key: 0.0,
                max: 1_000_000,
                spare: 0.0,
            }),
            found,
            looked: Some(Instant::now()),
            ..State::default()
        }
    }

    #[test]
    fn what_was_found_holds_for_a_little() {
        let mut state = state(
            600.0,
            Some(Found {
                missing: 0.25,
                growth: 0.0,
                holds_for: 2500.0,
            }),
        );
        // A quarter of 1000 bytes each, until too much rests on it.
        assert!(state.charge(&batch(10)));
        assert!(state.charge(&batch(10)));
        assert!(!state.charge(&batch(10)));
        assert!(state.charge(&batch(1)), "this fits whatever stands there");
    }

    #[test]
    fn values_that_grow_cost_what_they_grow_by() {
        let found = Found {
            missing: 0.5,
            growth: 10.0,
            holds_for: 0.0,
        };
        assert!((found.cost(100.0, 10_000.0) - 5500.0).abs() < 1e-6);
    }

    #[test]
    fn half_of_an_estimate_is_trusted() {
        let mut state = state(1000.0, None);
        assert!(state.charge(&batch(5)) && !state.is_due());
        assert!(state.charge(&batch(1)) && state.is_due());
        // Nothing is left, and nothing was taken of it: the cache is not asked at every batch.
        assert!(!self::state(0.0, None).is_due());
    }

    #[test]
    fn a_count_that_went_back_says_nothing_any_more() {
        let mut count = Count::from(10);
        assert_eq!(count.hear(10), Ok(0));
        assert_eq!(count.hear(12), Ok(2));
        assert!(count.hear(3).is_err());
        assert!(count.hear(50).is_err());
    }
}
