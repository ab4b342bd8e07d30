//! Writes down in the cache what a run has finished of each strategy, while it goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::application::guards::recheck::Sent;
use crate::application::ports::{Cache, WriteOutcome};
use crate::application::record::history::own_hash;
use crate::application::run_state::book::Book;
use crate::application::run_state::context::{RunContext, now};
use crate::domain::checkpoint::{Finished, FinishedPortions, What};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::namespace;
use crate::domain::portion::{PartOf, Portion, TableState};
use crate::domain::protection::Protection;

/// What was finished longer ago is warmed again, if its TTL is long.
const LONGEST: Duration = Duration::from_hours(24);

/// A killed run loses what it did since it wrote last.
const EVERY: Duration = Duration::from_secs(1);

/// How long a server may take to answer a question; at the end of a run, nobody waits for long.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// What this run has finished, and what earlier ones had.
pub struct Notes<'a> {
    run: RunContext<'a>,
    /// Where it is kept; `None`: nowhere.
    cache: Option<Arc<dyn Cache>>,
    /// Identifies the database.
    origin: Option<String>,
    /// What earlier runs have left, by strategy.
    pub(super) kept: BTreeMap<String, Finished>,
    /// The cache did not say what they have left.
    pub(super) is_unread: bool,
    /// Something may be kept of these strategies.
    is_there: bool,
    /// The strategy that is warmed; `None`: nothing of it is noted.
    current: Option<Current>,
    open: OpenPortions,
    saving: JoinSet<()>,
    /// When it was written last.
    saved: Option<Instant>,
}

struct Current {
    id: String,
    finished: Finished,
    /// How it is verified, as known at its start.
    protection: Option<Protection>,
    /// What was begun longer ago is warmed again.
    longest: Duration,
}

impl<'a> Notes<'a> {
    /// Only runs that have a name and write are noted.
    pub async fn new(run: RunContext<'a>) -> Self {
        let plan = run.plan;
        let Some(cache) = plan.written_cache().filter(|_| run.info.is_some()) else {
            return Self::none(run);
        };
        let origin = match &plan.sources {
            Some(sources) => asked(&run, sources.bulk.moment()).await,
            None => None,
        };
        let kept = asked(&run, kept(cache.as_ref(), &plan.options.prefix)).await;
        let is_unread = kept.is_none();
        let kept = kept.unwrap_or_default();
        Self {
            cache: Some(Arc::clone(cache)),
            origin: origin.map(|moment| moment.origin),
            is_there: is_unread || !kept.is_empty(),
            is_unread,
            kept,
            ..Self::none(run)
        }
    }

    /// Of a run that warms single keys.
    pub fn none(run: RunContext<'a>) -> Self {
        Self {
            run,
            cache: None,
            origin: None,
            kept: BTreeMap::new(),
            is_unread: false,
            is_there: false,
            current: None,
            open: OpenPortions::default(),
            saving: JoinSet::new(),
            saved: None,
        }
    }

    /// Begins a strategy.
    pub async fn begin(&mut self, index: usize, protection: Option<&Protection>) {
        let plan = self.run.plan;
        let strategy = &plan.strategies[index];
        self.open = OpenPortions::default();
        self.current = None;
        let (Some(cache), id) = (self.cache.clone(), strategy.spec().id.to_string()) else {
            return;
        };
        let whole = (plan.options.limit, plan.options.changed.on);
        let fingerprint = strategy.fingerprint().map(|fingerprint| {
            format!("{fingerprint} {:?} {protection:?} {whole:?}", plan.write_options(index))
        });
        let (Some(fingerprint), (None, false)) = (fingerprint, whole) else {
            return;
        };
        let finished = Finished {
            run_id: self.run.info.map(|info| info.id.clone()).unwrap_or_default(),
            fingerprint,
            origin: self.origin.clone(),
            epoch: asked(&self.run, cache.identity()).await,
            began: now(),
            what: What::Nothing,
        };
        let ttl = &plan.ttls[index];
        let shortest = ttl.base.min(4 * LONGEST).mul_f64(1.0 - ttl.jitter);
        let longest = LONGEST.min(shortest / 2);
        let protection = protection.cloned();
        self.current = Some(Current { id, finished, protection, longest });
    }

    /// Whether what an earlier run has finished of this strategy can be taken over.
    ///
    /// # Errors
    /// Why not, for people.
    pub(super) fn fits(&self, former: &Finished) -> Result<(), String> {
        let Some(Current { finished: now, longest, .. }) = &self.current else {
            return Err("it is built in code".to_owned());
        };
        let age = now.began.saturating_sub(former.began);
        let why = if former.fingerprint != now.fingerprint {
            "its definition, its options or the version of shopwarm have changed"
        } else if now.origin.is_none() {
            "the database does not say whether it is the same"
        } else if former.origin != now.origin {
            "the database was replaced or restored"
        } else if former.epoch != now.epoch || now.epoch.is_none() {
            "the cache was restarted or replaced"
        } else if age < 0 || age.unsigned_abs() > longest.as_secs() {
            "it began too long ago: more than half of its TTL, or a day, has passed"
        } else {
            return Ok(());
        };
        Err(why.to_owned())
    }

    /// Takes over what an earlier run has finished of this strategy; `None`: all of it is written again,
    /// so that what is kept is void.
    pub(super) async fn take_over(&mut self, index: usize, former: Option<&Finished>) {
        match (former, &mut self.current) {
            (Some(former), Some(Current { finished, .. })) => {
                let run_id = std::mem::take(&mut finished.run_id);
                *finished = Finished { run_id, ..former.clone() };
            }
            _ => {
                let id = self.run.plan.spec(index).id.to_string();
                if self.is_unread || self.kept.contains_key(&id) {
                    self.forget(vec![id]).await;
                }
            }
        }
    }

    /// Forgets what is finished of the strategy: it is read from its start.
    pub async fn restart(&mut self) {
        self.open = OpenPortions::default();
        if let Some(Current { id, finished, .. }) = &mut self.current {
            finished.what = What::Nothing;
            let id = id.clone();
            self.forget(vec![id]).await;
        }
    }

    /// Takes a batch that was read.
    pub fn read(&mut self, batch: &EntryBatch) {
        let Some(PartOf::Portion { portion, is_last }) = batch.part_of else {
            return;
        };
        let Some(Current { finished, .. }) = &mut self.current else {
            return;
        };
        let state = |state: &TableState| (state.horizon, state.storage);
        match &finished.what {
            What::Portions(all) if state(&all.state) == state(&portion.state) => {}
            _ => {
                finished.began = now();
                finished.what = What::Portions(FinishedPortions::new(portion.state));
                self.open = OpenPortions::default();
            }
        }
        let done = self.open.read(batch, portion, is_last);
        self.add(done);
    }

    /// Takes a batch of which all is known.
    pub fn settled(&mut self, sent: &Sent) {
        if let Some(PartOf::Portion { portion, .. }) = sent.batch.part_of {
            let done = self.open.settled(sent, portion.from);
            self.add(done);
            while self.saving.try_join_next().is_some() {}
            let is_due = self.saved.is_none_or(|saved| saved.elapsed() >= EVERY);
            if is_due && self.saving.is_empty() {
                self.save();
            }
        }
    }

    fn add(&mut self, done: Option<Open>) {
        if let (Some(Open { range, keys, .. }), Some(Current { finished, .. })) =
            (done, &mut self.current)
            && let What::Portions(all) = &mut finished.what
        {
            all.add(range, keys);
        }
    }

    /// Ends a strategy. What was read in portions is asked for changes once more by the next run.
    pub fn end(&mut self, book: &Book, index: usize) {
        let (tally, run) = (&book.tallies[index], self.run);
        let keys = tally.report.stats.warm();
        if let Some(Current { finished, protection, .. }) = &mut self.current
            && !matches!(finished.what, What::Portions(_))
            // Coarse versions protect less than was known at the start.
            && tally.report.protection == *protection
            && book.is_finished(index, &run)
        {
            finished.what = What::All { keys };
        }
        self.save();
        self.current = None;
    }

    /// Writes it to the cache, in the background. A failure costs a later run time only.
    fn save(&mut self) {
        let (Some(cache), Some(Current { id, finished, .. })) = (&self.cache, &self.current) else {
            return;
        };
        self.saved = Some(Instant::now());
        self.is_there = true;
        let text = serde_json::to_string(finished).unwrap_or_default();
        let (cache, field) = (Arc::clone(cache), [(id.clone(), text)]);
        let key = namespace::unfinished(&self.run.plan.options.prefix);
        self.saving.spawn(async move {
            if let Err(failure) = cache.meta().set_fields(key.as_bytes(), &field).await {
                tracing::debug!(%failure, "what is finished was not noted");
            }
        });
    }

    /// Ends the run; `is_over`: it was not interrupted, so that nothing is left to go on with.
    pub async fn finish(mut self, is_over: bool) {
        let ending = async {
            if is_over && self.is_there {
                let strategies = self.run.plan.strategies.iter();
                let ids = strategies.map(|strategy| strategy.spec().id.to_string());
                self.forget(ids.collect()).await;
            }
            while self.saving.join_next().await.is_some() {}
        };
        let _ = timeout(LAST_TIMEOUT, ending).await;
    }

    async fn forget(&mut self, ids: Vec<String>) {
        // What is being written would come after it.
        let saved = async { while self.saving.join_next().await.is_some() {} };
        let _ = timeout(ASK_TIMEOUT, saved).await;
        if let Some(cache) = &self.cache {
            let key = namespace::unfinished(&self.run.plan.options.prefix);
            let deleted = cache.meta().delete_fields(key.as_bytes(), &ids);
            // A user who may write may not be allowed to delete.
            if let Ok(Err(_)) = timeout(ASK_TIMEOUT, deleted).await {
                let empty: Vec<_> = ids.iter().map(|id| (id.clone(), String::new())).collect();
                let emptied = cache.meta().set_fields(key.as_bytes(), &empty);
                if !matches!(timeout(ASK_TIMEOUT, emptied).await, Ok(Ok(()))) {
                    tracing::warn!(
                        "what earlier runs have finished could not be removed from {key}"
                    );
                }
            }
        }
        self.kept.retain(|id, _| !ids.contains(id));
    }
}

/// The answer to a question that a run can do without.
async fn asked<T>(
    run: &RunContext<'_>,
    question: impl Future<Output = Result<T, Failure>>,
) -> Option<T> {
    run.unless_stopped(timeout(ASK_TIMEOUT, question)).await?.ok()?.ok()
}

async fn kept(cache: &dyn Cache, prefix: &str) -> Result<BTreeMap<String, Finished>, Failure> {
    let key = namespace::unfinished(prefix);
    let fields = own_hash(cache, &key, "does not record what runs have finished").await?;
    let read = |(id, text): (Vec<u8>, Vec<u8>)| {
        Some((String::from_utf8(id).ok()?, serde_json::from_slice(&text).ok()?))
    };
    Ok(fields.into_iter().filter_map(read).collect())
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
        debug_assert!(portion.from >= self.end || self.all.contains_key(&portion.from));
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
