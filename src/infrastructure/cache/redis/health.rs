//! Health of a server.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::domain::failure::Failure;
use crate::domain::sync::lock;

/// Min timeout for an answer.
const MIN_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Health {
    /// How long the server may be silent before it is given up.
    pub give_up_after: Duration,
    state: Mutex<State>,
}

/// Shared by all connections.
#[derive(Default)]
struct State {
    /// When the first command since the last useful answer was sent.
    silent_since: Option<Instant>,
    /// Why it was given up; later commands fail at once.
    gone: Option<Failure>,
}

impl Health {
    pub(super) fn new(give_up_after: Duration) -> Self {
        Self { give_up_after, state: Mutex::default() }
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

    /// Records that a command got no useful answer. Returns the failure if the server has been
    /// silent for too long.
    pub(super) fn silent(&self, asked: Instant, why: impl FnOnce() -> Failure) -> Option<Failure> {
        let mut state = lock(&self.state);
        let since = *state.silent_since.get_or_insert(asked);
        if since.elapsed() >= self.give_up_after {
            state.gone.get_or_insert_with(why);
        }
        state.gone.clone()
    }

    /// The remaining timeout: a server that has been silent for a while does not get the full time
    /// again.
    pub(super) fn time_left(&self, longest: Duration) -> Duration {
        let since = lock(&self.state).silent_since;
        let left = since.map(|since| self.give_up_after.saturating_sub(since.elapsed()));
        left.map_or(longest, |left| left.clamp(MIN_TIMEOUT, longest))
    }
}
