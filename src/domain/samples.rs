//! Reports for tests.

use std::time::Duration;

use super::counts::Counts;
use super::expected::Expected;
use super::failure::{Failure, FailureKind};
use super::report::{Gates, Report, Status, Stop, StrategyReport};
use super::strategy::StrategyId;

/// A strategy that completed, of which some keys were warmed and some failed.
pub fn strategy(name: &str, warmed: u64, failed: u64) -> StrategyReport {
    let stats = Counts { warmed, failed, ..Counts::default() };
    let id = StrategyId::new("catalog", name);
    StrategyReport::new(id, 1, Duration::from_secs(1), stats)
}

/// One that broke off.
pub fn failed(name: &str, warmed: u64, expected: Option<Expected>) -> StrategyReport {
    let failure = Failure::new(FailureKind::Query, "the query failed", "an error in it");
    StrategyReport { status: Status::Failed(failure), expected, ..strategy(name, warmed, 0) }
}

/// One that was stopped.
pub fn cancelled(name: &str, warmed: u64, expected: Option<Expected>) -> StrategyReport {
    StrategyReport { status: Status::Cancelled, expected, ..strategy(name, warmed, 0) }
}

pub fn report(strategies: Vec<StrategyReport>) -> Report {
    Report { strategies, elapsed: Duration::from_millis(250), ..Report::default() }
}

pub fn stopped(stop: Stop, strategies: Vec<StrategyReport>) -> Report {
    Report { stopped: Some(stop), ..report(strategies) }
}

/// With a gate for the share of keys that must not fail.
pub fn gated(fail_under: &str, strategies: Vec<StrategyReport>) -> Report {
    Report {
        gates: Gates { fail_under: fail_under.parse().ok(), allow_empty: false },
        ..report(strategies)
    }
}
