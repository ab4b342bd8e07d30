//! What both ways of reading changes share.

use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use foldhash::quality::FixedState;
use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;

use crate::application::keys::chunk::RecordedKey;
use crate::application::keys::manifest::{self, KeyManifest};
use crate::application::keys::recorder::Adopter;
use crate::application::keys::removal::Removal;
use crate::application::pace::Pace;
use crate::application::ports::{Ask, Cache, ChangeScan, WarmupStrategy};
use crate::domain::changes::Since;
use crate::domain::digest::Digest;
use crate::domain::entry::EntryBatch;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::printable;
use crate::domain::strategy::Shape;
use crate::domain::sync::lock;
use crate::domain::ttl::Ttl;

/// If more than one key in this many must be loaded by name, everything is read instead.
const WORTH_IT: u64 = 5;

/// The same above this many keys: they are held in memory until their number is known.
const MAX_NAMES: usize = 200_000;

/// Keys that are loaded by name together.
const WINDOW: usize = 2_000;

/// What an earlier complete run has left, and how to continue from there.
pub(super) struct ReloadBaseline {
    pub scan: ChangeScan,
    pub since: Since,
    /// All keys of the selection at that time.
    pub manifest: KeyManifest,
    /// Other manifests of the strategy: their keys may still be in the cache.
    pub others: Vec<KeyManifest>,
    /// How long ago all TTLs were refreshed; `None`: they must be refreshed now.
    pub renewed: Option<Duration>,
}

/// What happened besides the entries.
#[derive(Default)]
pub(super) struct ReloadProgress {
    unchanged: AtomicU64,
    removed: AtomicU64,
    not_removed: AtomicU64,
    full: Mutex<Option<String>>,
    reads_keys: AtomicBool,
    left_alone: AtomicBool,
}

impl ReloadProgress {
    /// Keys that were there and were given their time again.
    pub(super) fn unchanged(&self) -> u64 {
        self.unchanged.load(Ordering::Relaxed)
    }

    pub(super) fn removed(&self) -> u64 {
        self.removed.load(Ordering::Relaxed)
    }

    /// Keys that have left the selection and stay: somebody else has written them since, or makes
    /// them too.
    pub(super) fn not_removed(&self) -> u64 {
        self.not_removed.load(Ordering::Relaxed)
    }

    /// Whether the keys of the whole selection were read although changed rows were to be enough.
    pub(super) fn reads_keys(&self) -> bool {
        self.reads_keys.load(Ordering::Relaxed)
    }

    /// Whether some keys were found to live long enough and were not given their time again.
    pub(super) fn left_alone(&self) -> bool {
        self.left_alone.load(Ordering::Relaxed)
    }

    fn restart(&self) {
        self.unchanged.store(0, Ordering::Relaxed);
        self.left_alone.store(false, Ordering::Relaxed);
    }

    pub(super) fn keys_are_read(&self) {
        self.restart();
        self.reads_keys.store(true, Ordering::Relaxed);
    }

    pub(super) fn count_unchanged(&self, keys: u64, left_alone: bool) {
        self.unchanged.fetch_add(keys, Ordering::Relaxed);
        self.left_alone.fetch_or(left_alone, Ordering::Relaxed);
    }

    pub(super) fn all_is_read(&self, why: String) {
        self.restart();
        *lock(&self.full) = Some(why);
    }

    /// Why everything was read after all.
    pub(super) fn full(&self) -> Option<String> {
        lock(&self.full).clone()
    }
}

/// A strategy that is warmed by its changes.
pub(super) struct Reload {
    pub strategy: Arc<dyn WarmupStrategy>,
    /// The other strategies of the run.
    pub others: Vec<Arc<dyn WarmupStrategy>>,
    pub cache: Arc<dyn Cache>,
    pub prefix: String,
    pub ttl: Ttl,
    pub batch_size: usize,
    pub baseline: ReloadBaseline,
    /// Takes the keys that stay.
    pub adopter: Adopter,
    pub pace: Pace,
    pub progress: Arc<ReloadProgress>,
}

/// Why changes are not read to their end.
pub(super) enum Stop {
    /// Everything must be read instead. Never after entries were handed on: they would count twice.
    Full(String),
    /// Rows were deleted: the keys of the selection must be read.
    Deleted,
    Failed(Failure),
    /// The reader has gone.
    Unwanted,
}

impl From<Failure> for Stop {
    /// A full read may succeed where a server refused, but not where it is gone.
    fn from(failure: Failure) -> Self {
        match failure.may_fit_a_full_read() {
            true => Self::Full(failure.to_string()),
            false => Self::Failed(failure),
        }
    }
}

pub(super) type Sender = mpsc::Sender<Result<EntryBatch, Failure>>;

pub(super) async fn send(out: &Sender, batch: EntryBatch) -> Result<(), Stop> {
    if batch.is_void() { Ok(()) } else { out.send(Ok(batch)).await.map_err(|_| Stop::Unwanted) }
}

impl Reload {
    /// How many keys may be loaded by name.
    pub(super) fn max_names(&self) -> usize {
        let share = self.baseline.manifest.keys / WORTH_IT;
        usize::try_from(share).map_or(MAX_NAMES, |share| share.min(MAX_NAMES))
    }

    pub(super) fn check_names(&self, names: usize) -> Result<(), Stop> {
        match names > self.max_names() {
            true => Err(Stop::Full(format!(
                "too many keys have changed or are missing to look them up one by one (at most {} of {})",
                self.max_names(),
                self.baseline.manifest.keys,
            ))),
            false => Ok(()),
        }
    }

    pub(super) fn keys(
        &self,
        manifest: &KeyManifest,
    ) -> BoxStream<'_, Result<Vec<RecordedKey>, Failure>> {
        manifest::entries(self.cache.as_ref(), &self.prefix, manifest)
    }

    /// Hands the keys of a manifest to `take`, some at a time. Forgets an unreadable manifest, so that
    /// it hinders this run only.
    pub(super) async fn each_key(
        &self,
        manifest: &KeyManifest,
        mut take: impl FnMut(Vec<RecordedKey>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let mut keys = self.keys(manifest);
        loop {
            match keys.try_next().await {
                Ok(Some(group)) => take(group)?,
                Ok(None) => return Ok(()),
                Err(failure) => return Err(self.unreadable(manifest, failure).await),
            }
        }
    }

    pub(super) async fn unreadable(&self, manifest: &KeyManifest, failure: Failure) -> Stop {
        if failure.kind == FailureKind::CacheRefused {
            self.forget(manifest).await;
        }
        failure.into()
    }

    /// Loads keys and hands them on. Removes those without a row or a value that this tool wrote:
    /// `ours` maps a key's hash to the digest of that value.
    pub(super) async fn load(
        &self,
        names: &[String],
        ours: impl Fn(u64) -> Option<Digest>,
        out: &Sender,
    ) -> Result<(), Stop> {
        // A text may be NULL: such a key counts as in a full run.
        let tells_absent = self.strategy.spec().value == Shape::Text;
        for window in names.chunks(WINDOW) {
            let mut found: HashSet<u64> = HashSet::new();
            let mut absent: HashSet<String> = HashSet::new();
            let mut entries = self.strategy.entries(
                Ask::named(window.iter().cloned()).batch_size(self.batch_size).from_primary(),
            );
            while let Some(mut batch) = entries.try_next().await.map_err(Stop::Failed)? {
                found.extend(batch.iter().map(|entry| hash(entry.key)));
                absent.extend(batch.absent.iter().cloned());
                if !tells_absent {
                    batch.absent.clear();
                }
                send(out, batch).await?;
            }
            let gone = window
                .iter()
                .map(String::as_bytes)
                .filter(|key| !found.contains(&hash(key)) && absent.contains(&printable(key)));
            let gone = gone.filter_map(|key| {
                let (key, digest) = (key.to_vec(), ours(hash(key))?);
                Some(RecordedKey { key, digest })
            });
            self.remove(gone.collect()).await?;
        }
        Ok(())
    }

    /// Removes keys that have left the selection.
    pub(super) async fn remove(&self, keys: Vec<RecordedKey>) -> Result<(), Stop> {
        let removal = Removal { cache: self.cache.as_ref(), others: &self.others };
        let removed = removal.remove(keys).await.map_err(Stop::Failed)?;
        let progress = &self.progress;
        progress.removed.fetch_add(removed.removed, Ordering::Relaxed);
        progress.not_removed.fetch_add(removed.left, Ordering::Relaxed);
        Ok(())
    }

    /// Forgets complete older manifests: their keys were removed, or are in this run's manifest.
    pub(super) async fn forget_others(&self) {
        for manifest in self.baseline.others.iter().filter(|other| other.complete) {
            self.forget(manifest).await;
        }
    }

    pub(super) async fn forget(&self, manifest: &KeyManifest) {
        manifest::forget_quietly(self.cache.as_ref(), &self.prefix, manifest).await;
    }
}

pub(super) fn hash(key: &[u8]) -> u64 {
    FixedState::default().hash_one(key)
}

/// A key to ask for, as text.
pub(super) fn name(key: &[u8]) -> Result<String, Stop> {
    match std::str::from_utf8(key) {
        Ok(key) => Ok(key.to_owned()),
        Err(_) => Err(Stop::Full(format!("{} is not text", printable(key)))),
    }
}

/// What this tool last wrote at a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wrote {
    pub(super) at: SystemTime,
    pub(super) digest: Digest,
}
