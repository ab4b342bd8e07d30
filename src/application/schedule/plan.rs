//! The strategies that the jobs of a schedule warm.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::job::Job;
use super::zone::zone_name;
use crate::application::settings::{Group as _, RunSettings};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::selection::select;
use crate::domain::strategy::{Definition, StrategyId};

/// All jobs, by name.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    pub jobs: BTreeMap<String, Job>,
}

/// A job and the strategies that its names refer to.
#[derive(Clone, Debug)]
pub struct PlannedJob {
    pub job: Job,
    pub strategies: Vec<StrategyId>,
}

impl Schedule {
    /// The strategies that each job warms. A shipped job without any is omitted: the operator has
    /// removed its strategies.
    ///
    /// # Errors
    /// A [`FailureKind::Config`] failure for a name that does not exist, in a job or in `usual`, or
    /// for one of the operator's jobs that would warm nothing.
    pub fn plan(
        &self,
        all: &[Definition],
        usual: &RunSettings,
        exclude_kind: FailureKind,
    ) -> Result<Vec<PlannedJob>, Failure> {
        usual.filter(exclude_kind).check(all)?;
        let mut planned = Vec::new();
        for job in self.jobs.values() {
            let settings = job.settings.clone().over(usual.clone());
            match select(all.to_vec(), &job.selection(), &settings.filter(exclude_kind)) {
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

/// How many jobs there are, and which of them run next and when, at most so many.
pub fn summary(jobs: &[PlannedJob], now: Timestamp, most: usize) -> String {
    let next = jobs.iter().filter_map(|planned| {
        let time = planned.job.coming(now).next()?;
        Some((time.starts, &planned.job))
    });
    let mut next: Vec<_> = next.collect();
    next.sort_by_key(|(starts, job)| (*starts, job.rank()));
    if next.is_empty() {
        return "no jobs are scheduled".to_owned();
    }
    let told = next.iter().take(most).map(|(at, job)| {
        let at = at.to_zoned(job.zone.clone());
        let (name, zone) = (&job.name, zone_name(&job.zone));
        format!("{name} at {} {zone}", at.strftime("%F %H:%M"))
    });
    let told: Vec<_> = told.collect();
    let s = if jobs.len() == 1 { "" } else { "s" };
    format!("{} job{s}, next: {}", jobs.len(), told.join(", "))
}
