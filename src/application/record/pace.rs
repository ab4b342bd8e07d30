//! How a run was held back, as it is written down.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::counts::millis;
use crate::domain::report::PaceReport;

/// How a run was held back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PaceRecord {
    /// It gave way to others, at its end.
    #[serde(default)]
    pub gentle: bool,
    /// Keys a second that somebody limited it to at its end; null: as fast as it goes.
    #[schema(required = true)]
    pub rate: Option<u64>,
    /// Bytes a second that it was limited to at its end.
    #[schema(required = true)]
    pub bytes_rate: Option<u64>,
    /// The fewest keys a second that it was ever limited to.
    #[schema(required = true)]
    pub lowest_rate: Option<u64>,
    pub limited_by: Vec<LimitedBy>,
}

/// What a run waited for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LimitedBy {
    /// `rate`, `bytes rate`, `start`, `cache latency`, `evictions`, `database latency`,
    /// `database sessions` or `replica lag`.
    pub by: String,
    pub seconds: f64,
}

impl From<&PaceReport> for PaceRecord {
    fn from(pace: &PaceReport) -> Self {
        let limited_by = pace.limited_by.iter().map(|(by, time)| LimitedBy {
            by: by.name().to_owned(),
            seconds: millis(*time) as f64 / 1000.0,
        });
        Self {
            gentle: pace.gentle,
            rate: pace.rate,
            bytes_rate: pace.bytes_rate,
            lowest_rate: pace.lowest_rate,
            limited_by: limited_by.collect(),
        }
    }
}
