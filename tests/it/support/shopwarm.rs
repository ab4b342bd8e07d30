//! The binary under test, run as a user would.
#![allow(dead_code, reason = "a toolbox: not every test uses every tool")]

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A command line being put together. The environment of the test run does not reach it.
pub struct Shopwarm(Command, Option<String>);

/// What a finished process left behind.
#[derive(Debug)]
pub struct Finished {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The binary itself, for tests that start it in their own way.
pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_shopwarm"))
}

/// `shopwarm` with these arguments, split at spaces.
pub fn shopwarm(arguments: &str) -> Shopwarm {
    program(binary(), arguments)
}

/// Another binary of the same command line.
pub fn program(binary: &Path, arguments: &str) -> Shopwarm {
    let mut command = Command::new(binary);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.current_dir(std::env::temp_dir());
    command.args(arguments.split_whitespace());
    Shopwarm(command, None)
}

impl Shopwarm {
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.0.arg(argument);
        self
    }

    /// More arguments, split at spaces.
    pub fn args(mut self, arguments: &str) -> Self {
        self.0.args(arguments.split_whitespace());
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub fn dir(mut self, dir: &Path) -> Self {
        self.0.current_dir(dir);
        self
    }

    pub fn stdin(mut self, text: impl Into<String>) -> Self {
        self.1 = Some(text.into());
        self
    }

    pub fn database(self, url: impl AsRef<OsStr>) -> Self {
        self.env("DATABASE_URL", url)
    }

    pub fn cache(self, url: impl AsRef<OsStr>) -> Self {
        self.env("CACHE_URL", url)
    }

    pub fn contexts(self, path: &Path) -> Self {
        self.env("SHOPWARM_CONTEXTS", path)
    }

    /// Starts it and leaves it running, all three streams piped.
    pub fn start(self) -> Child {
        self.start_onto(Stdio::piped())
    }

    /// The same with a stdout of one's own.
    pub fn start_onto(mut self, stdout: impl Into<Stdio>) -> Child {
        self.0.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::piped());
        self.0.spawn().expect("shopwarm starts")
    }

    pub fn run(mut self) -> Finished {
        let input = self.1.take();
        let mut child = self.start();
        let mut stdin = child.stdin.take().expect("piped");
        // It may end before it has read all.
        let _ = stdin.write_all(input.unwrap_or_default().as_bytes());
        drop(stdin);
        finish(child)
    }
}

/// Waits for a started process.
pub fn finish(child: Child) -> Finished {
    let output = child.wait_with_output().expect("shopwarm ends");
    use std::os::unix::process::ExitStatusExt as _;
    Finished {
        code: output.status.code().unwrap_or_else(|| -output.status.signal().unwrap_or(0)),
        stdout: String::from_utf8(output.stdout).expect("stdout is text"),
        stderr: String::from_utf8(output.stderr).expect("stderr is text"),
    }
}

impl Finished {
    /// Panics with everything it said unless it ended with `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| {
            panic!("{e}\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr)
        })
    }

    /// A strategy of a run's JSON report.
    #[track_caller]
    pub fn strategy(&self, id: &str) -> Value {
        let report = self.json();
        let all = report["strategies"].as_array().expect("a run's report").iter();
        let found = all.clone().find(|strategy| strategy["id"] == id);
        found.unwrap_or_else(|| panic!("no {id} in {report:#}")).clone()
    }
}

/// A file in a fresh temporary folder, which lives as long as the first value.
pub fn file(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join(name);
    std::fs::write(&path, text).expect("a file");
    (dir, path)
}

pub fn send(child: &Child, signal: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &id]).status();
    assert!(sent.expect("kill").success(), "it has ended already");
}

/// Waits until a process has said this on stderr; returns what it said until then.
#[track_caller]
pub fn read_until(child: &mut Child, word: &str) -> String {
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    while !said.contains(word) {
        let read = stderr.read_line(&mut said).expect("text");
        assert!(read > 0, "it ended and never said {word:?}:\n{said}");
    }
    let rest = String::from_utf8_lossy(stderr.buffer()).into_owned();
    said.push_str(&rest);
    child.stderr = Some(stderr.into_inner());
    said
}
