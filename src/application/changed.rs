//! Reading only what changed.
//!
//! What a full run would do is done with less reading: the keys that an earlier run has left (its
//! *generation*) are given their time again, those that changed or are not in the cache are loaded
//! and written as ever, those that have left the selection are removed. Whatever does not fit
//! together ends in a full read, and the reason is told.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use foldhash::quality::FixedState;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::own_keys::chunk::{Chunk, Kept};
use super::own_keys::pile::Pile;
use super::own_keys::{self, Adopter, Generation};
use super::pace::Pace;
use super::ports::{Ask, Cache, Wanted, WarmupStrategy, Way};
use super::removal::Removal;
use crate::domain::changes::Since;
use crate::domain::digest::Digest;
use crate::domain::entry::{Entry, EntryBatch, Name, Value};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::printable;
use crate::domain::strategy::Shape;
use crate::domain::ttl::Ttl;

/// Where more than one key in so many is to be loaded by name, everything is read instead.
const WORTH_IT: u64 = 5;

/// More keys than this are not loaded by name either: they are held in memory until it is known how
/// many they are.
const MOST_NAMES: usize = 200_000;

/// Generations are compared key by key up to this size, at about 24 bytes a key.
const MOST_COMPARED: u64 = 4_000_000;

/// Keys that are loaded by name together.
const WINDOW: usize = 2_000;

/// Groups of keys that are given their time at once, and the keys of a group.
const TOUCHES: usize = 4;
const GROUP: usize = 4_096;

/// Fewer keys than this are given their time again in any case: it costs nothing.
const LARGE_GROUP: usize = 1_024;

/// Chunks of keys that are kept in one step.
const ADOPTED: usize = 16;

/// Batches that wait for the engine.
const READ_AHEAD: usize = 2;

/// What an earlier complete run has left, and how to go on from there.
pub struct Ground {
    pub way: Way,
    pub since: Since,
    /// All keys of the selection of then.
    pub generation: Generation,
    /// Others of the same strategy: what is in them may be in the cache still.
    pub others: Vec<Generation>,
    /// So long ago all keys were given their time, where that is too short a time to matter.
    pub renewed: Option<Duration>,
}

/// What is done beside the entries, to be read while it goes on.
#[derive(Default)]
pub struct Told {
    unchanged: AtomicU64,
    removed: AtomicU64,
    not_removed: AtomicU64,
    full: Mutex<Option<String>>,
    reads_keys: AtomicBool,
    left_alone: AtomicBool,
}

impl Told {
    /// Keys that were there and were given their time again.
    pub fn unchanged(&self) -> u64 {
        self.unchanged.load(Ordering::Relaxed)
    }

    pub fn removed(&self) -> u64 {
        self.removed.load(Ordering::Relaxed)
    }

    /// Keys that have left the selection and stay: somebody else has written them since, or makes
    /// them too.
    pub fn not_removed(&self) -> u64 {
        self.not_removed.load(Ordering::Relaxed)
    }

    /// Whether the keys of the whole selection were read although changed rows were to be enough.
    pub fn reads_keys(&self) -> bool {
        self.reads_keys.load(Ordering::Relaxed)
    }

    /// Whether some keys were found to live long enough and were not given their time again.
    pub fn left_alone(&self) -> bool {
        self.left_alone.load(Ordering::Relaxed)
    }

    fn begin_anew(&self) {
        self.unchanged.store(0, Ordering::Relaxed);
        self.left_alone.store(false, Ordering::Relaxed);
    }

    fn all_is_read(&self, why: String) {
        self.begin_anew();
        *self.full.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// Why everything was read after all.
    pub fn full(&self) -> Option<String> {
        let full = self.full.lock();
        full.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A strategy that is warmed by its changes.
pub struct Reload {
    pub strategy: Arc<dyn WarmupStrategy>,
    /// The other strategies of the run.
    pub others: Vec<Arc<dyn WarmupStrategy>>,
    pub cache: Arc<dyn Cache>,
    pub prefix: String,
    pub ttl: Ttl,
    pub batch_size: usize,
    pub ground: Ground,
    /// Takes the keys that stay.
    pub adopter: Adopter,
    pub pace: Pace,
    pub told: Arc<Told>,
}

/// Why changes are not read to their end.
enum Stop {
    /// Everything is to be read instead. Never once entries have been handed on: they would count
    /// twice.
    Full(String),
    /// Rows have gone that no changed row tells of: the keys of the selection are to be read.
    Deleted,
    Failed(Failure),
    /// Nobody listens any more.
    Unwanted,
}

impl From<Failure> for Stop {
    /// A server that is gone is no better asked for everything; what it refuses may be.
    fn from(failure: Failure) -> Self {
        match failure.kind {
            FailureKind::Query | FailureKind::CacheRefused | FailureKind::CacheDenied => {
                Self::Full(failure.to_string())
            }
            _ => Self::Failed(failure),
        }
    }
}

type Sender = mpsc::Sender<Result<EntryBatch, Failure>>;

async fn send(out: &Sender, batch: EntryBatch) -> Result<(), Stop> {
    match batch.is_void() {
        true => Ok(()),
        false => out.send(Ok(batch)).await.map_err(|_| Stop::Unwanted),
    }
}

impl Reload {
    /// The entries that are to be written; all else is done while they are asked for. Dropping the
    /// stream ends it.
    pub fn entries(self) -> BoxStream<'static, Result<EntryBatch, Failure>> {
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        let mut working = JoinSet::new();
        working.spawn(async move { self.work(&sender).await });
        stream::unfold(
            (receiver, working),
            |(mut receiver, mut working)| async move {
                if let Some(batch) = receiver.recv().await {
                    return Some((batch, (receiver, working)));
                }
                // An end that is none must not look like one.
                let ended = working.join_next().await?;
                let failure = match ended {
                    Ok(Ok(())) => return None,
                    Ok(Err(failure)) => failure,
                    Err(error) => Failure::new(
                        FailureKind::Internal,
                        "reading changes failed",
                        error.to_string(),
                    ),
                };
                Some((Err(failure), (receiver, working)))
            },
        )
        .boxed()
    }

    async fn work(&self, out: &Sender) -> Result<(), Failure> {
        let done = match self.ground.way {
            Way::Rows => Rows::new(self).read(out).await,
            Way::Keys => Keys::new(self).read(out).await,
        };
        let done = match done {
            Err(Stop::Deleted) => {
                self.told.begin_anew();
                self.told.reads_keys.store(true, Ordering::Relaxed);
                self.adopter.begin_anew().await;
                Keys::new(self).read(out).await
            }
            done => done,
        };
        let done = match done {
            Err(Stop::Full(why)) => self.read_all(why, out).await,
            done => done,
        };
        match done {
            Ok(()) | Err(Stop::Unwanted) => Ok(()),
            Err(Stop::Failed(failure)) => Err(failure),
            Err(Stop::Full(why)) => {
                let what = "reading everything failed";
                Err(Failure::new(FailureKind::Query, what, why))
            }
            Err(Stop::Deleted) => {
                let what = "reading changes failed";
                let why = "rows go while their keys are read";
                Err(Failure::new(FailureKind::Internal, what, why))
            }
        }
    }

    /// Does as if nothing had been read yet; what was removed had to go anyway.
    async fn read_all(&self, why: String, out: &Sender) -> Result<(), Stop> {
        tracing::info!(id = %self.strategy.spec().id, why, "reading everything");
        self.told.all_is_read(why);
        self.adopter.begin_anew().await;
        let mut entries = self.strategy.entries(Ask {
            keys: Wanted::All { limit: None },
            batch_size: self.batch_size,
            values: true,
            from_primary: false,
            places: true,
        });
        while let Some(batch) = entries.next().await {
            // Here the kind decides what becomes of the run, as ever.
            let batch = batch.map_err(Stop::Failed)?;
            send(out, batch).await?;
        }
        Ok(())
    }

    /// So many keys may be loaded by name.
    fn most_names(&self) -> usize {
        let share = self.ground.generation.keys / WORTH_IT;
        usize::try_from(share).map_or(MOST_NAMES, |share| share.min(MOST_NAMES))
    }

    fn check_names(&self, names: usize) -> Result<(), Stop> {
        match names > self.most_names() {
            true => Err(Stop::Full(format!(
                "more keys have changed or are missing than are worth asking for one by one ({} of {})",
                self.most_names(),
                self.ground.generation.keys,
            ))),
            false => Ok(()),
        }
    }

    fn keys(&self, generation: &Generation) -> BoxStream<'_, Result<Vec<Kept>, Failure>> {
        own_keys::kept(self.cache.as_ref(), &self.prefix, generation)
    }

    /// Hands the keys of a generation to `take`, some at a time. A list that is gone is forgotten, so
    /// that it is in the way of this run only.
    async fn each_key(
        &self,
        generation: &Generation,
        mut take: impl FnMut(Vec<Kept>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let mut keys = self.keys(generation);
        loop {
            match keys.try_next().await {
                Ok(Some(group)) => take(group)?,
                Ok(None) => return Ok(()),
                Err(failure) => return Err(self.unreadable(generation, failure).await),
            }
        }
    }

    async fn unreadable(&self, generation: &Generation, failure: Failure) -> Stop {
        if failure.kind == FailureKind::CacheRefused {
            self.forget(generation).await;
        }
        failure.into()
    }

    /// Loads keys and hands them on. Those that have no row, or nothing to store, are removed where
    /// this tool wrote them: `ours` gives the digest of the value that it wrote, of a key's hash.
    async fn load(
        &self,
        names: &[String],
        ours: impl Fn(u64) -> Option<Digest>,
        out: &Sender,
    ) -> Result<(), Stop> {
        // Of a text a row may be there with nothing to store: such a key counts as ever.
        let tells_absent = self.strategy.spec().value == Shape::Text;
        for window in names.chunks(WINDOW) {
            let mut found: HashSet<u64> = HashSet::new();
            let mut absent: HashSet<String> = HashSet::new();
            let mut entries = self.strategy.entries(Ask {
                keys: Wanted::Named(window.iter().cloned().map(Name::from).collect()),
                batch_size: self.batch_size,
                values: true,
                from_primary: true,
                places: false,
            });
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
                Some(Kept { key, digest })
            });
            self.remove(gone.collect()).await?;
        }
        Ok(())
    }

    /// Removes keys whose rows have left the selection.
    async fn remove(&self, keys: Vec<Kept>) -> Result<(), Stop> {
        let removal = Removal {
            cache: self.cache.as_ref(),
            others: &self.others,
        };
        let removed = removal.remove(keys).await.map_err(Stop::Failed)?;
        let told = &self.told;
        told.removed.fetch_add(removed.removed, Ordering::Relaxed);
        told.not_removed.fetch_add(removed.left, Ordering::Relaxed);
        Ok(())
    }

    /// Forgets what needs no looking at any more: all of it has been removed, or is in the
    /// generation that this run leaves.
    async fn forget_others(&self) {
        for generation in self.ground.others.iter().filter(|other| other.complete) {
            self.forget(generation).await;
        }
    }

    async fn forget(&self, generation: &Generation) {
        let forgotten = own_keys::forget(self.cache.as_ref(), &self.prefix, generation).await;
        if let Err(failure) = forgotten {
            tracing::debug!(%failure, "an old list of keys stays until it ends");
        }
    }
}

fn hash(key: &[u8]) -> u64 {
    FixedState::default().hash_one(key)
}

/// A key that is to be asked for. All come of texts that a database gave.
fn name(key: &[u8]) -> Result<String, Stop> {
    match std::str::from_utf8(key) {
        Ok(key) => Ok(key.to_owned()),
        Err(_) => Err(Stop::Full(format!("{} is no text", printable(key)))),
    }
}

fn has_changed(entry: &Entry<'_>) -> bool {
    entry.value != Value::Text(b"0")
}

/// Keys that are given their time again, a few groups at a time.
struct Touching<'a> {
    reload: &'a Reload,
    groups: JoinSet<Result<Touched, Failure>>,
    /// Keys that were not there.
    missing: Vec<String>,
    /// Those that were, as they are kept, until they are worth handing on.
    chunks: Vec<Vec<u8>>,
    there: u64,
}

/// A group of keys that was.
struct Touched {
    /// Those that are there, as they are kept.
    chunks: Vec<Vec<u8>>,
    there: u64,
    missing: Vec<Vec<u8>>,
    left_alone: bool,
}

/// Gives keys their time again; many at once that have been given it a moment ago (`renewed`) only
/// where that is not to be seen.
async fn touched(
    cache: &dyn Cache,
    keys: &[Kept],
    ttl: Ttl,
    renewed: Option<Duration>,
) -> Result<Touched, Failure> {
    let slices: Vec<&[u8]> = keys.iter().map(|kept| kept.key.as_slice()).collect();
    let left_alone = match renewed {
        Some(ago) if keys.len() >= LARGE_GROUP => cache.lives_on(&slices, &ttl, ago).await?,
        _ => false,
    };
    let is_there = match left_alone {
        true => vec![true; slices.len()],
        false => cache.touch(&slices, ttl).await?,
    };
    let (mut chunks, mut chunk) = (Vec::new(), Chunk::default());
    let (mut there, mut missing) = (0, Vec::new());
    for (kept, is_there) in keys.iter().zip(is_there) {
        if !is_there {
            missing.push(kept.key.clone());
            continue;
        }
        there += 1;
        chunk.push(&kept.key, kept.digest);
        if chunk.is_full() {
            chunks.push(chunk.take());
        }
    }
    if chunk.keys() > 0 {
        chunks.push(chunk.take());
    }
    Ok(Touched {
        chunks,
        there,
        missing,
        left_alone,
    })
}

impl<'a> Touching<'a> {
    fn new(reload: &'a Reload) -> Self {
        Self {
            reload,
            groups: JoinSet::new(),
            missing: Vec::new(),
            chunks: Vec::new(),
            there: 0,
        }
    }

    async fn touch(&mut self, keys: Vec<Kept>) -> Result<(), Stop> {
        if keys.is_empty() {
            return Ok(());
        }
        let paced = self.reload.pace.now().rate;
        let most = if paced.is_some() { 1 } else { TOUCHES };
        while self.groups.len() >= most {
            self.heed().await?;
        }
        if let Some(rate) = paced {
            let due = keys.len() as f64 / rate.max(1) as f64;
            tokio::time::sleep(Duration::from_secs_f64(due)).await;
        }
        let (cache, ttl) = (Arc::clone(&self.reload.cache), self.reload.ttl.clone());
        let renewed = self.reload.ground.renewed;
        self.groups
            .spawn(async move { touched(cache.as_ref(), &keys, ttl, renewed).await });
        Ok(())
    }

    /// Waits for a group; `false`: none is under way.
    async fn heed(&mut self) -> Result<bool, Stop> {
        let Some(group) = self.groups.join_next().await else {
            return Ok(false);
        };
        let group = group.map_err(|error| {
            let what = "giving keys their time again failed";
            Stop::Failed(Failure::new(FailureKind::Internal, what, error.to_string()))
        })??;
        let told = &self.reload.told;
        told.unchanged.fetch_add(group.there, Ordering::Relaxed);
        told.left_alone
            .fetch_or(group.left_alone, Ordering::Relaxed);
        self.chunks.extend(group.chunks);
        self.there += group.there;
        if self.chunks.len() >= ADOPTED {
            self.hand_on().await;
        }
        for key in &group.missing {
            self.missing.push(name(key)?);
        }
        Ok(true)
    }

    async fn hand_on(&mut self) {
        let (chunks, there) = (std::mem::take(&mut self.chunks), self.there);
        self.there = 0;
        self.reload.adopter.adopt(chunks, there).await;
    }

    /// The keys that were not there.
    async fn finish(mut self) -> Result<Vec<String>, Stop> {
        while self.heed().await? {}
        self.hand_on().await;
        Ok(self.missing)
    }
}

/// What this tool wrote last at a key, of all the generations that have it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wrote {
    at: SystemTime,
    digest: Digest,
}

/// By the rows that have changed.
struct Rows<'a> {
    reload: &'a Reload,
    /// To be loaded: the keys of rows that have changed, in the selection or not.
    names: Vec<String>,
    /// Their hashes, and what this tool wrote there, if it did.
    changed: HashMap<u64, Option<Wrote>>,
    /// Keys of the generation whose rows have not changed.
    unchanged: u64,
}

impl<'a> Rows<'a> {
    fn new(reload: &'a Reload) -> Self {
        Self {
            reload,
            names: Vec::new(),
            changed: HashMap::new(),
            unchanged: 0,
        }
    }

    async fn read(mut self, out: &Sender) -> Result<(), Stop> {
        self.find_changed().await?;
        let (missing, known) = self.keep_the_rest().await?;
        self.look_at_others(&known).await?;
        let reload = self.reload;
        reload.check_names(self.names.len() + missing.len())?;
        self.check_deleted().await?;
        let ours = |hash| self.changed.get(&hash).copied().flatten();
        let ours = |hash| ours(hash).map(|wrote| wrote.digest);
        reload.load(&self.names, ours, out).await?;
        // What has no row any more is not there either.
        reload.load(&missing, |_| None, out).await?;
        reload.forget_others().await;
        Ok(())
    }

    async fn find_changed(&mut self) -> Result<(), Stop> {
        let reload = self.reload;
        let tracked = reload.strategy.tracked().map_err(Stop::Full)?;
        let mut changes = tracked.changes(Way::Rows, reload.ground.since, reload.batch_size);
        while let Some(batch) = changes.try_next().await? {
            if let Some(failure) = batch.failed.first() {
                return Err(Stop::Full(format!("{}: {}", failure.key, failure.error)));
            }
            for entry in batch.iter() {
                if self.changed.insert(hash(entry.key), None).is_none() {
                    self.names.push(name(entry.key)?);
                }
            }
            reload.check_names(self.names.len())?;
        }
        Ok(())
    }

    /// Gives the keys of the generation that have not changed their time again. Returns those that
    /// were not there; and, where there are others to be compared with it, the hashes of all keys,
    /// sorted.
    async fn keep_the_rest(&mut self) -> Result<(Vec<String>, Vec<u64>), Stop> {
        let reload = self.reload;
        let compares = !reload.ground.others.is_empty();
        let mut known = Vec::new();
        let mut touching = Touching::new(reload);
        let generation = &reload.ground.generation;
        let mut keys = reload.keys(generation);
        loop {
            let group = match keys.try_next().await {
                Ok(Some(group)) => group,
                Ok(None) => break,
                Err(failure) => return Err(reload.unreadable(generation, failure).await),
            };
            let mut rest = Vec::with_capacity(group.len());
            for kept in group {
                let hash = hash(&kept.key);
                if compares {
                    known.push(hash);
                }
                if !self.note(hash, generation, kept.digest) {
                    rest.push(kept);
                }
            }
            self.unchanged += rest.len() as u64;
            touching.touch(rest).await?;
            reload.check_names(self.names.len() + touching.missing.len())?;
        }
        known.sort_unstable();
        Ok((touching.finish().await?, known))
    }

    /// Notes what a generation wrote at a key that is to be loaded; `false`: it is not.
    fn note(&mut self, hash: u64, generation: &Generation, digest: Digest) -> bool {
        let Some(wrote) = self.changed.get_mut(&hash) else {
            return false;
        };
        let at = generation.began_at;
        *wrote = (*wrote).max(Some(Wrote { at, digest }));
        true
    }

    /// What other generations have besides is asked for too: the database says whether it is to be
    /// written or to be removed.
    async fn look_at_others(&mut self, known: &[u64]) -> Result<(), Stop> {
        let reload = self.reload;
        for other in &reload.ground.others {
            let take = |group: Vec<Kept>| {
                for kept in group {
                    let hash = hash(&kept.key);
                    if known.binary_search(&hash).is_err() && !self.changed.contains_key(&hash) {
                        self.changed.insert(hash, None);
                        self.names.push(name(&kept.key)?);
                    }
                    self.note(hash, other, kept.digest);
                }
                reload.check_names(self.names.len())
            };
            reload.each_key(other, take).await?;
        }
        Ok(())
    }

    /// A row that was deleted has no `_changed_at`: there are fewer rows then than keys that were
    /// kept.
    async fn check_deleted(&self) -> Result<(), Stop> {
        let tracked = self.reload.strategy.tracked().map_err(Stop::Full)?;
        let there = tracked.unchanged(self.reload.ground.since).await?;
        match there < self.unchanged {
            true => Err(Stop::Deleted),
            false => Ok(()),
        }
    }
}

/// A key that some generation has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    hash: u64,
    wrote: Wrote,
    /// Of the selection of the last complete run.
    was_selected: bool,
}

/// By the keys of the whole selection.
struct Keys<'a> {
    reload: &'a Reload,
    /// The keys of all generations, sorted; and of each whether it is in the selection still.
    known: Vec<Known>,
    seen: Vec<bool>,
    /// To be loaded: keys that have changed, and new ones.
    names: Vec<String>,
    /// Rows of which no key can be made.
    failed: EntryBatch,
}

/// Keys that are not in the selection any more.
#[derive(Default)]
struct Left {
    /// To be removed.
    gone: Pile,
    /// The same, unless there is a row.
    unless_there: Pile,
}

impl<'a> Keys<'a> {
    fn new(reload: &'a Reload) -> Self {
        Self {
            reload,
            known: Vec::new(),
            seen: Vec::new(),
            names: Vec::new(),
            failed: EntryBatch::default(),
        }
    }

    async fn read(mut self, out: &Sender) -> Result<(), Stop> {
        let reload = self.reload;
        self.read_known().await?;
        let missing = self.read_selection().await?;
        reload.check_names(self.names.len() + missing.len())?;
        let left = self.what_left().await?;
        send(out, std::mem::take(&mut self.failed)).await?;
        // A row may have left the selection a moment ago.
        let ours = |hash| self.wrote(hash).map(|wrote| wrote.digest);
        reload.load(&self.names, ours, out).await?;
        reload.load(&missing, |_| None, out).await?;
        self.remove(left, out).await?;
        reload.forget_others().await;
        Ok(())
    }

    async fn read_known(&mut self) -> Result<(), Stop> {
        let reload = self.reload;
        let ground = &reload.ground;
        let generations: Vec<&Generation> =
            ground.others.iter().chain([&ground.generation]).collect();
        let keys = generations.iter().map(|generation| generation.keys);
        if keys.sum::<u64>() > MOST_COMPARED {
            let why = "it has too many keys to compare them all";
            return Err(Stop::Full(why.to_owned()));
        }
        for generation in generations {
            let was_selected = generation.run_id == ground.generation.run_id;
            let at = generation.began_at;
            let take = |group: Vec<Kept>| {
                self.known.extend(group.iter().map(|kept| Known {
                    hash: hash(&kept.key),
                    wrote: Wrote {
                        at,
                        digest: kept.digest,
                    },
                    was_selected,
                }));
                Ok(())
            };
            reload.each_key(generation, take).await?;
        }
        self.known.sort_unstable();
        self.seen = vec![false; self.known.len()];
        Ok(())
    }

    /// The places of a key among those that are known.
    fn places(&self, hash: u64) -> std::ops::Range<usize> {
        let start = self.known.partition_point(|known| known.hash < hash);
        let same = self.known[start..].iter();
        start..start + same.take_while(|known| known.hash == hash).count()
    }

    /// What this tool wrote last at a key; `None`: nothing that is known.
    fn wrote(&self, hash: u64) -> Option<Wrote> {
        let known = &self.known[self.places(hash)];
        known.iter().map(|known| known.wrote).max()
    }

    /// Gives the keys of the selection that have not changed their time again. Returns those that
    /// were not there.
    async fn read_selection(&mut self) -> Result<Vec<String>, Stop> {
        let reload = self.reload;
        let tracked = reload.strategy.tracked().map_err(Stop::Full)?;
        let mut changes = tracked.changes(Way::Keys, reload.ground.since, reload.batch_size);
        let mut touching = Touching::new(reload);
        let mut group: Vec<Kept> = Vec::new();
        while let Some(mut batch) = changes.try_next().await? {
            for entry in batch.iter() {
                let key = name(entry.key)?;
                let places = self.places(hash(entry.key));
                self.seen[places.clone()].fill(true);
                let known = &self.known[places];
                let was_selected = known.iter().any(|known| known.was_selected);
                let wrote = known.iter().map(|known| known.wrote).max();
                // Of a key that can be read in several ways another row may be meant by now.
                let stays = !has_changed(&entry) && was_selected && tracked.has_one_reading(&key);
                match wrote.filter(|_| stays) {
                    Some(Wrote { digest, .. }) => group.push(Kept {
                        key: key.into_bytes(),
                        digest,
                    }),
                    None => self.names.push(key),
                }
            }
            if group.len() >= GROUP {
                touching.touch(std::mem::take(&mut group)).await?;
            }
            self.failed.failed.append(&mut batch.failed);
            let known = self.names.len() + touching.missing.len() + self.failed.failed.len();
            reload.check_names(known)?;
        }
        touching.touch(group).await?;
        touching.finish().await
    }

    /// The keys that are not in the selection any more. What a complete run has written has left it
    /// since. What others have may have been asked for by name and be there on purpose: as long as it
    /// has a row it stays until it ends.
    async fn what_left(&self) -> Result<Left, Stop> {
        let (reload, mut left) = (self.reload, Left::default());
        let ground = &reload.ground;
        let generations: Vec<&Generation> = [&ground.generation]
            .into_iter()
            .chain(&ground.others)
            .collect();
        for generation in generations {
            let is_first = generation.run_id == ground.generation.run_id;
            let take = |group: Vec<Kept>| {
                for kept in group {
                    let places = self.places(hash(&kept.key));
                    let known = &self.known[places.clone()];
                    let was_selected = known.iter().any(|known| known.was_selected);
                    let is_seen = self.seen[places].iter().any(|seen| *seen);
                    if is_seen || (was_selected && !is_first) {
                        continue;
                    }
                    let digest = known.iter().map(|known| known.wrote).max();
                    let digest = digest.map_or(kept.digest, |wrote| wrote.digest);
                    let kept = Kept { digest, ..kept };
                    match generation.complete {
                        true => left.gone.push(&kept),
                        false => left.unless_there.push(&kept),
                    }
                }
                Ok(())
            };
            reload.each_key(generation, take).await?;
        }
        Ok(left)
    }

    async fn remove(&self, left: Left, out: &Sender) -> Result<(), Stop> {
        for keys in left.gone.windows() {
            self.remove_some(keys, out).await?;
        }
        for keys in left.unless_there.windows() {
            let names = keys.iter().cloned();
            let names = names.filter_map(|kept| String::from_utf8(kept.key).ok());
            let mut entries = self.reload.strategy.entries(Ask {
                keys: Wanted::Named(names.map(Name::from).collect()),
                batch_size: self.reload.batch_size,
                values: false,
                from_primary: true,
                places: false,
            });
            let mut found: HashSet<u64> = HashSet::new();
            let mut absent: HashSet<String> = HashSet::new();
            while let Some(batch) = entries.try_next().await.map_err(Stop::Failed)? {
                found.extend(batch.iter().map(|entry| hash(entry.key)));
                absent.extend(batch.absent);
            }
            let is_gone = |kept: &Kept| {
                !found.contains(&hash(&kept.key)) && absent.contains(&printable(&kept.key))
            };
            let gone = keys.into_iter().filter(is_gone);
            self.remove_some(gone.collect(), out).await?;
        }
        Ok(())
    }

    async fn remove_some(&self, keys: Vec<Kept>, out: &Sender) -> Result<(), Stop> {
        // Nobody may be left to hear of it.
        match out.is_closed() {
            true => Err(Stop::Unwanted),
            false => self.reload.remove(keys).await,
        }
    }
}
