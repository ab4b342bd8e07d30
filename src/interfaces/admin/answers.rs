//! Responses that report a run.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::problem::Problem;
use super::start::Lead;
use super::state::RunId;
use crate::application::record::{RunRecord, StrategyRecord};
use crate::application::runs::refused::Refused;
use crate::domain::report::Outcome;

/// A finished run over several contexts.
#[derive(Serialize, ToSchema)]
pub(super) struct WarmedAll {
    /// Whether it was complete.
    success: bool,
    total_warmed: u64,
    total_keys: u64,
    #[schema(required = true)]
    success_rate: Option<f64>,
    run_id: String,
    report: RunRecord,
}

impl WarmedAll {
    pub(super) fn of(record: RunRecord) -> Self {
        Self {
            success: is_success(&record),
            total_warmed: record.totals.counts.warmed,
            total_keys: record.totals.total,
            success_rate: record.totals.success_rate,
            run_id: record.run_id.clone(),
            report: record,
        }
    }
}

/// A finished run over one context.
#[derive(Serialize, ToSchema)]
pub(super) struct WarmedContext {
    /// Whether it was complete.
    success: bool,
    context: String,
    /// By strategy name.
    #[schema(value_type = std::collections::HashMap<String, WarmedStrategy>)]
    results: Map<String, Value>,
    run_id: String,
    report: RunRecord,
}

#[derive(Serialize, ToSchema)]
struct WarmedStrategy {
    warmed: u64,
    total: u64,
    #[schema(required = true)]
    success_rate: Option<f64>,
}

impl WarmedContext {
    pub(super) fn of(context: &str, record: RunRecord) -> Self {
        let result = |strategy: &StrategyRecord| {
            let counts = WarmedStrategy {
                warmed: strategy.counts.warmed,
                total: strategy.total,
                success_rate: strategy.success_rate,
            };
            let counts = serde_json::to_value(counts).unwrap_or_default();
            (strategy.name.clone(), counts)
        };
        Self {
            success: is_success(&record),
            context: context.to_owned(),
            results: record.strategies.iter().map(result).collect(),
            run_id: record.run_id.clone(),
            report: record,
        }
    }
}

fn is_success(record: &RunRecord) -> bool {
    record.outcome == Some(Outcome::Complete)
}

/// An active run.
#[derive(Serialize, ToSchema)]
pub(super) struct Accepted {
    run_id: String,
    status: &'static str,
    /// The URL of the run.
    location: String,
}

/// Responds with the finished or active run.
pub(super) async fn answer<A: Serialize>(
    lead: Lead,
    wait: bool,
    answered: impl FnOnce(RunRecord) -> A,
) -> Result<Response, Problem> {
    let ended = |record| Json(answered(record)).into_response();
    let (id, mut response) = match lead {
        Lead::Ended(record) => (record.run_id.clone(), ended(*record)),
        Lead::Live(run) if wait || run.ended().is_some() => {
            let end = run.end().await;
            let record = end.map_err(|refused| Refused::clone(&refused))?;
            (run.info.id.clone(), ended(record))
        }
        Lead::Live(run) => (run.info.id.clone(), accepted(&run.info.id)),
    };
    response.extensions_mut().insert(RunId(id));
    Ok(response)
}

fn accepted(id: &str) -> Response {
    let location = format!("/admin/runs/{id}");
    let value = HeaderValue::from_str(&location);
    let answer = Accepted { run_id: id.to_owned(), status: "running", location };
    let mut response = (StatusCode::ACCEPTED, Json(answer)).into_response();
    if let Ok(value) = value {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}
