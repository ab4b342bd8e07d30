//! Health probes and metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::state::Admin;
use crate::config::ReadyAfter;

/// Whether the process is alive
#[utoipa::path(get, path = "/livez", tag = "health", security(()), responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// Whether the server is ready: with `ready_after = "first-run"`, after its first complete run
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses(
    (status = 200, body = String, content_type = "text/plain"),
    (status = 503, body = String, content_type = "text/plain", description = "Why not."),
))]
pub(super) async fn ready(State(admin): State<Arc<Admin>>) -> (StatusCode, &'static str) {
    let waits = admin.shop.get().config.serve.ready_after() == ReadyAfter::FirstRun;
    if admin.service.registry.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n")
    } else if waits && !admin.service.has_warmed() {
        let why = "no run has completed yet\n";
        (StatusCode::SERVICE_UNAVAILABLE, why)
    } else {
        (StatusCode::OK, "ready\n")
    }
}

/// Metrics for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], admin.metrics.render()).into_response()
}
