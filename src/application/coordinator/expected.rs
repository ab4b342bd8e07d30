//! How many keys each strategy has, learned before anything is read.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Run;
use crate::application::history;
use crate::domain::expected::Expected;

/// A run is not held up for longer by what it only wants to tell.
const PATIENCE: Duration = Duration::from_secs(5);

impl Run<'_> {
    /// Learns how many keys each strategy has, as far as that is cheap to know: from its last complete
    /// run, or from the database.
    pub(super) async fn learn_expected(&mut self) {
        let coordinator = self.coordinator;
        if coordinator
            .task
            .look()
            .is_some_and(|look| look.sample.is_some())
        {
            return;
        }
        let limit = coordinator.options.limit;
        let until = Instant::now() + PATIENCE;
        self.read_history(until).await;
        for (strategy, tally) in coordinator.strategies.iter().zip(&mut self.tallies) {
            let last = self.last_complete.get(&tally.report.id.to_string());
            let known = last.map(|last| Expected::about(last.keys).limited(limit));
            let asked = async { timeout_at(until, strategy.estimate(limit)).await.ok()? };
            tally.report.expected = match known {
                Some(known) => Some(known),
                None => tokio::select! {
                    asked = asked => asked,
                    () = self.stop.stopped() => None,
                },
            };
        }
    }

    /// Reads what earlier runs have left, where `--max-shrink` has not read it yet.
    async fn read_history(&mut self, until: Instant) {
        let coordinator = self.coordinator;
        let (true, Some(cache)) = (self.last_complete.is_empty(), coordinator.cache()) else {
            return;
        };
        let prefix = &coordinator.options.prefix;
        let read = timeout_at(until, history::last_complete(cache.as_ref(), prefix));
        let read = tokio::select! {
            read = read => read,
            () = self.stop.stopped() => return,
        };
        if let Ok(Ok(last)) = read {
            self.last_complete = last;
        }
    }
}
