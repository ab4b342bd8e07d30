//! Parse, run, exit code: the only place where the process ends.

// The whole program is one future, and the compiler lays out the futures in it one in another.
#![recursion_limit = "256"]

use std::process::ExitCode;

use shopwarm::application::stop::StopSignal;
use shopwarm::domain::report::Stop;
use shopwarm::interfaces::cli;
use shopwarm::interfaces::exit::Exit;
use tokio::signal::unix::{Signal, SignalKind, signal};

fn main() -> ExitCode {
    end_without_threads();
    let matches = match cli::parse() {
        Ok(matches) => matches,
        Err(exit) => return exit.into(),
    };
    match run(&matches) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            Exit::Internal.into()
        }
    }
}

/// Where the system gives no thread, the runtime panics and then waits for threads that are not
/// there. The process says so and ends instead.
fn end_without_threads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let said = payload.downcast_ref::<String>().map(String::as_str);
        let said = said.or(payload.downcast_ref::<&str>().copied());
        let no_thread = |said: &&str| {
            said.contains("can't spawn worker thread") || said.contains("failed to spawn thread")
        };
        if let Some(said) = said.filter(no_thread) {
            eprintln!("error: no thread can be made: {said}");
            eprintln!("hint: raise the limit on processes: ulimit -u, or the container's");
            std::process::exit(i32::from(Exit::Internal as u8));
        }
        usual(panic);
    }));
}

fn run(matches: &clap::ArgMatches) -> anyhow::Result<Exit> {
    // The TLS library has no default of its own among its cryptographic back ends.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let exit = runtime.block_on(async {
        let stop = StopSignal::default();
        // Before anything else happens, so that no signal comes too early.
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        // Once heard they never end the process: a run may not have begun, or be over already.
        for pace in [SignalKind::user_defined1(), SignalKind::user_defined2()] {
            drop(signal(pace)?);
        }
        let hangup = hangup(matches)?;
        tokio::spawn(listen(interrupt, terminate, hangup, stop.clone()));
        cli::run(matches, stop).await
    });
    // A reader of stdin or a worker of SQLite's may be waiting; nothing of theirs is of use now.
    runtime.shutdown_background();
    exit
}

/// A terminal that is closed ends what runs in it: cleanly, so that the lock is given back. A server
/// reads its files again instead, and under nohup nothing ends.
fn hangup(matches: &clap::ArgMatches) -> std::io::Result<Option<Signal>> {
    let is_server = matches.subcommand_name() == Some("serve");
    match is_server || ignores_hangup() {
        true => Ok(None),
        false => signal(SignalKind::hangup()).map(Some),
    }
}

/// Whether whoever started this process wants it to go on without a terminal.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let bit = 1 << (SignalKind::hangup().as_raw_value() - 1);
    mask.is_some_and(|mask| mask & bit != 0)
}

/// The first signal asks for a clean stop, the second ends the process at once.
async fn listen(
    mut interrupt: Signal,
    mut terminate: Signal,
    mut hangup: Option<Signal>,
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
            Some(()) = hung_up => Stop::Terminated,
            else => return,
        };
        if asked {
            std::process::exit(i32::from(Exit::from(why) as u8));
        }
        asked = true;
        stop.stop(why);
    }
}
