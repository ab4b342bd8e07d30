//! What the report of a strategy says that was warmed more than once in a run.

use crate::domain::counts::Counts;
use crate::domain::report::StrategyReport;

impl StrategyReport {
    /// The report of a strategy that restarts: only its time and its warnings stay.
    pub fn restarted(&self) -> Self {
        let stats = Counts {
            elapsed: self.stats.elapsed,
            identical: self.stats.identical.map(|_| 0),
            // What was in doubt then may not be in the selection any more.
            unverified: self.stats.unverified,
            ..Counts::default()
        };
        Self {
            expected: self.expected,
            warnings: self.warnings.clone(),
            protection: self.protection.clone(),
            unprotected_ok: self.unprotected_ok,
            changed: self.changed.clone(),
            watermark: self.watermark.clone(),
            ..Self::new(self.id.clone(), self.priority, self.ttl, stats)
        }
    }

    /// Takes in the counts of an earlier pass over the same cache, where neither pass was completed.
    ///
    /// Passes count keys and do not list them. What either of them stored is in the cache, so the
    /// larger number is stored for certain. A key that failed in one pass may have been stored by the
    /// other: it is unknown.
    pub fn join_incomplete(&mut self, former: Self) {
        if stored(&former.stats) + former.stats.unknown == 0
            && former.stats.total() <= self.stats.total()
        {
            return;
        }
        let (before, now) = (former.stats, self.stats);
        let most = if stored(&now) > stored(&before) { now } else { before };
        if before.total() > now.total() {
            self.errors = former.errors;
            self.causes = former.causes;
        }
        let unknown = before.total().max(now.total()) - stored(&most);
        self.errors.truncate(usize::try_from(unknown).unwrap_or(usize::MAX));
        // The causes of keys that one of the passes stored are not counted.
        let mut left = unknown;
        for cause in &mut self.causes {
            cause.unconfirmed = true;
            cause.keys = cause.keys.min(left);
            left -= cause.keys;
        }
        self.causes.retain(|cause| cause.keys > 0);
        self.wrong_rows = 0;
        self.stats = Counts {
            failed: 0,
            unknown,
            unverified: now.unverified,
            exposure: before.exposure.max(now.exposure),
            elapsed: now.elapsed,
            ..most
        };
    }
}

/// Keys that are in the cache, or that are not to be written.
fn stored(stats: &Counts) -> u64 {
    stats.warmed + stats.skipped
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::entry::KeyError;
    use crate::domain::strategy::StrategyId;

    fn pass(warmed: u64, failed: u64, unknown: u64) -> StrategyReport {
        let error = |n| KeyError { key: format!("key:{n}"), error: "READONLY".to_owned() };
        let stats = Counts { warmed, failed, unknown, ..Counts::default() };
        let id = StrategyId::new("catalog", "products");
        StrategyReport {
            errors: (0..(failed + unknown).min(20)).map(error).collect(),
            ..StrategyReport::new(id, 0, Duration::from_mins(1), stats)
        }
    }

    /// Warmed, failed, unknown and listed errors of two passes together.
    fn joined(former: StrategyReport, mut now: StrategyReport) -> [u64; 4] {
        now.join_incomplete(former);
        let stats = now.stats;
        let errors = now.errors.len() as u64;
        [stats.warmed, stats.failed, stats.unknown, errors]
    }

    #[test]
    fn what_one_pass_stored_is_not_called_failed_by_another() {
        // The second pass was refused everything, and got further.
        assert_eq!(joined(pass(862, 0, 0), pass(0, 1293, 0)), [862, 0, 431, 20]);
        // It did not get as far.
        assert_eq!(joined(pass(862, 0, 10), pass(5, 7, 0)), [862, 0, 10, 10]);
        assert_eq!(joined(pass(3, 900, 0), pass(800, 2, 0)), [800, 0, 103, 20]);
        // It stored more.
        assert_eq!(joined(pass(862, 0, 0), pass(1000, 3, 0)), [1000, 0, 3, 3]);
    }

    #[test]
    fn what_fails_while_nothing_was_stored_is_failed() {
        assert_eq!(joined(pass(0, 5, 0), pass(0, 9, 0)), [0, 9, 0, 9]);
    }
}
