//! `shopwarm warmup --prune`: asks before keys are removed.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::args::RunChecks;
use crate::application::ports::{Consent, Prunable};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::shortened;
use crate::domain::wording::keys;
use crate::interfaces::output::{can_ask, note};

/// Max keys to show per strategy.
const SHOWN: usize = 3;

/// Max length of a shown key.
const SHOWN_KEY: usize = 60;

/// Who confirms; `None`: no pruning.
///
/// # Errors
/// There is no terminal, and `--yes` is not given.
pub(super) fn consent(checks: &RunChecks) -> Result<Option<Arc<dyn Consent>>, Failure> {
    match (checks.prune, checks.yes) {
        (false, _) => Ok(None),
        (true, true) => Ok(Some(Arc::new(Given))),
        (true, false) if can_ask() => Ok(Some(Arc::new(Asks))),
        (true, false) => {
            let what = "--prune needs confirmation, and cannot ask for it";
            let why = "standard input or standard error is not a terminal";
            Err(Failure::new(FailureKind::Usage, what, why).hint("confirm with --yes"))
        }
    }
}

/// `--yes`.
struct Given;

impl Consent for Given {
    fn may_remove<'a>(&'a self, _: &'a [Prunable]) -> BoxFuture<'a, bool> {
        async { true }.boxed()
    }
}

/// A person at the terminal.
struct Asks;

impl Consent for Asks {
    fn may_remove<'a>(&'a self, found: &'a [Prunable]) -> BoxFuture<'a, bool> {
        async {
            note(&question(found));
            let answer = tokio::task::spawn_blocking(|| {
                let mut answer = String::new();
                std::io::stdin().read_line(&mut answer).map(|_| answer)
            });
            let answer = answer.await.ok().and_then(Result::ok).unwrap_or_default();
            matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
        }
        .boxed()
    }
}

fn question(found: &[Prunable]) -> String {
    let total = found.iter().map(|found| found.keys).sum();
    let mut text = format!("{} of earlier runs no longer have a row:\n", keys(total));
    for found in found {
        let shown = found.first.iter().take(SHOWN);
        let mut shown: Vec<String> = shown.map(|key| shortened(key, SHOWN_KEY)).collect();
        if found.keys > shown.len() as u64 {
            shown.push("...".to_owned());
        }
        let (id, count) = (&found.strategy, keys(found.keys));
        text.push_str(&format!("  {id}: {count}: {}\n", shown.join(", ")));
    }
    text + "Remove them from the cache? [y/N] "
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_names_what_would_go() {
        let found = |keys: u64, first: &[&str]| Prunable {
            strategy: "own/a".to_owned(),
            keys,
            first: first.iter().map(|key| (*key).to_owned()).collect(),
        };
        let text = question(&[found(1, &["a:1"]), found(1200, &["b:1", "b:2", "b:3", "b:4"])]);
        assert_eq!(
            text,
            "1,201 keys of earlier runs no longer have a row:\n  \
             own/a: 1 key: a:1\n  \
             own/a: 1,200 keys: b:1, b:2, b:3, ...\n\
             Remove them from the cache? [y/N] "
        );
    }
}
