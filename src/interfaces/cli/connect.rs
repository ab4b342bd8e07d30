//! Waiting for servers, and the deadline.

use crate::application::run_state::stop::StopSignal;
use crate::config::Config;
use crate::domain::failure::Failure;
use crate::domain::report::Stop;
use crate::domain::wording::exactly;
use crate::interfaces::exit::Exit;
use crate::interfaces::output::{Output, note};

/// Reports what the command waits for.
pub(super) fn waiting(config: &Config, output: &Output) -> impl FnMut(&Failure) {
    let wait = exactly(config.run.wait().unwrap_or_default());
    move |why| output.note(&format!("waiting up to {wait}: {why}"))
}

pub(super) fn stopped_before(stop: &StopSignal) -> Exit {
    let reason = stop.reason().unwrap_or(Stop::Interrupted);
    let why = match reason {
        Stop::Deadline => "the deadline passed",
        _ => "stopped",
    };
    note(&format!("! {why} before the servers answered\n"));
    reason.into()
}

/// Stops the run at the deadline.
pub(super) fn deadline(config: &Config, stop: &StopSignal) {
    if let Some(deadline) = config.run.deadline() {
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(deadline).await;
            stop.stop(Stop::Deadline);
        });
    }
}
