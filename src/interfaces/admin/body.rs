//! Reads the body of a request.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::Problem;
use crate::application::settings::Settings;
use crate::domain::settings_text::plain;

/// Max bytes of a body.
const MAX_BODY: usize = 64 * 1024;

/// Timeout for receiving a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings in an optional body.
pub(super) async fn read_body<T: Settings + DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Problem> {
    let Ok(read) = timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY)).await else {
        let what = "the body did not arrive in time";
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, what));
    };
    let bytes = read.map_err(|_| {
        let what = format!("the body is longer than {MAX_BODY} bytes or incomplete");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, what)
    })?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let what = "a body must be application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, what));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        let status = match error.is_data() {
            true => StatusCode::UNPROCESSABLE_ENTITY,
            false => StatusCode::BAD_REQUEST,
        };
        let hint = format!("it may contain {}", T::names().join(", "));
        Problem::new(status, plain(&format!("the body: {error}"))).hint(hint)
    })
}
