//! Where a definition's fields come from.

use std::path::PathBuf;

use crate::domain::written::SHIPPED;

/// Where a field's value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Shipped,
    /// A registered strategy says it itself.
    Code,
    File(PathBuf),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shipped => f.write_str(SHIPPED),
            Self::Code => f.write_str("code"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}
