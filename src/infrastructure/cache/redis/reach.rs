//! Where announced servers are reached: behind NAT, port mappings or other names.

use std::sync::Arc;

use crate::domain::failure::{Failure, FailureKind};

/// Announced addresses, and where they are reached instead. Without a port, any port is meant, and
/// stays.
#[derive(Clone, Default)]
pub(super) struct Reach(Arc<[(Place, Place)]>);

struct Place {
    host: String,
    port: Option<u16>,
}

impl Reach {
    /// From `ANNOUNCED=REACHABLE`, each a host or `HOST:PORT`.
    ///
    /// # Errors
    /// One of them is not of this form.
    pub(super) fn new(nodes: &[String]) -> Result<Self, Failure> {
        let pairs = nodes.iter().map(|node| {
            let (announced, reached) = node.split_once('=').ok_or_else(|| invalid(node))?;
            let place = |text| Place::parse(text).ok_or_else(|| invalid(node));
            Ok((place(announced)?, place(reached)?))
        });
        Ok(Self(pairs.collect::<Result<Vec<_>, Failure>>()?.into()))
    }

    /// Where a server is reached. A pair with its port comes before one without.
    pub(super) fn place(&self, host: &str, port: u16) -> (String, u16) {
        let is_host = |place: &Place| place.host.eq_ignore_ascii_case(host);
        let by = |wanted: Option<u16>| {
            self.0.iter().find(|(announced, _)| is_host(announced) && announced.port == wanted)
        };
        match by(Some(port)).or_else(|| by(None)) {
            Some((_, reached)) => (reached.host.clone(), reached.port.unwrap_or(port)),
            None => (host.to_owned(), port),
        }
    }
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (host, port) = match text.rsplit_once(':') {
            // An IPv6 address in brackets may have a port; one without has none.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().ok()?))
            }
            _ => (text, None),
        };
        let host = host.trim_matches(['[', ']']);
        let host = (!host.is_empty()).then(|| host.to_owned())?;
        Some(Self { host, port })
    }
}

fn invalid(node: &str) -> Failure {
    let what = format!("--cache-node {node} is not valid");
    let why = "it looks like ANNOUNCED=REACHABLE, each a host or HOST:PORT";
    Failure::new(FailureKind::Config, what, why)
        .hint("for example --cache-node 172.18.0.2:6379=localhost:7001")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_more_precise_than_a_host() {
        let nodes = ["10.0.0.1=a", "10.0.0.1:7=b:8", "[fd00::1]:6379=localhost:1", "fd00::2=c"];
        let reach = Reach::new(&nodes.map(str::to_owned)).unwrap_or_default();
        for (host, port, reached) in [
            ("10.0.0.1", 6379, ("a", 6379)),
            ("10.0.0.1", 7, ("b", 8)),
            ("fd00::1", 6379, ("localhost", 1)),
            ("fd00::1", 6380, ("fd00::1", 6380)),
            ("fd00::2", 9, ("c", 9)),
            ("10.0.0.2", 7, ("10.0.0.2", 7)),
        ] {
            let (to, at) = reach.place(host, port);
            assert_eq!((to.as_str(), at), reached, "{host}:{port}");
        }
    }

    #[test]
    fn what_is_no_pair_is_named() {
        for node in ["10.0.0.1", "=a", "a=", "a:x=b", ":1=b"] {
            let failure = Reach::new(&[node.to_owned()]).err().expect(node);
            assert!(failure.what.contains(node), "{failure}");
        }
    }
}
