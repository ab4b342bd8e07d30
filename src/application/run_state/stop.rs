//! Asking a run to stop.

use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::report::Stop;

/// Shared by a run and whatever may stop it (signals, deadline). The first reason counts.
#[derive(Clone, Debug)]
pub struct StopSignal(Arc<watch::Sender<Option<Stop>>>);

impl Default for StopSignal {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl StopSignal {
    pub fn stop(&self, why: Stop) {
        self.0.send_if_modified(|reason| {
            let first = reason.is_none();
            reason.get_or_insert(why);
            first
        });
    }

    pub fn reason(&self) -> Option<Stop> {
        *self.0.borrow()
    }

    /// Waits until someone asks for a stop.
    pub async fn stopped(&self) {
        // The sender lives in `self`, so waiting can only end with a reason.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }
}
