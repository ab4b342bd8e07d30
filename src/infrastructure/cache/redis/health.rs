//! Health of a server.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::wait::Patience;
use crate::domain::failure::Failure;
use crate::domain::sync::lock;

/// Min timeout for an answer.
const MIN_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Health {
    pub patience: Patience,
    state: Mutex<State>,
}

/// Shared by all connections.
#[derive(Default)]
struct State {
    /// When the first command since the last useful answer was sent.
    silent_since: Option<Instant>,
    /// It was a primary, and has been a replica since.
    has_failed_over: bool,
    /// Why it was given up; later commands fail at once.
    gone: Option<Failure>,
}

impl Health {
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, state: Mutex::default() }
    }

    /// Whether no answer is overdue.
    pub(super) fn is_well(&self) -> bool {
        let state = lock(&self.state);
        state.silent_since.is_none() && state.gone.is_none()
    }

    /// Why the server was given up.
    pub(super) fn gone(&self) -> Option<Failure> {
        lock(&self.state).gone.clone()
    }

    pub(super) fn give_up(&self, failure: &Failure) {
        let mut state = lock(&self.state);
        state.gone.get_or_insert_with(|| failure.clone());
    }

    /// Records a useful answer.
    pub(super) fn answered(&self) {
        lock(&self.state).silent_since = None;
    }

    /// Records that it has become a replica.
    pub(super) fn note_failover(&self) {
        lock(&self.state).has_failed_over = true;
    }

    pub(super) fn has_failed_over(&self) -> bool {
        lock(&self.state).has_failed_over
    }

    /// How long the server may give no useful answer before it is given up.
    pub(super) fn give_up_after(&self) -> Duration {
        self.longest(&lock(&self.state))
    }

    fn longest(&self, state: &State) -> Duration {
        match state.has_failed_over {
            true => self.patience.failover.max(self.patience.silent),
            false => self.patience.silent,
        }
    }

    /// Records that a command got no useful answer. Returns the failure if the server has been
    /// silent for too long.
    pub(super) fn silent(&self, asked: Instant, why: impl FnOnce() -> Failure) -> Option<Failure> {
        let mut state = lock(&self.state);
        let since = *state.silent_since.get_or_insert(asked);
        if since.elapsed() >= self.longest(&state) {
            state.gone.get_or_insert_with(why);
        }
        state.gone.clone()
    }

    /// The remaining timeout: a server that has been silent for a while does not get the full time
    /// again.
    pub(super) fn time_left(&self, longest: Duration) -> Duration {
        let state = lock(&self.state);
        let left =
            state.silent_since.map(|since| self.longest(&state).saturating_sub(since.elapsed()));
        left.map_or(longest, |left| left.clamp(MIN_TIMEOUT, longest))
    }
}
