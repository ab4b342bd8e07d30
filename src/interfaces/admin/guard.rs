//! Access control: host name, origin of the page, token.

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

/// Where a browser says the request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Checks before any handler.
pub(super) struct Guard {
    /// The digest of the token, so that the comparison leaks neither its length nor its content.
    token: Option<[u8; 32]>,
    allowed_hosts: Vec<String>,
    failures: Failures,
}

impl Guard {
    pub(super) fn new(config: &Config) -> Self {
        let digest = |token: &str| Sha256::digest(token).into();
        Self {
            token: config.token.as_ref().map(|token| digest(token.expose())),
            allowed_hosts: config.serve.allowed_host(),
            failures: Failures::default(),
        }
    }

    pub(super) fn check(&self, request: &Request, client: IpAddr) -> Result<(), Problem> {
        let headers = request.headers();
        let host = self.host(headers)?;
        // The request line may contain a host.
        if request.uri().authority().is_some_and(|named| named.as_str() != host.as_str()) {
            return Err(wrong_host());
        }
        let open = is_open(request.uri().path());
        self.check_origin(headers, &host, open)?;
        match self.token {
            Some(token) if !open => self.check_token(&token, headers, client),
            _ => Ok(()),
        }
    }

    /// Checks the host name: somebody else's DNS name may point here (DNS rebinding), an IP address
    /// cannot.
    fn host(&self, headers: &HeaderMap) -> Result<Authority, Problem> {
        let mut named = headers.get_all(header::HOST).iter();
        let only = named.next().filter(|_| named.next().is_none());
        let authority = only.and_then(|host| authority(host.to_str().ok()?));
        let authority = authority.ok_or_else(wrong_host)?;
        let host = authority.host();
        let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        if is_address
            || host.eq_ignore_ascii_case("localhost")
            || self.allowed_hosts.iter().any(|allowed| allowed == "*")
            || self.allows(host)
        {
            Ok(authority)
        } else {
            Err(wrong_host())
        }
    }

    /// Whether the operator allowed this host.
    fn allows(&self, host: &str) -> bool {
        let mut allowed = self.allowed_hosts.iter();
        allowed.any(|allowed| allowed.eq_ignore_ascii_case(host))
    }

    /// Pages of other sites may not send requests through a visitor's browser, but may link to
    /// public pages.
    fn check_origin(
        &self,
        headers: &HeaderMap,
        host: &Authority,
        open: bool,
    ) -> Result<(), Problem> {
        let text = |name: HeaderName| headers.get(name).map(|v| v.to_str().unwrap_or_default());
        let is_ours = |origin: &str| {
            let asked_by = origin.split_once("://").and_then(|(_, named)| authority(named));
            asked_by.is_some_and(|by| by == *host || self.allows(by.host()))
        };
        let is_other_site = text(FETCH_SITE) == Some("cross-site");
        if text(header::ORIGIN).is_none_or(is_ours) && (open || !is_other_site) {
            return Ok(());
        }
        let detail = "pages of other sites cannot call this server";
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
        // A correct token always passes: behind a proxy all clients share an address, and one that
        // guesses must not lock the others out. A missing token is not a guess.
        if given.is_some() && !self.failures.allow(client) {
            let detail = "too many wrong tokens from this address";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail)
                .hint("wait a minute before the next attempt"));
        }
        // The same message for a missing and a wrong token.
        let detail = "the token is missing or wrong";
        Err(Problem::new(StatusCode::UNAUTHORIZED, detail)
            .hint("send the header Authorization: Bearer TOKEN"))
    }
}

/// Public paths: they reveal nothing about the shop and start nothing.
fn is_open(path: &str) -> bool {
    matches!(path, "/" | "/page.css" | "/page.js" | "/openapi.json" | "/livez" | "/readyz")
}

fn wrong_host() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "this host name is not allowed")
        .hint("allow a name with --allowed-host NAME")
}

/// A host with an optional port.
fn authority(text: &str) -> Option<Authority> {
    text.parse().ok().filter(|_| !text.contains('@'))
}
