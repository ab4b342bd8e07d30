//! What a run leaves of itself in the cache.

use std::time::Duration;

use tokio::time::timeout;

use crate::application::record::RunRecord;
use crate::application::record::history;
use crate::application::run_state::plan::RunPlan;
use crate::domain::failure::Failure;
use crate::domain::report::Report;

/// Leaves a run for those who ask later; `whole`: its strategies were warmed and not just some of
/// their keys. What cannot be left is no failure of the run.
///
/// # Errors
/// What the operator should know, where they rely on it.
pub(super) async fn leave(
    plan: &RunPlan,
    record: &RunRecord,
    report: &Report,
    whole: bool,
    patience: Duration,
) -> Result<(), String> {
    let options = &plan.options;
    let Some(cache) = plan.written_cache() else {
        return Ok(());
    };
    // The run has already reported that the cache is gone.
    if report.fatal().is_some_and(Failure::ends_run_of_cache) {
        return Ok(());
    }
    let writing = async {
        let whole = whole && options.limit.is_none() && report.stopped.is_none();
        if whole && report.fatal().is_none() {
            history::remember(cache.as_ref(), &options.prefix, record, report).await?;
        }
        history::push(cache.as_ref(), &options.prefix, record).await
    };
    let why = match timeout(patience, writing).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(failure)) => failure.why,
        Err(_) => "no answer in time".to_owned(),
    };
    match options.max_shrink {
        Some(_) => Err(format!("--max-shrink: the counts of this run could not be kept: {why}")),
        None => Err(format!("this run is not in the history: {why}")),
    }
}
