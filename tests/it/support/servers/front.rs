//! A program that stands in front of servers: a pooler, a proxy.

use std::fs;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, id};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::free_port;
use super::process::{PATIENCE, signal, supervise, temp_dir};

/// It runs in a directory of its own; dropping it ends the one and deletes the other.
pub struct Front {
    pub port: u16,
    child: Child,
    dir: TempDir,
}

impl Front {
    /// Starts a command in its directory. `furnish` writes the files that it reads, for a port.
    pub fn start(command: &[PathBuf], furnish: impl Fn(&Path, u16)) -> Front {
        let dir = temp_dir();
        supervise(id(), dir.path());
        // Between finding a port and using it, another process can take it.
        for _ in 0..5 {
            let port = free_port();
            furnish(dir.path(), port);
            if let Some(child) = launch(command, &dir, port) {
                return Front { port, child, dir };
            }
        }
        panic!("{command:?} does not start:\n{}", log(&dir));
    }

    /// What it has written to its file `log`.
    pub fn log(&self) -> String {
        log(&self.dir)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        signal(&mut self.child, "KILL", &[]);
        let _ = self.child.wait();
    }
}

fn log(dir: &TempDir) -> String {
    fs::read_to_string(dir.path().join("log")).unwrap_or_default()
}

/// `None`: it ended by itself, which a port in use makes it do.
fn launch(command: &[PathBuf], dir: &TempDir, port: u16) -> Option<Child> {
    let mut child = Command::new("sh")
        .args(["-c", "echo $$ >pid && exec \"$@\"", "sh"])
        .args(command)
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let asked = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        assert!(asked.elapsed() < PATIENCE, "{command:?} does not get ready");
        sleep(Duration::from_millis(5));
    }
    Some(child)
}
