//! Connections of a command, for as long as it may wait and run.

use crate::application::engine::coordinator::Coordinator;
use crate::application::engine::inspect::Inspection;
use crate::application::selection::Selection;
use crate::application::stop::StopSignal;
use crate::config::Config;
use crate::domain::failure::Failure;
use crate::domain::report::Stop;
use crate::interfaces::exit::Exit;
use crate::interfaces::output::{Output, note};
use crate::setup::{self, CacheNeed};

/// Connects for a look; `Err` inside: how the command ends that was stopped before.
pub(super) async fn connect(
    config: &Config,
    selection: &Selection,
    look: Inspection,
    need: CacheNeed,
    output: &Output,
    stop: &StopSignal,
) -> Result<Result<Coordinator, Exit>, Failure> {
    deadline(config, stop);
    let viewer = || setup::viewer(config, selection, look.clone(), need);
    tokio::select! {
        viewer = setup::patiently(config.wait, waiting(config, output), viewer) => viewer.map(Ok),
        () = stop.stopped() => Ok(Err(stopped_before(stop))),
    }
}

/// Says what is waited for.
pub(super) fn waiting(config: &Config, output: &Output) -> impl FnMut(&Failure) {
    let wait = humantime::format_duration(config.wait.unwrap_or_default()).to_string();
    move |why| output.note(&format!("waiting up to {wait}: {why}"))
}

pub(super) fn stopped_before(stop: &StopSignal) -> Exit {
    let reason = stop.reason().unwrap_or(Stop::Interrupted);
    let why = match reason {
        Stop::Deadline => "the deadline was hit",
        _ => "it was stopped",
    };
    note(&format!(
        "! {why} before anything was looked at: no answer from the servers yet\n"
    ));
    reason.into()
}

/// Ends the run when its time is over.
pub(super) fn deadline(config: &Config, stop: &StopSignal) {
    if let Some(deadline) = config.deadline {
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(deadline).await;
            stop.stop(Stop::Deadline);
        });
    }
}
