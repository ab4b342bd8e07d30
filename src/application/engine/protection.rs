//! Whether a strategy protects its writes against concurrent changes.

use std::sync::Arc;

use crate::application::ports::Sources;
use crate::application::run_state::book::Book;
use crate::application::run_state::context::RunContext;
use crate::domain::protection::Protection;
use crate::domain::server::ServerRole;

/// Finds out for each strategy whether its writes are verified. `is_whole`: its whole selection is
/// read, in portions where it can be.
pub(super) async fn learn(book: &mut Book, run: &RunContext<'_>, is_whole: bool) {
    let plan = run.plan;
    let verifies = plan.options.verify_writes;
    let copied = match &plan.sources {
        Some(sources) if verifies => unlike_a_primary(sources).await,
        _ => None,
    };
    for (strategy, tally) in plan.strategies.iter().zip(&mut book.tallies) {
        if strategy.unfit().is_some() {
            continue;
        }
        let is_accepted = strategy.spec().unprotected_ok;
        if let Some(why) = strategy.opaque().filter(|_| !is_accepted) {
            let id = &tally.report.id;
            let warning = format!("{id}: rows cannot be found by key: {why}");
            tally.report.warnings.push(warning);
        }
        let in_portions = is_whole && strategy.portions().await.is_ok();
        tally.report.protection = Some(match (strategy.is_versioned(), strategy.spec().gap()) {
            _ if !verifies => Protection::Off,
            (false, _) if !in_portions => Protection::NoVersion,
            _ if strategy.opaque().is_some() => Protection::Opaque,
            (true, Some(why)) if !in_portions => Protection::Partial(Arc::clone(why)),
            _ => copied.clone().unwrap_or(Protection::Verified),
        });
    }
}

/// Why the database may not have the latest rows. The operator's word counts for a primary that
/// does not say what it is.
async fn unlike_a_primary(sources: &Sources) -> Option<Protection> {
    match sources.primary.role().await {
        ServerRole::Primary => None,
        ServerRole::Replica => Some(Protection::Replica),
        ServerRole::ReadOnly => Some(Protection::ReadOnly),
        ServerRole::NotKnown => (!sources.names_a_primary()).then_some(Protection::NotKnown),
    }
}
