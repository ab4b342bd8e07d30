//! What a run has done so far, and whether it goes on.

use std::time::Duration;

use super::context::RunContext;
use super::tally::Tally;
use crate::application::run_state::event::Event;
use crate::domain::failure::Failure;
use crate::domain::report::{Report, Status};

/// The counts of every strategy, in the order of the run.
pub struct Book {
    pub tallies: Vec<Tally>,
    /// Of the run as a whole.
    pub warnings: Vec<String>,
    /// A failure that ends the run.
    pub is_broken: bool,
    /// How long somebody thought about a question.
    pub asked: Duration,
}

impl Book {
    pub fn open(run: &RunContext<'_>) -> Self {
        let (plan, options) = (run.plan, &run.plan.options);
        let specs = plan.strategies.iter().map(|strategy| strategy.spec());
        run.report(&Event::RunStarted { info: run.info, strategies: specs.clone().collect() });
        let counts_identical = options.skip_identical;
        let tallies = specs.zip(&plan.ttls);
        let tallies = tallies.map(|(spec, ttl)| Tally::new(spec, ttl.base, counts_identical));
        Self {
            tallies: tallies.collect(),
            warnings: Vec::new(),
            is_broken: false,
            asked: Duration::ZERO,
        }
    }

    pub fn goes_on(&self, run: &RunContext<'_>) -> bool {
        !self.is_broken && !run.is_stopped()
    }

    /// Announces a strategy, once.
    pub fn begin(&mut self, index: usize, run: &RunContext<'_>) {
        let tally = &mut self.tallies[index];
        if !std::mem::replace(&mut tally.begun, true) {
            let (id, expected) = (&tally.report.id, tally.report.expected);
            run.report(&Event::StrategyStarted { id, expected });
        }
    }

    /// Notes why a strategy ended; some reasons end the run.
    pub fn fail(&mut self, index: usize, failure: Failure) {
        self.is_broken |= failure.ends_run();
        self.tallies[index].fail(failure);
    }

    /// Ends the run after a failed strategy, with `--stop-on-error`.
    pub fn obey_stop_on_error(&mut self, index: usize, run: &RunContext<'_>) {
        let failed = self.tallies[index].failure.is_some();
        self.is_broken |= failed && run.plan.options.stop_on_error;
    }

    pub fn end(&mut self, index: usize, run: &RunContext<'_>) {
        let tally = &mut self.tallies[index];
        tally.close(run.is_stopped());
        let report = &tally.report;
        run.report(&Event::StrategyFinished { report });
    }

    /// Ends the strategies that began, and drops the others.
    pub fn end_begun(&mut self, run: &RunContext<'_>) {
        self.tallies.retain(|tally| tally.begun);
        for index in 0..self.tallies.len() {
            self.end(index, run);
        }
    }

    /// Whether any strategy failed for such a reason.
    pub fn failed_by(&self, is_reason: impl Fn(&Failure) -> bool) -> bool {
        let mut tallies = self.tallies.iter();
        tallies.any(|tally| tally.failed_by(&is_reason))
    }

    /// Whether this run has read a strategy's whole selection, and it is in the cache.
    pub fn is_complete(&self, index: usize, run: &RunContext<'_>) -> bool {
        self.is_finished(index, run) && !self.tallies[index].is_resumed
    }

    /// Whether a strategy's whole selection is in the cache, perhaps by an earlier run.
    pub fn is_finished(&self, index: usize, run: &RunContext<'_>) -> bool {
        let tally = &self.tallies[index];
        let stats = &tally.report.stats;
        run.plan.options.limit.is_none()
            && !run.is_stopped()
            && tally.is_whole
            && tally.report.status == Status::Completed
            && stats.failed + stats.unknown == 0
            && !self.failed_by(Failure::ends_run)
    }

    /// The report; `unmatched`: keys that belong to no strategy.
    pub fn close(mut self, run: &RunContext<'_>, unmatched: Unmatched) -> Report {
        let pace = &run.plan.pace;
        self.warnings.extend(pace.warnings());
        let report = Report {
            strategies: self.tallies.into_iter().map(|tally| tally.report).collect(),
            elapsed: run.started.elapsed().saturating_sub(self.asked),
            asked: self.asked,
            stopped: run.stop.reason(),
            unmatched: unmatched.first,
            unmatched_total: unmatched.total,
            warnings: self.warnings,
            pace: pace.report(),
            workers: None,
            gates: run.plan.options.gates,
            limit: run.plan.options.limit,
        };
        run.report(&Event::RunFinished { report: &report });
        report
    }
}

/// Keys that were asked for by name and belong to no strategy.
#[derive(Default)]
pub struct Unmatched {
    pub first: Vec<String>,
    pub total: u64,
}
