//! What bars and lines say in the same words.

use crate::application::pace::{Change, PaceNow};
use crate::application::run_state::event::Event;
use crate::domain::counts::Counts;
use crate::domain::wording::grouped;

/// The line for an event that is no progress of a strategy.
pub(super) fn news(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Waiting { holder } => format!("waiting for another run: {holder}"),
        Event::PaceChanged { change, pace } => changed(*change, pace),
        Event::StrategyRepeated { id, why } => format!("{id}: {why}; starting again"),
        Event::Stopping => {
            "stopping: finishing what is in flight (again to end at once)".to_owned()
        }
        _ => return None,
    })
}

/// `3 failed, 2 unknown`, or nothing.
pub(super) fn wrong(counts: &Counts) -> String {
    let count = |n: u64, name: &str| (n > 0).then(|| format!("{} {name}", grouped(n)));
    let (failed, unknown) = (
        count(counts.failed, "failed"),
        count(counts.unknown, "unknown"),
    );
    [failed, unknown]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
}

/// What holds the run back.
pub(super) fn limited(pace: &PaceNow) -> Option<String> {
    pace.limited_by
        .as_ref()
        .map(|by| format!("limited by {by}"))
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
