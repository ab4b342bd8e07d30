//! Live bars, one for each strategy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::line::{Course, SHORTEST_NAME};
use super::screen;
use super::screen::width;
use super::words::{limited, news, stalled, wrong};
use crate::application::pace::PaceNow;
use crate::application::run_state::event::{Event, Reporter};
use crate::domain::counts::Counts;
use crate::domain::expected::Expected;
use crate::domain::report::StrategyReport;
use crate::domain::strategy::StrategyId;
use crate::domain::sync::lock;
use crate::domain::wording::{grouped, keys, seconds};
use crate::interfaces::output::{is_one_terminal, notes, sentences, shortened_name};
use crate::interfaces::report::grid::Tone;
use crate::interfaces::report::words::{expectation, mark};

/// A live bar for each strategy, replaced by a line at its end if the table is somewhere else.
pub(super) struct Bars {
    all: MultiProgress,
    bars: Mutex<HashMap<StrategyId, Bar>>,
    run: Mutex<Run>,
}

#[derive(Clone, Copy, Default)]
struct Run {
    /// Width of the longest name.
    names: usize,
    strategies: usize,
    ended: usize,
}

struct Bar {
    shown: ProgressBar,
    /// What its line says besides numbers.
    words: Arc<Mutex<Words>>,
}

#[derive(Clone, Debug, Default)]
struct Words {
    /// What went wrong, and what limits the run.
    facts: String,
    stalled: String,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self {
            all: MultiProgress::with_draw_target(screen::target()),
            bars: Mutex::default(),
            run: Mutex::default(),
        }
    }

    /// The line is made when it is drawn, for the width that the terminal has then.
    fn style(&self, id: &StrategyId, expected: Option<Expected>, bar: &Bar) -> ProgressStyle {
        let (name, words) = (id.to_string(), Arc::clone(&bar.words));
        let run = *lock(&self.run);
        let line = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let words = lock(&words).clone();
            let course = Course {
                name: &name,
                names: run.names,
                place: (run.ended + 1, run.strategies),
                keys: state.pos(),
                expected: expected.map(|e| (state.len().unwrap_or(e.keys), !e.is_exact)),
                elapsed: state.elapsed(),
                left: state.eta(),
                per_second: state.per_sec() as u64,
                stalled: &words.stalled,
                words: &words.facts,
            };
            let _ = out.write_str(&course.line(width()));
        };
        let style = ProgressStyle::with_template("{line}");
        style
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("line", line)
    }

    fn start(&self, id: &StrategyId, expected: Option<Expected>) {
        let length = expected.map_or(0, |expected| expected.keys);
        let bar = Bar {
            shown: self.all.add(ProgressBar::new(length)),
            words: Arc::default(),
        };
        bar.shown.set_style(self.style(id, expected, &bar));
        bar.shown.enable_steady_tick(Duration::from_millis(120));
        lock(&self.bars).insert(id.clone(), bar);
    }

    fn advance(&self, id: &StrategyId, counts: &Counts, pace: &PaceNow) {
        let (bars, total) = (lock(&self.bars), counts.total());
        let Some(Bar { shown, words }) = bars.get(id) else {
            return;
        };
        // The estimate may be too low: never show more than 100%.
        if shown
            .length()
            .is_some_and(|length| (1..total).contains(&length))
        {
            shown.set_length(total);
        }
        shown.set_position(total);
        let wrong = Some(red(&wrong(counts))).filter(|wrong| !wrong.is_empty());
        let parts: Vec<String> = wrong.into_iter().chain(limited(pace)).collect();
        *lock(words) = Words {
            facts: parts.join(", "),
            stalled: String::new(),
        };
    }

    fn finish(&self, report: &StrategyReport) {
        let Some(Bar { shown, .. }) = lock(&self.bars).remove(&report.id) else {
            return;
        };
        // Print a plain line: later output would overwrite a finished bar.
        shown.finish_and_clear();
        self.all.remove(&shown);
        lock(&self.run).ended += 1;
        if !is_one_terminal() {
            self.print(&end_line(report, lock(&self.run).names, width()));
        }
    }

    /// Leaves nothing behind.
    fn clear(&self) {
        for (_, bar) in lock(&self.bars).drain() {
            bar.shown.finish_and_clear();
            self.all.remove(&bar.shown);
        }
    }

    fn print(&self, text: &str) {
        let line = format!("{}\n", text.trim_end());
        if lock(&self.bars).is_empty() {
            return sentences(&line);
        }
        let _ = self.all.println(notes(&line, Some(width())).trim_end());
    }
}

/// `✓ catalog/hot-products 100 keys in 9 ms`, with the names as a column if there is room.
fn end_line(report: &StrategyReport, names: usize, width: usize) -> String {
    let style = console::Style::new().for_stderr();
    let mark = match mark(report.status.stage(), report.wrong()) {
        (mark, Tone::Good) => style.green().apply_to(mark),
        (mark, Tone::Bad) => style.red().apply_to(mark),
        (mark, Tone::Plain | Tone::Total) => style.apply_to(mark),
    };
    let took = format!("{} in {}", read(report), seconds(report.stats.elapsed));
    let room = width.saturating_sub(took.chars().count() + "✓  ".chars().count());
    let name = names.min(room).max(SHORTEST_NAME);
    let id = shortened_name(&report.id.to_string(), name);
    format!("{mark} {id:name$} {took} {}", red(&wrong(&report.stats)))
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Reporter for Bars {
    fn report(&self, event: &Event<'_>) {
        match event {
            Event::RunStarted { strategies } => {
                let names = strategies.iter().map(|spec| spec.id.to_string().len());
                *lock(&self.run) = Run {
                    names: names.max().unwrap_or(0),
                    strategies: strategies.len(),
                    ended: 0,
                };
            }
            Event::StrategyStarted { id, expected } => self.start(id, *expected),
            Event::Progress { id, stats, pace } => self.advance(id, stats, pace),
            Event::Stalled { id, on, time } => {
                if let Some(bar) = lock(&self.bars).get(*id) {
                    lock(&bar.words).stalled = stalled(on, *time);
                }
            }
            Event::StrategyFinished { report } => self.finish(report),
            Event::RunFinished { .. } => self.clear(),
            event => {
                if let Some(news) = news(event) {
                    self.print(&news);
                }
            }
        }
    }
}

/// `20,000 keys`, or `9,000 of ~20,000 keys` if the strategy was not read to its end.
fn read(report: &StrategyReport) -> String {
    match report.expected().filter(|_| report.is_unfinished()) {
        None => keys(report.stats.total()),
        whole => format!(
            "{} of {} keys",
            grouped(report.stats.total()),
            expectation(whole)
        ),
    }
}

fn red(text: &str) -> String {
    match text {
        "" => String::new(),
        text => console::Style::new()
            .for_stderr()
            .red()
            .apply_to(text)
            .to_string(),
    }
}
