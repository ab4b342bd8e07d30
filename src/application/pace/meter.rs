//! Measures how many keys are sent per second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The length of a measurement.
const METERED: Duration = Duration::from_millis(500);

/// A run that sends nothing for this long is waiting for the database or for its turn.
const PAUSE: Duration = Duration::from_secs(2);

/// Throughput is the maximum of this many measurements.
const SAMPLES: usize = 4;

/// The shortest time over which a rate is computed.
const MIN_TIME: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub(super) struct Meter {
    since: Option<Instant>,
    keys: u64,
    /// The rate before `since`.
    last: Option<f64>,
    /// The recent measurements without a pause.
    samples: VecDeque<f64>,
}

impl Meter {
    pub(super) fn count(&mut self, keys: usize, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let elapsed = now.duration_since(since);
        if elapsed >= METERED {
            let rate = self.keys as f64 / elapsed.as_secs_f64();
            self.last = Some(rate);
            if elapsed < PAUSE {
                self.samples.push_back(rate);
            }
            if self.samples.len() > SAMPLES {
                self.samples.pop_front();
            }
            self.since = Some(now);
            self.keys = 0;
        }
        self.keys += keys as u64;
    }

    pub(super) fn rate(&self, now: Instant) -> f64 {
        let elapsed = self.since.map_or(Duration::ZERO, |since| now - since);
        match self.last {
            Some(last) if elapsed < METERED => last,
            _ => self.keys as f64 / elapsed.max(MIN_TIME).as_secs_f64(),
        }
    }

    /// Forgets the keys that were sent under another limit.
    pub(super) fn restart(&mut self) {
        self.since = None;
        self.keys = 0;
        self.samples.clear();
    }

    pub(super) fn max(&self) -> Option<f64> {
        self.samples.iter().copied().reduce(f64::max)
    }
}
