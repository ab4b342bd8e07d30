//! How long an entry lives.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A key that has more time left than this is not about to expire, however long it lives.
const LONGEST_EXPIRING: Duration = Duration::from_secs(3600);

/// A strategy's time to live, spread so that keys warmed together do not expire together.
#[derive(Clone, Debug, PartialEq)]
pub struct Ttl {
    pub base: Duration,
    /// The part of `base` to spread over, 0.0 to 1.0: 0.1 spreads over [90 %, 100 %].
    pub jitter: f64,
    /// A wider part, planned for the number of keys; it stands for `jitter`.
    pub spread: Option<f64>,
    /// When no time passes for an entry.
    pub pauses: Option<Arc<Pauses>>,
}

impl Ttl {
    pub fn new(base: Duration, jitter: f64) -> Self {
        Self {
            base,
            jitter,
            spread: None,
            pauses: None,
        }
    }

    /// The key's own time to live in milliseconds, at least 1, if it is written now; but for the
    /// pauses the same for a key every time.
    pub fn millis_for(&self, key: &[u8]) -> u64 {
        self.millis_at(key, || unix_millis(SystemTime::now()))
    }

    /// The same for a key that is written at another time, in milliseconds since 1970; it is asked
    /// for only where it matters.
    pub fn millis_at(&self, key: &[u8], now: impl FnOnce() -> u64) -> u64 {
        self.paused(self.own_millis(key), now)
    }

    /// How long any key lives at most that is written now or was before.
    pub fn longest(&self) -> Duration {
        let base = millis(self.base).max(1);
        Duration::from_millis(self.paused(base, || unix_millis(SystemTime::now())))
    }

    /// A key that is left with less time than this is about to expire: a quarter of what it gets when
    /// it is written, an hour at most. So no key is when it has just been written.
    pub fn expiring(&self, key: &[u8]) -> Duration {
        (Duration::from_millis(self.own_millis(key)) / 4).min(LONGEST_EXPIRING)
    }

    /// Less than this is soon for the key, where `within` is for one that lives for all of `base`:
    /// a key that a planned spread gives little time must not be called short-lived at its birth.
    pub fn soon(&self, key: &[u8], within: Duration) -> Duration {
        if self.spread.is_none() {
            return within;
        }
        within.mul_f64(self.own_millis(key) as f64 / millis(self.base).max(1) as f64)
    }

    /// What times to live are spread over, up to `base`.
    pub fn width(&self) -> Duration {
        let part = self.spread.unwrap_or(self.jitter).clamp(0.0, 1.0);
        Duration::from_millis((millis(self.base) as f64 * part).round() as u64)
    }

    fn own_millis(&self, key: &[u8]) -> u64 {
        let base = millis(self.base);
        // `DefaultHasher::new()` has fixed keys: a re-run must not move a key's expiry.
        let mut hasher = std::hash::DefaultHasher::new();
        key.hash(&mut hasher);
        let fraction = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
        let cut = (base as f64 * self.spread.unwrap_or(self.jitter) * fraction) as u64;
        (base - cut.min(base)).max(1)
    }

    fn paused(&self, millis: u64, now: impl FnOnce() -> u64) -> u64 {
        match &self.pauses {
            None => millis,
            Some(pauses) => pauses.lengthen(millis, now()),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970.
pub fn unix_millis(time: SystemTime) -> u64 {
    millis(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Times in which no time passes for an entry, so that it does not expire there: what would have
/// ended in one or after it ends later by its length. Keys keep their order and their distances, so
/// that no second outside sees more of them end than it would have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pauses(Vec<Pause>);

/// One of them, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pause {
    /// Since 1970.
    begins: u64,
    /// The same, without all pauses before it.
    counted: u64,
    /// The length of all pauses up to this one, this one among them.
    total: u64,
}

impl Pauses {
    /// From beginnings and ends in milliseconds since 1970, in any order; they may overlap.
    pub fn new(windows: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut windows: Vec<(u64, u64)> = windows.into_iter().collect();
        windows.retain(|(begins, ends)| begins < ends);
        windows.sort_unstable();
        windows.dedup_by(|next, before| {
            let touches = next.0 <= before.1;
            if touches {
                before.1 = before.1.max(next.1);
            }
            touches
        });
        let mut total = 0;
        let pauses = windows.into_iter().map(|(begins, ends)| {
            let counted = begins - total;
            total += ends - begins;
            Pause {
                begins,
                counted,
                total,
            }
        });
        Self(pauses.collect())
    }

    /// How long an entry is to live that is written at `now` and has so many milliseconds.
    fn lengthen(&self, millis: u64, now: u64) -> u64 {
        let end = self.counted(now).saturating_add(millis);
        let passed = self.0.partition_point(|pause| pause.counted <= end);
        end.saturating_add(self.total(passed)).saturating_sub(now)
    }

    /// The time that has passed without the pauses.
    fn counted(&self, now: u64) -> u64 {
        let begun = self.0.partition_point(|pause| pause.begins <= now);
        let outside = now - self.total(begun).min(now);
        // In the middle of one its clock stands.
        begun
            .checked_sub(1)
            .map_or(outside, |last| outside.max(self.0[last].counted))
    }

    /// The length of the first so many.
    fn total(&self, first: usize) -> u64 {
        first.checked_sub(1).map_or(0, |last| self.0[last].total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

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

    #[test]
    fn a_planned_spread_stands_for_the_jitter_and_keeps_a_key_s_place() {
        let plain = Ttl::new(Duration::from_secs(1000), 0.1);
        let wide = Ttl {
            spread: Some(0.9),
            ..plain.clone()
        };
        let cut = |ttl: &Ttl, key: &[u8]| 1_000_000 - ttl.millis_for(key);
        for i in 0..1000 {
            let key = format!("Product:id:{i}");
            let (plain, wide) = (cut(&plain, key.as_bytes()), cut(&wide, key.as_bytes()));
            assert!(wide.abs_diff(plain * 9) <= 9, "{key}: {plain} {wide}");
        }
    }

    #[test]
    fn what_would_end_in_a_pause_ends_after_it_by_as_much() {
        // From 10 to 13, and two that overlap from 20 to 23.
        let hours = [(20, 22), (10, 13), (21, 23), (7, 7)];
        let pauses = Pauses::new(hours.map(|(from, to)| (from * HOUR, to * HOUR)));
        assert_eq!(pauses.0.len(), 2);
        for (now, lives, ends) in [
            (8, 1, 9),
            (8, 2, 13),
            (8, 3, 14),
            // Written in the middle of one.
            (11, 1, 14),
            (13, 1, 14),
            (8, 8, 19),
            (8, 9, 23),
            (8, 10, 24),
            (24, 1, 25),
        ] {
            let got = pauses.lengthen(lives * HOUR, now * HOUR) + now * HOUR;
            assert_eq!(got, ends * HOUR, "at {now} for {lives}");
        }
        assert_eq!(pauses.lengthen(2 * HOUR - 1, 8 * HOUR), 2 * HOUR - 1);
    }

    #[test]
    fn pauses_leave_no_end_inside_them_and_keep_the_order() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let windows: Vec<(u64, u64)> = (0..random.usize(0..6))
                .map(|_| (random.u64(0..1_000), random.u64(0..200)))
                .map(|(begins, lasts)| (begins, begins + lasts))
                .collect();
            let pauses = Pauses::new(windows.clone());
            let now = random.u64(0..1_500);
            let mut before = 0;
            for lives in 1..300 {
                let end = now + pauses.lengthen(lives, now);
                let inside = |(from, to): &(u64, u64)| (*from..*to).contains(&end);
                assert!(!windows.iter().any(inside), "{windows:?} {now} {lives}");
                assert!(end > before && end >= now + lives);
                before = end;
            }
        }
    }
}
