//! Pauses between retries.

use std::time::Duration;

/// Pauses that double up to a maximum. Each is shortened by chance, by up to a half: many clients
/// may be waiting for the same server.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    pub fn new(first: Duration, max: Duration) -> Self {
        Self { next: first, max }
    }

    pub fn pause(&mut self) -> Duration {
        let pause = self.next.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.next = (self.next * 2).min(self.max);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_maximum() {
        let millis = Duration::from_millis;
        let mut backoff = Backoff::new(millis(10), millis(35));
        for most in [10, 20, 35, 35] {
            let pause = backoff.pause();
            assert!(pause <= millis(most) && pause >= millis(most) / 2, "{pause:?}");
        }
    }
}
