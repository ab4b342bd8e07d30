//! A terminal to look at.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::shopwarm::binary;

pub struct Terminal {
    socket: String,
    _dir: tempfile::TempDir,
}

impl Terminal {
    /// A terminal of this size with a shell in it.
    pub fn new(columns: u32, lines: u32) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let socket = dir.path().join("tmux").display().to_string();
        let terminal = Self { socket, _dir: dir };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        let shell = "env -i PATH=$PATH TERM=screen-256color LANG=C.UTF-8 PS1='$ ' bash --norc";
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &lines,
            shell,
        ]);
        terminal.wait_for("$");
        terminal
    }

    pub fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux").args(["-u", "-S", &self.socket]).args(arguments).output();
        let output = output.expect("tmux; scripts/test installs it");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn type_line(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    /// Types a line on a screen that shows nothing of what was before.
    pub fn run(&self, line: &str) {
        // Each time another word, which only the shell's answer has in one piece.
        static TIMES: AtomicU32 = AtomicU32::new(0);
        let time = TIMES.fetch_add(1, Ordering::Relaxed);
        self.type_line(&format!("clear; echo clear''ed-{time}"));
        self.wait_for(&format!("cleared-{time}"));
        self.type_line(line);
    }

    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(40) {
            let screen = self.screen();
            if screen.contains(text) {
                return screen;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("no {text:?} on the screen:\n{}", self.screen());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

pub fn command(arguments: &str, database: &str, cache: &str) -> String {
    format!(
        "DATABASE_URL='{database}' CACHE_URL='{cache}' {} {arguments}; echo \"exit=$?\"",
        binary().display()
    )
}
