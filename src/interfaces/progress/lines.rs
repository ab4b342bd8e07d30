//! A line when a strategy ends, and at intervals while it runs.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::words::{limited, news, wrong};
use crate::application::pace::PaceNow;
use crate::application::run_state::event::{Event, Reporter};
use crate::domain::counts::Counts;
use crate::domain::report::StrategyReport;
use crate::domain::strategy::StrategyId;
use crate::domain::sync::lock;
use crate::domain::wording::{grouped, keys, seconds};
use crate::interfaces::output::sentences;
use crate::interfaces::report::words::expectation;

/// Interval between two lines of a strategy.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Prints a line when a strategy ends, and every [`LINE_EVERY`] while it runs, even without
/// progress.
pub(super) struct Lines {
    /// The running strategy.
    state: Arc<Mutex<Option<Running>>>,
    ticker: tokio::task::JoinHandle<()>,
}

struct Running {
    id: StrategyId,
    counts: Counts,
    pace: PaceNow,
    since: Instant,
}

impl Lines {
    pub(super) fn new() -> Self {
        let state: Arc<Mutex<Option<Running>>> = Arc::default();
        let shared = Arc::clone(&state);
        let ticker = tokio::spawn(async move {
            let mut every = tokio::time::interval(LINE_EVERY);
            every.tick().await;
            loop {
                every.tick().await;
                if let Some(Running {
                    id,
                    counts,
                    pace,
                    since,
                }) = &*lock(&shared)
                {
                    let line = progress_line(counts, since.elapsed());
                    let limited = limited(pace).map_or_else(String::new, |by| format!(", {by}"));
                    sentences(&format!("{id}: {line}{limited}\n"));
                }
            }
        });
        Self { state, ticker }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.ticker.abort();
    }
}

fn progress_line(counts: &Counts, elapsed: Duration) -> String {
    let counts = Counts { elapsed, ..*counts };
    let line = format!(
        "{} in {}, {} keys/s",
        keys(counts.total()),
        seconds(elapsed),
        grouped(counts.keys_per_second() as u64)
    );
    match wrong(&counts).as_str() {
        "" => line,
        wrong => format!("{line}, {wrong}"),
    }
}

fn end_line(report: &StrategyReport) -> String {
    let line = progress_line(&report.stats, report.stats.elapsed);
    let (id, status) = (&report.id, report.status.stage().name());
    match report.expected().filter(|_| report.is_unfinished()) {
        None => format!("{id}: {status}, {line}\n"),
        whole => format!("{id}: {status}, {line}, {} expected\n", expectation(whole)),
    }
}

impl Reporter for Lines {
    fn report(&self, event: &Event<'_>) {
        match event {
            Event::StrategyStarted { id, .. } => {
                *lock(&self.state) = Some(Running {
                    id: (*id).clone(),
                    counts: Counts::default(),
                    pace: PaceNow::default(),
                    since: Instant::now(),
                });
            }
            Event::Progress { stats, pace, .. } => {
                if let Some(running) = &mut *lock(&self.state) {
                    running.counts = *stats;
                    running.pace.clone_from(pace);
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
