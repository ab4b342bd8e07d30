//! Several servers in one URL: `postgres://a:1,b:2/db` or `?host=a,b&port=1,2`.

use url::Url;

use super::super::errors::invalid_url;
use crate::domain::failure::Failure;

/// The parameters that may list one value for each server.
const LISTS: [&str; 3] = ["host", "hostaddr", "port"];

/// One URL for each server, in the order in which they are tried.
///
/// # Errors
/// The URL cannot be parsed, or its lists do not fit each other; never quotes a value.
pub(super) fn urls(text: &str) -> Result<Vec<Url>, Failure> {
    let (scheme, rest) = text.split_once("://").unwrap_or((text, ""));
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    // With a user before it, no URL has an empty host; the parameter goes before this one.
    let hosts = match hosts.is_empty() && !user.is_empty() && tail.contains("host=") {
        true => "localhost",
        false => hosts,
    };
    let mut urls = Vec::new();
    for host in hosts.split(',') {
        if host.is_empty() && hosts.contains(',') {
            return Err(invalid_url("a host is missing in its list"));
        }
        let url = Url::parse(&format!("{scheme}://{user}{host}{tail}"));
        let url = url.map_err(|_| invalid_url("it cannot be parsed"))?;
        urls.extend(of_lists(&url)?);
    }
    Ok(urls)
}

/// One URL for each value of the parameters that are lists; a list of one value is for all.
fn of_lists(url: &Url) -> Result<Vec<Url>, Failure> {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let is_list = |name: &str| LISTS.contains(&name);
    let lengths = pairs.iter().filter(|(name, _)| is_list(name));
    let servers = lengths.map(|(_, value)| value.split(',').count()).max();
    let servers = servers.unwrap_or(1);
    if servers == 1 {
        return Ok(vec![url.clone()]);
    }
    let nth = |at: usize| {
        let mut nth = url.clone();
        nth.set_query(None);
        for (name, value) in &pairs {
            let values: Vec<&str> = match is_list(name) {
                true => value.split(',').collect(),
                false => vec![value],
            };
            let value = match values[..] {
                [one] if name == "port" || !is_list(name) => one,
                _ => values.get(at).copied().unwrap_or_default(),
            };
            if value.is_empty() && is_list(name) {
                let why = "it does not list as many values of host, hostaddr and port";
                return Err(
                    invalid_url(why).hint("write one port for all servers, or one for each")
                );
            }
            nth.query_pairs_mut().append_pair(name, value);
        }
        Ok(nth)
    };
    (0..servers).map(nth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_has_a_url() {
        for (text, servers) in [
            ("postgres://h/d", &["postgres://h/d"][..]),
            ("postgres:///d?host=%2Frun", &["postgres:///d?host=%2Frun"]),
            (
                "postgres://u:p%40@a:1,[::1]:2/d?x=1",
                &["postgres://u:p%40@a:1/d?x=1", "postgres://u:p%40@[::1]:2/d?x=1"],
            ),
            ("postgres://u:p@/d?host=a", &["postgres://u:p@localhost/d?host=a"]),
            (
                "postgres:///d?host=a,b&port=1,2",
                &["postgres:///d?host=a&port=1", "postgres:///d?host=b&port=2"],
            ),
            (
                "postgres:///d?host=a,b&port=5",
                &["postgres:///d?host=a&port=5", "postgres:///d?host=b&port=5"],
            ),
        ] {
            let found = urls(text).expect(text);
            let found: Vec<&str> = found.iter().map(Url::as_str).collect();
            assert_eq!(found, servers, "{text}");
        }
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        for text in [
            "postgres://u:s3cret@a,,b/d",
            "postgres://u:s3cret@a,b:port/d",
            "postgres://u:s3cret@/d?host=a,b,c&port=1,2",
            "postgres://u:s3cret@/d?host=a&port=1,2",
        ] {
            let failure = urls(text).expect_err(text);
            assert!(!format!("{failure:?}").contains("s3cret"), "{failure:?}");
        }
    }
}
