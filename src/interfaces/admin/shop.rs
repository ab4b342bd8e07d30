//! What there is to warm, and when.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Names, Problem};
use super::state::Admin;
use super::warmup::{self, Accepted, WarmedAll, Wish};
use crate::application::history::LastComplete;
use crate::application::record::whole_seconds;
use crate::application::schedule::{Overlap, PlannedJob, zone_name};
use crate::domain::run::Trigger;

/// Coming times that are told of each job.
const COMING: usize = 3;

#[derive(Serialize, ToSchema)]
pub(super) struct Strategies {
    strategies: Vec<StrategyLine>,
}

#[derive(Serialize, ToSchema)]
struct StrategyLine {
    id: String,
    context: String,
    name: String,
    #[schema(required = true)]
    description: Option<String>,
    priority: i32,
    #[schema(value_type = f64)]
    ttl_seconds: serde_json::Number,
    tags: Vec<String>,
    enabled: bool,
    /// The template of its keys, without the prefix.
    key: String,
    /// Null where none is known.
    #[schema(required = true)]
    last_complete: Option<LastComplete>,
}

/// The strategies that there are
#[utoipa::path(get, path = "/admin/strategies", tag = "shop", responses(
    (status = 200, body = Strategies),
))]
pub(super) async fn strategies(State(admin): State<Arc<Admin>>) -> Json<Strategies> {
    let shop = admin.shop.get();
    // A cache that does not answer does not hide what there is.
    let last_complete = admin.service.last_complete().await.unwrap_or_default();
    let line = |definition: &crate::domain::strategy::Definition| {
        let spec = &definition.spec;
        let id = spec.id.to_string();
        StrategyLine {
            last_complete: last_complete.get(&id).cloned(),
            id,
            context: spec.id.context.clone(),
            name: spec.id.name.clone(),
            description: Some(spec.description.clone()).filter(|text| !text.is_empty()),
            priority: spec.priority,
            ttl_seconds: whole_seconds(spec.ttl.unwrap_or(shop.config.options.default_ttl)),
            tags: spec.tags.clone(),
            enabled: !shop.config.filter.excludes(&spec.id),
            key: spec.key.to_string(),
        }
    };
    Json(Strategies {
        strategies: shop.definitions.iter().map(line).collect(),
    })
}

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
    #[schema(required = true)]
    concurrency: Option<usize>,
    /// Keys a second at most.
    #[schema(required = true)]
    rate: Option<u64>,
    /// No faster than the servers bear; null: as the configuration says.
    #[schema(required = true)]
    gentle: Option<bool>,
    /// It reads only what changed; null: as the configuration says.
    #[schema(required = true)]
    changed: Option<bool>,
    /// `skip` or `queue`.
    overlap: &'static str,
    /// The coming times, in the job's zone.
    next: Vec<String>,
    next_utc: Vec<String>,
}

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
        concurrency: job.concurrency,
        rate: job.rate,
        gentle: job.gentle,
        changed: job.changed,
        overlap: match job.overlap {
            Overlap::Skip => "skip",
            Overlap::Queue => "queue",
        },
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
    request_body(content = Option<Wish>, content_type = "application/json"),
    responses(
        (status = 200, body = WarmedAll), (status = 202, body = Accepted),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn run_job(
    State(admin): State<Arc<Admin>>,
    Names(name): Names<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let wait = warmup::wait(query.as_deref(), false)?;
    let wish = warmup::read_wish(&headers, body).await?;
    let shop = admin.shop.get();
    let names = || shop.jobs.iter().map(|planned| planned.job.name.clone());
    let planned = shop.jobs.iter().find(|planned| planned.job.name == name);
    let planned = planned.ok_or_else(|| Problem::unknown("job", &name, names().collect()))?;
    let mut order = planned.job.order(Trigger::Api);
    order.deadline = shop.config.deadline;
    wish.apply(&mut order.wishes);
    let run = warmup::start(&admin, &headers, order).await?;
    warmup::answer(run, wait, |record| WarmedAll::of(record).into()).await
}
