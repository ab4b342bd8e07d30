//! The `[schedule.NAME]` tables: each a job, or any part of a shipped one where those are there.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::ModeName;
use crate::application::schedule::{Cron, DEFAULT_GRACE, Job, Overlap, Schedule, parse_zone};
use crate::domain::amount::Amount;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::nearest::nearest;
use crate::domain::settings_text::{parse_toml, parse_ttl};
use crate::domain::strategy::is_name;

const SHIPPED: &str = include_str!("schedule.toml");

/// Jobs as a file writes them.
pub(super) type Jobs = BTreeMap<String, JobPatch>;

/// A job in one file: any part of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JobPatch {
    cron: Option<Text<Cron>>,
    warmup: Option<Names>,
    concurrency: Option<Concurrency>,
    rate: Option<Amount>,
    gentle: Option<bool>,
    mode: Option<ModeName>,
    skip_identical: Option<bool>,
    changed: Option<bool>,
    strict: Option<bool>,
    limit: Option<Limit>,
    tags: Option<Vec<String>>,
    timezone: Option<Text<Zone>>,
    overlap: Option<OverlapName>,
    grace: Option<Text<Span>>,
    jitter: Option<Text<Span>>,
    enabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Shipped {
    schedule: Jobs,
}

impl JobPatch {
    fn over(self, base: Self) -> Self {
        Self {
            cron: self.cron.or(base.cron),
            warmup: self.warmup.or(base.warmup),
            concurrency: self.concurrency.or(base.concurrency),
            rate: self.rate.or(base.rate),
            gentle: self.gentle.or(base.gentle),
            mode: self.mode.or(base.mode),
            skip_identical: self.skip_identical.or(base.skip_identical),
            changed: self.changed.or(base.changed),
            strict: self.strict.or(base.strict),
            limit: self.limit.or(base.limit),
            tags: self.tags.or(base.tags),
            timezone: self.timezone.or(base.timezone),
            overlap: self.overlap.or(base.overlap),
            grace: self.grace.or(base.grace),
            jitter: self.jitter.or(base.jitter),
            enabled: self.enabled.or(base.enabled),
        }
    }
}

/// The operator's jobs, as the `[schedule.NAME]` tables of a file say them.
#[derive(Clone, Debug)]
pub struct OwnJobs {
    pub(super) jobs: Jobs,
    pub(super) file: String,
    /// Of jobs that name none.
    pub(super) zone: TimeZone,
}

impl OwnJobs {
    /// The jobs that `serve` runs: the operator's, merged over the shipped ones where those are
    /// there.
    ///
    /// # Errors
    /// What a job lacks, or its name that cannot be one.
    pub fn schedule(&self, with_shipped: bool) -> Result<Schedule, Failure> {
        let shipped: Shipped = parse_toml(SHIPPED, "the shipped schedule")?;
        let shipped = shipped.schedule;
        let mut merged: BTreeMap<&str, (JobPatch, Option<&str>)> = BTreeMap::new();
        for (name, job) in shipped.iter().filter(|_| with_shipped) {
            merged.insert(name, (job.clone(), None));
        }
        for (name, job) in &self.jobs {
            let (base, place) = merged.remove(name.as_str()).unwrap_or_default();
            // Who says what it warms, or in which tags, answers for its warming something.
            let says = job.warmup.is_some() || job.tags.is_some();
            let place = if says {
                Some(self.file.as_str())
            } else {
                place
            };
            merged.insert(name, (job.clone().over(base), place));
        }
        let mut schedule = Schedule::default();
        for (name, (job, place)) in merged {
            if job.enabled == Some(false) {
                continue;
            }
            let job = complete(name, job, place, &self.zone).map_err(|why| {
                let what = format!("{}: schedule.{name}", self.file);
                let failure = Failure::new(FailureKind::Config, what, why);
                hint(failure, name, &shipped, with_shipped)
            })?;
            schedule.jobs.insert(name.to_owned(), job);
        }
        Ok(schedule)
    }
}

/// A job that says too little may have been meant as a change of a shipped one.
fn hint(failure: Failure, name: &str, shipped: &Jobs, with_shipped: bool) -> Failure {
    let known = shipped.keys().map(String::as_str);
    match nearest(name, known) {
        Some(meant) if with_shipped && meant != name => {
            failure.hint(format!("did you mean `{meant}`?"))
        }
        Some(meant) if !with_shipped && meant == name => failure.hint(format!(
            "the shipped job `{name}` is off, as you have definitions of your own: write all of it"
        )),
        _ => failure,
    }
}

/// A complete job, or why it is none.
fn complete(
    name: &str,
    job: JobPatch,
    place: Option<&str>,
    zone: &TimeZone,
) -> Result<Job, String> {
    if !is_name(name) {
        return Err(
            "a job's name is a lower-case letter, then lower-case letters, digits, - and _"
                .to_owned(),
        );
    }
    let cron = job
        .cron
        .ok_or(r#"cron is missing, such as cron = "30 8 * * *" for 08:30 every day"#)?;
    let warmup = job
        .warmup
        .ok_or(r#"warmup is missing, such as warmup = "all" or warmup = ["catalog"]"#)?;
    let zone = job.timezone.map_or_else(|| zone.clone(), |zone| zone.0.0);
    Ok(Job {
        name: name.to_owned(),
        cron: cron.0,
        zone,
        warmup: warmup.0,
        concurrency: job.concurrency.map(|n| n.0 as usize),
        rate: job.rate.map(Amount::get),
        gentle: job.gentle,
        mode: job.mode.map(Into::into),
        skip_identical: job.skip_identical,
        changed: job.changed,
        strict: job.strict,
        limit: job.limit.map(|n| n.0),
        tags: job.tags,
        overlap: match job.overlap {
            None | Some(OverlapName::Skip) => Overlap::Skip,
            Some(OverlapName::Queue) => Overlap::Queue,
        },
        grace: job.grace.map_or(DEFAULT_GRACE, |span| span.0.0),
        jitter: job.jitter.map_or(Duration::ZERO, |span| span.0.0),
        file: place.map(str::to_owned),
    })
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OverlapName {
    Skip,
    Queue,
}

/// A value that is written as a text. Read where it stands, so that an error knows its line.
#[derive(Clone, Debug)]
pub(super) struct Text<T>(pub(super) T);

impl<'de, T: std::str::FromStr<Err = String>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

/// A time zone by its name.
#[derive(Clone, Debug)]
pub(super) struct Zone(pub(super) TimeZone);

impl std::str::FromStr for Zone {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        parse_zone(name).map(Self)
    }
}

/// A duration that may be none.
#[derive(Clone, Debug)]
struct Span(Duration);

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_zero = humantime::parse_duration(text).is_ok_and(|span| span.is_zero());
        let span = if is_zero {
            Duration::ZERO
        } else {
            parse_ttl(text)?
        };
        Ok(Self(span))
    }
}

/// The range of `--concurrency`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "i64")]
struct Concurrency(u32);

impl TryFrom<i64> for Concurrency {
    type Error = String;

    fn try_from(n: i64) -> Result<Self, Self::Error> {
        match u32::try_from(n) {
            Ok(small @ 1..=1000) => Ok(Self(small)),
            _ => Err(format!("concurrency: {n} is not in 1..1000")),
        }
    }
}

/// The range of `--limit`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "i64")]
struct Limit(u64);

impl TryFrom<i64> for Limit {
    type Error = String;

    fn try_from(n: i64) -> Result<Self, Self::Error> {
        match u64::try_from(n) {
            Ok(some @ 1..) => Ok(Self(some)),
            _ => Err(format!("limit: {n} is less than 1")),
        }
    }
}

/// One name, or a list of them; with `all` among them that is all.
#[derive(Clone, Debug)]
pub(super) struct Names(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#""all", or a list of "context" and "context/strategy" names"#)
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Names, E> {
        Ok(Names(vec![name.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
        let mut names: Vec<String> = Vec::new();
        while let Some(name) = list.next_element::<String>()? {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.is_empty() {
            let why = r#"warmup names nothing; enabled = false takes a job away"#;
            return Err(de::Error::custom(why));
        }
        if names.iter().any(|name| name == "all") {
            names = vec!["all".to_owned()];
        }
        Ok(Names(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        schedule: Jobs,
    }

    fn merged(text: &str) -> Result<Schedule, Failure> {
        own_jobs(text)?.schedule(true)
    }

    fn own_jobs(text: &str) -> Result<OwnJobs, Failure> {
        let file: File = parse_toml(text, "shopwarm.toml")?;
        Ok(OwnJobs {
            jobs: file.schedule,
            file: "shopwarm.toml".to_owned(),
            zone: TimeZone::UTC,
        })
    }

    #[test]
    fn without_the_shipped_jobs_only_those_are_there_that_are_named() {
        let own = |text: &str| own_jobs(text).and_then(|jobs| jobs.schedule(false));
        assert!(own("").expect("valid").jobs.is_empty());
        let peak = "[schedule.peak]\ncron = \"30 8 * * *\"\nwarmup = \"all\"";
        let jobs = own(peak).expect("valid").jobs;
        assert_eq!(jobs.keys().collect::<Vec<_>>(), ["peak"]);
        let part = own("[schedule.nightly]\nconcurrency = 5").expect_err("a part of a job");
        assert!(
            part.to_string()
                .contains("schedule.nightly: cron is missing"),
            "{part}"
        );
        let hint = part.hint.unwrap_or_default();
        assert!(hint.contains("the shipped job `nightly` is off"), "{hint}");
    }

    #[test]
    fn two_jobs_are_shipped() {
        let jobs = merged("").expect("valid").jobs;
        let shown: Vec<String> = jobs
            .values()
            .map(|job| {
                format!(
                    "{}: {} {:?} {:?} {:?} {:?} {:?}",
                    job.name,
                    job.cron,
                    job.warmup,
                    job.concurrency,
                    job.overlap,
                    job.grace,
                    job.jitter
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                r#"catalog-incremental: */30 * * * * ["catalog"] None Skip 600s 0ns"#,
                r#"nightly: 0 2 * * * ["all"] Some(50) Skip 600s 0ns"#,
            ]
        );
    }

    #[test]
    fn jobs_merge_field_by_field() {
        let jobs = merged(
            r#"
            [schedule.nightly]
            cron = "15 3 * * *"
            timezone = "Asia/Shanghai"
            [schedule.catalog-incremental]
            enabled = false
            [schedule.peak]
            cron = "30 8 * * *"
            warmup = ["catalog/hot-products", "ordering", "ordering"]
            mode = "only-missing"
            overlap = "queue"
            grace = "0s"
            jitter = "90s"
            limit = 7
            timezone = "Europe/Berlin"
            tags = ["x"]
            "#,
        )
        .expect("valid")
        .jobs;
        let names: Vec<&String> = jobs.keys().collect();
        assert_eq!(names, ["nightly", "peak"]);
        let nightly = &jobs["nightly"];
        assert_eq!(nightly.cron.to_string(), "15 3 * * *");
        assert_eq!(nightly.zone.iana_name(), Some("Asia/Shanghai"));
        assert_eq!(nightly.concurrency, Some(50));
        assert_eq!(nightly.file, None, "what it warms is shipped");
        let peak = &jobs["peak"];
        assert_eq!(peak.warmup, ["catalog/hot-products", "ordering"]);
        assert_eq!((peak.limit, peak.overlap), (Some(7), Overlap::Queue));
        assert_eq!(peak.grace, Duration::ZERO);
        assert_eq!(peak.jitter, Duration::from_secs(90));
        assert_eq!(peak.zone.iana_name(), Some("Europe/Berlin"));
        assert_eq!(peak.file.as_deref(), Some("shopwarm.toml"));
    }

    #[test]
    fn all_in_a_list_is_all() {
        let text = "[schedule.nightly]\nwarmup = [\"catalog\", \"all\"]";
        assert_eq!(merged(text).expect("valid").jobs["nightly"].warmup, ["all"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, why, hint) in [
            (
                "nightly]\n\ncron = \"61 2 * * *\"",
                "line 3: `61 2 * * *`",
                None,
            ),
            (
                "nightly]\ncrom = \"\"",
                "line 2: unknown field `crom`",
                Some("`cron`"),
            ),
            (
                "nightly]\ntimezone = \"Berlin\"",
                "line 2: there is no time zone `Berlin`; did you mean `Europe/Berlin`?",
                None,
            ),
            (
                "nightly]\nconcurrency = 0",
                "line 2: concurrency: 0 is not in 1..1000",
                None,
            ),
            (
                "nightly]\nconcurrency = 1001",
                "line 2: concurrency: 1001",
                None,
            ),
            (
                "nightly]\nlimit = 0",
                "line 2: limit: 0 is less than 1",
                None,
            ),
            (
                "nightly]\nwarmup = []",
                "line 2: warmup names nothing",
                None,
            ),
            ("nightly]\nwarmup = 3", "expected \"all\", or a list", None),
            (
                "nightly]\ngrace = \"soon\"",
                "line 2: `soon` is no duration",
                None,
            ),
            (
                "nightly]\noverlap = \"skipp\"",
                "line 2: unknown variant `skipp`",
                Some("`skip`"),
            ),
            (
                "nigthly]\nconcurrency = 5",
                "schedule.nigthly: cron is missing",
                Some("`nightly`"),
            ),
            (
                "peak]\ncron = \"30 8 * * *\"",
                "schedule.peak: warmup is missing",
                None,
            ),
            (
                "Peak]\ncron = \"30 8 * * *\"\nwarmup = \"all\"",
                "schedule.Peak: a job's name is",
                None,
            ),
        ] {
            let failure = merged(&format!("[schedule.{text}")).expect_err(why);
            let said = failure.to_string();
            assert!(
                said.contains(why) && said.contains("shopwarm.toml"),
                "{said}"
            );
            match hint {
                Some(hint) => assert!(failure.hint.is_some_and(|h| h.contains(hint)), "{said}"),
                None => assert_eq!(failure.hint, None, "{said}"),
            }
        }
    }
}
