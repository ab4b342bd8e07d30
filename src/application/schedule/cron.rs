//! The times of a cron expression.

use std::fmt;
use std::str::FromStr;

use croner::parser::{CronParser, Year};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Zoned};

use crate::application::settings::values::text;

text!(Cron);

const FIELDS: [&str; 6] =
    ["second", "minute", "hour", "day of the month", "month", "day of the week"];

const EXAMPLES: &str = r#"such as "0 2 * * *" for 02:00 every day, "*/30 * * * *" for every half hour or "0 1 * * 6" for Saturday 01:00"#;

/// A cron expression: five fields, or six with seconds first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    text: String,
    pattern: croner::Cron,
    /// Whether it runs in every hour of a day.
    every_hour: bool,
}

impl Cron {
    /// The first time after an instant.
    ///
    /// When clocks change, a time of day in the expression runs once: at the first of two equal
    /// times, or right after a skipped one. An expression for every hour follows elapsed time: it
    /// runs in both of two equal hours, and not in a skipped one. croner applies this rule only to a
    /// single time of day; with `30 2,14 * * *` it would lose one run and repeat another.
    pub(super) fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
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

/// The instant of a local time: the first of two equal times, or right after a skipped one.
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
        let wrong =
            |why: String| format!("`{text}` is not a valid cron expression: {why}; {EXAMPLES}");
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
                    wrong(format!("`{}` is not a valid {name}", fields[i]))
                }
                _ => wrong(error.to_string()),
            }
        })?;
        // The calendar repeats: an expression without a time after this day never has one.
        let any_day = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);
        if pattern.find_next_occurrence(&any_day, true).is_err() {
            return Err(wrong("there is no such day in any year".to_owned()));
        }
        let every_hour = (0..24).all(|hour| pattern.pattern.hour_match(hour).unwrap_or(false));
        Ok(Self { text: fields.join(" "), pattern, every_hour })
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::application::schedule::job::tests::{at, job, minutes};

    /// The times within some days, as local clocks show them.
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
        ("America/New_York", ["2026-03-07", "2026-03-08", "2026-03-09"]),
        ("America/New_York", ["2026-10-31", "2026-11-01", "2026-11-02"]),
        ("Australia/Lord_Howe", ["2026-10-03", "2026-10-04", "2026-10-05"]),
        ("Australia/Lord_Howe", ["2026-04-04", "2026-04-05", "2026-04-06"]),
        // This zone has no change.
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
            days("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", "2026-10-06"),
            ["04 02:30+11:00", "05 02:15+11:00"]
        );
        assert_eq!(
            days("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", "2026-04-07"),
            ["05 01:45+11:00", "06 01:45+10:30"]
        );
        assert_eq!(
            of("Asia/Shanghai", "2026-03-28", "2026-03-31"),
            ["28 02:30+08:00", "29 02:30+08:00", "30 02:30+08:00"]
        );
    }

    /// croner loses or repeats these: it treats a list, a range or a step like every hour.
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
        assert_eq!(of("0,30 2 * * *", "2026-03-29", "2026-03-30"), ["29 03:00+02:00"]);
        assert_eq!(
            of("0,30 2 * * *", "2026-10-25", "2026-10-26"),
            ["25 02:00+02:00", "25 02:30+02:00"]
        );
        assert_eq!(
            of("0 */2 * * *", "2026-10-25", "2026-10-26").len(),
            12,
            "every two hours, also on the long day"
        );
        assert_eq!(of("0 2-3 * * *", "2026-03-29", "2026-03-30"), ["29 03:00+02:00"]);
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

    /// From any starting point the next time is the same, and it agrees with a clock that is
    /// checked every minute.
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
                let times: Vec<Timestamp> =
                    job.coming(now).map(|t| t.at).take_while(|at| *at < to).collect();
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
        assert_eq!(job.next_after(at("2026-01-01T02:00:14.9Z")), Some(at("2026-01-01T02:00:15Z")));
        assert_eq!(job.next_after(at("2026-01-01T02:00:15Z")), Some(at("2026-01-02T02:00:15Z")));
    }

    #[test]
    fn a_wrong_expression_is_explained() {
        for (cron, why) in [
            ("", "it has 0 fields"),
            ("* * *", "it has 3 fields, not 5"),
            ("0 0 2 * * * 2030", "it has 7 fields"),
            ("61 2 * * *", "`61` is not a valid minute"),
            ("0 25 * * *", "`25` is not a valid hour"),
            ("0 0 25 * * *", "`25` is not a valid hour"),
            ("0 2 * * MOON", "`MOON` is not a valid day of the week"),
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
}
