//! The selection of a command: all, contexts or strategies.

use clap::Args;

use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::{printable, shortened};
use crate::domain::selection::Selection;

/// The selection of a command that only reads.
#[derive(Args, Clone, Debug)]
pub(super) struct Target {
    /// all | context NAME... | strategy CONTEXT/NAME... [default: all]
    #[arg(value_name = "WHAT", hide_default_value = true)]
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
}

/// `all`, `context NAME...` or `strategy CONTEXT/NAME...`.
pub(super) fn selection(words: &[String]) -> Result<Selection, Failure> {
    let usage = |what: String| {
        let why = "choose one of: all, context NAME..., strategy CONTEXT/NAME...";
        Failure::new(FailureKind::Usage, what, why)
    };
    match words {
        [all] if all == "all" => Ok(Selection::All),
        [kind, names @ ..] if kind == "context" && !names.is_empty() => {
            Ok(Selection::Contexts(names.to_vec()))
        }
        [kind, ids @ ..] if kind == "strategy" && !ids.is_empty() => {
            Ok(Selection::Strategies(ids.to_vec()))
        }
        [kind] if kind == "context" || kind == "strategy" => {
            Err(usage(format!("`{kind}` needs a name")))
        }
        words => {
            let words = printable(words.join(" ").as_bytes());
            Err(usage(format!(
                "`{}` is not a selection",
                shortened(&words, 80)
            )))
        }
    }
}
