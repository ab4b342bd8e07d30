//! The pace of an active run.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema};

use super::body::read_body;
use super::problem::{Names, Problem};
use super::runs::active;
use super::state::{Admin, RunId};
use crate::application::pace::Change;
use crate::application::settings::group::settings;
use crate::application::settings::{Group as _, RateLimit};

settings! {
    /// A new pace for a run.
    pub struct PaceSettings {
        rate: RateLimit,
        gentle: bool,
    }
}

impl utoipa::PartialSchema for PaceSettings {
    fn schema() -> utoipa::openapi::RefOr<Schema> {
        let help = |name: &str| match name {
            "rate" => "Max keys per second".to_owned(),
            _ => "Slow down when the database or cache gets slower".to_owned(),
        };
        Schema::from(Self::properties(ObjectBuilder::new(), help)).into()
    }
}

impl ToSchema for PaceSettings {}

/// The current pace of a run.
#[derive(Serialize, ToSchema)]
pub(super) struct PaceShown {
    run_id: String,
    /// Keys a second at most; null: no limit.
    #[schema(required = true)]
    rate: Option<u64>,
    gentle: bool,
    /// What limits the run, with its value.
    #[schema(required = true)]
    limited_by: Option<String>,
}

/// Changes the pace of an active run
#[utoipa::path(patch, path = "/admin/runs/{id}", tag = "runs", params(("id" = String, Path, description = "The run's id.")),
    request_body(content = PaceSettings, content_type = "application/json"),
    responses(
    (status = 200, body = PaceShown),
    (status = 422, body = Problem, content_type = "application/problem+json", description = "The body changes nothing or is not valid."),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "The run has ended, has not started, or is a dry run."),
))]
pub(super) async fn change(
    State(admin): State<Arc<Admin>>,
    Names(id): Names<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let run = active(&admin, &id).await?;
    let asked: PaceSettings = read_body(&headers, body).await?;
    let rate = asked.rate.map(|rate| Change::Rate(rate.0));
    let gentle = asked.gentle.map(Change::Gentle);
    let changes: Vec<Change> = rate.into_iter().chain(gentle).collect();
    if changes.is_empty() {
        let what = "the body changes nothing";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, what)
            .hint("it may contain rate (a number, or null for none) and gentle"));
    }
    let mut pace = None;
    for change in changes {
        pace = run.change_pace(change);
    }
    let Some(pace) = pace else {
        let why = "this run has no pace to change: it has not started, or is a dry run";
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
