//! A bounded context as it is shipped.

use std::sync::Arc;

use crate::application::ports::WarmupStrategy;
use crate::application::query::prepared::Prepared;
use crate::domain::failure::Failure;

pub struct Context {
    pub name: &'static str,
    /// Its `warmup.toml`.
    pub definitions: &'static str,
    /// The strategies written in Rust.
    pub(super) coded: &'static [Coded],
}

/// A strategy that SQL alone cannot say. Its definition gives everything else.
pub(super) struct Coded {
    pub(super) strategy: &'static str,
    pub(super) build: Build,
}

/// Makes a coded strategy of its definition on a database.
pub type Build = fn(Prepared) -> Result<Arc<dyn WarmupStrategy>, Failure>;
