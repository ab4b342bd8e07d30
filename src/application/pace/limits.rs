//! The pace that is asked for, and the pace there is.

use std::time::Duration;

use crate::domain::report::Limiter;

/// Keys per second that a run may always write.
pub(super) const MIN_RATE: f64 = 100.0;

/// The pace that a run is asked to keep.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PaceLimits {
    /// Keys per second at most.
    pub rate: Option<u64>,
    /// Bytes of keys and values per second at most.
    pub bytes_rate: Option<u64>,
    /// No faster than the servers can take.
    pub gentle: bool,
    pub gentle_limits: GentleLimits,
}

/// What a gentle run keeps below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GentleLimits {
    /// How long the shop's clients may wait; `None`: a little longer than before the run.
    pub cache_latency: Option<Duration>,
    pub db_latency: Option<Duration>,
}

/// A change of the pace during the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Halve,
    /// Nothing was measured yet that could be halved.
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

/// The pace at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PaceNow {
    /// Keys per second at most; `None`: no limit.
    pub rate: Option<u64>,
    pub gentle: bool,
    /// What holds the run back, with its figure: `cache latency 4.1 ms`.
    pub limited_by: Option<String>,
}

/// The rate that the servers can take, and what limits it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Allowance {
    /// Keys per second.
    pub rate: f64,
    pub by: Limiter,
    /// `4.1 ms`.
    pub figure: String,
}

/// What the run writes, since the governor asked last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Throughput {
    /// Keys per second at the moment.
    pub now: f64,
    /// The highest of the last measurements without a pause.
    pub max: Option<f64>,
    /// Whether any key has left: a run that stands still says nothing of its limit.
    pub moves: bool,
    /// Whether the governor has held any of them back.
    pub held: bool,
}
