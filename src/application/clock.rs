//! Starts jobs when their time comes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;

use super::lock::Locking;
use super::refused::Refused;
use super::schedule::{Job, Occurrence, Overlap, widest_first};
use super::service::{Order, Service};
use crate::domain::run::Trigger;
use crate::domain::sync::lock;

/// The longest sleep: clocks are set, and machines wake up again.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// A job that could not begin for a server that does not answer is tried again so soon, within its
/// grace.
const RETRY_EVERY: Duration = Duration::from_secs(60);

/// How long a job may wait in the queue.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// A run at a server's start that left gaps is tried again a few times, later and later: what is
/// broken for good must not be read again and again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// The same for the run at a server's start.
const RETRY_START: Duration = Duration::from_secs(5);

/// Between two looks whether the run of another server has ended.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What the clock goes by; a reload puts another in its place.
pub struct Timetable {
    pub jobs: Vec<Job>,
    /// A run that takes longer is ended.
    pub deadline: Option<Duration>,
}

/// Keeps time for the jobs of a timetable, from now on until it is dropped.
pub struct Clock<T> {
    service: Arc<Service>,
    timetable: T,
    /// Up to when each job's times have been dealt with.
    seen: BTreeMap<String, Timestamp>,
    queued: Arc<Mutex<BTreeSet<String>>>,
}

impl<T: Fn() -> Timetable> Clock<T> {
    pub fn new(service: Arc<Service>, timetable: T) -> Self {
        Self {
            service,
            timetable,
            seen: BTreeMap::new(),
            queued: Arc::default(),
        }
    }

    /// Runs jobs for ever. `changes`: the jobs may be others now.
    pub async fn run(mut self, mut changes: watch::Receiver<()>) {
        self.look_back().await;
        loop {
            let now = Timestamp::now();
            let times = (self.timetable)();
            let jobs = &times.jobs;
            // One that comes back later is a new one.
            self.seen
                .retain(|name, _| jobs.iter().any(|job| job.name == *name));
            for job in widest_first(jobs) {
                self.look_at(job, now, &times).await;
            }
            let next = jobs
                .iter()
                .filter_map(|job| Some(job.coming(now).next()?.starts));
            let until = next.min().map_or(LONGEST_SLEEP, |next| {
                let left = next.duration_since(Timestamp::now());
                Duration::try_from(left).unwrap_or_default()
            });
            tokio::select! {
                () = sleep(until.min(LONGEST_SLEEP)) => {}
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    /// A job that has run before may have missed a time while nobody kept it.
    async fn look_back(&mut self) {
        // Times that pass while the cache is asked are not lost.
        let now = Timestamp::now();
        let jobs = (self.timetable)().jobs;
        self.seen = jobs.into_iter().map(|job| (job.name, now)).collect();
        match self.service.last_occurrences().await {
            Ok(last) => self.seen.extend(last),
            Err(failure) => {
                tracing::warn!(%failure, "times that were missed are not known");
            }
        }
    }

    async fn look_at(&mut self, job: &Job, now: Timestamp, times: &Timetable) {
        let since = *self.seen.entry(job.name.clone()).or_insert(now);
        let due = job.due(since, now);
        self.seen.insert(job.name.clone(), now);
        if due.missed > 0 {
            tracing::warn!(job = job.name, missed = due.missed, "times were missed");
        }
        let Some(time) = due.run else { return };
        let mut order = job.order(Trigger::Schedule);
        order.occurrence = Some(time.at);
        order.deadline = times.deadline;
        match self.service.start(order.clone()).await {
            Ok(_) | Err(Refused::RunBefore | Refused::Stopped(_)) => {}
            Err(Refused::Busy(holder)) => match job.overlap {
                Overlap::Skip => {
                    tracing::info!(job = job.name, %holder, "skipped: another run is at work");
                }
                Overlap::Queue => self.queue(job, order),
            },
            Err(Refused::Failed(failure)) => {
                if failure.is_unreachable() && !self.service.is_draining() {
                    self.try_again(job, time, order);
                }
            }
        }
    }

    /// Runs a job as soon as nothing is in its way; once, however many of its times pass meanwhile.
    fn queue(&self, job: &Job, mut order: Order) {
        let (name, queued) = (job.name.clone(), Arc::clone(&self.queued));
        if !lock(&queued).insert(name.clone()) {
            tracing::info!(job = name, "waits already");
            return;
        }
        tracing::info!(job = name, "waits for another run");
        order.locking = Locking::Wait(PATIENCE);
        let service = Arc::clone(&self.service);
        tokio::spawn(async move {
            // What became of it is in the log and in the history.
            let _ = service.start(order).await;
            lock(&queued).remove(&name);
        });
    }

    fn try_again(&self, job: &Job, time: Occurrence, order: Order) {
        let (name, queued) = (job.name.clone(), Arc::clone(&self.queued));
        let ends = time.starts.saturating_add(job.grace);
        if !lock(&queued).insert(name.clone()) {
            return;
        }
        let service = Arc::clone(&self.service);
        tokio::spawn(async move {
            loop {
                sleep(RETRY_EVERY).await;
                let in_time = ends.as_ref().is_ok_and(|ends| Timestamp::now() <= *ends);
                if !in_time
                    || !matches!(service.start(order.clone()).await, Err(Refused::Failed(_)))
                {
                    break;
                }
            }
            lock(&queued).remove(&name);
        });
    }
}

/// Runs an order when a server starts: once, however many servers start at the same time. One that
/// another server is at work on is waited for, and need not be done again when it was complete.
pub async fn at_start(service: Arc<Service>, mut order: Order) {
    let mut pause = RETRY_EVERY;
    while !service.is_draining() {
        match service.start(order.clone()).await {
            Err(Refused::Busy(holder)) => {
                sleep(LOOK_EVERY).await;
                if holder.command == order.command {
                    order.unless = Some(holder.run_id);
                }
            }
            // Why is in the log.
            Err(Refused::Failed(_)) => sleep(RETRY_START).await,
            Ok(run) => {
                let _ = run.end().await;
                if run.has_passed() {
                    return;
                }
                if pause > LONGEST_PAUSE {
                    tracing::warn!("the run at the start left gaps; the schedule goes on");
                    return;
                }
                tracing::warn!("the run at the start left gaps, it is tried again");
                sleep(pause).await;
                pause *= 2;
            }
            Err(Refused::Stopped(_) | Refused::RunBefore) => return,
        }
    }
}
