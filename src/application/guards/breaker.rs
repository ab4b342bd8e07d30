//! Ends a run that fails batch after batch: a cache that refuses ten thousand keys will refuse the
//! rest.

use crate::application::ports::{WriteOutcome, Written};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::wording::keys;

/// Failed batches in a row that end the run.
const MAX_FAILED: usize = 20;

/// Keys that count as a batch: a throttled run sends a few at a time.
const FEW_KEYS: usize = 50;

pub struct Breaker {
    /// Keys per batch.
    batch_size: usize,
    batches: usize,
    keys: usize,
}

impl Breaker {
    pub fn new(batch_size: usize) -> Self {
        Self { batch_size, batches: 0, keys: 0 }
    }

    /// Observes a batch; returns the failure that ends the run.
    pub fn observe(&mut self, written: &Written) -> Option<Failure> {
        let lost = |outcome: &WriteOutcome| match outcome {
            WriteOutcome::Failed(why) | WriteOutcome::Unknown(why) => Some(why.clone()),
            _ => None,
        };
        let mut last = None;
        for outcome in &written.outcomes {
            match lost(outcome) {
                Some(why) => last = Some(why),
                None => {
                    *self = Self::new(self.batch_size);
                    return None;
                }
            }
        }
        let why = last?;
        self.batches += 1;
        self.keys += written.outcomes.len();
        let least = MAX_FAILED * self.batch_size.min(FEW_KEYS);
        if self.batches < MAX_FAILED || self.keys < least {
            return None;
        }
        let last = keys(self.keys as u64);
        let what = format!("none of the last {last} could be written, so the run was stopped");
        let failure = Failure::new(FailureKind::CacheRefused, what, why);
        Some(failure.hint("`shopwarm doctor` checks the permissions for each strategy's keys"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(outcome: WriteOutcome) -> Written {
        Written::new(vec![WriteOutcome::Failed("NOPERM".to_owned()), outcome])
    }

    #[test]
    fn only_failure_after_failure_ends_a_run() {
        let bad = || batch(WriteOutcome::Unknown("no answer".to_owned()));
        let mut breaker = Breaker::new(2);
        for _ in 1..MAX_FAILED {
            assert_eq!(breaker.observe(&bad()), None);
        }
        assert_eq!(breaker.observe(&batch(WriteOutcome::Stored)), None);
        for _ in 1..MAX_FAILED {
            assert_eq!(breaker.observe(&bad()), None);
        }
        let failure = breaker.observe(&bad()).expect("it has gone on long enough");
        assert!(failure.what.contains("40 keys"), "{failure}");
        assert_eq!(failure.why, "no answer");
        assert!(failure.ends_run());
    }

    #[test]
    fn a_few_keys_at_a_time_say_less() {
        let bad = || batch(WriteOutcome::Unknown("no answer".to_owned()));
        let mut breaker = Breaker::new(500);
        for _ in 1..MAX_FAILED * FEW_KEYS / 2 {
            assert_eq!(breaker.observe(&bad()), None);
        }
        let failure = breaker.observe(&bad()).expect("it has gone on long enough");
        assert!(failure.what.contains("1,000 keys"), "{failure}");
    }
}
