//! How a cache answers.

use crate::domain::failure::{Failure, FailureKind};

/// A cache's answer; it fails when the cache is unreachable or refuses.
pub type Answer<T> = Result<T, Failure>;

/// A figure, or why it is not known.
pub type Known<T> = Result<T, String>;

/// The answer of a cache that lacks an ability: `does not delete keys`.
pub(super) fn unsupported<T>(lack: &str, hint: &str) -> Answer<T> {
    let what = format!("this cache {lack}");
    let failure = Failure::new(FailureKind::Config, what, "it is not supported");
    Err(match hint {
        "" => failure,
        hint => failure.hint(hint),
    })
}
