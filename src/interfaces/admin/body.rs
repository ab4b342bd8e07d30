//! What a request's body says.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Deserializer};
use tokio::time::timeout;

use super::problem::Problem;

/// The longest body.
const LONGEST_BODY: usize = 64 * 1024;

/// A body must have come by then, however slowly.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The body, if there is one. `hint`: the fields that it may have.
pub(super) async fn read_body<T: Default + DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    hint: &str,
) -> Result<T, Problem> {
    let Ok(read) = timeout(BODY_TIMEOUT, to_bytes(body, LONGEST_BODY)).await else {
        let what = "the body did not come in time";
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, what));
    };
    let bytes = read.map_err(|_| {
        let what = format!("the body is longer than {LONGEST_BODY} bytes, or broke off");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, what)
    })?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let what = "a body is application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, what));
    }
    // serde would take a list of the fields' values too.
    if bytes.trim_ascii_start().starts_with(b"[") {
        let what = "the body is no object";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, what).hint(hint));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        let status = match error.is_data() {
            true => StatusCode::UNPROCESSABLE_ENTITY,
            false => StatusCode::BAD_REQUEST,
        };
        Problem::new(status, format!("the body: {error}")).hint(hint)
    })
}

/// What is said to be null is not what is not said.
pub(super) fn said<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
