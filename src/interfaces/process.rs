//! The process: its runtime, its command line, its exit code.

use std::process::ExitCode;

use super::cli;
use super::exit::Exit;
use super::output::note;
use super::signals;
use crate::application::run_state::stop::StopSignal;
use crate::contexts::registry::Registry;

/// Parses the command line, runs it with these coded strategies, and returns the exit code.
pub fn main(registry: Registry) -> ExitCode {
    end_without_threads();
    if cli::complete(&registry) {
        return ExitCode::SUCCESS;
    }
    let matches = match cli::parse() {
        Ok(matches) => matches,
        Err(exit) => return exit.into(),
    };
    run(&matches, &registry).map_or_else(
        |error| {
            note(&format!("error: {error:#}\n"));
            Exit::Internal.into()
        },
        ExitCode::from,
    )
}

/// If a thread cannot be started, the runtime panics and then hangs. Print the error and exit
/// instead.
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
            note(&format!("error: cannot start a thread: {said}\n"));
            note("hint: raise the limit on processes: ulimit -u, or the container's\n");
            #[expect(clippy::exit, reason = "nothing can be waited for any more")]
            std::process::exit(i32::from(Exit::Internal as u8));
        }
        usual(panic);
    }));
}

fn run(matches: &clap::ArgMatches, registry: &Registry) -> anyhow::Result<Exit> {
    // rustls has no default crypto provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let exit = runtime.block_on(async {
        let stop = StopSignal::default();
        let is_server = matches.subcommand_name() == Some("serve");
        // First, so that no signal is missed.
        signals::end(&stop, is_server)?;
        cli::run(matches, registry, stop).await
    });
    // Do not wait for threads that read stdin or SQLite.
    runtime.shutdown_background();
    exit
}
