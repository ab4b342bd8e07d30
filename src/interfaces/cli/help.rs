//! What help shows besides options: where to begin, examples, exit codes.

use clap::builder::{StyledStr, Styles};
use clap::{Arg, ArgAction, Command};

use crate::interfaces::output::wrap;

const EXAMPLES: &str = include_str!("examples.txt");

/// What `shopwarm` alone prints.
const START: &str = include_str!("start.txt");

/// Columns of the intents at the left of [`START`], and of the names of commands beside them.
const INTENT: usize = 9;
const NAME: usize = 12;

/// What `shopwarm` alone prints, for a terminal of this width.
pub(super) fn start(width: Option<usize>) -> String {
    let width = width.unwrap_or(usize::MAX);
    let mut text = String::new();
    for line in START.lines() {
        let is_blank = |at: usize| line.get(at - 1..at) == Some(" ");
        let column = match (is_blank(INTENT), is_blank(INTENT + NAME)) {
            (true, true) => INTENT + NAME,
            (true, false) => INTENT,
            _ => 0,
        };
        let (names, rest) = line.split_at(column);
        let rest = match line.len() <= width {
            true => rest.to_owned(),
            false => wrap(rest, width.saturating_sub(column).max(NAME))
                .join(&format!("\n{:column$}", "")),
        };
        text += &format!("{names}{rest}\n");
    }
    text
}

pub(super) const EXIT_CODES: &str = include_str!("exit_codes.txt");

/// `-h` and `-V`, listed where the other flags of output are.
pub(super) fn flags() -> [Arg; 2] {
    let flag = |name: &'static str, short, action| {
        let arg = Arg::new(name).long(name).short(short).action(action);
        arg.help_heading("Output")
    };
    let help = "Print help; --help shows every option";
    [
        flag("help", 'h', ArgAction::Help).help(help).global(true),
        flag("version", 'V', ArgAction::Version).help("Print the version"),
    ]
}

/// The examples of a command, which is named without `shopwarm`.
pub(super) fn examples(path: &str) -> &'static str {
    let mut sections = EXAMPLES.split('[').skip(1);
    let of_path = |section: &'static str| section.strip_prefix(path)?.strip_prefix("]\n");
    sections.find_map(of_path).unwrap_or_default().trim_end()
}

/// Adds the examples, and to the long help what else there is to say.
pub(super) fn with_examples(command: Command, path: &str) -> Command {
    let examples = examples(path);
    if examples.is_empty() {
        return command;
    }
    let examples = section("Examples", &format!("  {}", examples.replace('\n', "\n  ")));
    let more = match command.get_after_help() {
        _ if path.is_empty() => section("Exit codes", EXIT_CODES.trim_end()),
        Some(more) => more.to_string(),
        None => String::new(),
    };
    let long = format!("{examples}\n\n{more}").trim_end().to_owned();
    command.after_help(StyledStr::from(examples)).after_long_help(StyledStr::from(long))
}

/// Headed as clap heads its own.
fn section(title: &str, text: &str) -> String {
    let styles = Styles::styled();
    let style = styles.get_header();
    format!("{style}{title}:{style:#}\n{text}")
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::{START, examples};
    use crate::interfaces::cli::parse::command;

    fn visible(command: &Command) -> impl Iterator<Item = &Command> {
        let shown = |inner: &&Command| !inner.is_hide_set() && inner.get_name() != "help";
        command.get_subcommands().filter(shown)
    }

    fn each_has_examples(parent: &Command, path: &str) {
        let found = examples(path);
        assert!((1..=4).contains(&found.lines().count()), "{path}: {found}");
        for line in found.lines() {
            assert!(line.len() <= 78, "{line}");
            let line = line.split("  #").next().unwrap_or_default();
            for call in line.split(" | ").filter(|call| call.starts_with("shop")) {
                let call = call.split(" > ").next().unwrap_or_default();
                let words = call.split_whitespace().map(|word| word.replace('\'', ""));
                let parsed = command().try_get_matches_from(words);
                assert!(parsed.is_ok(), "{call}: {}", parsed.unwrap_err());
            }
        }
        for inner in visible(parent) {
            let path = format!("{path} {}", inner.get_name());
            each_has_examples(inner, path.trim());
        }
    }

    #[test]
    fn every_command_has_examples_that_parse() {
        each_has_examples(&command(), "");
    }

    #[test]
    fn the_start_names_every_command() {
        for inner in visible(&command()) {
            let (name, about) = (inner.get_name(), inner.get_about().unwrap_or_default());
            let mut lines = START.lines().filter_map(|line| line.get(9..));
            let is_line = |line: &str| line == format!("{name:<11} {about}");
            let is_last = ["completions", "man"].contains(&name);
            assert!(is_last || lines.any(is_line), "{name}");
        }
    }
}
