//! The terminal on which bars are drawn.

use std::io;
use std::sync::Mutex;

use console::Term;
use indicatif::{ProgressDrawTarget, TermLike};

use crate::domain::sync::lock;
use crate::interfaces::output::stderr_width;

/// Columns where the terminal does not tell.
const WIDTH: usize = 80;
/// The terminal writes `^C` behind the last bar. On the next line it would leave that bar on the screen for good.
const ECHO: usize = "^C".len();
/// How often bars are drawn, per second.
const FRAMES: u8 = 12;

/// Columns that a bar or a line above it may use now.
pub(super) fn width() -> usize {
    stderr_width().unwrap_or(WIDTH).saturating_sub(ECHO)
}

pub(super) fn target() -> ProgressDrawTarget {
    let (term, filler) = (Term::buffered_stderr(), Mutex::default());
    ProgressDrawTarget::term_like_with_hz(Box::new(Screen { term, filler }), FRAMES)
}

/// Stderr. indicatif fills every line with spaces, so that the next one begins on a row of its own; the last line is
/// left as it is.
#[derive(Debug)]
struct Screen {
    term: Term,
    filler: Mutex<String>,
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.term.size().1
    }

    fn height(&self) -> u16 {
        self.term.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_left(n)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.term.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        if text.trim_matches(' ').is_empty() {
            lock(&self.filler).push_str(text);
            return Ok(());
        }
        let filler = std::mem::take(&mut *lock(&self.filler));
        self.term.write_str(&format!("{filler}{text}"))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.term.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        lock(&self.filler).clear();
        self.term.flush()
    }
}
