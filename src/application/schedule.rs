//! Jobs that run by the clock: when, and what. It has no clock of its own: `now` is always given.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use croner::parser::{CronParser, Year};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Zoned};
use sha2::{Digest as _, Sha256};

use super::ports::Mode;
use super::selection::{Filter, Selection, select};
use super::service::{Order, Wishes};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::run::Trigger;
use crate::domain::strategy::{Definition, StrategyId};

/// How late a time that was missed may still run, where a job does not say.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10 * 60);

/// Missed times are counted so far: a clock that jumps by years is not to keep anybody busy.
const MOST_COUNTED: usize = 10_000;

const FIELDS: [&str; 6] = [
    "second",
    "minute",
    "hour",
    "day of the month",
    "month",
    "day of the week",
];

const EXAMPLES: &str = r#"such as "0 2 * * *" for 02:00 every day, "*/30 * * * *" for every half hour or "0 1 * * 6" for Saturday 01:00"#;

/// A cron expression: five fields, or six with seconds first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    text: String,
    pattern: croner::Cron,
    /// It runs in each hour of a day.
    every_hour: bool,
}

impl Cron {
    /// The first time after an instant.
    ///
    /// Where the clocks change, a time of day that the expression names runs once: at the first of
    /// two such times, and where they skip it, right after. One for every hour goes by the time that
    /// passes: it runs in both of two equal hours, and not in one that there is not. croner has
    /// this rule for a single time of day only; `30 2,14 * * *` would lose a run, and double one.
    fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let after = after.to_zoned(zone.clone());
        if self.every_hour {
            let next = self.pattern.find_next_occurrence::<Zoned>(&after, false);
            return Some(next.ok()?.timestamp());
        }
        let mut civil = after.datetime();
        loop {
            civil = self.pattern.find_next_occurrence(&civil, false).ok()?;
            let next = instant(civil, zone)?;
            if next > after.timestamp() {
                return Some(next);
            }
        }
    }
}

/// When clocks show this: the first of two such times; where they skip it, right after.
fn instant(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    match ambiguous.offset() {
        AmbiguousOffset::Gap { after, .. } => {
            let before_the_change = after.to_timestamp(civil).ok()?;
            let change = zone.following(before_the_change).next()?;
            Some(change.timestamp())
        }
        _ => ambiguous.earlier().ok(),
    }
}

impl FromStr for Cron {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: String| format!("`{text}` is no time for a job: {why}; {EXAMPLES}");
        let fields: Vec<&str> = text.split_whitespace().collect();
        let is_nickname = text.trim_start().starts_with('@');
        if !is_nickname && !(5..=6).contains(&fields.len()) {
            let n = fields.len();
            return Err(wrong(format!(
                "it has {n} field{}, not 5 (or 6 with seconds first)",
                if n == 1 { "" } else { "s" }
            )));
        }
        let parse = |text: &str| {
            let parser = CronParser::builder().year(Year::Disallowed).build();
            parser.parse(text)
        };
        let pattern = parse(text).map_err(|error| {
            let alone = |i: &usize| {
                let mut stars = vec!["*"; fields.len()];
                stars[*i] = fields[*i];
                parse(&stars.join(" ")).is_err()
            };
            match (0..fields.len()).find(alone) {
                Some(i) if !is_nickname => {
                    let name = FIELDS[i + FIELDS.len() - fields.len()];
                    wrong(format!("`{}` is no {name}", fields[i]))
                }
                _ => wrong(error.to_string()),
            }
        })?;
        // The calendar repeats: what does not come after this day never comes.
        let any_day = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);
        if pattern.find_next_occurrence(&any_day, true).is_err() {
            return Err(wrong("there is no such day in any year".to_owned()));
        }
        let every_hour = (0..24).all(|hour| pattern.pattern.hour_match(hour).unwrap_or(false));
        Ok(Self {
            text: fields.join(" "),
            pattern,
            every_hour,
        })
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What happens at a job's time while another run holds what it would warm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// This time is left out.
    #[default]
    Skip,
    /// It runs afterwards.
    Queue,
}

/// A run that comes again and again.
#[derive(Clone, Debug)]
pub struct Job {
    pub name: String,
    pub cron: Cron,
    pub zone: TimeZone,
    /// `all`, or names of contexts and strategies, as they were said.
    pub warmup: Vec<String>,
    /// What its run does otherwise than others.
    pub concurrency: Option<usize>,
    /// Keys a second at most.
    pub rate: Option<u64>,
    /// No faster than the servers bear.
    pub gentle: Option<bool>,
    pub mode: Option<Mode>,
    /// Values that stand there already are not sent again.
    pub skip_identical: Option<bool>,
    /// Only what changed.
    pub changed: Option<bool>,
    /// A definition that does not fit stops the run.
    pub strict: Option<bool>,
    pub limit: Option<u64>,
    pub tags: Option<Vec<String>>,
    pub overlap: Overlap,
    /// How late a time that was missed may still run.
    pub grace: Duration,
    /// Starts are spread over so long after the time.
    pub jitter: Duration,
    /// The file that says what it warms; `None`: it is shipped.
    pub file: Option<String>,
}

/// One of a job's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// As the expression says.
    pub at: Timestamp,
    /// With the jitter.
    pub starts: Timestamp,
}

/// What a job has to do between two looks at the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The latest time, if it is not too late for it.
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

    /// The order for one of its runs. Its options are that run's, and no other's.
    pub fn order(&self, trigger: Trigger) -> Order {
        Order {
            job: Some(self.name.clone()),
            wishes: Wishes {
                concurrency: self.concurrency,
                rate: self.rate.map(Some),
                gentle: self.gentle,
                mode: self.mode,
                skip_identical: self.skip_identical,
                changed: self.changed,
                strict: self.strict,
                tags: self.tags.clone(),
                limit: self.limit,
                dry_run: false,
            },
            ..Order::new(self.selection(), trigger)
        }
    }

    /// Its own tags stand for the usual ones; what is excluded stays so.
    pub fn filter(&self, usual: &Filter) -> Filter {
        Filter {
            tags: self.tags.clone().unwrap_or_else(|| usual.tags.clone()),
            ..usual.clone()
        }
    }

    /// The first time after an instant, as the expression says it.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.cron.next_after(after, &self.zone)
    }

    /// All times that start after an instant, in order.
    pub fn coming(&self, after: Timestamp) -> impl Iterator<Item = Occurrence> {
        let earliest = self.back_from(after);
        let times = std::iter::successors(self.next_after(earliest), |at| self.next_after(*at));
        let all = times.map(|at| Occurrence {
            at,
            starts: at
                .saturating_add(self.jitter_for(at))
                .unwrap_or(Timestamp::MAX),
        });
        all.skip_while(move |time| time.starts <= after)
    }

    /// A time from which on none is missed that starts after an instant: every time starts before
    /// the next, so one before the instant is enough, however wide the jitter is.
    fn back_from(&self, after: Timestamp) -> Timestamp {
        let back = |by: Duration| after.saturating_sub(by).unwrap_or(Timestamp::MIN);
        let steps = std::iter::successors(Some(Duration::from_secs(1)), |by| by.checked_mul(2));
        let mut narrower = steps.take_while(|by| *by < self.jitter).map(back);
        let has_one = |from: &Timestamp| self.next_after(*from).is_some_and(|at| at <= after);
        narrower.find(has_one).unwrap_or_else(|| back(self.jitter))
    }

    /// How long after one of its times it starts: the same on every server, and always before the
    /// next time.
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

    /// What there is to do of the times that have started after `since`, up to `now`. However many
    /// were missed, one runs, unless even the latest is longer ago than the grace.
    pub fn due(&self, since: Timestamp, now: Timestamp) -> Due {
        let passed = |after: Timestamp| self.coming(after).take_while(move |t| t.starts <= now);
        let just_too_late = now
            .saturating_sub(self.grace.saturating_add(Duration::from_nanos(1)))
            .unwrap_or(Timestamp::MIN);
        let run = passed(since.max(just_too_late)).last();
        let all = passed(since).take(MOST_COUNTED).count();
        Due {
            run,
            missed: all - usize::from(run.is_some()).min(all),
        }
    }

    /// Orders jobs that are due at one instant: the widest first, so that what the narrower ones
    /// would warm is warm already; then by name.
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

/// All jobs, by name.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    pub jobs: BTreeMap<String, Job>,
}

/// A job and the strategies that its names mean.
#[derive(Clone, Debug)]
pub struct PlannedJob {
    pub job: Job,
    pub strategies: Vec<StrategyId>,
}

impl Schedule {
    /// What each job warms of the definitions that there are. A shipped job of which nothing is
    /// left is left out: it was about strategies that the operator has taken away.
    ///
    /// # Errors
    /// A [`FailureKind::Config`] failure for a name that does not exist, in a job or in `usual`, or a
    /// job of the operator's that would warm nothing.
    pub fn plan(&self, all: &[Definition], usual: &Filter) -> Result<Vec<PlannedJob>, Failure> {
        usual.check(all)?;
        let mut planned = Vec::new();
        for job in self.jobs.values() {
            match select(all.to_vec(), &job.selection(), &job.filter(usual)) {
                Ok(selected) => planned.push(PlannedJob {
                    job: job.clone(),
                    strategies: selected.into_iter().map(|d| d.spec.id).collect(),
                }),
                Err(failure) => match &job.file {
                    None => {}
                    Some(file) => {
                        let why = failure.to_string();
                        let place = format!("{file}: schedule.{}", job.name);
                        return Err(Failure {
                            hint: failure.hint,
                            ..Failure::new(FailureKind::Config, place, why)
                        });
                    }
                },
            }
        }
        Ok(planned)
    }
}

/// How many jobs there are, and which of them runs next and when.
pub fn summary(jobs: &[PlannedJob], now: Timestamp) -> String {
    let next = jobs.iter().filter_map(|planned| {
        let time = planned.job.coming(now).next()?;
        Some((time.starts, &planned.job))
    });
    let Some((at, job)) = next.min_by_key(|(starts, job)| (*starts, job.rank())) else {
        return "no jobs are scheduled".to_owned();
    };
    let at = at.to_zoned(job.zone.clone());
    let s = if jobs.len() == 1 { "" } else { "s" };
    format!(
        "{} job{s}, next: {} at {} {}",
        jobs.len(),
        job.name,
        at.strftime("%F %H:%M"),
        zone_name(&job.zone),
    )
}

/// A time zone by its name, such as `Europe/Berlin`.
///
/// # Errors
/// Says what a name is like, with one that may be meant.
pub fn parse_zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name.trim()).map_err(|_| {
        let all: Vec<String> = jiff::tz::db()
            .available()
            .map(|known| known.as_str().to_owned())
            .collect();
        // The city alone is what many say.
        let city = |known: &&String| {
            let known = known.rsplit('/').next().unwrap_or_default();
            known.eq_ignore_ascii_case(name)
        };
        let meant = all.iter().find(city).map(String::as_str);
        let near = || crate::domain::nearest::nearest(name, all.iter().map(String::as_str));
        match meant.or_else(near) {
            Some(meant) => format!("there is no time zone `{name}`; did you mean `{meant}`?"),
            None => format!("there is no time zone `{name}`; names are like `Europe/Berlin`"),
        }
    })
}

/// What a zone is called. One that the system describes by rules only has no name.
pub fn zone_name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("local")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(cron: &str, zone: &str) -> Job {
        Job {
            name: "nightly".to_owned(),
            cron: cron.parse().expect(cron),
            zone: parse_zone(zone).expect(zone),
            warmup: vec!["all".to_owned()],
            concurrency: None,
            rate: None,
            gentle: None,
            mode: None,
            skip_identical: None,
            changed: None,
            strict: None,
            limit: None,
            tags: None,
            overlap: Overlap::Skip,
            grace: DEFAULT_GRACE,
            jitter: Duration::ZERO,
            file: None,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    fn minutes(n: u64) -> Duration {
        Duration::from_secs(n * 60)
    }

    /// The times of some days, as clocks there show them.
    fn days(cron: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
        let job = job(cron, zone);
        let midnight = |day: &str| {
            let day: jiff::civil::Date = day.parse().expect(day);
            let midnight = day.to_zoned(job.zone.clone()).expect("a time");
            midnight.timestamp()
        };
        let (from, to) = (midnight(from), midnight(to));
        let before = from.saturating_sub(Duration::from_secs(1)).expect("a time");
        let times = job.coming(before).take_while(|time| time.at < to);
        let shown = times.map(|time| {
            let there = time.at.to_zoned(job.zone.clone());
            there.strftime("%d %H:%M%:z").to_string()
        });
        shown.collect()
    }

    /// Zones and their changes of 2026: the day before, the day itself, the day after.
    const CHANGES: [(&str, [&str; 3]); 7] = [
        ("Europe/Berlin", ["2026-03-28", "2026-03-29", "2026-03-30"]),
        ("Europe/Berlin", ["2026-10-24", "2026-10-25", "2026-10-26"]),
        (
            "America/New_York",
            ["2026-03-07", "2026-03-08", "2026-03-09"],
        ),
        (
            "America/New_York",
            ["2026-10-31", "2026-11-01", "2026-11-02"],
        ),
        (
            "Australia/Lord_Howe",
            ["2026-10-03", "2026-10-04", "2026-10-05"],
        ),
        (
            "Australia/Lord_Howe",
            ["2026-04-04", "2026-04-05", "2026-04-06"],
        ),
        // None there.
        ("Asia/Shanghai", ["2026-03-28", "2026-03-29", "2026-03-30"]),
    ];

    #[test]
    fn a_named_time_of_day_runs_once_whatever_the_clocks_do() {
        let of = |zone, from, to| days("30 2 * * *", zone, from, to);
        assert_eq!(
            of("Europe/Berlin", "2026-03-28", "2026-03-31"),
            ["28 02:30+01:00", "29 03:00+02:00", "30 02:30+02:00"]
        );
        assert_eq!(
            of("Europe/Berlin", "2026-10-24", "2026-10-27"),
            ["24 02:30+02:00", "25 02:30+02:00", "26 02:30+01:00"]
        );
        assert_eq!(
            of("America/New_York", "2026-03-08", "2026-03-10"),
            ["08 03:00-04:00", "09 02:30-04:00"]
        );
        assert_eq!(
            days("30 1 * * *", "America/New_York", "2026-11-01", "2026-11-03"),
            ["01 01:30-04:00", "02 01:30-05:00"]
        );
        assert_eq!(
            days(
                "15 2 * * *",
                "Australia/Lord_Howe",
                "2026-10-04",
                "2026-10-06"
            ),
            ["04 02:30+11:00", "05 02:15+11:00"]
        );
        assert_eq!(
            days(
                "45 1 * * *",
                "Australia/Lord_Howe",
                "2026-04-05",
                "2026-04-07"
            ),
            ["05 01:45+11:00", "06 01:45+10:30"]
        );
        assert_eq!(
            of("Asia/Shanghai", "2026-03-28", "2026-03-31"),
            ["28 02:30+08:00", "29 02:30+08:00", "30 02:30+08:00"]
        );
    }

    /// croner loses or doubles these: it takes a list, a range or a step for "all the time".
    #[test]
    fn so_does_each_of_several() {
        let of = |cron, from, to| days(cron, "Europe/Berlin", from, to);
        assert_eq!(
            of("30 2,14 * * *", "2026-03-29", "2026-03-30"),
            ["29 03:00+02:00", "29 14:30+02:00"]
        );
        assert_eq!(
            of("30 2,14 * * *", "2026-10-25", "2026-10-26"),
            ["25 02:30+02:00", "25 14:30+01:00"]
        );
        assert_eq!(
            of("0,30 2 * * *", "2026-03-29", "2026-03-30"),
            ["29 03:00+02:00"]
        );
        assert_eq!(
            of("0,30 2 * * *", "2026-10-25", "2026-10-26"),
            ["25 02:00+02:00", "25 02:30+02:00"]
        );
        assert_eq!(
            of("0 */2 * * *", "2026-10-25", "2026-10-26").len(),
            12,
            "every two hours, on the long day too"
        );
        assert_eq!(
            of("0 2-3 * * *", "2026-03-29", "2026-03-30"),
            ["29 03:00+02:00"]
        );
    }

    #[test]
    fn what_runs_in_every_hour_goes_by_the_time_that_passes() {
        for (zone, [before, day, after]) in CHANGES {
            for cron in ["*/30 * * * *", "*/10 * * * *"] {
                let job = job(cron, zone);
                let pause = minutes(if cron.starts_with("*/30") { 30 } else { 10 });
                let from = at(&format!("{before}T00:00:00Z"));
                let to = at(&format!("{after}T23:00:00Z"));
                let mut last = from;
                for time in job.coming(from).take_while(|time| time.at < to) {
                    let passed = Duration::try_from(time.at.duration_since(last));
                    assert_eq!(passed.ok(), Some(pause), "{zone} {day} {cron} {}", time.at);
                    last = time.at;
                }
                assert_eq!(last.saturating_add(pause).ok(), Some(to));
            }
        }
    }

    /// From wherever one looks, the next time is the same; and the engine that looks up times
    /// agrees with a clock that is looked at every minute.
    #[test]
    fn no_time_is_lost_or_doubled_wherever_one_looks_from() {
        for (zone, [before, _, after]) in CHANGES {
            for cron in [
                "*/30 * * * *",
                "15 * * * *",
                "30 2 * * *",
                "45 1 * * *",
                "30 1,2 * * *",
                "*/20 1-3 * * *",
                "0 0 * * *",
            ] {
                let job = job(cron, zone);
                let to = at(&format!("{after}T23:59:00Z"));
                let mut now = at(&format!("{before}T00:00:30.5Z"));
                let times: Vec<Timestamp> = job
                    .coming(now)
                    .map(|t| t.at)
                    .take_while(|at| *at < to)
                    .collect();
                assert!(times.is_sorted_by(|a, b| a < b), "{zone} {cron} {times:?}");
                let mut seen = Vec::new();
                while now < to {
                    let next = job.next_after(now).expect("one");
                    let expected = times.iter().find(|at| **at > now);
                    assert!(expected.is_none_or(|at| *at == next), "{zone} {cron} {now}");
                    let minute = now.saturating_add(Duration::from_millis(29_500));
                    let minute = minute.expect("a time").to_zoned(job.zone.clone());
                    if job.cron.every_hour
                        && job.cron.pattern.is_time_matching(&minute).is_ok_and(|m| m)
                    {
                        seen.push(minute.timestamp());
                    }
                    now = now.saturating_add(minutes(1)).expect("a time");
                }
                assert!(!job.cron.every_hour || seen == times, "{zone} {cron}");
            }
        }
    }

    #[test]
    fn seconds_may_stand_first() {
        let job = job("15 0 2 * * *", "UTC");
        assert_eq!(
            job.next_after(at("2026-01-01T02:00:14.9Z")),
            Some(at("2026-01-01T02:00:15Z"))
        );
        assert_eq!(
            job.next_after(at("2026-01-01T02:00:15Z")),
            Some(at("2026-01-02T02:00:15Z"))
        );
    }

    #[test]
    fn a_wrong_expression_is_explained() {
        for (cron, why) in [
            ("", "it has 0 fields"),
            ("* * *", "it has 3 fields, not 5"),
            ("0 0 2 * * * 2030", "it has 7 fields"),
            ("61 2 * * *", "`61` is no minute"),
            ("0 25 * * *", "`25` is no hour"),
            ("0 0 25 * * *", "`25` is no hour"),
            ("0 2 * * MOON", "`MOON` is no day of the week"),
            ("0 2 30 2 *", "there is no such day"),
            ("@fortnightly", "such as \"0 2 * * *\""),
        ] {
            let error = cron.parse::<Cron>().expect_err(cron);
            assert!(error.contains(why), "{cron}: {error}");
            assert!(error.contains("*/30 * * * *"), "{error}");
        }
        for cron in ["0 2 29 2 *", "@daily", "0 1 * * SAT", "0 2 L * *"] {
            assert!(cron.parse::<Cron>().is_ok(), "{cron}");
        }
    }

    #[test]
    fn a_wrong_zone_is_explained() {
        for (name, meant) in [
            ("Berlin", "`Europe/Berlin`"),
            ("America/New York", "`America/New_York`"),
            ("Europe/Berln", "`Europe/Berlin`"),
            ("noon", "names are like `Europe/Berlin`"),
        ] {
            let error = parse_zone(name).expect_err(name);
            assert!(error.contains(meant), "{error}");
        }
        let zone = parse_zone("asia/shanghai").expect("a zone");
        assert_eq!(zone_name(&zone), "Asia/Shanghai");
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
        assert_eq!(
            due(started, "2026-01-01T10:30:00Z"),
            (of("2026-01-01T10:30:00Z"), 0)
        );
        assert_eq!(
            due(started, "2026-01-01T10:40:00Z"),
            (of("2026-01-01T10:30:00Z"), 0)
        );
        assert_eq!(due(started, "2026-01-01T10:40:00.1Z"), (None, 1));
        assert_eq!(
            due(started, "2026-01-01T12:05:00Z"),
            (of("2026-01-01T12:00:00Z"), 3)
        );
        assert_eq!(due(started, "2026-01-01T12:25:00Z"), (None, 4));
        assert_eq!(
            due("2026-01-01T10:30:00Z", "2026-01-01T10:30:00Z"),
            (None, 0)
        );
        assert_eq!(
            due(started, "2026-01-01T09:00:00Z"),
            (None, 0),
            "the clock went back"
        );
        let long = Job {
            grace: minutes(100),
            ..job.clone()
        };
        let missed = long.due(at(started), at("2026-01-01T12:05:00Z"));
        assert_eq!(
            (missed.run.map(|t| t.at), missed.missed),
            (Some(at("2026-01-01T12:00:00Z")), 3)
        );
    }

    #[test]
    fn jitter_is_the_same_everywhere_and_ends_before_the_next_time() {
        let still = job("*/30 * * * *", "UTC");
        let spread = Job {
            jitter: minutes(120),
            ..still.clone()
        };
        let from = at("2026-01-01T00:00:00Z");
        let times: Vec<Occurrence> = spread.coming(from).take(200).collect();
        for time in &times {
            assert!(time.starts >= time.at);
            assert!(time.starts < still.next_after(time.at).expect("one"));
            assert_eq!(
                spread.clone().jitter_for(time.at),
                spread.jitter_for(time.at)
            );
            // It is due when it starts, not when its time is.
            let just_before = time.starts.saturating_sub(Duration::from_millis(1));
            let just_before = just_before.expect("a time");
            assert!(spread.due(just_before, time.starts).run == Some(*time));
        }
        let mut delays: Vec<Duration> = times.iter().map(|t| spread.jitter_for(t.at)).collect();
        delays.sort();
        delays.dedup();
        assert!(delays.len() > 190, "they are spread");
        assert!(delays[0] < minutes(3) && delays[delays.len() - 1] > minutes(27));
        let endless = Job {
            jitter: minutes(60 * 24 * 366 * 100),
            ..job("* * * * * *", "Europe/Berlin")
        };
        assert!(
            endless
                .coming(from)
                .take(10)
                .is_sorted_by(|a, b| a.starts < b.starts)
        );
        let other = Job {
            name: "other".to_owned(),
            ..spread.clone()
        };
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
