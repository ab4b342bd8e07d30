//! Starts a requested run.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::problem::Problem;
use super::state::Admin;
use crate::application::record::RunRecord;
use crate::application::runs::live::LiveRun;
use crate::application::runs::service::{RunRequest, Started, hex};
use crate::application::settings::group::{groups, settings};
use crate::application::settings::{Group as _, RunSettings};

/// Max length of an Idempotency-Key.
const MAX_KEY: usize = 255;

/// How often, and how far apart, to look for the run of an earlier request.
const ATTEMPTS: u32 = 25;
const ATTEMPT_EVERY: Duration = Duration::from_millis(50);

settings! {
    /// Settings that only requests have.
    pub struct RequestSettings {
        dry_run: bool,
    }
}

groups! {
    /// Settings of this run that override the configuration.
    pub struct WarmupBody {
        run: RunSettings,
        request: RequestSettings,
    }
}

impl WarmupBody {
    /// These settings override the configuration.
    pub(super) fn over(self, request: RunRequest) -> RunRequest {
        RunRequest {
            settings: self.run.gentle_by_latency().over(request.settings),
            dry_run: self.request.dry_run.unwrap_or(request.dry_run),
            ..request
        }
    }
}

impl PartialSchema for WarmupBody {
    fn schema() -> RefOr<Schema> {
        let object = RunSettings::describe(ObjectBuilder::new());
        let help = |_: &str| "Compare only, and write nothing".to_owned();
        Schema::from(RequestSettings::properties(object, help)).into()
    }
}

impl ToSchema for WarmupBody {}

/// Whether the client waits for the end of the run.
pub(super) fn wait(query: Option<&str>, usual: bool) -> Result<bool, Problem> {
    let pairs = query.unwrap_or_default().split('&').filter(|p| !p.is_empty());
    let mut wait = usual;
    for pair in pairs {
        wait = match pair {
            "wait=true" | "wait=1" | "wait" => true,
            "wait=false" | "wait=0" => false,
            _ => {
                let what = "`wait` must be true or false";
                return Err(Problem::new(StatusCode::BAD_REQUEST, what));
            }
        };
    }
    Ok(wait)
}

/// The run of a request.
pub(super) enum Lead {
    Live(Arc<LiveRun>),
    Ended(Box<RunRecord>),
}

/// Starts the run, or finds the one that the same request has started.
pub(super) async fn start(
    admin: &Arc<Admin>,
    headers: &HeaderMap,
    request: RunRequest,
) -> Result<Lead, Problem> {
    let Some(name) = headers.get("idempotency-key") else {
        return Ok(Lead::Live(admin.service.start(request).await?));
    };
    if name.is_empty() || name.len() > MAX_KEY {
        let what = format!("an Idempotency-Key has 1 to {MAX_KEY} characters");
        return Err(Problem::new(StatusCode::BAD_REQUEST, what));
    }
    let name = hex(name.as_bytes());
    match admin.service.start_once(&name, request).await? {
        Started::New(run) => Ok(Lead::Live(run)),
        Started::Before(run_id) => before(admin, run_id).await,
        Started::Other => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "this Idempotency-Key was used for another request",
        )),
    }
}

/// The run that the same request has started. A run that is just starting here or ending elsewhere
/// shows up after a moment.
async fn before(admin: &Admin, id: String) -> Result<Lead, Problem> {
    for _ in 0..ATTEMPTS {
        if let Some(run) = admin.service.registry.find(&id) {
            return Ok(Lead::Live(run));
        }
        if let Some(record) = admin.service.record(&id).await? {
            return Ok(Lead::Ended(Box::new(record)));
        }
        tokio::time::sleep(ATTEMPT_EVERY).await;
    }
    let detail = "the earlier request started a run that this server does not know: another server runs \
                  it or crashed, or its report has expired";
    Err(Problem {
        run_id: Some(id),
        ..Problem::new(StatusCode::CONFLICT, detail)
            .hint("try again in a minute, or with another Idempotency-Key")
    })
}
