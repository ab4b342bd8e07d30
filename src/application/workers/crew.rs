//! The run's side: hands portions out and waits for the answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::LEASE;
use super::answer::{Answer, not_whole};
use super::task::{Announcement, Task, share};
use crate::application::pace::Pace;
use crate::application::ports::{
    Cache, Mode, PortionAsk, PortionQueue, QueueOf, WarmedPortion, Workers,
};
use crate::application::run_state::plan::RunPlan;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::portion::Portion;
use crate::domain::run::RunInfo;
use crate::domain::sync::lock;
use crate::domain::wording::exactly;

/// How long an announcement outlives a killed run, and how often it is renewed.
const ANNOUNCED_FOR: Duration = Duration::from_secs(30);
const ANNOUNCE_EVERY: Duration = Duration::from_secs(3);

/// Between two looks for answers.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const LOOK_AGAIN: Duration = Duration::from_secs(1);

const LOOK_FOR_END: Duration = Duration::from_millis(100);

/// Without a worker for this long, a strategy fails, unless the run says how long to wait.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long the end of a run waits for the cache.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

const UNUSED: &str = "no worker took part: nothing of this run is read in portions (`shopwarm doctor` says why, except of --limit)";
const NOT_COUNTED: &str =
    "keys that workers wrote as the run ended are in the cache, and are not counted";
const LOST: &str = "a worker stopped answering in the middle of a portion, which was warmed again: a key that it had just \
                    written may remain if its row was deleted at that moment (`shopwarm dry-run --orphans` finds it)";

/// Portions per worker that are handed out.
const AHEAD: usize = 8;

/// The workers of a run.
pub struct Crew {
    shared: Arc<Shared>,
    listening: Mutex<JoinSet<()>>,
}

struct Shared {
    cache: Arc<dyn Cache>,
    prefix: String,
    run_id: String,
    announcement: Vec<u8>,
    pace: Pace,
    /// How many workers the operator expects.
    expected: u64,
    patience: Duration,
    began: Instant,
    tickets: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Who waits for an answer, by its ticket.
    waiting: HashMap<u64, oneshot::Sender<Result<Vec<u8>, Failure>>>,
    /// The ids of unanswered portions in the queue.
    open: HashMap<u64, String>,
    /// When each worker answered last.
    seen: HashMap<String, Instant>,
    /// Since when no worker is known to work.
    idle_since: Option<Instant>,
}

impl Crew {
    /// Announces a run to workers; `None`: it does not ask for any.
    ///
    /// # Errors
    /// The cache has no queue, or its own.
    pub async fn gather(plan: &RunPlan, info: &RunInfo) -> Result<Option<Self>, Failure> {
        let (Some(expected), Some(cache)) = (plan.options.workers, plan.written_cache()) else {
            return Ok(None);
        };
        if plan.options.mode == Mode::OnlyMissing {
            let what = "--workers cannot be combined with --mode only-missing";
            let why = "keys that a killed worker left would look as if the shop had set them";
            return Err(Failure::new(FailureKind::Usage, what, why));
        }
        if cache.queue().is_none() {
            let (what, why) = ("--workers needs Redis or Valkey", "this cache has no queue");
            return Err(Failure::new(FailureKind::Config, what, why)
                .hint("use a redis:// cache, or run without --workers"));
        }
        let origin = match &plan.sources {
            Some(sources) => Some(sources.primary.moment().await?.origin),
            None => None,
        };
        let announcement = serde_json::to_vec(&Announcement::new(plan, origin)).unwrap_or_default();
        let shared = Arc::new(Shared {
            cache: Arc::clone(cache),
            prefix: plan.options.prefix.clone(),
            run_id: info.id.clone(),
            announcement,
            pace: plan.pace.clone(),
            expected,
            patience: plan.options.wait.unwrap_or(PATIENCE),
            began: Instant::now(),
            tickets: AtomicU64::new(0),
            state: Mutex::default(),
        });
        shared.announce().await?;
        let mut listening = JoinSet::new();
        listening.spawn(Arc::clone(&shared).keep_announcing());
        listening.spawn(Arc::clone(&shared).listen());
        Ok(Some(Self { shared, listening: Mutex::new(listening) }))
    }

    /// Ends the run for the workers, and waits until they have given up what they still have: whoever
    /// comes next may write the same keys. Returns a warning about it; `is_whole`: all was counted.
    pub async fn dismiss(&self, is_whole: bool) -> Option<String> {
        let mut listening = std::mem::take(&mut *lock(&self.listening));
        listening.shutdown().await;
        let shared = &self.shared;
        if let Some(queue) = shared.cache.queue() {
            let _ = timeout(LAST_TIMEOUT, queue.withdraw(&shared.run())).await;
            let _ = timeout(LEASE, shared.given_up(queue)).await;
        }
        let is_unused = shared.tickets.load(Ordering::Relaxed) == 0;
        match is_whole {
            true => is_unused.then(|| UNUSED.to_owned()),
            false => (self.count() > 0).then(|| NOT_COUNTED.to_owned()),
        }
    }

    /// How many workers have answered.
    pub fn count(&self) -> usize {
        lock(&self.shared.state).seen.len()
    }
}

#[async_trait]
impl Workers for Crew {
    async fn warm(&self, ask: PortionAsk) -> Result<Option<WarmedPortion>, Failure> {
        let shared = &self.shared;
        let (ticket, answered) = shared.register();
        let PortionAsk { strategy, from, to, state } = ask;
        let run_id = shared.run_id.clone();
        let task = Task { run_id, ticket, strategy, from, to, state, rate: shared.rate() };
        let task = serde_json::to_vec(&task).unwrap_or_default();
        let offered = shared.queue()?.offer(&shared.prefix, &task).await;
        shared.offered(ticket, offered)?;
        let bytes = answered.await.map_err(|_| ended())??;
        let (answer, keys) = Answer::decode(&bytes).ok_or_else(not_whole)?;
        let summary = answer.result.map_err(Failure::from)?;
        if summary.is_too_large {
            return Ok(None);
        }
        let portion = Portion { from, to, rows: summary.rows, state };
        let mut warmed = summary.warmed(portion, keys)?;
        if let Some(batch) = warmed.batches.first_mut().filter(|_| answer.was_lost) {
            batch.warnings.push(LOST.to_owned());
        }
        Ok(Some(warmed))
    }

    fn ahead(&self) -> usize {
        let workers = self.shared.expected.max(self.count() as u64);
        AHEAD * usize::try_from(workers).unwrap_or(usize::MAX).min(1000)
    }
}

impl Shared {
    fn queue(&self) -> Result<&dyn PortionQueue, Failure> {
        self.cache.queue().ok_or_else(ended)
    }

    fn run(&self) -> QueueOf<'_> {
        QueueOf { prefix: &self.prefix, run_id: &self.run_id }
    }

    async fn announce(&self) -> Result<(), Failure> {
        self.queue()?.announce(&self.run(), &self.announcement, ANNOUNCED_FOR).await
    }

    async fn keep_announcing(self: Arc<Self>) {
        loop {
            sleep(ANNOUNCE_EVERY).await;
            if let Err(failure) = self.announce().await {
                tracing::debug!(%failure, "the run could not be announced to workers");
                if failure.kind != FailureKind::CacheUnreachable {
                    self.fail(&failure);
                }
            }
        }
    }

    fn register(&self) -> (u64, oneshot::Receiver<Result<Vec<u8>, Failure>>) {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        lock(&self.state).waiting.insert(ticket, sender);
        (ticket, receiver)
    }

    /// Notes where a portion is in the queue, or that it is not.
    fn offered(&self, ticket: u64, offered: Result<String, Failure>) -> Result<(), Failure> {
        let mut state = lock(&self.state);
        match offered {
            Ok(id) => {
                // Otherwise it is answered already.
                if state.waiting.contains_key(&ticket) {
                    state.open.insert(ticket, id);
                }
                Ok(())
            }
            Err(failure) => {
                state.waiting.remove(&ticket);
                Err(failure)
            }
        }
    }

    /// The share of a worker in the rate of the run.
    fn rate(&self) -> Option<u64> {
        let is_here = |seen: &&Instant| seen.elapsed() < LEASE;
        let here = lock(&self.state).seen.values().filter(is_here).count() as u64;
        // At first, not all of them can have answered.
        let is_known = here > 0 && self.began.elapsed() >= LEASE;
        let workers = if is_known { here } else { here.max(self.expected) };
        self.pace.now().rate.map(|rate| share(rate, Some(workers)))
    }

    async fn listen(self: Arc<Self>) {
        let mut looked = Instant::now();
        loop {
            match self.take_answers().await {
                Ok(true) => {}
                Ok(false) => sleep(LOOK_EVERY).await,
                Err(failure) => {
                    if failure.ends_run() {
                        self.fail(&failure);
                    }
                    sleep(LOOK_AGAIN).await;
                }
            }
            if looked.elapsed() > LOOK_AGAIN {
                looked = Instant::now();
                // What cannot be asked now is asked again.
                let _ = self.offer_lost().await;
                let _ = self.miss_workers().await;
            }
        }
    }

    /// Whether there were answers.
    async fn take_answers(&self) -> Result<bool, Failure> {
        let answers = self.queue()?.answers(&self.run()).await?;
        let are_some = !answers.is_empty();
        answers.into_iter().for_each(|answer| self.take(answer));
        Ok(are_some)
    }

    /// Hands an answer to the portion that waits for it, if any: a portion may be handed out twice.
    fn take(&self, bytes: Vec<u8>) {
        let Some((Answer { ticket, worker, .. }, _)) = Answer::decode(&bytes) else {
            return self.fail(&not_whole());
        };
        let mut state = lock(&self.state);
        state.idle_since = None;
        if state.seen.insert(worker.clone(), Instant::now()).is_none() {
            tracing::info!(worker, "a worker has joined");
        }
        state.open.remove(&ticket);
        if let Some(sender) = state.waiting.remove(&ticket) {
            let _ = sender.send(Ok(bytes));
        }
    }

    /// Fails the portions that are waited for.
    fn fail(&self, failure: &Failure) {
        let waiting: Vec<_> = lock(&self.state).waiting.drain().collect();
        for (_, sender) in waiting {
            let _ = sender.send(Err(failure.clone()));
        }
    }

    /// Waits until no worker has a portion of this run. Whoever takes one now drops it.
    async fn given_up(&self, queue: &dyn PortionQueue) {
        loop {
            let ids: Vec<String> = lock(&self.state).open.values().cloned().collect();
            if ids.is_empty() {
                return;
            }
            match queue.held(&self.prefix, &ids).await {
                Ok(1..) => sleep(LOOK_FOR_END).await,
                _ => return,
            }
        }
    }

    /// Has portions offered again that are neither in the queue nor answered: a cache that restarted
    /// has lost them.
    async fn offer_lost(&self) -> Result<(), Failure> {
        let open = lock(&self.state).open.clone();
        if open.is_empty() {
            return Ok(());
        }
        let (tickets, ids): (Vec<u64>, Vec<String>) = open.into_iter().unzip();
        let are_open = self.queue()?.are_open(&self.prefix, &ids).await?;
        // What was answered meanwhile is not lost.
        while self.take_answers().await? {}
        let mut state = lock(&self.state);
        for (ticket, _) in tickets.iter().zip(are_open).filter(|(_, is_open)| !is_open) {
            state.open.remove(ticket);
            if let Some(sender) = state.waiting.remove(ticket) {
                let _ = sender.send(Err(lost_portion()));
            }
        }
        Ok(())
    }

    /// Fails the portions if no worker has taken one for a while.
    async fn miss_workers(&self) -> Result<(), Failure> {
        let is_active = self.queue()?.has_active_worker(&self.prefix, LEASE).await?;
        let is_over = {
            let mut state = lock(&self.state);
            match is_active || state.waiting.is_empty() {
                true => state.idle_since = None,
                false => drop(state.idle_since.get_or_insert_with(Instant::now)),
            }
            state.idle_since.is_some_and(|since| since.elapsed() > self.patience)
        };
        if is_over {
            self.fail(&nobody(self.patience));
        }
        Ok(())
    }
}

fn lost_portion() -> Failure {
    let (what, why) = ("a portion was lost", "the cache restarted, or evicts the tool's own keys");
    Failure::new(FailureKind::SourceLost, what, why)
}

fn nobody(patience: Duration) -> Failure {
    let what = format!("no worker has taken a portion for {}", exactly(patience));
    Failure::new(FailureKind::Query, what, "").hint(
        "start `shopwarm worker` with the same definitions, database, cache and prefix, or look at the logs of \
         those that have ended",
    )
}

fn ended() -> Failure {
    Failure::new(FailureKind::Internal, "a portion was not warmed", "the run is ending")
}
