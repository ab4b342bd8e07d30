//! Watches what the cache evicts during a run: warns, ignores it, or ends the run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::time::sleep;

use crate::application::ports::{Cache, Entries, Known};
use crate::application::run_state::options::OnEviction;
use crate::application::run_state::stop::StopSignal;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::strategy::StrategyId;
use crate::domain::wording::keys;

/// How often `--on-eviction stop` checks.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// Attempts to read the counter, and the pause in between.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(50);

const NOT_WATCHED: &str = "memory is not watched";

/// Counts the keys that the cache evicts during a run.
pub struct MemoryGuard {
    cache: Arc<dyn Cache>,
    on_eviction: OnEviction,
    has_warned: bool,
    evictions: BTreeMap<StrategyId, Evictions>,
}

/// What was evicted during a strategy, over all its passes.
#[derive(Default)]
struct Evictions {
    keys: u64,
    /// Why there may have been more.
    unknown: Option<String>,
    warned: Option<String>,
}

/// The outcome of watching one pass.
#[derive(Default)]
pub struct Watched {
    /// What ends the run.
    pub failure: Option<Failure>,
    of_run: Option<String>,
    of_strategy: Option<String>,
    /// An earlier warning that `of_strategy` replaces.
    replaced: Option<String>,
}

impl MemoryGuard {
    pub fn new(cache: Arc<dyn Cache>, on_eviction: OnEviction) -> Self {
        Self { cache, on_eviction, has_warned: false, evictions: BTreeMap::new() }
    }

    /// Counts what the cache evicts while `write` writes a strategy's entries. `write` returns whether
    /// the run goes on; if not, a missing count is ignored.
    pub async fn watch<'a, W: Future<Output = bool>>(
        &mut self,
        id: &StrategyId,
        stop: &StopSignal,
        entries: Entries<'a>,
        write: impl FnOnce(Entries<'a>) -> W,
    ) -> Watched {
        let mut watched = Watched::default();
        let stops = self.on_eviction == OnEviction::Stop;
        let counter = tokio::select! {
            counter = self.counter() => counter,
            () = stop.stopped() => Ok(None),
        };
        if let Err(why) = &counter {
            if stops {
                watched.failure = Some(blind(id, why));
                return watched;
            }
            let is_told = std::mem::replace(&mut self.has_warned, true);
            let text = format!("{NOT_WATCHED}, the cache does not report it: {why}");
            watched.of_run = (!is_told).then_some(text);
        }
        let Ok(Some(counter)) = counter else {
            write(entries).await;
            return watched;
        };
        let entries = if stops { counter.until_evictions(id, entries) } else { entries };
        let goes_on = write(entries).await;
        let attempts = if goes_on { ATTEMPTS } else { 1 };
        match counter.evicted(attempts).await {
            Ok(0) => {}
            Ok(keys) if stops => watched.failure = Some(evicts(id, keys)),
            Err(_) if !goes_on => {}
            Err(why) if stops => watched.failure = Some(blind(id, &why)),
            evicted => {
                let all = self.evictions.entry(id.clone()).or_default();
                watched.replaced = all.warned.take();
                all.add(evicted);
                all.warned = Some(all.warning(id));
                watched.of_strategy.clone_from(&all.warned);
            }
        }
        watched
    }

    /// Counts from now on; `None`: there is nothing to count.
    async fn counter(&self) -> Known<Option<Counter>> {
        if self.on_eviction == OnEviction::Ignore {
            return Ok(None);
        }
        let headroom = self.cache.headroom().await;
        if headroom.max?.is_none() || headroom.policy? == "noeviction" {
            return Ok(None);
        }
        let mut counter = Counter { cache: Arc::clone(&self.cache), at_start: 0 };
        counter.at_start = counter.evicted(ATTEMPTS).await?;
        Ok(Some(counter))
    }
}

impl Watched {
    /// Adds the warnings to those of the run and the strategy.
    pub fn tell(&mut self, of_run: &mut Vec<String>, of_strategy: &mut Vec<String>) {
        of_run.extend(self.of_run.take());
        if let Some(replaced) = self.replaced.take() {
            of_strategy.retain(|warning| *warning != replaced);
        }
        of_strategy.extend(self.of_strategy.take());
    }
}

impl Evictions {
    fn add(&mut self, evicted: Known<u64>) {
        match evicted {
            Ok(keys) => self.keys += keys,
            Err(why) => self.unknown = Some(why),
        }
    }

    fn warning(&self, id: &StrategyId) -> String {
        match (self.keys, &self.unknown) {
            (0, Some(why)) => format!(
                "{id}: the cache does not report whether it evicted keys while this strategy was written: {why}"
            ),
            (evicted, None) => format!(
                "{id}: the cache evicted {} while this strategy was written (possibly its own)",
                keys(evicted)
            ),
            (evicted, Some(why)) => format!(
                "{id}: the cache evicted at least {} while this strategy was written; it does not report how many: {why}",
                keys(evicted)
            ),
        }
    }
}

/// The cache's counter of evicted keys, from a moment on.
#[derive(Clone)]
struct Counter {
    cache: Arc<dyn Cache>,
    at_start: u64,
}

impl Counter {
    /// How many it has evicted since; retries.
    async fn evicted(&self, attempts: u32) -> Known<u64> {
        let mut count = self.cache.evicted().await;
        for _ in 1..attempts {
            if count.is_err() {
                sleep(PAUSE).await;
                count = self.cache.evicted().await;
            }
        }
        let since = count?.checked_sub(self.at_start);
        since.ok_or_else(|| "its count of evicted keys was reset".to_owned())
    }

    /// The same entries, until keys are evicted.
    fn until_evictions<'a>(&self, id: &StrategyId, entries: Entries<'a>) -> Entries<'a> {
        let (counter, id) = (self.clone(), id.clone());
        let mut looked = Instant::now();
        let look = move |batch| {
            let is_due = looked.elapsed() >= CHECK_EVERY;
            if is_due {
                looked = Instant::now();
            }
            let (counter, id) = (counter.clone(), id.clone());
            async move {
                let evicted = if is_due { counter.evicted(1).await } else { Ok(0) };
                match evicted {
                    Ok(keys @ 1..) => Err(evicts(&id, keys)),
                    // Asked again at the end.
                    _ => Ok(batch),
                }
            }
        };
        entries.and_then(look).boxed()
    }
}

fn evicts(id: &StrategyId, evicted: u64) -> Failure {
    let what = format!("{id}: the cache evicts keys");
    let why = format!("{} since this strategy began; --on-eviction is stop", keys(evicted));
    Failure::new(FailureKind::CacheRefused, what, why)
        .hint("raise maxmemory, or warm less: --limit, --exclude, a lower LIMIT in the query")
}

/// A guard that cannot see must not let everything through.
fn blind(id: &StrategyId, why: &str) -> Failure {
    let what = format!("{id}: {NOT_WATCHED}");
    let why = format!("the cache does not report evictions ({why}); --on-eviction is stop");
    Failure::new(FailureKind::CacheDenied, what, why)
        .hint("allow this user to run INFO, or use --on-eviction warn")
}
