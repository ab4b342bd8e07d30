//! Parses a cache URL: servers, topology, credentials.
//!
//! `redis+cluster://` and `redis+sentinel://` list several hosts, which URL parsers reject. Each
//! host is parsed as its own URL, so that all forms support the same users, passwords and options.

use redis::io::tcp::TcpSettings;
use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _,
    RedisConnectionInfo, TlsCertificates,
};
use url::Url;

use crate::domain::failure::Failure;
use crate::infrastructure::cache::url::ConnectOptions;
use crate::infrastructure::cache::url::invalid_url;

const SENTINEL_PORT: u16 = 26379;

/// The servers in a URL.
pub(super) enum Address {
    One(ConnectionInfo),
    Cluster(Vec<ConnectionInfo>),
    Sentinel(SentinelAddress),
}

/// Sentinels, and the name of the primary.
pub(super) struct SentinelAddress {
    pub sentinels: Vec<ConnectionInfo>,
    pub name: String,
    /// Credentials for the primary; its address comes from the sentinels.
    pub primary: ConnectionInfo,
}

impl Address {
    /// How to sign in where keys are.
    pub(super) fn settings(&self) -> &RedisConnectionInfo {
        match self {
            Self::One(info) => info.redis_settings(),
            // There is at least one host.
            Self::Cluster(nodes) => nodes[0].redis_settings(),
            Self::Sentinel(address) => address.primary.redis_settings(),
        }
    }

    /// # Errors
    /// Says what is wrong without repeating the URL, which holds a password.
    pub(super) fn parse(url: &str, options: &ConnectOptions) -> Result<Self, Failure> {
        let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
        let (base, topology) = match scheme.split_once('+') {
            Some((base, topology @ ("cluster" | "sentinel"))) => (base, topology),
            _ => return Ok(Self::One(trusting(server(url)?, options)?)),
        };
        let (user, hosts, tail) = parts(rest);
        let each = |tail: &str, port: Option<u16>| {
            let hosts = hosts.split(',').map(|host| host_url(base, user, host, port, tail));
            hosts.map(|url| trusting(server(&url?)?, options)).collect::<Result<Vec<_>, Failure>>()
        };
        if topology == "cluster" {
            return Ok(Self::Cluster(each(tail, None)?));
        }
        let (path, options_text) = match tail.find(['?', '#']) {
            Some(at) => tail.split_at(at),
            None => (tail, ""),
        };
        let mut path = path.trim_matches('/').splitn(2, '/');
        let name = unescaped(path.next().unwrap_or_default())?;
        if name.is_empty() {
            return Err(invalid_url("it does not name the primary")
                .hint("it looks like redis+sentinel://HOST:26379,HOST:26379/NAME/0"));
        }
        let db = path.next().unwrap_or_default();
        let primary = each(&format!("/{db}{options_text}"), None)?.swap_remove(0);
        let own = sign_in(options_text)?;
        let sentinels = each(options_text, Some(SENTINEL_PORT))?.into_iter();
        let sentinels = sentinels.map(|info| {
            let own = own.clone().set_protocol(info.redis_settings().protocol());
            info.set_redis_settings(own)
        });
        Ok(Self::Sentinel(SentinelAddress { sentinels: sentinels.collect(), name, primary }))
    }
}

/// Another server, with the same credentials and TLS.
pub(super) fn neighbour(of: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    let mut addr = of.addr().clone();
    match &mut addr {
        ConnectionAddr::TcpTls { host: at, port: door, .. } => {
            host.clone_into(at);
            *door = port;
        }
        _ => addr = ConnectionAddr::Tcp(host.to_owned(), port),
    }
    of.clone().set_addr(addr)
}

/// Userinfo with its `@`, hosts, and what follows them.
fn parts(rest: &str) -> (&str, &str, &str) {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let hosts = authority.rfind('@').map_or(0, |at| at + 1);
    let (user, hosts) = authority.split_at(hosts);
    (user, hosts, tail)
}

/// The URL of one of several hosts.
fn host_url(
    base: &str,
    user: &str,
    host: &str,
    port: Option<u16>,
    tail: &str,
) -> Result<String, Failure> {
    if host.is_empty() {
        return Err(invalid_url("a host is missing in its list"));
    }
    let mut url = format!("{base}://{user}{host}");
    let has_port = Url::parse(&url).is_ok_and(|url| url.port().is_some());
    if let (Some(port), false) = (port, has_port) {
        url.push_str(&format!(":{port}"));
    }
    url.push_str(tail);
    Ok(url)
}

fn server(url: &str) -> Result<ConnectionInfo, Failure> {
    // The crate's message may quote part of the URL.
    let info = url.into_connection_info().map_err(|_| invalid_url("it cannot be parsed"))?;
    // Otherwise the last packet of a batch waits until the others are acknowledged.
    Ok(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

/// The sentinels' own user, if any.
fn sign_in(options: &str) -> Result<RedisConnectionInfo, Failure> {
    let url = Url::parse(&format!("redis://sentinel/{options}"))
        .map_err(|_| invalid_url("it cannot be parsed"))?;
    let mut own = RedisConnectionInfo::default();
    for (name, value) in url.query_pairs() {
        match &*name {
            "sentinel_user" => own = own.set_username(value),
            "sentinel_password" => own = own.set_password(value),
            _ => {}
        }
    }
    Ok(own)
}

/// Decodes a part of a URL: `%2F` is a slash.
fn unescaped(text: &str) -> Result<String, Failure> {
    let query = text.replace('+', "%2B");
    let url = Url::parse(&format!("redis://name/?name={query}"))
        .map_err(|_| invalid_url("it cannot be parsed"))?;
    let name = url.query_pairs().next().map(|(_, name)| name.into_owned());
    Ok(name.unwrap_or_default())
}

/// Adds the given certificates.
fn trusting(info: ConnectionInfo, options: &ConnectOptions) -> Result<ConnectionInfo, Failure> {
    let Some(certificates) = certificates(options)? else {
        return Ok(info);
    };
    if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        return Err(Failure::new(
            crate::domain::failure::FailureKind::Config,
            "certificates are given for a cache without TLS",
            "its URL does not begin with rediss://",
        )
        .hint("write rediss://, rediss+cluster:// or rediss+sentinel://, or leave --cache-ca, --cache-cert and --cache-key out"));
    }
    Client::build_with_tls(info, certificates)
        .map(|client| client.get_connection_info().clone())
        .map_err(|_| {
            bad_file("the certificates for the cache", "they are not a valid certificate and key")
        })
}

fn certificates(options: &ConnectOptions) -> Result<Option<TlsCertificates>, Failure> {
    let read = |path: &Option<std::path::PathBuf>, kind: &str| {
        let Some(path) = path else { return Ok(None) };
        let shown = path.display().to_string();
        let bytes = std::fs::read(path)
            .map_err(|error| bad_file(&format!("cannot read {shown}"), &error.to_string()))?;
        // The header of an RSA key names its kind.
        let is_there = String::from_utf8_lossy(&bytes)
            .lines()
            .any(|line| line.starts_with("-----BEGIN ") && line.contains(kind));
        match is_there {
            true => Ok(Some(bytes)),
            false => Err(bad_file(
                &shown,
                &format!("it contains no {} in PEM form", kind.to_lowercase()),
            )),
        }
    };
    let root_cert = read(&options.ca, "CERTIFICATE")?;
    let client_tls = match (read(&options.cert, "CERTIFICATE")?, read(&options.key, "PRIVATE KEY")?)
    {
        (Some(client_cert), Some(client_key)) => Some(ClientTlsConfig { client_cert, client_key }),
        (None, None) => None,
        (Some(_), None) => {
            return Err(bad_file("--cache-cert", "its key is missing")
                .hint("give it with --cache-key FILE"));
        }
        (None, Some(_)) => {
            return Err(bad_file("--cache-key", "its certificate is missing")
                .hint("give it with --cache-cert FILE"));
        }
    };
    let is_given = root_cert.is_some() || client_tls.is_some();
    Ok(is_given.then_some(TlsCertificates { client_tls, root_cert }))
}

fn bad_file(what: &str, why: &str) -> Failure {
    Failure::new(crate::domain::failure::FailureKind::Config, what, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, Failure> {
        Address::parse(url, &ConnectOptions::default())
    }

    fn places(all: &[ConnectionInfo]) -> Vec<String> {
        all.iter().map(|info| info.addr().to_string()).collect()
    }

    #[test]
    fn a_cluster_is_a_list_of_hosts() {
        let url = "rediss+cluster://shop:p%40ss@a:1,[::1]:2,c/?protocol=resp3";
        let Ok(Address::Cluster(nodes)) = parse(url) else { panic!() };
        assert_eq!(places(&nodes), ["a:1", "::1:2", "c:6379"]);
        for node in nodes {
            let settings = node.redis_settings();
            assert_eq!(settings.username(), Some("shop"));
            assert_eq!(settings.password(), Some("p@ss"));
            assert!(matches!(node.addr(), ConnectionAddr::TcpTls { .. }));
            assert!(matches!(settings.protocol(), redis::ProtocolVersion::RESP3));
        }
    }

    #[test]
    fn a_sentinel_has_a_user_of_its_own() {
        let url = "redis+sentinel://shop:pw@a,b:2/my%20shop/3?sentinel_user=guard&sentinel_password=s%26cret";
        let Ok(Address::Sentinel(address)) = parse(url) else { panic!() };
        assert_eq!(address.name, "my shop");
        assert_eq!(places(&address.sentinels), ["a:26379", "b:2"]);
        let (own, primary) =
            (address.sentinels[0].redis_settings(), address.primary.redis_settings());
        assert_eq!((own.username(), own.password(), own.db()), (Some("guard"), Some("s&cret"), 0));
        assert_eq!(
            (primary.username(), primary.password(), primary.db()),
            (Some("shop"), Some("pw"), 3)
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for url in [
            "redis+cluster://:s3cret@",
            "redis+cluster://:s3cret@a:1,,b:2",
            "redis+cluster://:s3cret@a:no-port,b:2",
            "redis+sentinel://:s3cret@a:1",
            "redis+sentinel://:s3cret@a:1/name/no-number",
            "redis+sentinel://:s3cret@0.0.0.0:1/name",
            "redis://:s3cret@a/?protocol=9",
        ] {
            let Err(failure) = parse(url) else { panic!("{url}") };
            let text = format!("{failure} {:?}", failure.hint);
            assert!(!text.contains("s3cret"), "{text}");
            assert_eq!(failure.what, "the cache URL is not valid");
        }
    }
}
