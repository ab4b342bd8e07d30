//! `shopwarm worker`.

use std::time::Duration;

use clap::Args;

use super::connect::{stopped_before, waiting};
use crate::application::run_state::stop::StopSignal;
use crate::config::{Config, WorkingArgs};
use crate::domain::failure::Failure;
use crate::domain::settings_text::parse_ttl;
use crate::interfaces::exit::Exit;
use crate::interfaces::output::Output;
use crate::setup;

#[derive(Args, Debug)]
pub(super) struct WorkerArgs {
    #[command(flatten)]
    run: WorkingArgs,
    /// Exit after this long without a run that has portions
    #[arg(long, value_name = "DURATION", env = "SHOPWARM_IDLE_EXIT", value_parser = parse_ttl)]
    idle_exit: Option<Duration>,
}

pub(super) async fn run(
    args: &WorkerArgs,
    config: &Config,
    output: &Output,
    stop: &StopSignal,
) -> Result<Exit, Failure> {
    let connect = || setup::worker(config);
    let waiting = waiting(config, output);
    let worker = tokio::select! {
        worker = setup::with_retries(config.run.wait(), waiting, connect) => worker?,
        () = stop.stopped() => return Ok(stopped_before(stop)),
    };
    worker.work(args.idle_exit, stop).await?;
    tracing::info!("ended");
    Ok(Exit::Success)
}
