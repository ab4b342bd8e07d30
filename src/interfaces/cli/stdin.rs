//! Line-based input: keys of `warmup keys`, and access logs.

use std::collections::HashSet;
use std::io::{self, BufRead as _, BufReader, Read};

use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;

use crate::application::engine::coordinator::KeyWindows;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::printable;

/// Keys per batch from stdin, so that memory stays flat.
const WINDOW: usize = 10_000;

/// Reads lines that end with `end`, `size` at a time, on its own thread: reading stdin blocks, and
/// must not keep the process from exiting.
pub(super) fn windows(
    from: impl Read + Send + 'static,
    end: u8,
    size: usize,
) -> mpsc::Receiver<io::Result<Vec<Vec<u8>>>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut lines = BufReader::new(from).split(end).peekable();
        while lines.peek().is_some() {
            let window: io::Result<Vec<_>> = lines.by_ref().take(size).collect();
            let is_over = window.is_err();
            if sender.blocking_send(window).is_err() || is_over {
                return;
            }
        }
    });
    receiver
}

/// Keys from the command line, or from stdin with the separator `end`.
pub(super) fn key_windows(keys: &[String], end: u8) -> KeyWindows {
    if keys != ["-"] {
        let keys = unique(keys.iter().cloned());
        return stream::iter([Ok(keys)]).boxed();
    }
    let receiver = windows(io::stdin(), end, WINDOW);
    let keys = stream::unfold(receiver, move |mut receiver| async move {
        let window = receiver.recv().await?;
        Some((keys_of(window, end), receiver))
    });
    keys.boxed()
}

fn keys_of(window: io::Result<Vec<Vec<u8>>>, end: u8) -> Result<Vec<String>, Failure> {
    let window = window.map_err(|error| {
        let what = "cannot read keys from stdin";
        Failure::new(FailureKind::Usage, what, error.to_string())
    })?;
    let keys = window.into_iter().map(|line| key(line, end));
    let keys: Vec<String> = keys.collect::<Result<_, _>>()?;
    Ok(unique(keys.into_iter().filter(|key| !key.is_empty())))
}

fn key(line: Vec<u8>, end: u8) -> Result<String, Failure> {
    // A key that is not UTF-8 matches no template; it is reported escaped.
    let line = String::from_utf8(line).unwrap_or_else(|e| printable(e.as_bytes()));
    let key = match end {
        b'\n' => line.strip_suffix('\r').unwrap_or(&line),
        _ => &line,
    };
    if key.contains('\0') {
        let what = "the keys on stdin contain NUL bytes";
        let why = "they seem to be separated by NUL bytes, not newlines";
        return Err(
            Failure::new(FailureKind::Usage, what, why).hint("use: shopwarm warmup keys -0 -")
        );
    }
    Ok(key.to_owned())
}

fn unique(keys: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    keys.filter(|key| seen.insert(key.clone())).collect()
}
