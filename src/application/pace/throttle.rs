//! The pace of one run, shared by the run and everything that changes it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::limits::{Allowance, Change, PaceLimits, PaceNow, Throughput};
use super::state::{State, Turn};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::report::PaceReport;
use crate::domain::sync::lock;

#[derive(Clone, Debug)]
pub struct Pace(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Wakes waiting tasks when the pace changes.
    changed: watch::Sender<()>,
}

impl Pace {
    pub fn new(limits: &PaceLimits) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State::new(limits)),
            changed: watch::Sender::new(()),
        }))
    }

    /// Returns the same entries in slices, each when it may be sent.
    pub fn throttle<'a>(
        &self,
        entries: BoxStream<'a, Result<EntryBatch, Failure>>,
    ) -> BoxStream<'a, Result<EntryBatch, Failure>> {
        let throttled = Throttled { pace: self.clone(), entries, held: None };
        stream::unfold(throttled, |mut throttled| async move {
            let slice = throttled.next().await?;
            Some((slice, throttled))
        })
        .boxed()
    }

    /// Waits until this many keys may be sent, for keys that are not in a stream.
    pub async fn admit(&self, keys: usize) {
        let mut left = keys;
        while left > 0 {
            let due = self.turn().await;
            let mut state = self.state();
            let slice = state.slice_of(left);
            state.left(Instant::now(), due, slice, 0);
            left -= slice;
        }
    }

    /// Changes the pace.
    pub fn change(&self, change: Change) {
        self.state().change(change);
        self.0.changed.send_replace(());
    }

    /// Takes the changes since the last call.
    pub fn take_changes(&self) -> Vec<Change> {
        self.state().changes.drain(..).collect()
    }

    pub fn now(&self) -> PaceNow {
        self.state().now()
    }

    /// `None`: no limit was requested, and none delayed the run.
    pub fn report(&self) -> Option<PaceReport> {
        self.state().report()
    }

    /// Warnings for the operator.
    pub fn warnings(&self) -> Vec<String> {
        self.state().unwatched.clone()
    }

    pub(super) fn set_unwatched(&self, warnings: Vec<String>) {
        self.state().unwatched = warnings;
    }

    pub(super) fn allow(&self, allowed: Option<Allowance>) {
        let mut state = self.state();
        if state.allowed != allowed {
            state.allow(allowed);
            self.0.changed.send_replace(());
        }
    }

    pub(super) fn throughput(&self) -> Throughput {
        self.state().throughput(Instant::now())
    }

    /// Waits until gentle mode is switched on or off.
    pub(super) async fn until_gentle(&self, gentle: bool) {
        let mut changed = self.0.changed.subscribe();
        while self.state().gentle != gentle {
            // `self` owns the sender, so the channel is open.
            let _ = changed.changed().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    /// Waits until the next slice may be sent; returns the time since when it may.
    async fn turn(&self) -> Instant {
        let mut changed = self.0.changed.subscribe();
        loop {
            let asked = Instant::now();
            let turn = self.state().turn(asked);
            let (until, by) = match turn {
                Turn::Since(due) => return due,
                Turn::Held(until, by) => (until, by),
            };
            let _ = timeout(until - asked, changed.changed()).await;
            let waited = until.min(Instant::now()) - asked;
            self.state().waited(by, waited);
        }
    }
}

/// A stream of entries in slices.
struct Throttled<'a> {
    pace: Pace,
    entries: BoxStream<'a, Result<EntryBatch, Failure>>,
    /// A batch that was sent up to this index.
    held: Option<(EntryBatch, usize)>,
}

impl Throttled<'_> {
    async fn next(&mut self) -> Option<Result<EntryBatch, Failure>> {
        let (mut batch, from) = match self.held.take() {
            Some(held) => held,
            None => match self.entries.next().await? {
                Ok(batch) => (batch, 0),
                Err(failure) => return Some(Err(failure)),
            },
        };
        // Entries that are only counted need not wait.
        if batch.is_empty() {
            return Some(Ok(batch));
        }
        let due = self.pace.turn().await;
        let mut state = self.pace.state();
        // What a worker has written comes whole.
        let to = if batch.done.is_some() { batch.len() } else { from + state.slice(&batch, from) };
        let slice = if (from, to) == (0, batch.len()) {
            batch
        } else {
            let slice = batch.part(from..to);
            self.held = (to < batch.len()).then_some((batch, to));
            slice
        };
        state.left(Instant::now(), due, slice.len(), slice.bytes());
        Some(Ok(slice))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::report::{LimitedBy, Limiter};

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
        Pace::new(&PaceLimits { rate, bytes_rate, ..PaceLimits::default() })
    }

    /// Sends a batch with a simulated clock; returns the time of each slice in milliseconds, and its keys.
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
            // What a worker has written comes whole.
            let to =
                if batch.done.is_some() { batch.len() } else { from + state.slice(&batch, from) };
            let slice = batch.part(from..to);
            state.left(*now, due, slice.len(), slice.bytes());
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
        assert_eq!(report.limited_by, [LimitedBy::new(Limiter::Rate, Duration::from_millis(950))]);
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
        // An entry larger than a slice is sent alone, and the next one waits for all of it.
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
        // At most one slice for a late timer.
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
        assert!(matches!(pace.state().turn(now), Turn::Held(_, Limiter::Rate)));
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
        // A pause does not count as throughput.
        now += Duration::from_mins(1);
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
        // The database is slow.
        run(30_000);
        pace.change(Change::Halve);
        assert_eq!(pace.take_changes(), [Change::NotHalved]);
        assert_eq!((pace.now().rate, pace.report()), (None, None));
        (0..4).for_each(|_| run(250));
        pace.change(Change::Halve);
        assert_eq!(pace.now().rate, Some(1000));
        pace.change(Change::Double);
        assert_eq!(pace.now().rate, None, "no slower than before");
        // The throughput under a limit is not the unlimited throughput.
        pace.change(Change::Halve);
        assert_eq!(pace.now().rate, None);
    }

    #[test]
    fn how_slowly_a_gentle_run_begins_is_not_what_it_writes() {
        let pace = Pace::new(&PaceLimits { gentle: true, ..PaceLimits::default() });
        let mut now = Instant::now();
        leave(&pace, &mut now, 200);
        pace.change(Change::Halve);
        assert_eq!(pace.take_changes(), [Change::NotHalved]);
        pace.allow(None);
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
        pace.allow(Some(Allowance {
            rate: 1000.0,
            by: Limiter::CacheLatency,
            figure: String::new(),
        }));
        let moved = |pace: &Pace| {
            let measured = pace.throughput();
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
        let mut slices = pace.throttle(stream::iter([Ok(batch(40))]).boxed());
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
