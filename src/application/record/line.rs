//! A run in a line of the history.

use serde::Serialize;
use utoipa::ToSchema;

use crate::application::record::{RunRecord, Totals};

/// A run in a line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunLine {
    pub run_id: String,
    pub command: String,
    /// `cli`, `api`, `schedule` or `start`.
    pub trigger: &'static str,
    #[schema(required = true)]
    pub job: Option<String>,
    pub host: String,
    pub started_at: String,
    pub elapsed_ms: u64,
    /// `running`, or how it ended: `complete`, `incomplete`, `empty`, `interrupted`, `deadline`.
    pub status: &'static str,
    /// Whether every gate was met; null while it runs.
    #[schema(required = true)]
    pub passed: Option<bool>,
    /// How it ended at a glance: `✓`, `!` or `✗`; null while it runs.
    #[schema(required = true, example = "✓")]
    pub mark: Option<String>,
    /// Why it could not begin.
    #[schema(required = true)]
    pub error: Option<String>,
    #[serde(flatten)]
    pub totals: Totals,
    /// How it ended, in a sentence.
    #[schema(required = true)]
    pub verdict: Option<String>,
    /// What to do about it; null where there is nothing to do.
    #[schema(required = true)]
    pub next: Option<String>,
}

impl From<&RunRecord> for RunLine {
    fn from(record: &RunRecord) -> Self {
        Self {
            run_id: record.run_id.clone(),
            command: record.command.clone(),
            trigger: record.trigger.name(),
            job: record.job.clone(),
            host: record.host.clone(),
            started_at: record.started_at.clone(),
            elapsed_ms: record.elapsed_ms,
            status: record.status(),
            passed: record.passed,
            mark: record.mark().map(|mark| mark.to_string()),
            error: record.error.clone(),
            totals: record.totals.clone(),
            verdict: record.verdict.clone(),
            next: record.next.clone(),
        }
    }
}
