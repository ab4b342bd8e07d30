//! What a strategy must pass before it is written, and what it must have been when it was.

use std::time::Duration;

use tokio::time::timeout;

use super::{Entries, Run, Tally, Task};
use crate::application::canary::{Canary, ShapeGuard};
use crate::application::history;
use crate::application::identical::Identical;
use crate::application::ports::{Ask, Mode, Sources, Wanted};
use crate::application::recheck::Recheck;
use crate::application::sample::sampled;
use crate::domain::entry::EntryBatch;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::{Protection, Status};
use crate::domain::server::ServerRole;
use crate::domain::version::Version;

/// A database that has not counted a strategy's keys by then cannot do it cheaply.
const COUNT_TIMEOUT: Duration = Duration::from_secs(10);

impl<'a> Run<'a> {
    /// The entries that are wanted, or some of them where a run only looks at some.
    pub(super) fn entries(&self, index: usize, wanted: Wanted) -> Entries<'a> {
        self.entries_in(index, wanted, false)
    }

    /// The same, `in_order` that they can go on in where they are interrupted.
    pub(super) fn entries_in(&self, index: usize, wanted: Wanted, in_order: bool) -> Entries<'a> {
        let coordinator = self.coordinator;
        let look = coordinator.task.look();
        let strategy = coordinator.strategies[index].as_ref();
        let entries = strategy.entries(Ask {
            batch_size: coordinator.options.batch_size,
            values: look.is_none_or(|look| look.values),
            in_order,
            row_locations: coordinator.writes() && coordinator.options.verify_writes,
            ..Ask::new(wanted)
        });
        match look.and_then(|look| look.sample) {
            Some((size, seed)) => sampled(entries, size, seed),
            None => entries,
        }
    }

    /// What watches over a strategy that writes over what others may have written.
    pub(super) fn canary(&self, index: usize) -> Option<Canary> {
        let options = &self.coordinator.options;
        let writes = matches!(self.coordinator.task, Task::Warm(_));
        let spec = self.coordinator.strategies[index].spec();
        let watches = writes && options.shape != ShapeGuard::Off && options.mode == Mode::Refresh;
        watches.then(|| Canary::new(options.shape, spec.id.to_string(), spec.value))
    }

    /// What leaves values that are there already, where that is wished for: an entry that is not
    /// written over is not compared either.
    pub(super) fn identical(&self) -> Option<Identical<'a>> {
        let options = &self.coordinator.options;
        match &self.coordinator.task {
            Task::Warm(cache) if options.skip_identical && options.mode == Mode::Refresh => {
                Some(Identical::new(cache.as_ref()))
            }
            _ => None,
        }
    }

    /// What reads again what a strategy writes.
    pub(super) fn recheck(&self, index: usize) -> Option<Recheck<'a>> {
        let Task::Warm(cache) = &self.coordinator.task else {
            return None;
        };
        let strategy = self.coordinator.strategies[index].as_ref();
        let wanted = self.coordinator.options.verify_writes
            && strategy.is_versioned()
            && strategy.opaque().is_none();
        wanted.then(|| Recheck::new(strategy, cache.as_ref()))
    }

    /// Says of each strategy whether what it writes is read again.
    pub(super) async fn learn_protection(&mut self) {
        let coordinator = self.coordinator;
        let copied = match &coordinator.sources {
            Some(sources) if coordinator.options.verify_writes => unlike_a_primary(sources).await,
            _ => None,
        };
        for (strategy, tally) in coordinator.strategies.iter().zip(&mut self.tallies) {
            if strategy.unfit().is_some() {
                continue;
            }
            if let Some(why) = strategy.opaque() {
                let id = &tally.report.id;
                let warning = format!("keys of {id} cannot be looked up again: {why}");
                tally.report.warnings.push(warning);
            }
            tally.report.protection = Some(match strategy.is_versioned() {
                _ if !coordinator.options.verify_writes => Protection::Off,
                false => Protection::NoVersion,
                true if strategy.opaque().is_some() => Protection::Opaque,
                true => copied.unwrap_or(Protection::Verified),
            });
        }
    }

    /// Remembers how many keys each strategy had, where a run must not have far fewer.
    pub(super) async fn read_last_complete(&mut self) {
        let options = &self.coordinator.options;
        let (Some(_), Task::Warm(cache)) = (options.max_shrink, &self.coordinator.task) else {
            return;
        };
        let read = tokio::select! {
            read = history::last_complete(cache.as_ref(), &options.prefix) => read,
            () = self.stop.stopped() => return,
        };
        match read {
            Ok(counts) => {
                if counts.is_empty() {
                    let none = "--max-shrink: no earlier complete run is known to compare with";
                    self.warnings.push(none.to_owned());
                }
                self.last_complete = counts;
            }
            // A guard that was asked for and cannot see must not let everything through.
            Err(failure) => {
                let what = "--max-shrink: the counts of the last complete run cannot be read";
                let failure = Failure {
                    what: what.to_owned(),
                    ..failure
                };
                self.broken = true;
                if let Some(tally) = self.tallies.first_mut() {
                    tally.report.status = Status::Failed(failure);
                }
            }
        }
    }

    /// Lets the database count a strategy's keys where that decides whether it may be written.
    pub(super) async fn check_shrink(&mut self, index: usize) -> bool {
        let coordinator = self.coordinator;
        let strategy = &coordinator.strategies[index];
        let id = strategy.spec().id.to_string();
        if coordinator.options.max_shrink.is_none() || !self.last_complete.contains_key(&id) {
            return true;
        }
        let counted = tokio::select! {
            counted = timeout(COUNT_TIMEOUT, strategy.count(coordinator.options.limit)) => counted,
            () = self.stop.stopped() => return false,
        };
        match counted {
            Ok(Ok(keys)) => self.judge_shrink(index, keys),
            // The rows themselves will say what is wrong, or how many there are.
            Err(_) | Ok(Err(_)) => true,
        }
    }

    fn judge_shrink(&mut self, index: usize, keys: u64) -> bool {
        let options = &self.coordinator.options;
        let spec = self.coordinator.strategies[index].spec();
        let Some(last) = self.last_complete.get(&spec.id.to_string()) else {
            return true;
        };
        let last = last.keys.min(options.limit.unwrap_or(u64::MAX));
        let lost = last.saturating_sub(keys);
        let Some(allowed) = options.max_shrink.filter(|p| p.exceeded_by(lost, last)) else {
            return true;
        };
        let failure = Failure::new(
            FailureKind::Query,
            format!("{} has shrunk too much", spec.id),
            format!("{keys} keys, {last} in the last complete run; --max-shrink is {allowed}"),
        )
        .hint("look at the query and its tables; where the shop did shrink, run once without --max-shrink");
        let tally = &mut self.tallies[index];
        tally.failure.get_or_insert(failure);
        self.broken |= options.stop_on_error;
        false
    }

    /// Fewer keys than the definition promises is a failure: an empty selection is usually a
    /// broken query.
    pub(super) fn check_min_keys(&mut self, index: usize) {
        let options = &self.coordinator.options;
        let spec = self.coordinator.strategies[index].spec();
        let tally = &mut self.tallies[index];
        let total = tally.report.stats.total();
        let sample = self.coordinator.task.look().and_then(|look| look.sample);
        let least = spec
            .min_keys
            .min(options.limit.unwrap_or(u64::MAX))
            .min(sample.map_or(u64::MAX, |(size, _)| size as u64));
        let allowed = total == 0 && options.gates.allow_empty;
        if total < least && !allowed && tally.failure.is_none() && self.stop.reason().is_none() {
            let failure = Failure::new(
                FailureKind::Query,
                format!("{} selects too few keys", spec.id),
                format!("{total} selected, min_keys is {}", spec.min_keys),
            );
            tally.failure = Some(failure.hint(
                "look at the query, or lower min_keys in the definition; --allow-empty accepts none",
            ));
            self.broken |= options.stop_on_error;
        } else if tally.failure.is_none() && self.stop.reason().is_none() {
            // Where the database could not count before.
            self.judge_shrink(index, total);
        }
    }
}

impl Tally {
    /// Its entries are protected as well as the finest of their versions tells.
    pub(super) fn learn_precision(&mut self, batch: &EntryBatch) {
        let versions = batch.iter().filter_map(|entry| entry.version);
        let seen = versions.map(Version::precision).max();
        self.finest = self.finest.max(seen);
        let protection = &mut self.report.protection;
        if let (Some(protection), Some(finest)) = (protection, self.finest) {
            *protection = protection.limited_to(finest);
        }
    }
}

/// Why the database that is asked again cannot be relied on to have the latest state. One that the
/// operator names as the primary is taken for it where it does not say what it is.
async fn unlike_a_primary(sources: &Sources) -> Option<Protection> {
    match sources.primary.role().await {
        ServerRole::Primary => None,
        ServerRole::Replica => Some(Protection::Replica),
        ServerRole::ReadOnly => Some(Protection::ReadOnly),
        ServerRole::NotKnown => (!sources.names_a_primary()).then_some(Protection::NotKnown),
    }
}
