//! Why a run did not begin.

use std::fmt;

use crate::application::record::RunRecord;
use crate::domain::failure::Failure;
use crate::domain::holder::Holder;
use crate::domain::report::{Outcome, Report, Stop};
use crate::domain::run::RunInfo;

/// Why a run did not begin.
#[derive(Clone, Debug)]
pub enum Refused {
    /// Another run is active.
    Busy(Box<Holder>),
    Failed(Failure),
    /// This time of a job has been run, by whatever server.
    RunBefore,
    /// It was stopped while it waited for another.
    Stopped(Stop),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy(holder) => write!(f, "{}: {holder}", holder.trouble()),
            Self::Failed(failure) => failure.fmt(f),
            Self::RunBefore => f.write_str("this scheduled time has already run"),
            Self::Stopped(Stop::Deadline) => f.write_str("its deadline passed before it started"),
            Self::Stopped(_) => f.write_str("it was stopped before it started"),
        }
    }
}

impl Refused {
    /// How the history says that it ended.
    pub fn record(&self, info: &RunInfo) -> RunRecord {
        let outcome = match self {
            Self::Stopped(stop) => Report::stopped_before(*stop).outcome(),
            Self::Busy(_) | Self::Failed(_) | Self::RunBefore => Outcome::Incomplete,
        };
        let failure = match self {
            Self::Failed(failure) => Some(failure),
            Self::Busy(_) | Self::Stopped(_) | Self::RunBefore => None,
        };
        RunRecord::not_begun(info, outcome, self.to_string(), failure)
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
