//! Signals that stop the process or change its pace.

use std::io::{self, IsTerminal as _};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use super::exit::Exit;
use crate::application::pace::Change;
use crate::application::run_state::stop::StopSignal;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::Stop;

/// SIGINT, SIGTERM and a closed terminal request a clean stop; a second SIGINT or
/// SIGTERM ends the process at once.
///
/// # Errors
/// The handler cannot be installed.
pub(super) fn end(stop: &StopSignal, is_server: bool) -> io::Result<()> {
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    // Once handled, a signal no longer ends the process, even if no run is active.
    for pace in [SignalKind::user_defined1(), SignalKind::user_defined2()] {
        drop(signal(pace)?);
    }
    let hangup = hangup()?;
    // A server reloads its files at this signal, unless its terminal is gone.
    let had_terminal = io::stdin().is_terminal();
    let ends = move || !is_server || (had_terminal && !io::stdin().is_terminal());
    tokio::spawn(listen(interrupt, terminate, hangup, ends, stop.clone()));
    Ok(())
}

/// When the terminal is closed, stop cleanly so that the lock is released; not under nohup.
fn hangup() -> io::Result<Option<Signal>> {
    if ignores_hangup() { Ok(None) } else { signal(SignalKind::hangup()).map(Some) }
}

/// Whether the process was started with nohup.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let bit = 1 << (SignalKind::hangup().as_raw_value() - 1);
    mask.is_some_and(|mask| mask & bit != 0)
}

async fn listen(
    mut interrupt: Signal,
    mut terminate: Signal,
    mut hangup: Option<Signal>,
    hangup_ends: impl Fn() -> bool,
    stop: StopSignal,
) {
    let mut asked = false;
    loop {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        let why = tokio::select! {
            Some(()) = interrupt.recv() => Stop::Interrupted,
            Some(()) = terminate.recv() => Stop::Terminated,
            Some(()) = hung_up => {
                // The kernel and the shell may both report a closed terminal, so this never counts as a second request.
                if hangup_ends() {
                    stop.stop(Stop::Terminated);
                }
                continue;
            }
            else => return,
        };
        if asked {
            #[expect(clippy::exit, reason = "nothing can be waited for any more")]
            std::process::exit(i32::from(Exit::from(why) as u8));
        }
        asked = true;
        stop.stop(why);
    }
}

/// SIGUSR1 halves the pace and SIGUSR2 doubles it, until the returned guard is dropped.
///
/// # Errors
/// The handler cannot be installed.
pub(super) fn change_pace(
    change: impl Fn(Change) + Send + 'static,
) -> Result<JoinSet<()>, Failure> {
    let handle = |kind| {
        signal(kind).map_err(|error| {
            let what = "cannot handle SIGUSR1 and SIGUSR2";
            Failure::new(FailureKind::Internal, what, error.to_string())
        })
    };
    let mut halve = handle(SignalKind::user_defined1())?;
    let mut double = handle(SignalKind::user_defined2())?;
    let mut listening = JoinSet::new();
    listening.spawn(async move {
        loop {
            let asked = tokio::select! {
                Some(()) = halve.recv() => Change::Halve,
                Some(()) = double.recv() => Change::Double,
                else => return,
            };
            change(asked);
        }
    });
    Ok(listening)
}
