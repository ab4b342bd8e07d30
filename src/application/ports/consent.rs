//! Who says whether keys may be removed.

use futures_util::future::BoxFuture;

/// Somebody who can say whether keys may be removed.
pub trait Consent: Send + Sync {
    /// Asked once in a run, where there is anything to remove; a run that is stopped does not wait.
    fn may_remove<'a>(&'a self, found: &'a [Prunable]) -> BoxFuture<'a, bool>;
}

/// The keys of a strategy that have no row any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prunable {
    /// `catalog/hot-products`.
    pub strategy: String,
    pub keys: u64,
    /// The first of them, as they can be shown.
    pub first: Vec<String>,
}
