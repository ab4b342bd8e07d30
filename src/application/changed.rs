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
use std::time::Duration;

use foldhash::quality::FixedState;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::own_keys::chunk::Chunk;
use super::own_keys::{self, Adopter, Generation};
use super::pace::Pace;
use super::ports::{Ask, Cache, Wanted, WarmupStrategy, Way};
use crate::domain::changes::Since;
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

/// Generations are compared key by key up to this size, at about 8 bytes a key.
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
    full: Mutex<Option<String>>,
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

    /// Whether some keys were found to live long enough and were not given their time again.
    pub fn left_alone(&self) -> bool {
        self.left_alone.load(Ordering::Relaxed)
    }

    fn all_is_read(&self, why: String) {
        self.unchanged.store(0, Ordering::Relaxed);
        self.left_alone.store(false, Ordering::Relaxed);
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
    /// Everything is to be read instead.
    Full(String),
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

    fn keys(&self, generation: &Generation) -> BoxStream<'_, Result<Vec<Vec<u8>>, Failure>> {
        own_keys::keys(self.cache.as_ref(), &self.prefix, generation)
    }

    /// Loads keys and hands them on. Those that have no row, or nothing to store, are removed where
    /// `is_ours` says (of a key's hash) that this tool wrote them; their hashes are returned.
    async fn load(
        &self,
        names: &[String],
        is_ours: impl Fn(u64) -> bool,
        out: &Sender,
    ) -> Result<HashSet<u64>, Stop> {
        let mut nowhere = HashSet::new();
        // Of a text a row may be there with nothing to store: such a key counts as ever.
        let tells_absent = self.strategy.spec().value == Shape::Text;
        for window in names.chunks(WINDOW) {
            let mut absent: HashSet<u64> = window.iter().map(|key| hash(key.as_bytes())).collect();
            let mut failed: HashSet<String> = HashSet::new();
            let mut entries = self.strategy.entries(Ask {
                keys: Wanted::Named(window.iter().cloned().map(Name::from).collect()),
                batch_size: self.batch_size,
                values: true,
                from_primary: true,
                places: false,
            });
            while let Some(mut batch) = entries.try_next().await.map_err(Stop::Failed)? {
                for entry in batch.iter() {
                    absent.remove(&hash(entry.key));
                }
                failed.extend(batch.failed.iter().map(|failure| failure.key.clone()));
                if !tells_absent {
                    batch.absent.clear();
                }
                send(out, batch).await?;
            }
            let mut gone: Vec<&[u8]> = window.iter().map(String::as_bytes).collect();
            gone.retain(|key| absent.contains(&hash(key)) && !failed.contains(&printable(key)));
            nowhere.extend(gone.iter().map(|key| hash(key)));
            gone.retain(|key| is_ours(hash(key)));
            self.remove(&gone).await?;
        }
        Ok(nowhere)
    }

    /// Removes keys whose rows have left the selection.
    async fn remove(&self, keys: &[&[u8]]) -> Result<(), Stop> {
        for keys in keys.chunks(self.batch_size.max(1)) {
            let removed = self.cache.remove(keys).await.map_err(Stop::Failed)?;
            let removed = removed.into_iter().filter(|was_there| *was_there).count();
            self.told
                .removed
                .fetch_add(removed as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Forgets what needs no looking at any more: all of it has been removed, or is in the
    /// generation that this run leaves.
    async fn forget_others(&self) {
        for generation in self.ground.others.iter().filter(|other| other.complete) {
            let forgotten = own_keys::forget(self.cache.as_ref(), &self.prefix, generation).await;
            if let Err(failure) = forgotten {
                tracing::debug!(%failure, "an old list of keys stays until it ends");
            }
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
    keys: &[Vec<u8>],
    ttl: Ttl,
    renewed: Option<Duration>,
) -> Result<Touched, Failure> {
    let slices: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
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
    for (key, is_there) in slices.into_iter().zip(is_there) {
        if !is_there {
            missing.push(key.to_vec());
            continue;
        }
        there += 1;
        chunk.push(key);
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

    async fn touch(&mut self, keys: Vec<Vec<u8>>) -> Result<(), Stop> {
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

/// By the rows that have changed.
struct Rows<'a> {
    reload: &'a Reload,
    /// To be loaded: the keys of rows that have changed, in the selection or not.
    names: Vec<String>,
    /// Their hashes, and whether this tool wrote them.
    changed: HashMap<u64, bool>,
}

impl<'a> Rows<'a> {
    fn new(reload: &'a Reload) -> Self {
        Self {
            reload,
            names: Vec::new(),
            changed: HashMap::new(),
        }
    }

    async fn read(mut self, out: &Sender) -> Result<(), Stop> {
        self.find_changed().await?;
        let (missing, known) = self.keep_the_rest().await?;
        self.look_at_others(&known).await?;
        let reload = self.reload;
        reload.check_names(self.names.len() + missing.len())?;
        let is_ours = |hash| self.changed.get(&hash) == Some(&true);
        reload.load(&self.names, is_ours, out).await?;
        // What has no row any more is not there either.
        reload.load(&missing, |_| false, out).await?;
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
                if self.changed.insert(hash(entry.key), false).is_none() {
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
        let mut keys = reload.keys(&reload.ground.generation);
        while let Some(mut group) = keys.try_next().await? {
            group.retain(|key| {
                let hash = hash(key);
                if compares {
                    known.push(hash);
                }
                match self.changed.get_mut(&hash) {
                    Some(is_ours) => {
                        *is_ours = true;
                        false
                    }
                    None => true,
                }
            });
            touching.touch(group).await?;
            reload.check_names(self.names.len() + touching.missing.len())?;
        }
        known.sort_unstable();
        Ok((touching.finish().await?, known))
    }

    /// What other generations have besides is asked for too: the database says whether it is to be
    /// written or to be removed.
    async fn look_at_others(&mut self, known: &[u64]) -> Result<(), Stop> {
        let reload = self.reload;
        for other in &reload.ground.others {
            let mut keys = reload.keys(other);
            while let Some(group) = keys.try_next().await? {
                for key in group {
                    let hash = hash(&key);
                    if known.binary_search(&hash).is_err()
                        && self.changed.insert(hash, true).is_none()
                    {
                        self.names.push(name(&key)?);
                    }
                }
                reload.check_names(self.names.len())?;
            }
        }
        Ok(())
    }
}

/// By the keys of the whole selection.
struct Keys<'a> {
    reload: &'a Reload,
    /// The hashes of the keys of the generation, sorted; and of each whether it is in the selection
    /// still.
    known: Vec<u64>,
    seen: Vec<bool>,
    /// Of the whole selection, sorted; where there are other generations.
    selection: Vec<u64>,
    /// To be loaded: keys that have changed, and new ones.
    names: Vec<String>,
    /// Of the selection, and nothing to store.
    nowhere: HashSet<u64>,
}

impl<'a> Keys<'a> {
    fn new(reload: &'a Reload) -> Self {
        Self {
            reload,
            known: Vec::new(),
            seen: Vec::new(),
            selection: Vec::new(),
            names: Vec::new(),
            nowhere: HashSet::new(),
        }
    }

    async fn read(mut self, out: &Sender) -> Result<(), Stop> {
        let reload = self.reload;
        self.read_known().await?;
        let missing = self.read_selection(out).await?;
        reload.check_names(self.names.len() + missing.len())?;
        // A row may have left the selection a moment ago.
        let is_ours = |hash: u64| self.known.binary_search(&hash).is_ok();
        let nowhere = reload.load(&self.names, is_ours, out).await?;
        self.nowhere = nowhere;
        reload.load(&missing, |_| false, out).await?;
        self.remove_what_left(out).await?;
        reload.forget_others().await;
        Ok(())
    }

    async fn read_known(&mut self) -> Result<(), Stop> {
        let reload = self.reload;
        if reload.ground.generation.keys > MOST_COMPARED {
            return Err(Stop::Full(
                "it has too many keys to compare them all".to_owned(),
            ));
        }
        let mut keys = reload.keys(&reload.ground.generation);
        while let Some(group) = keys.try_next().await? {
            self.known.extend(group.iter().map(|key| hash(key)));
        }
        self.known.sort_unstable();
        self.known.dedup();
        self.seen = vec![false; self.known.len()];
        Ok(())
    }

    /// Gives the keys of the selection that have not changed their time again. Returns those that
    /// were not there.
    async fn read_selection(&mut self, out: &Sender) -> Result<Vec<String>, Stop> {
        let reload = self.reload;
        let compares = !reload.ground.others.is_empty();
        let tracked = reload.strategy.tracked().map_err(Stop::Full)?;
        let mut changes = tracked.changes(Way::Keys, reload.ground.since, reload.batch_size);
        let mut touching = Touching::new(reload);
        let mut group: Vec<Vec<u8>> = Vec::new();
        while let Some(mut batch) = changes.try_next().await? {
            for entry in batch.iter() {
                let hash = hash(entry.key);
                if compares {
                    self.selection.push(hash);
                }
                let known = self.known.binary_search(&hash);
                if let Ok(at) = known {
                    self.seen[at] = true;
                }
                if has_changed(&entry) || known.is_err() {
                    self.names.push(name(entry.key)?);
                } else {
                    group.push(entry.key.to_vec());
                }
            }
            if group.len() >= GROUP {
                touching.touch(std::mem::take(&mut group)).await?;
            }
            reload.check_names(self.names.len() + touching.missing.len())?;
            // A key that cannot be made fails as ever.
            let mut failed = EntryBatch::default();
            failed.failed.append(&mut batch.failed);
            send(out, failed).await?;
        }
        touching.touch(group).await?;
        self.selection.sort_unstable();
        touching.finish().await
    }

    /// Removes the keys that are not in the selection any more.
    async fn remove_what_left(&self, out: &Sender) -> Result<(), Stop> {
        let reload = self.reload;
        let mut keys = reload.keys(&reload.ground.generation);
        while let Some(group) = keys.try_next().await? {
            let left = group.iter().map(Vec::as_slice).filter(|key| {
                let at = self.known.binary_search(&hash(key));
                at.is_ok_and(|at| !self.seen[at])
            });
            reload.remove(&left.collect::<Vec<_>>()).await?;
        }
        for other in &reload.ground.others {
            let mut keys = reload.keys(other);
            while let Some(mut group) = keys.try_next().await? {
                group.retain(|key| {
                    let hash = hash(key);
                    let is_selected = self.selection.binary_search(&hash).is_ok()
                        && !self.nowhere.contains(&hash);
                    self.known.binary_search(&hash).is_err() && !is_selected
                });
                self.remove_others(&group, other.complete, out).await?;
            }
        }
        Ok(())
    }

    /// What a complete run has written has left the selection since. What others have may have been
    /// asked for by name and be there on purpose: as long as it has a row it stays until it ends.
    async fn remove_others(
        &self,
        keys: &[Vec<u8>],
        was_selected: bool,
        out: &Sender,
    ) -> Result<(), Stop> {
        let reload = self.reload;
        let mut gone: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        if !was_selected && !keys.is_empty() {
            let names = keys.iter().map(|key| Ok(name(key)?.into()));
            let names = names.collect::<Result<_, Stop>>()?;
            let mut entries = reload.strategy.entries(Ask {
                keys: Wanted::Named(names),
                batch_size: reload.batch_size,
                values: false,
                from_primary: false,
                places: false,
            });
            let mut rows: HashSet<Vec<u8>> = HashSet::new();
            let mut failed: HashSet<String> = HashSet::new();
            while let Some(batch) = entries.try_next().await.map_err(Stop::Failed)? {
                rows.extend(batch.iter().map(|entry| entry.key.to_vec()));
                failed.extend(batch.failed.into_iter().map(|failure| failure.key));
            }
            gone.retain(|key| !rows.contains(*key) && !failed.contains(&printable(key)));
        }
        // Nobody may be left to hear of it.
        if out.is_closed() {
            return Err(Stop::Unwanted);
        }
        reload.remove(&gone).await
    }
}
