//! How long an entry lives.

use std::hash::{Hash, Hasher};
use std::time::Duration;

/// A strategy's time to live, spread so that keys warmed together do not expire together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ttl {
    pub base: Duration,
    /// The part of `base` to spread over, 0.0 to 1.0: 0.1 spreads over [90 %, 100 %].
    pub jitter: f64,
}

impl Ttl {
    /// How long any key lives at most.
    pub fn longest(&self) -> Duration {
        self.base
    }

    /// The key's own time to live in milliseconds, at least 1; the same for a key every time.
    pub fn millis_for(&self, key: &[u8]) -> u64 {
        let base = u64::try_from(self.base.as_millis()).unwrap_or(u64::MAX);
        // `DefaultHasher::new()` has fixed keys: a re-run must not move a key's expiry.
        let mut hasher = std::hash::DefaultHasher::new();
        key.hash(&mut hasher);
        let fraction = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
        let cut = (base as f64 * self.jitter * fraction) as u64;
        (base - cut.min(base)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_spreads_within_its_bounds_and_is_stable() {
        let ttl = Ttl {
            base: Duration::from_secs(1000),
            jitter: 0.1,
        };
        let all: Vec<u64> = (0..1000)
            .map(|i| ttl.millis_for(format!("Product:id:{i}").as_bytes()))
            .collect();
        assert!(all.iter().all(|ms| (900_000..=1_000_000).contains(ms)));
        let early = all.iter().filter(|ms| **ms < 950_000).count();
        assert!((400..600).contains(&early), "evenly spread, got {early}");
        assert_eq!(all[7], ttl.millis_for(b"Product:id:7"));
    }

    #[test]
    fn no_jitter_is_exact() {
        let ttl = Ttl {
            base: Duration::from_secs(60),
            jitter: 0.0,
        };
        assert_eq!(ttl.millis_for(b"k"), 60_000);
    }
}
