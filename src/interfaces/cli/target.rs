//! The selection of a command: all, contexts or strategies.

use clap::Args;

use crate::config::Config;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::{printable, shortened};
use crate::domain::run::{RunInfo, Trigger};
use crate::domain::selection::Selection;

/// The selection of a command.
#[derive(Args, Clone, Debug)]
pub(super) struct Target {
    /// `all`, contexts or CONTEXT/NAME (* is a wildcard) [default: all]
    #[arg(value_name = "NAME", hide_default_value = true)]
    pub(super) what: Vec<String>,
}

impl Target {
    pub(super) fn words(&self) -> Vec<String> {
        match self.what.as_slice() {
            [] => vec!["all".to_owned()],
            words => words.to_vec(),
        }
    }

    pub(super) fn selection(&self) -> Result<Selection, Failure> {
        selection(&self.words())
    }

    /// A command over it, given by hand.
    pub(super) fn info(&self, command: &str, config: &Config) -> RunInfo {
        let command = format!("{command} {}", self.words().join(" "));
        RunInfo { flags: config.flags.clone(), ..RunInfo::new(command, Trigger::Cli) }
    }
}

/// `all`, `NAME...`, `context NAME...` or `strategy CONTEXT/NAME...`.
pub(super) fn selection(words: &[String]) -> Result<Selection, Failure> {
    let usage = |what: String| {
        let why = "choose one of: all, NAME..., context NAME..., strategy CONTEXT/NAME...";
        Failure::new(FailureKind::Usage, what, why)
    };
    match words {
        [all] if all == "all" => Ok(Selection::All),
        [kind] if kind == "context" || kind == "strategy" => {
            Err(usage(format!("`{kind}` needs a name")))
        }
        [kind, names @ ..] if kind == "context" => Ok(Selection::Contexts(names.to_vec())),
        [kind, ids @ ..] if kind == "strategy" => Ok(Selection::Strategies(ids.to_vec())),
        words if words.is_empty() || words.iter().any(|word| word == "all") => {
            let words = printable(words.join(" ").as_bytes());
            let words = shortened(&words, 80);
            Err(usage(format!("`{words}` is not a selection")))
        }
        names => Ok(Selection::Names(names.to_vec())),
    }
}
