//! Run settings of commands that only read.

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::application::settings::{READING, RunSettings};

/// The [`RunSettings`] that concern reading, as arguments.
#[derive(Clone, Debug)]
pub struct ReadingArgs;

impl Args for ReadingArgs {
    fn augment_args(command: Command) -> Command {
        let all = RunSettings::augment_args(Command::new("all"));
        let is_reading = |arg: &&clap::Arg| READING.contains(&arg.get_id().as_str());
        command.args(all.get_arguments().filter(is_reading).cloned())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ReadingArgs {
    fn from_arg_matches(_: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self)
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), clap::Error> {
        Ok(())
    }
}
