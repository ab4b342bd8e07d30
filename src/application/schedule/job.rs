//! A job and its times.

use std::cmp::Reverse;
use std::time::Duration;

use clap::ValueEnum;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::cron::Cron;
use crate::application::runs::service::RunRequest;
use crate::application::settings::RunSettings;
use crate::application::settings::values::choice;
use crate::domain::run::Trigger;
use crate::domain::selection::Selection;

/// Missed times are counted up to this number, so that a clock that jumps by years costs little.
const MAX_COUNTED: usize = 10_000;

choice!(Overlap);

/// What to do at a job's time while another run holds the locks that it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// Skip this time.
    #[default]
    Skip,
    /// Run it afterwards.
    Queue,
}

/// A run that repeats.
#[derive(Clone, Debug)]
pub struct Job {
    pub name: String,
    pub cron: Cron,
    pub zone: TimeZone,
    /// `all`, or names of contexts and strategies, as configured.
    pub warmup: Vec<String>,
    /// Settings that override the configuration in its runs.
    pub settings: RunSettings,
    pub overlap: Overlap,
    /// How late a missed time may still run.
    pub grace: Duration,
    /// The jitter: starts are spread over this long after the time.
    pub jitter: Duration,
    /// The file that defines the job; `None`: it is shipped.
    pub file: Option<String>,
}

/// One of a job's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The time of the expression.
    pub at: Timestamp,
    /// The time with the jitter.
    pub starts: Timestamp,
}

/// The times of a job that have come due since the last check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The latest time, if it is within the grace.
    pub run: Option<Occurrence>,
    /// The other times that have passed; at most 10,000 are counted.
    pub missed: usize,
}

impl Job {
    pub fn selection(&self) -> Selection {
        if self.warmup.iter().any(|name| name == "all") {
            Selection::All
        } else {
            Selection::Names(self.warmup.clone())
        }
    }

    /// The request for one of its runs.
    pub fn request(&self, trigger: Trigger) -> RunRequest {
        RunRequest {
            job: Some(self.name.clone()),
            settings: self.settings.clone(),
            ..RunRequest::new(self.selection(), trigger)
        }
    }

    /// The first time of the expression after an instant.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.cron.next_after(after, &self.zone)
    }

    /// All times that start after an instant, in order.
    pub fn coming(&self, after: Timestamp) -> impl Iterator<Item = Occurrence> {
        let earliest = self.back_from(after);
        let times = std::iter::successors(self.next_after(earliest), |at| self.next_after(*at));
        let all = times.map(|at| Occurrence {
            at,
            starts: at.saturating_add(self.jitter_for(at)).unwrap_or(Timestamp::MAX),
        });
        all.skip_while(move |time| time.starts <= after)
    }

    /// A time from which no start after an instant is missed: every time starts before the next
    /// one, so the time before the instant is early enough, whatever the jitter is.
    fn back_from(&self, after: Timestamp) -> Timestamp {
        let back = |by: Duration| after.saturating_sub(by).unwrap_or(Timestamp::MIN);
        let steps = std::iter::successors(Some(Duration::from_secs(1)), |by| by.checked_mul(2));
        let mut narrower = steps.take_while(|by| *by < self.jitter).map(back);
        let has_one = |from: &Timestamp| self.next_after(*from).is_some_and(|at| at <= after);
        narrower.find(has_one).unwrap_or_else(|| back(self.jitter))
    }

    /// The delay of a start after its time: the same on every server, and always before the next
    /// time.
    pub fn jitter_for(&self, at: Timestamp) -> Duration {
        if self.jitter.is_zero() {
            return Duration::ZERO;
        }
        let next = self.next_after(at).unwrap_or(Timestamp::MAX);
        let gap = Duration::try_from(next.duration_since(at)).unwrap_or_default();
        let most = self.jitter.min(gap.saturating_sub(Duration::from_secs(1)));
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let digest = Sha256::digest(format!("{} {}", self.name, at.as_second()));
        let first = digest.iter().take(8);
        let chance = first.fold(0, |number, byte| (number << 8) | u64::from(*byte));
        Duration::from_millis(chance % most.saturating_add(1))
    }

    /// The times that have come due after `since`, up to `now`. However many were missed, only one
    /// runs, and none if even the latest is older than the grace.
    pub fn due(&self, since: Timestamp, now: Timestamp) -> Due {
        let passed = |after: Timestamp| self.coming(after).take_while(move |t| t.starts <= now);
        let just_too_late = now
            .saturating_sub(self.grace.saturating_add(Duration::from_nanos(1)))
            .unwrap_or(Timestamp::MIN);
        let run = passed(since.max(just_too_late)).last();
        let all = passed(since).take(MAX_COUNTED).count();
        Due { run, missed: all - usize::from(run.is_some()).min(all) }
    }

    /// Orders jobs that are due at the same instant: those that warm the most first, so that the
    /// others find their keys already warm; then by name.
    pub fn rank(&self) -> (Reverse<usize>, &str) {
        let contexts = self.warmup.iter().filter(|name| !name.contains('/'));
        let width = match self.selection() {
            Selection::All => usize::MAX,
            _ => contexts.count(),
        };
        (Reverse(width), &self.name)
    }
}

/// Jobs in the order of [`Job::rank`].
pub fn widest_first<'j>(jobs: impl IntoIterator<Item = &'j Job>) -> Vec<&'j Job> {
    let mut jobs: Vec<&Job> = jobs.into_iter().collect();
    jobs.sort_by_key(|job| job.rank());
    jobs
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::application::schedule::Zone;

    pub(crate) fn job(cron: &str, zone: &str) -> Job {
        Job {
            name: "nightly".to_owned(),
            cron: cron.parse().expect(cron),
            zone: zone.parse::<Zone>().expect(zone).0,
            warmup: vec!["all".to_owned()],
            settings: RunSettings::default(),
            overlap: Overlap::Skip,
            grace: minutes(10),
            jitter: Duration::ZERO,
            file: None,
        }
    }

    pub(crate) fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    pub(crate) fn minutes(n: u64) -> Duration {
        Duration::from_secs(n * 60)
    }

    #[test]
    fn a_missed_time_runs_once_within_the_grace() {
        let job = job("*/30 * * * *", "UTC");
        let due = |since: &str, now: &str| {
            let due = job.due(at(since), at(now));
            (due.run.map(|time| time.at.to_string()), due.missed)
        };
        let of = |time: &str| Some(time.to_owned());
        let started = "2026-01-01T10:00:00Z";
        assert_eq!(due(started, "2026-01-01T10:29:59Z"), (None, 0));
        assert_eq!(due(started, "2026-01-01T10:30:00Z"), (of("2026-01-01T10:30:00Z"), 0));
        assert_eq!(due(started, "2026-01-01T10:40:00Z"), (of("2026-01-01T10:30:00Z"), 0));
        assert_eq!(due(started, "2026-01-01T10:40:00.1Z"), (None, 1));
        assert_eq!(due(started, "2026-01-01T12:05:00Z"), (of("2026-01-01T12:00:00Z"), 3));
        assert_eq!(due(started, "2026-01-01T12:25:00Z"), (None, 4));
        assert_eq!(due("2026-01-01T10:30:00Z", "2026-01-01T10:30:00Z"), (None, 0));
        assert_eq!(due(started, "2026-01-01T09:00:00Z"), (None, 0), "the clock went back");
        let long = Job { grace: minutes(100), ..job.clone() };
        let missed = long.due(at(started), at("2026-01-01T12:05:00Z"));
        assert_eq!(
            (missed.run.map(|t| t.at), missed.missed),
            (Some(at("2026-01-01T12:00:00Z")), 3)
        );
    }

    #[test]
    fn jitter_is_the_same_everywhere_and_ends_before_the_next_time() {
        let still = job("*/30 * * * *", "UTC");
        let spread = Job { jitter: minutes(120), ..still.clone() };
        let from = at("2026-01-01T00:00:00Z");
        let times: Vec<Occurrence> = spread.coming(from).take(200).collect();
        for time in &times {
            assert!(time.starts >= time.at);
            assert!(time.starts < still.next_after(time.at).expect("one"));
            assert_eq!(spread.clone().jitter_for(time.at), spread.jitter_for(time.at));
            // It is due at its start, not at its time.
            let just_before = time.starts.saturating_sub(Duration::from_millis(1));
            let just_before = just_before.expect("a time");
            assert!(spread.due(just_before, time.starts).run == Some(*time));
        }
        let mut delays: Vec<Duration> = times.iter().map(|t| spread.jitter_for(t.at)).collect();
        delays.sort();
        delays.dedup();
        assert!(delays.len() > 190, "they are spread");
        assert!(delays[0] < minutes(3) && delays[delays.len() - 1] > minutes(27));
        let endless =
            Job { jitter: minutes(60 * 24 * 366 * 100), ..job("* * * * * *", "Europe/Berlin") };
        assert!(endless.coming(from).take(10).is_sorted_by(|a, b| a.starts < b.starts));
        let other = Job { name: "other".to_owned(), ..spread.clone() };
        assert_ne!(other.jitter_for(from), spread.jitter_for(from));
        assert_eq!(still.jitter_for(from), Duration::ZERO);
    }

    #[test]
    fn the_widest_goes_first() {
        let of = |name: &str, warmup: &[&str]| Job {
            name: name.to_owned(),
            warmup: warmup.iter().map(|&name| name.to_owned()).collect(),
            ..job("0 2 * * *", "UTC")
        };
        let jobs = [
            of("a", &["catalog/categories"]),
            of("d", &["catalog/categories", "ordering"]),
            of("c", &["catalog"]),
            of("e", &["catalog", "all"]),
            of("f", &["ordering", "catalog"]),
        ];
        let order: Vec<&str> = widest_first(&jobs).iter().map(|job| &*job.name).collect();
        assert_eq!(order, ["e", "f", "c", "d", "a"]);
    }
}
