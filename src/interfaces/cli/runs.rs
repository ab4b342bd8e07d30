//! `shopwarm runs`.

use clap::Args;

use crate::application::record::RunRecord;
use crate::application::record::history;
use crate::config::Config;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::wording::counted;
use crate::interfaces::exit::Exit;
use crate::interfaces::output::Output;
use crate::interfaces::report::{difference, runs};
use crate::setup::{self, Access};

#[derive(Args, Debug)]
pub(super) struct RunsArgs {
    /// The run to show: its id, a unique part of it, `last`, or `last~1` for the run before
    #[arg(value_name = "RUN")]
    id: Option<String>,
    /// Compare it, or else the last run, with another; the older one comes first
    #[arg(long, value_name = "RUN")]
    diff: Option<String>,
    /// Show the last complete run of each strategy, however old
    #[arg(long, conflicts_with_all = ["id", "diff"])]
    last_complete: bool,
}

pub(super) async fn run(
    args: &RunsArgs,
    config: &Config,
    output: &Output,
) -> Result<Exit, Failure> {
    let cache = setup::cache(config, Access::Read).await?;
    if args.last_complete {
        let last = history::last_complete(cache.as_ref(), &config.prefix).await?;
        runs::last_complete(&last, &config.timezone).show(output);
        return Ok(Exit::Success);
    }
    let known = history::runs(cache.as_ref(), &config.prefix).await?;
    let shown = match (&args.id, &args.diff) {
        (id, Some(other)) => {
            let id = id.as_deref().unwrap_or("last");
            let mut both = [find(&known, id)?, find(&known, other)?];
            // An id begins with the time.
            both.sort_by_key(|run| &run.run_id);
            let [before, after] = both;
            difference::document(before, after, output.verbose)
        }
        (Some(id), None) => runs::whole(find(&known, id)?, &config.timezone, output.verbose),
        (None, _) => runs::list(&known, &config.timezone),
    };
    shown.show(output);
    Ok(Exit::Success)
}

/// How many runs before the last: `last` is 0, `last~2` is 2.
pub(super) fn back(id: &str) -> Option<usize> {
    match id.strip_prefix("last")? {
        "" => Some(0),
        "~" => Some(1),
        more => more.strip_prefix('~')?.parse().ok(),
    }
}

/// Finds the run; the newest is the first.
pub(super) fn find<'r>(runs: &'r [RunRecord], id: &str) -> Result<&'r RunRecord, Failure> {
    let count = format!("{} recorded", counted(runs.len(), "run"));
    let alike = runs.iter().filter(|run| run.run_id.contains(id));
    let alike: Vec<&RunRecord> = alike.collect();
    let what = match alike.len() {
        0 | 1 => format!("there is no run `{id}`"),
        several => format!("`{id}` matches {several} runs"),
    };
    let found = match (back(id), alike.as_slice()) {
        (Some(back), _) => runs.get(back).ok_or(count),
        (None, [run]) => Ok(*run),
        (None, []) => Err(count),
        (None, several) => {
            let same = several.iter().find(|run| run.run_id == id).copied();
            same.ok_or("give more of the id".to_owned())
        }
    };
    found.map_err(|why| {
        Failure::new(FailureKind::Usage, what, why)
            .hint("`shopwarm runs` lists the recorded runs; `last~1` is the one before the last")
    })
}
