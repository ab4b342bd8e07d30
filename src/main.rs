//! Parse, run, exit code: the only place where the process ends.

use std::process::ExitCode;

use shopwarm::application::stop::StopSignal;
use shopwarm::domain::report::Stop;
use shopwarm::interfaces::cli;
use shopwarm::interfaces::exit::Exit;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let matches = cli::command().get_matches();
    match run(&matches) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            Exit::Internal.into()
        }
    }
}

fn run(matches: &clap::ArgMatches) -> anyhow::Result<Exit> {
    // The TLS library has no default of its own among its cryptographic back ends.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let exit = runtime.block_on(async {
        let stop = StopSignal::default();
        for (kind, why) in [
            (SignalKind::interrupt(), Stop::Interrupted),
            (SignalKind::terminate(), Stop::Terminated),
        ] {
            tokio::spawn(listen(kind, why, stop.clone()));
        }
        cli::run(matches, stop).await
    });
    // A reader of stdin or a worker of SQLite's may be waiting; nothing of theirs is of use now.
    runtime.shutdown_background();
    exit
}

/// The first signal asks for a clean stop, the second ends the process at once.
async fn listen(kind: SignalKind, why: Stop, stop: StopSignal) {
    let Ok(mut signals) = signal(kind) else {
        return;
    };
    while signals.recv().await.is_some() {
        if stop.reason().is_some() {
            std::process::exit(i32::from(Exit::from(why) as u8));
        }
        stop.stop(why);
    }
}
