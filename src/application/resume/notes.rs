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
use crate::domain::protection::Protection;

/// Runs that can be resumed, and for how long.
pub(super) const MAX_RUNS: usize = 20;
const TTL: Duration = Duration::from_hours(24);

/// A killed run loses what it did since it wrote last.
const EVERY: Duration = Duration::from_secs(1);

/// How long the end of a run waits.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a server may take to say which one it is.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

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
    /// How it is verified, as known at its start.
    protection: Option<Protection>,
    open: OpenPortions,
    /// Whether each has succeeded.
    saving: JoinSet<bool>,
    /// When it was written last.
    saved: Option<Instant>,
    /// The run is in the list of runs that can be resumed.
    is_listed: bool,
}

impl<'a> Notes<'a> {
    /// Only runs that have a name and write are noted.
    pub async fn new(run: RunContext<'a>) -> Self {
        let plan = run.plan;
        let cache = plan.written_cache().filter(|_| run.info.is_some());
        let origin = match (&plan.sources, cache) {
            (Some(sources), Some(_)) => {
                let moment = timeout(ASK_TIMEOUT, sources.bulk.moment());
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
            protection: None,
            open: OpenPortions::default(),
            saving: JoinSet::new(),
            saved: None,
            is_listed: false,
        }
    }

    /// Begins a strategy. What a run leaves that does not write whole strategies is no longer known.
    pub async fn begin(&mut self, index: usize, protection: Option<&Protection>) {
        let plan = self.run.plan;
        let strategy = &plan.strategies[index];
        self.open = OpenPortions::default();
        (self.id, self.protection) = (None, protection.cloned());
        let (Some(cache), Some(fingerprint)) = (&self.cache, strategy.fingerprint()) else {
            return;
        };
        let epoch = timeout(ASK_TIMEOUT, cache.identity());
        let epoch = self.run.unless_stopped(epoch).await;
        let options = plan.write_options(index);
        let whole = (plan.options.limit, plan.options.changed.on);
        let finished = Finished {
            fingerprint: format!("{fingerprint} {options:?} {protection:?} {whole:?}"),
            origin: self.origin.clone(),
            epoch: epoch.and_then(Result::ok).and_then(Result::ok),
            began: now(),
            what: What::Nothing,
        };
        let id = strategy.spec().id.to_string();
        self.checkpoint.strategies.insert(id.clone(), finished);
        self.id = (whole == (None, false)).then_some(id);
        self.save_now_and_then();
    }

    /// Whether what an earlier run has finished of this strategy can be taken over.
    ///
    /// # Errors
    /// Why not, for people.
    pub(super) fn fits(&mut self, former: &Finished, ttl: Duration) -> Result<(), String> {
        let Some(now) = self.finished() else {
            return Err("it is built in code".to_owned());
        };
        let age = now.began.saturating_sub(former.began);
        let why = if former.fingerprint != now.fingerprint {
            "its definition, its options or the version of shopwarm have changed"
        } else if former.origin != now.origin || now.origin.is_none() {
            "the database was replaced or restored"
        } else if former.epoch != now.epoch || now.epoch.is_none() {
            "the cache was restarted or replaced"
        } else if age < 0 || age.unsigned_abs() > ttl.as_secs() / 2 {
            "more than half of its TTL has passed since it began"
        } else {
            return Ok(());
        };
        Err(why.to_owned())
    }

    /// Takes over what an earlier run has finished of this strategy.
    pub(super) fn take_over(&mut self, former: Finished) {
        if let Some(now) = self.finished() {
            *now = former;
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

    /// Ends a strategy. What was read in portions is asked for changes once more by the next run.
    pub fn end(&mut self, book: &Book, index: usize) {
        let (tally, run) = (&book.tallies[index], self.run);
        let keys = tally.report.stats.warm();
        // Coarse versions protect less than was known at the start.
        let is_protected = tally.report.protection == self.protection;
        if let Some(finished) = self.finished()
            && !matches!(finished.what, What::Portions(_))
            && is_protected
            && book.is_finished(index, &run)
        {
            finished.what = What::All { keys };
        }
        self.id = None;
        self.save();
    }

    fn save_now_and_then(&mut self) {
        while let Some(saved) = self.saving.try_join_next() {
            self.is_listed |= saved.unwrap_or(false);
        }
        let is_due = self.saved.is_none_or(|saved| saved.elapsed() >= EVERY);
        if is_due && self.saving.is_empty() {
            self.save();
        }
    }

    /// Writes it to the cache, in the background. A failure costs a later run time, and no more.
    fn save(&mut self) {
        let Some(cache) = self.cache.clone() else {
            return;
        };
        let (prefix, checkpoint) = (self.run.plan.options.prefix.clone(), self.checkpoint.clone());
        let is_listed = self.is_listed;
        self.saved = Some(Instant::now());
        self.saving.spawn(async move {
            let saved = save(cache.as_ref(), &prefix, &checkpoint, is_listed).await;
            if let Err(failure) = &saved {
                tracing::debug!(%failure, "what is finished was not noted");
            }
            saved.is_ok()
        });
    }

    /// Writes the rest when the run ends; `is_over`: it was not interrupted.
    pub async fn finish(mut self, is_over: bool) {
        self.checkpoint.is_over = is_over;
        let ending = async {
            while let Some(saved) = self.saving.join_next().await {
                self.is_listed |= saved.unwrap_or(false);
            }
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
    is_listed: bool,
) -> Result<(), Failure> {
    let item = serde_json::to_vec(checkpoint).unwrap_or_default();
    let key = namespace::checkpoint(prefix, &checkpoint.run_id);
    cache.meta().prepend(key.as_bytes(), &item, 1, TTL).await?;
    match is_listed {
        true => Ok(()),
        false => {
            let (list, id) = (namespace::checkpoints(prefix), checkpoint.run_id.as_bytes());
            cache.meta().prepend(list.as_bytes(), id, MAX_RUNS, TTL).await
        }
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
        let is_there = |outcome: &&WriteOutcome| {
            matches!(outcome, WriteOutcome::Stored | WriteOutcome::AlreadyPresent)
        };
        open.keys += written.outcomes.iter().filter(is_there).count() as u64;
        self.take_finished(from)
    }

    fn take_finished(&mut self, from: u64) -> Option<Open> {
        let open = self.all.get(&from)?;
        let is_over = open.is_last && open.in_flight == 0;
        is_over.then(|| self.all.remove(&from))?.filter(|open| !open.is_bad)
    }
}
