//! `shopwarm schedule`.

use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};

use crate::application::schedule::{Occurrence, PlannedJob, zone_name};
use crate::config::{Config, ScheduleFlags};
use crate::domain::failure::Failure;
use crate::interfaces::document::{Document, Row, text};
use crate::interfaces::exit::Exit;
use crate::interfaces::output::{Format, Output};
use crate::setup;

#[derive(Subcommand, Debug)]
pub(super) enum ScheduleCommand {
    /// List the coming runs, and what each would warm
    List(ListArgs),
}

#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// So many coming times of each job
    #[arg(long, value_name = "N", env = "SHOPWARM_NEXT", hide_env_values = true, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    next: u16,
    #[command(flatten)]
    schedule: ScheduleFlags,
}

impl ScheduleCommand {
    pub(super) fn flags(&self) -> &ScheduleFlags {
        let Self::List(args) = self;
        &args.schedule
    }
}

pub(super) fn run(
    what: &ScheduleCommand,
    config: &Config,
    output: &Output,
) -> Result<Exit, Failure> {
    let ScheduleCommand::List(args) = what;
    let jobs = setup::schedule(config)?;
    if jobs.is_empty() {
        output.note("no jobs are scheduled; add a [schedule.NAME] to shopwarm.toml");
        if output.format == Format::Table {
            return Ok(Exit::Success);
        }
    }
    list(&jobs, usize::from(args.next), config, Timestamp::now()).show(output);
    Ok(Exit::Success)
}

/// A run that is to come.
struct Coming<'j> {
    planned: &'j PlannedJob,
    time: Occurrence,
    /// From now on.
    wait: Duration,
}

fn list(jobs: &[PlannedJob], next: usize, config: &Config, now: Timestamp) -> Document {
    let of_job = |planned| coming(planned, now).take(next);
    let mut all: Vec<Coming<'_>> = jobs.iter().flat_map(of_job).collect();
    all.sort_by_key(|run| (run.time.starts, run.planned.job.rank()));
    let lines: Vec<Value> = all.iter().map(Coming::json).collect();
    let zone = zone_name(&config.timezone);
    let is_usual = |planned: &PlannedJob| planned.job.zone == config.timezone;
    let footer = if !jobs.is_empty() && jobs.iter().all(is_usual) {
        format!("\nlocal time: {zone}\n")
    } else {
        String::new()
    };
    Document {
        headings: vec![
            text("local time", 0),
            text("job", 0),
            text("warms", 1),
            text("in", 2),
            text("UTC", 3),
            text("cron", 4),
        ],
        rows: all.iter().map(Coming::row).collect(),
        footer,
        verdict: None,
        json: json!({ "schema_version": 1, "timezone": zone, "runs": lines }),
        lines,
        csv: &[
            "job",
            "cron",
            "timezone",
            "starts_at",
            "starts_at_utc",
            "in_seconds",
            "warmup",
            "strategies",
        ],
    }
}

fn coming(planned: &PlannedJob, now: Timestamp) -> impl Iterator<Item = Coming<'_>> {
    planned.job.coming(now).map(move |time| Coming {
        planned,
        time,
        wait: Duration::try_from(time.starts.duration_since(now)).unwrap_or_default(),
    })
}

impl Coming<'_> {
    fn local(&self) -> Zoned {
        self.time.starts.to_zoned(self.planned.job.zone.clone())
    }

    fn row(&self) -> Row {
        let job = &self.planned.job;
        let local = self.local();
        let utc = self.time.starts.to_zoned(TimeZone::UTC);
        Row {
            cells: vec![
                format!("{} {}", local.strftime("%a"), shown(&local, " %:z")),
                job.name.clone(),
                self.warms(),
                wait(self.wait),
                shown(&utc, ""),
                job.cron.to_string(),
            ],
            ..Row::default()
        }
    }

    fn warms(&self) -> String {
        let n = self.planned.strategies.len();
        let count = format!("{n} {}", if n == 1 { "strategy" } else { "strategies" });
        match self.planned.job.warmup.as_slice() {
            [one] if one.contains('/') => one.clone(),
            [one] => format!("{one} ({count})"),
            // The names of several would push other columns out.
            _ => count,
        }
    }

    fn json(&self) -> Value {
        let job = &self.planned.job;
        let ids = self.planned.strategies.iter().map(ToString::to_string);
        let local = |time: Timestamp| {
            let local = time.to_zoned(job.zone.clone());
            local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
        };
        let utc = self.time.starts.to_zoned(TimeZone::UTC);
        json!({
            "job": job.name,
            "cron": job.cron.to_string(),
            "timezone": zone_name(&job.zone),
            "at": local(self.time.at),
            "starts_at": local(self.time.starts),
            "starts_at_utc": utc.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "in_seconds": self.wait.as_secs(),
            "warmup": job.warmup,
            "strategies": ids.collect::<Vec<_>>(),
        })
    }
}

/// Day and time, with seconds where there are any.
fn shown(time: &Zoned, offset: &str) -> String {
    let form = match time.second() {
        0 => "%F %H:%M",
        _ => "%F %H:%M:%S",
    };
    time.strftime(&format!("{form}{offset}")).to_string()
}

/// The two largest units of a time: `5h 12m`.
fn wait(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m"),
        (0, _, _) => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{days}d {:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_has_its_two_largest_units() {
        for (seconds, expected) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_599, "59m"),
            (18_720, "5h 12m"),
            (86_399, "23h 59m"),
            (97_200, "1d 03h"),
        ] {
            assert_eq!(wait(Duration::from_secs(seconds)), expected);
        }
    }
}
