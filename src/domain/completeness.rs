//! Whether a run did all that it was to do: what shares, gates, exit codes and verdicts are made
//! from.

use super::expected::Expected;
use super::failure::Failure;
use super::report::{Outcome, Percent, Report, Stats, Status, Stop, StrategyReport};

impl Stats {
    /// Keys that are in the cache and were left alone, as was wished.
    pub fn already_there(&self) -> u64 {
        self.skipped.saturating_sub(self.without_value())
    }

    /// Keys of which nothing is to be in the cache: they have no data, or are left out.
    fn without_value(&self) -> u64 {
        self.absent + self.withdrawn
    }

    /// Keys that are in the cache as they should be.
    fn warm(&self) -> u64 {
        self.warmed + self.already_there()
    }
}

/// The share of the expected keys that are warm, from 0.0 to 1.0. There is none of nothing, nor of a
/// selection whose size is not known, nor of a run that only looks.
pub fn success_rate(stats: &Stats, expected: Option<Expected>) -> Option<f64> {
    let whole = expected?.keys.saturating_sub(stats.without_value());
    (whole > 0 && stats.planned == 0).then(|| stats.warm() as f64 / whole as f64)
}

impl StrategyReport {
    /// How many keys the strategy has, as far as known. A strategy that was read to its end has what
    /// it had; of one that was not, whatever it has read is never taken for the whole.
    pub fn expected(&self) -> Option<Expected> {
        let total = self.stats.total();
        match self.status {
            Status::Completed => Some(Expected::exactly(total)),
            Status::Cancelled => self.expected?.beyond(total),
            Status::Failed(_) => self.expected.filter(|expected| expected.keys > total),
        }
    }

    /// The share of its keys that are warm; a strategy that failed has none.
    pub fn success_rate(&self) -> Option<f64> {
        match self.status {
            Status::Failed(_) => None,
            _ => success_rate(&self.stats, self.expected()),
        }
    }

    pub fn is_failed(&self) -> bool {
        matches!(self.status, Status::Failed(_))
    }

    /// Whether it was not read and written to its end.
    pub fn is_unfinished(&self) -> bool {
        self.status != Status::Completed
    }

    /// Keys that were to be warmed and are not known to be.
    pub fn wrong(&self) -> u64 {
        self.stats.failed + self.stats.unknown
    }
}

/// How a run ended, for those who relied on it.
#[derive(Clone, Copy, Debug)]
pub enum Ending<'a> {
    /// Every gate is met.
    Good,
    Stopped(Stop),
    /// A failure ended the run before its time.
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
        success_rate(&self.totals(), self.expected())
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

    /// Whether it did all that it was to do, or what is missing is allowed to be.
    pub fn passes(&self) -> bool {
        matches!(self.ending(), Ending::Good)
    }

    fn meets_gates(&self) -> bool {
        match self.outcome() {
            Outcome::Complete => true,
            Outcome::Empty => self.gates.allow_empty,
            // Of a strategy that broke off nobody knows which keys are missing: no share allows it.
            Outcome::Incomplete => {
                !self.strategies.iter().any(StrategyReport::is_unfinished)
                    && self
                        .gates
                        .fail_under
                        .is_some_and(|least| self.reaches(least))
            }
            Outcome::Interrupted | Outcome::Deadline => false,
        }
    }

    /// Whether at least `percent` of the keys did not fail; compared in whole numbers, so that no
    /// rounding opens the gate.
    fn reaches(&self, percent: Percent) -> bool {
        let totals = self.totals();
        let whole = totals.total() - totals.without_value() + self.unmatched_total;
        percent.reached_by(totals.warm() + totals.planned, whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_nothing_or_of_an_unknown_whole_is_none() {
        let warmed = |warmed| Stats {
            warmed,
            ..Stats::default()
        };
        let (none, five) = (warmed(0), warmed(5));
        assert_eq!(success_rate(&five, Some(Expected::about(20))), Some(0.25));
        assert_eq!(success_rate(&none, Some(Expected::exactly(0))), None);
        assert_eq!(success_rate(&five, None), None);
    }

    #[test]
    fn what_is_there_already_is_warm_and_what_has_no_data_is_not_missing() {
        let stats = Stats {
            warmed: 1,
            skipped: 9,
            absent: 2,
            withdrawn: 1,
            ..Stats::default()
        };
        assert_eq!(stats.already_there(), 6);
        let rate = |stats: &Stats, keys| success_rate(stats, Some(Expected::exactly(keys)));
        assert_eq!(rate(&stats, 10), Some(1.0));
        assert_eq!(rate(&stats, 17), Some(0.5));
        let nothing = Stats {
            skipped: 3,
            absent: 3,
            ..Stats::default()
        };
        assert_eq!(rate(&nothing, 3), None);
    }
}
