//! A run in a line of the history.

use serde::Serialize;
use utoipa::ToSchema;

use super::record::RunRecord;

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
    /// Why it could not begin.
    #[schema(required = true)]
    pub error: Option<String>,
    pub strategies: usize,
    pub strategies_failed: usize,
    /// How many keys it was about; null where that is not known.
    #[schema(required = true)]
    pub expected: Option<u64>,
    pub expected_is_exact: bool,
    /// Keys that were read.
    pub total: u64,
    pub warmed: u64,
    pub skipped: u64,
    pub failed: u64,
    pub unknown: u64,
    #[schema(required = true)]
    pub success_rate: Option<f64>,
    /// How it ended, in a sentence.
    #[schema(required = true)]
    pub verdict: Option<String>,
}

impl From<&RunRecord> for RunLine {
    fn from(record: &RunRecord) -> Self {
        let totals = &record.totals;
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
            error: record.error.clone(),
            strategies: totals.strategies,
            strategies_failed: totals.strategies_failed,
            expected: totals.expected,
            expected_is_exact: totals.expected_is_exact,
            total: totals.total,
            warmed: totals.warmed,
            skipped: totals.skipped,
            failed: totals.failed,
            unknown: totals.unknown,
            success_rate: totals.success_rate,
            verdict: record.verdict.clone(),
        }
    }
}
