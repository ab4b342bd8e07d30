//! Reporters: a run as live bars, as lines, as JSON, or not at all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::{ProgressForm, note};
use super::report::document::Tone;
use super::report::words::{expectation, mark};
use crate::application::event::{Event, Reporter, Sieve};
use crate::application::pace::{Change, PaceNow};
use crate::domain::counts::Counts;
use crate::domain::expected::Expected;
use crate::domain::holder::Holder;
use crate::domain::report::StrategyReport;
use crate::domain::strategy::StrategyId;
use crate::domain::wording::{grouped, keys, seconds};

/// Between two lines of a strategy that takes long.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The reporter for a form.
pub fn reporter(form: ProgressForm) -> Box<dyn Reporter> {
    match form {
        ProgressForm::None => Box::new(Silent),
        ProgressForm::Bars => Box::new(Bars::new()),
        ProgressForm::Json => Box::new(Events::default()),
        ProgressForm::Lines | ProgressForm::Auto => Box::new(Lines::new()),
    }
}

struct Silent;

impl Reporter for Silent {
    fn report(&self, _: &Event<'_>) {}
}

/// A live bar for each strategy, that stays as a line when it is done.
struct Bars {
    all: MultiProgress,
    bars: Mutex<HashMap<StrategyId, ProgressBar>>,
    names: Mutex<usize>,
}

impl Bars {
    fn new() -> Self {
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
        // A line like any other from now on: a finished bar would be drawn over by what is printed
        // later.
        bar.finish_and_clear();
        self.all.remove(&bar);
        let _ = self.all.println(format!(
            "{mark} {:name$} {} in {} {}",
            report.id.to_string(),
            read(report),
            seconds(stats.elapsed),
            wrong(stats),
        ));
    }
}

impl Reporter for Bars {
    fn report(&self, event: &Event<'_>) {
        match event {
            Event::Waiting { holder } => {
                let _ = self.all.println(waiting(holder));
            }
            Event::RunStarted { strategies } => {
                let longest = strategies
                    .iter()
                    .map(|spec| spec.id.to_string().len())
                    .max();
                *lock(&self.names) = longest.unwrap_or(0);
            }
            Event::StrategyStarted { id, expected } => self.start(id, *expected),
            Event::Progress { id, stats, pace } => {
                if let Some(bar) = lock(&self.bars).get(*id) {
                    // An estimate that was too low must not show more than all.
                    if bar
                        .length()
                        .is_some_and(|length| length > 0 && length < stats.total())
                    {
                        bar.set_length(stats.total());
                    }
                    bar.set_position(stats.total());
                    bar.set_message(message(stats, pace));
                }
            }
            Event::PaceChanged { change, pace } => {
                let _ = self.all.println(changed(*change, pace));
            }
            Event::StrategyRepeated { id, why } => {
                let _ = self.all.println(repeated(id, why));
            }
            Event::StrategyFinished { report } => self.finish(report),
            Event::Stopping => {
                let _ = self
                    .all
                    .println("stopping: finishing what is in flight (again to end at once)");
            }
            Event::Inspected { .. } | Event::Orphans { .. } | Event::RunFinished { .. } => {}
        }
    }
}

/// `20,000 keys`, of a strategy that was not read to its end `9,000 of ~20,000 keys`.
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

/// `3 failed, 2 unknown` in red, or nothing.
fn wrong(stats: &Counts) -> String {
    let red = console::Style::new().for_stderr().red();
    let count = |n: u64, name: &str| (n > 0).then(|| format!("{} {name}", grouped(n)));
    let parts = [
        count(stats.failed, "failed"),
        count(stats.unknown, "unknown"),
    ];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if text.is_empty() {
        text
    } else {
        red.apply_to(text).to_string()
    }
}

/// What is wrong, and what holds the run back.
fn message(stats: &Counts, pace: &PaceNow) -> String {
    let limited = pace.limited_by.as_ref();
    let limited = limited.map(|by| format!("limited by {by}"));
    let parts = [
        Some(wrong(stats)).filter(|wrong| !wrong.is_empty()),
        limited,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `pace halved: at most 500 keys/s`.
fn changed(change: Change, pace: &PaceNow) -> String {
    match (change, pace.rate) {
        (Change::NotHalved, _) => {
            "pace not halved: what the run writes has not been measured yet".to_owned()
        }
        (Change::Gentle(true), _) => "pace: gentle from now on".to_owned(),
        (Change::Gentle(false), _) => "pace: not gentle any more".to_owned(),
        (_, Some(rate)) => format!("pace {}: at most {} keys/s", change.name(), grouped(rate)),
        (_, None) => format!("pace {}: no limit", change.name()),
    }
}

/// A line when a strategy ends, and every [`LINE_EVERY`] while one runs, also while nothing moves.
struct Lines {
    /// What runs.
    state: Arc<Mutex<Option<Running>>>,
    ticker: tokio::task::JoinHandle<()>,
}

struct Running {
    id: StrategyId,
    stats: Counts,
    pace: PaceNow,
    since: Instant,
}

impl Lines {
    fn new() -> Self {
        let state: Arc<Mutex<Option<Running>>> = Arc::default();
        let shared = Arc::clone(&state);
        let ticker = tokio::spawn(async move {
            let mut every = tokio::time::interval(LINE_EVERY);
            every.tick().await;
            loop {
                every.tick().await;
                if let Some(running) = &*lock(&shared) {
                    let mut line = progress_line(&running.stats, running.since.elapsed());
                    if let Some(by) = &running.pace.limited_by {
                        line.push_str(&format!(", limited by {by}"));
                    }
                    note(&format!("{}: {line}\n", running.id));
                }
            }
        });
        Self { state, ticker }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.ticker.abort();
    }
}

fn progress_line(stats: &Counts, elapsed: Duration) -> String {
    let stats = Counts { elapsed, ..*stats };
    let mut line = format!(
        "{} in {}, {} keys/s",
        keys(stats.total()),
        seconds(elapsed),
        grouped(stats.keys_per_second() as u64)
    );
    for (n, name) in [(stats.failed, "failed"), (stats.unknown, "unknown")] {
        if n > 0 {
            line.push_str(&format!(", {} {name}", grouped(n)));
        }
    }
    line
}

impl Reporter for Lines {
    fn report(&self, event: &Event<'_>) {
        match event {
            Event::Waiting { holder } => note(&format!("{}\n", waiting(holder))),
            Event::StrategyStarted { id, .. } => {
                *lock(&self.state) = Some(Running {
                    id: (*id).clone(),
                    stats: Counts::default(),
                    pace: PaceNow::default(),
                    since: Instant::now(),
                });
            }
            Event::Progress { stats, pace, .. } => {
                if let Some(running) = &mut *lock(&self.state) {
                    running.stats = *stats;
                    running.pace.clone_from(pace);
                }
            }
            Event::PaceChanged { change, pace } => {
                note(&format!("{}\n", changed(*change, pace)));
            }
            Event::StrategyRepeated { id, why } => note(&format!("{}\n", repeated(id, why))),
            Event::StrategyFinished { report } => {
                *lock(&self.state) = None;
                let line = progress_line(&report.stats, report.stats.elapsed);
                let (id, status) = (&report.id, report.status.stage().name());
                note(
                    &match report.expected().filter(|_| report.is_unfinished()) {
                        None => format!("{id}: {status}, {line}\n"),
                        whole => {
                            format!("{id}: {status}, {line}, {} expected\n", expectation(whole))
                        }
                    },
                );
            }
            Event::Stopping => {
                note("stopping: finishing what is in flight (again to end at once)\n")
            }
            Event::Inspected { .. }
            | Event::Orphans { .. }
            | Event::RunStarted { .. }
            | Event::RunFinished { .. } => {}
        }
    }
}

/// The engine's events, a JSON object a line.
#[derive(Default)]
struct Events(Sieve);

impl Reporter for Events {
    fn report(&self, event: &Event<'_>) {
        if self.0.lets(event)
            && let Some(line) = event.json()
        {
            note(&format!("{line}\n"));
        }
    }
}

fn repeated(id: &StrategyId, why: &str) -> String {
    format!("{id}: {why}; beginning anew")
}

fn waiting(holder: &Holder) -> String {
    format!("waiting for another run: {holder}")
}

/// A panic in another reporter call must not become a second one here.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
