//! How long an entry lives.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::settings_text::parse_ttl;
use super::wording::exactly;

/// The time to live of an entry that never expires.
pub const NEVER: Duration = Duration::MAX;

/// A key that has more time left than this is not about to expire, however long it lives.
const LONGEST_EXPIRING: Duration = Duration::from_hours(1);

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

    /// The key's own time to live in milliseconds, at least 1; the same for a key every time. `None`:
    /// it never expires.
    pub fn millis_for(&self, key: &[u8]) -> Option<u64> {
        if self.base == NEVER {
            return None;
        }
        let base = millis(self.base);
        // `DefaultHasher::new()` has fixed keys: a re-run must not move a key's expiry.
        let mut hasher = std::hash::DefaultHasher::new();
        key.hash(&mut hasher);
        let fraction = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
        let cut = (base as f64 * self.jitter * fraction) as u64;
        Some((base - cut.min(base)).max(1))
    }

    /// A key that is left with less time than this is about to expire: a quarter of what it gets when
    /// it is written, an hour at most. So no key is when it has just been written. One that is never
    /// to expire is when it has any.
    pub fn expiring(&self, key: &[u8]) -> Duration {
        let left = self.millis_for(key).map(Duration::from_millis);
        left.map_or(NEVER, |left| (left / 4).min(LONGEST_EXPIRING))
    }

    /// Whether a key with this much time left outlives what a run gives it; `None`: it never expires.
    pub fn is_outlived(&self, left: Option<Duration>) -> bool {
        // A second for the clocks.
        let longest = self.base.saturating_add(Duration::from_secs(1));
        self.base != NEVER && left.is_none_or(|left| left > longest)
    }

    /// What times to live are spread over, up to `base`.
    pub fn width(&self) -> Duration {
        if self.base == NEVER {
            return Duration::ZERO;
        }
        let part = self.jitter.clamp(0.0, 1.0);
        Duration::from_millis((millis(self.base) as f64 * part).round() as u64)
    }
}

/// A time to live as definitions write it: `2h`, or `none` for [`NEVER`].
///
/// # Errors
/// Says what it must look like.
pub fn parse(text: &str) -> Result<Duration, String> {
    match text {
        "none" => Ok(NEVER),
        text => parse_ttl(text),
    }
}

/// The reverse of [`parse`].
pub fn shown(ttl: Duration) -> String {
    match ttl {
        NEVER => "none".to_owned(),
        ttl => exactly(ttl),
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
            .filter_map(|i| ttl.millis_for(format!("Product:id:{i}").as_bytes()))
            .collect();
        assert!(all.iter().all(|ms| (900_000..=1_000_000).contains(ms)));
        let early = all.iter().filter(|ms| **ms < 950_000).count();
        assert!((400..600).contains(&early), "evenly spread, got {early}");
        assert_eq!(Some(all[7]), ttl.millis_for(b"Product:id:7"));
    }

    #[test]
    fn no_jitter_is_exact() {
        assert_eq!(Ttl::new(Duration::from_mins(1), 0.0).millis_for(b"k"), Some(60_000));
    }

    #[test]
    fn none_is_never() {
        let ttl = Ttl::new(parse("none").expect("never"), 0.1);
        assert_eq!((ttl.millis_for(b"k"), shown(NEVER)), (None, "none".into()));
        let (some, none) = (Some(Duration::from_secs(9)), None);
        assert!(some.is_some_and(|left| left <= ttl.expiring(b"k")));
        assert!(!ttl.is_outlived(none) && !ttl.is_outlived(some));
    }
}
