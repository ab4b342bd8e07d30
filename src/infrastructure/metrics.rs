//! Prometheus metrics. Labels come from definitions and enums, never from data, so that no key,
//! error or host creates a series.

pub mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::SystemTime;

use prometheus::core::Collector;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::application::record::history::LastComplete;
use crate::application::record::{RunRecord, StrategyRecord};
use crate::application::runs::live::Ended;
use crate::application::runs::refused::Refused;
use crate::application::runs::run::Begun;
use crate::application::runs::service::Milestone;
use crate::domain::failure::FailureKind;
use crate::domain::report::{Outcome, Report};
use crate::domain::run::{RunInfo, Trigger};
use crate::domain::strategy::StrategyId;
use crate::domain::sync::lock;

/// From a strategy of a few keys to a run of an hour.
const SECONDS: [f64; 18] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0,
    1800.0, 3600.0,
];

const BUSY: &str = "busy";
const FAILED_TO_START: &str = "failed_to_start";

/// The outcomes of a run.
const OUTCOMES: [&str; 7] =
    ["complete", "incomplete", "empty", "interrupted", "deadline", BUSY, FAILED_TO_START];

const TRIGGERS: [Trigger; 4] = [Trigger::Cli, Trigger::Api, Trigger::Schedule, Trigger::Start];

/// Metrics of a server.
pub struct Metrics {
    registry: Registry,
    runs: IntCounterVec,
    run_durations: HistogramVec,
    keys: IntCounterVec,
    overtaken: IntCounterVec,
    written_bytes: IntCounterVec,
    strategy_durations: HistogramVec,
    last_success: LastSuccess,
    lock_held: IntGaugeVec,
    runs_active: IntGauge,
    active: Mutex<BTreeMap<String, Begun>>,
    /// The known strategies.
    known: Mutex<BTreeSet<StrategyId>>,
}

impl Metrics {
    pub fn new() -> Self {
        let registry = Registry::new();
        build_info(&registry);
        let metrics = Self {
            runs: counters(
                &registry,
                "shopwarm_runs_total",
                "Finished runs, by trigger and outcome. busy: another run held the lock; \
                 failed_to_start: it could not start. Dry runs are not counted.",
                &["trigger", "outcome"],
            ),
            run_durations: histograms(
                &registry,
                "shopwarm_run_duration_seconds",
                "Duration of runs, with connections and preparation.",
                &["outcome"],
            ),
            keys: counters(
                &registry,
                "shopwarm_keys_total",
                "Keys by outcome: warmed, skipped (no data, or already cached), failed, unknown (sent, \
                 without an answer).",
                &["context", "strategy", "outcome"],
            ),
            overtaken: counters(
                &registry,
                "shopwarm_overtaken_keys_total",
                "Keys whose rows changed while they were written: repaired (written again, and \
                 warmed), withdrawn (left out, and skipped); unverified: not known.",
                &["context", "strategy", "outcome"],
            ),
            written_bytes: counters(
                &registry,
                "shopwarm_written_bytes_total",
                "Bytes of the keys and values that were stored.",
                &["context", "strategy"],
            ),
            strategy_durations: histograms(
                &registry,
                "shopwarm_strategy_duration_seconds",
                "How long a strategy took in a run.",
                &["context", "strategy"],
            ),
            last_success: LastSuccess::new(&registry),
            lock_held: gauges(
                &registry,
                "shopwarm_lock_held",
                "1 while a run of this process holds the lock of the context.",
                &["context"],
            ),
            runs_active: register(
                &registry,
                IntGauge::new(
                    "shopwarm_runs_active",
                    "Runs of this process that have started and not ended, including dry runs.",
                ),
            ),
            active: Mutex::default(),
            known: Mutex::default(),
            registry,
        };
        metrics.declare_runs();
        metrics
    }

    /// The metrics as text, format 0.0.4.
    pub fn render(&self) -> String {
        render(&self.registry)
    }

    /// Sets the known strategies: counters that start at 0 show their first increase, and removed
    /// ones must not trigger alerts.
    pub fn declare<'a>(&self, strategies: impl IntoIterator<Item = &'a StrategyId>) {
        let now: BTreeSet<StrategyId> = strategies.into_iter().cloned().collect();
        for StrategyId { context, name } in &now {
            for (outcome, _) in KEY_OUTCOMES {
                self.keys.with_label_values(&[context, name, outcome]);
            }
            for (outcome, _) in OVERTAKEN {
                self.overtaken.with_label_values(&[context, name, outcome]);
            }
            self.written_bytes.with_label_values(&[context, name]);
            self.lock_held.with_label_values(&[context]);
        }
        let before = std::mem::replace(&mut *lock(&self.known), now.clone());
        for gone in before.difference(&now) {
            self.last_success.forget(gone);
        }
    }

    /// Adds later results of other processes: the last complete run of each strategy, and recent
    /// runs, newest first.
    pub fn seed(&self, last: &BTreeMap<String, LastComplete>, runs: &[RunRecord]) {
        // Records in the cache must not create series.
        for id in lock(&self.known).iter() {
            let last = last.get(&id.to_string());
            if let Some(at) = last.and_then(|last| unix_of(&last.at)) {
                fill(&self.last_success.of_strategy(&id.context, &id.name), at);
            }
        }
        // The history also has partial runs, which are never a last complete run.
        let whole = |run: &&RunRecord| last.values().any(|last| last.run_id == run.run_id);
        let complete = |run: &&RunRecord| run.outcome == Some(Outcome::Complete);
        let run = runs.iter().filter(complete).find(whole);
        if let Some(at) = run.and_then(|run| unix_of(&run.started_at)) {
            fill(&self.last_success.of_runs(), at);
        }
    }

    fn declare_runs(&self) {
        for trigger in TRIGGERS {
            for outcome in OUTCOMES {
                self.runs.with_label_values(&[trigger.name(), outcome]);
            }
        }
    }

    fn count(&self, record: &RunRecord) {
        self.run_durations
            .with_label_values(&[record.status()])
            .observe(seconds(record.elapsed_ms));
        for strategy in &record.strategies {
            let labels = [strategy.context.as_str(), strategy.name.as_str()];
            for (outcome, count) in KEY_OUTCOMES {
                let counter = self.keys.with_label_values(&[labels[0], labels[1], outcome]);
                counter.inc_by(count(strategy));
            }
            for (outcome, count) in OVERTAKEN {
                let counter = self.overtaken.with_label_values(&[labels[0], labels[1], outcome]);
                counter.inc_by(count(strategy));
            }
            self.written_bytes.with_label_values(&labels).inc_by(strategy.counts.bytes);
            self.strategy_durations
                .with_label_values(&labels)
                .observe(seconds(strategy.elapsed_ms));
        }
    }

    fn forget(&self, run_id: &str) -> Option<Begun> {
        let mut active = lock(&self.active);
        let begun = active.remove(run_id)?;
        self.runs_active.set(active.len() as i64);
        for context in &begun.locked {
            // The next run may have taken the lock before we saw the end of this one.
            let held = active.values().any(|other| other.locked.contains(context));
            self.lock_held.with_label_values(&[context]).set(held.into());
        }
        Some(begun)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Counts a run.
    pub fn observe(&self, info: &RunInfo, milestone: Milestone<'_>) {
        match milestone {
            Milestone::Begun(begun) => self.begun(info, begun),
            Milestone::Ended { dry_run, end } => self.ended(info, dry_run, end),
        }
    }

    /// The run holds its locks and starts to warm.
    pub fn begun(&self, info: &RunInfo, begun: &Begun) {
        let mut active = lock(&self.active);
        for context in &begun.locked {
            self.lock_held.with_label_values(&[context]).set(1);
        }
        active.insert(info.id.clone(), begun.clone());
        self.runs_active.set(active.len() as i64);
    }

    pub fn ended(&self, info: &RunInfo, dry_run: bool, end: &Ended) {
        let begun = self.forget(&info.id);
        let Some(outcome) = outcome(end).filter(|_| !dry_run) else {
            return;
        };
        self.runs.with_label_values(&[info.trigger.name(), outcome]).inc();
        let Ok(record) = end else { return };
        self.count(record);
        if begun.is_some_and(|begun| begun.whole) {
            self.last_success.set(info, record);
        }
    }
}

/// Start times of the last successes: data written by a run is as old as its start.
struct LastSuccess {
    run: IntGaugeVec,
    strategies: IntGaugeVec,
}

const LAST_SUCCESS: &str = "shopwarm_last_success_timestamp_seconds";
const STRATEGY_LAST_SUCCESS: &str = "shopwarm_strategy_last_success_timestamp_seconds";

impl LastSuccess {
    fn new(registry: &Registry) -> Self {
        Self {
            // Absent until there is one: 0 would be a success in 1970.
            run: gauges(
                registry,
                LAST_SUCCESS,
                "Start of the last complete run. Runs with a limit do not count.",
                &[],
            ),
            strategies: gauges(
                registry,
                STRATEGY_LAST_SUCCESS,
                "When the last run began that completed the strategy and left no key failed or \
                 unknown. Runs with a limit do not count.",
                &["context", "strategy"],
            ),
        }
    }

    /// Counts a run over whole strategies.
    fn set(&self, info: &RunInfo, record: &RunRecord) {
        let at = unix(info.started);
        for strategy in record.strategies.iter().filter(|s| s.is_complete()) {
            self.of_strategy(&strategy.context, &strategy.name).set(at);
        }
        if record.outcome == Some(Outcome::Complete) {
            self.of_runs().set(at);
        }
    }

    fn forget(&self, StrategyId { context, name }: &StrategyId) {
        // Absent if it never succeeded.
        let _ = self.strategies.remove_label_values(&[context, name]);
    }

    fn of_runs(&self) -> IntGauge {
        self.run.with_label_values::<&str>(&[])
    }

    fn of_strategy(&self, context: &str, name: &str) -> IntGauge {
        self.strategies.with_label_values(&[context, name])
    }
}

/// Keeps a later time.
fn fill(gauge: &IntGauge, at: i64) {
    if gauge.get() < at {
        gauge.set(at);
    }
}

type Count = fn(&StrategyRecord) -> u64;

const KEY_OUTCOMES: [(&str, Count); 4] = [
    ("warmed", |s| s.counts.warmed),
    ("skipped", |s| s.counts.skipped),
    ("failed", |s| s.counts.failed),
    ("unknown", |s| s.counts.unknown),
];

/// Keys whose rows changed during the run.
const OVERTAKEN: [(&str, Count); 3] = [
    ("repaired", |s| s.counts.repaired),
    ("withdrawn", |s| s.counts.withdrawn),
    ("unverified", |s| s.counts.unverified),
];

/// The outcome of a run, one of [`OUTCOMES`]; `None`: nothing ran.
fn outcome(end: &Ended) -> Option<&'static str> {
    Some(match end {
        Ok(record) => record.status(),
        Err(refused) => match refused.as_ref() {
            Refused::Busy(_) => BUSY,
            Refused::Failed(failure) if failure.kind == FailureKind::Busy => BUSY,
            Refused::Failed(_) => FAILED_TO_START,
            Refused::Stopped(stop) => Report::stopped_before(*stop).outcome().name(),
            Refused::RunBefore => return None,
        },
    })
}

fn seconds(millis: u64) -> f64 {
    // Avoids `Duration::as_secs_f64`, which gives 3.2720000000000002.
    millis as f64 / 1000.0
}

fn unix(at: SystemTime) -> i64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs() as i64
}

fn unix_of(at: &str) -> Option<i64> {
    humantime::parse_rfc3339(at).ok().map(unix)
}

fn build_info(registry: &Registry) {
    gauges(registry, "shopwarm_build_info", "1; the version is the label.", &["version"])
        .with_label_values(&[env!("CARGO_PKG_VERSION")])
        .set(1);
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    register(registry, IntGaugeVec::new(Opts::new(name, help), labels))
}

fn histograms(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
    let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
    register(registry, HistogramVec::new(options, labels))
}

/// Names and labels are constants, so any test finds a wrong one.
fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: prometheus::Result<C>,
) -> C {
    let collector = collector.expect("a valid metric");
    let registered = registry.register(Box::new(collector.clone()));
    registered.expect("a metric of its own");
    collector
}

fn render(registry: &Registry) -> String {
    let text = TextEncoder::new().encode_to_string(&registry.gather());
    // Fails only for a family without samples, which the registry omits.
    text.unwrap_or_default()
}
