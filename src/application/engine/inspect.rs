//! A dry run is a run with a cache that only reads.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use crate::application::ports::{
    Answer, Cache, Cached, Inspected, WriteOptions, WriteOutcome, Written,
};
use crate::application::run_state::options::OnEviction;
use crate::application::run_state::options::ShapeGuard;
use crate::application::run_state::options::{ChangedOptions, Options};
use crate::application::run_state::plan::OrphanSearch;
use crate::domain::entry::EntryBatch;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::form::Form;
use crate::domain::key::KeyTemplate;
use crate::domain::planned_keys::PlannedKeys;
use crate::domain::standing::{Kind, Standing};
use crate::domain::sync::lock;

/// What a dry run compares.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Equal keys with less time left are [expiring](crate::domain::standing::Class::Expiring);
    /// `None`: relative to their TTL.
    pub expiring_within: Option<Duration>,
    /// Without values nothing can be compared, and the database reads less.
    pub values: bool,
    /// Inspect at most this many keys per strategy, chosen with this seed.
    pub sample: Option<(usize, u64)>,
    /// Warn where a run would change what readers of the cache see.
    pub shape: bool,
    /// Search the cache for orphans: keys that no longer have a row.
    pub orphans: bool,
    /// Templates of strategies outside this run: their keys are not orphans.
    pub others: Vec<KeyTemplate>,
}

impl Inspection {
    /// Everything, and nothing besides the comparison.
    pub fn new(expiring_within: Option<Duration>) -> Self {
        Self {
            expiring_within,
            values: true,
            sample: None,
            shape: false,
            orphans: false,
            others: Vec::new(),
        }
    }

    /// The options of a run that only reads: each key is reported, and nothing guards the cache.
    pub fn options(&self, options: Options) -> Options {
        Options {
            values: self.values,
            sample: self.sample,
            lists_keys: true,
            skip_identical: false,
            shape: match options.shape {
                ShapeGuard::Fail | ShapeGuard::Warn if self.shape => ShapeGuard::Warn,
                _ => ShapeGuard::Off,
            },
            on_eviction: OnEviction::Ignore,
            changed: ChangedOptions { on: false, ..options.changed },
            resume: None,
            workers: None,
            ..options
        }
    }
}

/// A cache to which nothing is written: each entry is compared with what is at its key.
pub struct InspectingCache {
    /// `None`: there is nothing to compare with.
    cache: Option<Arc<dyn Cache>>,
    expiring_within: Option<Duration>,
    /// The keys of the run, where orphans are searched for.
    planned: Option<Arc<Mutex<PlannedKeys>>>,
}

impl InspectingCache {
    pub fn new(
        cache: Option<Arc<dyn Cache>>,
        inspection: &Inspection,
    ) -> (Self, Option<OrphanSearch>) {
        let searches = inspection.orphans && cache.is_some();
        let planned = searches.then(Arc::<Mutex<PlannedKeys>>::default);
        let orphans = planned
            .clone()
            .map(|planned| OrphanSearch { planned, others: inspection.others.clone() });
        let inspecting = Self { cache, expiring_within: inspection.expiring_within, planned };
        (inspecting, orphans)
    }

    fn remember(&self, batch: &EntryBatch) {
        if let Some(planned) = &self.planned {
            let mut planned = lock(planned);
            batch.iter().for_each(|entry| planned.insert(entry.key));
        }
    }

    /// One answer per entry. If the cache refuses, the run goes on without a comparison.
    async fn standings(&self, batch: &EntryBatch, form: Form) -> Result<Vec<Standing>, Failure> {
        let Some(cache) = &self.cache else {
            return Ok(vec![Standing::NotAsked; batch.len()]);
        };
        match cache.inspect(batch, form).await {
            Err(failure) if failure.kind == FailureKind::CacheDenied => {
                Ok(vec![Standing::Unknown(failure.why); batch.len()])
            }
            inspected => inspected,
        }
    }
}

#[async_trait]
impl Cache for InspectingCache {
    async fn write(&self, batch: &EntryBatch, how: &WriteOptions) -> Written {
        self.remember(batch);
        let standings = match self.standings(batch, how.form).await {
            Ok(standings) => standings,
            Err(failure) => {
                let unknown = Written::unknown(batch.len(), &failure.why);
                return Written { fatal: Some(failure), ..unknown };
            }
        };
        let kind = Kind::of(how.form.shape);
        let inspected = batch.iter().zip(standings).map(|(entry, standing)| {
            let soon = self.expiring_within;
            let soon = soon.unwrap_or_else(|| how.ttl.expiring(entry.key));
            let class = standing.class(&kind, soon);
            WriteOutcome::Inspected(Inspected { standing, class })
        });
        Written::new(inspected.collect())
    }

    async fn inspect(&self, batch: &EntryBatch, form: Form) -> Answer<Vec<Standing>> {
        self.standings(batch, form).await
    }

    async fn read(&self, key: &[u8]) -> Answer<Option<Cached>> {
        match &self.cache {
            Some(cache) => cache.read(key).await,
            None => Ok(None),
        }
    }

    fn scan<'a>(&'a self, prefix: &'a [u8]) -> BoxStream<'a, Result<Vec<Vec<u8>>, Failure>> {
        match &self.cache {
            Some(cache) => cache.scan(prefix),
            None => stream::empty().boxed(),
        }
    }

    /// Nothing is acknowledged, so nothing can be lost.
    async fn epoch(&self) -> Answer<u64> {
        Ok(0)
    }

    fn is_read_only(&self) -> bool {
        true
    }
}
