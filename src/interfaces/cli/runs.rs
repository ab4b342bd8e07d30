//! `shopwarm runs`.

use clap::Args;

use crate::application::record::RunRecord;
use crate::application::record::history;
use crate::config::Config;
use crate::domain::failure::{Failure, FailureKind};
use crate::interfaces::exit::Exit;
use crate::interfaces::output::Output;
use crate::interfaces::report::{difference, runs};
use crate::setup::{self, Access};

#[derive(Args, Debug)]
pub(super) struct RunsArgs {
    /// The run to show: its id, a unique part of it, or `last`
    #[arg(value_name = "RUN")]
    id: Option<String>,
    /// Compare it with another run
    #[arg(long, value_name = "RUN", requires = "id")]
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
        (Some(id), Some(other)) => difference::document(find(&known, other)?, find(&known, id)?),
        (Some(id), None) => runs::whole(find(&known, id)?, &config.timezone, output.verbose),
        (None, _) => runs::list(&known, &config.timezone),
    };
    shown.show(output);
    Ok(Exit::Success)
}

/// Finds the run.
fn find<'r>(runs: &'r [RunRecord], id: &str) -> Result<&'r RunRecord, Failure> {
    let unknown = |why: String| {
        let what = format!("there is no run `{id}`");
        let failure = Failure::new(FailureKind::Usage, what, why);
        Err(failure.hint("`shopwarm runs` lists the recorded runs"))
    };
    if let Some(run) = runs.iter().find(|run| run.run_id == id) {
        return Ok(run);
    }
    if id == "last" {
        return runs
            .first()
            .map_or_else(|| unknown("no runs are recorded".to_owned()), Ok);
    }
    let alike: Vec<&RunRecord> = runs.iter().filter(|run| run.run_id.contains(id)).collect();
    match alike.as_slice() {
        [run] => Ok(run),
        [] => unknown(format!(
            "it matches none of the recorded runs ({})",
            runs.len()
        )),
        several => unknown(format!(
            "{} runs match it; give more of the id",
            several.len()
        )),
    }
}
