//! Keys that earlier runs wrote and whose rows are gone: found in what these runs have left, asked
//! of the database by name, and removed where somebody agrees. Nothing is ever found by a pattern.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;

use super::chunk::RecordedKey;
use super::manifest::{self, KeyManifest};
use super::pile::Pile;
use super::removal::{Removal, not_removed, orphans};
use crate::application::ports::Prunable;
use crate::application::ports::{Ask, Cache, Mode};
use crate::application::run_state::book::Book;
use crate::application::run_state::context::RunContext;
use crate::application::run_state::event::Event;
use crate::application::run_state::tally::keep_first;
use crate::domain::digest::Digest;
use crate::domain::entry::Name;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::printable;
use crate::domain::planned_keys::PlannedKeys;
use crate::domain::report::Status;

/// Keys that the database is asked about together.
const WINDOW: usize = 2_000;

/// A key that an earlier run wrote, and what it wrote there.
type Written = (String, Digest);

/// Finds what may be removed, asks, and removes it. `written`: keys that this run has written.
pub async fn prune(book: &mut Book, run: &RunContext<'_>, written: PlannedKeys) {
    let plan = run.plan;
    let Some(consent) = &plan.prune else {
        return;
    };
    let mut search = Search { run, cache: plan.target.as_ref(), seen: written };
    let mut found = Vec::new();
    for index in 0..book.tallies.len() {
        if !book.is_complete(index, run) {
            let report = &mut book.tallies[index].report;
            report.warnings.push("not pruned, because not all of it was warmed".to_owned());
            continue;
        }
        match search.find(book, index).await {
            Ok(some) => found.push(some),
            Err(failure) => not_pruned(book, index, failure),
        }
    }
    found.retain(|found| found.prunable.keys > 0);
    let prunable: Vec<Prunable> = found.iter().map(|found| found.prunable.clone()).collect();
    if prunable.is_empty() || run.is_stopped() {
        return;
    }
    run.report(&Event::Asking);
    let asked = Instant::now();
    let agreed = run.unless_stopped(consent.may_remove(&prunable)).await;
    book.asked += asked.elapsed();
    if agreed != Some(true) {
        let kept = orphans(prunable.iter().map(|of_one| of_one.keys).sum());
        let why = match agreed {
            Some(_) => "you answered no",
            None => "stopped before you answered",
        };
        book.warnings.push(format!("kept {kept} ({why})"));
        return;
    }
    for found in found {
        let index = found.index;
        if let Err(failure) = search.remove(book, found).await {
            not_pruned(book, index, failure);
        }
    }
}

fn not_pruned(book: &mut Book, index: usize, failure: Failure) {
    let report = &mut book.tallies[index].report;
    report.status = Status::Failed(Failure {
        what: format!("{} was not pruned: {}", report.id, failure.what),
        ..failure
    });
}

/// What was found for one strategy.
struct Found {
    index: usize,
    prunable: Prunable,
    keys: Pile,
}

impl Found {
    fn new(index: usize, strategy: String) -> Self {
        Self {
            index,
            prunable: Prunable { strategy, keys: 0, first: Vec::new() },
            keys: Pile::default(),
        }
    }

    fn push(&mut self, (key, digest): Written) {
        self.prunable.keys += 1;
        keep_first(&mut self.prunable.first, || printable(key.as_bytes()));
        let key = key.into_bytes();
        self.keys.push(&RecordedKey { key, digest });
    }
}

/// The keys of a pile, as text.
fn windows(keys: Pile) -> impl Iterator<Item = Vec<Written>> {
    let text =
        |recorded: RecordedKey| Some((String::from_utf8(recorded.key).ok()?, recorded.digest));
    keys.windows().map(move |window| window.into_iter().filter_map(text).collect())
}

struct Search<'a> {
    run: &'a RunContext<'a>,
    cache: &'a dyn Cache,
    /// Keys that this run has written, and keys that have been looked at.
    seen: PlannedKeys,
}

impl Search<'_> {
    /// What runs have left for a strategy, newest first.
    async fn manifests(&self, id: &str) -> Result<Vec<KeyManifest>, Failure> {
        manifest::manifests(self.cache, &self.run.plan.options.prefix, Some(id)).await
    }

    /// The keys that earlier runs left for a strategy, this one did not write, and no row has.
    async fn find(&mut self, book: &mut Book, index: usize) -> Result<Found, Failure> {
        let run = self.run;
        let spec = run.plan.spec(index);
        let id = spec.id.to_string();
        let mut found = Found::new(index, id.clone());
        let mut window = Vec::new();
        let earlier = self.manifests(&id).await?.into_iter();
        for manifest in earlier.filter(|manifest| !is_own(manifest, run)) {
            let mut keys = manifest::entries(self.cache, &run.plan.options.prefix, &manifest);
            while let Some(some) = next_keys(book, index, &mut keys, &manifest).await {
                for RecordedKey { key, digest } in some {
                    // A key that is no text, or that the definition does not make any more, cannot
                    // be asked for.
                    let is_new = !self.seen.contains(&key);
                    if let (true, Ok(key)) = (is_new, String::from_utf8(key))
                        && spec.key.makes(&key)
                    {
                        self.seen.insert(key.as_bytes());
                        window.push((key, digest));
                    }
                    if window.len() == WINDOW {
                        let gone = self.gone(index, std::mem::take(&mut window)).await?;
                        gone.into_iter().for_each(|key| found.push(key));
                    }
                }
                if run.is_stopped() {
                    return Ok(found);
                }
            }
        }
        let gone = self.gone(index, window).await?;
        gone.into_iter().for_each(|key| found.push(key));
        if self.seen.is_full() { self.without_own(found).await } else { Ok(found) }
    }

    /// Those of some keys that no row has now.
    async fn gone(&self, index: usize, keys: Vec<Written>) -> Result<Vec<Written>, Failure> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let plan = self.run.plan;
        let names = keys.iter().map(|(key, _)| Name::from(key.clone()));
        let asked = Ask::named(names).batch_size(plan.options.batch_size);
        let mut batches = plan.strategies[index].entries(asked.keys_only().from_primary());
        // They are named as they are shown: two that look alike are not told apart, and stay.
        let mut alike: HashMap<String, u32> = HashMap::new();
        for (key, _) in &keys {
            *alike.entry(printable(key.as_bytes())).or_default() += 1;
        }
        let mut absent: HashSet<String> = HashSet::new();
        while let Some(batch) = batches.try_next().await? {
            absent.extend(batch.absent);
        }
        let is_gone = |(key, _): &Written| {
            let shown = printable(key.as_bytes());
            absent.contains(&shown) && alike.get(&shown) == Some(&1)
        };
        Ok(keys.into_iter().filter(is_gone).collect())
    }

    /// What was found without what this run has written itself, which was too much to remember.
    async fn without_own(&self, found: Found) -> Result<Found, Failure> {
        let (plan, id) = (self.run.plan, found.prunable.strategy);
        let gone: Vec<Written> = windows(found.keys).flatten().collect();
        let only_missing = plan.options.mode == Mode::OnlyMissing;
        let mut own = self.manifests(&id).await?;
        own.retain(|manifest| is_own(manifest, self.run));
        if !only_missing && !own.iter().any(|own| own.complete) {
            let what = "the keys that this run wrote are not known";
            let why = "its list of keys is missing";
            return Err(Failure::new(FailureKind::CacheRefused, what, why));
        }
        let names: HashSet<&str> = gone.iter().map(|(key, _)| key.as_str()).collect();
        let mut written: HashSet<String> = HashSet::new();
        for own in &own {
            let mut keys = manifest::keys(self.cache, &plan.options.prefix, own);
            while let Some(some) = keys.try_next().await? {
                let texts = some.iter().filter_map(|key| std::str::from_utf8(key).ok());
                let both = texts.filter(|key| names.contains(key));
                written.extend(both.map(str::to_owned));
            }
        }
        let mut rest = Found::new(found.index, id);
        let left = gone.into_iter().filter(|(key, _)| !written.contains(key));
        left.for_each(|key| rest.push(key));
        Ok(rest)
    }

    /// Removes keys. Time has passed: those that have a row again stay.
    async fn remove(&self, book: &mut Book, found: Found) -> Result<(), Failure> {
        let index = found.index;
        let others = self.run.plan.all_but(index);
        let removal = Removal { cache: self.cache, others: &others };
        let mut left = 0;
        let report = &mut book.tallies[index].report;
        for window in windows(found.keys) {
            for keys in window.chunks(WINDOW) {
                if self.run.is_stopped() {
                    return Ok(());
                }
                let gone = self.gone(index, keys.to_vec()).await?.into_iter();
                let gone = gone.map(|(key, digest)| RecordedKey { key: key.into_bytes(), digest });
                let removed = removal.remove(gone.collect()).await?;
                left += removed.left;
                report.stats.pruned += removed.removed;
            }
        }
        report.warnings.extend(not_removed(left));
        Ok(())
    }
}

fn is_own(manifest: &KeyManifest, run: &RunContext<'_>) -> bool {
    run.info.is_some_and(|info| info.id == manifest.run_id)
}

/// The next keys of a manifest. One that cannot be read is left: its keys end by themselves.
async fn next_keys(
    book: &mut Book,
    index: usize,
    keys: &mut BoxStream<'_, Result<Vec<RecordedKey>, Failure>>,
    manifest: &KeyManifest,
) -> Option<Vec<RecordedKey>> {
    match keys.try_next().await {
        Ok(some) => some,
        Err(failure) => {
            let run = &manifest.run_id;
            let why = format!("keys of the run {run} are not pruned: {}", failure.why);
            book.tallies[index].report.warnings.push(why);
            None
        }
    }
}
