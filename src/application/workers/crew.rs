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
use super::order::{Order, Parcel};
use crate::application::pace::Pace;
use crate::application::ports::{Cache, PortionAsk, PortionQueue, QueueOf, WarmedPortion, Workers};
use crate::application::run_state::plan::RunPlan;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::portion::Portion;
use crate::domain::run::RunInfo;
use crate::domain::sync::lock;
use crate::domain::wording::{counted, exactly};

/// How long what a run asks stays if the run is killed, and how often it is said again.
const ORDER_TTL: Duration = Duration::from_secs(30);
const ANNOUNCE_EVERY: Duration = Duration::from_secs(3);

/// Between two looks for answers.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A run without any worker for this long fails, unless it says how long to wait.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long the end of a run waits for the cache.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// Portions per worker that are handed out.
const AHEAD: usize = 4;

/// The workers of a run.
pub struct Crew {
    shared: Arc<Shared>,
    listening: Mutex<JoinSet<()>>,
}

struct Shared {
    cache: Arc<dyn Cache>,
    prefix: String,
    run_id: String,
    order: Vec<u8>,
    pace: Pace,
    /// As many as the operator expects.
    expected: u64,
    patience: Duration,
    tickets: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<u64, Waiting>,
    /// When each worker answered last.
    seen: HashMap<String, Instant>,
    /// Since when nobody is known to work.
    idle_since: Option<Instant>,
}

/// Somebody who waits for an answer.
struct Waiting {
    sender: oneshot::Sender<Result<Vec<u8>, Failure>>,
    /// The portion is in the queue.
    is_offered: bool,
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
        if cache.queue().is_none() {
            let (what, why) = ("--workers needs Redis or Valkey", "this cache has no queue");
            return Err(Failure::new(FailureKind::Config, what, why)
                .hint("run without --workers, or with another CACHE_URL"));
        }
        let origin = match &plan.sources {
            Some(sources) => sources.bulk.moment().await.ok().map(|moment| moment.origin),
            None => None,
        };
        let order = serde_json::to_vec(&Order::new(plan, origin)).unwrap_or_default();
        let shared = Arc::new(Shared {
            cache: Arc::clone(cache),
            prefix: plan.options.prefix.clone(),
            run_id: info.id.clone(),
            order,
            pace: plan.pace.clone(),
            expected,
            patience: plan.options.wait.unwrap_or(PATIENCE),
            tickets: AtomicU64::new(0),
            state: Mutex::default(),
        });
        shared.announce().await?;
        let mut listening = JoinSet::new();
        listening.spawn(Arc::clone(&shared).keep_announcing());
        listening.spawn(Arc::clone(&shared).listen());
        Ok(Some(Self { shared, listening: Mutex::new(listening) }))
    }

    /// Ends the run for the workers: they give up what they still have. Returns a warning about it.
    pub async fn dismiss(&self) -> Option<String> {
        lock(&self.listening).abort_all();
        let shared = &self.shared;
        if let Some(queue) = shared.cache.queue() {
            let _ = timeout(LAST_TIMEOUT, queue.withdraw(&shared.run())).await;
        }
        let open = lock(&shared.state).waiting.len();
        (open > 0).then(|| {
            format!("workers had not answered for {}: some of their keys may be there, and are not counted",
                counted(open, "portion"))
        })
    }

    /// How many workers have warmed something.
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
        let parcel = Parcel { run_id, ticket, strategy, from, to, state, rate: shared.rate() };
        let parcel = serde_json::to_vec(&parcel).unwrap_or_default();
        shared.queue()?.offer(&shared.run(), &parcel).await?;
        shared.offered(ticket);
        let bytes = answered.await.map_err(|_| ended())??;
        let (answer, keys) = Answer::decode(&bytes).ok_or_else(not_whole)?;
        let summary = answer.result.map_err(Failure::from)?;
        if summary.is_too_large {
            return Ok(None);
        }
        let portion = Portion { from, to, rows: summary.rows, state };
        summary.warmed(portion, keys).map(Some)
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
        self.queue()?.announce(&self.run(), &self.order, ORDER_TTL).await
    }

    async fn keep_announcing(self: Arc<Self>) {
        loop {
            sleep(ANNOUNCE_EVERY).await;
            if let Err(failure) = self.announce().await {
                tracing::debug!(%failure, "the run could not be announced to workers");
            }
        }
    }

    fn register(&self) -> (u64, oneshot::Receiver<Result<Vec<u8>, Failure>>) {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let mut state = lock(&self.state);
        state.waiting.insert(ticket, Waiting { sender, is_offered: false });
        (ticket, receiver)
    }

    fn offered(&self, ticket: u64) {
        if let Some(waiting) = lock(&self.state).waiting.get_mut(&ticket) {
            waiting.is_offered = true;
        }
    }

    /// The share of a worker in the rate of the run.
    fn rate(&self) -> Option<u64> {
        let is_here = |seen: &&Instant| seen.elapsed() < LEASE;
        let here = lock(&self.state).seen.values().filter(is_here).count() as u64;
        let workers = if here == 0 { self.expected } else { here };
        self.pace.now().rate.map(|rate| (rate / workers.max(1)).max(1))
    }

    async fn listen(self: Arc<Self>) {
        let mut looked = Instant::now();
        loop {
            match self.take_answers().await {
                Ok(true) => {}
                Ok(false) => sleep(LOOK_EVERY).await,
                Err(failure) if failure.ends_run() => self.fail(&failure),
                Err(_) => sleep(LOOK_AGAIN).await,
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

    /// Hands an answer to whoever waits for it. Nobody may: a portion that was handed out twice.
    fn take(&self, bytes: Vec<u8>) {
        let Some((Answer { ticket, worker, .. }, _)) = Answer::decode(&bytes) else {
            return self.fail(&not_whole());
        };
        let mut state = lock(&self.state);
        state.idle_since = None;
        if state.seen.insert(worker.clone(), Instant::now()).is_none() {
            tracing::info!(worker, "a worker has joined");
        }
        if let Some(waiting) = state.waiting.remove(&ticket) {
            let _ = waiting.sender.send(Ok(bytes));
        }
    }

    /// Fails the portions that are waited for.
    fn fail(&self, failure: &Failure) {
        let waiting: Vec<_> = lock(&self.state).waiting.drain().collect();
        for (_, waiting) in waiting {
            let _ = waiting.sender.send(Err(failure.clone()));
        }
    }

    /// Has portions offered again that are neither in the queue nor answered: a cache that restarted
    /// has lost them.
    async fn offer_lost(&self) -> Result<(), Failure> {
        let are_open = |state: &State| {
            let open = state.waiting.iter().filter(|(_, waiting)| waiting.is_offered);
            open.map(|(ticket, _)| *ticket).collect::<Vec<_>>()
        };
        let open = are_open(&lock(&self.state));
        if open.is_empty() || self.queue()?.unanswered(&self.prefix).await? > 0 {
            return Ok(());
        }
        // What was answered meanwhile is not lost.
        while self.take_answers().await? {}
        let mut state = lock(&self.state);
        let lost: Vec<_> = open.iter().filter_map(|ticket| state.waiting.remove(ticket)).collect();
        drop(state);
        for waiting in lost {
            let _ = waiting.sender.send(Err(lost_portion()));
        }
        Ok(())
    }

    /// Fails the run if nobody has worked on its portions for a while.
    async fn miss_workers(&self) -> Result<(), Failure> {
        let is_attended = self.queue()?.is_attended(&self.prefix, LEASE).await?;
        let is_over = {
            let mut state = lock(&self.state);
            match is_attended || state.waiting.is_empty() {
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
    Failure::new(FailureKind::Busy, what, "").hint(
        "start `shopwarm worker` with the same definitions, database, cache and prefix, or run without \
         --workers",
    )
}

fn ended() -> Failure {
    Failure::new(FailureKind::Internal, "a portion was not warmed", "the run is ending")
}
