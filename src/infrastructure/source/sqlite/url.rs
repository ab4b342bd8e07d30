//! Parameters of a SQLite URL.

use std::str::FromStr as _;

use sqlx::sqlite::SqliteConnectOptions;
use url::form_urlencoded;

use super::super::errors::invalid_url;
use crate::domain::failure::Failure;
use crate::domain::key::printable;

/// Ignored parameters: the file is always opened read-only and in UTF-8, and the others are for
/// pools and frameworks.
const WITHOUT_EFFECT: [&str; 8] = [
    "charset",
    "connection_limit",
    "foreign_keys",
    "mode",
    "pool_timeout",
    "serverversion",
    "socket_timeout",
    "timeout",
];

/// Connection options from a URL.
///
/// # Errors
/// A parameter is unknown or would change what is read, such as `immutable`, which ignores the
/// write-ahead log; never quotes a value.
pub(super) fn options(url: &str) -> Result<SqliteConnectOptions, Failure> {
    let (file, parameters) = url.split_once('?').unwrap_or((url, ""));
    for (name, _) in form_urlencoded::parse(parameters.as_bytes()) {
        if !WITHOUT_EFFECT.contains(&name.to_ascii_lowercase().as_str()) {
            let name = printable(name.as_bytes());
            let why = format!("its parameter `{name}` would change what is read, or is not known");
            return Err(invalid_url(why).hint("remove it from the URL"));
        }
    }
    SqliteConnectOptions::from_str(file).map_err(|_| invalid_url("it cannot be parsed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_without_effect_or_refused_by_name() {
        for url in ["sqlite:shop.db", "sqlite://shop.db?mode=rwc&serverVersion=3"] {
            let options = options(url).expect("valid");
            assert_eq!(options.get_filename().to_str(), Some("shop.db"));
        }
        for name in ["immutable", "cache", "vfs", "foo"] {
            let failure = options(&format!("sqlite:shop.db?{name}=secret")).expect_err(name);
            assert!(failure.why.contains(&format!("`{name}`")), "{failure}");
            assert!(!failure.to_string().contains("secret"), "{failure}");
        }
    }
}
