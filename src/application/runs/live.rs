//! A run that others can watch: its report so far, its events, and how to stop it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use tokio::sync::watch;

use crate::application::pace::{Change, Pace, PaceNow};
use crate::application::record::{RunRecord, StrategyRecord, Totals};
use crate::application::run_state::event::{Event, Reporter, Sieve};
use crate::application::run_state::stop::StopSignal;
use crate::application::runs::refused::Refused;
use crate::domain::counts::millis;
use crate::domain::run::RunInfo;
use crate::domain::sync::lock;

/// How a run ended.
pub type Ended = Result<RunRecord, Arc<Refused>>;

/// A run of this process.
pub struct LiveRun {
    pub info: RunInfo,
    pub stop: StopSignal,
    /// Set once the run is put together.
    pace: OnceLock<Pace>,
    since: Instant,
    begun: AtomicBool,
    passed: AtomicBool,
    so_far: Mutex<RunRecord>,
    log: EventLog,
    ended: watch::Sender<Option<Ended>>,
}

/// A numbered event.
#[derive(Clone, Debug)]
pub struct NumberedEvent {
    /// Grows by one for each.
    pub number: u64,
    pub name: &'static str,
    pub json: Arc<str>,
}

/// The events so far. Of a strategy's progress only the last: the log does not grow with time.
#[derive(Default)]
struct EventLog {
    events: Mutex<Vec<NumberedEvent>>,
    last: watch::Sender<u64>,
    sieve: Sieve,
}

impl LiveRun {
    pub fn new(info: RunInfo) -> Self {
        Self {
            so_far: Mutex::new(RunRecord::started(&info)),
            info,
            stop: StopSignal::default(),
            pace: OnceLock::new(),
            since: Instant::now(),
            begun: AtomicBool::new(false),
            passed: AtomicBool::new(false),
            log: EventLog::default(),
            ended: watch::Sender::new(None),
        }
    }

    /// It no longer waits for other runs.
    pub fn set_begun(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }

    /// Lets others change its pace.
    pub fn set_pace(&self, pace: Pace) {
        // Put together once.
        let _ = self.pace.set(pace);
    }

    /// Changes its pace; `None`: it is a dry run, or not put together yet.
    pub fn change_pace(&self, change: Change) -> Option<PaceNow> {
        let pace = self.pace.get()?;
        pace.change(change);
        Some(pace.now())
    }

    /// It met its gates.
    pub fn set_passed(&self) {
        self.passed.store(true, Ordering::Relaxed);
    }

    /// Whether it has ended and met its gates.
    pub fn has_passed(&self) -> bool {
        self.ended.borrow().is_some() && self.passed.load(Ordering::Relaxed)
    }

    pub fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<Ended> {
        self.ended.borrow().clone()
    }

    /// Waits for its end.
    pub async fn end(&self) -> Ended {
        let mut ended = self.ended.subscribe();
        // The sender lives in `self`, so waiting can only end with an end.
        let end = ended.wait_for(Option::is_some).await;
        end.ok().and_then(|end| end.clone()).unwrap_or_else(|| Ok(self.record()))
    }

    /// Tells everybody who waits how it ended.
    pub fn set_ended(&self, end: Ended) {
        self.ended.send_replace(Some(end));
        self.log.wake();
    }

    /// Its report, so far or whole.
    pub fn record(&self) -> RunRecord {
        if let Some(Ok(record)) = self.ended() {
            return record;
        }
        let mut record = lock(&self.so_far).clone();
        record.elapsed_ms = millis(self.since.elapsed());
        record.totals = Totals::sum(&record.strategies);
        record.pace = self.pace.get().and_then(Pace::report);
        record
    }

    /// Waits for the events after `number`; `None`: the run has ended and there are no more.
    pub async fn events_after(&self, number: u64) -> Option<Vec<NumberedEvent>> {
        let mut last = self.log.last.subscribe();
        loop {
            last.borrow_and_update();
            // Checked first: a later event is found in the next round.
            let ended = self.ended().is_some();
            let events = self.log.after(number);
            if !events.is_empty() {
                return Some(events);
            }
            if ended || last.changed().await.is_err() {
                return None;
            }
        }
    }
}

impl EventLog {
    fn push(&self, event: &Event<'_>) {
        if !self.sieve.lets(event) {
            return;
        }
        let Some(json) = event.json() else { return };
        let name = event.name();
        let mut events = lock(&self.events);
        let number = *self.last.borrow() + 1;
        // Newer numbers of the strategy; it does not wait any more, or waits longer.
        let is_old = |last: &NumberedEvent| match name {
            "progress" => matches!(last.name, "progress" | "stalled"),
            name => name == "stalled" && last.name == name,
        };
        while events.last().is_some_and(is_old) {
            events.pop();
        }
        events.push(NumberedEvent { number, name, json: json.to_string().into() });
        self.last.send_replace(number);
    }

    fn wake(&self) {
        self.last.send_modify(|_| {});
    }

    fn after(&self, number: u64) -> Vec<NumberedEvent> {
        let events = lock(&self.events);
        let start = events.partition_point(|event| event.number <= number);
        events[start..].to_vec()
    }
}

impl Reporter for LiveRun {
    fn report(&self, event: &Event<'_>) {
        let strategy = |id: &str, change: &dyn Fn(&mut StrategyRecord)| {
            let mut record = lock(&self.so_far);
            if let Some(found) = record.strategies.iter_mut().find(|s| s.id == id) {
                change(found);
            }
        };
        match event {
            Event::RunStarted { strategies, .. } => {
                lock(&self.so_far).strategies =
                    strategies.iter().map(|spec| StrategyRecord::waiting(spec)).collect();
            }
            Event::Sized { strategies } => {
                for (id, expected) in strategies {
                    strategy(&id.to_string(), &|s| s.size = (*expected).into());
                }
            }
            Event::StrategyStarted { id, expected } => strategy(&id.to_string(), &|s| {
                s.start(*expected);
            }),
            Event::Progress { id, stats, .. } => strategy(&id.to_string(), &|s| s.count(stats)),
            Event::StrategyFinished { report } => {
                strategy(&report.id.to_string(), &|s| *s = (*report).into());
            }
            _ => {}
        }
        self.log.push(event);
    }
}
