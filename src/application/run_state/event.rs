//! The events of a run.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::application::pace::{Change, PaceNow};
use crate::application::ports::Inspected;
use crate::application::record::StrategyRecord;
use crate::domain::counts::Counts;
use crate::domain::entry::EntryBatch;
use crate::domain::expected::{Expected, Size};
use crate::domain::holder::Holder;
use crate::domain::report::{Report, Stop, StrategyReport};
use crate::domain::run::RunInfo;
use crate::domain::strategy::{StrategyId, StrategySpec};
use crate::domain::sync::lock;

#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Event<'a> {
    /// The run waits for another that has its lock.
    Waiting {
        holder: &'a Holder,
    },
    RunStarted {
        /// Of a run that has a name.
        info: Option<&'a RunInfo>,
        strategies: Vec<&'a StrategySpec>,
    },
    /// How many keys each strategy has, as far as known.
    Sized {
        strategies: Vec<(&'a StrategyId, Option<Expected>)>,
    },
    StrategyStarted {
        id: &'a StrategyId,
        /// How many keys it has, as far as known.
        expected: Option<Expected>,
    },
    /// After each batch; absolute numbers.
    Progress {
        id: &'a StrategyId,
        stats: Counts,
        pace: PaceNow,
    },
    /// Nothing has come for a while from the `database` or the `cache`.
    Stalled {
        id: &'a StrategyId,
        on: &'static str,
        time: Duration,
    },
    /// Somebody changed the pace of the run.
    PaceChanged {
        change: Change,
        pace: PaceNow,
    },
    /// A batch that was inspected and not written; batches come in the order of the run.
    Inspected {
        id: &'a StrategyId,
        batch: &'a EntryBatch,
        /// What is at each entry's key.
        inspected: &'a [Inspected],
    },
    /// Keys in the cache that match a strategy's template and no longer have a row.
    Orphans {
        id: &'a StrategyId,
        keys: &'a [String],
    },
    /// The strategy starts again; its counts so far are void.
    StrategyRepeated {
        id: &'a StrategyId,
        why: &'a str,
    },
    StrategyFinished {
        report: &'a StrategyReport,
    },
    /// A person is asked something.
    Asking,
    /// The run is asked to stop and finishes what is in flight.
    Stopping {
        why: Option<Stop>,
    },
    RunFinished {
        report: &'a Report,
    },
}

impl Event<'_> {
    /// Its name in JSON.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// The event as JSON, for `--progress json` and the admin API; `None` for events about single
    /// keys, which would drown the rest, and what only a terminal has.
    pub fn json(&self) -> Option<Value> {
        let event = self.name();
        Some(match self {
            Self::Waiting { holder } => {
                json!({ "event": event, "holder": (*holder).clone().public() })
            }
            Self::RunStarted { info, strategies } => {
                let ids: Vec<String> = strategies.iter().map(|spec| spec.id.to_string()).collect();
                json!({ "event": event, "run_id": info.map(|info| &info.id), "strategies": ids })
            }
            Self::Sized { strategies } => {
                let of = |(id, expected): &(&StrategyId, Option<Expected>)| {
                    let size = Size::from(*expected);
                    json!({
                        "id": id.to_string(), "expected": size.expected,
                        "expected_is_exact": size.expected_is_exact,
                    })
                };
                let all: Vec<Value> = strategies.iter().map(of).collect();
                json!({ "event": event, "strategies": all })
            }
            Self::StrategyStarted { id, expected } => {
                let size = Size::from(*expected);
                json!({
                    "event": event, "id": id.to_string(), "expected": size.expected,
                    "expected_is_exact": size.expected_is_exact,
                })
            }
            Self::Progress { id, stats, pace } => json!({
                "event": event, "id": id.to_string(), "total": stats.total(),
                "warmed": stats.warmed, "planned": stats.planned, "skipped": stats.skipped,
                "failed": stats.failed, "unknown": stats.unknown, "bytes": stats.bytes,
                "keys_per_second": stats.keys_per_second() as u64,
                "rate": pace.rate, "limited_by": pace.limited_by,
            }),
            Self::Stalled { id, on, time } => json!({
                "event": event, "id": id.to_string(), "on": on, "seconds": time.as_secs(),
            }),
            Self::PaceChanged { change, pace } => {
                json!({ "event": event, "change": change.name(), "rate": pace.rate, "gentle": pace.gentle })
            }
            Self::StrategyRepeated { id, why } => {
                json!({ "event": event, "id": id.to_string(), "reason": why })
            }
            Self::StrategyFinished { report } => json!({
                "event": event,
                "report": serde_json::to_value(StrategyRecord::from(*report)).unwrap_or_default(),
            }),
            Self::Inspected { .. } | Self::Orphans { .. } | Self::Asking => return None,
            Self::Stopping { why } => json!({ "event": event, "why": why }),
            Self::RunFinished { report } => json!({ "event": event, "outcome": report.outcome() }),
        })
    }
}

/// Progress of a strategy is reported at most this often.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Drops progress that follows too soon.
#[derive(Debug, Default)]
pub struct Sieve(Mutex<Option<(StrategyId, Instant)>>);

impl Sieve {
    /// Whether to report an event: all but progress too soon after the last.
    pub fn lets(&self, event: &Event<'_>) -> bool {
        let Event::Progress { id, .. } = event else {
            return true;
        };
        let mut last = lock(&self.0);
        if last.as_ref().is_some_and(|(last, at)| last == *id && at.elapsed() < PROGRESS_EVERY) {
            return false;
        }
        *last = Some(((*id).clone(), Instant::now()));
        true
    }
}

/// Receives the events of a run, on the engine's own task: must be cheap, cannot fail.
pub trait Reporter: Send + Sync {
    fn report(&self, event: &Event<'_>);
}

/// Nobody is told.
pub struct Silent;

impl Reporter for Silent {
    fn report(&self, _: &Event<'_>) {}
}
