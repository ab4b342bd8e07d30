//! Whether a server answers.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::domain::failure::Failure;
use crate::domain::sync::lock;

/// Nobody waits less than this for an answer.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

pub(super) struct Health {
    /// How long the server may answer nothing before it is given up.
    pub patience: Duration,
    state: Mutex<State>,
}

/// What all connections together know.
#[derive(Default)]
struct State {
    /// When the first command was sent that had no useful answer, if none had one since.
    silent_since: Option<Instant>,
    /// Why it was given up; what is still to be sent need not wait for it again.
    gone: Option<Failure>,
}

impl Health {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            state: Mutex::default(),
        }
    }

    /// Whether it has answered all that it was asked.
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

    /// It has answered something useful.
    pub(super) fn answered(&self) {
        lock(&self.state).silent_since = None;
    }

    /// What was sent at `asked` has no useful answer. Returns the failure that ends the run when
    /// there has been none for too long.
    pub(super) fn silent(&self, asked: Instant, why: impl FnOnce() -> Failure) -> Option<Failure> {
        let mut state = lock(&self.state);
        let since = *state.silent_since.get_or_insert(asked);
        if since.elapsed() >= self.patience {
            state.gone.get_or_insert_with(why);
        }
        state.gone.clone()
    }

    /// How long an answer, or a connection, is still worth waiting for: a server that has been silent
    /// for a while is not given the whole time once more.
    pub(super) fn time_left(&self, longest: Duration) -> Duration {
        let since = lock(&self.state).silent_since;
        let left = since.map(|since| self.patience.saturating_sub(since.elapsed()));
        left.map_or(longest, |left| left.clamp(SHORTEST_WAIT, longest))
    }
}
