//! Active and finished runs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Names, Problem};
use super::state::{Admin, RunId};
use crate::application::record::RunRecord;
use crate::application::record::line::RunLine;
use crate::application::runs::live::LiveRun;
use crate::domain::report::Stop;
use crate::interfaces::report::run::warnings;

#[derive(Serialize, ToSchema)]
pub(super) struct Runs {
    /// Newest first.
    runs: Vec<RunLine>,
}

/// The last runs of all processes on this cache
#[utoipa::path(get, path = "/admin/runs", tag = "runs", responses(
    (status = 200, body = Runs),
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
    /// How it ended at a glance: `✓`, `!` or `✗`; null while it runs.
    #[schema(required = true, example = "✓")]
    mark: Option<String>,
    /// What the command line warns of below the report.
    warnings: Vec<String>,
    /// The report, or its state so far.
    report: RunRecord,
}

/// A run, active or finished
#[utoipa::path(get, path = "/admin/runs/{id}", tag = "runs", params(("id" = String, Path, description = "The run's id.")), responses(
    (status = 200, body = RunShown),
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
        mark: report.mark().map(|mark| mark.to_string()),
        warnings: warnings(&report),
        report,
    }))
}

pub(super) fn unknown(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no run `{id}`"))
        .hint("GET /admin/runs lists the recorded runs")
}

#[derive(Serialize, ToSchema)]
pub(super) struct Stopping {
    run_id: String,
    status: &'static str,
}

/// Stops a run after its batches in flight
#[utoipa::path(delete, path = "/admin/runs/{id}", tag = "runs", params(("id" = String, Path, description = "The run's id.")), responses(
    (status = 202, body = Stopping),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "The run has ended."),
))]
pub(super) async fn cancel(
    State(admin): State<Arc<Admin>>,
    Names(id): Names<String>,
) -> Result<Response, Problem> {
    let run = active(&admin, &id).await?;
    run.stop.stop(Stop::Interrupted);
    let answer = Stopping { run_id: id.clone(), status: "stopping" };
    let mut response = (StatusCode::ACCEPTED, Json(answer)).into_response();
    response.extensions_mut().insert(RunId(id));
    Ok(response)
}

/// An active run.
pub(super) async fn active(admin: &Admin, id: &str) -> Result<Arc<LiveRun>, Problem> {
    let live = admin.service.registry.find(id).filter(|run| run.ended().is_none());
    if let Some(run) = live {
        return Ok(run);
    }
    Err(match admin.service.record(id).await? {
        Some(_) => Problem::new(StatusCode::CONFLICT, "this run has ended"),
        None => unknown(id),
    })
}
