//! Keys that earlier runs wrote and whose rows are gone: found in what these runs have left, asked
//! of the database by name, and removed where somebody agrees. Nothing is ever found by a pattern.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;

use super::changed::not_removed;
use super::{Coordinator, Run, Task, keep};
use crate::application::own_keys::chunk::Kept;
use crate::application::own_keys::pile::Pile;
use crate::application::own_keys::{self, Generation};
use crate::application::ports::{Ask, Cache, Mode, WarmupStrategy};
use crate::application::removal::Removal;
use crate::domain::digest::Digest;
use crate::domain::entry::Name;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::printable;
use crate::domain::report::Status;

/// Keys that the database is asked about together.
const WINDOW: usize = 2_000;

/// Somebody who can say whether keys may be removed.
pub trait Consent: Send + Sync {
    /// Asked once in a run, where there is anything to remove; a run that is stopped does not wait.
    fn may_remove<'a>(&'a self, found: &'a [Prunable]) -> BoxFuture<'a, bool>;
}

/// The keys of a strategy that have no row any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prunable {
    /// `catalog/hot-products`.
    pub strategy: String,
    pub keys: u64,
    /// The first of them, as they can be shown.
    pub first: Vec<String>,
}

/// What was found for one strategy.
struct Found {
    index: usize,
    told: Prunable,
    keys: Pile,
}

/// A key that an earlier run wrote, and what it wrote there.
type Written = (String, Digest);

impl Found {
    fn new(index: usize, strategy: String) -> Self {
        Self {
            index,
            told: Prunable {
                strategy,
                keys: 0,
                first: Vec::new(),
            },
            keys: Pile::default(),
        }
    }

    fn push(&mut self, (key, digest): Written) {
        self.told.keys += 1;
        keep(&mut self.told.first, || printable(key.as_bytes()));
        let key = key.into_bytes();
        self.keys.push(&Kept { key, digest });
    }
}

/// The keys of a pile, as text.
fn windows(keys: Pile) -> impl Iterator<Item = Vec<Written>> {
    let text = |kept: Kept| Some((String::from_utf8(kept.key).ok()?, kept.digest));
    keys.windows()
        .map(move |window| window.into_iter().filter_map(text).collect())
}

impl Coordinator {
    /// Removes, after a complete run, the keys of earlier ones whose rows are gone, where `consent`
    /// agrees.
    #[must_use]
    pub fn pruning(mut self, consent: Arc<dyn Consent>) -> Self {
        self.prune = Some(consent);
        self
    }

    /// The strategies of the run but one.
    pub(super) fn all_but(&self, index: usize) -> Vec<Arc<dyn WarmupStrategy>> {
        let others = self.strategies.iter().enumerate();
        let others = others.filter(|(at, _)| *at != index);
        others.map(|(_, strategy)| Arc::clone(strategy)).collect()
    }

    /// Those of some keys that no row has now.
    async fn gone(&self, index: usize, keys: Vec<Written>) -> Result<Vec<Written>, Failure> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let names = keys.iter().map(|(key, _)| Name::from(key.clone()));
        let mut batches = self.strategies[index].entries(
            Ask::named(names)
                .batch_size(self.options.batch_size)
                .keys_only()
                .from_primary(),
        );
        // They are named as they are shown: two that look alike are not told apart, and stay.
        let mut alike: HashMap<String, u32> = HashMap::new();
        for (key, _) in &keys {
            *alike.entry(printable(key.as_bytes())).or_default() += 1;
        }
        let mut absent: HashSet<String> = HashSet::new();
        while let Some(batch) = batches.try_next().await? {
            absent.extend(batch.absent);
        }
        let is_gone = |(key, _): &Written| {
            let shown = printable(key.as_bytes());
            absent.contains(&shown) && alike.get(&shown) == Some(&1)
        };
        Ok(keys.into_iter().filter(is_gone).collect())
    }

    /// What was found without what this run has written itself, where that was more than could be
    /// remembered.
    async fn without_own(
        &self,
        found: Found,
        cache: &dyn Cache,
        run_id: &str,
    ) -> Result<Found, Failure> {
        let mut gone: HashMap<String, Digest> = windows(found.keys).flatten().collect();
        let prefix = &self.options.prefix;
        let id = found.told.strategy;
        let mut is_known = false;
        for generation in own_keys::generations(cache, prefix, Some(&id)).await? {
            if generation.run_id == run_id {
                is_known = generation.complete || self.options.mode == Mode::OnlyMissing;
                let mut keys = own_keys::keys(cache, prefix, &generation);
                while let Some(some) = keys.try_next().await? {
                    for key in some {
                        if let Ok(key) = std::str::from_utf8(&key) {
                            gone.remove(key);
                        }
                    }
                }
            }
        }
        if !is_known {
            let what = "which keys this run has written is not known";
            let why = "what it should have left of them is not there";
            return Err(Failure::new(FailureKind::CacheRefused, what, why));
        }
        let mut rest = Found::new(found.index, id);
        gone.into_iter().for_each(|key| rest.push(key));
        Ok(rest)
    }
}

impl Run<'_> {
    /// Finds what may be removed, asks, and removes it.
    pub(super) async fn prune(&mut self) {
        let coordinator = self.coordinator;
        let (Some(consent), Task::Warm(cache)) = (&coordinator.prune, &coordinator.task) else {
            return;
        };
        let mut found = Vec::new();
        for index in 0..self.tallies.len() {
            if !self.is_complete(index) {
                let id = &self.tallies[index].report.id;
                let why = format!("nothing is pruned of {id}: it was not warmed as a whole");
                self.tallies[index].report.warnings.push(why);
                continue;
            }
            match self.find(index, cache.as_ref()).await {
                Ok(some) => found.push(some),
                Err(failure) => self.not_pruned(index, failure),
            }
        }
        found.retain(|found| found.told.keys > 0);
        let told: Vec<Prunable> = found.iter().map(|found| found.told.clone()).collect();
        if told.is_empty() || self.stop.reason().is_some() {
            return;
        }
        let agreed = tokio::select! {
            agreed = consent.may_remove(&told) => agreed,
            () = self.stop.stopped() => false,
        };
        if !agreed {
            let keys: u64 = told.iter().map(|told| told.keys).sum();
            let why = format!("nothing was pruned: nobody agreed to remove {keys} keys");
            self.warnings.push(why);
            return;
        }
        for found in found {
            let index = found.index;
            if let Err(failure) = self.remove(found, cache.as_ref()).await {
                self.not_pruned(index, failure);
            }
        }
    }

    fn not_pruned(&mut self, index: usize, failure: Failure) {
        let report = &mut self.tallies[index].report;
        report.status = Status::Failed(Failure {
            what: format!("{} was not pruned: {}", report.id, failure.what),
            ..failure
        });
    }

    /// The keys that earlier runs left for a strategy, this one did not write, and no row has.
    async fn find(&mut self, index: usize, cache: &dyn Cache) -> Result<Found, Failure> {
        let coordinator = self.coordinator;
        let prefix = &coordinator.options.prefix;
        let spec = coordinator.strategies[index].spec();
        let id = spec.id.to_string();
        let mut found = Found::new(index, id.clone());
        let run_id = self.run_id.clone().unwrap_or_default();
        let mut window = Vec::new();
        for generation in own_keys::generations(cache, prefix, Some(&id)).await? {
            if generation.run_id == run_id {
                continue;
            }
            let mut keys = own_keys::kept(cache, prefix, &generation);
            while let Some(some) = self.next_keys(index, &mut keys, &generation).await {
                for Kept { key, digest } in some {
                    // A key that is no text, or that the definition does not make any more, cannot
                    // be asked for.
                    let is_new = !self.planned.contains(&key);
                    if let (true, Ok(key)) = (is_new, String::from_utf8(key))
                        && spec.key.makes(&key)
                    {
                        self.planned.insert(key.as_bytes());
                        window.push((key, digest));
                    }
                    if window.len() == WINDOW {
                        let gone = coordinator.gone(index, std::mem::take(&mut window)).await?;
                        gone.into_iter().for_each(|key| found.push(key));
                    }
                }
                if self.stop.reason().is_some() {
                    return Ok(found);
                }
            }
        }
        let gone = coordinator.gone(index, window).await?;
        gone.into_iter().for_each(|key| found.push(key));
        match self.planned.is_full() {
            true => coordinator.without_own(found, cache, &run_id).await,
            false => Ok(found),
        }
    }

    /// The next keys of a generation. One that cannot be read is left: its keys end by themselves.
    async fn next_keys(
        &mut self,
        index: usize,
        keys: &mut futures_util::stream::BoxStream<'_, Result<Vec<Kept>, Failure>>,
        generation: &Generation,
    ) -> Option<Vec<Kept>> {
        match keys.try_next().await {
            Ok(some) => some,
            Err(failure) => {
                let run = &generation.run_id;
                let why = format!("keys of the run {run} are not pruned: {}", failure.why);
                self.tallies[index].report.warnings.push(why);
                None
            }
        }
    }

    /// Removes keys. Time has passed: those that have a row again stay.
    async fn remove(&mut self, found: Found, cache: &dyn Cache) -> Result<(), Failure> {
        let (coordinator, index) = (self.coordinator, found.index);
        let others = coordinator.all_but(index);
        let removal = Removal {
            cache,
            others: &others,
        };
        let mut left = 0;
        for window in windows(found.keys) {
            for keys in window.chunks(WINDOW) {
                if self.stop.reason().is_some() {
                    return Ok(());
                }
                let gone = coordinator.gone(index, keys.to_vec()).await?.into_iter();
                let gone = gone.map(|(key, digest)| Kept {
                    key: key.into_bytes(),
                    digest,
                });
                let removed = removal.remove(gone.collect()).await?;
                left += removed.left;
                self.tallies[index].report.stats.pruned += removed.removed;
            }
        }
        self.tallies[index]
            .report
            .warnings
            .extend(not_removed(left));
        Ok(())
    }
}
