//! A line when a strategy ends, and at intervals while it runs.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::whole::Whole;
use super::words::{left, limited, news, stalled, wrong};
use crate::application::pace::PaceNow;
use crate::application::run_state::event::{Event, Reporter};
use crate::domain::counts::Counts;
use crate::domain::expected::Expected;
use crate::domain::report::StrategyReport;
use crate::domain::strategy::StrategyId;
use crate::domain::sync::lock;
use crate::domain::wording::{grouped, keys, seconds, time_left};
use crate::interfaces::output::sentences;
use crate::interfaces::report::words::{expectation, speed};

/// When the first line about a strategy comes, and the next ones.
const FIRST_AFTER: Duration = Duration::from_secs(2);
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Prints a line when a strategy ends, and while it runs, even without progress.
pub(super) struct Lines {
    /// The running strategy.
    state: Arc<Mutex<Option<Running>>>,
    whole: Arc<Mutex<Whole>>,
    ticker: tokio::task::JoinHandle<()>,
}

struct Running {
    id: StrategyId,
    expected: Option<Expected>,
    counts: Counts,
    pace: PaceNow,
    /// What it waits for, if it does.
    stalled: String,
    since: Instant,
    /// When the next line is due.
    due: Instant,
}

impl Lines {
    pub(super) fn new() -> Self {
        let state: Arc<Mutex<Option<Running>>> = Arc::default();
        let whole: Arc<Mutex<Whole>> = Arc::default();
        let (shared, run) = (Arc::clone(&state), Arc::clone(&whole));
        let ticker = tokio::spawn(async move {
            let mut every = tokio::time::interval(Duration::from_millis(250));
            loop {
                every.tick().await;
                if let Some(running) = &mut *lock(&shared)
                    && running.due <= Instant::now()
                {
                    running.due = Instant::now() + LINE_EVERY;
                    sentences(&running.line(&lock(&run)));
                }
            }
        });
        Self { state, whole, ticker }
    }
}

impl Running {
    /// `catalog/hot (2 of 7): 40% (240,000 of ~600,000 keys), 15 s left, 2m 05s left in all`.
    fn line(&self, run: &Whole) -> String {
        let (id, done, elapsed) = (&self.id, self.counts.total(), self.since.elapsed());
        let mut parts = match self.expected.filter(|e| e.keys >= done.max(1)) {
            Some(whole) => {
                let percent = done * 100 / whole.keys;
                vec![format!("{percent}% ({} of {} keys)", grouped(done), expectation(Some(whole)))]
            }
            None => vec![progress_line(&self.counts, elapsed)],
        };
        if self.expected.is_some() {
            parts.extend(Some(wrong(&self.counts)).filter(|wrong| !wrong.is_empty()));
        }
        if let (Some(whole), true) = (self.expected, self.stalled.is_empty()) {
            let left = left(elapsed, done, whole.keys);
            parts.extend(left.map(|left| format!("{} left", time_left(left))));
        }
        if let (Some(left), Some(_), true) = (run.left(), run.place(), self.stalled.is_empty()) {
            parts.push(format!("{} left in all", time_left(left)));
        }
        let stalled = Some(self.stalled.clone()).filter(|text| !text.is_empty());
        parts.extend(stalled.into_iter().chain(limited(&self.pace)));
        let place = run.place().map_or_else(String::new, |(nth, all)| format!(" ({nth} of {all})"));
        format!("{id}{place}: {}\n", parts.join(", "))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.ticker.abort();
    }
}

fn progress_line(counts: &Counts, elapsed: Duration) -> String {
    let counts = Counts { elapsed, ..*counts };
    let mut line = format!("{} in {}", keys(counts.total()), seconds(elapsed));
    if let Some(speed) = speed(&counts) {
        line += &format!(", {speed} keys/s");
    }
    match wrong(&counts).as_str() {
        "" => line,
        wrong => format!("{line}, {wrong}"),
    }
}

fn end_line(report: &StrategyReport) -> String {
    let line = progress_line(&report.stats, report.stats.elapsed);
    let (id, status) = (&report.id, report.status.stage().word());
    match report.expected().filter(|_| report.is_unfinished()) {
        None => format!("{id}: {status}, {line}\n"),
        whole => format!("{id}: {status}, {line}, {} expected\n", expectation(whole)),
    }
}

impl Reporter for Lines {
    fn report(&self, event: &Event<'_>) {
        lock(&self.whole).note(event);
        match event {
            Event::StrategyStarted { id, expected } => {
                let since = Instant::now();
                *lock(&self.state) = Some(Running {
                    id: (*id).clone(),
                    expected: *expected,
                    counts: Counts::default(),
                    pace: PaceNow::default(),
                    stalled: String::new(),
                    since,
                    due: since + FIRST_AFTER,
                });
            }
            Event::Progress { stats, pace, .. } => {
                if let Some(running) = &mut *lock(&self.state) {
                    running.counts = *stats;
                    running.pace.clone_from(pace);
                    running.stalled.clear();
                }
            }
            Event::Stalled { on, time, .. } => {
                if let Some(running) = &mut *lock(&self.state) {
                    running.stalled = stalled(on, *time);
                }
            }
            Event::StrategyFinished { report } => {
                *lock(&self.state) = None;
                sentences(&end_line(report));
            }
            event => {
                if let Some(news) = news(event) {
                    sentences(&format!("{news}\n"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is_and_what_it_waits_for() {
        let mut running = Running {
            id: StrategyId::new("catalog", "hot"),
            expected: Some(Expected::about(600_000)),
            counts: Counts { warmed: 240_000, ..Counts::default() },
            pace: PaceNow::default(),
            stalled: String::new(),
            since: Instant::now().checked_sub(Duration::from_secs(10)).expect("a moment"),
            due: Instant::now(),
        };
        let line = running.line(&Whole::default());
        let says = "catalog/hot: 40% (240,000 of ~600,000 keys), 15 s left\n";
        assert!(line.starts_with(says) && line.ends_with(" s left\n"), "{line}");
        running.stalled = stalled("cache", Duration::from_secs(5));
        let says = "catalog/hot: 40% (240,000 of ~600,000 keys), waiting for the cache, 5 s\n";
        assert_eq!(running.line(&Whole::default()), says);
        let (hot, open) = (running.id.clone(), StrategyId::new("catalog", "open"));
        let mut run = Whole::default();
        run.note(&Event::Sized { strategies: vec![(&hot, running.expected), (&open, None)] });
        running.counts.warmed = 0;
        let says = "catalog/hot (1 of 2): 0% (0 of ~600,000 keys), waiting for the cache, 5 s\n";
        assert_eq!(running.line(&run), says);
    }
}
