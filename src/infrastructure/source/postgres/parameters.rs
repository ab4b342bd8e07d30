//! Parameters in the URL, and PGOPTIONS. The driver would drop unknown ones, and send the rest at
//! the start of a session, which poolers refuse: so each is known here or refused.

use super::super::errors::invalid_url;
use super::target::Target;
use super::{hosts, transaction};
use crate::domain::failure::{Failure, FailureKind};
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

/// Connection options, and the operator's settings for each transaction.
pub(super) struct Parameters {
    /// One for each server, in the order in which they are tried.
    pub(super) servers: Vec<PgConnectOptions>,
    pub(super) target: Target,
    pub(super) settings: Vec<(String, String)>,
}

/// Parameters of the driver: address, user, TLS.
const TAKEN: [&str; 15] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
];

/// What Prisma, JDBC and others call the schemas in which tables are looked for.
const SEARCH_PATHS: [&str; 3] = ["schema", "currentSchema", "search_path"];

/// Harmless parameters of other clients: names, pools, caches, timeouts.
const WITHOUT_EFFECT: [&str; 22] = [
    "application_name",
    "charset",
    "client_encoding",
    "connect_timeout",
    "connection_limit",
    "fallback_application_name",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "pgbouncer",
    "pool",
    "pool_max_conns",
    "pool_size",
    "pool_timeout",
    "prepared_statements",
    "serverVersion",
    "socket_timeout",
    "sslsni",
    "statement-cache-capacity",
    "statement_cache_size",
    "tcp_user_timeout",
];

/// Parameters with one value that matches what we do anyway.
const HARMLESS: [(&str, &[&str]); 4] = [
    ("channel_binding", &["disable", "prefer"]),
    ("gssencmode", &["disable", "prefer"]),
    ("load_balance_hosts", &["disable"]),
    ("uselibpqcompat", &["true", "false"]),
];

impl Parameters {
    /// # Errors
    /// A parameter is refused; never quotes its value.
    pub(super) fn read(url: &str) -> Result<Self, Failure> {
        let (mut servers, mut others) = (Vec::new(), Vec::new());
        for mut server in hosts::urls(url)? {
            let taken: Vec<_>;
            let pairs = server.query_pairs().into_owned();
            (taken, others) = pairs.partition(|(name, _)| TAKEN.contains(&name.as_str()));
            server.set_query(None);
            if !taken.is_empty() {
                server.query_pairs_mut().extend_pairs(&taken);
            }
            let connect = PgConnectOptions::from_url(&server);
            servers.push(connect.map_err(|_| invalid_url("it cannot be parsed"))?);
        }
        // The URL's own options were removed: these come from the environment.
        let mut settings = match servers.first().and_then(PgConnectOptions::get_options) {
            Some(options) => read_options(options, "PGOPTIONS")?,
            None => Vec::new(),
        };
        let mut target = std::env::var("PGTARGETSESSIONATTRS").ok();
        for (name, value) in others {
            match name.as_str() {
                "target_session_attrs" => target = Some(value),
                _ => settings.extend(settings_of(&name, &value)?),
            }
        }
        let target = target.filter(|target| !target.is_empty());
        let target = target.map_or(Ok(Target::Any), |target| Target::parse(&target))?;
        Ok(Self { servers, target, settings })
    }
}

/// Applies a parameter that the driver does not support.
fn settings_of(name: &str, value: &str) -> Result<Vec<(String, String)>, Failure> {
    if WITHOUT_EFFECT.contains(&name) {
        return Ok(Vec::new());
    }
    if HARMLESS.iter().any(|(known, values)| *known == name && values.contains(&value)) {
        return Ok(Vec::new());
    }
    if SEARCH_PATHS.contains(&name) {
        return Ok(vec![("search_path".to_owned(), search_path(value))]);
    }
    if name == "options" {
        return read_options(value, "`options` in the database URL");
    }
    if let Some(setting) = name.strip_prefix("options[").and_then(|n| n.strip_suffix(']')) {
        return Ok(vec![checked(setting, value, "`options` in the database URL")?]);
    }
    Err(unknown(name))
}

/// Schemas separated by commas, as names.
fn search_path(schemas: &str) -> String {
    let name = |schema: &str| match schema.trim() {
        plain if plain.starts_with(['"', '$']) => plain.to_owned(),
        plain => format!("\"{}\"", plain.replace('"', "\"\"")),
    };
    schemas.split(',').map(name).collect::<Vec<_>>().join(", ")
}

fn unknown(name: &str) -> Failure {
    // The name may be part of a password.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let shown = name.len() <= 40 && name.chars().all(is_plain);
    let why = match shown {
        true => format!("shopwarm does not know the parameter `{name}`, and does not guess"),
        false => "it has a parameter that shopwarm does not know".to_owned(),
    };
    let hint = match name {
        "channel_binding" => {
            "remove it: channel binding is not supported; sslmode=verify-full checks the server"
        }
        "load_balance_hosts" => "remove it: the servers are tried in the order of the URL",
        "passfile" => "remove it, and name the file in PGPASSFILE",
        "service" => {
            "give it to --database-url or DATABASE_URL, where the file of services is read"
        }
        _ => "remove it; docs/database.md lists the parameters that are known",
    };
    invalid_url(why).hint(hint)
}

/// `-c name=value`, `-cname=value` or `--name=value`, separated by blanks; a backslash escapes a
/// blank.
fn read_options(options: &str, place: &str) -> Result<Vec<(String, String)>, Failure> {
    let words = words(options);
    let mut words = words.iter().map(String::as_str);
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("-c").or_else(|| word.strip_prefix("--")) {
            Some("") => words.next(),
            setting => setting,
        };
        let Some((name, value)) = setting.and_then(|setting| setting.split_once('=')) else {
            let why = "only settings can be given there, such as -csearch_path=NAME";
            return Err(Failure::new(FailureKind::Config, format!("{place} is not valid"), why));
        };
        settings.push(checked(name, value, place)?);
    }
    Ok(settings)
}

fn checked(name: &str, value: &str, place: &str) -> Result<(String, String), Failure> {
    let name = name.replace('-', "_").to_ascii_lowercase();
    let is_name =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
    let what = format!("{place} is not valid");
    if !is_name {
        let why = "it names a setting with an invalid name";
        return Err(Failure::new(FailureKind::Config, what, why));
    }
    if transaction::is_ours(&name) {
        let why = format!("it sets {name}, which shopwarm sets itself");
        let hint = match name.as_str() {
            "statement_timeout" | "lock_timeout" => {
                "remove it; --statement-timeout says how long we wait for the database"
            }
            _ => "remove it: what is stored never depends on it",
        };
        return Err(Failure::new(FailureKind::Config, what, why).hint(hint));
    }
    Ok((name, value.to_owned()))
}

fn words(text: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.extend(chars.next()),
            c if c.is_ascii_whitespace() => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}
