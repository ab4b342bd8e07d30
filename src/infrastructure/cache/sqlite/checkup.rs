//! Checks of a cache file before a run.

use sqlx::Executor as _;

use super::SqliteCache;
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
        // Takes and releases the writer's lock, without writing.
        let locked = connection.execute("BEGIN IMMEDIATE; ROLLBACK").await;
        if let Err(failure) = self.answer(locked) {
            findings.push(Finding::of("cache writes", &failure));
        }
        let size = std::fs::metadata(self.file.path()).map_or(0, |file| file.len() / 1024);
        let text = format!("{keys} keys, {size} KiB; limited by the disk only");
        findings.push(Finding::ok("cache memory", text));
        findings
    }
}
