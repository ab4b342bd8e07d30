//! The options of one run.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::application::pace::PaceLimits;
use crate::application::ports::Mode;
use crate::domain::percent::Percent;
use crate::domain::report::Gates;

/// Names the last run, to go on with.
pub const LAST: &str = "last";

/// The options of one run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Text to put before every key; a key asked for by name may have it or not.
    pub prefix: String,
    /// Batches in flight.
    pub concurrency: usize,
    /// Keys per batch.
    pub batch_size: usize,
    /// Strategies with open queries at the same time.
    pub db_concurrency: usize,
    /// Portions of a strategy that are read at the same time; `None`: as many as pay off.
    pub readers: Option<usize>,
    /// Other processes that read and write the portions; `None`: this one does.
    pub workers: Option<u64>,
    /// How long to wait for what is still starting, such as workers.
    pub wait: Option<Duration>,
    pub default_ttl: Duration,
    /// 0.0 to 1.0, see [`Ttl::jitter`](crate::domain::ttl::Ttl::jitter).
    pub ttl_jitter: f64,
    pub mode: Mode,
    /// Do not send values that the cache already has.
    pub skip_identical: bool,
    /// Keys per strategy.
    pub limit: Option<u64>,
    /// `false`: read only keys.
    pub values: bool,
    /// Read everything, and take at most this many keys per strategy, chosen with this seed.
    pub sample: Option<(usize, u64)>,
    /// Report each key once, in the order of the run.
    pub lists_keys: bool,
    /// Verify writes, and undo stale entries.
    pub verify_writes: bool,
    pub stop_on_error: bool,
    /// What may be missing from a run that counts as good.
    pub gates: Gates,
    /// Fail a strategy that has shrunk by more than this since its last complete run.
    pub max_shrink: Option<Percent>,
    pub shape: ShapeGuard,
    pub pace: PaceLimits,
    pub on_eviction: OnEviction,
    pub changed: ChangedOptions,
    /// Go on where this run ended, or the last one.
    pub resume: Option<String>,
}

/// Whether and how a run reads only what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangedOptions {
    pub on: bool,
    /// Read everything if the last full read is older than this.
    pub full_every: Duration,
    /// How far before the last run's watermark to look for changes.
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
