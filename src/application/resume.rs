//! `--resume`: goes on where an earlier run was killed or stopped.

pub mod notes;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

use self::notes::{MAX_RUNS, Notes};
use crate::application::ports::{Entries, Mode};
use crate::application::run_state::book::Book;
use crate::application::run_state::context::RunContext;
use crate::application::run_state::options::{LAST, Options};
use crate::domain::checkpoint::{Checkpoint, Finished, What};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::namespace;

/// If the cache does not answer by then, everything is read.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What earlier runs have finished, by strategy, the last run first. `None`: a run that came to its end.
type Former = BTreeMap<String, Vec<Option<Finished>>>;

#[derive(Default)]
pub struct Resume {
    former: Former,
}

impl Resume {
    /// Reads what earlier runs have finished, if the run asks for that.
    pub async fn look_back(book: &mut Book, run: &RunContext<'_>) -> Self {
        let options = &run.plan.options;
        let Some(wanted) = &options.resume else {
            return Self::default();
        };
        let found = match unlike_a_whole_run(options) {
            Some(option) => Err(format!("it does not go together with {option}")),
            None => match run.unless_stopped(timeout(TIMEOUT, find(run, wanted))).await {
                Some(Ok(Ok(found))) => Ok(found),
                Some(Ok(Err(failure))) => Err(failure.to_string()),
                Some(Err(_)) => Err("the cache does not answer in time".to_owned()),
                None => return Self::default(),
            },
        };
        let found = found.and_then(|former| match is_over(&former) {
            true => Err(nothing(wanted)),
            false => Ok(former),
        });
        match found {
            Ok(former) => Self { former },
            Err(why) => {
                book.warnings.push(format!("--resume has no effect: {why}"));
                Self::default()
            }
        }
    }

    /// What is left of a strategy; `None`: all of it.
    pub async fn open<'a>(
        &mut self,
        book: &mut Book,
        index: usize,
        run: &RunContext<'a>,
        notes: &mut Notes<'a>,
    ) -> Option<Entries<'a>> {
        let (plan, report) = (run.plan, &mut book.tallies[index].report);
        notes.begin(index, report.protection.as_ref()).await;
        // Another pass begins at the start.
        let former = self.former.remove(&plan.spec(index).id.to_string())?;
        let best = match best(former, |former| notes.fits(former, plan.ttls[index].base)) {
            Ok(best) => best?,
            Err(why) => {
                report.warn(format!("all of it is warmed: {why}"));
                return None;
            }
        };
        let what = best.what.clone();
        notes.take_over(best);
        match what {
            What::Nothing => None,
            What::All { keys } => Some(EntryBatch::taken_over(keys).into()),
            What::Portions(finished) => Some(plan.rest(index, finished)),
        }
    }
}

/// The run that has finished the most, of those in a row that did the same; `None`: the last was not
/// interrupted.
fn best(
    former: Vec<Option<Finished>>,
    mut fits: impl FnMut(&Finished) -> Result<(), String>,
) -> Result<Option<Finished>, String> {
    let mut best: Option<Finished> = None;
    for former in former {
        match former.map(|former| fits(&former).map(|()| former)) {
            Some(Ok(former)) => {
                if best.as_ref().is_none_or(|best| best.what.keys() < former.what.keys()) {
                    best = Some(former);
                }
            }
            Some(Err(why)) if best.is_none() => return Err(why),
            Some(Err(_)) | None => break,
        }
    }
    match best {
        Some(best) if best.what == What::Nothing => Err("nothing of it was finished".to_owned()),
        best => Ok(best),
    }
}

/// An option with which a run does not write all keys of a strategy.
fn unlike_a_whole_run(options: &Options) -> Option<&'static str> {
    [
        (options.limit.is_some(), "--limit"),
        (options.changed.on, "--changed"),
        (options.mode == Mode::OnlyMissing, "--mode only-missing"),
    ]
    .into_iter()
    .find_map(|(is_set, option)| is_set.then_some(option))
}

fn is_over(former: &Former) -> bool {
    former.values().all(|runs| !matches!(runs.first(), Some(Some(_))))
}

fn nothing(wanted: &str) -> String {
    match wanted {
        LAST => "the last run was not interrupted, or it is too long ago".to_owned(),
        id => format!("run {id} was not interrupted, or it is too long ago"),
    }
}

/// What the wanted run has finished, or all that are known.
async fn find(run: &RunContext<'_>, wanted: &str) -> Result<Former, Failure> {
    let (meta, prefix) = (run.plan.target.meta(), &run.plan.options.prefix);
    let ids = match wanted {
        LAST => {
            let list = namespace::checkpoints(prefix);
            meta.range(list.as_bytes(), 0, MAX_RUNS).await?
        }
        id => vec![id.as_bytes().to_vec()],
    };
    let mut former = Former::new();
    for id in ids {
        let key = namespace::checkpoint(prefix, &String::from_utf8_lossy(&id));
        let items = meta.range(key.as_bytes(), 0, 1).await?;
        let read = |item: &Vec<u8>| serde_json::from_slice::<Checkpoint>(item).ok();
        let Some(checkpoint) = items.first().and_then(read) else {
            continue;
        };
        for (id, finished) in checkpoint.strategies {
            former.entry(id).or_default().push((!checkpoint.is_over).then_some(finished));
        }
    }
    let is_ours = |id: &String| run.plan.strategies.iter().any(|s| s.spec().id.to_string() == *id);
    former.retain(|id, _| is_ours(id));
    Ok(former)
}
