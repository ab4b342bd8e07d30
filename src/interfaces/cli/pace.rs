//! The pace of what runs, by signals.

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::application::pace::Change;
use crate::domain::failure::{Failure, FailureKind};

/// SIGUSR1 halves the pace and SIGUSR2 doubles it, until what this returns is dropped.
pub(super) fn obey(change: impl Fn(Change) + Send + 'static) -> Result<JoinSet<()>, Failure> {
    let hear = |kind| {
        signal(kind).map_err(|error| {
            let what = "cannot hear SIGUSR1 and SIGUSR2";
            Failure::new(FailureKind::Internal, what, error.to_string())
        })
    };
    let mut halve = hear(SignalKind::user_defined1())?;
    let mut double = hear(SignalKind::user_defined2())?;
    let mut listening = JoinSet::new();
    listening.spawn(async move {
        loop {
            let heard = tokio::select! {
                Some(()) = halve.recv() => Change::Halve,
                Some(()) = double.recv() => Change::Double,
                else => return,
            };
            change(heard);
        }
    });
    Ok(listening)
}
