//! `--resume`: goes on where an earlier run ended.

pub mod notes;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

use self::notes::Notes;
use crate::application::ports::Entries;
use crate::application::run_state::book::Book;
use crate::application::run_state::context::RunContext;
use crate::application::run_state::options::LAST;
use crate::application::run_state::passes::Passes;
use crate::domain::checkpoint::{Checkpoint, Finished, What};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::namespace;

/// If the cache does not answer by then, everything is read.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What an earlier run has finished.
#[derive(Default)]
pub struct Resume {
    former: BTreeMap<String, Finished>,
}

impl Resume {
    /// Reads what an earlier run has finished, if the run asks for that.
    pub async fn look_back(book: &mut Book, run: &RunContext<'_>) -> Self {
        let options = &run.plan.options;
        let Some(wanted) = &options.resume else {
            return Self::default();
        };
        let found = match options.limit.is_some() || options.changed.on {
            true => Err("it does not go together with --limit or --changed".to_owned()),
            false => match run.unless_stopped(timeout(TIMEOUT, find(run, wanted))).await {
                Some(Ok(Ok(found))) => found,
                Some(Ok(Err(failure))) => Err(failure.to_string()),
                Some(Err(_)) => Err("the cache does not answer in time".to_owned()),
                None => return Self::default(),
            },
        };
        match found {
            Ok(former) => Self { former },
            Err(why) => {
                book.warnings.push(format!("--resume: {why}; everything is warmed"));
                Self::default()
            }
        }
    }

    /// What is left of a strategy; `None`: all of it.
    pub fn open<'a>(
        &mut self,
        book: &mut Book,
        index: usize,
        run: &RunContext<'a>,
        (passes, notes): (&Passes, &mut Notes<'a>),
    ) -> Option<Entries<'a>> {
        let plan = run.plan;
        notes.begin(index, passes.epoch(index));
        // Another pass begins at the start.
        let former = self.former.remove(&plan.spec(index).id.to_string());
        let former = former.filter(|former| former.what != What::Nothing)?;
        if let Err(why) = notes.take_over(&former, plan.ttls[index].base) {
            book.tallies[index].report.warn(format!("all of it is warmed: {why}"));
            return None;
        }
        match former.what {
            What::Nothing => None,
            What::All { keys } => Some(EntryBatch::taken_over(keys).into()),
            What::Portions(finished) => Some(plan.rest(index, finished)),
        }
    }
}

/// What the wanted run has finished, or the last that warmed any of these strategies; `Err`: why there
/// is nothing, for people.
async fn find(
    run: &RunContext<'_>,
    wanted: &str,
) -> Result<Result<BTreeMap<String, Finished>, String>, Failure> {
    let (meta, prefix) = (run.plan.target.meta(), &run.plan.options.prefix);
    let ids = match wanted {
        LAST => {
            let list = namespace::checkpoints(prefix);
            meta.range(list.as_bytes(), 0, notes::MAX_RUNS).await?
        }
        id => vec![id.as_bytes().to_vec()],
    };
    for id in ids {
        let key = namespace::checkpoint(prefix, &String::from_utf8_lossy(&id));
        let items = meta.range(key.as_bytes(), 0, 1).await?;
        let read = |item: &Vec<u8>| serde_json::from_slice::<Checkpoint>(item).ok();
        let Some(checkpoint) = items.first().and_then(read) else {
            continue;
        };
        let is_ours =
            |id: &String| run.plan.strategies.iter().any(|s| s.spec().id.to_string() == *id);
        if !checkpoint.strategies.keys().any(is_ours) {
            continue;
        }
        return Ok(match checkpoint.is_done {
            true => Err(format!("run {} has finished", checkpoint.run_id)),
            false => Ok(checkpoint.strategies),
        });
    }
    Ok(Err(match wanted {
        LAST => "no earlier run has left anything to go on with".to_owned(),
        id => format!("run {id} has left nothing to go on with, or it is too long ago"),
    }))
}
