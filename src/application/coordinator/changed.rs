//! Which strategies of a run are warmed by their changes, and what is left so that the next run can.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::timeout;

use super::{Run, Task};
use crate::application::changed::{Ground, Reload, Told};
use crate::application::history::{self, LastComplete};
use crate::application::own_keys::{self, Generation};
use crate::application::ports::{Cache, Mode, Way};
use crate::domain::changes::{ChangedReport, Moment, ReadHow, Since, Watermark};
use crate::domain::failure::Failure;
use crate::domain::report::Status;
use crate::domain::ttl::Ttl;

/// A server that has not said by then what is needed for reading less is read whole.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known before anything is read.
#[derive(Default)]
pub(super) struct Before {
    /// `None`: the run leaves nothing that later ones could go by.
    moment: Option<Result<Moment, String>>,
    /// What our own clock said when the database was asked for its own.
    asked_at: i64,
    last: BTreeMap<String, LastComplete>,
    generations: Vec<Generation>,
    /// Why nothing is known of earlier runs.
    unknown: Option<String>,
    /// Of strategies that are being read by their changes.
    told: BTreeMap<usize, Arc<Told>>,
    /// Generations that those of this run stand for, once it is complete.
    superseded: Vec<(usize, Generation)>,
    /// Strategies of which some keys were found to live long enough.
    left_alone: BTreeSet<usize>,
}

impl Run<'_> {
    /// Asks for the moment before which everything will have been seen, and for what earlier runs
    /// have left.
    pub(super) async fn look_back(&mut self) {
        let coordinator = self.coordinator;
        let options = &coordinator.options;
        let Task::Warm(cache) = &coordinator.task else {
            return;
        };
        let tracked = coordinator.strategies.iter().any(|s| s.tracked().is_ok());
        let is_whole = options.mode == Mode::Refresh && options.limit.is_none();
        let Some(sources) = coordinator.sources.as_ref().filter(|_| tracked && is_whole) else {
            return;
        };
        let stop = self.stop;
        self.before.asked_at = now();
        let asked = tokio::select! {
            asked = timeout(PATIENCE, sources.bulk.moment()) => asked,
            () = stop.stopped() => return,
        };
        let moment = match asked {
            Ok(moment) => moment.map_err(|failure| failure.to_string()),
            Err(_) => Err("the database does not tell the time".to_owned()),
        };
        if options.changed.on
            && let Ok(Moment {
                doubt: Some(doubt), ..
            }) = &moment
        {
            let warning = format!(
                "--changed: the database is not quite sure: {doubt}; what was under way for longer \
                 than --changed-overlap would be missed until everything is read again"
            );
            self.warnings.push(warning);
        }
        self.before.moment = Some(moment);
        if !options.changed.on {
            return;
        }
        let left = timeout(PATIENCE, left_by_others(cache.as_ref(), &options.prefix));
        let left = tokio::select! {
            left = left => left,
            () = stop.stopped() => return,
        };
        match left {
            Ok(Ok((last, generations))) => {
                self.before.last = last;
                self.before.generations = generations;
            }
            Ok(Err(failure)) => self.before.unknown = Some(failure.to_string()),
            Err(_) => self.before.unknown = Some("the cache does not answer in time".to_owned()),
        }
    }

    /// Whether strategies are read by their changes: then their streams are not opened ahead.
    pub(super) fn reads_changes(&self) -> bool {
        self.coordinator.options.changed.on && self.coordinator.writes()
    }

    /// Lets a strategy be read by its changes, where that is wished for and can be done.
    pub(super) async fn begin_changes(&mut self, index: usize) {
        if !self.reads_changes() {
            return;
        }
        let stop = self.stop;
        let ground = tokio::select! {
            ground = self.ground(index) => ground,
            () = stop.stopped() => return,
        };
        let (read, why) = match ground.and_then(|ground| self.open_changes(index, ground)) {
            Ok(read) => (read, None),
            Err(why) => (ReadHow::Full, Some(why)),
        };
        self.tallies[index].report.changed = Some(ChangedReport {
            read,
            why,
            unchanged: 0,
            removed: 0,
        });
    }

    /// Puts the stream of a strategy's changes in place of that of all its entries.
    fn open_changes(&mut self, index: usize, ground: Ground) -> Result<ReadHow, String> {
        let coordinator = self.coordinator;
        let cache = coordinator.cache().ok_or("there is no cache")?;
        let recorder = self.recorder.as_ref().ok_or(NOT_KEPT)?;
        let read = match ground.way {
            Way::Rows => ReadHow::Changed,
            Way::Keys => ReadHow::Keys,
        };
        let told = Arc::new(Told::default());
        let generation = ground.generation.clone();
        let strategy = &coordinator.strategies[index];
        let reload = Reload {
            strategy: Arc::clone(strategy),
            others: coordinator.all_but(index),
            cache: Arc::clone(cache),
            prefix: coordinator.options.prefix.clone(),
            ttl: coordinator.ttls[index].clone(),
            batch_size: coordinator.options.batch_size,
            ground,
            adopter: recorder.adopter(index),
            pace: coordinator.pace.clone(),
            told: Arc::clone(&told),
        };
        self.before.superseded.push((index, generation));
        self.before.told.insert(index, told);
        self.ahead.insert(index, reload.entries());
        Ok(read)
    }

    /// What a strategy can be read by its changes from; `Err`: why it cannot.
    async fn ground(&mut self, index: usize) -> Result<Ground, String> {
        let coordinator = self.coordinator;
        let options = &coordinator.options;
        let strategy = &coordinator.strategies[index];
        let before = &self.before;
        if options.mode != Mode::Refresh {
            return Err("--mode only-missing leaves what is there".to_owned());
        }
        if options.limit.is_some() {
            return Err("--limit leaves some of the keys out".to_owned());
        }
        if self.tallies[index].passes > 1 {
            return Err("the cache was restarted or replaced during the run".to_owned());
        }
        let tracked = strategy.tracked()?;
        let moment = before.moment.as_ref().ok_or("the database was not asked")?;
        let moment = moment.as_ref().map_err(Clone::clone)?;
        if let Some(why) = &before.unknown {
            return Err(why.clone());
        }
        let id = strategy.spec().id.to_string();
        let last = before.last.get(&id);
        let last = last.ok_or("there is no complete run before it")?;
        let mark = last.watermark.as_ref();
        let mark = mark.ok_or("the last complete run did not note up to when it had seen all")?;
        self.check_mark(index, mark, &tracked.fingerprint(), moment)?;
        let (mine, others): (Vec<_>, Vec<_>) = before
            .generations
            .iter()
            .filter(|generation| generation.strategy == id)
            .cloned()
            .partition(|generation| generation.run_id == last.run_id && generation.complete);
        let generation = mine.into_iter().next().ok_or(NOT_KEPT)?;
        Ok(Ground {
            way: tracked.way().await?,
            since: Since::new(mark.unseen_from, options.changed.overlap),
            generation,
            others,
            renewed: renewed(mark, &coordinator.ttls[index]),
        })
    }

    /// Whether what was noted then holds now.
    fn check_mark(
        &self,
        index: usize,
        mark: &Watermark,
        fingerprint: &str,
        moment: &Moment,
    ) -> Result<(), String> {
        let changed = &self.coordinator.options.changed;
        let (full_every, overlap) = (changed.full_every, changed.overlap);
        // Whole seconds are noted: one that has begun counts.
        let since_full = now().saturating_sub(mark.full_at).max(0) + 1;
        let since_full = Duration::from_secs(since_full.unsigned_abs());
        let why = if mark.fingerprint != fingerprint {
            "its definition has changed"
        } else if mark.origin != moment.origin {
            "the database is another one, or was restored"
        } else if mark.clock_was_set_back(moment, self.before.asked_at, overlap) {
            "the database's clock was set back"
        } else if mark.cache != self.tallies[index].epoch {
            "the cache was restarted or replaced"
        } else if since_full >= full_every || mark.full_at > now() {
            "everything was read longer ago than --full-every says"
        } else {
            return Ok(());
        };
        Err(why.to_owned())
    }

    /// Counts what was done beside the entries.
    pub(super) fn end_changes(&mut self, index: usize) {
        let Some(told) = self.before.told.remove(&index) else {
            return;
        };
        let report = &mut self.tallies[index].report;
        let Some(changed) = &mut report.changed else {
            return;
        };
        if let Some(why) = told.full() {
            changed.read = ReadHow::Full;
            changed.why = Some(why);
        }
        if told.reads_keys() && changed.read == ReadHow::Changed {
            changed.read = ReadHow::Keys;
        }
        changed.unchanged = told.unchanged();
        changed.removed = told.removed();
        let left = not_removed(told.not_removed());
        report.warnings.extend(left);
        if told.left_alone() {
            self.before.left_alone.insert(index);
        }
        report.stats.warmed += changed.unchanged;
    }

    /// What a later run needs to read the changes since this one. Whether it may is decided when the
    /// run is recorded.
    pub(super) fn leave_watermark(&mut self, index: usize) {
        let strategy = &self.coordinator.strategies[index];
        let (Ok(tracked), Some(Ok(moment))) = (strategy.tracked(), &self.before.moment) else {
            return;
        };
        let tally = &mut self.tallies[index];
        let report = &tally.report;
        // A newer value of somebody else's was left there: its key is none of those that are ours.
        let is_whole = report.stats.already_there() == 0;
        if report.status != Status::Completed || !is_whole {
            return;
        }
        let read = report.changed.as_ref().map_or(ReadHow::Full, |c| c.read);
        let id = report.id.to_string();
        let last = self.before.last.get(&id);
        let last = last.and_then(|last| last.watermark.as_ref());
        let full_at = match (read, last) {
            (ReadHow::Changed | ReadHow::Keys, Some(last)) => last.full_at,
            _ => self.began,
        };
        let renewed_at = match last {
            Some(last) if self.before.left_alone.contains(&index) => last.renewed_at,
            _ => self.began,
        };
        tally.report.watermark = Some(Watermark {
            unseen_from: moment.unseen_from(),
            origin: moment.origin.clone(),
            clock: moment.clock,
            noted_at: self.before.asked_at,
            cache: tally.epoch,
            fingerprint: tracked.fingerprint(),
            full_at,
            renewed_at,
            ttl: lifetime(&self.coordinator.ttls[index]),
        });
    }

    /// Forgets the keys of runs that this one has followed to the end.
    pub(super) async fn forget_superseded(&mut self, whole: &[bool]) {
        let Some(cache) = self.coordinator.cache() else {
            return;
        };
        let superseded = std::mem::take(&mut self.before.superseded);
        for (index, generation) in superseded {
            let report = &self.tallies[index].report;
            let read = report.changed.as_ref().map(|changed| changed.read);
            if whole[index] && matches!(read, Some(ReadHow::Changed | ReadHow::Keys)) {
                let prefix = &self.coordinator.options.prefix;
                let forgotten = own_keys::forget(cache.as_ref(), prefix, &generation).await;
                if let Err(failure) = forgotten {
                    tracing::debug!(%failure, "an old list of keys stays until it ends");
                }
            }
        }
    }
}

/// What is to be said of keys that have no row any more and were not removed.
pub(super) fn not_removed(keys: u64) -> Option<String> {
    (keys > 0).then(|| {
        format!(
            "{keys} keys without a row were not removed: somebody else has written them since, or \
             another strategy makes them"
        )
    })
}

/// A key that was given its time less than so much of it ago need not be given it again.
const NOT_WORN: u32 = 20;

/// How long ago all keys were given their time, where it was this one and that is not to be seen.
fn renewed(mark: &Watermark, ttl: &Ttl) -> Option<Duration> {
    // A second for the clock's rounding, and one for the cache's.
    let ago = Duration::from_secs(u64::try_from(now() - mark.renewed_at).ok()? + 2);
    let is_same = mark.ttl == lifetime(ttl);
    (is_same && ago <= ttl.base / NOT_WORN).then_some(ago)
}

fn lifetime(ttl: &Ttl) -> String {
    format!("{:?} {:?}", ttl.base, ttl.jitter)
}

const NOT_KEPT: &str = "which keys the last complete run has written is not known any more";

/// The last complete runs, and the keys that runs have written.
async fn left_by_others(
    cache: &dyn Cache,
    prefix: &str,
) -> Result<(BTreeMap<String, LastComplete>, Vec<Generation>), Failure> {
    let last = history::last_complete(cache, prefix).await?;
    let generations = own_keys::generations(cache, prefix, None).await?;
    Ok((last, generations))
}

/// Seconds since 1970, by our own clock.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0))
}
