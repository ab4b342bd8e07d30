//! A database URL made of the variables that frameworks and clients use for its parts.

use std::env::var;

use super::client_files::set;
use super::layers::Provenance;
use super::option_file;
use super::secret::Secret;
use crate::domain::database::{SERVERS, plain_scheme};
use crate::domain::failure::{Failure, FailureKind};

/// Variables that belong together; of each part the first that is set.
struct Family {
    /// The kind of database, or the variables that name it.
    kind: Result<&'static str, &'static [&'static str]>,
    host: &'static [&'static str],
    port: &'static [&'static str],
    user: &'static [&'static str],
    password: &'static [&'static str],
    database: &'static [&'static str],
}

/// In the order of precedence: the application's own, then those of clients.
const FAMILIES: [Family; 5] = [
    Family {
        kind: Err(&[
            "DB_CONNECTION",
            "DB_ENGINE",
            "DB_DRIVER",
            "DB_CLIENT",
            "DB_TYPE",
            "DB_DIALECT",
        ]),
        host: &["DB_HOST", "DB_HOSTNAME"],
        port: &["DB_PORT"],
        user: &["DB_USERNAME", "DB_USER"],
        password: &["DB_PASSWORD", "DB_PASS"],
        database: &["DB_DATABASE", "DB_NAME"],
    },
    Family {
        kind: Ok("postgres"),
        host: &["PGHOST", "PGHOSTADDR"],
        port: &["PGPORT"],
        user: &["PGUSER"],
        password: &["PGPASSWORD"],
        database: &["PGDATABASE"],
    },
    Family {
        kind: Ok("postgres"),
        host: &["POSTGRES_HOST"],
        port: &["POSTGRES_PORT"],
        user: &["POSTGRES_USER"],
        password: &["POSTGRES_PASSWORD"],
        database: &["POSTGRES_DB", "POSTGRES_DATABASE"],
    },
    Family {
        kind: Ok("mysql"),
        host: &["MYSQL_HOST"],
        port: &["MYSQL_PORT", "MYSQL_TCP_PORT"],
        user: &["MYSQL_USER", "MYSQL_USERNAME"],
        password: &["MYSQL_PASSWORD", "MYSQL_PASS", "MYSQL_PWD"],
        database: &["MYSQL_DATABASE", "MYSQL_DB", "MYSQL_DBNAME", "MYSQL_NAME"],
    },
    Family {
        kind: Ok("mariadb"),
        host: &["MARIADB_HOST"],
        port: &["MARIADB_PORT"],
        user: &["MARIADB_USER"],
        password: &["MARIADB_PASSWORD"],
        database: &["MARIADB_DATABASE"],
    },
];

/// The URL that the first family with a host or a database makes, or what the clients' own files say,
/// and where it comes from.
///
/// # Errors
/// A [`FailureKind::Config`] failure where they do not say enough.
pub(super) fn database_url() -> Result<Option<(Secret, Provenance)>, Failure> {
    let mut families = FAMILIES.iter();
    let family = families.find(|family| {
        let named = [family.host, family.database];
        named.iter().any(|names| first(names).is_some())
    });
    let is_postgres = family.is_none_or(|family| family.kind == Ok("postgres"));
    if let Some(service) = set("PGSERVICE").filter(|_| is_postgres) {
        let service = encoded(&service.to_string_lossy(), "");
        let from = Provenance::Environment("PGSERVICE".to_owned());
        let url = Secret::new(format!("postgres:///?service={service}"));
        return Ok(Some((url, from)));
    }
    match family {
        Some(family) => of_family(family).map(Some),
        None => {
            let url = option_file::url()?.map(Secret::new);
            Ok(url.map(|url| (url, Provenance::File("~/.my.cnf".into()))))
        }
    }
}

fn of_family(family: &Family) -> Result<(Secret, Provenance), Failure> {
    let mut used = Vec::new();
    let mut take = |names: &'static [&'static str]| {
        let (name, value) = first(names)?;
        used.push(name);
        Some(value)
    };
    let kind = match family.kind {
        Ok(kind) => kind.to_owned(),
        // Django names a module: django.db.backends.mysql.
        Err(names) => take(names).map_or_else(String::new, |kind| {
            let kind = kind.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
            plain_scheme(&kind).to_owned()
        }),
    };
    let [database, host, port, user, password] =
        [family.database, family.host, family.port, family.user, family.password].map(take);
    let url = match (kind.as_str(), database) {
        ("sqlite", Some(file)) => format!("sqlite:{}", encoded(&file, "/")),
        (kind, Some(database)) if SERVERS.contains(&kind) => {
            let place = place(kind, host, port, &encoded(&database, ""));
            format!("{kind}://{}{place}", account(user, password))
        }
        (_, None) => return Err(incomplete(&used, family.database)),
        (_, Some(_)) => {
            let kinds = family.kind.err().unwrap_or_default();
            return Err(incomplete(&used, kinds).hint(format!(
                "set {} to postgres, mysql, mariadb or sqlite, or give a URL in DATABASE_URL",
                kinds.first().unwrap_or(&"")
            )));
        }
    };
    let from = Provenance::Environment(used.join(", "));
    Ok((Secret::new(url), from))
}

fn account(user: Option<String>, password: Option<String>) -> String {
    let user = user.map(|user| encoded(&user, ""));
    match (user, password) {
        (None, None) => String::new(),
        (Some(user), None) => format!("{user}@"),
        (user, Some(password)) => {
            let user = user.unwrap_or_default();
            format!("{user}:{}@", encoded(&password, ""))
        }
    }
}

/// Host, port and database; a host that is a folder holds the server's socket.
fn place(kind: &str, host: Option<String>, port: Option<String>, database: &str) -> String {
    // Kubernetes sets MYSQL_PORT=tcp://10.0.0.1:3306 for a service of that name.
    let port = port.map(|port| port.rsplit(':').next().unwrap_or_default().to_owned());
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    match host {
        None => format!("localhost{port}/{database}"),
        Some(socket) if socket.starts_with('/') => {
            let parameter = if kind.starts_with("postgres") { "host" } else { "socket" };
            format!("localhost{port}/{database}?{parameter}={}", encoded(&socket, ""))
        }
        Some(host) if host.matches(':').count() > 1 && !host.starts_with('[') => {
            format!("[{host}]{port}/{database}")
        }
        Some(hosts) if hosts.contains(',') => {
            let (hosts, port) = (encoded(&hosts, ","), port.replace(':', "&port="));
            format!("/{database}?host={hosts}{port}")
        }
        // WordPress writes the port behind the host.
        Some(host) if host.contains(':') => format!("{host}/{database}"),
        Some(host) => format!("{host}{port}/{database}"),
    }
}

fn incomplete(used: &[&str], missing: &[&str]) -> Failure {
    let what = format!("{} do not make a database URL", used.join(", "));
    let why = format!("{} is not set, or not known", missing.join(" or "));
    Failure::new(FailureKind::Config, what, why).hint("set it, or give a URL in DATABASE_URL")
}

/// The first variable that is set and not empty.
fn first(names: &'static [&'static str]) -> Option<(&'static str, String)> {
    let set = |name: &&'static str| {
        let value = var(name).ok().filter(|value| !value.is_empty())?;
        Some((*name, value))
    };
    names.iter().find_map(set)
}

/// A text as a part of a URL.
fn encoded(text: &str, kept: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            byte if kept.contains(char::from(byte)) => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
