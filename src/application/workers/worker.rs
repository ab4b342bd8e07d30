//! The worker's side: takes portions and warms them as a run would.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::LEASE;
use super::answer::{Answer, Summary, Told};
use super::duty::Duty;
use super::job::Job;
use super::order::Parcel;
use super::work::warm;
use crate::application::engine::coordinator::Coordinator;
use crate::application::ports::{Cache, PortionQueue, QueueOf, TakenPortion};
use crate::application::run_state::stop::StopSignal;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::sync::lock;

/// Portions that a worker warms at the same time: one is read while another is written.
const SLOTS: usize = 2;

/// Between two looks for a portion: after one was found, and later.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const LOOK_SELDOM: Duration = Duration::from_millis(200);

/// How often to look for portions that others have lost.
const LOOK_FOR_LOST: Duration = Duration::from_secs(2);

/// Between two attempts to reach the cache, and how long it may be away.
const RETRY_EVERY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_mins(1);

const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// Takes portions of any run that shares its cache and prefix.
pub struct Worker {
    /// Its strategies, database and cache, with its own options.
    own: Coordinator,
    cache: Arc<dyn Cache>,
    name: String,
    /// Identifies its database.
    origin: Option<String>,
    /// The run that it works for.
    job: Mutex<Option<Arc<Job>>>,
    busy: std::sync::Mutex<Instant>,
}

impl Worker {
    /// # Errors
    /// Its cache has no queue.
    pub async fn new(own: Coordinator) -> Result<Self, Failure> {
        let cache = own.plan().written_cache().filter(|cache| cache.queue().is_some()).cloned();
        let cache = cache.ok_or_else(|| {
            let (what, why) = ("a worker needs Redis or Valkey", "this cache has no queue");
            Failure::new(FailureKind::Config, what, why).hint("use the CACHE_URL of the run")
        })?;
        let origin = match &own.plan().sources {
            Some(sources) => sources.bulk.moment().await.ok().map(|moment| moment.origin),
            None => None,
        };
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        let name = format!("{host}-{}-{:06x}", std::process::id(), fastrand::u32(..1 << 24));
        tracing::info!(worker = name, "waiting for portions");
        let (job, busy) = (Mutex::new(None), std::sync::Mutex::new(Instant::now()));
        Ok(Self { own, cache, name, origin, job, busy })
    }

    /// Works until it is stopped, or there was nothing to do for `idle`.
    ///
    /// # Errors
    /// The database or the cache fails, or a run warms with other definitions or another database.
    pub async fn work(&self, idle: Option<Duration>, stop: &StopSignal) -> Result<(), Failure> {
        let slots = (0..SLOTS).map(|_| self.slot(idle, stop));
        let ended = futures_util::future::try_join_all(slots).await;
        let left = self.queue()?.leave(self.prefix(), &self.name);
        let _ = timeout(LAST_TIMEOUT, left).await;
        ended.map(drop)
    }

    fn queue(&self) -> Result<&dyn PortionQueue, Failure> {
        self.cache.queue().ok_or_else(|| Failure::new(FailureKind::Internal, "no queue", ""))
    }

    fn prefix(&self) -> &str {
        &self.own.options().prefix
    }

    /// Warms one portion after another.
    async fn slot(&self, idle: Option<Duration>, stop: &StopSignal) -> Result<(), Failure> {
        let (mut looked_for_lost, mut pause, mut away_since) = (Instant::now(), LOOK_EVERY, None);
        while stop.reason().is_none() && idle.is_none_or(|idle| lock(&self.busy).elapsed() < idle) {
            let lost = (looked_for_lost.elapsed() >= LOOK_FOR_LOST).then_some(LEASE);
            if lost.is_some() {
                looked_for_lost = Instant::now();
            }
            match self.next(lost).await {
                Ok(true) => (pause, away_since) = (LOOK_EVERY, None),
                Ok(false) => {
                    away_since = None;
                    let _ = timeout(pause, stop.stopped()).await;
                    pause = (pause * 2).min(LOOK_SELDOM);
                    if pause == LOOK_SELDOM {
                        self.forget_job().await;
                    }
                }
                Err(failure) if failure.kind == FailureKind::CacheUnreachable => {
                    let since = *away_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > PATIENCE {
                        return Err(failure);
                    }
                    tracing::warn!(%failure, "waiting for the cache");
                    let _ = timeout(RETRY_EVERY, stop.stopped()).await;
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// Takes and warms the next portion; `false`: there is none.
    async fn next(&self, lost: Option<Duration>) -> Result<bool, Failure> {
        let asked = Instant::now();
        let Some(portion) = self.queue()?.take(self.prefix(), &self.name, lost).await? else {
            return Ok(false);
        };
        self.take(&portion, asked).await?;
        *lock(&self.busy) = Instant::now();
        Ok(true)
    }

    /// Warms a portion and answers.
    async fn take(&self, taken: &TakenPortion, since: Instant) -> Result<(), Failure> {
        let Ok(parcel) = serde_json::from_slice::<Parcel>(&taken.portion) else {
            tracing::warn!("left a portion that cannot be read: its run has another version");
            sleep(RETRY_EVERY).await;
            return Ok(());
        };
        let run = QueueOf { prefix: self.prefix(), run_id: &parcel.run_id };
        let job = match self.queue()?.keep(&run, &self.name, &taken.id).await? {
            true => self.job(&run).await?,
            false => None,
        };
        let Some(job) = job else {
            // Its run is over.
            self.queue()?.answer(&run, &self.name, &taken.id, &[]).await?;
            return Ok(());
        };
        if let Err(failure) = job.fits(&parcel, self.origin.as_ref()) {
            self.queue()?.give_back(&run, &self.name, taken).await?;
            return Err(failure);
        }
        let held = (run.prefix, run.run_id);
        let duty = Duty::keep(&self.cache, held, &self.name, taken, since);
        let mut keys = Vec::new();
        let result = warm(&job, &parcel, duty.lease(), &mut keys).await;
        duty.end();
        match result {
            Ok(Some(summary)) => {
                self.answer(&run, taken, (&job, &parcel), Ok(summary), &keys).await
            }
            Ok(None) => {
                tracing::warn!("a portion went to another worker: this one was too slow");
                Ok(())
            }
            // Others may reach the database.
            Err(failure) if failure.ends_run() => {
                self.queue()?.give_back(&run, &self.name, taken).await?;
                Err(failure)
            }
            Err(failure) => {
                let told = Err(Told::from(&failure));
                self.answer(&run, taken, (&job, &parcel), told, &[]).await
            }
        }
    }

    async fn answer(
        &self,
        run: &QueueOf<'_>,
        taken: &TakenPortion,
        (job, parcel): (&Job, &Parcel),
        result: Result<Summary, Told>,
        keys: &[u8],
    ) -> Result<(), Failure> {
        let written = result.as_ref().map_or(0, Summary::keys);
        let answer = Answer { ticket: parcel.ticket, worker: self.name.clone(), result };
        let bytes = answer.encode(keys);
        match self.queue()?.answer(run, &self.name, &taken.id, &bytes).await? {
            true => job.count(written),
            false => tracing::warn!("a portion went to another worker: its answer came too late"),
        }
        Ok(())
    }

    /// The run that a portion belongs to; `None`: it is over.
    async fn job(&self, run: &QueueOf<'_>) -> Result<Option<Arc<Job>>, Failure> {
        let mut current = self.job.lock().await;
        if let Some(job) = current.as_ref().filter(|job| job.run_id == run.run_id) {
            return Ok(Some(Arc::clone(job)));
        }
        let Some(order) = self.queue()?.order(run).await? else {
            return Ok(None);
        };
        tracing::info!(run_id = run.run_id, "warming portions of a run");
        let job = Arc::new(Job::new(run.run_id, &order, &self.own, &self.cache)?);
        *current = Some(Arc::clone(&job));
        Ok(Some(job))
    }

    /// Drops a run that is over.
    async fn forget_job(&self) {
        let mut current = self.job.lock().await;
        if let (Some(job), Some(queue)) = (current.as_ref(), self.cache.queue()) {
            let run = QueueOf { prefix: self.prefix(), run_id: &job.run_id };
            if matches!(queue.order(&run).await, Ok(None)) {
                *current = None;
            }
        }
    }
}
