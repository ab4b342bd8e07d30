//! `--resume`: goes on where an earlier run was killed or stopped.

pub mod notes;

use self::notes::Notes;
use crate::application::ports::{Entries, Mode};
use crate::application::run_state::book::Book;
use crate::application::run_state::context::RunContext;
use crate::application::run_state::options::{LAST, Options};
use crate::domain::checkpoint::{Finished, What};
use crate::domain::entry::EntryBatch;

/// Warns if there is nothing to go on with, and the run asks for that.
pub fn check(book: &mut Book, run: &RunContext<'_>, notes: &Notes<'_>) {
    let Some(wanted) = &run.plan.options.resume else {
        return;
    };
    let mut ids = run.plan.strategies.iter().map(|strategy| strategy.spec().id.to_string());
    let why = match unlike_a_whole_run(&run.plan.options) {
        Some(option) => format!("it does not go together with {option}"),
        None if ids.any(|id| former(notes, &id, wanted).is_some()) => return,
        None if notes.is_unread => {
            "the cache does not say what earlier runs have finished".to_owned()
        }
        None if wanted == LAST => "the last run was not interrupted".to_owned(),
        None => format!("run {wanted} was not interrupted, or a later run has continued it"),
    };
    book.warnings.push(format!("--resume has no effect: {why}"));
}

/// What is left of a strategy; `None`: all of it.
pub async fn open<'a>(
    book: &mut Book,
    index: usize,
    run: &RunContext<'a>,
    notes: &mut Notes<'a>,
    is_repeated: bool,
) -> Option<Entries<'a>> {
    let (plan, report) = (run.plan, &mut book.tallies[index].report);
    let wanted = plan.options.resume.as_ref().filter(|_| !is_repeated);
    let id = plan.spec(index).id.to_string();
    let former = wanted.and_then(|wanted| former(notes, &id, wanted)).cloned();
    notes.begin(index, report.protection.as_ref()).await;
    let former = former.filter(|_| unlike_a_whole_run(&plan.options).is_none());
    let fits = former.as_ref().map_or(Ok(()), |former| match former.what {
        What::Nothing => Err("nothing of it was finished".to_owned()),
        _ => notes.fits(former),
    });
    let former = match fits {
        Ok(()) => former,
        Err(why) => {
            report.warn(format!("all of it is warmed: {why}"));
            None
        }
    };
    notes.take_over(index, former.as_ref()).await;
    match former?.what {
        What::Nothing => None,
        What::All { keys } => Some(EntryBatch::taken_over(keys).into()),
        What::Portions(finished) => Some(plan.rest(index, finished)),
    }
}

fn former<'n>(notes: &'n Notes<'_>, id: &str, wanted: &str) -> Option<&'n Finished> {
    notes.kept.get(id).filter(|former| wanted == LAST || former.run_id == wanted)
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
