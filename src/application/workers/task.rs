//! What a run announces to workers, and a portion as it travels.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::application::pace::PaceLimits;
use crate::application::ports::{Mode, PortionAsk};
use crate::application::run_state::options::{Options, ShapeGuard};
use crate::application::run_state::plan::RunPlan;
use crate::domain::portion::TableState;

/// What a run announces to workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Announcement {
    /// Identifies the database.
    pub origin: Option<String>,
    /// What its strategies store, by their names: another definition or another version of the tool
    /// has another fingerprint.
    pub strategies: Vec<(String, Option<String>)>,
    options: WriteChoices,
}

/// The options that decide what is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct WriteChoices {
    batch_size: usize,
    default_ttl: Duration,
    ttl_jitter: f64,
    mode: Mode,
    skip_identical: bool,
    verify_writes: bool,
    shape: ShapeGuard,
    /// A worker's share.
    bytes_rate: Option<u64>,
}

impl Announcement {
    pub(super) fn new(plan: &RunPlan, origin: Option<String>) -> Self {
        let options = &plan.options;
        Self {
            origin,
            strategies: fingerprints(plan),
            options: WriteChoices {
                batch_size: options.batch_size,
                default_ttl: options.default_ttl,
                ttl_jitter: options.ttl_jitter,
                mode: options.mode,
                skip_identical: options.skip_identical,
                verify_writes: options.verify_writes,
                shape: options.shape,
                bytes_rate: options.pace.bytes_rate.map(|rate| share(rate, options.workers)),
            },
        }
    }

    /// A worker's options, with the run's where they decide what is written.
    pub(super) fn options(&self, own: &Options) -> Options {
        let WriteChoices { default_ttl, ttl_jitter, mode, shape, .. } = self.options;
        Options {
            batch_size: self.options.batch_size,
            default_ttl,
            ttl_jitter,
            mode,
            skip_identical: self.options.skip_identical,
            verify_writes: self.options.verify_writes,
            shape,
            pace: PaceLimits {
                rate: own.pace.rate,
                bytes_rate: own.pace.bytes_rate.into_iter().chain(self.options.bytes_rate).min(),
                ..PaceLimits::default()
            },
            ..own.clone()
        }
    }
}

/// What one of several workers gets of a rate.
pub(super) fn share(rate: u64, workers: Option<u64>) -> u64 {
    (rate / workers.unwrap_or(1).max(1)).max(1)
}

/// What each strategy of a plan stores, and how.
pub(super) fn fingerprints(plan: &RunPlan) -> Vec<(String, Option<String>)> {
    let strategies = plan.strategies.iter().enumerate();
    let said = strategies.map(|(index, strategy)| {
        let said = strategy.fingerprint();
        let said = said.map(|said| format!("{said} {:?}", plan.write_options(index)));
        (strategy.spec().id.to_string(), said)
    });
    said.collect()
}

/// A portion as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Task {
    pub run_id: String,
    /// What its answer is known by.
    pub ticket: u64,
    pub strategy: String,
    pub from: u64,
    pub to: u64,
    pub state: TableState,
    /// Keys per second that the worker may write; `None`: no limit.
    pub rate: Option<u64>,
}

impl Task {
    pub(super) fn ask(&self) -> PortionAsk {
        let Self { from, to, state, .. } = *self;
        PortionAsk { strategy: self.strategy.clone(), from, to, state }
    }
}
