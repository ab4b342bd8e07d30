//! Keys of `warmup keys`, from the command line or from stdin.

use std::collections::HashSet;
use std::io::{self, BufRead as _};

use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;

use crate::application::engine::coordinator::KeyWindows;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::printable;

/// Keys from stdin are taken in windows of this many: memory stays flat however many come.
const WINDOW: usize = 10_000;

type Window = Result<Vec<String>, Failure>;

/// Keys from the command line, or from stdin, where each ends with `end`.
pub(super) fn key_windows(keys: &[String], end: u8) -> KeyWindows {
    if keys != ["-"] {
        let keys = unique(keys.iter().cloned());
        return stream::iter([Ok(keys)]).boxed();
    }
    let (sender, receiver) = mpsc::channel(1);
    // A thread of its own: reading stdin blocks, and must not keep the process from ending.
    std::thread::spawn(move || read_windows(&sender, end));
    stream::unfold(receiver, |mut receiver| async move {
        let window = receiver.recv().await?;
        Some((window, receiver))
    })
    .boxed()
}

fn read_windows(sender: &mpsc::Sender<Window>, end: u8) {
    let mut lines = std::io::stdin().lock().split(end).peekable();
    while lines.peek().is_some() {
        let keys = lines.by_ref().take(WINDOW).map(|line| key(line, end));
        let keys = keys.filter(|key| key != &Ok(String::new()));
        let window = keys.collect::<Result<Vec<String>, _>>();
        let window = window.map(|keys| unique(keys.into_iter()));
        let is_over = window.is_err();
        if sender.blocking_send(window).is_err() || is_over {
            return;
        }
    }
}

/// A line as a key.
fn key(line: io::Result<Vec<u8>>, end: u8) -> Result<String, Failure> {
    let line = line.map_err(|error| {
        let what = "cannot read keys from stdin";
        Failure::new(FailureKind::Usage, what, error.to_string())
    })?;
    // A key that is no text is of no template: shown escaped, it is reported so.
    let line = String::from_utf8(line).unwrap_or_else(|e| printable(e.as_bytes()));
    let key = match end {
        b'\n' => line.strip_suffix('\r').unwrap_or(&line),
        _ => &line,
    };
    if key.contains('\0') {
        let what = "the keys on stdin hold zero bytes";
        let why = "they end with one, it seems, and not with a newline";
        return Err(
            Failure::new(FailureKind::Usage, what, why).hint("say so: shopwarm warmup keys -0 -")
        );
    }
    Ok(key.to_owned())
}

fn unique(keys: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    keys.filter(|key| seen.insert(key.clone())).collect()
}
