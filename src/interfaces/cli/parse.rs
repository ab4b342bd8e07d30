//! Parses the command line.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use clap::builder::{Resettable, StyledStr};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _};

use super::command::Cli;
use super::help::{self, with_examples};
use crate::config::defaults;
use crate::domain::redaction;
use crate::interfaces::exit::Exit;
use crate::interfaces::output::{self, note};

/// The whole command line.
pub fn command() -> clap::Command {
    complete(Cli::command(), "", &defaults())
}

/// Applies to every command and argument: its examples, default and variable in help, and an empty variable
/// counts as not set, since CI systems set missing secrets to nothing.
fn complete(
    command: clap::Command,
    path: &str,
    defaults: &BTreeMap<String, String>,
) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|v| v.is_empty());
    with_examples(command, path)
        // `help` may be a context's name: only `shopwarm help COMMAND`.
        .disable_help_subcommand(!path.is_empty())
        .mut_args(|arg| {
            let arg = described(arg, defaults);
            match arg.get_env() {
                Some(name) if is_empty(name) => arg.env(Resettable::Reset),
                _ => arg,
            }
        })
        .mut_subcommands(|command| {
            let path = format!("{path} {}", command.get_name());
            complete(command, path.trim(), defaults)
        })
}

/// Adds a setting's default to its help, unless the help states one, and its variable to the long help.
fn described(arg: clap::Arg, defaults: &BTreeMap<String, String>) -> clap::Arg {
    let Some(variable) = arg.get_env().and_then(OsStr::to_str).map(str::to_owned) else {
        return arg;
    };
    let text = |help: Option<&StyledStr>| help.map(ToString::to_string).unwrap_or_default();
    let (mut help, mut long) = (text(arg.get_help()), text(arg.get_long_help()));
    if long.is_empty() {
        long.clone_from(&help);
    }
    if let Some(default) = defaults.get(&variable)
        && arg.get_action().takes_values()
        && !long.contains("[default:")
    {
        let default = format!(" [default: {default}]");
        help += &default;
        long += &default;
    }
    long += &format!(" [env: {variable}]");
    arg.hide_env(true).help(help).long_help(long)
}

/// Flags that have no effect without another. Their variables may be set for all commands, so
/// clap's `requires`, which covers variables too, does not fit.
const NEEDS: [(&str, &str); 2] = [("yes", "prune"), ("verify_sample", "verify")];

fn check_needs(matches: ArgMatches) -> Result<ArgMatches, clap::Error> {
    let leaf = leaf(&matches);
    let source = |name: &str| leaf.ids().any(|id| id == name).then(|| leaf.value_source(name))?;
    for (name, other) in NEEDS {
        let given = source(name) == Some(ValueSource::CommandLine);
        if given && source(other).is_none_or(|source| source == ValueSource::DefaultValue) {
            let [name, other] = [name, other].map(|name| name.replace('_', "-"));
            let text = format!("--{name} has an effect only with --{other}; add it");
            return Err(command().error(ErrorKind::MissingRequiredArgument, text));
        }
    }
    Ok(matches)
}

/// Parses the command line; `Err`: an error or help was printed.
pub fn parse() -> Result<ArgMatches, Exit> {
    if std::env::args_os().len() == 1 {
        note(&help::start(output::stderr_width()));
        return Err(Exit::Usage);
    }
    command().try_get_matches().and_then(check_needs).map_err(|error| {
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
        let (error, hint) = without_dangerous_tips(error);
        let text = format!("{}{hint}", error.render().ansi());
        // All commands call it a hint.
        let text = text.replace("tip:", "hint:");
        let text = redaction::text(&text);
        note(&output::notes(&text, output::stderr_width()));
        Exit::Usage
    })
}

/// A misspelt flag is never corrected to one that deletes. With a hint that clap does not have.
fn without_dangerous_tips(mut error: clap::Error) -> (clap::Error, String) {
    let said = |error: &clap::Error, kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    if ["--prune", "--yes"].contains(&said(&error, ContextKind::SuggestedArg).as_str()) {
        error.remove(ContextKind::SuggestedArg);
    }
    let hint = match said(&error, ContextKind::InvalidArg).as_str() {
        "--dry-run" | "--dryrun" => {
            "  hint: `shopwarm dry-run` shows what a run would do\n".to_owned()
        }
        share if share.ends_with('%') => format!("  hint: write --verify={share}\n"),
        _ => String::new(),
    };
    (error, hint)
}

/// The matches of the innermost subcommand; they include global flags.
pub(super) fn leaf(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| leaf(inner))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_flag_without_effect_is_refused() {
        let parse = |line: &str| {
            let words = line.split(' ');
            super::command().try_get_matches_from(words).and_then(super::check_needs)
        };
        for (line, needs) in [
            ("shopwarm warmup all --yes", "--prune"),
            ("shopwarm warmup context a --verify-sample 5", "--verify;"),
        ] {
            let error = parse(line).expect_err(line).to_string();
            assert!(error.contains(needs), "{error}");
        }
        for line in [
            "shopwarm warmup all --yes --prune",
            "shopwarm warmup all --verify-sample 5 --verify",
            "shopwarm warmup all",
            "shopwarm runs",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
