//! Whether a run did all that it was to do: what shares, gates, exit codes and verdicts are made
//! from.

use super::expected::Expected;
use super::failure::Failure;
use super::percent::Percent;
use super::report::{Outcome, Report, Status, Stop, StrategyReport};

impl StrategyReport {
    /// How many keys the strategy has, as far as known. A partial read never counts as the whole.
    pub fn expected(&self) -> Option<Expected> {
        let total = self.stats.total();
        match self.status {
            Status::Completed => Some(Expected::exactly(total)),
            Status::Cancelled => self.expected?.beyond(total),
            Status::Failed(_) => self.expected.filter(|expected| expected.keys > total),
        }
    }

    /// The share of its keys that are warm; `None` if it failed.
    pub fn success_rate(&self) -> Option<f64> {
        match self.status {
            Status::Failed(_) => None,
            _ => self.stats.success_rate(self.expected()),
        }
    }

    pub fn is_failed(&self) -> bool {
        matches!(self.status, Status::Failed(_))
    }

    /// Whether it failed or was cancelled.
    pub fn is_unfinished(&self) -> bool {
        self.status != Status::Completed
    }

    /// Planned keys that failed or are unknown.
    pub fn wrong(&self) -> u64 {
        self.stats.wrong()
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug)]
pub enum Ending<'a> {
    /// Every gate is met.
    Good,
    Stopped(Stop),
    /// A failure ended the run early.
    Fatal(&'a Failure),
    /// Keys or strategies failed, or there was nothing to warm.
    Bad,
}

impl Report {
    /// How many keys all strategies have together, as far as known.
    pub fn expected(&self) -> Option<Expected> {
        Expected::sum(self.strategies.iter().map(StrategyReport::expected))
    }

    /// The share of the expected keys that are warm.
    pub fn success_rate(&self) -> Option<f64> {
        self.totals().success_rate(self.expected())
    }

    /// How many strategies failed.
    pub fn failed_strategies(&self) -> usize {
        self.strategies.iter().filter(|s| s.is_failed()).count()
    }

    pub fn ending(&self) -> Ending<'_> {
        match (self.stopped, self.fatal()) {
            (Some(stop), _) => Ending::Stopped(stop),
            (None, Some(failure)) => Ending::Fatal(failure),
            (None, None) if self.meets_gates() => Ending::Good,
            (None, None) => Ending::Bad,
        }
    }

    /// Whether every gate is met.
    pub fn passes(&self) -> bool {
        matches!(self.ending(), Ending::Good)
    }

    fn meets_gates(&self) -> bool {
        match self.outcome() {
            Outcome::Complete => true,
            Outcome::Empty => self.gates.allow_empty,
            // If a strategy broke off, nobody knows which keys are missing: no share allows that.
            Outcome::Incomplete => {
                !self.strategies.iter().any(StrategyReport::is_unfinished)
                    && self.gates.fail_under.is_some_and(|least| self.reaches(least))
            }
            Outcome::Interrupted | Outcome::Deadline => false,
        }
    }

    /// Whether at least `percent` of the keys did not fail. Integers: rounding must not open the gate.
    fn reaches(&self, percent: Percent) -> bool {
        let totals = self.totals();
        let whole = totals.total() - totals.without_value() + self.unmatched_total;
        percent.reached_by(totals.warm() + totals.planned, whole)
    }
}
