//! Secrets that a command prints.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::secret::{MAX_BYTES, Secret};
use crate::domain::failure::{Failure, FailureKind};

/// Timeout of the command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// How often to check whether the command has ended.
const POLL_EVERY: Duration = Duration::from_millis(5);

/// The first line that a command prints. Neither the command nor anything it prints is ever shown:
/// both may hold the secret.
pub(super) fn run(command: &str, name: &str) -> Result<Secret, Failure> {
    let failed = |why: String| {
        Failure::new(FailureKind::Config, format!("{name} printed no URL"), why)
            .hint("run the command by hand; its output is not shown because it may hold the URL")
    };
    let deadline = Instant::now() + COMMAND_TIMEOUT;
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| failed(format!("sh cannot be started: {e}")))?;
    let (send, printed) = mpsc::channel();
    let stdout = child.stdout.take();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let Some(mut stdout) = stdout else { return };
        let _ = (&mut stdout).take(MAX_BYTES + 1).read_to_end(&mut bytes);
        // Read to the end, or the command fails when its pipe is closed.
        let _ = std::io::copy(&mut stdout, &mut std::io::sink());
        let _ = send.send(bytes);
    });
    let left = || deadline.saturating_duration_since(Instant::now());
    let bytes = printed.recv_timeout(left());
    let ended = loop {
        match child.try_wait() {
            Ok(None) if bytes.is_ok() && !left().is_zero() => thread::sleep(POLL_EVERY),
            Ok(status) => break status,
            Err(_) => break None,
        }
    };
    if ended.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    match (ended, bytes) {
        (Some(status), _) if !status.success() => Err(failed(format!("it failed ({status})"))),
        (Some(_), Ok(bytes)) => Secret::first_line(&bytes).map_err(|why| failed(why.to_owned())),
        _ => Err(failed(format!("it did not end within {} s", COMMAND_TIMEOUT.as_secs()))),
    }
}
