//! Keys in the cache that a strategy makes and that have no row any more.

use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::application::ports::{Ask, Cache};
use crate::application::run_state::book::Book;
use crate::application::run_state::context::RunContext;
use crate::application::run_state::event::Event;
use crate::application::run_state::lookup;
use crate::application::run_state::plan::OrphanSearch;
use crate::domain::entry::KeyError;
use crate::domain::failure::Failure;
use crate::domain::key::{KeyTemplate, printable};
use crate::domain::namespace::OWN;
use crate::domain::planned_keys::PlannedKeys;
use crate::domain::report::StrategyReport;
use crate::domain::sync::lock;

/// Keys of the cache that are asked of the database together.
const WINDOW: usize = 2_000;

/// Asks the cache for all its keys, and the database for the rows of those that a strategy makes.
pub async fn find(book: &mut Book, run: &RunContext<'_>) {
    let wanted = run.plan.orphans.as_ref().filter(|_| book.goes_on(run));
    let Some(OrphanSearch { planned, others }) = wanted else {
        return;
    };
    let planned = std::mem::take(&mut *lock(planned));
    for tally in &mut book.tallies {
        tally.report.seen.orphans = tally.report.unfit().is_none().then_some(0);
    }
    let mut search = Search { book, planned, others, run, window: Vec::new() };
    let found = run.unless_stopped(search.scan(run.plan.target.as_ref())).await;
    match found {
        Some(Ok(())) => {}
        // A partial scan cannot give a total.
        None => unknown(book, None),
        Some(Err(failure)) => unknown(book, Some(&failure)),
    }
}

fn unknown(book: &mut Book, failure: Option<&Failure>) {
    for tally in &mut book.tallies {
        tally.report.seen.orphans = None;
    }
    let why = failure.map(|failure| format!("orphans are not known: {failure}"));
    book.warnings.extend(why);
}

struct Search<'a> {
    book: &'a mut Book,
    planned: PlannedKeys,
    others: &'a [KeyTemplate],
    run: &'a RunContext<'a>,
    /// Keys that the database is asked about next, each with its strategy.
    window: Vec<(usize, String)>,
}

impl Search<'_> {
    async fn scan(&mut self, cache: &dyn Cache) -> Result<(), Failure> {
        let strategies = &self.run.plan.strategies;
        let prefix = common_prefix(strategies.iter().map(|s| &s.spec().key));
        let mut keys = cache.scan(prefix.as_bytes());
        while let Some(some) = keys.next().await {
            some?.into_iter().for_each(|key| self.sort(key));
            if self.window.len() >= WINDOW {
                self.ask().await?;
            }
        }
        self.ask().await
    }

    /// A key that a strategy makes goes into the window. One that is no text can have no row.
    fn sort(&mut self, key: Vec<u8>) {
        match String::from_utf8(key) {
            Ok(key) => {
                let ours = self.maker(&key);
                self.window.extend(ours.map(|index| (index, key)));
            }
            Err(error) => {
                let shown = printable(error.as_bytes());
                let lossy = String::from_utf8_lossy(error.as_bytes());
                if let Some(index) = self.maker(&lossy) {
                    self.report(index, &[shown]);
                }
            }
        }
    }

    /// The strategy that makes a key of the cache, unless the run is not about it.
    fn maker(&self, key: &str) -> Option<usize> {
        let plan = self.run.plan;
        let is_own = |key: &str| key.starts_with(OWN);
        let unprefixed = key.strip_prefix(&plan.options.prefix);
        if self.planned.contains(key.as_bytes()) || unprefixed.is_some_and(is_own) {
            return None;
        }
        let own = plan.strategies.iter().map(|s| &s.spec().key);
        let index = lookup::maker(own.chain(self.others), key)?;
        // Which keys of a strategy have a row is not known where it cannot be read.
        let tally = self.book.tallies.get(index)?;
        tally.report.seen.orphans.is_some().then_some(index)
    }

    async fn ask(&mut self) -> Result<(), Failure> {
        let mut keys = std::mem::take(&mut self.window);
        // A scan may give a key twice.
        keys.sort_unstable();
        keys.dedup();
        let plan = self.run.plan;
        for group in keys.chunk_by(|a, b| a.0 == b.0) {
            let index = group[0].0;
            let asked = Ask::named(group.iter().map(|(_, key)| key.clone()));
            let asked = asked.batch_size(plan.options.batch_size).keys_only();
            let mut batches = plan.strategies[index].entries(asked);
            while let Some(batch) = batches.try_next().await? {
                if !batch.absent.is_empty() {
                    self.report(index, &batch.absent);
                }
                warn_of_unknown(&mut self.book.tallies[index].report, &batch.failed);
            }
        }
        Ok(())
    }

    fn report(&mut self, index: usize, keys: &[String]) {
        let report = &mut self.book.tallies[index].report;
        *report.seen.orphans.get_or_insert(0) += keys.len() as u64;
        let id = &report.id;
        self.run.report(&Event::Orphans { id, keys });
    }
}

/// Says once of a strategy that some of its keys may be orphans or not.
fn warn_of_unknown(report: &mut StrategyReport, keys: &[KeyError]) {
    let Some(KeyError { key, error }) = keys.first() else {
        return;
    };
    let start = "not all orphans are known: ";
    let mut warnings = report.warnings.iter();
    if !warnings.any(|known| known.starts_with(start)) {
        report.warnings.push(format!("{start}{key}: {error}"));
    }
}

/// What all keys of some templates begin with.
fn common_prefix<'t>(templates: impl Iterator<Item = &'t KeyTemplate>) -> String {
    let common = templates.map(KeyTemplate::literal_start).reduce(|a, b| {
        let same = a.char_indices().zip(b.chars()).find(|((_, a), b)| a != b);
        let end = same.map_or(a.len().min(b.len()), |((at, _), _)| at);
        a[..end].to_owned()
    });
    common.unwrap_or_default()
}
