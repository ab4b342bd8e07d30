//! Who may ask: the host that is meant, the page that asks, the token.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderName};
use axum::http::uri::Authority;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::failures::Failures;
use super::problem::Problem;
use crate::config::Config;

/// What browsers say of who asks.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What is checked before anything else.
pub(super) struct Guard {
    /// The digest of the token. Digests are of one length, and say nothing when compared.
    token: Option<[u8; 32]>,
    allowed_hosts: Vec<String>,
    failures: Failures,
}

impl Guard {
    pub fn new(config: &Config) -> Self {
        let digest = |token: &str| Sha256::digest(token).into();
        Self {
            token: config.token.as_ref().map(|token| digest(token.expose())),
            allowed_hosts: config.serve.allowed_host(),
            failures: Failures::default(),
        }
    }

    pub fn check(&self, request: &Request, client: IpAddr) -> Result<(), Problem> {
        let headers = request.headers();
        let host = self.host(headers)?;
        // A request line may name a host of its own.
        if request
            .uri()
            .authority()
            .is_some_and(|named| named.as_str() != host.as_str())
        {
            return Err(not_called_that());
        }
        let open = is_open(request.uri().path());
        self.check_origin(headers, &host, open)?;
        match self.token {
            Some(token) if !open => self.check_token(&token, headers, client),
            _ => Ok(()),
        }
    }

    /// The host that is meant. A name that somebody else's DNS points at this address is not ours;
    /// an address cannot be.
    fn host(&self, headers: &HeaderMap) -> Result<Authority, Problem> {
        let mut named = headers.get_all(header::HOST).iter();
        let only = named.next().filter(|_| named.next().is_none());
        let authority = only.and_then(|host| authority(host.to_str().ok()?));
        let authority = authority.ok_or_else(not_called_that)?;
        let host = authority.host();
        let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        if is_address
            || host.eq_ignore_ascii_case("localhost")
            || self.allowed_hosts.iter().any(|allowed| allowed == "*")
            || self.allows(host)
        {
            Ok(authority)
        } else {
            Err(not_called_that())
        }
    }

    /// Whether the operator named a host.
    fn allows(&self, host: &str) -> bool {
        let mut allowed = self.allowed_hosts.iter();
        allowed.any(|allowed| allowed.eq_ignore_ascii_case(host))
    }

    /// A page of another site may not ask through its visitor's browser; it may link to what is open.
    fn check_origin(
        &self,
        headers: &HeaderMap,
        host: &Authority,
        open: bool,
    ) -> Result<(), Problem> {
        let text = |name: HeaderName| headers.get(name).map(|v| v.to_str().unwrap_or_default());
        let is_ours = |origin: &str| {
            let asked_by = origin
                .split_once("://")
                .and_then(|(_, named)| authority(named));
            asked_by.is_some_and(|by| by == *host || self.allows(by.host()))
        };
        let is_other_site = text(FETCH_SITE) == Some("cross-site");
        if text(header::ORIGIN).is_none_or(is_ours) && (open || !is_other_site) {
            return Ok(());
        }
        let detail = "a page of another site may not ask here";
        Err(Problem::new(StatusCode::FORBIDDEN, detail))
    }

    fn check_token(
        &self,
        token: &[u8; 32],
        headers: &HeaderMap,
        client: IpAddr,
    ) -> Result<(), Problem> {
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.as_bytes().split_first_chunk::<7>())
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "))
            .map(|(_, token)| Sha256::digest(token.trim_ascii()));
        if given.is_some_and(|given| bool::from(given.as_slice().ct_eq(token))) {
            return Ok(());
        }
        // The right token always passes: behind a proxy all clients have one address, and who guesses
        // must not shut the others out. Who sends none does not guess.
        if given.is_some() && !self.failures.allow(client) {
            let detail = "too many wrong tokens from this address";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail)
                .hint("wait a minute before the next attempt"));
        }
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

fn not_called_that() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "this server is not called that")
        .hint("allow a name with --allowed-host NAME")
}

/// A host and its port, and nothing before them.
fn authority(text: &str) -> Option<Authority> {
    text.parse().ok().filter(|_| !text.contains('@'))
}
