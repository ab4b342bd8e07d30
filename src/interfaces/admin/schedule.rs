//! Scheduled jobs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::answers::{Accepted, WarmedAll, answer};
use super::body::read_body;
use super::problem::{Names, Problem};
use super::start::{WarmupBody, start, wait};
use super::state::Admin;
use crate::application::schedule::{Overlap, PlannedJob, zone_name};
use crate::application::settings::{Group as _, RunSettings, Settings as _};
use crate::domain::run::Trigger;

/// Upcoming times shown per job.
const COMING: usize = 3;

#[derive(Serialize, ToSchema)]
pub(super) struct ScheduleShown {
    /// Default time zone.
    timezone: String,
    jobs: Vec<JobLine>,
}

#[derive(Serialize, ToSchema)]
struct JobLine {
    name: String,
    cron: String,
    timezone: String,
    /// `all`, or names of contexts and strategies.
    warmup: Vec<String>,
    strategies: Vec<String>,
    /// Settings of its runs; null: the configuration's.
    #[serde(flatten)]
    settings: OwnSettings,
    /// `skip` or `queue`.
    #[schema(value_type = String)]
    overlap: Overlap,
    /// Upcoming times, in the job's time zone.
    next: Vec<String>,
    next_utc: Vec<String>,
}

/// Every setting of a run; null if it is not set.
pub(super) struct OwnSettings(pub(super) RunSettings);

impl Serialize for OwnSettings {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let said = self.0.said();
        let names = RunSettings::names().into_iter();
        to.collect_map(names.map(|name| (name, said.get(name))))
    }
}

impl PartialSchema for OwnSettings {
    fn schema() -> RefOr<Schema> {
        let object = RunSettings::describe(ObjectBuilder::new());
        let object = RunSettings::names().into_iter().fold(object, ObjectBuilder::required);
        Schema::from(object).into()
    }
}

impl ToSchema for OwnSettings {}

/// The scheduled jobs
#[utoipa::path(get, path = "/admin/schedule", tag = "schedule", responses(
    (status = 200, body = ScheduleShown),
))]
pub(super) async fn schedule(State(admin): State<Arc<Admin>>) -> Json<ScheduleShown> {
    let shop = admin.shop.get();
    Json(ScheduleShown {
        timezone: zone_name(&shop.config.timezone).to_owned(),
        jobs: shop.jobs.iter().map(job_line).collect(),
    })
}

fn job_line(PlannedJob { job, strategies }: &PlannedJob) -> JobLine {
    let coming: Vec<_> = job.coming(Timestamp::now()).take(COMING).collect();
    let local = |at: Timestamp| {
        let at = at.to_zoned(job.zone.clone());
        at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    };
    JobLine {
        name: job.name.clone(),
        cron: job.cron.to_string(),
        timezone: zone_name(&job.zone).to_owned(),
        warmup: job.warmup.clone(),
        strategies: strategies.iter().map(ToString::to_string).collect(),
        settings: OwnSettings(job.settings.clone()),
        overlap: job.overlap,
        next: coming.iter().map(|time| local(time.starts)).collect(),
        next_utc: coming.iter().map(|time| time.starts.to_string()).collect(),
    }
}

/// Starts a scheduled job now
#[utoipa::path(post, path = "/admin/schedule/{job}/run", tag = "schedule",
    params(
        ("job" = String, Path, description = "The job's name."),
        ("wait" = Option<bool>, Query, description = "true: answer when the run has ended. false: answer immediately."),
        ("idempotency-key" = Option<String>, Header, description = "Identifies the request: repeating it returns the same run."),
    ),
    request_body(content = Option<WarmupBody>, content_type = "application/json"),
    responses(
        (status = 200, body = WarmedAll), (status = 202, body = Accepted),
))]
pub(super) async fn run_job(
    State(admin): State<Arc<Admin>>,
    Names(name): Names<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let wait = wait(uri.query(), false)?;
    let body: WarmupBody = read_body(&headers, body).await?;
    let shop = admin.shop.get();
    let names = || shop.jobs.iter().map(|planned| planned.job.name.clone());
    let planned = shop.jobs.iter().find(|planned| planned.job.name == name);
    let planned = planned.ok_or_else(|| Problem::unknown("job", &name, names().collect()))?;
    let request = body.over(planned.job.request(Trigger::Api));
    let run = start(&admin, &headers, request).await?;
    answer(run, wait, WarmedAll::of).await
}
