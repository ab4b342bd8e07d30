//! How one run is to be done.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::application::pace::PaceLimits;
use crate::application::ports::Mode;
use crate::domain::percent::Percent;
use crate::domain::report::Gates;

/// How one run is to be done. Belongs to the run, never to shared state.
#[derive(Clone, Debug)]
pub struct Options {
    /// Text to put before every key; a key asked for by name may have it or not.
    pub prefix: String,
    /// Batches in flight.
    pub concurrency: usize,
    /// Keys per batch.
    pub batch_size: usize,
    /// Strategies whose queries are open at the database at the same time.
    pub db_concurrency: usize,
    pub default_ttl: Duration,
    /// 0.0 to 1.0, see [`Ttl::jitter`](crate::domain::ttl::Ttl::jitter).
    pub ttl_jitter: f64,
    pub mode: Mode,
    /// Values that are in the cache already are not sent again.
    pub skip_identical: bool,
    /// Keys per strategy.
    pub limit: Option<u64>,
    /// `false`: only keys are read.
    pub values: bool,
    /// Reads all, and takes at most this many keys per strategy, chosen with this seed.
    pub sample: Option<(usize, u64)>,
    /// Each key is reported: in the order of the run, and once.
    pub lists_keys: bool,
    /// What is written is read again, and undone where it had become stale.
    pub verify_writes: bool,
    pub stop_on_error: bool,
    /// What may be missing from a run that counts as good.
    pub gates: Gates,
    /// A strategy that has shrunk by more than this since its last complete run fails.
    pub max_shrink: Option<Percent>,
    pub shape: ShapeGuard,
    pub pace: PaceLimits,
    pub on_eviction: OnEviction,
    pub changed: ChangedOptions,
}

/// Whether and how a run reads only what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangedOptions {
    pub on: bool,
    /// Everything is read again when the last full read is older than this.
    pub full_every: Duration,
    /// How much earlier than the last run's own moment changes are looked for.
    pub overlap: Duration,
}

/// What to do when the cache evicts keys during the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnEviction {
    /// End the run
    Stop,
    /// Warn and go on
    #[default]
    Warn,
    /// Do not watch for evictions
    Ignore,
}

/// What to do about another shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShapeGuard {
    /// Warn and go on
    #[default]
    Warn,
    /// Fail the strategy before it writes
    Fail,
    /// Do not check
    Off,
}
