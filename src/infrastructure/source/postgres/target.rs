//! `target_session_attrs`: which of several servers will do.

use super::super::errors::invalid_url;
use crate::domain::failure::Failure;

/// As libpq names and means them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// How well a server fits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    /// Only if no other fits better.
    AtWorst,
    /// What it is instead.
    No(&'static str),
}

impl Target {
    /// # Errors
    /// There is no such value; it is not quoted.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        Ok(match text {
            "any" => Self::Any,
            "read-write" => Self::ReadWrite,
            "read-only" => Self::ReadOnly,
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "prefer-standby" => Self::PreferStandby,
            _ => {
                return Err(invalid_url("target_session_attrs has an unknown value")
                    .hint("write any, read-write, read-only, primary, standby or prefer-standby"));
            }
        })
    }

    /// `is_read_only`: new transactions may not write, or it is a standby.
    pub(super) fn fit(self, is_standby: bool, is_read_only: bool) -> Fit {
        let or = |fits, instead| if fits { Fit::Yes } else { Fit::No(instead) };
        match self {
            Self::Any => Fit::Yes,
            Self::ReadWrite => or(!is_read_only, "it is read-only"),
            Self::ReadOnly => or(is_read_only, "it takes writes"),
            Self::Primary => or(!is_standby, "it is a standby"),
            Self::Standby => or(is_standby, "it is a primary"),
            Self::PreferStandby if is_standby => Fit::Yes,
            Self::PreferStandby => Fit::AtWorst,
        }
    }
}
