//! Run settings of commands that only read, and of workers.

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::application::settings::{READING, RunSettings, WORKING};

/// The [`RunSettings`] that concern reading, as arguments.
pub type ReadingArgs = SomeArgs<false>;

/// Those of a worker: what is written is the run's choice.
pub type WorkingArgs = SomeArgs<true>;

/// Some of the [`RunSettings`], as arguments.
#[derive(Clone, Debug)]
pub struct SomeArgs<const OF_WORKERS: bool>;

impl<const OF_WORKERS: bool> Args for SomeArgs<OF_WORKERS> {
    fn augment_args(command: Command) -> Command {
        let all = RunSettings::augment_args(Command::new("all"));
        let wanted = if OF_WORKERS { &WORKING[..] } else { &READING[..] };
        let is_wanted = |arg: &&clap::Arg| wanted.contains(&arg.get_id().as_str());
        command.args(all.get_arguments().filter(is_wanted).cloned())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const OF_WORKERS: bool> FromArgMatches for SomeArgs<OF_WORKERS> {
    fn from_arg_matches(_: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self)
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), clap::Error> {
        Ok(())
    }
}
