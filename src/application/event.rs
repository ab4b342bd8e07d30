//! All that a reporter can ever hear of a run.

use crate::domain::entry::EntryBatch;
use crate::domain::report::{Report, Stats, StrategyReport};
use crate::domain::standing::{Class, Standing};
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
    /// A batch that was looked at and not written; batches come in the order of the run.
    Looked {
        id: &'a StrategyId,
        batch: &'a EntryBatch,
        /// What stands at each entry's key, and the class that it is in.
        standings: &'a [(Standing, Option<Class>)],
    },
    /// Keys in the cache that match a strategy's template and have no row any more.
    Orphans {
        id: &'a StrategyId,
        keys: &'a [String],
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
