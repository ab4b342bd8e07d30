//! Parses the command line.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use clap::builder::Resettable;
use clap::{ArgMatches, CommandFactory as _};

use super::command::Cli;
use crate::config::defaults;
use crate::domain::redaction;
use crate::interfaces::exit::Exit;
use crate::interfaces::output::{self, note};

/// The whole command line.
pub fn command() -> clap::Command {
    complete(Cli::command(), &defaults())
}

/// Applies to every argument: an empty variable counts as not set, since CI systems set missing
/// secrets to nothing.
fn complete(command: clap::Command, defaults: &BTreeMap<String, String>) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|v| v.is_empty());
    command
        .mut_args(|arg| {
            let arg = with_default(arg.hide_env_values(true), defaults);
            match arg.get_env() {
                Some(name) if is_empty(name) => arg.env(Resettable::Reset),
                _ => arg,
            }
        })
        .mut_subcommands(|command| complete(command, defaults))
}

/// Adds a setting's default to its help, unless the help states one.
fn with_default(arg: clap::Arg, defaults: &BTreeMap<String, String>) -> clap::Arg {
    let variable = arg.get_env().and_then(OsStr::to_str).unwrap_or_default();
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    match defaults.get(variable) {
        Some(default) if arg.get_action().takes_values() && !help.contains("[default:") => {
            let default = format!("{help} [default: {default}]");
            arg.help(default)
        }
        _ => arg,
    }
}

/// Parses the command line; `Err`: an error or help was printed.
pub fn parse() -> Result<ArgMatches, Exit> {
    command().try_get_matches().map_err(|error| {
        if !error.use_stderr() {
            output::note_loss(error.print());
            return match output::delivered() {
                Ok(()) => Exit::Success,
                Err(failure) => {
                    note(&format!("error: {failure}\n"));
                    Exit::from(&failure)
                }
            };
        }
        // clap's message quotes the argument, which may be a misplaced URL.
        note(&redaction::text(&error.render().ansi().to_string()));
        Exit::Usage
    })
}

/// The matches of the innermost subcommand; they include global flags.
pub(super) fn leaf(matches: &ArgMatches) -> &ArgMatches {
    matches
        .subcommand()
        .map_or(matches, |(_, inner)| leaf(inner))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
