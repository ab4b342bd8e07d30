//! The worker's side: takes portions and warms them as a run would.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::LEASE;
use super::answer::{Answer, Summary, Told};
use super::job::Job;
use super::lease::Heartbeat;
use super::task::Task;
use super::work::{Done, warm};
use crate::application::engine::coordinator::Coordinator;
use crate::application::ports::{Cache, PortionQueue, QueueOf, RowSource, TakenPortion};
use crate::application::run_state::stop::StopSignal;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::server::ServerRole;
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
const PATIENCE: Duration = Duration::from_secs(15);

const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// A portion that this many workers have lost is at fault itself.
const MAX_LOSSES: u64 = 3;

/// Takes portions of any run that shares its cache and prefix.
pub struct Worker {
    /// Its strategies, database and cache, with its own options.
    own: Coordinator,
    cache: Arc<dyn Cache>,
    name: String,
    /// The database, and what identifies it.
    database: Arc<dyn RowSource>,
    origin: String,
    /// The run that it works for.
    job: Mutex<Option<Arc<Job>>>,
    /// When it had something to do last.
    busy: std::sync::Mutex<Instant>,
    /// One of its slots has failed: no other takes a new portion.
    is_ending: AtomicBool,
}

impl Worker {
    /// # Errors
    /// Its cache has no queue, or its database is a replica or does not answer.
    pub async fn new(own: Coordinator) -> Result<Self, Failure> {
        let cache = own.plan().written_cache().filter(|cache| cache.queue().is_some()).cloned();
        let cache = cache.ok_or_else(|| {
            let (what, why) = ("a worker needs Redis or Valkey", "this cache has no queue");
            Failure::new(FailureKind::Config, what, why).hint("use the redis:// cache of the run")
        })?;
        let sources = own.plan().sources.as_ref();
        let database = sources.map(|sources| Arc::clone(&sources.primary)).ok_or_else(internal)?;
        if database.role().await == ServerRole::Replica {
            let (what, why) = ("a worker reads portions from the primary", "this is a replica");
            return Err(Failure::new(FailureKind::Config, what, why)
                .hint("name the primary with --database-url or --primary-url"));
        }
        let origin = database.moment().await?.origin;
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        let name = format!("{host}-{}-{:06x}", std::process::id(), fastrand::u32(..1 << 24));
        tracing::info!(worker = name, "waiting for portions");
        Ok(Self {
            own,
            cache,
            name,
            database,
            origin,
            job: Mutex::new(None),
            busy: std::sync::Mutex::new(Instant::now()),
            is_ending: AtomicBool::new(false),
        })
    }

    /// Works until it is stopped, or there was nothing to do for `idle`.
    ///
    /// # Errors
    /// The database or the cache fails, or a run uses other definitions or another database.
    pub async fn work(&self, idle: Option<Duration>, stop: &StopSignal) -> Result<(), Failure> {
        let slot = || async {
            let ended = self.slot(idle, stop).await;
            if ended.is_err() {
                self.is_ending.store(true, Ordering::Release);
            }
            ended
        };
        let ended = join_all((0..SLOTS).map(|_| slot())).await;
        *self.job.lock().await = None;
        let left = self.queue()?.leave(self.prefix(), &self.name);
        let _ = timeout(LAST_TIMEOUT, left).await;
        ended.into_iter().collect()
    }

    fn queue(&self) -> Result<&dyn PortionQueue, Failure> {
        self.cache.queue().ok_or_else(internal)
    }

    fn prefix(&self) -> &str {
        &self.own.options().prefix
    }

    /// Warms one portion after another.
    async fn slot(&self, idle: Option<Duration>, stop: &StopSignal) -> Result<(), Failure> {
        let (mut looked_for_lost, mut pause, mut away_since) = (Instant::now(), LOOK_EVERY, None);
        while stop.reason().is_none() && !self.is_ending.load(Ordering::Acquire) {
            let lost = (looked_for_lost.elapsed() >= LOOK_FOR_LOST).then_some(LEASE);
            if lost.is_some() {
                looked_for_lost = Instant::now();
            }
            match self.next(lost).await {
                Ok(true) => (pause, away_since) = (LOOK_EVERY, None),
                Ok(false) => {
                    away_since = None;
                    if self.is_idle(idle).await {
                        break;
                    }
                    let _ = timeout(pause, stop.stopped()).await;
                    pause = (pause * 2).min(LOOK_SELDOM);
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

    /// Whether there was nothing to do for some time. While its run goes on, there may be.
    async fn is_idle(&self, idle: Option<Duration>) -> bool {
        let mut job = self.job.lock().await;
        if let (Some(of), Some(queue)) = (job.as_ref(), self.cache.queue()) {
            let run = QueueOf { prefix: self.prefix(), run_id: &of.run_id };
            let is_shared = Arc::strong_count(of) > 1;
            if !is_shared && lock(&self.busy).elapsed() > LOOK_SELDOM {
                if matches!(queue.announced(&run).await, Ok(None)) {
                    *job = None;
                } else {
                    *lock(&self.busy) = Instant::now();
                }
            }
            return false;
        }
        idle.is_some_and(|idle| lock(&self.busy).elapsed() >= idle)
    }

    /// Takes and warms the next portion; `false`: there is none.
    async fn next(&self, lost: Option<Duration>) -> Result<bool, Failure> {
        let since = Instant::now();
        let Some(portion) = self.queue()?.take(self.prefix(), &self.name, lost).await? else {
            return Ok(false);
        };
        self.process(&portion, since).await?;
        *lock(&self.busy) = Instant::now();
        Ok(true)
    }

    /// Warms a portion and answers.
    async fn process(&self, taken: &TakenPortion, since: Instant) -> Result<(), Failure> {
        let task: Task = match serde_json::from_slice(&taken.portion) {
            Ok(task) => task,
            Err(error) => return self.give_back(taken, true, other_version(&error)).await,
        };
        let run = QueueOf { prefix: self.prefix(), run_id: &task.run_id };
        let job = match self.fitting_job(&run, taken, &task).await {
            Ok(Some(job)) => job,
            Ok(None) => return self.let_go(&run, taken).await,
            Err(failure) if failure.kind == FailureKind::Config => {
                return self.give_back(taken, true, failure).await;
            }
            Err(failure) => return Err(failure),
        };
        let answer = |result, keys| self.answer(&run, taken, (&job, &task), result, keys);
        if taken.lost_by >= MAX_LOSSES {
            return answer(Err(Told::from(&too_often(&task))), Vec::new()).await;
        }
        let held = (run.prefix, run.run_id);
        let heartbeat = Heartbeat::start(&self.cache, held, &self.name, taken, since);
        let mut keys = Vec::new();
        let done = warm(&job, &task, heartbeat.lease(), &mut keys).await;
        drop(heartbeat);
        match done {
            Done::Warmed(summary) => answer(Ok(summary), keys).await,
            Done::Lost => {
                tracing::warn!("a portion was lost: its run is over, or another worker has it");
                self.let_go(&run, taken).await
            }
            Done::Failed(failure) => match self.is_own(&failure).await {
                Some(own) => self.give_back(taken, true, own).await,
                None => answer(Err(Told::from(&failure)), Vec::new()).await,
            },
            Done::Unverified(failure) => {
                let own = self.is_own(&failure).await.unwrap_or(failure);
                self.give_back(taken, false, own).await
            }
        }
    }

    /// The run of a portion that this worker still has; `None`: the run is over.
    ///
    /// # Errors
    /// [`FailureKind::Config`]: this worker does not fit the run; or the cache's.
    async fn fitting_job(
        &self,
        run: &QueueOf<'_>,
        taken: &TakenPortion,
        task: &Task,
    ) -> Result<Option<Arc<Job>>, Failure> {
        if !self.queue()?.keep(run, &self.name, &taken.id).await? {
            return Ok(None);
        }
        let job = self.job(run).await?;
        if let Some(job) = &job {
            job.fits(task, &self.origin)?;
        }
        Ok(job)
    }

    /// Leaves a portion that was lost, if nobody has it yet: a run that is over waits for that.
    async fn let_go(&self, run: &QueueOf<'_>, taken: &TakenPortion) -> Result<(), Failure> {
        let queue = self.queue()?;
        match queue.announced(run).await? {
            Some(_) => queue.give_back(run.prefix, &self.name, &taken.id, false).await,
            None => queue.answer(run, &self.name, &taken.id, &[]).await.map(drop),
        }
    }

    /// The failure of this worker, not of the portion: others may reach the database.
    async fn is_own(&self, failure: &Failure) -> Option<Failure> {
        match failure.ends_run() {
            true => Some(failure.clone()),
            false => self.database.moment().await.err().filter(Failure::ends_run),
        }
    }

    /// Gives a portion back, and ends. `is_untouched`: this worker has written nothing of it.
    async fn give_back(
        &self,
        taken: &TakenPortion,
        is_untouched: bool,
        failure: Failure,
    ) -> Result<(), Failure> {
        let is_untouched = is_untouched && taken.lost_by == 0;
        self.queue()?.give_back(self.prefix(), &self.name, &taken.id, is_untouched).await?;
        Err(failure)
    }

    async fn answer(
        &self,
        run: &QueueOf<'_>,
        taken: &TakenPortion,
        (job, task): (&Job, &Task),
        result: Result<Summary, Told>,
        keys: Vec<u8>,
    ) -> Result<(), Failure> {
        let written = result.as_ref().map_or(0, Summary::keys);
        let (ticket, worker) = (task.ticket, self.name.clone());
        let answer = Answer { ticket, worker, was_lost: taken.lost_by > 0, result };
        let bytes = answer.encode(&keys);
        match self.queue()?.answer(run, &self.name, &taken.id, &bytes).await? {
            true => job.count(written),
            false => tracing::warn!("a portion was lost before it was answered"),
        }
        Ok(())
    }

    /// The run that a portion belongs to; `None`: it is over.
    async fn job(&self, run: &QueueOf<'_>) -> Result<Option<Arc<Job>>, Failure> {
        let mut current = self.job.lock().await;
        if let Some(job) = current.as_ref().filter(|job| job.run_id == run.run_id) {
            return Ok(Some(Arc::clone(job)));
        }
        let Some(announced) = self.queue()?.announced(run).await? else {
            return Ok(None);
        };
        let job = Arc::new(Job::new(run.run_id, &announced, &self.own, &self.cache)?);
        tracing::info!(run_id = run.run_id, "warming portions of a run");
        *current = Some(Arc::clone(&job));
        Ok(Some(job))
    }
}

fn internal() -> Failure {
    Failure::new(FailureKind::Internal, "a worker has no queue or no database", "")
}

fn other_version(error: &serde_json::Error) -> Failure {
    let what = "a portion in the queue is from another version of shopwarm";
    Failure::new(FailureKind::Config, what, error.to_string())
        .hint("run the same version of shopwarm everywhere")
}

fn too_often(task: &Task) -> Failure {
    let what = format!("{}: {MAX_LOSSES} workers ended while they warmed a portion", task.strategy);
    Failure::new(FailureKind::Query, what, "")
        .hint("look at the logs of the workers: is their memory limit too low?")
}
