//! Scheduled jobs. The caller always passes `now`.

pub mod clock;
mod cron;
mod job;
mod plan;
mod zone;

pub use cron::Cron;
pub use job::{Due, Job, Occurrence, Overlap, widest_first};
pub use plan::{PlannedJob, Schedule, summary};
pub use zone::{Zone, zone_name};
