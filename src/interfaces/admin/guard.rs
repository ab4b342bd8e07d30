//! Who may ask: the host that is meant, the page that asks, the token. And a line for each action.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::uri::Authority;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::problem::Problem;
use super::{Admin, RunId};
use crate::config::Serving;

/// Wrong tokens that an address may send at once, and how soon it may send another one.
const FAILURES: f64 = 10.0;
const ANOTHER_EVERY: Duration = Duration::from_secs(6);

/// Addresses that are remembered at most.
const REMEMBERED: usize = 10_000;

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
];

/// What is checked before anything else.
pub(super) struct Guard {
    /// The digest of the token. Digests are of one length, and say nothing when compared.
    token: Option<[u8; 32]>,
    allowed_hosts: Vec<String>,
    failures: Failures,
}

impl Guard {
    pub fn new(serving: &Serving) -> Self {
        let digest = |token: &str| Sha256::digest(token).into();
        Self {
            token: serving.token.as_ref().map(|token| digest(token.expose())),
            allowed_hosts: serving.allowed_hosts.clone(),
            failures: Failures::default(),
        }
    }

    fn check(&self, request: &Request, client: IpAddr) -> Result<(), Problem> {
        let headers = request.headers();
        let host = self.host(headers)?;
        check_origin(headers, &host)?;
        match self.token {
            Some(token) if !is_open(request.uri().path()) => {
                self.check_token(&token, headers, client)
            }
            _ => Ok(()),
        }
    }

    /// The host that is meant. A name that somebody else's DNS points at this address is not ours;
    /// an address cannot be.
    fn host(&self, headers: &HeaderMap) -> Result<String, Problem> {
        let refused = || {
            Problem::new(StatusCode::FORBIDDEN, "this server is not called that")
                .hint("allow a name with --allowed-host NAME")
        };
        let text = headers.get(header::HOST).and_then(|h| h.to_str().ok());
        let authority: Authority = text.and_then(|h| h.parse().ok()).ok_or_else(refused)?;
        let host = authority.host();
        let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let is_allowed = |allowed: &String| allowed == "*" || allowed.eq_ignore_ascii_case(host);
        if is_address
            || host.eq_ignore_ascii_case("localhost")
            || self.allowed_hosts.iter().any(is_allowed)
        {
            Ok(authority.to_string())
        } else {
            Err(refused())
        }
    }

    fn check_token(
        &self,
        token: &[u8; 32],
        headers: &HeaderMap,
        client: IpAddr,
    ) -> Result<(), Problem> {
        // Who has guessed too often is not even compared.
        if self.failures.are_too_many(client) {
            let detail = "too many wrong tokens from this address";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail)
                .hint("wait a minute before the next attempt"));
        }
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.as_bytes().split_first_chunk::<7>())
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "))
            .map(|(_, token)| Sha256::digest(token.trim_ascii()));
        if given.is_some_and(|given| bool::from(given.as_slice().ct_eq(token))) {
            return Ok(());
        }
        self.failures.count(client);
        // The same words for a missing and for a wrong one.
        let detail = "a token is needed, and it must be the right one";
        Err(Problem::new(StatusCode::UNAUTHORIZED, detail)
            .hint("send the header Authorization: Bearer TOKEN"))
    }
}

/// What tells nothing of the shop, and starts nothing.
fn is_open(path: &str) -> bool {
    matches!(
        path,
        "/" | "/page.css" | "/page.js" | "/openapi.json" | "/livez" | "/readyz"
    )
}

/// A page of another site may not ask through its visitor's browser.
fn check_origin(headers: &HeaderMap, host: &str) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default();
    let asked_by = origin.split_once("://").map(|(_, authority)| authority);
    if asked_by == Some(host) {
        return Ok(());
    }
    let detail = "a page of another site may not ask here";
    Err(Problem::new(StatusCode::FORBIDDEN, detail))
}

/// Wrong tokens by address: each leaks away in time.
#[derive(Default)]
struct Failures(Mutex<HashMap<IpAddr, (f64, Instant)>>);

impl Failures {
    fn are_too_many(&self, client: IpAddr) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&client)
            .is_some_and(|known| left(known) > FAILURES - 1.0)
    }

    fn count(&self, client: IpAddr) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.retain(|_, known| left(known) > 0.0);
        }
        if all.len() < REMEMBERED || all.contains_key(&client) {
            let known = all.entry(client).or_insert((0.0, Instant::now()));
            *known = (left(known) + 1.0, Instant::now());
        }
    }
}

fn left((failures, at): &(f64, Instant)) -> f64 {
    (failures - at.elapsed().as_secs_f64() / ANOTHER_EVERY.as_secs_f64()).max(0.0)
}

/// Lets a request through or not, and writes down what was done.
pub(super) async fn guard(
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
            path,
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
