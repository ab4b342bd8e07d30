//! When the entries of a plan would expire, if all were written at one moment: the worst case, as a
//! run takes time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::coordinator::Coordinator;
use super::event::{Event, Reporter};
use super::ports::Mode;
use crate::domain::standing::Class;
use crate::domain::strategy::StrategyId;
use crate::domain::ttl::{Ttl, unix_millis};

/// Beyond so many seconds several are counted together: memory stays flat however long entries
/// live.
const MOST_COUNTS: usize = 1_000_000;

/// How many entries expire in each second from a moment on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    counts: Vec<u32>,
    /// Seconds that are counted together.
    per: u64,
}

impl Default for Curve {
    fn default() -> Self {
        Self {
            counts: Vec::new(),
            per: 1,
        }
    }
}

impl Curve {
    fn add(&mut self, millis: u64) {
        let place = |per: u64| usize::try_from(millis / 1000 / per).unwrap_or(usize::MAX);
        while place(self.per) >= MOST_COUNTS {
            self.per *= 2;
            let pairs = self.counts.chunks(2);
            self.counts = pairs
                .map(|pair| pair.iter().fold(0, |sum, n| n.saturating_add(sum)))
                .collect();
        }
        let place = place(self.per);
        if self.counts.len() <= place {
            self.counts.resize(place + 1, 0);
        }
        self.counts[place] = self.counts[place].saturating_add(1);
    }

    /// The most that expire in one second.
    pub fn peak(&self) -> u64 {
        let most = self.counts.iter().copied().max().unwrap_or_default();
        u64::from(most).div_ceil(self.per)
    }

    /// In how many seconds the first expires.
    pub fn first(&self) -> u64 {
        let first = self.counts.iter().position(|n| *n > 0);
        first.unwrap_or_default() as u64 * self.per
    }

    /// In how many seconds the last has expired.
    pub fn end(&self) -> u64 {
        self.counts.len() as u64 * self.per
    }

    /// How many expire in each of `steps` parts of the time up to `end`, in seconds.
    pub fn steps(&self, end: u64, steps: usize) -> Vec<u64> {
        let mut all = vec![0; steps];
        for (place, n) in self.counts.iter().enumerate() {
            let step = (place as u64 * self.per * steps as u64).checked_div(end);
            let step = usize::try_from(step.unwrap_or_default()).unwrap_or(usize::MAX);
            if let Some(sum) = all.get_mut(step) {
                *sum += u64::from(*n);
            }
        }
        all
    }
}

/// The curves of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expiry {
    /// As it is configured.
    pub planned: Curve,
    /// With the plain jitter only; `None`: that is what is configured.
    pub plain: Option<Curve>,
}

impl Expiry {
    /// In how many seconds all has expired either way.
    pub fn end(&self) -> u64 {
        let plain = self.plain.as_ref().map_or(0, Curve::end);
        self.planned.end().max(plain)
    }
}

/// Hears a run that looks, and counts when what it would write would expire.
pub struct ExpiryWatch<'a> {
    inner: &'a dyn Reporter,
    /// Of each strategy.
    ttls: BTreeMap<&'a StrategyId, &'a Ttl>,
    mode: Mode,
    /// When all are written.
    at: u64,
    counted: Mutex<Expiry>,
}

impl<'a> ExpiryWatch<'a> {
    /// Hands on to `inner` what it hears.
    pub fn new(run: &'a Coordinator, inner: &'a dyn Reporter) -> Self {
        let ids = run.strategies().iter().map(|strategy| &strategy.spec().id);
        let is_planned = |ttl: &Ttl| ttl.spread.is_some() || ttl.pauses.is_some();
        Self {
            inner,
            ttls: ids.zip(run.ttls()).collect(),
            mode: run.options().mode,
            at: unix_millis(SystemTime::now()),
            counted: Mutex::new(Expiry {
                planned: Curve::default(),
                plain: run.ttls().iter().any(is_planned).then(Curve::default),
            }),
        }
    }

    /// What it has counted.
    pub fn finish(self) -> Expiry {
        let counted = self.counted.into_inner();
        counted.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter for ExpiryWatch<'_> {
    fn report(&self, event: &Event<'_>) {
        if let Event::Looked {
            id,
            batch,
            standings,
        } = event
            && let Some(ttl) = self.ttls.get(id)
        {
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            let jitter = Ttl::new(ttl.base, ttl.jitter);
            for (entry, (_, class)) in batch.iter().zip(*standings) {
                let stays = class.is_some_and(|class| class != Class::Missing);
                if stays && self.mode == Mode::OnlyMissing {
                    continue;
                }
                counted.planned.add(ttl.millis_at(entry.key, || self.at));
                if let Some(plain) = &mut counted.plain {
                    plain.add(jitter.millis_at(entry.key, || self.at));
                }
            }
        }
        self.inner.report(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_counts_seconds_and_steps() {
        let mut curve = Curve::default();
        for millis in [10_000, 10_999, 11_000, 59_999] {
            curve.add(millis);
        }
        assert_eq!((curve.peak(), curve.first(), curve.end()), (2, 10, 60));
        assert_eq!(curve.steps(60, 6), [0, 3, 0, 0, 0, 1]);
        assert_eq!(curve.steps(60, 7), [0, 3, 0, 0, 0, 0, 1]);
        assert_eq!(Curve::default().steps(0, 3), [0, 0, 0]);
    }

    #[test]
    fn a_long_life_is_counted_in_more_seconds_at_once() {
        let mut curve = Curve::default();
        let year = 365 * 24 * 3600;
        for i in 0..1000 {
            curve.add(i);
            curve.add((year + i) * 1000);
        }
        assert!(curve.counts.len() <= MOST_COUNTS);
        assert_eq!(curve.counts.iter().sum::<u32>(), 2000);
        assert!(
            curve.end() - year < 2000 && curve.peak() > 10,
            "{}",
            curve.end()
        );
    }
}
