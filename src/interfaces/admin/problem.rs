//! Error responses, in the form of RFC 9457.

use axum::Json;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::application::runs::refused::Refused;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::holder::Holder;

const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request failed, and what to do next.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Problem {
    pub title: &'static str,
    pub status: u16,
    pub detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The known names, if the request had an unknown one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub known: Option<Box<[String]>>,
    /// The run that blocks the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The holder of the lock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<Box<Holder>>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: detail.into(),
            ..Self::default()
        }
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Its schema in the OpenAPI document.
    pub(super) fn documented(description: &str) -> utoipa::openapi::Response {
        let schema = utoipa::openapi::Ref::from_schema_name("Problem");
        let content = utoipa::openapi::ContentBuilder::new().schema(Some(schema));
        let response = utoipa::openapi::ResponseBuilder::new().description(description);
        response.content(PROBLEM_JSON, content.build()).build()
    }

    pub(super) fn nothing_here() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing here")
            .hint("GET /openapi.json describes the API; GET / is the page")
    }

    /// An unknown name.
    pub(super) fn unknown(kind: &str, name: &str, known: Vec<String>) -> Self {
        let detail = format!("there is no {kind} `{name}`");
        Self { known: Some(known.into()), ..Self::new(StatusCode::NOT_FOUND, detail) }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let status = match failure.kind {
            FailureKind::Usage => StatusCode::UNPROCESSABLE_ENTITY,
            FailureKind::SourceUnreachable
            | FailureKind::SourceLost
            | FailureKind::GaveWay
            | FailureKind::SourceBusy
            | FailureKind::CacheUnreachable
            | FailureKind::Busy => StatusCode::SERVICE_UNAVAILABLE,
            FailureKind::Config
            | FailureKind::SourceDenied
            | FailureKind::NotGranted
            | FailureKind::CacheDenied
            | FailureKind::Query
            | FailureKind::CacheRefused => StatusCode::BAD_GATEWAY,
            FailureKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { hint: failure.hint.clone(), ..Self::new(status, failure.to_string()) }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Busy(holder) => Self {
                run_id: Some(holder.run_id.clone()),
                holder: Some(Box::new(holder.as_ref().clone().public())),
                ..Self::new(StatusCode::CONFLICT, format!("{}: {holder}", holder.trouble())).hint(
                    "wait for it, or stop it where it runs: DELETE /admin/runs/{id}, or Ctrl-C",
                )
            },
            Refused::Failed(failure) => failure.into(),
            Refused::Stopped(_) | Refused::RunBefore => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, refused.to_string())
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            _ => {}
        }
        response
    }
}

/// The names in a path. Non-UTF-8 bytes match nothing.
pub(super) struct Names<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Names<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let names = Path::from_request_parts(parts, state).await;
        names.map(|Path(names)| Self(names)).map_err(|_| Problem::nothing_here())
    }
}
