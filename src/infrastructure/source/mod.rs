//! Databases, each in its own module with wire format and SQL. Shared code is here: sessions,
//! read-ahead, failures.
//!
//! To add a database, see `docs/architecture.md`, "Where a change goes".

// In a build without one of the databases, code that only it needs is dead.
#![cfg_attr(not(all(feature = "mysql", feature = "postgres")), allow(dead_code))]

mod adapter;
mod certificates;
mod describe;
mod driver;
mod errors;
mod failures;
mod key_ranges;
#[cfg(feature = "mysql")]
mod mysql;
mod opener;
mod options;
#[cfg(feature = "postgres")]
mod postgres;
mod reading;
mod rows;
mod server_info;
mod session;
mod sessions;
mod shortage;
mod sql_source;
mod sqlite;
mod waiters;
mod watched;

#[cfg(not(any(feature = "mysql", feature = "postgres")))]
compile_error!("choose the feature `mysql` or `postgres`; SQLite is always included");

use std::sync::Arc;

use self::adapter::Adapter;
use self::errors::invalid_url;
pub use self::options::SessionOptions;
use crate::application::ports::grammar::Grammar;
use crate::application::ports::{Dialect, RowSource};
use crate::domain::failure::Failure;

/// Connects to the database at `url`.
///
/// # Errors
/// Says which part is wrong without repeating the URL, which holds a password.
pub async fn connect(url: &str, options: &SessionOptions) -> Result<Arc<dyn RowSource>, Failure> {
    (database(url)?.open)(url, options)?.await
}

/// Checks `url` without connecting.
///
/// # Errors
/// As [`connect`].
pub fn check_url(url: &str, options: &SessionOptions) -> Result<(), Failure> {
    (database(url)?.open)(url, options).map(drop)
}

/// The SQL dialect for a URL.
pub fn dialect(url: &str) -> Option<Dialect> {
    database(url).ok().map(|database| database.dialect)
}

/// The dialects of all known databases.
pub fn all_grammars() -> Vec<&'static Grammar> {
    let all = DATABASES.iter();
    all.map(|database| database.dialect.grammar()).collect()
}

/// The databases of this build.
const DATABASES: &[&Adapter] = &[
    #[cfg(feature = "postgres")]
    &postgres::DATABASE,
    #[cfg(feature = "mysql")]
    &mysql::DATABASE,
    &sqlite::DATABASE,
];

fn database(url: &str) -> Result<&'static Adapter, Failure> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let found = DATABASES.iter().find(|database| database.schemes.contains(&scheme));
    found.copied().ok_or_else(|| unsupported(scheme))
}

fn unsupported(scheme: &str) -> Failure {
    let feature = match scheme {
        "postgres" | "postgresql" => "postgres",
        "mysql" | "mariadb" => "mysql",
        _ => return invalid_url("it must begin with postgres://, mysql://, mariadb:// or sqlite:"),
    };
    invalid_url(format!("this shopwarm was built without the feature {feature}"))
        .hint(format!("install it with: cargo install --path . --features {feature}"))
}

#[cfg(test)]
pub mod dialects {
    use crate::application::ports::Dialect;

    pub const POSTGRES: Dialect = &super::postgres::dialect::PostgresDialect;
    pub const MYSQL: Dialect = &super::mysql::dialect::IN_UTC;
    pub const SQLITE: Dialect = &super::sqlite::dialect::SqliteDialect;
}

#[cfg(test)]
pub mod grammars {
    use crate::application::ports::grammar::Grammar;

    pub const POSTGRES: &Grammar = &super::postgres::dialect::GRAMMAR;
    pub const MYSQL: &Grammar = &super::mysql::dialect::GRAMMAR;
    pub const SQLITE: &Grammar = &super::sqlite::dialect::GRAMMAR;
}

#[cfg(test)]
mod tests {
    use super::unsupported;

    #[test]
    fn a_build_without_a_database_names_its_feature() {
        for (scheme, words) in [
            ("postgresql", "--features postgres"),
            ("mariadb", "--features mysql"),
            ("mongodb", "postgres://USER"),
        ] {
            let hint = unsupported(scheme).hint.unwrap_or_default();
            assert!(hint.contains(words), "{scheme}: {hint}");
        }
    }
}
