//! All that a reporter can ever hear of a run.

use crate::domain::report::{Report, Stats, StrategyReport};
use crate::domain::strategy::{StrategyId, StrategySpec};

pub enum Event<'a> {
    RunStarted {
        strategies: Vec<&'a StrategySpec>,
    },
    StrategyStarted {
        id: &'a StrategyId,
        /// About how many keys, where the database could say it cheaply.
        expected: Option<u64>,
    },
    /// After each batch; absolute numbers.
    Progress {
        id: &'a StrategyId,
        stats: Stats,
    },
    StrategyFinished {
        report: &'a StrategyReport,
    },
    /// The run is asked to stop and finishes what is in flight.
    Stopping,
    RunFinished {
        report: &'a Report,
    },
}

/// Hears a run. Called from the engine's own task: cheap, and cannot fail.
pub trait Reporter: Send + Sync {
    fn report(&self, event: &Event<'_>);
}
