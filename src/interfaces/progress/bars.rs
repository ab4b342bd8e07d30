//! Live bars, one for each strategy.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::words::{limited, news, wrong};
use crate::application::pace::PaceNow;
use crate::application::run_state::event::{Event, Reporter};
use crate::domain::counts::Counts;
use crate::domain::expected::Expected;
use crate::domain::report::StrategyReport;
use crate::domain::strategy::StrategyId;
use crate::domain::sync::lock;
use crate::domain::wording::{grouped, keys, seconds};
use crate::interfaces::report::grid::Tone;
use crate::interfaces::report::words::{expectation, mark};

/// A live bar for each strategy, replaced by a line at its end.
pub(super) struct Bars {
    all: MultiProgress,
    bars: Mutex<HashMap<StrategyId, ProgressBar>>,
    names: Mutex<usize>,
}

impl Bars {
    pub(super) fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(12));
        Self {
            all,
            bars: Mutex::default(),
            names: Mutex::new(0),
        }
    }

    fn style(&self, known: bool) -> ProgressStyle {
        let name = *lock(&self.names);
        let wide = console::Term::stderr().size().1 >= 90;
        let template = match (known, wide) {
            (true, true) => format!(
                "{{prefix:{name}}} {{bar:24.cyan/dim}} {{human_pos}}/{{human_len}} {{per_sec}} eta {{eta}} {{wide_msg}}"
            ),
            (false, true) => {
                format!("{{prefix:{name}}} {{spinner}} {{human_pos}} keys {{per_sec}} {{wide_msg}}")
            }
            (true, false) => "{prefix} {percent}% {human_pos} {wide_msg}".to_owned(),
            (false, false) => "{prefix} {spinner} {human_pos} {wide_msg}".to_owned(),
        };
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        style.progress_chars("━╸─").with_key(
            "per_sec",
            |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{} keys/s", grouped(state.per_sec() as u64));
            },
        )
    }

    fn start(&self, id: &StrategyId, expected: Option<Expected>) {
        let length = expected.map_or(0, |expected| expected.keys);
        let bar = self.all.add(ProgressBar::new(length));
        bar.set_style(self.style(expected.is_some()));
        bar.set_prefix(id.to_string());
        bar.enable_steady_tick(Duration::from_millis(120));
        lock(&self.bars).insert(id.clone(), bar);
    }

    fn advance(&self, id: &StrategyId, counts: &Counts, pace: &PaceNow) {
        let (bars, total) = (lock(&self.bars), counts.total());
        let Some(bar) = bars.get(id) else { return };
        // The estimate may be too low: never show more than 100%.
        if bar
            .length()
            .is_some_and(|length| (1..total).contains(&length))
        {
            bar.set_length(total);
        }
        bar.set_position(total);
        let wrong = Some(red(&wrong(counts))).filter(|wrong| !wrong.is_empty());
        let parts: Vec<String> = wrong.into_iter().chain(limited(pace)).collect();
        bar.set_message(parts.join(", "));
    }

    fn finish(&self, report: &StrategyReport) {
        let name = *lock(&self.names);
        let Some(bar) = lock(&self.bars).remove(&report.id) else {
            return;
        };
        let style = console::Style::new().for_stderr();
        let mark = match mark(report.status.stage(), report.wrong()) {
            (mark, Tone::Good) => style.green().apply_to(mark),
            (mark, Tone::Bad) => style.red().apply_to(mark),
            (mark, Tone::Plain | Tone::Total) => style.apply_to(mark),
        };
        let stats = &report.stats;
        // Print a plain line: later output would overwrite a finished bar.
        bar.finish_and_clear();
        self.all.remove(&bar);
        let _ = self.all.println(format!(
            "{mark} {:name$} {} in {} {}",
            report.id.to_string(),
            read(report),
            seconds(stats.elapsed),
            red(&wrong(stats)),
        ));
    }
}

impl Reporter for Bars {
    fn report(&self, event: &Event<'_>) {
        match event {
            Event::RunStarted { strategies } => {
                let names = strategies.iter().map(|spec| spec.id.to_string().len());
                *lock(&self.names) = names.max().unwrap_or(0);
            }
            Event::StrategyStarted { id, expected } => self.start(id, *expected),
            Event::Progress { id, stats, pace } => self.advance(id, stats, pace),
            Event::StrategyFinished { report } => self.finish(report),
            event => {
                if let Some(news) = news(event) {
                    let _ = self.all.println(news);
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
