//! Live bars: one for the running strategy, one for the run.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::line::{Course, SHORTEST_NAME};
use super::screen::{self, height, width};
use super::whole::Whole;
use super::words::{left, limited, news, stalled, wrong};
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

/// A live bar for the running strategy and one for the run, below the strategies that have ended.
pub(super) struct Bars {
    all: MultiProgress,
    bars: Mutex<HashMap<StrategyId, Bar>>,
    /// Lines of ended strategies. At the end the table takes their place.
    ended: Mutex<VecDeque<ProgressBar>>,
    run: Arc<Mutex<Run>>,
}

#[derive(Default)]
struct Run {
    /// Width of the longest name.
    names: usize,
    whole: Whole,
    bar: Option<ProgressBar>,
    /// Columns when the lines of ended strategies were made.
    width: usize,
}

struct Bar {
    shown: ProgressBar,
    /// What its line says besides numbers.
    words: Arc<Mutex<Words>>,
}

/// How often a bar is made anew.
const TICK: Duration = Duration::from_millis(120);

/// Rows of the screen that are left to live bars and to what was there before.
const OTHER_ROWS: usize = 6;

#[derive(Clone, Debug, Default)]
struct Words {
    wrong: String,
    /// What limits the run.
    limited: String,
    stalled: String,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self {
            all: MultiProgress::with_draw_target(screen::target()),
            bars: Mutex::default(),
            ended: Mutex::default(),
            run: Arc::default(),
        }
    }

    fn style(&self, id: &StrategyId, expected: Option<Expected>, bar: &Bar) -> ProgressStyle {
        let (name, words, names) = (id.to_string(), Arc::clone(&bar.words), lock(&self.run).names);
        drawn(move |state| {
            let words = lock(&words).clone();
            let course = Course {
                spins: true,
                name: &name,
                names,
                keys: state.pos(),
                expected: expected.map(|e| (state.len().unwrap_or(e.keys), !e.is_exact)),
                elapsed: state.elapsed(),
                left: left(state.elapsed(), state.pos(), state.len().unwrap_or(0)),
                per_second: Some(state.per_sec() as u64),
                stalled: &words.stalled,
                wrong: &words.wrong,
                limited: &words.limited,
            };
            course.line(width())
        })
    }

    /// The line of the whole run; that of a single strategy says as much.
    fn start_whole(&self) {
        let run = Arc::clone(&self.run);
        if lock(&run).bar.is_some() || lock(&run).whole.place().is_none() {
            return;
        }
        let bar = self.all.add(ProgressBar::new_spinner());
        lock(&run).bar = Some(bar.clone());
        bar.set_style(drawn(move |state| whole_line(&lock(&run), state.elapsed(), width())));
        bar.enable_steady_tick(TICK);
    }

    /// Above the line of the whole run. Drawing takes both locks, so this holds one at a time.
    fn add(&self, bar: ProgressBar) -> ProgressBar {
        let run = lock(&self.run).bar.clone();
        match run {
            Some(run) => self.all.insert_before(&run, bar),
            None => self.all.add(bar),
        }
    }

    fn start(&self, id: &StrategyId, expected: Option<Expected>) {
        let length = expected.map_or(0, |expected| expected.keys);
        let bar = Bar { shown: self.add(ProgressBar::new(length)), words: Arc::default() };
        bar.shown.set_style(self.style(id, expected, &bar));
        bar.shown.enable_steady_tick(TICK);
        lock(&self.bars).insert(id.clone(), bar);
    }

    fn advance(&self, id: &StrategyId, counts: &Counts, pace: &PaceNow) {
        if std::mem::replace(&mut lock(&self.run).width, width()) != width() {
            lock(&self.ended).iter().for_each(ProgressBar::tick);
        }
        let (bars, total) = (lock(&self.bars), counts.total());
        let Some(Bar { shown, words }) = bars.get(id) else {
            return;
        };
        // The estimate may be too low: never show more than 100%.
        if shown.length().is_some_and(|length| (1..total).contains(&length)) {
            shown.set_length(total);
        }
        shown.set_position(total);
        *lock(words) = Words {
            wrong: red(&wrong(counts)),
            limited: limited(pace).unwrap_or_default(),
            stalled: String::new(),
        };
    }

    fn finish(&self, report: &StrategyReport) {
        let Some(Bar { shown, .. }) = lock(&self.bars).remove(&report.id) else {
            return;
        };
        let (report, names) = (report.clone(), lock(&self.run).names);
        if is_one_terminal() {
            shown.set_style(drawn(move |_| end_line(&report, names, width())));
            shown.abandon();
            return self.keep(shown);
        }
        // Print a plain line: later output would overwrite a finished bar.
        shown.finish_and_clear();
        self.all.remove(&shown);
        self.print(&end_line(&report, names, width()));
    }

    /// Keeps the line of an ended strategy as long as there is room for it.
    fn keep(&self, line: ProgressBar) {
        let mut ended = lock(&self.ended);
        ended.push_back(line);
        while ended.len() > height().saturating_sub(OTHER_ROWS).max(1)
            && let Some(oldest) = ended.pop_front()
        {
            oldest.finish_and_clear();
            self.all.remove(&oldest);
        }
    }

    /// Leaves nothing behind.
    fn clear(&self) {
        let running = lock(&self.bars).drain().map(|(_, bar)| bar.shown).collect::<Vec<_>>();
        let run = lock(&self.run).bar.take();
        for bar in running.into_iter().chain(lock(&self.ended).drain(..)).chain(run) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }

    fn print(&self, text: &str) {
        let line = format!("{}\n", text.trim_end());
        if lock(&self.bars).is_empty()
            && lock(&self.ended).is_empty()
            && lock(&self.run).bar.is_none()
        {
            return sentences(&line);
        }
        let _ = self.all.println(notes(&line, Some(width())).trim_end());
    }
}

/// A line that is made when it is drawn, for the width that the terminal has then.
fn drawn(line: impl Fn(&ProgressState) -> String + Send + Sync + Clone + 'static) -> ProgressStyle {
    let line = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = out.write_str(&line(state));
    };
    let style = ProgressStyle::with_template("{line}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("line", line)
}

/// `strategy 2 of 7 ━━━╸──────  34%  15 s left`.
fn whole_line(run: &Run, elapsed: Duration, width: usize) -> String {
    let (nth, all) = run.whole.place().unwrap_or((1, 1));
    let course = Course {
        spins: false,
        name: &format!("strategy {nth} of {all}"),
        names: run.names,
        keys: run.whole.keys(),
        expected: run.whole.expected().map(|e| (e.keys, !e.is_exact)),
        elapsed,
        left: run.whole.left(),
        per_second: None,
        stalled: "",
        wrong: "",
        limited: "",
    };
    course.line(width)
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
        lock(&self.run).whole.note(event);
        match event {
            Event::RunStarted { strategies, .. } => {
                let names = strategies.iter().map(|spec| spec.id.to_string().len());
                let whole = format!("strategy {0} of {0}", strategies.len()).len();
                lock(&self.run).names = names.max().unwrap_or(0).max(whole);
            }
            Event::Sized { .. } => self.start_whole(),
            Event::StrategyStarted { id, expected } => self.start(id, *expected),
            Event::Progress { id, stats, pace } => self.advance(id, stats, pace),
            Event::Stalled { id, on, time } => {
                if let Some(bar) = lock(&self.bars).get(*id) {
                    lock(&bar.words).stalled = stalled(on, *time);
                }
            }
            Event::StrategyFinished { report } => self.finish(report),
            // What is drawn later would cover the question.
            Event::Asking | Event::RunFinished { .. } => self.clear(),
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
        whole => format!("{} of {} keys", grouped(report.stats.total()), expectation(whole)),
    }
}

fn red(text: &str) -> String {
    match text {
        "" => String::new(),
        text => console::Style::new().for_stderr().red().apply_to(text).to_string(),
    }
}
