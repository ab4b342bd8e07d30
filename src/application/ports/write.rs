//! How entries are written.

use std::sync::Arc;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::domain::form::Form;
use crate::domain::ttl::Ttl;

#[derive(Clone, Debug)]
pub struct WriteOptions {
    pub mode: Mode,
    pub ttl: Ttl,
    /// How the values are stored.
    pub form: Form,
    /// The field that holds a value's version. A newer value is not overwritten.
    pub version_field: Option<Arc<str>>,
}

/// What happens to a key that is in the cache already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Overwrite them
    Refresh,
    /// Keep them
    OnlyMissing,
}
