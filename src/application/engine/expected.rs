//! How many keys each strategy has, learned before anything is read.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::application::record::history::{self, LastComplete};
use crate::application::run_state::book::Book;
use crate::application::run_state::context::RunContext;
use crate::application::run_state::event::Event;
use crate::domain::expected::Expected;

/// This is only for progress reports; it must not hold up the run.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Learns how many keys each strategy has, as far as that is cheap to know: from its last complete
/// run, or from the database.
pub(super) async fn learn(
    book: &mut Book,
    last_complete: Option<&BTreeMap<String, LastComplete>>,
    run: &RunContext<'_>,
) {
    let plan = run.plan;
    if plan.options.sample.is_some() {
        return;
    }
    let until = Instant::now() + TIMEOUT;
    let read = match last_complete {
        Some(_) => None,
        None => read_history(until, run).await,
    };
    let last_complete = last_complete.or(read.as_ref());
    let limit = plan.options.limit;
    for (strategy, tally) in plan.strategies.iter().zip(&mut book.tallies) {
        let last = last_complete.and_then(|all| all.get(&tally.report.id.to_string()));
        tally.report.expected = match last {
            Some(last) => Some(Expected::about(last.keys).limited(limit)),
            None => {
                let asked = timeout_at(until, strategy.estimate(limit));
                let asked = run.unless_stopped(asked).await;
                asked.and_then(Result::ok).flatten()
            }
        };
    }
    let reports = book.tallies.iter().map(|tally| &tally.report);
    let strategies = reports.map(|report| (&report.id, report.expected));
    run.report(&Event::Sized { strategies: strategies.collect() });
}

async fn read_history(
    until: Instant,
    run: &RunContext<'_>,
) -> Option<BTreeMap<String, LastComplete>> {
    let plan = run.plan;
    let read = history::last_complete(plan.target.as_ref(), &plan.options.prefix);
    let read = run.unless_stopped(timeout_at(until, read)).await?;
    read.ok()?.ok()
}
