//! Which keys this tool has written: what runs leave beside the entries, so that later ones know
//! what is theirs.
//!
//! A run leaves a *generation* for each strategy: a list of [`Chunk`]s of the keys that the cache
//! acknowledged, in the order of writing, which ends when the last of them does; and a field in a
//! hash that says what is known of it. It is written while the run goes on, a chunk at a time,
//! beside the entries. A run that dies leaves what it had.

pub mod chunk;
pub mod pile;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::history::OWN;
use super::ports::{Cache, CachedValue};
use crate::domain::digest::Digest;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::run::RunInfo;
use chunk::{Chunk, Kept};

/// Chunks that wait to be written. A cache that takes the entries takes these much sooner.
const WAITING_CHUNKS: usize = 32;

/// Chunks that are read together.
const READ_CHUNKS: usize = 4;

/// Older generations of a strategy are kept while they hold no more than so many times the keys of
/// the newest complete one, or [`KEPT_KEYS`].
const KEPT_TIMES: u64 = 3;
const KEPT_KEYS: u64 = 100_000;

/// Generations of a strategy that are kept.
const KEPT_GENERATIONS: usize = 50;

/// The hash of all generations.
fn index_key(prefix: &str) -> String {
    format!("{prefix}{OWN}keys")
}

/// The keys that one run left for one strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// `catalog/hot-products`.
    pub strategy: String,
    pub run_id: String,
    /// How many; one that was written twice counts twice.
    pub keys: u64,
    /// When the run began.
    pub began_at: SystemTime,
    /// When the last of them had been written.
    pub ended_at: SystemTime,
    /// When the last of them ends.
    pub expires_at: SystemTime,
    /// These are all keys of the strategy's selection, whatever was in the cache before.
    pub complete: bool,
}

/// What stands in the hash's field.
#[derive(Serialize, Deserialize)]
struct Known {
    keys: u64,
    #[serde(with = "rfc3339")]
    began_at: SystemTime,
    #[serde(with = "rfc3339")]
    ended_at: SystemTime,
    #[serde(with = "rfc3339")]
    expires_at: SystemTime,
    complete: bool,
}

/// Times as text, in milliseconds.
mod rfc3339 {
    use std::time::SystemTime;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(at: &SystemTime, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&humantime::format_rfc3339_millis(*at))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_rfc3339(&text).map_err(serde::de::Error::custom)
    }
}

impl Generation {
    /// Where its keys are.
    fn key(&self, prefix: &str) -> String {
        format!("{prefix}{OWN}keys:{}:{}", self.strategy, self.run_id)
    }

    fn field(&self) -> String {
        format!("{} {}", self.strategy, self.run_id)
    }

    fn value(&self) -> String {
        let known = Known {
            keys: self.keys,
            began_at: self.began_at,
            ended_at: self.ended_at,
            expires_at: self.expires_at,
            complete: self.complete,
        };
        serde_json::to_string(&known).unwrap_or_default()
    }

    fn read(field: &[u8], value: &[u8]) -> Option<Self> {
        let (strategy, run_id) = std::str::from_utf8(field).ok()?.split_once(' ')?;
        let known: Known = serde_json::from_slice(value).ok()?;
        Some(Self {
            strategy: strategy.to_owned(),
            run_id: run_id.to_owned(),
            keys: known.keys,
            began_at: known.began_at,
            ended_at: known.ended_at,
            expires_at: known.expires_at,
            complete: known.complete,
        })
    }

    fn is_over(&self, now: SystemTime) -> bool {
        self.expires_at <= now
    }
}

/// Everything in the hash, newest first, what is over too.
async fn index(cache: &dyn Cache, prefix: &str) -> Result<Vec<Generation>, Failure> {
    let key = index_key(prefix);
    let fields = match cache.read(key.as_bytes()).await?.map(|cached| cached.value) {
        Some(CachedValue::Hash(fields)) => fields,
        None => return Ok(Vec::new()),
        Some(_) => {
            let what = format!("{key} does not say which keys runs have written");
            let why = format!("{key} holds something else than the tool's own hash");
            return Err(Failure::new(FailureKind::CacheRefused, what, why)
                .hint("delete that key; the next run writes it again"));
        }
    };
    let mut all: Vec<Generation> = fields
        .iter()
        .filter_map(|(field, value)| Generation::read(field, value))
        .collect();
    all.sort_by(|a, b| (b.began_at, &b.run_id).cmp(&(a.began_at, &a.run_id)));
    Ok(all)
}

/// The generations that have not ended, newest first: of one strategy (by its id), or of all.
///
/// # Errors
/// The cache's.
pub async fn generations(
    cache: &dyn Cache,
    prefix: &str,
    strategy: Option<&str>,
) -> Result<Vec<Generation>, Failure> {
    let now = SystemTime::now();
    let mut all = index(cache, prefix).await?;
    all.retain(|generation| {
        !generation.is_over(now) && strategy.is_none_or(|id| generation.strategy == id)
    });
    Ok(all)
}

/// The keys of a generation in the order of writing, some at a time. One may come twice, and some
/// may not be in the cache any more.
///
/// # Errors
/// The cache's, or a part of the list is gone: then these are not all.
pub fn keys<'a>(
    cache: &'a dyn Cache,
    prefix: &str,
    generation: &Generation,
) -> BoxStream<'a, Result<Vec<Vec<u8>>, Failure>> {
    let kept = kept(cache, prefix, generation);
    let keys = kept.map_ok(|kept| kept.into_iter().map(|kept| kept.key).collect());
    keys.boxed()
}

/// The same, with what was written at each key.
///
/// # Errors
/// As of [`keys`].
pub fn kept<'a>(
    cache: &'a dyn Cache,
    prefix: &str,
    generation: &Generation,
) -> BoxStream<'a, Result<Vec<Kept>, Failure>> {
    let list = generation.key(prefix);
    let (id, expected) = (generation.field(), generation.keys);
    let chunks = stream::try_unfold((0, 0, false), move |(first, found, ended)| {
        let (list, id) = (list.clone(), id.clone());
        async move {
            if ended {
                return Ok(None);
            }
            let chunks = cache
                .meta()
                .range(list.as_bytes(), first, READ_CHUNKS)
                .await?;
            let ended = chunks.len() < READ_CHUNKS;
            let mut keys = Vec::with_capacity(chunks.len());
            for chunk in &chunks {
                let read = chunk::read(chunk);
                keys.push(read.map_err(|why| unreadable(&id, &why.to_string()))?);
            }
            let found = found + keys.iter().map(Vec::len).sum::<usize>() as u64;
            if ended && found < expected {
                return Err(unreadable(&id, "a part of them is gone"));
            }
            Ok::<_, Failure>(Some((keys, (first + chunks.len(), found, ended))))
        }
    });
    chunks
        .map_ok(|chunks| stream::iter(chunks).map(Ok))
        .try_flatten()
        .boxed()
}

fn unreadable(generation: &str, why: &str) -> Failure {
    let what = format!("the keys that {generation} has written are not known");
    Failure::new(FailureKind::CacheRefused, what, why)
        .hint("the next complete run leaves them anew")
}

/// Forgets a generation. Its keys stay.
///
/// # Errors
/// The cache's.
pub async fn forget(
    cache: &dyn Cache,
    prefix: &str,
    generation: &Generation,
) -> Result<(), Failure> {
    forget_all(cache, prefix, std::slice::from_ref(generation)).await
}

async fn forget_all(cache: &dyn Cache, prefix: &str, gone: &[Generation]) -> Result<(), Failure> {
    if gone.is_empty() {
        return Ok(());
    }
    let fields: Vec<String> = gone.iter().map(Generation::field).collect();
    let lists: Vec<String> = gone.iter().map(|g| g.key(prefix)).collect();
    let lists: Vec<&[u8]> = lists.iter().map(String::as_bytes).collect();
    // In this order: a list that nobody knows of ends by itself.
    let index = index_key(prefix);
    cache
        .meta()
        .delete_fields(index.as_bytes(), &fields)
        .await?;
    cache.remove(&lists).await.map(drop)
}

/// Those that need not be kept: what is over, and of a strategy what its newer ones stand for.
/// `all`: newest first.
fn superfluous(all: &[Generation], now: SystemTime) -> Vec<Generation> {
    let mut gone = Vec::new();
    let mut strategies: BTreeMap<&str, Vec<&Generation>> = BTreeMap::new();
    for generation in all {
        match generation.is_over(now) {
            true => gone.push(generation.clone()),
            false => strategies
                .entry(&generation.strategy)
                .or_default()
                .push(generation),
        }
    }
    for of_one in strategies.into_values() {
        let newest_complete = of_one.iter().position(|generation| generation.complete);
        let room = newest_complete.map_or(u64::MAX, |at| {
            of_one[at].keys.saturating_mul(KEPT_TIMES).max(KEPT_KEYS)
        });
        let mut older = 0_u64;
        for (at, generation) in of_one.into_iter().enumerate() {
            if newest_complete.is_some_and(|complete| at > complete) {
                older = older.saturating_add(generation.keys);
            }
            let is_needed = newest_complete == Some(at);
            if !is_needed && (older > room || at >= KEPT_GENERATIONS) {
                gone.push(generation.clone());
            }
        }
    }
    gone
}

/// A strategy of a run that writes.
pub struct Recorded {
    /// `catalog/hot-products`.
    pub strategy: String,
    /// How long a key lives at most.
    pub ttl: Duration,
}

/// Leaves the generations of one run, beside what the run does: nothing waits for it.
pub struct Recorder {
    open: Vec<Chunk>,
    steps: mpsc::Sender<Step>,
    /// Too much was waiting: from there on nothing is kept.
    overrun: bool,
    writer: JoinSet<Result<(), Failure>>,
}

/// Hands on keys of one strategy beside its [`Recorder`], many at a time, and waits where they are
/// too many: none is lost.
pub struct Adopter {
    strategy: usize,
    steps: mpsc::Sender<Step>,
    /// Leaves room for what the recorder hands on, which does not wait.
    room: Arc<Semaphore>,
}

impl Adopter {
    /// Takes whole chunks with so many keys, which are in the cache already.
    pub async fn adopt(&self, chunks: Vec<Vec<u8>>, keys: u64) {
        let room = Arc::clone(&self.room).acquire_owned().await;
        if let Ok(room) = room
            && keys > 0
        {
            let step = Step::Chunks(self.strategy, chunks, keys, room);
            // A writer that has ended says why to the recorder.
            let _ = self.steps.send(step).await;
        }
    }

    /// Forgets what the strategy had so far.
    pub async fn begin_anew(&self) {
        let _ = self.steps.send(Step::Anew(self.strategy)).await;
    }
}

enum Step {
    /// The same, and room for more when it is done.
    Chunks(usize, Vec<Vec<u8>>, u64, OwnedSemaphorePermit),
    /// Of a strategy, by its place.
    Keys(usize, Vec<u8>, u64),
    /// What was written before is gone.
    Anew(usize),
    /// It has all.
    Complete(usize),
}

impl Recorder {
    /// For the strategies of a run, in the order in which [`Recorder::push`] counts them.
    pub fn new(
        cache: Arc<dyn Cache>,
        prefix: &str,
        info: &RunInfo,
        strategies: Vec<Recorded>,
    ) -> Self {
        let (steps, received) = mpsc::channel(WAITING_CHUNKS);
        let open = strategies.iter().map(|_| Chunk::default()).collect();
        let writer = Writer {
            cache,
            prefix: prefix.to_owned(),
            run_id: info.id.clone(),
            began_at: info.started,
            strategies: strategies.into_iter().map(|of| (of, None)).collect(),
        };
        let mut writing = JoinSet::new();
        writing.spawn(writer.write(received));
        Self {
            open,
            steps,
            overrun: false,
            writer: writing,
        }
    }

    /// For a strategy, by its place.
    pub fn adopter(&self, strategy: usize) -> Adopter {
        Adopter {
            strategy,
            steps: self.steps.clone(),
            room: Arc::new(Semaphore::new(WAITING_CHUNKS / 4)),
        }
    }

    /// Takes a key that the cache has acknowledged, with what was written there.
    pub fn push(&mut self, strategy: usize, key: &[u8], digest: Digest) {
        let chunk = &mut self.open[strategy];
        chunk.push(key, digest);
        if chunk.is_full() {
            self.close(strategy);
        }
    }

    /// Hands on what a strategy has so far.
    pub fn close(&mut self, strategy: usize) {
        let chunk = &mut self.open[strategy];
        let keys = chunk.keys() as u64;
        if keys > 0 {
            let step = Step::Keys(strategy, chunk.take(), keys);
            self.step(step);
        }
    }

    /// Forgets what a strategy had: the cache has lost it.
    pub fn begin_anew(&mut self, strategy: usize) {
        self.open[strategy].take();
        self.step(Step::Anew(strategy));
    }

    /// Where it does not fit nothing more is kept: a part that is missing would be believed.
    fn step(&mut self, step: Step) {
        if !self.overrun {
            self.overrun = self.steps.try_send(step).is_err();
        }
    }

    /// Writes what is left, and marks those strategies complete whose whole selection it is.
    ///
    /// # Errors
    /// Why the keys of the run are not known later.
    pub async fn finish(mut self, patience: Duration, complete: &[bool]) -> Result<(), String> {
        let mut rest: Vec<Step> = Vec::new();
        for (strategy, chunk) in self.open.iter_mut().enumerate() {
            let keys = chunk.keys() as u64;
            if keys > 0 {
                rest.push(Step::Keys(strategy, chunk.take(), keys));
            }
            if complete.get(strategy).is_some_and(|complete| *complete) {
                rest.push(Step::Complete(strategy));
            }
        }
        let (steps, overrun) = (self.steps, self.overrun);
        let ending = async {
            if !overrun {
                for step in rest {
                    // The writer that has ended says why.
                    let _ = steps.send(step).await;
                }
            }
            drop(steps);
            self.writer.join_next().await
        };
        match timeout(patience, ending).await {
            Ok(Some(Ok(Err(failure)))) => Err(failure.why),
            Ok(Some(Err(_)) | None) => Err("an error of its own".to_owned()),
            Ok(Some(Ok(Ok(())))) if overrun => Err("the cache took them too slowly".to_owned()),
            Ok(Some(Ok(Ok(())))) => Ok(()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }
}

/// Writes what a [`Recorder`] hands on.
struct Writer {
    cache: Arc<dyn Cache>,
    prefix: String,
    run_id: String,
    began_at: SystemTime,
    strategies: Vec<(Recorded, Option<Generation>)>,
}

impl Writer {
    /// The first failure ends it: what the cache refuses once it refuses again.
    async fn write(mut self, mut steps: mpsc::Receiver<Step>) -> Result<(), Failure> {
        while let Some(step) = steps.recv().await {
            match step {
                Step::Keys(at, chunk, keys) => self.append(at, &[chunk], keys).await?,
                Step::Chunks(at, chunks, keys, _room) => self.append(at, &chunks, keys).await?,
                Step::Anew(at) => {
                    if let Some(generation) = self.strategies[at].1.take() {
                        forget(self.cache.as_ref(), &self.prefix, &generation).await?;
                    }
                }
                Step::Complete(at) => self.complete(at).await?,
            }
        }
        match self.strategies.iter().any(|(_, left)| left.is_some()) {
            true => self.tidy().await,
            false => Ok(()),
        }
    }

    async fn append(&mut self, at: usize, chunks: &[Vec<u8>], keys: u64) -> Result<(), Failure> {
        let ttl = self.strategies[at].0.ttl;
        let mut generation = self.generation(at);
        let list = generation.key(&self.prefix);
        self.cache
            .meta()
            .append(list.as_bytes(), chunks, ttl)
            .await?;
        generation.keys += keys;
        generation.ended_at = SystemTime::now();
        generation.expires_at = later(generation.ended_at, ttl);
        self.remember(at, generation).await
    }

    /// One of a selection that has no key is complete too, for as long as keys would have lived.
    async fn complete(&mut self, at: usize) -> Result<(), Failure> {
        let mut generation = self.generation(at);
        generation.complete = true;
        self.remember(at, generation).await
    }

    fn generation(&self, at: usize) -> Generation {
        let (of, known) = &self.strategies[at];
        let now = SystemTime::now();
        known.clone().unwrap_or_else(|| Generation {
            strategy: of.strategy.clone(),
            run_id: self.run_id.clone(),
            keys: 0,
            began_at: self.began_at,
            ended_at: now,
            expires_at: later(now, of.ttl),
            complete: false,
        })
    }

    async fn remember(&mut self, at: usize, generation: Generation) -> Result<(), Failure> {
        let field = [(generation.field(), generation.value())];
        let index = index_key(&self.prefix);
        self.cache
            .meta()
            .set_fields(index.as_bytes(), &field)
            .await?;
        self.strategies[at].1 = Some(generation);
        Ok(())
    }

    /// Forgets what need not be kept any more.
    async fn tidy(&self) -> Result<(), Failure> {
        let all = index(self.cache.as_ref(), &self.prefix).await?;
        let gone = superfluous(&all, SystemTime::now());
        forget_all(self.cache.as_ref(), &self.prefix, &gone).await
    }
}

/// A moment so much later, as far as the clock can say.
fn later(at: SystemTime, by: Duration) -> SystemTime {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    at.checked_add(by.min(CENTURY)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(run: u64, keys: u64, complete: bool) -> Generation {
        let at = |secs| SystemTime::UNIX_EPOCH + Duration::from_millis(secs);
        Generation {
            strategy: "own/a".to_owned(),
            run_id: format!("run-{run}"),
            keys,
            began_at: at(run),
            ended_at: at(run + 5),
            expires_at: at(run + 1000),
            complete,
        }
    }

    #[test]
    fn a_generation_is_read_as_it_was_written() {
        let known = generation(7, 12, true);
        let (field, value) = (known.field(), known.value());
        assert_eq!(
            Generation::read(field.as_bytes(), value.as_bytes()),
            Some(known)
        );
        // Fields may be added.
        let more = value.replacen('{', "{\"more\":[1],", 1);
        assert!(Generation::read(field.as_bytes(), more.as_bytes()).is_some());
        for (field, value) in [
            ("own/a", value.as_str()),
            ("own/a r", "{}"),
            ("own/a r", ""),
        ] {
            assert_eq!(Generation::read(field.as_bytes(), value.as_bytes()), None);
        }
    }

    #[test]
    fn what_newer_ones_stand_for_is_not_kept() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(500);
        let runs = |all: &[Generation]| -> Vec<String> {
            let gone = superfluous(all, now).into_iter();
            gone.map(|generation| generation.run_id).collect()
        };
        // Newest first: one that goes on, a complete one, and what was before.
        let mut all = vec![generation(90, 5, false), generation(80, 200_000, true)];
        all.extend(
            (1..=5)
                .rev()
                .map(|run| generation(run, 200_000, run % 2 == 0)),
        );
        assert_eq!(runs(&all), ["run-2", "run-1"]);
        // Without a complete one everything may be needed, but not without end.
        all.remove(1);
        all.iter_mut()
            .for_each(|generation| generation.complete = false);
        assert_eq!(runs(&all), Vec::<String>::new());
        let many: Vec<_> = (1..=70)
            .rev()
            .map(|run| generation(run, 1, run == 3))
            .collect();
        let gone = runs(&many);
        assert_eq!(gone.len(), 19);
        assert!(!gone.contains(&"run-3".to_owned()));
        // What is over goes.
        let later = now + Duration::from_millis(505);
        let gone = superfluous(&all[..2], later).into_iter();
        let gone: Vec<String> = gone.map(|generation| generation.run_id).collect();
        assert_eq!(gone, ["run-5"]);
    }
}
