//! Decides which strategies read only changes, and leaves what the next run needs for that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::reload::{Reload, ReloadBaseline, ReloadProgress};
use crate::application::keys::manifest::{self, KeyManifest};
use crate::application::keys::recorder::Recorder;
use crate::application::keys::removal::not_removed;
use crate::application::ports::{ChangeScan, Entries, Mode, Sources};
use crate::application::record::history::{self, LastComplete};
use crate::application::run_state::book::Book;
use crate::application::run_state::context::{RunContext, now};
use crate::application::run_state::passes::{Passes, REPLACED};
use crate::domain::changes::{ChangedReport, Moment, ReadHow, Since, Watermark};
use crate::domain::failure::Failure;
use crate::domain::report::Status;
use crate::domain::ttl::Ttl;

/// If a server does not answer by then, everything is read.
const TIMEOUT: Duration = Duration::from_secs(10);

const NOT_KEPT: &str = "the keys that the last complete run wrote are no longer known";

/// What is known of earlier runs and the database before the first read.
pub struct ChangedOnly<'a> {
    run: RunContext<'a>,
    /// `None`: later runs cannot build on this one.
    moment: Option<Result<Moment, String>>,
    /// Our own clock when the database was asked for its clock.
    asked_at: i64,
    last: BTreeMap<String, LastComplete>,
    manifests: Vec<KeyManifest>,
    /// Why nothing is known of earlier runs.
    unknown: Option<String>,
    /// Of strategies that read only changes.
    progress: BTreeMap<usize, Arc<ReloadProgress>>,
    /// Manifests that this run replaces once it is complete.
    superseded: Vec<(usize, KeyManifest)>,
    /// Strategies with keys that needed no fresh TTL.
    left_alone: BTreeSet<usize>,
}

impl<'a> ChangedOnly<'a> {
    /// Asks the database for its clock, and reads what earlier runs have left.
    pub async fn look_back(book: &mut Book, run: RunContext<'a>) -> Self {
        let mut changes = Self {
            run,
            moment: None,
            asked_at: now(),
            last: BTreeMap::new(),
            manifests: Vec::new(),
            unknown: None,
            progress: BTreeMap::new(),
            superseded: Vec::new(),
            left_alone: BTreeSet::new(),
        };
        if let Some(sources) = tracked_sources(&run) {
            changes.ask_moment(sources, book).await;
            if run.plan.options.changed.on && changes.moment.is_some() {
                changes.read_earlier_runs().await;
            }
        }
        changes
    }

    async fn ask_moment(&mut self, sources: &Sources, book: &mut Book) {
        let asked = timeout(TIMEOUT, sources.bulk.moment());
        let moment = match self.run.unless_stopped(asked).await {
            None => return,
            Some(Ok(moment)) => moment.map_err(|failure| failure.to_string()),
            Some(Err(_)) => Err("the database does not report its time".to_owned()),
        };
        let doubt = moment.as_ref().ok().and_then(|m| m.doubt.as_ref());
        if let (true, Some(doubt)) = (self.run.plan.options.changed.on, doubt) {
            book.warnings.push(format!(
                "--changed: {doubt}; changes that took longer than \
                 --changed-overlap to commit are missed until the next full read"
            ));
        }
        self.moment = Some(moment);
    }

    /// The last complete runs, and the lists of written keys.
    async fn read_earlier_runs(&mut self) {
        let plan = self.run.plan;
        let (cache, prefix) = (plan.target.as_ref(), &plan.options.prefix);
        let reading = async {
            let last = history::last_complete(cache, prefix).await?;
            let manifests = manifest::manifests(cache, prefix, None).await?;
            Ok::<_, Failure>((last, manifests))
        };
        match self.run.unless_stopped(timeout(TIMEOUT, reading)).await {
            None => {}
            Some(Ok(Ok((last, manifests)))) => {
                self.last = last;
                self.manifests = manifests;
            }
            Some(Ok(Err(failure))) => self.unknown = Some(failure.to_string()),
            Some(Err(_)) => self.unknown = Some("the cache does not answer in time".to_owned()),
        }
    }

    /// The stream of a strategy's changes, if the run asks for those and can read them.
    pub async fn open(
        &mut self,
        book: &mut Book,
        index: usize,
        passes: &Passes,
        recorder: Option<&Recorder>,
    ) -> Option<Entries<'a>> {
        let plan = self.run.plan;
        if !plan.options.changed.on {
            return None;
        }
        let baseline = self.run.unless_stopped(self.baseline(index, passes)).await?;
        let opened = baseline.and_then(|baseline| self.open_on(index, baseline, recorder));
        let (read, why, entries) = match opened {
            Ok((read, entries)) => (read, None, Some(entries)),
            Err(why) => (ReadHow::Full, Some(why), None),
        };
        book.tallies[index].report.changed =
            Some(ChangedReport { read, why, unchanged: 0, removed: 0 });
        entries
    }

    fn open_on(
        &mut self,
        index: usize,
        baseline: ReloadBaseline,
        recorder: Option<&Recorder>,
    ) -> Result<(ReadHow, Entries<'a>), String> {
        let plan = self.run.plan;
        let recorder = recorder.ok_or(NOT_KEPT)?;
        let read = match baseline.scan {
            ChangeScan::Rows => ReadHow::Changed,
            ChangeScan::Keys => ReadHow::Keys,
        };
        let progress = Arc::new(ReloadProgress::default());
        self.superseded.push((index, baseline.manifest.clone()));
        self.progress.insert(index, Arc::clone(&progress));
        let reload = Reload {
            strategy: Arc::clone(&plan.strategies[index]),
            others: plan.all_but(index),
            cache: Arc::clone(&plan.target),
            prefix: plan.options.prefix.clone(),
            ttl: plan.ttls[index].clone(),
            batch_size: plan.options.batch_size,
            baseline,
            adopter: recorder.adopter(index),
            pace: plan.pace.clone(),
            progress,
        };
        Ok((read, reload.entries()))
    }

    /// Where the changes of a strategy start; `Err`: why it must be read in full.
    async fn baseline(&self, index: usize, passes: &Passes) -> Result<ReloadBaseline, String> {
        let plan = self.run.plan;
        let options = &plan.options;
        if options.mode != Mode::Refresh {
            return Err("--mode only-missing keeps existing values".to_owned());
        }
        if options.limit.is_some() {
            return Err("--limit leaves some of the keys out".to_owned());
        }
        if passes.is_repeated(index) {
            return Err(REPLACED.to_owned());
        }
        let tracked = plan.strategies[index].tracked()?;
        let moment = self.moment.as_ref().ok_or("the database was not queried")?;
        let moment = moment.as_ref().map_err(Clone::clone)?;
        if let Some(why) = &self.unknown {
            return Err(why.clone());
        }
        let id = plan.spec(index).id.to_string();
        let last = self.last.get(&id);
        let last = last.ok_or("no earlier run was complete")?;
        let mark = last.watermark.as_ref();
        let mark =
            mark.ok_or("the last complete run did not record up to when it had read everything")?;
        let definition = plan.strategies[index].fingerprint().unwrap_or_default();
        self.check_mark(mark, &definition, moment, passes.epoch(index))?;
        let (mine, others): (Vec<_>, Vec<_>) = self
            .manifests
            .iter()
            // With another definition, or other variables, other keys belong to it.
            .filter(|m| m.strategy == id && m.definition.as_ref() == Some(&definition))
            .cloned()
            .partition(|manifest| manifest.run_id == last.run_id && manifest.complete);
        let manifest = mine.into_iter().next().ok_or(NOT_KEPT)?;
        Ok(ReloadBaseline {
            scan: tracked.scan().await?,
            since: Since::new(mark.unseen_from, options.changed.overlap),
            manifest,
            others,
            renewed: renewed(mark, &plan.ttls[index]),
        })
    }

    /// Whether the watermark is still valid.
    fn check_mark(
        &self,
        mark: &Watermark,
        fingerprint: &str,
        moment: &Moment,
        epoch: Option<u64>,
    ) -> Result<(), String> {
        let changed = &self.run.plan.options.changed;
        // The mark has whole seconds: round up.
        let since_full = now().saturating_sub(mark.full_at).max(0) + 1;
        let since_full = Duration::from_secs(since_full.unsigned_abs());
        let why = if mark.fingerprint != fingerprint {
            "its definition has changed"
        } else if mark.origin != moment.origin {
            "the database was replaced or restored, or session_timezone has changed"
        } else if mark.clock_was_set_back(moment, self.asked_at, changed.overlap) {
            "the database's clock was set back"
        } else if mark.cache != epoch {
            "the cache was restarted or replaced"
        } else if since_full >= changed.full_every || mark.full_at > now() {
            "the last full read is longer ago than --full-every"
        } else {
            return Ok(());
        };
        Err(why.to_owned())
    }

    /// Adds what happened besides the entries to the report.
    pub fn close(&mut self, book: &mut Book, index: usize) {
        let report = &mut book.tallies[index].report;
        let (Some(progress), Some(changed)) = (self.progress.remove(&index), &mut report.changed)
        else {
            return;
        };
        if let Some(why) = progress.full() {
            changed.read = ReadHow::Full;
            changed.why = Some(why);
        }
        if progress.reads_keys() && changed.read == ReadHow::Changed {
            changed.read = ReadHow::Keys;
        }
        changed.unchanged = progress.unchanged();
        changed.removed = progress.removed();
        report.stats.warmed += changed.unchanged;
        report.warnings.extend(not_removed(progress.not_removed()));
        if progress.left_alone() {
            self.left_alone.insert(index);
        }
    }

    /// Notes where a later run can continue. Whether it may is decided when the run is recorded.
    pub fn leave_watermark(&self, book: &mut Book, index: usize, passes: &Passes) {
        let plan = self.run.plan;
        let (Ok(_), Some(Ok(moment))) = (plan.strategies[index].tracked(), &self.moment) else {
            return;
        };
        let report = &mut book.tallies[index].report;
        // A newer value of somebody else stayed: that key is not ours.
        let is_whole = report.stats.already_there() == 0;
        if report.status != Status::Completed || !is_whole {
            return;
        }
        let read = report.changed.as_ref().map_or(ReadHow::Full, |c| c.read);
        let last = self.last.get(&report.id.to_string());
        let last = last.and_then(|last| last.watermark.as_ref());
        let began = self.run.began;
        let full_at = match (read, last) {
            (ReadHow::Changed | ReadHow::Keys, Some(last)) => last.full_at,
            _ => began,
        };
        let renewed_at = match last {
            Some(last) if self.left_alone.contains(&index) => last.renewed_at,
            _ => began,
        };
        report.watermark = Some(Watermark {
            unseen_from: moment.unseen_from(),
            origin: moment.origin.clone(),
            clock: moment.clock,
            noted_at: self.asked_at,
            cache: passes.epoch(index),
            fingerprint: plan.strategies[index].fingerprint().unwrap_or_default(),
            full_at,
            renewed_at,
            ttl: lifetime(&plan.ttls[index]),
        });
    }

    /// Forgets the manifests that this run replaces; `whole`: for each strategy, whether this run has
    /// left its whole selection.
    pub async fn forget_superseded(&mut self, book: &Book, whole: &[bool]) {
        let plan = self.run.plan;
        for (index, manifest) in std::mem::take(&mut self.superseded) {
            let changed = &book.tallies[index].report.changed;
            let read = changed.as_ref().map(|changed| changed.read);
            if whole[index] && matches!(read, Some(ReadHow::Changed | ReadHow::Keys)) {
                let (cache, prefix) = (plan.target.as_ref(), &plan.options.prefix);
                manifest::forget_quietly(cache, prefix, &manifest).await;
            }
        }
    }
}

/// The sources to ask for their clock, if later runs can build on this one.
fn tracked_sources<'a>(run: &RunContext<'a>) -> Option<&'a Sources> {
    let options = &run.plan.options;
    let tracked = run.plan.strategies.iter().any(|s| s.tracked().is_ok());
    let is_whole = options.mode == Mode::Refresh && options.limit.is_none();
    let sources = run.plan.sources.as_ref();
    sources.filter(|_| tracked && is_whole)
}

/// TTLs that were refreshed less than this fraction of the TTL ago are still fresh.
const FRESH_FRACTION: u32 = 20;

/// How long ago all TTLs were refreshed, if the TTL is unchanged and that is too recent to matter.
fn renewed(mark: &Watermark, ttl: &Ttl) -> Option<Duration> {
    // A second for the clock's rounding, and one for the cache's.
    let ago = Duration::from_secs(u64::try_from(now() - mark.renewed_at).ok()? + 2);
    let is_same = mark.ttl == lifetime(ttl);
    (is_same && ago <= ttl.base / FRESH_FRACTION).then_some(ago)
}

fn lifetime(ttl: &Ttl) -> String {
    format!("{:?} {:?}", ttl.base, ttl.jitter)
}
