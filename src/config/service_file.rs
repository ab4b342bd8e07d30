//! PostgreSQL's file of services: `service=NAME` in a URL, and PGSERVICE without one.

use std::path::{Path, PathBuf};

use url::form_urlencoded::{Serializer, parse};

use super::client_files::{at_home, set, shown, text, unusable};
use crate::domain::failure::{Failure, FailureKind};

/// Where Debian looks if PGSYSCONFDIR is not set.
const SYSTEM: &str = "/etc/postgresql-common";

/// The URL with what its service says and it does not; `None`: it names no service.
pub(super) fn completed(url: &str) -> Result<Option<String>, Failure> {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let mut pairs: Vec<(String, String)> = parse(query.as_bytes()).into_owned().collect();
    let Some(at) = pairs.iter().position(|(name, _)| name == "service") else {
        return Ok(None);
    };
    let (_, service) = pairs.remove(at);
    for (name, value) in of_service(&service)? {
        let is_said = says(place, &name) || pairs.iter().any(|(said, _)| *said == name);
        if !is_said {
            pairs.push((name, value));
        }
    }
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    Ok(Some(format!("{place}?{query}")))
}

/// Whether the part before the parameters says it.
fn says(place: &str, name: &str) -> bool {
    let (_, rest) = place.split_once("://").unwrap_or(("", place));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let has_port = |host: &str| host.rsplit(':').next().is_some_and(|p| p.parse::<u16>().is_ok());
    match name {
        "host" | "hostaddr" => !hosts.is_empty(),
        "port" => hosts.contains(':') && hosts.split(',').any(has_port),
        "user" => !user.split(':').next().unwrap_or_default().is_empty(),
        "password" => user.contains(':'),
        "dbname" => !database.is_empty(),
        _ => false,
    }
}

/// The parameters of a service, from the user's file or the system's.
fn of_service(service: &str) -> Result<Vec<(String, String)>, Failure> {
    let (users, systems) = places();
    for path in [users.as_ref(), Some(&systems)].into_iter().flatten() {
        let Some(text) = text(path)? else { continue };
        if let Some(found) = section(&text, service, path)? {
            return Ok(found);
        }
    }
    let users = users.unwrap_or_else(|| PathBuf::from("~/.pg_service.conf"));
    let what = format!("there is no PostgreSQL service {}", shown(service));
    let why = format!("neither {} nor {} has it", users.display(), systems.display());
    Err(Failure::new(FailureKind::Config, what, why)
        .hint("correct the name, or name the file in PGSERVICEFILE"))
}

fn places() -> (Option<PathBuf>, PathBuf) {
    let named = set("PGSERVICEFILE").map(PathBuf::from);
    let system = set("PGSYSCONFDIR").unwrap_or_else(|| SYSTEM.into());
    let users = named.or_else(|| at_home(".pg_service.conf"));
    (users, Path::new(&system).join("pg_service.conf"))
}

/// The lines `name=value` below `[service]`.
fn section(
    text: &str,
    service: &str,
    path: &Path,
) -> Result<Option<Vec<(String, String)>>, Failure> {
    let mut found: Option<Vec<(String, String)>> = None;
    let mut is_inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            // As for PostgreSQL, the first section of the name counts.
            is_inside = name == service && found.is_none();
            if is_inside {
                found = Some(Vec::new());
            }
            continue;
        }
        if !is_inside || line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with("ldap")) else {
            let why = "the service has a line that is not NAME=VALUE";
            return Err(unusable(path, why).hint("write its values there; LDAP is not supported"));
        };
        let pair = (name.trim().to_owned(), value.trim().to_owned());
        found.get_or_insert_default().push(pair);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_section_of_the_name_counts() {
        let text = "host=x\n[a]\nhost = y\n# c\n[shop]\nhost=a,b\npassword=p=q\n\n[shop]\nport=1\n";
        let path = Path::new("services");
        let found = section(text, "shop", path).expect("a file").expect("a service");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(found, [pair("host", "a,b"), pair("password", "p=q")]);
        assert_eq!(section(text, "none", path), Ok(None));
        for line in ["s3cret", "ldap://h/s3cret=x"] {
            let failure = section(&format!("[a]\n{line}"), "a", path).expect_err(line);
            assert!(!format!("{failure:?}").contains("s3cret"), "{failure:?}");
        }
    }

    #[test]
    fn the_url_goes_before_the_service() {
        for (place, said) in [
            ("postgres:///", &[][..]),
            ("postgres://u@h/d", &["host", "user", "dbname"]),
            ("postgres://u:p@[::1]:5/d", &["host", "port", "user", "password", "dbname"]),
            ("postgres://a:1,b/", &["host", "port"]),
        ] {
            let all = ["host", "port", "user", "password", "dbname"];
            let found: Vec<&str> = all.into_iter().filter(|name| says(place, name)).collect();
            assert_eq!(found, said, "{place}");
        }
    }
}
