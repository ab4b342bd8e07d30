//! The file in a cache URL.

use std::path::Path;
use std::str::FromStr as _;

use sqlx::sqlite::SqliteConnectOptions;

use crate::domain::failure::{Failure, FailureKind};
use crate::domain::finding::Finding;
use crate::infrastructure::cache::url::invalid_url;

/// # Errors
/// The URL is not valid.
pub(super) fn parsed(url: &str) -> Result<SqliteConnectOptions, Failure> {
    SqliteConnectOptions::from_str(url).map_err(|_| invalid_url("it cannot be parsed"))
}

/// The finding for a cache file that the first run will create.
pub(crate) fn not_there_yet(url: &str) -> Option<Finding> {
    let options = url.starts_with("sqlite:").then(|| parsed(url).ok())??;
    let file = options.get_filename();
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let is_in_memory = file.to_string_lossy().contains(":memory:") || url.contains("mode=memory");
    if file.exists() || is_in_memory {
        return None;
    }
    let text = format!("{}, an embedded cache", file.display());
    Some(if folder.is_dir() {
        Finding::ok("cache", format!("{text} that the first run will create"))
    } else {
        let why = format!("{text}: there is no folder {}", folder.display());
        Finding::failed("cache", FailureKind::CacheUnreachable, why)
            .hint("create the folder, or name another file in the cache URL")
    })
}
