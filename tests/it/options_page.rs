//! `docs/options.md`: every option of every command, as clap has them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, Command};

use shopwarm::application::settings::whole_help;
use shopwarm::interfaces::cli::command;

const INTRO: &str = "# Options\n\n\
    Every option of every command, with its environment variable and default; an option without a default is off or not\n\
    set. A test writes this page from the program's own help. [settings.md](settings.md) says which of them a file, a job and\n\
    the admin API take too.\n\n\
    Precedence: flag, environment, `shopwarm.toml`, default. An empty variable counts as not set. `NO_COLOR` and\n\
    `CLICOLOR_FORCE` are honoured.\n";

/// An option as the page shows it, and the commands that have it.
type Options = BTreeMap<(String, String), BTreeSet<String>>;

/// The commands that do something, each by its whole name.
fn leaves(command: &Command, name: &str, found: &mut Vec<(String, Command)>) {
    if !command.has_subcommands() {
        found.push((name.to_owned(), command.clone()));
    }
    for inner in
        command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
    {
        let name = format!("{name} {}", inner.get_name());
        leaves(inner, name.trim(), found);
    }
}

/// One line, in which a table's own signs are safe.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn row(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default().iter();
    let values = match arg.get_action().takes_values() {
        true => values.map(|value| format!(" <{value}>")).collect(),
        false => String::new(),
    };
    let long = arg.get_long().unwrap_or_default();
    let short = arg.get_short().map_or(String::new(), |short| format!("`-{short}`, "));
    let env = arg.get_env().map_or(String::new(), |env| format!("`{}`", env.to_string_lossy()));
    let help = whole_help(arg);
    let help = help.split(" [env: ").next().unwrap_or_default();
    let (what, default) = what_and_default(arg, help);
    format!("| {short}`--{long}{}` | {env} | {} | {} ", cell(&values), cell(&default), cell(what))
}

/// The help without the default that it ends in; of a switch there is none.
fn what_and_default<'h>(arg: &Arg, help: &'h str) -> (&'h str, String) {
    if let Some((what, default)) = help.split_once(" [default: ") {
        return (what, default.trim_end_matches(']').to_owned());
    }
    let defaults = arg.get_default_values().iter();
    let defaults = defaults.map(|value| value.to_string_lossy().into_owned());
    let takes = arg.get_action().takes_values();
    let defaults: Vec<String> = defaults.filter(|_| takes).collect();
    (help, defaults.join(", "))
}

fn page() -> String {
    let mut command = command();
    command.build();
    let mut commands = Vec::new();
    leaves(&command, "", &mut commands);
    let mut headings: BTreeMap<String, Options> = BTreeMap::new();
    for (name, command) in &commands {
        let args = command.get_arguments();
        for arg in args.filter(|arg| arg.get_long().is_some() && !arg.is_hide_set()) {
            let heading = arg.get_help_heading().unwrap_or("Other").to_owned();
            let long = arg.get_long().unwrap_or_default().to_owned();
            let options = headings.entry(heading).or_default();
            let owners = options.entry((long, row(arg))).or_default();
            owners.insert(name.clone());
        }
    }
    let mut page = INTRO.to_owned();
    for (heading, options) in headings {
        let _ = write!(
            page,
            "\n## {heading}\n\n| option | environment | default | what | commands |\n|---|---|---|---|---|\n"
        );
        for ((_, row), owners) in options {
            let owners = match owners.len() == commands.len() {
                true => "all".to_owned(),
                false => owners.into_iter().collect::<Vec<_>>().join(", "),
            };
            let _ = writeln!(page, "{row}| {owners} |");
        }
    }
    page
}

/// `BLESS=1` writes the page anew.
#[test]
fn the_page_of_options_is_what_the_program_has() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/options.md");
    let page = page();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/options.md is out of date: BLESS=1 cargo test the_page_of_options");
}
