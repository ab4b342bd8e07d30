//! Notes in the cache what a run has finished, while it runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::application::guards::recheck::Sent;
use crate::application::ports::{Cache, WriteOutcome};
use crate::application::run_state::book::Book;
use crate::application::run_state::context::{RunContext, now};
use crate::domain::checkpoint::{Checkpoint, Finished, FinishedPortions, What};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::namespace;
use crate::domain::portion::{PartOf, Portion};

/// Runs that can be resumed, and for how long.
pub(super) const MAX_RUNS: usize = 20;
const TTL: Duration = Duration::from_hours(24);

/// A killed run loses what it did since it wrote last.
const EVERY: Duration = Duration::from_secs(1);

/// How long the end of a run waits.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the database may take to say which one it is.
const ORIGIN_TIMEOUT: Duration = Duration::from_secs(5);

/// What a run has finished so far.
pub struct Notes<'a> {
    run: RunContext<'a>,
    /// Where it is kept; `None`: nowhere.
    cache: Option<Arc<dyn Cache>>,
    checkpoint: Checkpoint,
    /// Identifies the database.
    origin: Option<String>,
    /// The strategy that is warmed; `None`: nothing of it is noted.
    id: Option<String>,
    open: OpenPortions,
    saving: JoinSet<()>,
    /// When it was written last.
    saved: Option<Instant>,
}

impl<'a> Notes<'a> {
    /// Only runs that have a name and warm whole strategies are noted.
    pub async fn new(run: RunContext<'a>) -> Self {
        let (plan, options) = (run.plan, &run.plan.options);
        let is_whole = options.limit.is_none() && !options.changed.on;
        let cache = plan.written_cache().filter(|_| is_whole && run.info.is_some());
        let origin = match (&plan.sources, cache) {
            (Some(sources), Some(_)) => {
                let moment = timeout(ORIGIN_TIMEOUT, sources.bulk.moment());
                let moment = run.unless_stopped(moment).await;
                moment.and_then(Result::ok).and_then(Result::ok).map(|moment| moment.origin)
            }
            _ => None,
        };
        let run_id = run.info.map(|info| info.id.clone()).unwrap_or_default();
        let checkpoint = Checkpoint { run_id, ..Checkpoint::default() };
        Self { cache: cache.cloned(), checkpoint, origin, ..Self::none(run) }
    }

    /// Of a run that warms single keys.
    pub fn none(run: RunContext<'a>) -> Self {
        Self {
            run,
            cache: None,
            checkpoint: Checkpoint::default(),
            origin: None,
            id: None,
            open: OpenPortions::default(),
            saving: JoinSet::new(),
            saved: None,
        }
    }

    /// Begins a strategy.
    pub fn begin(&mut self, index: usize, epoch: Option<u64>) {
        let plan = self.run.plan;
        let strategy = &plan.strategies[index];
        self.open = OpenPortions::default();
        self.id = strategy.fingerprint().map(|fingerprint| {
            let id = strategy.spec().id.to_string();
            let fingerprint = format!("{fingerprint} {:?}", plan.write_options(index));
            let (origin, began) = (self.origin.clone(), now());
            let what = What::Nothing;
            let finished = Finished { fingerprint, origin, epoch, began, what };
            self.checkpoint.strategies.insert(id.clone(), finished);
            id
        });
    }

    /// Takes over what an earlier run has finished of this strategy.
    ///
    /// # Errors
    /// Why nothing can be taken over, for people.
    pub(super) fn take_over(&mut self, former: &Finished, ttl: Duration) -> Result<(), String> {
        let Some(now) = self.finished() else {
            return Err("it is built in code".to_owned());
        };
        let age = now.began.saturating_sub(former.began);
        if former.fingerprint != now.fingerprint {
            Err("its definition, its TTL or how it is stored has changed".to_owned())
        } else if former.origin != now.origin {
            Err("the database was replaced or restored".to_owned())
        } else if former.epoch != now.epoch || now.epoch.is_none() {
            Err("the cache was restarted or replaced".to_owned())
        } else if age < 0 || age.unsigned_abs() > ttl.as_secs() / 2 {
            Err("more than half of its TTL has passed since it began".to_owned())
        } else {
            *now = former.clone();
            Ok(())
        }
    }

    /// Forgets what is finished of the strategy: it is read from its start.
    pub fn restart(&mut self) {
        self.open = OpenPortions::default();
        if let Some(finished) = self.finished() {
            finished.what = What::Nothing;
        }
    }

    fn finished(&mut self) -> Option<&mut Finished> {
        self.checkpoint.strategies.get_mut(self.id.as_ref()?)
    }

    /// Takes a batch that was read.
    pub fn read(&mut self, batch: &EntryBatch) {
        let Some(PartOf::Portion { portion, is_last }) = batch.part_of else {
            return;
        };
        let is_other = |finished: &FinishedPortions| {
            let (then, now) = (finished.state, portion.state);
            (then.horizon, then.storage) != (now.horizon, now.storage)
        };
        let Some(Finished { what, began, .. }) = self.finished() else {
            return;
        };
        match what {
            What::Portions(finished) if !is_other(finished) => {}
            _ => {
                *began = now();
                *what = What::Portions(FinishedPortions::new(portion.state));
                self.open = OpenPortions::default();
            }
        }
        let finished = self.open.read(batch, portion, is_last);
        self.add(finished);
    }

    /// Takes a batch of which all is known.
    pub fn settled(&mut self, sent: &Sent) {
        if let Some(PartOf::Portion { portion, .. }) = sent.batch.part_of {
            let finished = self.open.settled(sent, portion.from);
            self.add(finished);
            self.save_now_and_then();
        }
    }

    fn add(&mut self, finished: Option<Open>) {
        if let (Some(Open { range, keys, .. }), Some(Finished { what: What::Portions(all), .. })) =
            (finished, self.finished())
        {
            all.add(range, keys);
        }
    }

    /// Ends a strategy.
    pub fn end(&mut self, book: &Book, index: usize) {
        let stats = &book.tallies[index].report.stats;
        let keys = stats.warmed + stats.skipped;
        if book.is_finished(index, &self.run)
            && let Some(finished) = self.finished()
        {
            finished.what = What::All { keys };
        }
        self.id = None;
        self.save();
    }

    fn save_now_and_then(&mut self) {
        if self.saved.is_none_or(|saved| saved.elapsed() >= EVERY) && self.saving.is_empty() {
            self.save();
        }
        // Takes the result of what has ended.
        while self.saving.try_join_next().is_some() {}
    }

    /// Writes it to the cache, in the background. A failure costs a later run time, and no more.
    fn save(&mut self) {
        let Some(cache) = self.cache.clone() else {
            return;
        };
        let is_first = self.saved.is_none();
        let (prefix, checkpoint) = (self.run.plan.options.prefix.clone(), self.checkpoint.clone());
        self.saved = Some(Instant::now());
        self.saving.spawn(async move {
            let saved = save(cache.as_ref(), &prefix, &checkpoint, is_first).await;
            if let Err(failure) = saved {
                tracing::debug!(%failure, "what is finished was not noted");
            }
        });
    }

    /// Writes the rest when the run ends.
    pub async fn finish(mut self, is_done: bool) {
        self.checkpoint.is_done = is_done;
        let ending = async {
            while self.saving.join_next().await.is_some() {}
            self.save();
            while self.saving.join_next().await.is_some() {}
        };
        let _ = timeout(LAST_TIMEOUT, ending).await;
    }
}

async fn save(
    cache: &dyn Cache,
    prefix: &str,
    checkpoint: &Checkpoint,
    is_first: bool,
) -> Result<(), Failure> {
    let item = serde_json::to_vec(checkpoint).unwrap_or_default();
    let key = namespace::checkpoint(prefix, &checkpoint.run_id);
    cache.meta().prepend(key.as_bytes(), &item, 1, TTL).await?;
    match is_first {
        true => {
            let (list, id) = (namespace::checkpoints(prefix), checkpoint.run_id.as_bytes());
            cache.meta().prepend(list.as_bytes(), id, MAX_RUNS, TTL).await
        }
        false => Ok(()),
    }
}

/// Portions that are on their way.
#[derive(Default)]
struct OpenPortions {
    /// By where they begin.
    all: BTreeMap<u64, Open>,
    /// Where the last one ends.
    end: u64,
}

struct Open {
    /// With the gap before it.
    range: (u64, u64),
    in_flight: usize,
    is_last: bool,
    /// A key of it is not in the cache as it should be.
    is_bad: bool,
    keys: u64,
}

impl OpenPortions {
    /// Takes a batch that was read; returns its portion if all of that is finished.
    fn read(&mut self, batch: &EntryBatch, portion: Portion, is_last: bool) -> Option<Open> {
        // Portions come in order: what lies between two has no rows.
        let range = (self.end.min(portion.from), portion.to);
        let open = self.all.entry(portion.from).or_insert_with(|| Open {
            range,
            in_flight: 0,
            is_last: false,
            is_bad: false,
            keys: 0,
        });
        open.in_flight += usize::from(!batch.is_empty());
        open.is_last |= is_last;
        open.is_bad |= !batch.failed.is_empty();
        open.keys += batch.absent.len() as u64;
        self.end = self.end.max(portion.to);
        self.take_finished(portion.from)
    }

    fn settled(&mut self, Sent { written, .. }: &Sent, from: u64) -> Option<Open> {
        let open = self.all.get_mut(&from)?;
        let is_good = |outcome: &WriteOutcome| {
            !matches!(outcome, WriteOutcome::Failed(_) | WriteOutcome::Unknown(_))
        };
        let checked = &written.checked;
        open.in_flight = open.in_flight.saturating_sub(1);
        open.is_bad |= !written.outcomes.iter().all(is_good)
            || checked.unverified > 0
            || checked.failure.is_some();
        open.keys += written.outcomes.len() as u64;
        self.take_finished(from)
    }

    fn take_finished(&mut self, from: u64) -> Option<Open> {
        let open = self.all.get(&from)?;
        let is_over = open.is_last && open.in_flight == 0;
        is_over.then(|| self.all.remove(&from))?.filter(|open| !open.is_bad)
    }
}
