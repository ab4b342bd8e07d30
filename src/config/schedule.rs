//! The `[schedule.NAME]` tables: each a job, or part of a shipped job.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::application::schedule::{Cron, Job, Overlap, Schedule, Zone};
use crate::application::settings::group::{groups, settings};
use crate::application::settings::{Group as _, Names, RunSettings, SpanOrZero};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::nearest::nearest;
use crate::domain::settings_text::parse_toml;
use crate::domain::strategy::is_name;

const SHIPPED: &str = include_str!("schedule.toml");

settings! {
    /// When jobs run.
    #[derive(Args)]
    #[command(next_help_heading = "The schedule")]
    pub struct ScheduleSettings {
        /// Time zone of jobs that do not set one, such as Europe/Berlin [default: the system's, else UTC]
        #[arg(long, value_name = "ZONE", env = "SHOPWARM_TIMEZONE")]
        timezone: Zone = Zone(TimeZone::try_system().unwrap_or(TimeZone::UTC)),
    }
}

settings! {
    /// The settings of a job, besides those of its runs.
    pub struct JobSettings {
        cron: Cron,
        warmup: Names,
        timezone: Zone,
        overlap: Overlap = Overlap::Skip,
        grace: SpanOrZero = SpanOrZero(Duration::from_mins(10)),
        jitter: SpanOrZero = SpanOrZero(Duration::ZERO),
        enabled: bool = true,
    }
}

groups! {
    /// A job in one file; it may be incomplete.
    pub struct JobTable {
        job: JobSettings,
        run: RunSettings,
    }
}

/// The jobs of a file.
pub(super) type Jobs = BTreeMap<String, JobTable>;

#[derive(Debug, Deserialize)]
struct Shipped {
    schedule: Jobs,
}

impl JobTable {
    fn over(self, base: Self) -> Self {
        Self { job: self.job.over(base.job), run: self.run.gentle_by_latency().over(base.run) }
    }

    /// A complete job, or what it lacks.
    fn complete(self, name: &str, file: Option<&str>, zone: &TimeZone) -> Result<Job, String> {
        if !is_name(name) {
            let why = "a job's name starts with a lower-case letter and has only lower-case letters, digits, - and _";
            return Err(why.to_owned());
        }
        let job = self.job;
        let (overlap, grace, jitter) = (job.overlap(), job.grace().0, job.jitter().0);
        let no_cron = r#"cron is missing, such as cron = "30 8 * * *" for 08:30 every day"#;
        let no_names = r#"warmup is missing, such as warmup = "all" or warmup = ["catalog"]"#;
        Ok(Job {
            name: name.to_owned(),
            cron: job.cron.ok_or(no_cron)?,
            zone: job.timezone.map_or_else(|| zone.clone(), |zone| zone.0),
            warmup: job.warmup.ok_or(no_names)?.0,
            settings: self.run,
            overlap,
            grace,
            jitter,
            file: file.map(str::to_owned),
        })
    }
}

/// The operator's jobs.
#[derive(Clone, Debug)]
pub struct OwnJobs {
    pub(super) jobs: Jobs,
    pub(super) file: String,
    /// Default time zone.
    pub(super) zone: TimeZone,
}

impl OwnJobs {
    /// The jobs of `serve`: the operator's, merged over the shipped ones if those apply.
    ///
    /// # Errors
    /// A job is incomplete, or its name is not valid.
    pub fn schedule(&self, with_shipped: bool) -> Result<Schedule, Failure> {
        let shipped: Shipped = parse_toml(SHIPPED, "the shipped schedule")?;
        let shipped = shipped.schedule;
        let mut merged: BTreeMap<&str, (JobTable, Option<&str>)> = BTreeMap::new();
        for (name, job) in shipped.iter().filter(|_| with_shipped) {
            merged.insert(name, (job.clone(), None));
        }
        for (name, table) in &self.jobs {
            let (base, file) = merged.remove(name.as_str()).unwrap_or_default();
            // If the operator sets names or tags, the job must warm something.
            let says = table.job.warmup.is_some() || table.run.tags.is_some();
            let file = if says { Some(self.file.as_str()) } else { file };
            merged.insert(name, (table.clone().over(base), file));
        }
        let mut schedule = Schedule::default();
        for (name, (table, file)) in merged {
            if !table.job.enabled() {
                continue;
            }
            let job = table.complete(name, file, &self.zone).map_err(|why| {
                let what = format!("{}: schedule.{name}", self.file);
                let failure = Failure::new(FailureKind::Config, what, why);
                hint(failure, name, &shipped, with_shipped)
            })?;
            schedule.jobs.insert(name.to_owned(), job);
        }
        Ok(schedule)
    }
}

/// An incomplete job may be meant to change a shipped one.
fn hint(failure: Failure, name: &str, shipped: &Jobs, with_shipped: bool) -> Failure {
    let known = shipped.keys().map(String::as_str);
    match nearest(name, known) {
        Some(meant) if with_shipped && meant != name => {
            failure.hint(format!("did you mean `{meant}`?"))
        }
        Some(meant) if !with_shipped && meant == name => failure.hint(format!(
            "the shipped job `{name}` is off because you have your own definitions: write all of its fields"
        )),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::settings::Count;

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
        Ok(OwnJobs { jobs: file.schedule, file: "shopwarm.toml".to_owned(), zone: TimeZone::UTC })
    }

    #[test]
    fn without_the_shipped_jobs_only_those_are_there_that_are_named() {
        let own = |text: &str| own_jobs(text).and_then(|jobs| jobs.schedule(false));
        assert!(own("").expect("valid").jobs.is_empty());
        let peak = "[schedule.peak]\ncron = \"30 8 * * *\"\nwarmup = \"all\"";
        let jobs = own(peak).expect("valid").jobs;
        assert_eq!(jobs.keys().collect::<Vec<_>>(), ["peak"]);
        let part = own("[schedule.nightly]\nconcurrency = 5").expect_err("a part of a job");
        assert!(part.to_string().contains("schedule.nightly: cron is missing"), "{part}");
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
                    job.settings.concurrency.map(Count::get),
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
        assert_eq!(nightly.settings.concurrency, Some(Count::new(50)));
        assert_eq!(nightly.file, None, "what it warms is shipped");
        let peak = &jobs["peak"];
        assert_eq!(peak.warmup, ["catalog/hot-products", "ordering"]);
        assert_eq!((peak.settings.limit, peak.overlap), (Some(Count::new(7)), Overlap::Queue));
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
            ("nightly]\n\ncron = \"61 2 * * *\"", "line 3: cron: `61 2 * * *`", None),
            ("nightly]\ncrom = \"\"", "line 2: unknown field `crom`", Some("`cron`")),
            (
                "nightly]\ntimezone = \"Berlin\"",
                "line 2: timezone: there is no time zone `Berlin`; did you mean `Europe/Berlin`?",
                None,
            ),
            ("nightly]\nconcurrency = 0", "line 2: concurrency: 0 is not from 1 to 1000", None),
            ("nightly]\nconcurrency = 1001", "line 2: concurrency: 1001", None),
            ("nightly]\nlimit = 0", "line 2: limit: 0 is less than 1", None),
            ("nightly]\nwarmup = []", "line 2: warmup: the list is empty", None),
            ("nightly]\nwarmup = 3", "expected \"all\", or a list", None),
            ("nightly]\ngrace = \"soon\"", "line 2: grace: `soon` is not a duration", None),
            (
                "nightly]\noverlap = \"skipp\"",
                "line 2: overlap: unknown value `skipp`: use `skip` or `queue`",
                Some("`skip`"),
            ),
            ("nigthly]\nconcurrency = 5", "schedule.nigthly: cron is missing", Some("`nightly`")),
            ("peak]\ncron = \"30 8 * * *\"", "schedule.peak: warmup is missing", None),
            (
                "Peak]\ncron = \"30 8 * * *\"\nwarmup = \"all\"",
                "schedule.Peak: a job's name starts",
                None,
            ),
        ] {
            let failure = merged(&format!("[schedule.{text}")).expect_err(why);
            let said = failure.to_string();
            assert!(said.contains(why) && said.contains("shopwarm.toml"), "{said}");
            match hint {
                Some(hint) => assert!(failure.hint.is_some_and(|h| h.contains(hint)), "{said}"),
                None => assert_eq!(failure.hint, None, "{said}"),
            }
        }
    }
}
