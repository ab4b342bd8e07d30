//! Records the keys that a run writes, in the background.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::chunk::Chunk;
use super::manifest::{KeyManifest, forget, forget_all, index, superfluous};
use crate::application::ports::Cache;
use crate::domain::digest::Digest;
use crate::domain::failure::Failure;
use crate::domain::namespace;
use crate::domain::run::RunInfo;

/// Chunks that wait to be written. A cache that keeps up with the entries keeps up with these.
const WAITING_CHUNKS: usize = 32;

/// A strategy of a run that writes.
pub struct Recorded {
    /// `catalog/hot-products`.
    pub strategy: String,
    /// The longest TTL of a key.
    pub ttl: Duration,
    /// The definition's fingerprint, where changes can be read.
    pub definition: Option<String>,
}

/// Writes the key manifests of one run, in the background.
pub struct Recorder {
    open: Vec<Chunk>,
    steps: mpsc::Sender<Step>,
    /// Too much was waiting: nothing more is recorded.
    overrun: bool,
    writer: JoinSet<Result<(), Failure>>,
}

/// Hands many keys of one strategy to the [`Recorder`]'s writer. Waits if there are too many: none is
/// lost.
pub struct Adopter {
    strategy: usize,
    steps: mpsc::Sender<Step>,
    /// Leaves room for the recorder, which does not wait.
    room: Arc<Semaphore>,
}

impl Adopter {
    /// Takes whole chunks with `keys` keys that are already in the cache.
    pub async fn adopt(&self, chunks: Vec<Vec<u8>>, keys: u64) {
        let room = Arc::clone(&self.room).acquire_owned().await;
        if let Ok(room) = room
            && keys > 0
        {
            let step = Step::Chunks(self.strategy, chunks, keys, room);
            // If the writer has ended, it tells the recorder why.
            let _ = self.steps.send(step).await;
        }
    }

    /// Forgets what the strategy had so far.
    pub async fn restart(&self) {
        let _ = self.steps.send(Step::Restart(self.strategy)).await;
    }
}

enum Step {
    /// Many chunks of a strategy, by its index; the permit makes room for more.
    Chunks(usize, Vec<Vec<u8>>, u64, OwnedSemaphorePermit),
    /// One chunk.
    Keys(usize, Vec<u8>, u64),
    /// Earlier chunks are void.
    Restart(usize),
    /// The selection is complete.
    Complete(usize),
}

impl Recorder {
    /// For the strategies of a run, in its order.
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
        Self { open, steps, overrun: false, writer: writing }
    }

    /// For a strategy, by its index.
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
    pub fn restart(&mut self, strategy: usize) {
        self.open[strategy].take();
        self.step(Step::Restart(strategy));
    }

    /// If it does not fit, nothing more is recorded: a list with gaps would be believed.
    fn step(&mut self, step: Step) {
        if !self.overrun {
            self.overrun = self.steps.try_send(step).is_err();
        }
    }

    /// Writes the rest, and marks the strategies that are `complete`.
    ///
    /// # Errors
    /// Why later runs will not know the keys.
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
                    let _ = steps.send(step).await;
                }
            }
            drop(steps);
            self.writer.join_next().await
        };
        match timeout(patience, ending).await {
            Ok(Some(Ok(Err(failure)))) => Err(failure.why),
            Ok(Some(Err(_)) | None) => Err("an error of its own".to_owned()),
            Ok(Some(Ok(Ok(())))) if overrun => Err("the cache was too slow".to_owned()),
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
    strategies: Vec<(Recorded, Option<KeyManifest>)>,
}

impl Writer {
    /// The first failure ends it: the cache would refuse again.
    async fn write(mut self, mut steps: mpsc::Receiver<Step>) -> Result<(), Failure> {
        while let Some(step) = steps.recv().await {
            match step {
                Step::Keys(at, chunk, keys) => self.append(at, &[chunk], keys).await?,
                Step::Chunks(at, chunks, keys, _room) => self.append(at, &chunks, keys).await?,
                Step::Restart(at) => {
                    if let Some(manifest) = self.strategies[at].1.take() {
                        forget(self.cache.as_ref(), &self.prefix, &manifest).await?;
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
        let mut manifest = self.manifest(at);
        let list = manifest.key(&self.prefix);
        self.cache.meta().append(list.as_bytes(), chunks, ttl).await?;
        manifest.keys += keys;
        manifest.ended_at = SystemTime::now();
        manifest.expires_at = later(manifest.ended_at, ttl);
        self.remember(at, manifest).await
    }

    /// An empty selection is complete too, for as long as its keys would have lived.
    async fn complete(&mut self, at: usize) -> Result<(), Failure> {
        let mut manifest = self.manifest(at);
        manifest.complete = true;
        self.remember(at, manifest).await
    }

    fn manifest(&self, at: usize) -> KeyManifest {
        let (of, known) = &self.strategies[at];
        let now = SystemTime::now();
        known.clone().unwrap_or_else(|| KeyManifest {
            strategy: of.strategy.clone(),
            run_id: self.run_id.clone(),
            keys: 0,
            began_at: self.began_at,
            ended_at: now,
            expires_at: later(now, of.ttl),
            complete: false,
            definition: of.definition.clone(),
        })
    }

    async fn remember(&mut self, at: usize, manifest: KeyManifest) -> Result<(), Failure> {
        let field = [(manifest.field(), manifest.value())];
        let index = namespace::manifests(&self.prefix);
        self.cache.meta().set_fields(index.as_bytes(), &field).await?;
        self.strategies[at].1 = Some(manifest);
        Ok(())
    }

    /// Forgets superfluous manifests.
    async fn tidy(&self) -> Result<(), Failure> {
        let all = index(self.cache.as_ref(), &self.prefix).await?;
        let gone = superfluous(&all, SystemTime::now());
        forget_all(self.cache.as_ref(), &self.prefix, &gone).await
    }
}

/// A later moment, as far as the clock can represent it.
fn later(at: SystemTime, by: Duration) -> SystemTime {
    const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);
    at.checked_add(by.min(CENTURY)).unwrap_or(at)
}
