//! What runs by the clock.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
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

/// Coming times that are shown of each job.
const COMING: usize = 3;

#[derive(Serialize, ToSchema)]
pub(super) struct ScheduleShown {
    /// Of jobs that name none.
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
    /// What its runs do otherwise; null: as the configuration says.
    #[serde(flatten)]
    settings: OwnSettings,
    /// `skip` or `queue`.
    #[schema(value_type = String)]
    overlap: Overlap,
    /// The coming times, in the job's zone.
    next: Vec<String>,
    next_utc: Vec<String>,
}

/// Every setting of a run, null where a job does not say it.
struct OwnSettings(RunSettings);

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
        let object = RunSettings::names()
            .into_iter()
            .fold(object, ObjectBuilder::required);
        Schema::from(object).into()
    }
}

impl ToSchema for OwnSettings {}

/// The jobs that run by the clock
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

/// Runs a job of the schedule now
#[utoipa::path(post, path = "/admin/schedule/{job}/run", tag = "schedule",
    params(
        ("job" = String, Path, description = "The job's name."),
        ("wait" = Option<bool>, Query, description = "Answer when the run has ended; else at once."),
        ("idempotency-key" = Option<String>, Header, description = "Names the request: sent again it leads to the same run."),
    ),
    request_body(content = Option<WarmupBody>, content_type = "application/json"),
    responses(
        (status = 200, body = WarmedAll), (status = 202, body = Accepted),
))]
pub(super) async fn run_job(
    State(admin): State<Arc<Admin>>,
    Names(name): Names<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let wait = wait(query.as_deref(), false)?;
    let body: WarmupBody = read_body(&headers, body).await?;
    let shop = admin.shop.get();
    let names = || shop.jobs.iter().map(|planned| planned.job.name.clone());
    let planned = shop.jobs.iter().find(|planned| planned.job.name == name);
    let planned = planned.ok_or_else(|| Problem::unknown("job", &name, names().collect()))?;
    let request = body.over(planned.job.request(Trigger::Api));
    let run = start(&admin, &headers, request).await?;
    answer(run, wait, WarmedAll::of).await
}
