//! The line of a running strategy, as much of it as fits.

use std::time::Duration;

use console::{Style, measure_text_width};

use crate::domain::wording::{grouped, time_left};
use crate::interfaces::output::shortened_name;

/// Names are not made shorter than this.
pub(super) const SHORTEST_NAME: usize = 10;

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// Time of each frame of the spinner, in milliseconds.
const FRAME: u128 = 120;

/// How far a strategy is.
pub(super) struct Course<'a> {
    /// Whether it is drawn with a spinner.
    pub spins: bool,
    pub name: &'a str,
    /// Width of the longest name.
    pub names: usize,
    pub keys: u64,
    /// Expected keys, and whether they are only estimated.
    pub expected: Option<(u64, bool)>,
    pub elapsed: Duration,
    /// Time left, if it can be estimated.
    pub left: Option<Duration>,
    pub per_second: Option<u64>,
    /// What it waits for, if it does.
    pub stalled: &'a str,
    /// What went wrong, and what limits the run.
    pub words: &'a str,
}

impl Course<'_> {
    /// What comes after the name, the most important first.
    fn cells(&self, bar: usize) -> Vec<String> {
        let keys = grouped(self.keys);
        let mut cells = match self.expected {
            None => vec![format!("{keys} keys")],
            Some((expected, is_about)) => {
                let percent = self.keys.saturating_mul(100) / expected.max(1);
                let about = if is_about { "~" } else { "" };
                let is_moving = self.keys > 0 && self.stalled.is_empty();
                let left = self.left.filter(|_| is_moving);
                let bar = format!("{} {percent:>3}%", self.bar(expected, bar));
                let left = left.map(|left| format!("{} left", time_left(left)));
                let keys = format!("{keys}/{about}{}", grouped(expected));
                [Some(bar), left, Some(keys)]
                    .into_iter()
                    .flatten()
                    .collect()
            }
        };
        if !self.stalled.is_empty() {
            cells.insert(1, self.stalled.to_owned());
            return cells;
        }
        cells.extend(Some(self.words.to_owned()).filter(|words| !words.is_empty()));
        let per_second = self.per_second.filter(|_| self.keys > 0);
        cells.extend(per_second.map(|n| format!("{} keys/s", grouped(n))));
        cells
    }

    fn bar(&self, expected: u64, width: usize) -> String {
        let done = self.keys.min(expected) as f64 / expected.max(1) as f64;
        let full = (done * width as f64) as usize;
        let head = usize::from(full < width);
        let style = Style::new().for_stderr();
        let done = "━".repeat(full) + &"╸".repeat(head);
        let rest = style
            .clone()
            .dim()
            .apply_to("─".repeat(width - full - head));
        format!("{}{rest}", style.cyan().apply_to(done))
    }

    /// The line in a terminal of this width. Cells that do not fit are dropped from the right.
    pub(super) fn line(&self, width: usize) -> String {
        let frame = match self.spins {
            true => SPINNER[(self.elapsed.as_millis() / FRAME) as usize % SPINNER.len()],
            false => " ",
        };
        let mut cells = self.cells(if width < 100 { 10 } else { 24 });
        let room = width.saturating_sub(measure_text_width(&cells[0]) + 3);
        let column = self.names.min(room).max(SHORTEST_NAME);
        let name = shortened_name(self.name, column);
        loop {
            let line = format!("{frame} {name:column$} {}", cells.join("  "));
            if cells.len() == 1 || measure_text_width(&line) <= width {
                return line;
            }
            cells.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_bar_at_every_width() {
        let course = |expected, words| Course {
            spins: true,
            name: "identity/active-user-sessions",
            names: 29,
            keys: 520_000,
            expected,
            elapsed: Duration::ZERO,
            left: Some(Duration::from_secs(4)),
            per_second: Some(131_000),
            stalled: "",
            words,
        };
        let known = course(Some((990_018, true)), "limited by rate 131,000 keys/s");
        let plain = |width| console::strip_ansi_codes(&known.line(width)).into_owned();
        assert_eq!(plain(39), "⠋ …active-user-sessions ━━━━━╸────  52%");
        assert_eq!(
            plain(79),
            "⠋ identity/active-user-sessions ━━━━━╸────  52%  4 s left  520,000/~990,018"
        );
        let wide = plain(160);
        assert!(
            wide.ends_with("limited by rate 131,000 keys/s  131,000 keys/s"),
            "{wide}"
        );
        assert!(wide.contains(&"━".repeat(12)), "{wide}");
        let stalled = Course {
            stalled: "waiting for the cache, 5s",
            ..course(Some((990_018, true)), "")
        };
        let line = console::strip_ansi_codes(&stalled.line(79)).into_owned();
        assert!(line.ends_with(" 52%  waiting for the cache, 5s"), "{line}");
        let first = Course {
            keys: 0,
            ..course(Some((10, false)), "")
        };
        assert!(!first.line(120).contains("left"));
        let whole = Course {
            spins: false,
            name: "strategy 2 of 7",
            per_second: None,
            ..course(Some((990_018, true)), "")
        };
        let line = console::strip_ansi_codes(&whole.line(79)).into_owned();
        let said = "  strategy 2 of 7               ━━━━━╸────  52%  4 s left  520,000/~990,018";
        assert_eq!(line, said);
        for width in 39..160 {
            for course in [&known, &whole, &course(None, "3 failed")] {
                let line = course.line(width);
                assert!(measure_text_width(&line) <= width, "{width}: {line}");
            }
        }
    }
}
