//! The common part of `dry-run`, `verify` and `keys list`: connect, compare, write nothing.

use std::time::Instant;

use super::connect::{deadline, stopped_before, waiting};
use crate::application::engine::coordinator::Coordinator;
use crate::application::engine::inspect::Inspection;
use crate::application::run_state::event::Reporter;
use crate::application::run_state::stop::StopSignal;
use crate::config::Config;
use crate::domain::failure::Failure;
use crate::domain::report::Report;
use crate::domain::selection::Selection;
use crate::interfaces::exit::Exit;
use crate::interfaces::github;
use crate::interfaces::output::Output;
use crate::interfaces::report::document::Document;
use crate::setup::{self, CacheNeed};

/// A command that compares planned entries with the cache.
pub(super) struct Inspect<'a> {
    pub config: &'a Config,
    pub output: &'a Output,
    pub stop: &'a StopSignal,
    pub selection: Selection,
    pub inspection: Inspection,
    pub need: CacheNeed,
}

impl Inspect<'_> {
    /// Connects, waiting if configured, and calls `then`.
    pub(super) async fn run(
        &self,
        then: impl AsyncFnOnce(&Coordinator) -> Result<Exit, Failure>,
    ) -> Result<Exit, Failure> {
        deadline(self.config, self.stop);
        let viewer =
            || setup::viewer(self.config, &self.selection, self.inspection.clone(), self.need);
        let waiting = waiting(self.config, self.output);
        tokio::select! {
            viewer = setup::with_retries(self.config.run.wait(), waiting, viewer) => then(&viewer?).await,
            () = self.stop.stopped() => Ok(stopped_before(self.stop)),
        }
    }

    /// Compares everything; the report's time counts from `started`.
    pub(super) async fn report(
        &self,
        viewer: &Coordinator,
        reporter: &dyn Reporter,
        started: Instant,
    ) -> Report {
        let report = viewer.warm_all(None, reporter, self.stop).await;
        Report { elapsed: started.elapsed(), ..report }
    }
}

/// Reports failures on stderr if no table shows them, and to GitHub.
pub(super) fn conclude(report: &Report, document: &Document, output: &Output) {
    document.report_failures(output, report.failures());
    github::report(report, document);
}
