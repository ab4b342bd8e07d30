//! Texts that bars and lines share.

use std::time::Duration;

use crate::application::pace::{Change, PaceNow};
use crate::application::run_state::event::Event;
use crate::domain::counts::Counts;
use crate::domain::report::Stop;
use crate::domain::wording::grouped;

/// The time left is not estimated before.
const EARLIEST_ESTIMATE: Duration = Duration::from_secs(2);

/// The line for an event other than progress.
pub(super) fn news(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Waiting { holder } => format!("waiting for another run: {holder}"),
        Event::PaceChanged { change, pace } => changed(*change, pace),
        Event::StrategyRepeated { id, why } => format!("{id}: {why}; starting again"),
        Event::Stopping { why } => {
            let (why, again) = match why {
                Some(Stop::Deadline) => (" (deadline hit)", ""),
                Some(Stop::Interrupted | Stop::Terminated) => ("", " (press again to quit now)"),
                _ => ("", ""),
            };
            format!("stopping{why}: finishing batches in flight{again}")
        }
        _ => return None,
    })
}

/// `waiting for the cache, 5 s`.
pub(super) fn stalled(on: &str, time: Duration) -> String {
    format!("waiting for the {on}, {} s", time.as_secs())
}

/// How long the rest takes at the average speed so far; `None`: too early to tell.
pub(super) fn left(elapsed: Duration, keys: u64, expected: u64) -> Option<Duration> {
    let left = expected.saturating_sub(keys);
    let is_known = elapsed >= EARLIEST_ESTIMATE && keys > 0 && left > 0;
    is_known.then(|| elapsed.mul_f64(left as f64 / keys as f64))
}

/// `3 failed, 2 unconfirmed`, or nothing.
pub(super) fn wrong(counts: &Counts) -> String {
    let count = |n: u64, name: &str| (n > 0).then(|| format!("{} {name}", grouped(n)));
    let (failed, unknown) = (count(counts.failed, "failed"), count(counts.unknown, "unconfirmed"));
    [failed, unknown].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What limits the run.
pub(super) fn limited(pace: &PaceNow) -> Option<String> {
    pace.limited_by.as_ref().map(|by| format!("limited by {by}"))
}

/// `pace halved: at most 500 keys/s`.
fn changed(change: Change, pace: &PaceNow) -> String {
    match (change, pace.rate) {
        (Change::NotHalved, _) => {
            "pace not halved: the throughput has not been measured yet".to_owned()
        }
        (Change::Gentle(true), _) => "pace: gentle".to_owned(),
        (Change::Gentle(false), _) => "pace: not gentle".to_owned(),
        (_, Some(rate)) => format!("pace {}: at most {} keys/s", change.name(), grouped(rate)),
        (_, None) => format!("pace {}: no limit", change.name()),
    }
}
