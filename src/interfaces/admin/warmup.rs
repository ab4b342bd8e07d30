//! Runs over the shop, a context or a strategy.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;

use super::answers::{Accepted, WarmedAll, WarmedContext, answer};
use super::body::read_body;
use super::problem::{Names, Problem};
use super::start::{WarmupBody, start, wait};
use super::state::Admin;
use crate::application::record::RunRecord;
use crate::application::runs::service::RunRequest;
use crate::domain::run::Trigger;
use crate::domain::selection::{Selection, known};

/// Warms the whole shop
///
/// `all` is all contexts, never one of that name.
#[utoipa::path(post, path = "/admin/warmup/all", tag = "warmup",
    params(
        ("wait" = Option<bool>, Query, description = "false: answer immediately."),
        ("idempotency-key" = Option<String>, Header, description = "Identifies the request: repeating it returns the same run."),
    ),
    request_body(content = Option<WarmupBody>, content_type = "application/json"),
    responses(
        (status = 200, body = WarmedAll), (status = 202, body = Accepted, headers(("location", description = "The run."))),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Another run is active."),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The run could not start."),
))]
pub(super) async fn warm_all(
    State(admin): State<Arc<Admin>>,
    request: Request,
) -> Result<Response, Problem> {
    warm(&admin, request, Selection::All, WarmedAll::of).await
}

/// Warms a context
#[utoipa::path(post, path = "/admin/warmup/{context}", tag = "warmup",
    params(
        ("context" = String, Path, description = "The context's name."),
        ("wait" = Option<bool>, Query, description = "false: answer immediately."),
        ("idempotency-key" = Option<String>, Header, description = "Identifies the request: repeating it returns the same run."),
    ),
    request_body(content = Option<WarmupBody>, content_type = "application/json"),
    responses(
        (status = 200, body = WarmedContext), (status = 202, body = Accepted, headers(("location", description = "The run."))),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is no such context."),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Another run is active."),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The run could not start."),
))]
pub(super) async fn warm_context(
    State(admin): State<Arc<Admin>>,
    Names(context): Names<String>,
    request: Request,
) -> Result<Response, Problem> {
    check_context(&admin, &context)?;
    let selection = Selection::Contexts(vec![context.clone()]);
    warm(&admin, request, selection, |record| WarmedContext::of(&context, record)).await
}

/// Warms a strategy
#[utoipa::path(post, path = "/admin/warmup/{context}/{strategy}", tag = "warmup",
    params(
        ("context" = String, Path, description = "The context's name."),
        ("strategy" = String, Path, description = "The strategy's name."),
        ("wait" = Option<bool>, Query, description = "false: answer immediately."),
        ("idempotency-key" = Option<String>, Header, description = "Identifies the request: repeating it returns the same run."),
    ),
    request_body(content = Option<WarmupBody>, content_type = "application/json"),
    responses(
        (status = 200, body = WarmedContext), (status = 202, body = Accepted, headers(("location", description = "The run."))),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is no such strategy."),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Another run is active."),
        (status = "5XX", body = Problem, content_type = "application/problem+json", description = "The run could not start."),
))]
pub(super) async fn warm_strategy(
    State(admin): State<Arc<Admin>>,
    Names((context, strategy)): Names<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    check_context(&admin, &context)?;
    let shop = admin.shop.get();
    let id = format!("{context}/{strategy}");
    let selection = Selection::Strategies(vec![id.clone()]);
    // The path names one strategy, or one with its repetitions: a pattern is for lists.
    if strategy.contains('*') || selection.check(known(&shop.definitions)).is_err() {
        let of_context = shop.definitions.iter().map(|d| &d.spec.id);
        let of_context = of_context.filter(|id| id.context == context);
        let names = of_context.map(|id| id.name.clone()).collect();
        return Err(Problem::unknown("strategy", &id, names));
    }
    warm(&admin, request, selection, |record| WarmedContext::of(&context, record)).await
}

/// Checks that a context exists.
fn check_context(admin: &Admin, name: &str) -> Result<(), Problem> {
    let shop = admin.shop.get();
    let contexts = shop.definitions.iter().map(|d| d.spec.id.context.clone());
    let mut contexts: Vec<String> = contexts.collect();
    contexts.dedup();
    if contexts.iter().any(|context| context == name) {
        return Ok(());
    }
    Err(Problem::unknown("context", name, contexts))
}

async fn warm<A: Serialize>(
    admin: &Arc<Admin>,
    request: Request,
    selection: Selection,
    answered: impl FnOnce(RunRecord) -> A,
) -> Result<Response, Problem> {
    let (Parts { uri, headers, .. }, body) = request.into_parts();
    let wait = wait(uri.query(), true)?;
    let body: WarmupBody = read_body(&headers, body).await?;
    let request = body.over(RunRequest::new(selection, Trigger::Api));
    let run = start(admin, &headers, request).await?;
    answer(run, wait, answered).await
}
