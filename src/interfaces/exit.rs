//! Exit codes, which are part of the contract. They follow from [`Report::ending`], as verdicts do.

use std::process::ExitCode;

use crate::domain::completeness::Ending;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::{Report, Stop};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Complete, and every requirement met.
    Success = 0,
    Internal = 1,
    Usage = 2,
    /// Keys or a strategy failed, `--fail-under` is not met, or there was nothing to warm.
    Incomplete = 3,
    /// Configuration or a definition is invalid.
    Config = 4,
    SourceUnreachable = 5,
    CacheUnreachable = 6,
    /// Database or cache refuses: authentication, permission.
    Denied = 7,
    /// Another run holds the lock.
    Busy = 8,
    Deadline = 9,
    /// `verify`, or `dry-run --exit-code`, found differences.
    Differences = 10,
    Interrupted = 130,
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<FailureKind> for Exit {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Usage => Self::Usage,
            FailureKind::Config => Self::Config,
            FailureKind::SourceUnreachable | FailureKind::SourceLost | FailureKind::SourceBusy => {
                Self::SourceUnreachable
            }
            FailureKind::CacheUnreachable => Self::CacheUnreachable,
            FailureKind::SourceDenied | FailureKind::NotGranted | FailureKind::CacheDenied => {
                Self::Denied
            }
            FailureKind::GaveWay | FailureKind::Query | FailureKind::CacheRefused => {
                Self::Incomplete
            }
            FailureKind::Busy => Self::Busy,
            FailureKind::Internal => Self::Internal,
        }
    }
}

impl From<&Failure> for Exit {
    fn from(failure: &Failure) -> Self {
        failure.kind.into()
    }
}

impl From<Stop> for Exit {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Interrupted => Self::Interrupted,
            Stop::Terminated => Self::Terminated,
            Stop::Deadline => Self::Deadline,
            Stop::LockLost => Self::Busy,
            Stop::Enough => Self::Success,
        }
    }
}

/// The exit code of a finished run.
pub fn of_run(report: &Report) -> Exit {
    match report.ending() {
        Ending::Good => Exit::Success,
        Ending::Stopped(stop) => stop.into(),
        Ending::Fatal(failure) => failure.into(),
        Ending::Bad => report.unfit().map_or(Exit::Incomplete, Exit::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::report::StrategyReport;
    use crate::domain::run::{RunInfo, Trigger};
    use crate::domain::samples::{cancelled, failed, gated, report, stopped, strategy};
    use crate::domain::verdict::{Mark, Verdict};

    #[test]
    fn the_verdict_agrees_with_the_exit_code() {
        let info = RunInfo::new("warmup all".to_owned(), Trigger::Cli);
        let strategies: [fn() -> Vec<StrategyReport>; 6] = [
            Vec::new,
            || vec![strategy("a", 0, 0)],
            || vec![strategy("a", 10, 0)],
            || vec![strategy("a", 10, 1)],
            || vec![strategy("a", 10, 0), failed("b", 5, None)],
            || vec![strategy("a", 10, 0), cancelled("b", 5, None)],
        ];
        let stops =
            [Stop::Interrupted, Stop::Terminated, Stop::Deadline, Stop::LockLost, Stop::Enough];
        for strategies in strategies {
            let mut reports = vec![report(strategies()), gated("50%", strategies())];
            reports.extend(stops.map(|stop| stopped(stop, strategies())));
            for report in reports {
                let (exit, verdict) = (of_run(&report), Verdict::of_run(&report, &info));
                let is_good = verdict.mark == Mark::Good;
                assert_eq!(is_good, exit == Exit::Success, "{exit:?}: {verdict}");
                let is_stopped = report
                    .stopped
                    .is_some_and(|stop| !matches!(stop, Stop::LockLost | Stop::Enough));
                assert_eq!(verdict.mark == Mark::Notice, is_stopped, "{exit:?}: {verdict}");
            }
        }
    }
}
