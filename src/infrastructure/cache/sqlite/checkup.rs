//! What an operator should know of a cache file before a run.

use std::path::Path;

use sqlx::Executor as _;

use super::SqliteCache;
use super::file::parsed;
use crate::domain::failure::FailureKind;
use crate::domain::finding::Finding;

impl SqliteCache {
    pub(super) async fn check(&self) -> Vec<Finding> {
        let mut connection = self.lock().await;
        let asked = sqlx::query_as::<_, (i64, String)>(
            "SELECT (SELECT count(*) FROM entries), sqlite_version()",
        );
        let (keys, version) = match self.answer(asked.fetch_one(&mut *connection).await) {
            Ok(answer) => answer,
            Err(failure) => return vec![Finding::of("cache", &failure)],
        };
        let text = format!("{}, an embedded cache (SQLite {version})", self.file);
        let mut findings = vec![Finding::ok("cache", text)];
        // Takes the writer's lock and gives it back: nothing is written.
        let locked = connection.execute("BEGIN IMMEDIATE; ROLLBACK").await;
        if let Err(failure) = self.answer(locked) {
            findings.push(Finding::of("cache writes", &failure));
        }
        let size = std::fs::metadata(self.file.path()).map_or(0, |file| file.len() / 1024);
        let text = format!("{keys} keys, {size} KiB; it may have what the disk has");
        findings.push(Finding::ok("cache memory", text));
        findings
    }
}

/// The finding for a cache file that does not exist yet: the first run makes it.
pub(in crate::infrastructure::cache) fn not_there_yet(url: &str) -> Option<Finding> {
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
        Finding::ok("cache", format!("{text} that the first run will make"))
    } else {
        let why = format!("{text}: there is no folder {}", folder.display());
        Finding::failed("cache", FailureKind::CacheUnreachable, why)
            .hint("make the folder, or name another file in the cache URL")
    })
}
