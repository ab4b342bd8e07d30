//! Exit codes: part of the contract. An unknown code is a failure.

use std::process::ExitCode;

use crate::domain::failure::{Failure, FailureKind};
use crate::domain::report::{Percent, Report, Stop};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, every gate met.
    Success = 0,
    Internal = 1,
    Usage = 2,
    /// Finished, but keys or a strategy failed, or below `--fail-under`, or nothing to warm.
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
            FailureKind::SourceUnreachable | FailureKind::SourceLost => Self::SourceUnreachable,
            FailureKind::CacheUnreachable => Self::CacheUnreachable,
            FailureKind::SourceDenied | FailureKind::CacheDenied => Self::Denied,
            FailureKind::Query | FailureKind::CacheRefused | FailureKind::NoRoom => {
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

/// What a finished run means for the process.
pub fn of_run(report: &Report, fail_under: Option<Percent>, allow_empty: bool) -> Exit {
    if let Some(stop) = report.stopped {
        return stop.into();
    }
    if let Some(failure) = report.fatal() {
        return failure.into();
    }
    match report.passes(fail_under, allow_empty) {
        true => Exit::Success,
        false => Exit::Incomplete,
    }
}
