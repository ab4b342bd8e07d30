//! What the tool keeps for itself in the cache, besides the entries.

use std::time::Duration;

use super::answer::{Answer, unsupported};

/// Another's value at a key that was to be claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Index of the key among those that were asked for.
    pub key: usize,
    pub value: Vec<u8>,
}

/// Locks, hashes and lists under keys of the tool's own. Every method fails when the cache is
/// unreachable or refuses; an adapter that implements none of them has no lock, no history and no
/// key manifests, and warms all the same.
pub trait MetaStore: Send + Sync {
    /// Claims free keys for `ttl`, all of them in one step or none. `Some`: another has one of them.
    fn claim<'a>(
        &'a self,
        _keys: &'a [&'a [u8]],
        _value: &'a [u8],
        _ttl: Duration,
    ) -> Answer<'a, Option<Claimed>> {
        unsupported("does not lock keys", "")
    }

    /// Extends a claim with this value to `ttl` from now; `false`: some of it is no longer ours.
    fn renew<'a>(
        &'a self,
        _keys: &'a [&'a [u8]],
        _value: &'a [u8],
        _ttl: Duration,
    ) -> Answer<'a, bool> {
        unsupported("does not lock keys", "")
    }

    /// Releases what was claimed with this value, and no other claim.
    fn release<'a>(&'a self, _keys: &'a [&'a [u8]], _value: &'a [u8]) -> Answer<'a, ()> {
        unsupported("does not lock keys", "")
    }

    /// Sets fields of a hash that does not expire; its other fields stay.
    fn set_fields<'a>(&'a self, _key: &'a [u8], _fields: &'a [(String, String)]) -> Answer<'a, ()> {
        unsupported(NO_RECORDS, "")
    }

    /// Deletes fields of a hash; its other fields stay.
    fn delete_fields<'a>(&'a self, _key: &'a [u8], _fields: &'a [String]) -> Answer<'a, ()> {
        unsupported(NO_RECORDS, "")
    }

    /// Puts an item at the head of a list, which keeps at most `max` items, until `ttl` from now.
    fn prepend<'a>(
        &'a self,
        _key: &'a [u8],
        _item: &'a [u8],
        _max: usize,
        _ttl: Duration,
    ) -> Answer<'a, ()> {
        unsupported(NO_RECORDS, "")
    }

    /// Puts items at the end of a list, which lives until `ttl` from now. When an answer is lost,
    /// they may be there twice.
    fn append<'a>(
        &'a self,
        _key: &'a [u8],
        _items: &'a [Vec<u8>],
        _ttl: Duration,
    ) -> Answer<'a, ()> {
        unsupported(NO_RECORDS, "")
    }

    /// `count` items of a list from index `first` on; of a missing list, none.
    fn range<'a>(
        &'a self,
        _key: &'a [u8],
        _first: usize,
        _count: usize,
    ) -> Answer<'a, Vec<Vec<u8>>> {
        unsupported(NO_RECORDS, "")
    }
}

const NO_RECORDS: &str = "does not keep records of runs";

/// The meta store of a cache that has none.
pub(super) struct NoMetaStore;

impl MetaStore for NoMetaStore {}
