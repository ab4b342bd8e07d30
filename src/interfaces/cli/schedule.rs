//! `shopwarm schedule`.

use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::json;

use crate::application::schedule::{Job, Occurrence, PlannedJob, zone_name};
use crate::application::settings::Count;
use crate::config::{Config, ScheduleSettings};
use crate::domain::failure::Failure;
use crate::domain::wording::strategies;
use crate::interfaces::exit::Exit;
use crate::interfaces::output::{Format, Output};
use crate::interfaces::report::document::Document;
use crate::interfaces::report::table::Table;
use crate::setup;

#[derive(Subcommand, Debug)]
pub(super) enum ScheduleCommand {
    /// List upcoming runs and what each will warm
    List(ListArgs),
}

#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// Show this many upcoming times per job
    #[arg(long, value_name = "N", env = "SHOPWARM_NEXT", default_value_t = 3, value_parser = Count::<100>::number::<u16>)]
    next: u16,
    #[command(flatten)]
    schedule: ScheduleSettings,
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

/// An upcoming run.
struct Coming<'j> {
    planned: &'j PlannedJob,
    time: Occurrence,
    wait: Duration,
}

fn list(jobs: &[PlannedJob], next: usize, config: &Config, now: Timestamp) -> Document {
    let of_job = |planned| coming(planned, now).take(next);
    let mut all: Vec<Coming<'_>> = jobs.iter().flat_map(of_job).collect();
    all.sort_by_key(|run| (run.time.starts, run.planned.job.rank()));
    let zone = zone_name(&config.timezone);
    let is_usual = |planned: &PlannedJob| planned.job.zone == config.timezone;
    let is_usual = jobs.iter().all(is_usual);
    let is_utc = all.iter().all(|run| run.local(run.time.starts).offset().is_zero());
    let mut document = table(!is_usual, is_utc).document(all, None);
    document.json = json!({ "schema_version": 1, "timezone": zone, "runs": document.lines });
    if !jobs.is_empty() && is_usual {
        document.footer = format!("\nlocal time: {zone}\n");
    }
    document
}

/// `offsets`: each time with its own; `is_utc`: local times are those of UTC.
fn table<'a>(offsets: bool, is_utc: bool) -> Table<'a, Coming<'a>> {
    Table::new()
        .text("local time", 0, move |run: &Coming<'_>| {
            let local = run.local(run.time.starts);
            let offset = if offsets { " %:z" } else { "" };
            format!("{} {}", local.strftime("%a"), shown(&local, offset))
        })
        .text("in", 1, |run| wait(run.wait))
        .text("job", 0, |run| run.job().name.clone())
        .field("job", |run| run.job().name.clone())
        .text("warms", 2, Coming::warms)
        .when(!is_utc, |table| table.text("UTC", 3, |run| shown(&run.utc(), "")))
        .text("cron", 4, |run| run.job().cron.to_string())
        .field("cron", |run| run.job().cron.to_string())
        .field("timezone", |run| zone_name(&run.job().zone).to_owned())
        .json("at", |run| run.local_text(run.time.at))
        .field("starts_at", |run| run.local_text(run.time.starts))
        .field("starts_at_utc", |run| run.utc().strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .field("in_seconds", |run| run.wait.as_secs())
        .field("warmup", |run| run.job().warmup.clone())
        .field("strategies", |run| {
            let ids = run.planned.strategies.iter().map(ToString::to_string);
            ids.collect::<Vec<_>>()
        })
}

fn coming(planned: &PlannedJob, now: Timestamp) -> impl Iterator<Item = Coming<'_>> {
    planned.job.coming(now).map(move |time| Coming {
        planned,
        time,
        wait: Duration::try_from(time.starts.duration_since(now)).unwrap_or_default(),
    })
}

impl Coming<'_> {
    fn job(&self) -> &Job {
        &self.planned.job
    }

    fn local(&self, time: Timestamp) -> Zoned {
        time.to_zoned(self.job().zone.clone())
    }

    fn local_text(&self, time: Timestamp) -> String {
        self.local(time).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    fn utc(&self) -> Zoned {
        self.time.starts.to_zoned(TimeZone::UTC)
    }

    fn warms(&self) -> String {
        let count = strategies(self.planned.strategies.len());
        match self.planned.job.warmup.as_slice() {
            [one] if one.contains('/') => one.clone(),
            [one] => format!("{one} ({count})"),
            // Several names would push other columns out.
            _ => count,
        }
    }
}

/// Day and time, with seconds unless they are zero.
fn shown(time: &Zoned, offset: &str) -> String {
    let form = match time.second() {
        0 => "%F %H:%M",
        _ => "%F %H:%M:%S",
    };
    time.strftime(&format!("{form}{offset}")).to_string()
}

/// A duration in its two largest units: `5h 12m`.
fn wait(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
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
            (0, "0 s"),
            (59, "59 s"),
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
