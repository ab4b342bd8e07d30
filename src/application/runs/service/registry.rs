//! The runs of this process: those that go on, and the last ones that ended.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::timeout;

use crate::application::runs::live::LiveRun;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::Stop;
use crate::domain::sync::lock;

/// Ended runs that can still be watched without asking the cache.
const MAX_ENDED: usize = 50;

/// Runs of this process at once, those that look or wait among them: each has connections of its
/// own to the database and the cache.
const MAX_RUNS: usize = 16;

/// A stopped run ends within this: what is in flight, and its record.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Default)]
pub struct ActiveRuns(Mutex<Runs>);

#[derive(Default)]
struct Runs {
    active: Vec<Arc<LiveRun>>,
    ended: VecDeque<Arc<LiveRun>>,
    draining: bool,
}

impl ActiveRuns {
    /// Adds a run to those that go on.
    pub(super) fn add(&self, run: &Arc<LiveRun>) -> Result<(), Failure> {
        let mut runs = lock(&self.0);
        if runs.draining {
            let why = "this server is shutting down and takes no more runs";
            let failure = Failure::new(FailureKind::Busy, "no run can start", why);
            return Err(failure.hint("use another server, or try again in a moment"));
        }
        if runs.active.len() >= MAX_RUNS {
            let why = format!("this server already has {MAX_RUNS} active or waiting runs");
            let failure = Failure::new(FailureKind::Busy, "no run can start", why);
            return Err(failure.hint("try again when one has ended, or stop one"));
        }
        runs.active.push(Arc::clone(run));
        Ok(())
    }

    /// One that did not begin is forgotten.
    pub(super) fn end(&self, run: Arc<LiveRun>) {
        let mut runs = lock(&self.0);
        runs.active.retain(|active| active.info.id != run.info.id);
        if run.ended().is_some_and(|end| end.is_ok()) {
            runs.ended.push_front(run);
            runs.ended.truncate(MAX_ENDED);
        }
    }

    /// The runs that go on at this moment, newest first.
    pub fn active(&self) -> Vec<Arc<LiveRun>> {
        lock(&self.0).active.iter().rev().cloned().collect()
    }

    /// A run of this process, going on or ended not long ago.
    pub fn find(&self, id: &str) -> Option<Arc<LiveRun>> {
        let runs = lock(&self.0);
        let mut all = runs.active.iter().chain(&runs.ended);
        all.find(|run| run.info.id == id).cloned()
    }

    pub fn is_draining(&self) -> bool {
        lock(&self.0).draining
    }

    /// Takes no more runs, lets those that go on finish within `grace`, and stops the rest. Whether
    /// all could finish; one that still waits for another need not begin.
    pub async fn drain(&self, grace: Duration) -> bool {
        lock(&self.0).draining = true;
        let active = self.active();
        for run in active.iter().filter(|run| !run.has_begun()) {
            run.stop.stop(Stop::Terminated);
        }
        if timeout(grace, all_ended(&active)).await.is_ok() {
            return true;
        }
        for run in &active {
            run.stop.stop(Stop::Terminated);
        }
        let _ = timeout(STOP_TIMEOUT, all_ended(&active)).await;
        false
    }
}

async fn all_ended(runs: &[Arc<LiveRun>]) {
    for run in runs {
        let _ = run.end().await;
    }
}
