//! `shopwarm __complete WORD...`: what the last word can become. The scripts of the shells call it; it
//! connects to nothing and runs no command.

use clap::{Arg, ArgAction, Command, ValueHint};
use serde_json::Value;

use super::parse::{command, leaf};
use crate::config::Config;
use crate::contexts::definitions::Definitions;
use crate::contexts::registry::Registry;
use crate::interfaces::output::Output;

/// The option of which a value begins with a name.
const REQUIRE: &str = "require";

/// A value and what it means. `:files` and `:folders` are left to the shell.
type Candidate = (String, String);

/// Prints the candidates, if the command line asks for them: one a line, and what it means after a tab.
pub fn complete(registry: &Registry) -> bool {
    let words = std::env::args_os().skip(1);
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into()).collect();
    let [asked, before @ .., word] = words.as_slice() else {
        return false;
    };
    if asked != "__complete" {
        return false;
    }
    let mut found = candidates(before, word, registry);
    found.retain(|(value, _)| value.starts_with(word) || value.starts_with(':'));
    let lines = found.iter().map(|(value, help)| format!("{value}\t{help}\n"));
    let mut stream = Output::stream();
    stream.write(lines.collect::<String>().as_bytes());
    stream.flush();
    true
}

/// Where on the command line a word is.
struct Place<'c> {
    command: &'c Command,
    /// The option whose value it is.
    value_of: Option<&'c Arg>,
    /// Positional arguments before it.
    given: usize,
}

impl<'c> Place<'c> {
    fn take(&mut self, word: &str) {
        // The manual has a page for all that help knows.
        let name = if word == "man" { "help" } else { word };
        let inner = self.command.find_subcommand(name);
        if self.value_of.take().is_some() {
            return;
        }
        if word.starts_with('-') && word.len() > 1 {
            let is_open =
                |arg: &&Arg| arg.get_action().takes_values() && !arg.is_require_equals_set();
            self.value_of = self.option(word).filter(is_open);
        } else if let Some(inner) = inner.filter(|_| self.given == 0) {
            self.command = inner;
        } else {
            self.given += 1;
        }
    }

    fn option(&self, word: &str) -> Option<&'c Arg> {
        let short = word.strip_prefix('-').unwrap_or_default();
        let short = short.parse::<char>().ok();
        let mut all = self.command.get_arguments();
        all.find(|arg| match word.strip_prefix("--") {
            Some(long) => {
                let aliases = arg.get_all_aliases().unwrap_or_default();
                arg.get_long() == Some(long) || aliases.contains(&long)
            }
            None => short.is_some() && arg.get_short() == short,
        })
    }

    /// Whether the first word may be `all`, which is not a command of its own.
    fn selects_all(&self) -> bool {
        let names = self.positional().and_then(|arg| arg.get_value_names());
        let takes_names = names.is_some_and(|names| names.iter().any(|name| name == "NAME"));
        takes_names && self.given == 0 && self.command.find_subcommand("all").is_none()
    }

    /// The argument that a plain word is.
    fn positional(&self) -> Option<&'c Arg> {
        let mut all = self.command.get_positionals();
        let is_list = |arg: &&Arg| matches!(arg.get_action(), ArgAction::Append);
        let last = self.command.get_positionals().last().filter(is_list);
        all.nth(self.given).or(last)
    }
}

fn candidates(before: &[String], word: &str, registry: &Registry) -> Vec<Candidate> {
    let mut root = command();
    root.build();
    let mut place = Place { command: &root, value_of: None, given: 0 };
    before.iter().for_each(|word| place.take(word));
    let known = || {
        let words = std::iter::once("shopwarm").chain(before.iter().map(String::as_str));
        let lenient = command().ignore_errors(true);
        let matches = lenient.try_get_matches_from(words).ok()?;
        Config::definitions_of(leaf(&matches), registry).ok()
    };
    if let Some(arg) = place.value_of {
        return values(arg, known);
    }
    if let Some((name, _)) = word.split_once('=').filter(|_| word.starts_with("--")) {
        let found = place.option(name).map(|arg| values(arg, known));
        let whole = |(value, help): Candidate| match value.starts_with(':') {
            true => (value, help),
            false => (format!("{name}={value}"), help),
        };
        return found.into_iter().flatten().map(whole).collect();
    }
    let text =
        |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string).unwrap_or_default();
    if word.starts_with('-') {
        let flag = |arg: &Arg| Some((format!("--{}", arg.get_long()?), text(arg.get_help())));
        return place.command.get_arguments().filter_map(flag).collect();
    }
    let commands = place.command.get_subcommands();
    let commands = commands.filter(|inner| !inner.is_hide_set() && place.given == 0);
    let named = |inner: &Command| (inner.get_name().to_owned(), text(inner.get_about()));
    let plain = place.positional().map(|arg| values(arg, known));
    let all = place.selects_all().then(|| ("all".to_owned(), "The whole shop".to_owned()));
    let found = commands.map(named).chain(all);
    found.chain(plain.into_iter().flatten()).collect()
}

/// What an argument can be: one of its values, what its hint says, or what the name of its value means.
fn values(arg: &Arg, known: impl Fn() -> Option<Definitions>) -> Vec<Candidate> {
    let only = |value: &str, help: &str| vec![(value.to_owned(), help.to_owned())];
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let help = |value: &clap::builder::PossibleValue| value.get_help().map(ToString::to_string);
        let shown = possible.iter().filter(|value| !value.is_hide_set());
        let shown =
            shown.map(|value| (value.get_name().to_owned(), help(value).unwrap_or_default()));
        return shown.collect();
    }
    let name = arg.get_value_names().and_then(|names| names.first());
    match (arg.get_value_hint(), name.map_or("", |name| name.as_str())) {
        (ValueHint::FilePath | ValueHint::AnyPath, _) => only(":files", ""),
        (ValueHint::DirPath, _) => only(":folders", ""),
        (_, "RUN") => [("last", "The last run"), ("last~1", "The run before")]
            .map(|(name, help)| (name.to_owned(), help.to_owned()))
            .to_vec(),
        (_, name) => {
            // Its value is `PERCENT`, or `NAME=PERCENT`.
            let is_gate = arg.get_id() == REQUIRE;
            let name = if is_gate { REQUIRE } else { name };
            known().map_or_else(Vec::new, |known| defined(name, &known))
        }
    }
}

/// The names of definitions that a value may be.
fn defined(name: &str, known: &Definitions) -> Vec<Candidate> {
    let mut found = Vec::new();
    for (id, merged) in known.merged() {
        let fields = merged.shown();
        let about = fields.get("description").and_then(Value::as_str);
        if matches!(name, "CONTEXT" | "NAME") {
            found.push((id.context.clone(), "A context".to_owned()));
        }
        if matches!(name, "CONTEXT/NAME" | "NAME") {
            found.push((id.to_string(), about.unwrap_or_default().to_owned()));
        }
        if name == REQUIRE {
            found.push((format!("{}=", id.context), "A context".to_owned()));
            found.push((format!("{id}="), about.unwrap_or_default().to_owned()));
        }
        let tags = fields.get("tags").and_then(Value::as_array);
        let tags = tags.into_iter().flatten().filter_map(Value::as_str);
        let tags = tags.filter(|_| name == "TAG");
        found.extend(tags.map(|tag| (tag.to_owned(), "A tag".to_owned())));
    }
    let vars = known.var_names().filter(|_| name == "NAME=VALUE");
    found.extend(vars.map(|var| (format!("{var}="), "A variable".to_owned())));
    found.sort();
    found.dedup();
    found
}
