//! Caches, each in its own module.

mod redis;
mod sqlite;
mod url;

use std::sync::Arc;

use crate::application::ports::{Cache, PermissionProbe};
use crate::domain::failure::Failure;
use crate::domain::finding::Finding;

pub use sqlite::SqliteCache;
use url::invalid_url;
pub use url::{Access, ConnectOptions};

/// Connects to the cache at `url`.
///
/// # Errors
/// Says which part is wrong without repeating the URL, which holds a password.
pub async fn connect(
    url: &str,
    access: Access,
    options: &ConnectOptions,
) -> Result<Arc<dyn Cache>, Failure> {
    match kind(url)? {
        Kind::Redis => Ok(Arc::new(redis::RedisCache::connect(url, options).await?)),
        Kind::Sqlite => Ok(Arc::new(SqliteCache::open(url, access).await?)),
    }
}

/// Checks `url`, and the files that `options` name, without connecting.
///
/// # Errors
/// As [`connect`].
pub fn check_url(url: &str, options: &ConnectOptions) -> Result<(), Failure> {
    match kind(url)? {
        Kind::Redis => redis::check_url(url, options),
        Kind::Sqlite => sqlite::check_url(url),
    }
}

/// The kind of cache in a URL's scheme.
enum Kind {
    Redis,
    Sqlite,
}

fn kind(url: &str) -> Result<Kind, Failure> {
    match url.split_once(':').map_or("", |(scheme, _)| scheme) {
        "redis" | "rediss" | "valkey" | "valkeys" | "redis+unix" | "valkey+unix" | "unix"
        | "redis+cluster" | "rediss+cluster" | "valkey+cluster" | "valkeys+cluster"
        | "redis+sentinel" | "rediss+sentinel" | "valkey+sentinel" | "valkeys+sentinel" => {
            Ok(Kind::Redis)
        }
        "sqlite" => Ok(Kind::Sqlite),
        _ if !url.contains("://") => Err(invalid_url("it has no scheme")
            .hint("put redis:// before host and port, or sqlite: before the name of a file")),
        _ => Err(invalid_url(
            "it must begin with redis://, rediss://, redis+cluster://, redis+sentinel://, redis+unix:// or sqlite:",
        )),
    }
}

/// Checks the cache at `url` before a run; see [`Cache::checkup`]. Does not create a cache file.
/// Returns the cache too, if it is there.
pub async fn checkup(
    url: &str,
    options: &ConnectOptions,
    probes: &[PermissionProbe],
) -> (Vec<Finding>, Option<Arc<dyn Cache>>) {
    if let Some(finding) = sqlite::not_there_yet(url) {
        return (vec![finding], None);
    }
    match connect(url, Access::Read, options).await {
        Ok(cache) => (cache.checkup(probes).await, Some(cache)),
        Err(failure) => (vec![Finding::of("cache", &failure)], None),
    }
}
