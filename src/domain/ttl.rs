//! How long an entry lives.

use std::hash::{Hash, Hasher};
use std::time::Duration;

/// A key that has more time left than this is not about to expire, however long it lives.
const LONGEST_EXPIRING: Duration = Duration::from_secs(3600);

/// A strategy's time to live, spread so that keys warmed together do not expire together.
#[derive(Clone, Debug, PartialEq)]
pub struct Ttl {
    pub base: Duration,
    /// The part of `base` to spread over, 0.0 to 1.0: 0.1 spreads over [90 %, 100 %].
    pub jitter: f64,
}

impl Ttl {
    pub fn new(base: Duration, jitter: f64) -> Self {
        Self { base, jitter }
    }

    /// The key's own time to live in milliseconds, at least 1; the same for a key every time.
    pub fn millis_for(&self, key: &[u8]) -> u64 {
        let base = millis(self.base);
        // `DefaultHasher::new()` has fixed keys: a re-run must not move a key's expiry.
        let mut hasher = std::hash::DefaultHasher::new();
        key.hash(&mut hasher);
        let fraction = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
        let cut = (base as f64 * self.jitter * fraction) as u64;
        (base - cut.min(base)).max(1)
    }

    /// A key that is left with less time than this is about to expire: a quarter of what it gets when
    /// it is written, an hour at most. So no key is when it has just been written.
    pub fn expiring(&self, key: &[u8]) -> Duration {
        (Duration::from_millis(self.millis_for(key)) / 4).min(LONGEST_EXPIRING)
    }

    /// What times to live are spread over, up to `base`.
    pub fn width(&self) -> Duration {
        let part = self.jitter.clamp(0.0, 1.0);
        Duration::from_millis((millis(self.base) as f64 * part).round() as u64)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_spreads_within_its_bounds_and_is_stable() {
        let ttl = Ttl::new(Duration::from_secs(1000), 0.1);
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
        assert_eq!(
            Ttl::new(Duration::from_secs(60), 0.0).millis_for(b"k"),
            60_000
        );
    }
}
