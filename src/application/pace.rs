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

/// Without a key for this long a run does not write: it waits for the database, or for its turn.
const PAUSE: Duration = Duration::from_secs(2);

/// Of so many measurements the highest is what a run writes while it does.
const LATELY: usize = 4;

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
    /// It was to be halved before anything was measured: nothing changes.
    NotHalved,
    Double,
    /// Keys a second at most; `None`: as fast as it goes.
    Rate(Option<u64>),
    Gentle(bool),
}

impl Change {
    pub fn name(self) -> &'static str {
        match self {
            Self::Halve => "halved",
            Self::NotHalved => "not halved",
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

/// Whether a slice may leave.
enum Turn {
    /// It may, since then.
    Since(Instant),
    /// Not until then.
    Held(Instant, Limiter),
}

/// What the servers bear, and what they would suffer from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Governed {
    /// Keys a second.
    pub rate: f64,
    pub by: Limiter,
    pub figure: String,
}

/// What leaves, for the governor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// Keys a second.
    pub present: f64,
    /// The most that it was lately, while any left.
    pub most: Option<f64>,
    /// Whether any has left since this was asked last: what stands still says nothing of its limit.
    pub moves: bool,
    /// Whether the governor has held back any of them.
    pub held: bool,
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
    /// Since the governor last asked, something has left, and it has held some of it back.
    has_left: bool,
    was_governed: bool,
    /// What a gentle run does not watch, in words.
    unwatched: Vec<String>,
    /// What was measured where an unlimited run was first halved: there is no limit above it.
    unlimited_from: Option<f64>,
    /// The last slice: when it was to leave, its keys and its bytes.
    last: Option<(Instant, usize, usize)>,
    meter: Meter,
    /// What holds back a slice or held back the last one, and until when.
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
    /// The last ones without a pause.
    lately: VecDeque<f64>,
}

impl Meter {
    fn count(&mut self, keys: usize, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let elapsed = now.duration_since(since);
        if elapsed >= METERED {
            let rate = self.keys as f64 / elapsed.as_secs_f64();
            self.last = Some(rate);
            if elapsed < PAUSE {
                self.lately.push_back(rate);
            }
            if self.lately.len() > LATELY {
                self.lately.pop_front();
            }
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

    /// What left before is not what leaves from now on.
    fn begin_anew(&mut self) {
        self.since = None;
        self.keys = 0;
        self.lately.clear();
    }

    /// The most that it was lately, while keys left.
    fn most(&self) -> Option<f64> {
        self.lately.iter().copied().reduce(f64::max)
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

    /// Until when the last slice holds back the next one, and why.
    fn due(&self) -> Option<(Instant, Limit)> {
        let (at, keys, bytes) = self.last?;
        let of_keys = self.limit().map(|(rate, limit)| {
            // One that left at a higher rate counts as one of this.
            let keys = keys.min(slice_at(rate));
            (keys as f64 / rate, limit)
        });
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
        Some((at + Duration::from_secs_f64(seconds), limit))
    }

    /// How many of a batch's entries from `from` may leave together: at least one.
    fn slice(&self, batch: &EntryBatch, from: usize) -> usize {
        let rest = batch.len() - from;
        let keys = self.limit().map(|(rate, _)| slice_at(rate));
        let keys = keys.map_or(rest, |keys| keys.min(rest));
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

    /// Whether the next slice may leave. Time that nobody used is lost, but for a slice's worth: a
    /// timer that rings late must not make the run slower.
    fn turn(&mut self, now: Instant) -> Turn {
        match self.due() {
            None => Turn::Since(now),
            Some((due, _)) if due <= now => {
                Turn::Since(due.max(now.checked_sub(SLICE).unwrap_or(now)))
            }
            Some((due, limit)) => {
                let by = limit.by;
                self.was_governed |= !matches!(by, Limiter::Rate | Limiter::BytesRate);
                self.holding = Some((limit, due));
                Turn::Held(due, by)
            }
        }
    }

    /// A slice has been held back for so long.
    fn waited(&mut self, by: Limiter, time: Duration) {
        *self.held.entry(by).or_default() += time;
    }

    /// A slice leaves that might have left at `due`.
    fn left(&mut self, now: Instant, due: Instant, slice: &EntryBatch) {
        self.last = Some((due, slice.len(), slice.bytes()));
        self.has_left = true;
        self.meter.count(slice.len(), now);
        if let Some((rate, limit)) = self.limit()
            && limit.by != Limiter::Start
        {
            self.lowest = Some(self.lowest.map_or(rate, |lowest| lowest.min(rate)));
        }
    }

    /// Keys a second that it writes while it does, as far as that is known.
    fn writes(&self) -> Option<f64> {
        self.meter.most().filter(|_| !self.is_starting())
    }

    /// Whether it writes less than it could because nothing is known yet.
    fn is_starting(&self) -> bool {
        let governed = self.governed.as_ref();
        governed.is_some_and(|governed| governed.by == Limiter::Start)
    }

    fn govern(&mut self, governed: Option<Governed>) {
        let was_starting = self.is_starting();
        self.governed = governed;
        if was_starting && !self.is_starting() {
            self.meter.begin_anew();
        }
    }

    fn change(&mut self, change: Change) {
        match (change, self.rate) {
            (Change::Halve, Some(rate)) => self.rate = Some((rate / 2.0).max(1.0)),
            (Change::Halve, None) => {
                let Some(most) = self.writes() else {
                    return self.changes.push_back(Change::NotHalved);
                };
                self.unlimited_from = Some(most);
                self.rate = Some((most / 2.0).max(1.0));
            }
            (Change::Double, Some(rate)) => {
                let doubled = rate * 2.0;
                let free = self.unlimited_from.is_some_and(|from| doubled >= from);
                self.rate = (!free).then_some(doubled);
                if free {
                    self.meter.begin_anew();
                }
            }
            (Change::Double, None) | (Change::NotHalved, _) => {}
            (Change::Rate(rate), _) => {
                self.unlimited_from = None;
                self.meter.begin_anew();
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
        if self.gentle == gentle {
            return;
        }
        self.gentle = gentle;
        self.governed = gentle.then(|| Governed {
            rate: LOWEST_RATE,
            by: Limiter::Start,
            figure: String::new(),
        });
    }
}

/// How much leaves at once, at so much a second.
fn slice_at(rate: f64) -> usize {
    (rate * SLICE.as_secs_f64()).round().max(1.0) as usize
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
        self.state().change(change);
        self.0.changed.send_replace(());
    }

    /// The changes that nobody has been told of yet.
    pub fn take_changes(&self) -> Vec<Change> {
        self.state().changes.drain(..).collect()
    }

    pub fn now(&self) -> PaceNow {
        let state = self.state();
        let holding = state.holding.as_ref();
        let holding = holding.filter(|(_, until)| until.elapsed() < LIMITS_FOR);
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
            state.govern(governed);
            self.0.changed.send_replace(());
        }
    }

    /// What leaves, since this was asked last.
    pub(super) fn measured(&self) -> Measured {
        let mut state = self.state();
        let moves = std::mem::take(&mut state.has_left);
        Measured {
            present: state.meter.rate(Instant::now()),
            most: state.meter.most(),
            moves,
            // What waits still has not left yet.
            held: moves && std::mem::take(&mut state.was_governed),
        }
    }

    /// Waits until the run is to be gentle, or not to be any more.
    pub(super) async fn until_gentle(&self, gentle: bool) {
        let mut changed = self.0.changed.subscribe();
        while self.state().gentle != gentle {
            // The sender lives in `self`.
            let _ = changed.changed().await;
        }
    }

    /// Takes over what cannot be watched, in words.
    pub(super) fn unwatched(&self, what: Vec<String>) {
        self.state().unwatched = what;
    }

    /// What the operator should know.
    pub fn warnings(&self) -> Vec<String> {
        self.state().unwatched.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the next slice may leave; since when it may.
    async fn turn(&self) -> Instant {
        let mut changed = self.0.changed.subscribe();
        loop {
            let asked = Instant::now();
            let turn = self.state().turn(asked);
            let (until, by) = match turn {
                Turn::Since(due) => return due,
                Turn::Held(until, by) => (until, by),
            };
            // Until then, or until the pace is another one.
            let _ = timeout(until.duration_since(asked), changed.changed()).await;
            let waited = until.min(Instant::now()).duration_since(asked);
            self.state().waited(by, waited);
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
        let due = self.pace.turn().await;
        let mut state = self.pace.state();
        let to = from + state.slice(&batch, from);
        let slice = if (from, to) == (0, batch.len()) {
            batch
        } else {
            let slice = batch.part(from..to);
            self.held = (to < batch.len()).then_some((batch, to));
            slice
        };
        state.left(Instant::now(), due, &slice);
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
            let mut turn = state.turn(*now);
            if let Turn::Held(until, by) = turn {
                state.waited(by, until - *now);
                *now = until;
                turn = state.turn(*now);
            }
            let Turn::Since(due) = turn else {
                panic!("its time has come");
            };
            let to = from + state.slice(&batch, from);
            let slice = batch.part(from..to);
            state.left(*now, due, &slice);
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
    fn a_slower_pace_holds_from_its_first_slice_on() {
        let pace = pace(Some(100_000), None);
        let mut now = Instant::now();
        assert_eq!(leave(&pace, &mut now, 500), [(0, 500)]);
        pace.change(Change::Rate(Some(1)));
        assert_eq!(leave(&pace, &mut now, 2), [(1000, 1), (2000, 1)]);
        pace.change(Change::Rate(Some(1000)));
        assert_eq!(leave(&pace, &mut now, 100), [(1, 50), (51, 50)]);
    }

    #[test]
    fn what_holds_a_run_back_is_said_while_it_waits() {
        let pace = pace(Some(1), None);
        let mut now = Instant::now();
        leave(&pace, &mut now, 1);
        assert_eq!(pace.now().limited_by, None);
        assert!(matches!(
            pace.state().turn(now),
            Turn::Held(_, Limiter::Rate)
        ));
        assert_eq!(pace.now().limited_by.as_deref(), Some("rate 1 keys/s"));
    }

    #[test]
    fn halves_and_doubles() {
        let rate = |pace: &Pace| pace.now().rate;
        let mut now = Instant::now();
        let given = pace(Some(1000), None);
        given.change(Change::Halve);
        assert_eq!(rate(&given), Some(500));
        given.change(Change::Double);
        given.change(Change::Double);
        assert_eq!(rate(&given), Some(2000), "it was asked for");

        let free = pace(None, None);
        free.change(Change::Double);
        assert_eq!(rate(&free), None);
        for _ in 0..6 {
            leave(&free, &mut now, 500);
            now += Duration::from_millis(500);
        }
        // A pause is not what it writes.
        now += Duration::from_secs(60);
        free.change(Change::Halve);
        assert_eq!(rate(&free), Some(500));
        free.change(Change::Halve);
        free.change(Change::Double);
        assert_eq!(rate(&free), Some(500));
        free.change(Change::Double);
        assert_eq!(rate(&free), None, "no slower than before");
        free.change(Change::Rate(Some(7)));
        assert_eq!(rate(&free), Some(7));
    }

    #[test]
    fn what_was_not_measured_is_not_halved() {
        let pace = pace(None, None);
        let mut now = Instant::now();
        let mut run = |pause| {
            leave(&pace, &mut now, 500);
            now += Duration::from_millis(pause);
        };
        // The database takes its time.
        run(30_000);
        pace.change(Change::Halve);
        assert_eq!(pace.take_changes(), [Change::NotHalved]);
        assert_eq!((pace.now().rate, pace.report()), (None, None));
        (0..4).for_each(|_| run(250));
        pace.change(Change::Halve);
        assert_eq!(pace.now().rate, Some(1000));
        pace.change(Change::Double);
        assert_eq!(pace.now().rate, None, "no slower than before");
        // What it wrote while it was limited is not what it writes.
        pace.change(Change::Halve);
        assert_eq!(pace.now().rate, None);
    }

    #[test]
    fn how_slowly_a_gentle_run_begins_is_not_what_it_writes() {
        let pace = Pace::new(&PaceLimits {
            gentle: true,
            ..PaceLimits::default()
        });
        let mut now = Instant::now();
        leave(&pace, &mut now, 200);
        pace.change(Change::Halve);
        assert_eq!(pace.take_changes(), [Change::NotHalved]);
        pace.govern(None);
        for _ in 0..4 {
            leave(&pace, &mut now, 500);
            now += Duration::from_millis(250);
        }
        pace.change(Change::Halve);
        assert_eq!(pace.now().rate, Some(1000));
    }

    #[test]
    fn what_stands_still_is_not_held_back() {
        let pace = pace(None, None);
        pace.govern(Some(Governed {
            rate: 1000.0,
            by: Limiter::CacheLatency,
            figure: String::new(),
        }));
        let moved = |pace: &Pace| {
            let measured = pace.measured();
            (measured.moves, measured.held)
        };
        let mut now = Instant::now();
        assert_eq!(moved(&pace), (false, false));
        leave(&pace, &mut now, 50);
        assert_eq!(moved(&pace), (true, false));
        let held = pace.state().turn(now);
        assert!(matches!(held, Turn::Held(..)));
        assert_eq!(moved(&pace), (false, false), "it waits still");
        leave(&pace, &mut now, 50);
        assert_eq!(moved(&pace), (true, true));
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
