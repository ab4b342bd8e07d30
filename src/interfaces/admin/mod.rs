//! The admin API: runs over HTTP, the schedule, the state of the server, and a page for people.

mod answers;
mod body;
mod door;
mod events;
mod failures;
mod guard;
mod health;
mod listener;
mod pace;
mod problem;
mod runs;
mod schedule;
mod start;
mod state;
mod strategies;
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

use crate::config::Config;
use crate::domain::failure::{Failure, FailureKind};
use problem::Problem;

pub use state::Admin;

/// An embedded file of the page.
macro_rules! page {
    ($kind:literal, $file:literal) => {
        async || asset($kind, include_str!(concat!("page/", $file)))
    };
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "shopwarm",
        description = "Warms a shop's cache from its database: by hand, after a deploy, or on a schedule."
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
            .description(Some("Required if the server has a token."))
            .build();
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

impl Admin {
    /// Serves on `listener` until `closing`.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, closing: watch::Receiver<bool>) {
        listener::serve(listener, self.router(), closing).await;
    }

    fn router(self: Arc<Self>) -> Router {
        let (router, api) = routes();
        let api: Arc<str> = serde_json::to_string(&api).unwrap_or_default().into();
        let json = move || async move { asset("application/json", api.to_string()) };
        router
            .route("/openapi.json", get(json))
            .route("/", get(page!("text/html; charset=utf-8", "index.html")))
            .route("/page.css", get(page!("text/css; charset=utf-8", "page.css")))
            .route("/page.js", get(page!("text/javascript; charset=utf-8", "page.js")))
            .fallback(async || Problem::nothing_here())
            .method_not_allowed_fallback(async || {
                let detail = "this method is not allowed here";
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
            })
            .layer(from_fn_with_state(Arc::clone(&self), door::pass))
            .with_state(self)
    }
}

/// The routes and their OpenAPI document.
fn routes() -> (Router<Arc<Admin>>, utoipa::openapi::OpenApi) {
    let (router, mut api) = OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(warmup::warm_all))
        .routes(routes!(warmup::warm_context))
        .routes(routes!(warmup::warm_strategy))
        .routes(routes!(runs::list))
        .routes(routes!(runs::show, runs::cancel, pace::change))
        .routes(routes!(events::events))
        .routes(routes!(strategies::strategies))
        .routes(routes!(schedule::schedule))
        .routes(routes!(schedule::run_job))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        .split_for_parts();
    complete(&mut api);
    (router, api)
}

/// The OpenAPI document.
pub fn document() -> utoipa::openapi::OpenApi {
    routes().1
}

/// Responses that every operation shares.
const PROBLEMS: [(&str, &str); 2] = [
    ("4XX", "The request is refused: wrong token or host, too many requests, or an unknown name."),
    ("5XX", "The server cannot handle the request now."),
];

/// Adds the shared responses, and a description for each status.
fn complete(api: &mut utoipa::openapi::OpenApi) {
    for item in api.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            for (status, text) in PROBLEMS {
                let problem = || Problem::documented(text).into();
                responses.entry(status.to_owned()).or_insert_with(problem);
            }
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

/// The description of a status.
fn words(status: &str) -> &'static str {
    let status = StatusCode::from_bytes(status.as_bytes()).ok();
    let words = status.and_then(|status| status.canonical_reason());
    words.unwrap_or("An answer")
}

fn asset(kind: &'static str, text: impl IntoResponse) -> Response {
    let kind = HeaderValue::from_static(kind);
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// Opens the configured address, if that is safe.
///
/// # Errors
/// The address is public and no token is set, or it cannot be opened.
pub async fn listen(config: &Config) -> Result<(TcpListener, SocketAddr), Failure> {
    let address = config.serve.listen();
    if config.serve.is_public() && config.token.is_none() {
        let what = format!("{address} can be reached from other machines");
        let why = "no token is set, so anyone could start and stop runs";
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
