//! What the tool keeps for itself in the cache, besides the entries.

use std::time::Duration;

use async_trait::async_trait;

use super::answer::{Answer, unsupported};

/// The value of whoever claimed a key before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Index of the key among those that were asked for.
    pub key: usize,
    pub value: Vec<u8>,
}

/// Locks, hashes and lists under keys of the tool's own. Every method fails when the cache is
/// unreachable or refuses; an adapter that implements none of them has no lock, no history and no
/// key manifests, and warms all the same.
#[async_trait]
pub trait MetaStore: Send + Sync {
    /// Claims free keys for `ttl`, all of them in one step or none. `Some`: another has one of them.
    async fn claim(
        &self,
        _keys: &[&[u8]],
        _value: &[u8],
        _ttl: Duration,
    ) -> Answer<Option<Claimed>> {
        unsupported("does not lock keys", "")
    }

    /// Extends a claim with this value to `ttl` from now; `false`: some of it is no longer ours.
    async fn renew(&self, _keys: &[&[u8]], _value: &[u8], _ttl: Duration) -> Answer<bool> {
        unsupported("does not lock keys", "")
    }

    /// Releases what was claimed with this value, and no other claim.
    async fn release(&self, _keys: &[&[u8]], _value: &[u8]) -> Answer<()> {
        unsupported("does not lock keys", "")
    }

    /// Sets fields of a hash that does not expire; its other fields stay.
    async fn set_fields(&self, _key: &[u8], _fields: &[(String, String)]) -> Answer<()> {
        unsupported(NO_RECORDS, "")
    }

    /// Deletes fields of a hash; its other fields stay.
    async fn delete_fields(&self, _key: &[u8], _fields: &[String]) -> Answer<()> {
        unsupported(NO_RECORDS, "")
    }

    /// Puts an item at the head of a list, which keeps at most `max` items, until `ttl` from now.
    async fn prepend(&self, _key: &[u8], _item: &[u8], _max: usize, _ttl: Duration) -> Answer<()> {
        unsupported(NO_RECORDS, "")
    }

    /// Puts items at the end of a list, which lives until `ttl` from now. When an answer is lost,
    /// they may be there twice.
    async fn append(&self, _key: &[u8], _items: &[Vec<u8>], _ttl: Duration) -> Answer<()> {
        unsupported(NO_RECORDS, "")
    }

    /// `count` items of a list from index `first` on; of a missing list, none.
    async fn range(&self, _key: &[u8], _first: usize, _count: usize) -> Answer<Vec<Vec<u8>>> {
        unsupported(NO_RECORDS, "")
    }
}

const NO_RECORDS: &str = "does not keep records of runs";

/// The meta store of a cache that has none.
pub(super) struct NoMetaStore;

#[async_trait]
impl MetaStore for NoMetaStore {}
