//! Middleware of every request: the guard, response headers, and an audit line for each action.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::state::{Admin, RunId};
use crate::domain::key::shortened;

/// Max length of a path in the log.
const SHOWN_PATH: usize = 200;

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
];

/// Checks a request and logs what was done.
pub(super) async fn pass(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response {
    let client = request.extensions().get::<SocketAddr>().copied();
    let client = client.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let started = Instant::now();
    let checked = admin.guard().check(&request, client.ip());
    let refused = checked.is_err();
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    if refused || !matches!(method, Method::GET | Method::HEAD) {
        let run_id = response.extensions().get::<RunId>();
        tracing::info!(
            %client,
            %method,
            path = shortened(&path, SHOWN_PATH),
            status = response.status().as_u16(),
            run_id = run_id.map_or("", |run| &run.0),
            elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "audit"
        );
    }
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}
