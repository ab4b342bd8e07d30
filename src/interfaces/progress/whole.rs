//! How far a run is as a whole.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::words::left;
use crate::application::run_state::event::Event;
use crate::domain::expected::Expected;
use crate::domain::strategy::StrategyId;

/// Ended and open strategies, and their keys.
#[derive(Default)]
pub(super) struct Whole {
    strategies: HashMap<StrategyId, Part>,
    /// When the first strategy began.
    since: Option<Instant>,
    /// Whether it waits, and nobody knows how long.
    is_stalled: bool,
}

#[derive(Clone, Copy, Default)]
struct Part {
    expected: Option<Expected>,
    keys: u64,
    has_ended: bool,
}

impl Part {
    /// An estimate that was reached says nothing about the rest.
    fn size(&self) -> Option<Expected> {
        match self.has_ended {
            true => Some(Expected::exactly(self.keys)),
            false => {
                let reached = Expected::about(self.keys);
                self.expected.map(|e| e.beyond(self.keys).unwrap_or(reached))
            }
        }
    }
}

impl Whole {
    pub(super) fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::RunStarted { strategies, .. } => {
                let parts = strategies.iter().map(|spec| (spec.id.clone(), Part::default()));
                self.strategies = parts.collect();
            }
            Event::Sized { strategies } => {
                for (id, expected) in strategies {
                    self.part(id).expected = *expected;
                }
            }
            Event::StrategyStarted { id, expected } => {
                self.since.get_or_insert_with(Instant::now);
                self.part(id).expected = *expected;
            }
            Event::Progress { id, stats, .. } => {
                self.part(id).keys = stats.total();
                self.is_stalled = false;
            }
            Event::Stalled { .. } => self.is_stalled = true,
            Event::StrategyRepeated { id, .. } => self.part(id).keys = 0,
            Event::StrategyFinished { report } => {
                let part = self.part(&report.id);
                (part.keys, part.has_ended) = (report.stats.total(), true);
            }
            _ => {}
        }
    }

    fn part(&mut self, id: &StrategyId) -> &mut Part {
        self.strategies.entry(id.clone()).or_default()
    }

    /// Which strategy runs, and how many there are; nothing of a single one.
    pub(super) fn place(&self) -> Option<(usize, usize)> {
        let all = self.strategies.len();
        let ended = self.strategies.values().filter(|part| part.has_ended).count();
        (all > 1).then_some(((ended + 1).min(all), all))
    }

    pub(super) fn keys(&self) -> u64 {
        self.strategies.values().map(|part| part.keys).sum()
    }

    /// The keys of all strategies, if that is known of each.
    pub(super) fn expected(&self) -> Option<Expected> {
        Expected::sum(self.strategies.values().map(Part::size))
    }

    /// About how long the run goes on, at its average speed so far.
    pub(super) fn left(&self) -> Option<Duration> {
        let rest = left(self.since?.elapsed(), self.keys(), self.expected()?.keys);
        rest.filter(|_| !self.is_stalled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::pace::PaceNow;
    use crate::domain::counts::Counts;
    use crate::domain::samples::strategy;

    #[test]
    fn the_time_left_is_that_of_all_strategies() {
        let mut whole = Whole::default();
        let (done, open) = (strategy("a", 100, 0), StrategyId::new("catalog", "b"));
        let sizes = |b| vec![(&done.id, Some(Expected::about(90))), (&open, b)];
        let known = Some(Expected::about(300));
        whole.note(&Event::Sized { strategies: sizes(None) });
        whole.note(&Event::StrategyFinished { report: &done });
        assert_eq!(whole.place(), Some((2, 2)));
        assert_eq!((whole.expected(), whole.left()), (None, None));
        whole.note(&Event::Sized { strategies: sizes(known) });
        whole.note(&Event::Progress {
            id: &open,
            stats: Counts { warmed: 100, ..Counts::default() },
            pace: PaceNow::default(),
        });
        assert_eq!(whole.expected(), Some(Expected::about(400)));
        assert_eq!(whole.left(), None);
        whole.since = Instant::now().checked_sub(Duration::from_secs(10));
        let left = whole.left().expect("a time").as_secs_f64();
        assert!((10.0..10.5).contains(&left), "{left}");
        whole.note(&Event::Stalled { id: &open, on: "cache", time: Duration::from_secs(2) });
        assert_eq!(whole.left(), None);
    }
}
