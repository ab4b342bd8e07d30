//! The counts of one strategy while it is warmed.

use std::time::Duration;

use crate::application::ports::{Inspected, WriteOutcome, Written};
use crate::domain::cause::Origin;
use crate::domain::counts::{Counts, millis};
use crate::domain::entry::{Entry, EntryBatch, KeyError};
use crate::domain::expected::Expected;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::printable;
use crate::domain::portion::PartOf;
use crate::domain::precision::Precision;
use crate::domain::report::{KEPT_ERRORS, Seen, Status, StrategyReport};
use crate::domain::standing::{Class, Standing};
use crate::domain::strategy::StrategySpec;
use crate::domain::ttl::Ttl;
use crate::domain::version::Version;
use crate::domain::wording::keys;

/// The counts of one strategy, and what has gone wrong with it.
pub struct Tally {
    pub report: StrategyReport,
    /// It has been announced.
    pub begun: bool,
    pub failure: Option<Failure>,
    /// All its entries were read.
    pub is_whole: bool,
    /// An earlier run has finished some of it.
    pub is_resumed: bool,
    /// The finest of its versions so far.
    finest: Option<Precision>,
}

impl Tally {
    pub fn new(spec: &StrategySpec, ttl: Duration, counts_identical: bool) -> Self {
        let stats = Counts { identical: counts_identical.then_some(0), ..Counts::default() };
        Self {
            report: StrategyReport {
                unprotected_ok: spec.unprotected_ok,
                ..StrategyReport::new(spec.id.clone(), spec.priority, ttl, stats)
            },
            begun: false,
            failure: None,
            is_whole: false,
            is_resumed: false,
            finest: None,
        }
    }

    /// The first failure stays.
    pub fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// Whether it failed for a reason such as this.
    pub fn failed_by(&self, is_reason: impl Fn(&Failure) -> bool) -> bool {
        match &self.report.status {
            Status::Failed(failure) => is_reason(failure),
            Status::Completed | Status::Cancelled => false,
        }
    }

    /// Counts what a batch holds that is not sent.
    pub fn count_unsent(&mut self, batch: &mut EntryBatch, named: bool) {
        let report = &mut self.report;
        if let Some(PartOf::TakenOver { keys }) = batch.part_of {
            // The last count is the best.
            report.stats.skipped = report.stats.skipped - report.stats.resumed + keys;
            report.stats.resumed = keys;
            self.is_resumed = true;
        }
        report.stats.skipped += batch.absent.len() as u64;
        report.stats.absent += batch.absent.len() as u64;
        report.stats.failed += batch.failed.len() as u64;
        for key in batch.absent.drain(..).filter(|_| named) {
            keep_first(&mut report.not_found, || key);
        }
        for error in batch.failed.drain(..) {
            report.add_error(Origin::Data, error);
        }
        for warning in batch.warnings.drain(..) {
            report.warn(warning);
        }
    }

    /// Counts what became of a batch; returns the failure that ends the run.
    pub fn count(&mut self, batch: &EntryBatch, written: Written, ttl: &Ttl) -> Option<Failure> {
        self.learn_precision(batch);
        let report = &mut self.report;
        debug_assert_eq!(batch.len(), written.outcomes.len());
        for (entry, outcome) in batch.iter().zip(written.outcomes) {
            let stats = &mut report.stats;
            let (origin, error) = match outcome {
                WriteOutcome::Inspected(inspected) => {
                    stats.planned += 1;
                    stats.bytes += entry.bytes();
                    count_inspected(&mut report.seen, entry, inspected, ttl);
                    continue;
                }
                WriteOutcome::Stored => {
                    stats.warmed += 1;
                    stats.bytes += if written.bytes.is_some() { 0 } else { entry.bytes() };
                    continue;
                }
                WriteOutcome::AlreadyPresent | WriteOutcome::Withdrawn => {
                    stats.skipped += 1;
                    continue;
                }
                WriteOutcome::Failed(error) => {
                    stats.failed += 1;
                    (Origin::Cache, error)
                }
                WriteOutcome::Unknown(error) => {
                    stats.unknown += 1;
                    (Origin::Lost, error)
                }
            };
            let key = printable(entry.key);
            report.add_error(origin, KeyError { key, error });
        }
        let (stats, checked) = (&mut report.stats, written.checked);
        stats.bytes += written.bytes.unwrap_or_default();
        if let Some(identical) = &mut stats.identical {
            *identical += checked.identical.len() as u64;
        }
        stats.repaired += checked.repaired;
        stats.withdrawn += checked.withdrawn;
        stats.unverified += checked.unverified;
        stats.exposure = stats.exposure.max(checked.exposure);
        written.fatal.or(checked.failure)
    }

    /// Its entries are protected as well as the finest of their versions tells.
    fn learn_precision(&mut self, batch: &EntryBatch) {
        // A portion is verified without them.
        if batch.part_of.is_some() {
            return;
        }
        let versions = batch.iter().filter_map(|entry| entry.version);
        let seen = versions.map(Version::precision).max();
        self.finest = self.finest.max(seen);
        let protection = &mut self.report.protection;
        if let (Some(protection), Some(finest)) = (protection, self.finest) {
            *protection = protection.clone().limited_to(finest);
        }
    }

    /// Decides what became of the strategy.
    pub fn close(&mut self, stopped: bool) {
        if self.is_whole {
            let total = self.report.stats.total();
            self.report.expected = Some(Expected::exactly(total));
        }
        self.report.status = match self.failure.take() {
            Some(failure) => Status::Failed(failure),
            None if stopped => Status::Cancelled,
            None if self.report.stats.unverified > 0 => Status::Failed(unverified(&self.report)),
            None => Status::Completed,
        };
        log(&self.report);
    }
}

/// Keys shown of a strategy.
const SAMPLE: usize = 3;

fn count_inspected(seen: &mut Seen, entry: Entry<'_>, inspected: Inspected, ttl: &Ttl) {
    let Inspected { standing, class } = inspected;
    if seen.sample.len() < SAMPLE {
        seen.sample.push(printable(entry.key));
    }
    if let Some(class) = class {
        seen.classes.count(class);
    }
    match standing {
        Standing::Unknown(why) => {
            seen.not_known += 1;
            seen.why_not_known.get_or_insert(why);
        }
        Standing::Held(held) => {
            let outlives = ttl.is_outlived(held.ttl);
            if matches!(class, Some(Class::Expiring | Class::Identical)) && outlives {
                seen.ttl_outside += 1;
            }
        }
        _ => {}
    }
}

/// The keys that failed are in the report: a log is no place for thousands of them.
fn log(report: &StrategyReport) {
    let stats = &report.stats;
    let failed = stats.failed + stats.unknown;
    let elapsed_ms = millis(stats.elapsed);
    let (warmed, skipped) = (stats.warmed, stats.skipped);
    let status = report.status.stage().name();
    macro_rules! ended {
        ($level:ident) => {
            tracing::$level! { status, warmed, skipped, failed, elapsed_ms, "strategy ended" }
        };
    }
    match &report.status {
        Status::Failed(failure) => {
            tracing::warn!(warmed, failed, elapsed_ms, %failure, "strategy failed");
        }
        Status::Completed if failed == 0 => ended!(info),
        _ => ended!(warn),
    }
}

/// The failure of a strategy of which some keys may be stale, although it went on.
fn unverified(report: &StrategyReport) -> Failure {
    let unverified = keys(report.stats.unverified);
    let what = format!("{}: {unverified} could not be checked after writing", report.id);
    let why = "stale values may remain";
    Failure::new(FailureKind::Query, what, why).hint("run again")
}

/// Keeps the first [`KEPT_ERRORS`].
pub fn keep_first<T>(kept: &mut Vec<T>, item: impl FnOnce() -> T) {
    if kept.len() < KEPT_ERRORS {
        kept.push(item());
    }
}
