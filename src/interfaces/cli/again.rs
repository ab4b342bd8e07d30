//! The flags of the command line, for the command to run next.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::parse::command;
use crate::application::settings::READING;
use crate::domain::redaction;
use crate::domain::run::Flags;
use crate::domain::wording::quoted;

/// The flags that change what is done, as they were given, without values that may hold a secret: those
/// of variables, and URLs that are not shown as they are.
pub(super) fn flags(matches: &ArgMatches) -> Flags {
    let mut whole = command();
    whole.build();
    let (command, matches) = innermost(&whole, matches);
    let mut flags = Flags::default();
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        let is_of_output = arg.get_help_heading() == Some("Output");
        let is_given = || matches.value_source(id) == Some(ValueSource::CommandLine);
        let Some(long) = arg.get_long() else { continue };
        if is_of_output || id.contains("_url_") || !is_given() {
            continue;
        }
        let to = match id {
            _ if arg.is_global_set() => &mut flags.everywhere,
            "expiring_within" => &mut flags.reading,
            _ if READING.contains(&id) => &mut flags.reading,
            _ => &mut flags.own,
        };
        if !arg.get_action().takes_values() {
            *to += &format!(" --{long}");
            continue;
        }
        let gap = if arg.is_require_equals_set() { '=' } else { ' ' };
        for value in matches.get_raw(id).into_iter().flatten() {
            let value = value.to_string_lossy();
            if id == "demo" && value == "shop" {
                *to += " --demo";
                continue;
            }
            let value = match value.split_once('=') {
                _ if id.ends_with("_url") && redaction::url(&value) != value => "…".to_owned(),
                Some((name, _)) if id == "vars" => format!("{name}=…"),
                _ => value.into_owned(),
            };
            *to += &format!(" --{long}{gap}{}", quoted(&value));
        }
    }
    flags
}

/// The innermost subcommand, and what was given to it.
fn innermost<'a>(command: &'a Command, matches: &'a ArgMatches) -> (&'a Command, &'a ArgMatches) {
    let inner = matches.subcommand();
    match inner.and_then(|(name, inner)| Some((command.find_subcommand(name)?, inner))) {
        Some((command, matches)) => innermost(command, matches),
        None => (command, matches),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_the_run_is_repeated() {
        let of = |line: &str| flags(&command().get_matches_from(line.split(' ')));
        let flags =
            of("shopwarm --contexts bad --redis-url redis://u:secret@h warmup all --tag a,b \
             --exclude catalog/* --var pin=1234 --verify=99% --strict -q -o json --prefix p:");
        assert_eq!(flags.everywhere, " --cache-url … --prefix p: --contexts bad");
        let reading = " --tag a --tag b --exclude 'catalog/*' --var pin=… --strict";
        assert_eq!((flags.reading.as_str(), flags.own.as_str()), (reading, " --verify=99%"));
        let urls = "shopwarm --database-url postgres://h/db --cache-url redis://token@h warmup all";
        let shown = " --database-url postgres://h/db --cache-url …";
        assert_eq!(of(urls).everywhere, shown);
        assert_eq!(of("shopwarm verify --seed 1 --sample 5 a").own, " --sample 5 --seed 1");
    }
}
