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
    pub wrong: &'a str,
    /// What limits the run.
    pub limited: &'a str,
}

/// Columns of a bar: at least, and at most.
const BAR: (usize, usize) = (10, 24);

/// Columns of what stands beside a name and its bar.
const OTHERS: usize = 46;

/// From this width on there is room for figures of what limits the run.
const WIDE: usize = 100;

impl Course<'_> {
    /// What comes after the name, the most important first.
    fn cells(&self, bar: usize, is_wide: bool) -> Vec<String> {
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
                let cells = [Some(bar), left].into_iter().flatten();
                cells.chain(self.words(is_wide)).chain([keys]).collect()
            }
        };
        if !self.stalled.is_empty() {
            cells.truncate(1);
            cells.push(self.stalled.to_owned());
            return cells;
        }
        if self.expected.is_none() {
            cells.extend(self.words(is_wide));
        }
        let per_second = self.per_second.filter(|_| self.keys > 0);
        cells.extend(per_second.map(|n| format!("{} keys/s", grouped(n))));
        cells
    }

    /// What went wrong, and what limits the run.
    fn words(&self, is_wide: bool) -> impl Iterator<Item = String> {
        let limited = match is_wide {
            true => self.limited,
            false => self.limited.split(char::is_numeric).next().unwrap_or(""),
        };
        let words = [self.wrong, limited.trim_end()].map(str::to_owned);
        words.into_iter().filter(|word| !word.is_empty())
    }

    fn bar(&self, expected: u64, width: usize) -> String {
        let done = self.keys.min(expected) as f64 / expected.max(1) as f64;
        let full = (done * width as f64) as usize;
        let head = usize::from(full < width);
        let style = Style::new().for_stderr();
        let done = "━".repeat(full) + &"╸".repeat(head);
        let rest = style.clone().dim().apply_to("─".repeat(width - full - head));
        format!("{}{rest}", style.cyan().apply_to(done))
    }

    /// The line in a terminal of this width. Cells that do not fit are dropped from the right.
    pub(super) fn line(&self, width: usize) -> String {
        let frame = match self.spins {
            true => SPINNER[(self.elapsed.as_millis() / FRAME) as usize % SPINNER.len()],
            false => " ",
        };
        let is_wide = width >= WIDE;
        // The same for all lines, and for as long as the run takes.
        let bar = width.saturating_sub(self.names + OTHERS).clamp(BAR.0, BAR.1);
        let mut cells = self.cells(bar, is_wide);
        let room = width.saturating_sub(measure_text_width(&cells[0]) + 3);
        let column = self.names.min(room).max(SHORTEST_NAME);
        let name = shortened_name(self.name, column);
        let line = |cells: &[String]| format!("{frame} {name:column$} {}", cells.join("  "));
        while cells.len() > 1 && measure_text_width(&line(&cells)) > width {
            cells.pop();
        }
        line(&cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_bar_at_every_width() {
        let course = |expected, limited| Course {
            spins: true,
            name: "identity/active-user-sessions",
            names: 29,
            keys: 520_000,
            expected,
            elapsed: Duration::ZERO,
            left: Some(Duration::from_secs(4)),
            per_second: Some(131_000),
            stalled: "",
            wrong: "",
            limited,
        };
        let known = course(Some((990_018, true)), "limited by rate 131,000 keys/s");
        let plain = |width| console::strip_ansi_codes(&known.line(width)).into_owned();
        assert_eq!(plain(39), "⠋ …active-user-sessions ━━━━━╸────  52%");
        assert_eq!(
            plain(79),
            "⠋ identity/active-user-sessions ━━━━━╸────  52%  4 s left  limited by rate"
        );
        let wide = plain(160);
        assert!(
            wide.ends_with("limited by rate 131,000 keys/s  520,000/~990,018  131,000 keys/s"),
            "{wide}"
        );
        assert!(wide.contains(&"━".repeat(12)), "{wide}");
        let stalled =
            Course { stalled: "waiting for the cache, 5 s", ..course(Some((990_018, true)), "") };
        let line = console::strip_ansi_codes(&stalled.line(79)).into_owned();
        assert!(line.ends_with(" 52%  waiting for the cache, 5 s"), "{line}");
        let first = Course { keys: 0, ..course(Some((10, false)), "") };
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
