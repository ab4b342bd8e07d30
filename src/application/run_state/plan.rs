//! What a run does: its strategies in order, and where they read and write.

use std::sync::{Arc, Mutex, OnceLock};

use super::options::Options;
use super::sample::sampled;
use crate::application::pace::Pace;
use crate::application::ports::{
    Ask, Cache, Consent, Dividing, Entries, Sources, Wanted, WarmupStrategy, Workers, WriteOptions,
};
use crate::domain::checkpoint::FinishedPortions;
use crate::domain::key::KeyTemplate;
use crate::domain::planned_keys::PlannedKeys;
use crate::domain::strategy::StrategySpec;
use crate::domain::ttl::Ttl;

/// A portion for a worker is not smaller because of the rate.
const FEW_ROWS: u64 = 100;

/// The search of a cache for keys that no longer have a row.
#[derive(Clone)]
pub struct OrphanSearch {
    /// Keys that are known to have a row.
    pub planned: Arc<Mutex<PlannedKeys>>,
    /// Templates of strategies outside the run.
    pub others: Vec<KeyTemplate>,
}

/// What a run does; it does not change during the run.
pub struct RunPlan {
    /// In the order of the run.
    pub strategies: Vec<Arc<dyn WarmupStrategy>>,
    /// How long the entries of each live.
    pub ttls: Vec<Ttl>,
    /// Where entries go; in a dry run it only compares them with the cache.
    pub target: Arc<dyn Cache>,
    /// The shop's cache, if there is one.
    pub cache: Option<Arc<dyn Cache>>,
    /// The search for keys without a row.
    pub orphans: Option<OrphanSearch>,
    /// Where the strategies read, for questions about the servers.
    pub sources: Option<Sources>,
    /// Asked before keys without a row are removed.
    pub prune: Option<Arc<dyn Consent>>,
    pub pace: Pace,
    /// Who warms portions for this run.
    pub workers: OnceLock<Arc<dyn Workers>>,
    pub options: Options,
}

impl RunPlan {
    pub fn spec(&self, index: usize) -> &StrategySpec {
        self.strategies[index].spec()
    }

    /// The cache, if the run writes to it.
    pub fn written_cache(&self) -> Option<&Arc<dyn Cache>> {
        Some(&self.target).filter(|target| !target.is_read_only())
    }

    /// The entries that are wanted, or a sample of them.
    pub fn entries(&self, index: usize, keys: Wanted, in_order: bool) -> Entries<'_> {
        let ask = Ask { in_order, ..self.ask(keys, None) };
        let entries = self.strategies[index].entries(ask);
        match self.options.sample {
            Some((size, seed)) => sampled(entries, size, seed),
            None => entries,
        }
    }

    fn ask(&self, keys: Wanted, finished: Option<Arc<FinishedPortions>>) -> Ask {
        let options = &self.options;
        let shares = options.workers.unwrap_or(1).max(1);
        Ask {
            batch_size: options.batch_size,
            values: options.values,
            in_portions: options.sample.is_none().then(|| Dividing {
                // One is enough for --gentle, and for commands that only compare.
                readers: options
                    .readers
                    .or((options.lists_keys || self.pace.now().gentle).then_some(1)),
                // At a low rate a large portion would be written for long before it is verified.
                max_rows: self.pace.now().rate.map_or(u64::MAX, |rate| {
                    match self.options.workers {
                        None => rate,
                        // A worker has two at a time, and a run that ends loses what is under way.
                        Some(_) => (rate / shares / 4).max(FEW_ROWS.min(rate)),
                    }
                }),
                finished,
                workers: self.workers.get().map(Arc::clone),
            }),
            ..Ask::new(keys)
        }
    }

    /// A strategy's whole selection.
    pub fn selection(&self, index: usize) -> Entries<'_> {
        let limit = self.options.limit;
        self.entries(index, Wanted::All { limit }, false)
    }

    /// What is left of a strategy's selection.
    pub fn rest(&self, index: usize, finished: FinishedPortions) -> Entries<'_> {
        let ask = self.ask(Wanted::All { limit: None }, Some(Arc::new(finished)));
        self.strategies[index].entries(ask)
    }

    pub fn write_options(&self, index: usize) -> WriteOptions {
        WriteOptions {
            mode: self.options.mode,
            ttl: self.ttls[index].clone(),
            form: self.spec(index).into(),
            version_field: self.spec(index).version_field.clone(),
        }
    }

    /// All strategies but one.
    pub fn all_but(&self, index: usize) -> Vec<Arc<dyn WarmupStrategy>> {
        let others = self.strategies.iter().enumerate();
        let others = others.filter(|(at, _)| *at != index);
        others.map(|(_, strategy)| Arc::clone(strategy)).collect()
    }
}
