//! A run that fails batch after batch is ended: what refuses ten thousand keys will refuse the rest,
//! and the database need not be read for it.

use crate::application::ports::{WriteOutcome, Written};
use crate::domain::failure::{Failure, FailureKind};

/// Batches in a row of which no key was taken.
const PATIENCE: u32 = 20;

#[derive(Default)]
pub(super) struct Breaker {
    batches: u32,
    keys: usize,
}

impl Breaker {
    /// Takes what became of a batch; returns the failure that ends the run.
    pub(super) fn hear(&mut self, written: &Written) -> Option<Failure> {
        let lost = |outcome: &WriteOutcome| match outcome {
            WriteOutcome::Failed(why) | WriteOutcome::Unknown(why) => Some(why.clone()),
            _ => None,
        };
        let mut last = None;
        for outcome in &written.outcomes {
            match lost(outcome) {
                Some(why) => last = Some(why),
                None => {
                    *self = Self::default();
                    return None;
                }
            }
        }
        let why = last?;
        self.batches += 1;
        self.keys += written.outcomes.len();
        if self.batches < PATIENCE {
            return None;
        }
        let keys = self.keys;
        let what = format!("the cache took none of the last {keys} keys, the run was ended");
        let failure = Failure::new(FailureKind::CacheRefused, what, why);
        Some(failure.hint("`shopwarm doctor` asks for the rights to each strategy's keys"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(outcome: WriteOutcome) -> Written {
        Written {
            outcomes: vec![WriteOutcome::Failed("NOPERM".to_owned()), outcome],
            fatal: None,
        }
    }

    #[test]
    fn only_failure_after_failure_ends_a_run() {
        let bad = || batch(WriteOutcome::Unknown("no answer".to_owned()));
        let mut breaker = Breaker::default();
        for _ in 1..PATIENCE {
            assert_eq!(breaker.hear(&bad()), None);
        }
        assert_eq!(breaker.hear(&batch(WriteOutcome::Stored)), None);
        for _ in 1..PATIENCE {
            assert_eq!(breaker.hear(&bad()), None);
        }
        let failure = breaker.hear(&bad()).expect("it has gone on long enough");
        assert!(failure.what.contains("40 keys"), "{failure}");
        assert_eq!(failure.why, "no answer");
        assert!(failure.ends_run());
    }
}
