//! How fast a run writes. Keys leave in slices, evenly, at the rate that is asked for or that the
//! servers bear; the rate can be changed while the run goes on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::watch;
use tokio::time::timeout;

pub use super::governor::GentleLimits;
use super::governor::LOWEST_RATE;
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::report::{Limiter, PaceReport};

/// What leaves at once is what may leave in this time.
const SLICE: Duration = Duration::from_millis(50);

/// The present rate is that of about this long.
const METERED: Duration = Duration::from_millis(500);

/// What limited the last slice is what limits the run, for this long.
const LIMITS_FOR: Duration = Duration::from_secs(1);

/// The pace that a run is asked to keep.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PaceLimits {
    /// Keys a second at most.
    pub rate: Option<u64>,
    /// Bytes of keys and values a second at most.
    pub bytes_rate: Option<u64>,
    /// No faster than the servers bear.
    pub gentle: bool,
    pub gentle_limits: GentleLimits,
}

/// What somebody changed while the run went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Halve,
    Double,
    /// Keys a second at most; `None`: as fast as it goes.
    Rate(Option<u64>),
    Gentle(bool),
}

impl Change {
    pub fn name(self) -> &'static str {
        match self {
            Self::Halve => "halved",
            Self::Double => "doubled",
            Self::Rate(_) | Self::Gentle(_) => "set",
        }
    }
}

/// The pace at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PaceNow {
    /// Keys a second at most; `None`: no limit.
    pub rate: Option<u64>,
    pub gentle: bool,
    /// What holds the run back, with its figure: `cache latency 4.1 ms`.
    pub limited_by: Option<String>,
}

/// The pace of one run, shared by the run and whoever changes it.
#[derive(Clone, Debug)]
pub struct Pace(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Wakes those who wait when the pace is another one.
    changed: watch::Sender<()>,
}

/// A slice may leave.
struct Turn {
    /// Since when.
    due: Instant,
    /// What it had to wait for, and how long.
    held: Option<(Limit, Duration)>,
}

/// What the servers bear, and what they would suffer from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Governed {
    /// Keys a second.
    pub rate: f64,
    pub by: Limiter,
    pub figure: String,
}

/// Why not more than so much.
#[derive(Clone, Debug, PartialEq)]
struct Limit {
    by: Limiter,
    /// `4.1 ms`.
    figure: String,
}

#[derive(Debug, Default)]
struct State {
    /// What an operator allows, in keys and in bytes a second.
    rate: Option<f64>,
    bytes_rate: Option<f64>,
    gentle: bool,
    governed: Option<Governed>,
    /// The governor has held back what left since it last asked.
    was_governed: bool,
    nothing_to_watch: bool,
    /// What was measured where an unlimited run was first halved: there is no limit above it.
    unlimited_from: Option<f64>,
    /// The last slice: when it was to leave, its keys and its bytes.
    last: Option<(Instant, usize, usize)>,
    meter: Meter,
    /// What held back the last slice, and when.
    holding: Option<(Limit, Instant)>,
    changes: VecDeque<Change>,
    /// For the report.
    was_limited: bool,
    lowest: Option<f64>,
    held: BTreeMap<Limiter, Duration>,
}

/// How many keys leave a second.
#[derive(Debug, Default)]
struct Meter {
    since: Option<Instant>,
    keys: u64,
    /// Of the time before `since`.
    last: Option<f64>,
}

impl Meter {
    fn count(&mut self, keys: usize, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let elapsed = now.duration_since(since);
        if elapsed >= METERED {
            self.last = Some(self.keys as f64 / elapsed.as_secs_f64());
            self.since = Some(now);
            self.keys = 0;
        }
        self.keys += keys as u64;
    }

    fn rate(&self, now: Instant) -> f64 {
        let elapsed = self
            .since
            .map_or(Duration::ZERO, |since| now.duration_since(since));
        match self.last {
            Some(last) if elapsed < METERED => last,
            _ => self.keys as f64 / elapsed.max(SLICE).as_secs_f64(),
        }
    }
}

impl State {
    /// Keys a second that may leave, and why not more.
    fn limit(&self) -> Option<(f64, Limit)> {
        let asked = self.rate.map(|rate| {
            let figure = format!("{rate:.0} keys/s");
            (
                rate,
                Limit {
                    by: Limiter::Rate,
                    figure,
                },
            )
        });
        let governed = self.governed.as_ref().map(|governed| {
            let (by, figure) = (governed.by, governed.figure.clone());
            (governed.rate, Limit { by, figure })
        });
        let both = [asked, governed].into_iter().flatten();
        both.min_by(|(a, _), (b, _)| a.total_cmp(b))
    }

    /// When the next slice may leave, and what holds it back until then. Time that nobody used is
    /// lost, but for a slice's worth: a timer that rings late must not make the run slower.
    fn due(&self, now: Instant) -> Option<(Instant, Limit)> {
        let (at, keys, bytes) = self.last?;
        let of_keys = self
            .limit()
            .map(|(rate, limit)| (keys as f64 / rate, limit));
        let of_bytes = self.bytes_rate.map(|rate| {
            let figure = format!("{rate:.0} bytes/s");
            (
                bytes as f64 / rate,
                Limit {
                    by: Limiter::BytesRate,
                    figure,
                },
            )
        });
        let longest = [of_keys, of_bytes].into_iter().flatten();
        let (seconds, limit) = longest.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
        let due = at + Duration::from_secs_f64(seconds);
        Some((due.max(now.checked_sub(SLICE).unwrap_or(now)), limit))
    }

    /// How many of a batch's entries from `from` may leave together: at least one.
    fn slice(&self, batch: &EntryBatch, from: usize) -> usize {
        let rest = batch.len() - from;
        let part = |rate: f64| (rate * SLICE.as_secs_f64()).round().max(1.0) as usize;
        let keys = self.limit().map_or(rest, |(rate, _)| part(rate).min(rest));
        let Some(bytes) = self.bytes_rate.map(part) else {
            return keys;
        };
        let mut sum = 0;
        let fits = (from..from + keys).take_while(|i| {
            sum += batch.get(*i).map_or(0, |entry| entry.bytes() as usize);
            sum <= bytes
        });
        fits.count().max(1).min(rest)
    }

    /// The turn of who has waited since `asked`, if it has come.
    fn turn(&self, asked: Instant, now: Instant) -> Option<Turn> {
        let Some((due, limit)) = self.due(now) else {
            return Some(Turn {
                due: now,
                held: None,
            });
        };
        let waited = now.duration_since(asked);
        (due <= now).then(|| Turn {
            due,
            held: (!waited.is_zero()).then_some((limit, waited)),
        })
    }

    /// A slice leaves.
    fn left(&mut self, now: Instant, turn: Turn, slice: &EntryBatch) {
        self.last = Some((turn.due, slice.len(), slice.bytes()));
        self.meter.count(slice.len(), now);
        if let Some((limit, waited)) = turn.held {
            *self.held.entry(limit.by).or_default() += waited;
            self.was_governed |= !matches!(limit.by, Limiter::Rate | Limiter::BytesRate);
            self.holding = Some((limit, now));
        }
        if let Some((rate, limit)) = self.limit()
            && limit.by != Limiter::Start
        {
            self.lowest = Some(self.lowest.map_or(rate, |lowest| lowest.min(rate)));
        }
    }

    fn change(&mut self, change: Change, now: Instant) {
        let present = || self.meter.rate(now);
        match (change, self.rate) {
            (Change::Halve, Some(rate)) => self.rate = Some((rate / 2.0).max(1.0)),
            (Change::Halve, None) => {
                let present = present();
                self.unlimited_from = Some(present);
                self.rate = Some((present / 2.0).max(1.0));
            }
            (Change::Double, Some(rate)) => {
                let doubled = rate * 2.0;
                let free = self.unlimited_from.is_some_and(|from| doubled >= from);
                self.rate = (!free).then_some(doubled);
            }
            (Change::Double, None) => {}
            (Change::Rate(rate), _) => {
                self.unlimited_from = None;
                self.rate = rate.map(|rate| rate.max(1) as f64);
            }
            (Change::Gentle(gentle), _) => self.be_gentle(gentle),
        }
        self.was_limited |= self.rate.is_some() || self.gentle;
        self.changes.push_back(change);
    }
}

impl State {
    /// A run that is to be gentle hardly writes until it is known what the servers bear.
    fn be_gentle(&mut self, gentle: bool) {
        self.gentle = gentle;
        self.governed = gentle.then(|| Governed {
            rate: LOWEST_RATE,
            by: Limiter::Start,
            figure: String::new(),
        });
    }
}

impl Pace {
    pub fn new(limits: &PaceLimits) -> Self {
        let mut state = State {
            rate: limits.rate.map(|rate| rate as f64),
            bytes_rate: limits.bytes_rate.map(|rate| rate as f64),
            was_limited: limits.gentle || limits.rate.or(limits.bytes_rate).is_some(),
            ..State::default()
        };
        state.be_gentle(limits.gentle);
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
        }))
    }

    /// The same entries, in slices, each when it may leave.
    pub fn keep<'a>(
        &self,
        entries: BoxStream<'a, Result<EntryBatch, Failure>>,
    ) -> BoxStream<'a, Result<EntryBatch, Failure>> {
        let paced = Paced {
            pace: self.clone(),
            entries,
            held: None,
        };
        stream::unfold(paced, |mut paced| async move {
            let slice = paced.next().await?;
            Some((slice, paced))
        })
        .boxed()
    }

    /// Changes the pace from now on.
    pub fn change(&self, change: Change) {
        self.state().change(change, Instant::now());
        self.0.changed.send_replace(());
    }

    /// The changes that nobody has been told of yet.
    pub fn take_changes(&self) -> Vec<Change> {
        self.state().changes.drain(..).collect()
    }

    pub fn now(&self) -> PaceNow {
        let state = self.state();
        let holding = state.holding.as_ref();
        let holding = holding.filter(|(_, at)| at.elapsed() < LIMITS_FOR);
        PaceNow {
            rate: state.limit().map(|(rate, _)| rate.round() as u64),
            gentle: state.gentle,
            limited_by: holding.map(|(limit, _)| {
                let text = format!("{} {}", limit.by.name(), limit.figure);
                text.trim_end().to_owned()
            }),
        }
    }

    /// What became of it; `None`: the run was never held back, and nobody asked for it.
    pub fn report(&self) -> Option<PaceReport> {
        let state = self.state();
        let whole = |rate: f64| rate.round() as u64;
        state.was_limited.then(|| PaceReport {
            gentle: state.gentle,
            rate: state.rate.map(whole),
            bytes_rate: state.bytes_rate.map(whole),
            lowest_rate: state.lowest.map(whole),
            limited_by: state.held.iter().map(|(by, held)| (*by, *held)).collect(),
        })
    }

    /// Takes over what the servers bear.
    pub(super) fn govern(&self, governed: Option<Governed>) {
        let mut state = self.state();
        if state.governed != governed {
            state.governed = governed;
            self.0.changed.send_replace(());
        }
    }

    /// Keys a second that leave at present, and whether the governor has held back any of them since
    /// this was asked last.
    pub(super) fn measured(&self) -> (f64, bool) {
        let mut state = self.state();
        let held = std::mem::take(&mut state.was_governed);
        (state.meter.rate(Instant::now()), held)
    }

    /// Waits until the run is to be gentle, or not to be any more.
    pub(super) async fn until_gentle(&self, gentle: bool) {
        let mut changed = self.0.changed.subscribe();
        while self.state().gentle != gentle {
            // The sender lives in `self`.
            let _ = changed.changed().await;
        }
    }

    pub(super) fn nothing_to_watch(&self) {
        self.state().nothing_to_watch = true;
    }

    /// What the operator should know.
    pub fn warning(&self) -> Option<String> {
        let why = "--gentle: neither database nor cache says how it is, so nothing is watched";
        self.state().nothing_to_watch.then(|| why.to_owned())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the next slice may leave.
    async fn turn(&self) -> Turn {
        let asked = Instant::now();
        let mut changed = self.0.changed.subscribe();
        let mut now = asked;
        loop {
            let (turn, due) = {
                let state = self.state();
                (state.turn(asked, now), state.due(now))
            };
            match (turn, due) {
                (Some(turn), _) => return turn,
                // Until then, or until the pace is another one.
                (None, Some((due, _))) => {
                    let _ = timeout(due.duration_since(now), changed.changed()).await;
                }
                (None, None) => {}
            }
            now = Instant::now();
        }
    }
}

/// Entries that leave in slices.
struct Paced<'a> {
    pace: Pace,
    entries: BoxStream<'a, Result<EntryBatch, Failure>>,
    /// A batch of which a part has left: the entries from this one on have not.
    held: Option<(EntryBatch, usize)>,
}

impl Paced<'_> {
    async fn next(&mut self) -> Option<Result<EntryBatch, Failure>> {
        let (mut batch, from) = match self.held.take() {
            Some(held) => held,
            None => match self.entries.next().await? {
                Ok(batch) => (batch, 0),
                Err(failure) => return Some(Err(failure)),
            },
        };
        // What is only to be counted need not wait.
        if batch.is_empty() {
            return Some(Ok(batch));
        }
        let turn = self.pace.turn().await;
        let mut state = self.pace.state();
        let to = from + state.slice(&batch, from);
        let slice = if (from, to) == (0, batch.len()) {
            batch
        } else {
            let slice = batch.part(from..to);
            self.held = (to < batch.len()).then_some((batch, to));
            slice
        };
        state.left(Instant::now(), turn, &slice);
        Some(Ok(slice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries of 100 bytes each.
    fn batch(keys: usize) -> EntryBatch {
        let mut batch = EntryBatch::default();
        for i in 0..keys {
            let value = |out: &mut Vec<u8>| {
                out.extend_from_slice(&[b'v'; 90]);
                Ok::<(), std::convert::Infallible>(())
            };
            let _ = batch.push_text(format!("key:{i:06}").as_bytes(), value);
        }
        batch
    }

    fn pace(rate: Option<u64>, bytes_rate: Option<u64>) -> Pace {
        Pace::new(&PaceLimits {
            rate,
            bytes_rate,
            ..PaceLimits::default()
        })
    }

    /// Lets a batch leave by a clock of its own: when each slice left, in milliseconds, and its keys.
    fn leave(pace: &Pace, now: &mut Instant, keys: usize) -> Vec<(u128, usize)> {
        let (begun, mut batch) = (*now, batch(keys));
        let mut state = pace.state();
        let (mut left, mut from) = (Vec::new(), 0);
        while from < keys {
            let asked = *now;
            let turn = state.due(*now);
            *now = turn.as_ref().map_or(*now, |(due, _)| (*now).max(*due));
            let turn = state.turn(asked, *now).expect("its time has come");
            let to = from + state.slice(&batch, from);
            let slice = batch.part(from..to);
            state.left(*now, turn, &slice);
            left.push((now.duration_since(begun).as_millis(), slice.len()));
            from = to;
        }
        left
    }

    #[test]
    fn keys_leave_evenly_in_slices() {
        let pace = pace(Some(1000), None);
        let left = leave(&pace, &mut Instant::now(), 1000);
        let even: Vec<_> = (0..20).map(|i| (50 * i, 50)).collect();
        assert_eq!(left, even);
        let report = pace.report().expect("it was limited");
        assert_eq!((report.rate, report.lowest_rate), (Some(1000), Some(1000)));
        assert_eq!(
            report.limited_by,
            [(Limiter::Rate, Duration::from_millis(950))]
        );
    }

    #[test]
    fn what_nobody_asked_for_changes_nothing() {
        let pace = pace(None, None);
        assert_eq!(leave(&pace, &mut Instant::now(), 500), [(0, 500)]);
        assert_eq!(pace.report(), None);
        assert_eq!(pace.now(), PaceNow::default());
    }

    #[test]
    fn bytes_have_a_rate_too() {
        let limited = pace(None, Some(10_000));
        let left = leave(&limited, &mut Instant::now(), 30);
        assert_eq!(left, [0, 50, 100, 150, 200, 250].map(|at| (at, 5)));
        // An entry longer than a slice leaves alone, and the next waits for all of it.
        let limited = pace(None, Some(500));
        let left = leave(&limited, &mut Instant::now(), 3);
        assert_eq!(left, [0, 200, 400].map(|at| (at, 1)));
    }

    #[test]
    fn time_that_nobody_used_is_not_made_up_for() {
        let pace = pace(Some(1000), None);
        let mut now = Instant::now();
        leave(&pace, &mut now, 100);
        now += Duration::from_secs(10);
        // One slice for a timer that rang late, no more.
        let left = leave(&pace, &mut now, 150);
        assert_eq!(left, [(0, 50), (0, 50), (50, 50)]);
    }

    #[test]
    fn halves_and_doubles() {
        let rate = |pace: &Pace| pace.now().rate;
        let mut now = Instant::now();
        let given = pace(Some(1000), None);
        given.state().change(Change::Halve, now);
        assert_eq!(rate(&given), Some(500));
        given.state().change(Change::Double, now);
        given.state().change(Change::Double, now);
        assert_eq!(rate(&given), Some(2000), "it was asked for");

        let free = pace(None, None);
        free.state().change(Change::Double, now);
        assert_eq!(rate(&free), None);
        for _ in 0..6 {
            leave(&free, &mut now, 500);
            now += Duration::from_millis(500);
        }
        free.state().change(Change::Halve, now);
        assert_eq!(rate(&free), Some(500));
        free.state().change(Change::Halve, now);
        free.state().change(Change::Double, now);
        assert_eq!(rate(&free), Some(500));
        free.state().change(Change::Double, now);
        assert_eq!(rate(&free), None, "no slower than before");
        free.state().change(Change::Rate(Some(7)), now);
        assert_eq!(rate(&free), Some(7));
    }

    #[tokio::test]
    async fn who_waits_hears_of_another_pace() {
        let pace = pace(Some(1), None);
        let mut slices = pace.keep(stream::iter([Ok(batch(40))]).boxed());
        let begun = Instant::now();
        slices.next().await;
        let waiting = tokio::spawn(async move {
            let rest: Vec<_> = slices.collect().await;
            rest.len()
        });
        pace.change(Change::Rate(None));
        assert_eq!(waiting.await.ok(), Some(1), "all that is left, at once");
        assert!(begun.elapsed() < Duration::from_secs(30));
        assert_eq!(pace.take_changes(), [Change::Rate(None)]);
        assert_eq!(pace.report().and_then(|report| report.lowest_rate), Some(1));
    }
}
