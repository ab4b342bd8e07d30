//! The size guard: a strategy that has shrunk too much, or selects too few keys, fails.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

use crate::application::record::history::{self, LastComplete};
use crate::application::run_state::book::Book;
use crate::application::run_state::context::RunContext;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::Status;
use crate::domain::wording::{self, grouped};

/// If counting a strategy's keys takes longer, it is too expensive.
const COUNT_TIMEOUT: Duration = Duration::from_secs(10);

/// Compares the sizes of strategies with their last complete runs (`--max-shrink`) and with the
/// `min_keys` of their definitions.
pub struct SizeGuard<'a> {
    run: RunContext<'a>,
    /// By strategy; `None`: nothing is compared.
    last_complete: Option<BTreeMap<String, LastComplete>>,
}

impl<'a> SizeGuard<'a> {
    /// Reads how many keys each strategy had, for `--max-shrink`.
    pub async fn new(book: &mut Book, run: RunContext<'a>) -> Self {
        let last_complete = read_last_complete(book, &run).await;
        Self { run, last_complete }
    }

    /// The last complete runs, if they were read.
    pub fn last_complete(&self) -> Option<&BTreeMap<String, LastComplete>> {
        self.last_complete.as_ref()
    }

    /// Whether a strategy may be written: the database counts its keys if it may have shrunk.
    pub async fn before(&self, book: &mut Book, index: usize) -> bool {
        let plan = self.run.plan;
        if self.last_size(index).is_none() {
            return true;
        }
        let counting = plan.strategies[index].count(plan.options.limit);
        let counting = timeout(COUNT_TIMEOUT, counting);
        let Some(counted) = self.run.unless_stopped(counting).await else {
            return false;
        };
        match counted {
            Ok(Ok(keys)) => self.judge_shrink(book, index, keys),
            // The rows will show what is wrong, or how many there are.
            Err(_) | Ok(Err(_)) => true,
        }
    }

    /// Fails a strategy that is too small.
    pub fn after(&self, book: &mut Book, index: usize) {
        let tally = &book.tallies[index];
        if tally.failure.is_some() || self.run.is_stopped() {
            return;
        }
        let total = tally.report.stats.total();
        match self.too_few(index, total) {
            Some(failure) => self.fail(book, index, failure),
            // The database could not count before.
            None => {
                self.judge_shrink(book, index, total);
            }
        }
    }

    /// Fewer keys than the definition promises is a failure: an empty selection is usually a broken
    /// query.
    fn too_few(&self, index: usize, total: u64) -> Option<Failure> {
        let (plan, options) = (self.run.plan, &self.run.plan.options);
        let spec = plan.spec(index);
        let sample = options.sample.map_or(u64::MAX, |(size, _)| size as u64);
        let least = spec.min_keys.min(options.limit.unwrap_or(u64::MAX));
        let is_allowed = total == 0 && options.gates.allow_empty;
        if total >= least.min(sample) || is_allowed {
            return None;
        }
        let what = format!("{} selects too few keys", spec.id);
        let (selected, min) = (wording::keys(total), grouped(spec.min_keys));
        let why = format!("{selected} selected, min_keys is {min}");
        Some(Failure::new(FailureKind::Query, what, why).hint(
            "check the query, or lower min_keys in the definition; --allow-empty accepts an empty result",
        ))
    }

    /// How many keys a strategy had in its last complete run, at most this run's limit.
    fn last_size(&self, index: usize) -> Option<u64> {
        let plan = self.run.plan;
        let id = plan.spec(index).id.to_string();
        let last = self.last_complete.as_ref()?.get(&id)?;
        Some(last.keys.min(plan.options.limit.unwrap_or(u64::MAX)))
    }

    /// Fails a strategy that has shrunk too much to `keys`; `true`: it has not.
    fn judge_shrink(&self, book: &mut Book, index: usize, keys: u64) -> bool {
        let plan = self.run.plan;
        let Some(last) = self.last_size(index) else {
            return true;
        };
        let lost = last.saturating_sub(keys);
        let max_shrink = plan.options.max_shrink;
        let Some(allowed) = max_shrink.filter(|allowed| allowed.exceeded_by(lost, last)) else {
            return true;
        };
        let what = format!("{} has shrunk too much", plan.spec(index).id);
        let (keys, last) = (wording::keys(keys), grouped(last));
        let why = format!("{keys}, {last} in the last complete run; --max-shrink is {allowed}");
        let failure = Failure::new(FailureKind::Query, what, why).hint(
            "check the query and its tables; if the shop really shrank, run once without --max-shrink",
        );
        self.fail(book, index, failure);
        false
    }

    fn fail(&self, book: &mut Book, index: usize, failure: Failure) {
        book.tallies[index].fail(failure);
        book.is_broken |= self.run.plan.options.stop_on_error;
    }
}

async fn read_last_complete(
    book: &mut Book,
    run: &RunContext<'_>,
) -> Option<BTreeMap<String, LastComplete>> {
    let options = &run.plan.options;
    options.max_shrink?;
    if options.sample.is_some() {
        return None;
    }
    let writes = run.plan.written_cache().is_some();
    let read = history::last_complete(run.plan.target.as_ref(), &options.prefix);
    match run.unless_stopped(read).await? {
        Ok(counts) => {
            if counts.is_empty() && writes {
                let none = "--max-shrink: there is no earlier complete run to compare with";
                book.warnings.push(none.to_owned());
            }
            Some(counts)
        }
        // A dry run compares what it can.
        Err(_) if !writes => None,
        // A guard that was asked for and cannot see must not let everything through.
        Err(failure) => {
            let what = "--max-shrink: the counts of the last complete run cannot be read";
            let what = what.to_owned();
            book.is_broken = true;
            if let Some(tally) = book.tallies.first_mut() {
                tally.report.status = Status::Failed(Failure { what, ..failure });
            }
            None
        }
    }
}
