//! Processes and places: how commands run, where programs are, who cleans up.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, fs};

use tempfile::TempDir;

/// No wait is longer than this. A start takes a second or two, ten times that on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// When the process `owner` has gone, or the directory has, ends the server in it (if `pid` names
/// one that works there: the number alone could be another's by now) and deletes the directory.
pub fn supervise(owner: u32, dir: &Path) {
    const SCRIPT: &str = r#"
        owner=$1 dir=$2
        running() {
            pid=$(cat "$dir/pid") || return
            case $(readlink "/proc/$pid/cwd") in "$dir" | "$dir"/*) ;; *) return 1 ;; esac
        }
        (
            trap '' HUP INT TERM
            while [ -d "$dir" ] && kill -0 "$owner"; do sleep 1; done
            # QUIT first: PostgreSQL then gives its shared memory back. CONT, as it may be paused.
            for signal in QUIT CONT WAIT WAIT WAIT WAIT WAIT WAIT KILL; do
                running || break
                if [ "$signal" = WAIT ]; then sleep 0.5; else kill -s "$signal" "$pid"; fi
            done
            rm -rf "$dir"
        ) &
    "#;
    // The shell leaves its loop behind and ends, so that no child of ours is left to wait for.
    let status = Command::new("sh")
        .args(["-c", SCRIPT, "supervisor", &owner.to_string()])
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .process_group(0)
        .status();
    assert!(status.unwrap().success());
}

/// Sends a signal to a child and `more` processes. One that has ended is left alone: its number can
/// be another's.
pub fn signal(child: &mut Child, name: &str, more: &[&str]) {
    if let Ok(None) = child.try_wait() {
        let mut kill = Command::new("kill");
        kill.args(["-s", name, &child.id().to_string()]).args(more);
        // It may end just now, and `kill` complain.
        let _ = kill.stderr(Stdio::null()).status();
    }
}

/// The temporary directory's own name: a supervisor compares it with what the kernel says.
pub fn temp_root() -> PathBuf {
    env::temp_dir().canonicalize().unwrap()
}

pub fn temp_dir() -> TempDir {
    let dir = tempfile::Builder::new().prefix("shopwarm-it-").tempdir_in(temp_root()).unwrap();
    // The servers' users must be able to look in.
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    dir
}

/// Where a program is. Debian has PostgreSQL's outside the PATH, by version, and MariaDB's server
/// in /usr/sbin.
pub fn find(name: &str) -> PathBuf {
    static FOUND: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let found = found.get_or_insert_default();
    if let Some(path) = found.get(name) {
        return path.clone();
    }
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    // Before the PATH, where psql is a wrapper that takes its time.
    let newest_first = versions.into_iter().rev().map(|(_, bin)| bin);
    let path = env::var_os("PATH").unwrap_or_default();
    let path = newest_first
        .chain(env::split_paths(&path))
        .chain(["/usr/sbin".into()])
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!("{name} is not installed: scripts/test installs what the tests need")
        });
    found.insert(name.to_owned(), path.clone());
    path
}

/// The words of a command line; `""` is an empty one. Blanks and line ends separate. A tab does
/// not: it can be a word.
pub fn words(line: &str) -> Vec<&str> {
    line.split([' ', '\n'])
        .filter(|word| !word.is_empty())
        .map(|word| if word == "\"\"" { "" } else { word })
        .collect()
}

/// A command that is ended when it takes too long.
pub fn bounded(line: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new("timeout");
    command.arg("--foreground").arg(PATIENCE.as_secs().to_string()).args(line);
    command
}

pub fn succeed(command: Command, input: &str) -> String {
    output(command, input).unwrap_or_else(|error| panic!("{error}"))
}

/// Standard output, or what the command said in failing.
pub fn output(mut command: Command, input: &str) -> Result<String, String> {
    // From a file, as a pipe could fill up while the command waits for us to read.
    let mut stdin = tempfile::tempfile().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    stdin.rewind().unwrap();
    let output =
        command.stdin(stdin).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    Err(format!(
        "{command:?}: {}\n{stdout}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}
