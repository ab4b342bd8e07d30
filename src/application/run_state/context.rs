//! What every part of a run sees.

use std::time::{Instant, SystemTime};

use super::plan::RunPlan;
use crate::application::run_state::event::{Event, Reporter};
use crate::application::run_state::stop::StopSignal;
use crate::domain::run::RunInfo;

/// What every part of a run may use, and nothing changes.
#[derive(Clone, Copy)]
pub struct RunContext<'a> {
    pub plan: &'a RunPlan,
    /// Of a run that has a name.
    pub info: Option<&'a RunInfo>,
    pub reporter: &'a dyn Reporter,
    pub stop: &'a StopSignal,
    pub started: Instant,
    /// When it began, in seconds since 1970.
    pub began: i64,
}

impl<'a> RunContext<'a> {
    pub fn new(
        plan: &'a RunPlan,
        info: Option<&'a RunInfo>,
        reporter: &'a dyn Reporter,
        stop: &'a StopSignal,
    ) -> Self {
        let (started, began) = (Instant::now(), now());
        Self { plan, info, reporter, stop, started, began }
    }

    pub fn report(&self, event: &Event<'_>) {
        self.reporter.report(event);
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.reason().is_some()
    }

    /// The result of `work`; `None` if the run is stopped first.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.stop.stopped() => None,
        }
    }
}

/// Seconds since 1970, by our own clock.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0))
}
