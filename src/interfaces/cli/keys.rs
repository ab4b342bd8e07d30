//! `shopwarm keys`: which keys a run would warm, and everything about one.

mod get;
mod list;

use clap::Subcommand;

use crate::application::run_state::stop::StopSignal;
use crate::config::Config;
use crate::domain::failure::Failure;
use crate::interfaces::exit::Exit;
use crate::interfaces::output::Output;
use get::GetArgs;
use list::ListArgs;

#[derive(Subcommand, Debug)]
pub(super) enum KeysCommand {
    /// List the keys that a run would warm, in the order of the run
    ///
    /// A pipe gets plain lines, so `shopwarm keys list | shopwarm warmup keys -` works.
    List(ListArgs),
    /// Compare a cached value with the database
    Get(GetArgs),
}

pub(super) async fn run(
    what: &KeysCommand,
    config: &Config,
    output: &Output,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    match what {
        KeysCommand::List(args) => list::list(args, config, output, stop).await,
        KeysCommand::Get(args) => get::run(args, config, output).await,
    }
}
