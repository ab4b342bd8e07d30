//! How a cache answers.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::domain::failure::{Failure, FailureKind};

/// A cache's answer; it fails when the cache is unreachable or refuses.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Failure>>;

/// A figure, or why it is not known.
pub type Known<T> = Result<T, String>;

/// The answer of a cache that lacks an ability: `does not delete keys`.
pub(super) fn unsupported<'a, T>(lack: &str, hint: &str) -> Answer<'a, T>
where
    T: Send + 'a,
{
    let what = format!("this cache {lack}");
    let failure = Failure::new(FailureKind::Config, what, "it is not supported");
    let failure = match hint {
        "" => failure,
        hint => failure.hint(hint),
    };
    async { Err(failure) }.boxed()
}
