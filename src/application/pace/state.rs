//! Decides when the next slice of a run may be sent, and its size.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::limits::{Allowance, Change, MIN_RATE, PaceLimits, PaceNow, Throughput};
use super::meter::Meter;
use crate::domain::entry::EntryBatch;
use crate::domain::report::{LimitedBy, Limiter, PaceReport};
use crate::domain::wording::grouped;

/// A slice is what may be sent in this time.
const SLICE: Duration = Duration::from_millis(50);

/// The reason that delayed the last slice is reported for this long.
const LIMITS_FOR: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct State {
    /// The operator's limits, in keys and in bytes per second.
    rate: Option<f64>,
    bytes_rate: Option<f64>,
    pub gentle: bool,
    /// The governor's limit.
    pub allowed: Option<Allowance>,
    /// Since the governor last asked: whether a slice was sent, and whether its limit delayed one.
    has_left: bool,
    was_held: bool,
    /// Warnings about servers that a gentle run does not watch.
    pub unwatched: Vec<String>,
    /// The throughput when an unlimited run was first halved: the limit goes away above it.
    unlimited_from: Option<f64>,
    /// The last slice: when it was due, its keys and its bytes.
    last: Option<(Instant, usize, usize)>,
    meter: Meter,
    /// Why the current or the last slice was delayed, and until when to report it.
    holding: Option<(Allowance, Instant)>,
    pub changes: VecDeque<Change>,
    /// For the report.
    was_limited: bool,
    lowest: Option<f64>,
    held: BTreeMap<Limiter, Duration>,
}

/// Whether a slice may be sent.
pub(super) enum Turn {
    /// Yes, since this time.
    Since(Instant),
    /// Not before this time.
    Held(Instant, Limiter),
}

impl State {
    pub(super) fn new(limits: &PaceLimits) -> Self {
        let mut state = Self {
            rate: limits.rate.map(|rate| rate as f64),
            bytes_rate: limits.bytes_rate.map(|rate| rate as f64),
            was_limited: limits.gentle || limits.rate.or(limits.bytes_rate).is_some(),
            ..Self::default()
        };
        state.set_gentle(limits.gentle);
        state
    }

    /// The lower of the two limits in keys.
    fn limit(&self) -> Option<Allowance> {
        let asked = self.rate.map(|rate| Allowance {
            rate,
            by: Limiter::Rate,
            figure: format!("{} keys/s", grouped(rate as u64)),
        });
        let both = asked.into_iter().chain(self.allowed.clone());
        both.min_by(|a, b| a.rate.total_cmp(&b.rate))
    }

    /// The time until which the last slice delays the next one, and why.
    fn due(&self) -> Option<(Instant, Allowance)> {
        let (at, keys, bytes) = self.last?;
        let of_keys = self.limit().map(|limit| {
            // A slice sent at a higher rate counts as one at this rate.
            let keys = keys.min(slice_at(limit.rate));
            (keys as f64 / limit.rate, limit)
        });
        let of_bytes = self.bytes_rate.map(|rate| {
            let (by, figure) = (Limiter::BytesRate, format!("{} bytes/s", grouped(rate as u64)));
            (bytes as f64 / rate, Allowance { rate, by, figure })
        });
        let both = of_keys.into_iter().chain(of_bytes);
        let (seconds, limit) = both.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
        Some((at + Duration::from_secs_f64(seconds), limit))
    }

    /// How many of `keys` may be sent together: at least one.
    pub(super) fn slice_of(&self, keys: usize) -> usize {
        let limit = self.limit().map(|limit| slice_at(limit.rate));
        limit.map_or(keys, |limit| limit.min(keys))
    }

    /// How many of a batch's entries from `from` on may be sent together: at least one.
    pub(super) fn slice(&self, batch: &EntryBatch, from: usize) -> usize {
        let rest = batch.len() - from;
        let keys = self.slice_of(rest);
        let Some(bytes) = self.bytes_rate.map(slice_at) else {
            return keys;
        };
        let mut sum = 0;
        let fits = (from..from + keys).take_while(|i| {
            sum += batch.get(*i).map_or(0, |entry| entry.bytes() as usize);
            sum <= bytes
        });
        fits.count().max(1).min(rest)
    }

    /// Whether the next slice may be sent. A run catches up on at most one slice of unused time, so
    /// that a late timer does not slow it down.
    pub(super) fn turn(&mut self, now: Instant) -> Turn {
        match self.due() {
            None => Turn::Since(now),
            Some((due, _)) if due <= now => {
                Turn::Since(due.max(now.checked_sub(SLICE).unwrap_or(now)))
            }
            Some((due, limit)) => {
                let by = limit.by;
                self.was_held |= !matches!(by, Limiter::Rate | Limiter::BytesRate);
                self.holding = Some((limit, due));
                Turn::Held(due, by)
            }
        }
    }

    /// A slice was delayed.
    pub(super) fn waited(&mut self, by: Limiter, time: Duration) {
        *self.held.entry(by).or_default() += time;
    }

    /// Records that a slice is sent that was due at `due`.
    pub(super) fn left(&mut self, now: Instant, due: Instant, keys: usize, bytes: usize) {
        self.last = Some((due, keys, bytes));
        self.has_left = true;
        self.meter.count(keys, now);
        if let Some(limit) = self.limit()
            && limit.by != Limiter::Start
        {
            let lowest = self.lowest.get_or_insert(limit.rate);
            *lowest = lowest.min(limit.rate);
        }
    }

    /// Whether the run is slow because the baseline is still being measured.
    fn is_starting(&self) -> bool {
        let allowed = self.allowed.as_ref();
        allowed.is_some_and(|allowed| allowed.by == Limiter::Start)
    }

    pub(super) fn allow(&mut self, allowed: Option<Allowance>) {
        let was_starting = self.is_starting();
        self.allowed = allowed;
        if was_starting && !self.is_starting() {
            self.meter.restart();
        }
    }

    pub(super) fn change(&mut self, change: Change) {
        match (change, self.rate) {
            (Change::Halve, Some(rate)) => self.rate = Some((rate / 2.0).max(1.0)),
            (Change::Halve, None) => {
                let Some(max) = self.meter.max().filter(|_| !self.is_starting()) else {
                    return self.changes.push_back(Change::NotHalved);
                };
                self.unlimited_from = Some(max);
                self.rate = Some((max / 2.0).max(1.0));
            }
            (Change::Double, Some(rate)) => {
                let doubled = rate * 2.0;
                let is_free = self.unlimited_from.is_some_and(|from| doubled >= from);
                self.rate = (!is_free).then_some(doubled);
                if is_free {
                    self.meter.restart();
                }
            }
            (Change::Double, None) | (Change::NotHalved, _) => {}
            (Change::Rate(rate), _) => {
                self.unlimited_from = None;
                self.meter.restart();
                self.rate = rate.map(|rate| rate.max(1) as f64);
            }
            (Change::Gentle(gentle), _) => self.set_gentle(gentle),
        }
        self.was_limited |= self.rate.is_some() || self.gentle;
        self.changes.push_back(change);
    }

    /// A gentle run writes very little until the baseline has been measured.
    fn set_gentle(&mut self, gentle: bool) {
        if self.gentle == gentle {
            return;
        }
        self.gentle = gentle;
        self.allowed =
            gentle.then(|| Allowance { rate: MIN_RATE, by: Limiter::Start, figure: String::new() });
    }

    pub(super) fn throughput(&mut self, now: Instant) -> Throughput {
        let moves = std::mem::take(&mut self.has_left);
        Throughput {
            now: self.meter.rate(now),
            max: self.meter.max(),
            moves,
            // A slice that still waits has not been sent yet.
            held: moves && std::mem::take(&mut self.was_held),
        }
    }

    pub(super) fn now(&self) -> PaceNow {
        let holding = self.holding.as_ref();
        let holding = holding.filter(|(_, until)| until.elapsed() < LIMITS_FOR);
        PaceNow {
            rate: self.limit().map(|limit| limit.rate.round() as u64),
            gentle: self.gentle,
            limited_by: holding.map(|(limit, _)| {
                let text = format!("{} {}", limit.by.name(), limit.figure);
                text.trim_end().to_owned()
            }),
        }
    }

    /// `None`: no limit was requested, and none delayed the run.
    pub(super) fn report(&self) -> Option<PaceReport> {
        let whole = |rate: f64| rate.round() as u64;
        self.was_limited.then(|| PaceReport {
            gentle: self.gentle,
            rate: self.rate.map(whole),
            bytes_rate: self.bytes_rate.map(whole),
            lowest_rate: self.lowest.map(whole),
            limited_by: self.held.iter().map(|(by, held)| LimitedBy::new(*by, *held)).collect(),
        })
    }
}

/// The size of a slice at a rate per second.
fn slice_at(rate: f64) -> usize {
    (rate * SLICE.as_secs_f64()).round().max(1.0) as usize
}
