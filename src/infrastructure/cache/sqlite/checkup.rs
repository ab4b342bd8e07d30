//! Checks of a cache file before a run.

use sqlx::Executor as _;

use super::SqliteCache;
use crate::domain::finding::Finding;
use crate::domain::wording::{keys, size};

impl SqliteCache {
    pub(super) async fn check(&self) -> Vec<Finding> {
        let mut connection = self.lock().await;
        let asked = sqlx::query_as::<_, (i64, String)>(
            "SELECT (SELECT count(*) FROM entries), sqlite_version()",
        );
        let (count, version) = match self.answer(asked.fetch_one(&mut *connection).await) {
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
        let bytes = std::fs::metadata(self.file.path()).map_or(0, |file| file.len());
        let count = keys(u64::try_from(count).unwrap_or_default());
        let text = format!("{count}, {}; limited by the disk only", size(bytes));
        findings.push(Finding::ok("cache memory", text));
        findings
    }
}
