//! What the tool keeps for itself in the cache: locks, history, key manifests.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::domain::failure::Failure;

/// What stands at a key that somebody else has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Which of the keys that were asked for.
    pub key: usize,
    pub value: Vec<u8>,
}

/// What the tool keeps for itself in the cache, beside the entries.
pub trait Ledger: Send + Sync {
    /// Takes keys that nobody has, for so long: all of them in one step, or none. `Some`: what
    /// another put at one of them.
    ///
    /// # Errors
    /// The cache is gone, or refuses to set, to renew or to release.
    fn claim<'a>(
        &'a self,
        keys: &'a [&'a [u8]],
        value: &'a [u8],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Option<Claimed>, Failure>>;

    /// Keeps what was claimed with this value for so long again; `false`: not all of it is ours any
    /// more.
    ///
    /// # Errors
    /// The cache is gone, or refuses.
    fn renew<'a>(
        &'a self,
        keys: &'a [&'a [u8]],
        value: &'a [u8],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, Failure>>;

    /// Gives back what was claimed with this value, and nobody else's.
    ///
    /// # Errors
    /// The cache is gone, or refuses.
    fn release<'a>(
        &'a self,
        keys: &'a [&'a [u8]],
        value: &'a [u8],
    ) -> BoxFuture<'a, Result<(), Failure>>;

    /// Sets fields of a hash that does not expire; its other fields stay.
    ///
    /// # Errors
    /// The cache is gone, or refuses.
    fn remember<'a>(
        &'a self,
        key: &'a [u8],
        fields: &'a [(String, String)],
    ) -> BoxFuture<'a, Result<(), Failure>>;

    /// Puts an item at the head of a list that keeps so many, and lives so long from now.
    ///
    /// # Errors
    /// The cache is gone, or refuses.
    fn push<'a>(
        &'a self,
        key: &'a [u8],
        item: &'a [u8],
        keep: usize,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), Failure>>;

    /// The first items of a list; of a list that is not there, none.
    ///
    /// # Errors
    /// The cache is gone, or refuses.
    fn items<'a>(
        &'a self,
        key: &'a [u8],
        first: usize,
    ) -> BoxFuture<'a, Result<Vec<Vec<u8>>, Failure>>;

    /// Puts items at the end of a list, which lives for so long from now. Where an answer was lost
    /// they may be there twice.
    ///
    /// # Errors
    /// The cache is gone, or refuses.
    fn append<'a>(
        &'a self,
        key: &'a [u8],
        items: &'a [Vec<u8>],
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), Failure>>;

    /// Items of a list, `count` from the place `first` on; of a list that is not there, none.
    ///
    /// # Errors
    /// The cache is gone, or refuses.
    fn range<'a>(
        &'a self,
        key: &'a [u8],
        first: usize,
        count: usize,
    ) -> BoxFuture<'a, Result<Vec<Vec<u8>>, Failure>>;

    /// Deletes fields of a hash; its other fields stay.
    ///
    /// # Errors
    /// The cache is gone, or refuses.
    fn forget<'a>(
        &'a self,
        key: &'a [u8],
        fields: &'a [String],
    ) -> BoxFuture<'a, Result<(), Failure>>;
}
