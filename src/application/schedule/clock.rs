//! Starts jobs at their times.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::application::runs::lock::Locking;
use crate::application::runs::refused::Refused;
use crate::application::runs::service::{RunRequest, Service};
use crate::application::schedule::{Job, Occurrence, Overlap, widest_first};
use crate::domain::run::Trigger;
use crate::domain::sync::lock;

/// The longest sleep, since clocks may be set and machines may be suspended.
const MAX_SLEEP: Duration = Duration::from_secs(30);

/// The interval for retrying a job that could not start because a server did not answer, within its grace.
const RETRY_EVERY: Duration = Duration::from_mins(1);

/// How long a job may wait in the queue.
const QUEUE_TIMEOUT: Duration = Duration::from_hours(24);

/// The pauses before retries of an incomplete run at the server's start. They grow and end, so that
/// a permanent fault does not cause endless reads.
const MAX_PAUSE: Duration = Duration::from_mins(5);

/// The same for the run at a server's start.
const RETRY_START: Duration = Duration::from_secs(5);

/// The interval for checking whether another server's run has ended.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// Runs jobs at their times until it is dropped. `jobs` are the current ones.
pub struct Clock<J> {
    service: Arc<Service>,
    jobs: J,
    /// For each job, the time up to which its times have been handled.
    seen: BTreeMap<String, Timestamp>,
    queued: Arc<Mutex<BTreeSet<String>>>,
}

impl<J: Fn() -> Vec<Job>> Clock<J> {
    pub fn new(service: Arc<Service>, jobs: J) -> Self {
        Self { service, jobs, seen: BTreeMap::new(), queued: Arc::default() }
    }

    /// Runs jobs for ever. `changes` signals that the jobs may have changed.
    pub async fn run(mut self, mut changes: watch::Receiver<()>) {
        self.remember().await;
        loop {
            let now = Timestamp::now();
            let jobs = &(self.jobs)();
            // A job that returns later counts as new.
            self.seen.retain(|name, _| jobs.iter().any(|job| job.name == *name));
            for job in widest_first(jobs) {
                self.run_due(job, now).await;
            }
            let next = jobs.iter().filter_map(|job| Some(job.coming(now).next()?.starts));
            let until = next.min().map_or(MAX_SLEEP, |next| {
                let left = next.duration_since(Timestamp::now());
                Duration::try_from(left).unwrap_or_default()
            });
            tokio::select! {
                () = sleep(until.min(MAX_SLEEP)) => {}
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    /// A job that has run before may have missed a time while no server ran.
    async fn remember(&mut self) {
        // Do not lose times that pass while the cache answers.
        let now = Timestamp::now();
        let jobs = (self.jobs)();
        self.seen = jobs.into_iter().map(|job| (job.name, now)).collect();
        match self.service.past.last_occurrences().await {
            Ok(last) => self.seen.extend(last),
            Err(failure) => {
                tracing::warn!(%failure, "cannot find out which times were missed");
            }
        }
    }

    async fn run_due(&mut self, job: &Job, now: Timestamp) {
        let since = *self.seen.entry(job.name.clone()).or_insert(now);
        let due = job.due(since, now);
        self.seen.insert(job.name.clone(), now);
        if due.missed > 0 {
            tracing::warn!(job = job.name, missed = due.missed, "times were missed");
        }
        let Some(time) = due.run else { return };
        let mut request = job.request(Trigger::Schedule);
        request.occurrence = Some(time.at);
        match self.service.start(request.clone()).await {
            Ok(_) | Err(Refused::RunBefore | Refused::Stopped(_)) => {}
            Err(Refused::Busy(holder)) => match job.overlap {
                Overlap::Skip => {
                    tracing::info!(job = job.name, %holder, "skipped: another run is active");
                }
                Overlap::Queue => self.queue(job, request),
            },
            Err(Refused::Failed(failure)) => {
                if failure.is_unreachable() && !self.service.registry.is_draining() {
                    self.retry(job, time, request);
                }
            }
        }
    }

    /// Runs a job once no other run is in its way; only once, however many of its times pass meanwhile.
    fn queue(&self, job: &Job, mut request: RunRequest) {
        request.locking = Locking::Wait(QUEUE_TIMEOUT);
        let service = Arc::clone(&self.service);
        let is_new = self.later(job, async move {
            // The log and the history have the result.
            let _ = service.start(request).await;
        });
        match is_new {
            true => tracing::info!(job = job.name, "waiting for another run"),
            false => tracing::info!(job = job.name, "already waiting"),
        }
    }

    fn retry(&self, job: &Job, time: Occurrence, request: RunRequest) {
        let ends = time.starts.saturating_add(job.grace);
        let service = Arc::clone(&self.service);
        self.later(job, async move {
            loop {
                sleep(RETRY_EVERY).await;
                let in_time = ends.as_ref().is_ok_and(|ends| Timestamp::now() <= *ends);
                let failed = |end| matches!(end, Err(Refused::Failed(_)));
                if !in_time || !failed(service.start(request.clone()).await) {
                    break;
                }
            }
        });
    }

    /// Spawns a job's task, unless the job is already waiting.
    fn later(&self, job: &Job, task: impl Future<Output = ()> + Send + 'static) -> bool {
        let (name, queued) = (job.name.clone(), Arc::clone(&self.queued));
        let is_new = lock(&queued).insert(name.clone());
        if is_new {
            tokio::spawn(async move {
                task.await;
                lock(&queued).remove(&name);
            });
        }
        is_new
    }
}

/// Runs a request when a server starts: once, even if several servers start at the same time. If
/// another server is running it, this one waits, and does not repeat a complete run.
pub async fn at_start(service: Arc<Service>, mut request: RunRequest) {
    let mut pause = RETRY_EVERY;
    while !service.registry.is_draining() {
        match service.start(request.clone()).await {
            Err(Refused::Busy(holder)) => {
                sleep(ASK_EVERY).await;
                if holder.command == request.command {
                    request.unless = Some(holder.run_id);
                }
            }
            // The log has the reason.
            Err(Refused::Failed(_)) => sleep(RETRY_START).await,
            Ok(run) => {
                let _ = run.end().await;
                if run.has_passed() {
                    return;
                }
                if pause > MAX_PAUSE {
                    tracing::warn!("the run at the start was incomplete; the schedule continues");
                    return;
                }
                tracing::warn!("the run at the start was incomplete; it will be retried");
                sleep(pause).await;
                pause *= 2;
            }
            Err(Refused::Stopped(_) | Refused::RunBefore) => return,
        }
    }
}
