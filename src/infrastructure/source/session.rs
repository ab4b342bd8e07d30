//! A session, or why there is none.

use std::ops::{Deref, DerefMut};

use super::driver::{Connection, Driver};
use super::shortage::Out;
use crate::domain::failure::Failure;

/// A session in use.
pub(super) struct Session<D: Driver> {
    pub(super) connection: Connection<D>,
    pub(super) out: Out,
}

impl<D: Driver> Deref for Session<D> {
    type Target = Connection<D>;
    fn deref(&self) -> &Connection<D> {
        &self.connection
    }
}

impl<D: Driver> DerefMut for Session<D> {
    fn deref_mut(&mut self) -> &mut Connection<D> {
        &mut self.connection
    }
}

/// Why there is no session.
pub(super) enum NoSession {
    /// The server or its pooler has no free session.
    Full(Failure),
    /// It says nothing.
    Silent(Failure),
    Other(Failure),
}

impl NoSession {
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::Full(failure) | Self::Silent(failure) | Self::Other(failure) => failure,
        }
    }
}
