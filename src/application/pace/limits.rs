//! The requested pace and the current pace.

use std::time::Duration;

use crate::domain::report::Limiter;

/// The minimum rate of a gentle run, in keys per second.
pub(super) const MIN_RATE: f64 = 100.0;

/// The requested pace of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PaceLimits {
    /// Keys per second at most.
    pub rate: Option<u64>,
    /// Bytes of keys and values per second at most.
    pub bytes_rate: Option<u64>,
    /// Whether the run adjusts its rate to the servers.
    pub gentle: bool,
    pub gentle_limits: GentleLimits,
}

/// The latency thresholds of a gentle run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GentleLimits {
    /// The highest latency for the shop's clients; `None`: slightly above the baseline.
    pub cache_latency: Option<Duration>,
    pub db_latency: Option<Duration>,
}

/// A change of the pace during the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Halve,
    /// There is no measured throughput yet that could be halved.
    NotHalved,
    Double,
    /// Keys per second at most; `None`: no limit.
    Rate(Option<u64>),
    Gentle(bool),
}

impl Change {
    pub fn name(self) -> &'static str {
        match self {
            Self::Halve => "halved",
            Self::NotHalved => "not halved",
            Self::Double => "doubled",
            Self::Rate(_) | Self::Gentle(_) => "set",
        }
    }
}

/// The current pace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PaceNow {
    /// Keys per second at most; `None`: no limit.
    pub rate: Option<u64>,
    pub gentle: bool,
    /// The reason for the limit with its measurement: `cache latency 4.1 ms`.
    pub limited_by: Option<String>,
}

/// The rate that the servers can handle, and what limits it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Allowance {
    /// Keys per second.
    pub rate: f64,
    pub by: Limiter,
    /// `4.1 ms`.
    pub figure: String,
}

/// The run's throughput since the governor last asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Throughput {
    /// The current throughput in keys per second.
    pub now: f64,
    /// The highest of the recent measurements without a pause.
    pub max: Option<f64>,
    /// Whether any key was sent: an idle run says nothing about its limit.
    pub moves: bool,
    /// Whether the governor's limit delayed any of them.
    pub held: bool,
}
