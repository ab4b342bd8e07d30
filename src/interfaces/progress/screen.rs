//! The terminal on which bars are drawn.

use std::io;
use std::sync::Mutex;

use console::{Term, measure_text_width};
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

/// Rows of the terminal.
pub(super) fn height() -> usize {
    usize::from(Term::stderr().size().0)
}

pub(super) fn target() -> ProgressDrawTarget {
    let (term, frame) = (Term::buffered_stderr(), Mutex::default());
    ProgressDrawTarget::term_like_with_hz(Box::new(Screen { term, frame }), FRAMES)
}

/// Stderr. indicatif fills every line with spaces up to the next row. This ends lines instead: a terminal that becomes
/// narrower breaks filled lines anew, and what was on the screen stays there.
#[derive(Debug)]
struct Screen {
    term: Term,
    frame: Mutex<Frame>,
}

/// What is on the screen.
#[derive(Debug, Default)]
struct Frame {
    /// Columns of the terminal when it was drawn.
    columns: usize,
    /// Width of each line.
    lines: Vec<usize>,
    /// Nothing was written since.
    is_drawn: bool,
}

impl Frame {
    /// How many more rows the last `lines` take in a terminal that has become narrower. Asked once for each width.
    fn broken(&mut self, lines: usize, columns: usize) -> usize {
        let was = std::mem::replace(&mut self.columns, columns);
        let drawn = self.lines.iter().rev().take(lines);
        match (1..was).contains(&columns) {
            true => drawn.map(|line| line.saturating_sub(1) / columns).sum(),
            false => 0,
        }
    }

    fn add(&mut self, line: &str) {
        if std::mem::take(&mut self.is_drawn) {
            self.lines.clear();
        }
        self.lines.push(measure_text_width(line));
    }

    fn end(&mut self) {
        if std::mem::replace(&mut self.is_drawn, true) {
            self.lines.clear();
        }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.term.size().1
    }

    fn height(&self) -> u16 {
        self.term.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        let broken = lock(&self.frame).broken(n + 1, usize::from(self.width()));
        self.term.move_cursor_up(n + broken)?;
        if broken > 0 {
            self.term.write_str("\r")?;
            self.term.clear_to_end_of_screen()?;
        }
        Ok(())
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
        let line = text.trim_end_matches(' ');
        if line.is_empty() {
            return Ok(());
        }
        let mut frame = lock(&self.frame);
        frame.add(line);
        let end_of_last = if frame.lines.len() > 1 { "\n" } else { "" };
        self.term.write_str(&format!("{end_of_last}{line}"))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.term.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        lock(&self.frame).end();
        self.term.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::Frame;

    #[test]
    fn lines_are_counted_anew_in_a_narrower_terminal() {
        let mut frame = Frame::default();
        let line = |width: usize| "x".repeat(width);
        [30, 78, 40, 41].iter().for_each(|width| frame.add(&line(*width)));
        frame.end();
        assert_eq!(frame.broken(3, 80), 0);
        assert_eq!(frame.broken(3, 120), 0);
        assert_eq!(frame.broken(3, 40), 2);
        // Only once: from now on they are where they are.
        assert_eq!(frame.broken(3, 40), 0);
        frame.add(&line(10));
        frame.end();
        assert_eq!(frame.broken(1, 5), 1);
        // Nothing was drawn.
        frame.end();
        assert_eq!(frame.broken(1, 2), 0);
    }
}
