//! Runs, as they go on and as they were.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::{Stream, StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{read_body, said};
use super::problem::{Names, Problem};
use super::state::{Admin, RunId};
use crate::application::live::{LiveRun, ToldEvent};
use crate::application::pace::Change;
use crate::application::record::RunRecord;
use crate::application::run_line::RunLine;
use crate::domain::report::Stop;

/// Silence on a stream of events is broken this often: a client knows that we are there, and we
/// that it is.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Serialize, ToSchema)]
pub(super) struct Runs {
    /// Newest first.
    runs: Vec<RunLine>,
}

/// The last runs of all processes on this cache
#[utoipa::path(get, path = "/admin/runs", tag = "runs", responses(
    (status = 200, body = Runs),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Result<Json<Runs>, Problem> {
    let records = admin.service.runs().await?;
    let runs = records.iter().map(RunLine::from).collect();
    Ok(Json(Runs { runs }))
}

#[derive(Serialize, ToSchema)]
pub(super) struct RunShown {
    run_id: String,
    /// `running` or `finished`.
    status: &'static str,
    /// Whole, or what is known so far.
    report: RunRecord,
}

/// A run, also while it goes on
#[utoipa::path(get, path = "/admin/runs/{id}", tag = "runs", params(("id" = String, Path, description = "The run's id.")), responses(
    (status = 200, body = RunShown),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    Names(id): Names<String>,
) -> Result<Json<RunShown>, Problem> {
    let record = admin.service.record(&id).await?;
    let report = record.ok_or_else(|| unknown(&id))?;
    Ok(Json(RunShown {
        run_id: report.run_id.clone(),
        status: match report.outcome {
            Some(_) => "finished",
            None => "running",
        },
        report,
    }))
}

fn unknown(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no run `{id}`"))
        .hint("GET /admin/runs lists those that are known")
}

#[derive(Serialize, ToSchema)]
pub(super) struct Stopping {
    run_id: String,
    status: &'static str,
}

/// Stops a run: it finishes what is in flight
#[utoipa::path(delete, path = "/admin/runs/{id}", tag = "runs", params(("id" = String, Path, description = "The run's id.")), responses(
    (status = 202, body = Stopping),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "It has ended."),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn cancel(
    State(admin): State<Arc<Admin>>,
    Names(id): Names<String>,
) -> Result<Response, Problem> {
    let run = active(&admin, &id).await?;
    run.stop.stop(Stop::Interrupted);
    let answer = Stopping {
        run_id: id.clone(),
        status: "stopping",
    };
    let mut response = (StatusCode::ACCEPTED, Json(answer)).into_response();
    response.extensions_mut().insert(RunId(id));
    Ok(response)
}

/// What is to be another one of a run's pace.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PaceWish {
    /// Keys a second at most; null: as fast as it goes.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<u64>, minimum = 1)]
    rate: Option<Option<u64>>,
    /// No faster than database and cache bear.
    gentle: Option<bool>,
}

/// The pace of a run at this moment.
#[derive(Serialize, ToSchema)]
pub(super) struct PaceShown {
    run_id: String,
    /// Keys a second at most; null: as fast as it goes.
    #[schema(required = true)]
    rate: Option<u64>,
    gentle: bool,
    /// What holds it back, with its figure.
    #[schema(required = true)]
    limited_by: Option<String>,
}

/// Changes the pace of a run that goes on
#[utoipa::path(patch, path = "/admin/runs/{id}", tag = "runs", params(("id" = String, Path, description = "The run's id.")),
    request_body(content = PaceWish, content_type = "application/json"),
    responses(
    (status = 200, body = PaceShown),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "The body changes nothing, or is no pace."),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "It has ended, has not begun, or only looks."),
    (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn change(
    State(admin): State<Arc<Admin>>,
    Names(id): Names<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let run = active(&admin, &id).await?;
    let hint = "it may have rate (a number, or null for none) and gentle";
    let wish: PaceWish = read_body(&headers, body, hint).await?;
    let rate = wish.rate.map(Change::Rate);
    let changes: Vec<Change> = rate
        .into_iter()
        .chain(wish.gentle.map(Change::Gentle))
        .collect();
    let wrong = |what| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, what).hint(hint);
    if changes.is_empty() {
        return Err(wrong("the body changes nothing"));
    }
    if changes.contains(&Change::Rate(Some(0))) {
        return Err(wrong("rate is less than 1"));
    }
    let mut pace = None;
    for change in changes {
        pace = run.change_pace(change);
    }
    let Some(pace) = pace else {
        let why = "this run has no pace to change: it has not begun, or only looks";
        return Err(Problem::new(StatusCode::CONFLICT, why));
    };
    let answer = PaceShown {
        run_id: id.clone(),
        rate: pace.rate,
        gentle: pace.gentle,
        limited_by: pace.limited_by,
    };
    let mut response = Json(answer).into_response();
    response.extensions_mut().insert(RunId(id));
    Ok(response)
}

/// A run that goes on.
async fn active(admin: &Admin, id: &str) -> Result<Arc<LiveRun>, Problem> {
    let live = admin.service.find(id).filter(|run| run.ended().is_none());
    if let Some(run) = live {
        return Ok(run);
    }
    Err(match admin.service.record(id).await? {
        Some(_) => Problem::new(StatusCode::CONFLICT, "this run has ended"),
        None => unknown(id),
    })
}

/// The events of a run as they happen, from its beginning
///
/// Server-sent events: `waiting`, `run_started`, `strategy_started`, `progress`, `strategy_repeated`,
/// `strategy_finished`, `pace_changed`, `stopping`, `run_finished`. `Last-Event-ID` goes on where a broken connection left off.
#[utoipa::path(get, path = "/admin/runs/{id}/events", tag = "runs",
    params(("id" = String, Path, description = "The run's id."), ("last-event-id" = Option<u64>, Header, description = "The last event that was received.")),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn events(
    State(admin): State<Arc<Admin>>,
    Names(id): Names<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let last = last.and_then(|id| id.parse().ok()).unwrap_or(0);
    if let Some(run) = admin.service.find(&id) {
        let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
        return Ok(Sse::new(told(run, last))
            .keep_alive(keep_alive)
            .into_response());
    }
    // Of a run of another time or another process the end is known.
    let record = admin.service.record(&id).await?;
    let record = record.ok_or_else(|| unknown(&id))?;
    let end = serde_json::json!({ "event": "run_finished", "outcome": record.outcome });
    let end = Event::default().event("run_finished").data(end.to_string());
    let only = stream::iter([Ok::<_, Infallible>(end)]);
    Ok(Sse::new(only).into_response())
}

/// What a run tells, from the event after `last` to its end.
fn told(run: Arc<LiveRun>, last: u64) -> impl Stream<Item = Result<Event, Infallible>> {
    let told = stream::unfold((run, last), |(run, last)| async move {
        let events = run.told_after(last).await?;
        let last = events.last().map_or(last, |event| event.number);
        Some((stream::iter(events), (run, last)))
    });
    told.flatten().map(|event: ToldEvent| {
        Ok(Event::default()
            .id(event.number.to_string())
            .event(event.name)
            .data(&*event.json))
    })
}
