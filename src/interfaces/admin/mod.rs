//! The admin API: runs over HTTP, the schedule, the state of the server, and a page for people.

mod body;
mod door;
mod guard;
mod health;
mod listener;
mod problem;
mod runs;
mod shop;
mod state;
mod warmup;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use utoipa::OpenApi;
use utoipa::openapi::RefOr;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::Serving;
use crate::domain::failure::{Failure, FailureKind};
use problem::Problem;

pub use state::Admin;

/// A part of the page, as it was built in.
macro_rules! page {
    ($kind:literal, $file:literal) => {
        async || asset($kind, include_str!(concat!("page/", $file)))
    };
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "shopwarm",
        description = "Warms a shop's cache from its database: by hand, after a deploy, by the clock."
    ),
    modifiers(&Bearer),
    security((), ("token" = [])),
    components(schemas(Problem))
)]
struct Api;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("Where the server has a token."))
            .build();
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

impl Admin {
    /// Answers on `listener` until `closing` says so.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, closing: watch::Receiver<bool>) {
        listener::serve(listener, self.router(), closing).await;
    }

    fn router(self: Arc<Self>) -> Router {
        let (router, mut api) = OpenApiRouter::with_openapi(Api::openapi())
            .routes(routes!(warmup::warm_all))
            .routes(routes!(warmup::warm_context))
            .routes(routes!(warmup::warm_strategy))
            .routes(routes!(runs::list))
            .routes(routes!(runs::show, runs::cancel, runs::change))
            .routes(routes!(runs::events))
            .routes(routes!(shop::strategies))
            .routes(routes!(shop::schedule))
            .routes(routes!(shop::run_job))
            .routes(routes!(health::live))
            .routes(routes!(health::ready))
            .routes(routes!(health::metrics))
            .split_for_parts();
        complete(&mut api);
        let api: Arc<str> = serde_json::to_string(&api).unwrap_or_default().into();
        let json = move || async move { asset("application/json", api.to_string()) };
        router
            .route("/openapi.json", get(json))
            .route("/", get(page!("text/html; charset=utf-8", "index.html")))
            .route(
                "/page.css",
                get(page!("text/css; charset=utf-8", "page.css")),
            )
            .route(
                "/page.js",
                get(page!("text/javascript; charset=utf-8", "page.js")),
            )
            .fallback(async || Problem::nothing_here())
            .method_not_allowed_fallback(async || {
                let detail = "this is not done with that method";
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
            })
            .layer(from_fn_with_state(Arc::clone(&self), door::pass))
            .with_state(self)
    }
}

/// Adds what holds for every operation: that it may be refused, and what each status means.
fn complete(api: &mut utoipa::openapi::OpenApi) {
    for item in api.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            let refused = || Problem::documented("Refused: token, host, or how often.").into();
            responses.entry("4XX".to_owned()).or_insert_with(refused);
            for (status, response) in responses {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    response.description = words(status).to_owned();
                }
            }
        }
    }
}

/// What a status says.
fn words(status: &str) -> &'static str {
    match status {
        "4XX" => "The request cannot be done.",
        "5XX" => "The server cannot do it now.",
        _ => {
            let status = StatusCode::from_bytes(status.as_bytes()).ok();
            status
                .and_then(|status| status.canonical_reason())
                .unwrap_or("An answer")
        }
    }
}

fn asset(kind: &'static str, text: impl IntoResponse) -> Response {
    let kind = HeaderValue::from_static(kind);
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// Listens where the configuration says, if that is safe.
///
/// # Errors
/// An address beyond this machine without a token, or one that cannot be had.
pub async fn listen(serving: &Serving) -> Result<(TcpListener, SocketAddr), Failure> {
    let address = serving.listen;
    if serving.is_public() && serving.token.is_none() {
        let what = format!("{address} can be reached from other machines");
        let why = "and no token is set: anybody could start and stop runs";
        return Err(Failure::new(FailureKind::Config, what, why)
            .hint("set one with --token-file FILE or SHOPWARM_TOKEN, or listen on 127.0.0.1"));
    }
    let cannot = |error: std::io::Error| {
        let what = format!("cannot listen on {address}");
        Failure::new(FailureKind::Config, what, error.to_string())
            .hint("choose another address with --listen, such as 127.0.0.1:8788")
    };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    Ok((listener, address))
}
