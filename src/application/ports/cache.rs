//! Where entries go.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use super::answer::{Answer, Known, unsupported};
use super::meta::{MetaStore, NoMetaStore};
use super::queue::PortionQueue;
use super::write::WriteOptions;
use crate::domain::cached::CachedValue;
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::finding::Finding;
use crate::domain::form::Form;
use crate::domain::outcome::Written;
use crate::domain::standing::{Kind, Standing};
use crate::domain::ttl::Ttl;

/// A cache. Five methods make one; the others are abilities that it may lack, and a run does
/// without.
#[async_trait]
pub trait Cache: Send + Sync {
    /// Stores a batch, retrying within the adapter's bounds; writing the same batch again is
    /// harmless.
    async fn write(&self, batch: &EntryBatch, how: &WriteOptions) -> Written;

    /// Compares each entry with what is stored at its key: one [`Standing`] each, in the batch's
    /// order. Changes nothing, and moves no value where a digest is enough.
    async fn inspect(&self, batch: &EntryBatch, form: Form) -> Answer<Vec<Standing>>;

    /// What is stored at a key, whole; `None`: nothing.
    async fn read(&self, key: &[u8]) -> Answer<Option<Cached>>;

    /// All keys that begin with `prefix`, some at a time; a key may come twice.
    fn scan<'a>(&'a self, prefix: &'a [u8]) -> BoxStream<'a, Result<Vec<Vec<u8>>, Failure>>;

    /// Changes whenever acknowledged writes may be lost: the server restarted, or another took its
    /// place. Asks the server.
    async fn epoch(&self) -> Answer<u64>;

    /// The same for a run in another process.
    async fn identity(&self) -> Answer<u64> {
        self.epoch().await
    }

    /// Whether nothing is written to it, whatever it is asked for.
    fn is_read_only(&self) -> bool {
        false
    }

    /// Why it cannot store values of a type; `None`: it can.
    async fn lacks(&self, _kind: &Kind) -> Answer<Option<String>> {
        Ok(None)
    }

    /// What the tool keeps for itself in this cache.
    fn meta(&self) -> &dyn MetaStore {
        &NoMetaStore
    }

    /// A queue for portions; `None`: it has none.
    fn queue(&self) -> Option<&dyn PortionQueue> {
        None
    }

    /// Extends the TTL of the picked entries whose stored value is identical
    /// ([`Ttl::millis_for`]); compare and extend are one step per key. Changes no value, and moves
    /// none where a digest is enough.
    async fn extend_if_equal(
        &self,
        _batch: &EntryBatch,
        _picks: &[usize],
        _ttl: &Ttl,
    ) -> Answer<Extended> {
        unsupported("does not compare values", "")
    }

    /// Deletes the picked entries whose stored value is still the entry's: one answer per pick, in
    /// order.
    async fn delete_if_equal(
        &self,
        _batch: &EntryBatch,
        _picks: &[usize],
    ) -> Answer<Vec<Deletion>> {
        unsupported("does not delete stale values", "--no-verify-writes runs without this check")
    }

    /// Refreshes the TTL of keys ([`Ttl::millis_for`]); for each, in order, whether it exists.
    async fn refresh_ttl(&self, _keys: &[&[u8]], _ttl: Ttl) -> Answer<Vec<bool>> {
        unsupported("does not refresh a TTL", "")
    }

    /// Whether every key exists and the remaining TTL of a sample is within `tolerance` of a fresh
    /// one. `false`: no, or finding out would cost as much as refreshing them.
    async fn ttl_is_fresh(
        &self,
        _keys: &[&[u8]],
        _ttl: &Ttl,
        _tolerance: Duration,
    ) -> Answer<bool> {
        Ok(false)
    }

    /// Deletes keys of any type; for each, in order, whether it existed. When an answer is lost, a
    /// key that existed may count as one that did not. On an error some may be deleted.
    async fn remove(&self, _keys: &[&[u8]]) -> Answer<Vec<bool>> {
        unsupported("does not delete keys", "")
    }

    async fn headroom(&self) -> Headroom {
        Headroom::unknown("this cache does not report it")
    }

    /// What an operator should know of the server before a run, and whether it would accept keys
    /// like `probes`. What cannot be asked is a finding.
    async fn checkup(&self, _probes: &[PermissionProbe]) -> Vec<Finding> {
        Vec::new()
    }

    /// When each key was used last, in order, and its size. Asking does not count as a use.
    async fn usage(&self, _keys: &[&[u8]]) -> Answer<Vec<Usage>> {
        unsupported("does not know which keys are used", "")
    }

    /// Whether what this tool reads counts as a use, too.
    async fn counts_our_reads(&self) -> bool {
        false
    }

    /// Listens for keys that clients ask for in vain; `set_events`: the server's settings may be
    /// changed for it. On an error they are unchanged.
    async fn misses(&self, _set_events: bool) -> Answer<Misses> {
        unsupported("does not report misses", "")
    }

    /// How long a client waits at the moment, measured on a connection of its own; `None`: there
    /// are no other clients, or it is unreachable.
    async fn latency(&self) -> Option<Duration> {
        None
    }

    /// How many keys it has evicted in its life.
    async fn evicted(&self) -> Known<u64> {
        Ok(0)
    }

    /// Its own replicas; `None`: it has none, or does not say.
    async fn replicas(&self) -> Option<Replicas> {
        None
    }
}

/// The replicas of a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Replicas {
    /// Bytes that the slowest has not confirmed yet.
    pub behind: u64,
    /// A replica that is further behind may be disconnected, and then needs a full resynchronization;
    /// `None`: none is.
    pub limit: Option<u64>,
    /// Full resynchronizations since the servers started.
    pub full_syncs: u64,
}

/// Which entries were there already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extended {
    /// Per pick, whether its value was identical and its TTL is extended.
    pub equal: Vec<bool>,
    /// About how many bytes were sent to find out.
    pub sent: u64,
}

/// The result of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    Deleted,
    /// There was nothing at its key.
    Absent,
    /// Another value is stored there and stays.
    NotEqual,
}

/// A key that a run would write, to test the user's permissions with. It may exist (the key of a template
/// without columns does), so it must not be changed.
#[derive(Clone, Debug)]
pub struct PermissionProbe {
    /// `None`: the key is the tool's own record of its runs.
    pub strategy: Option<String>,
    pub key: Vec<u8>,
    /// The strategy's keys as a pattern, for people: `Product:id:*`.
    pub pattern: String,
    pub kind: Kind,
}

/// What is stored at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    pub value: CachedValue,
    /// `None`: it never expires.
    pub ttl: Known<Option<Duration>>,
}

/// Keys that clients ask the cache for in vain, from now on. Must be ended.
pub struct Misses {
    /// Ends with an error when the connection is lost.
    pub keys: BoxStream<'static, Result<Vec<u8>, Failure>>,
    /// What was changed on the servers, a sentence each.
    pub changed: Vec<String>,
    /// Why it is not certain that the servers report misses.
    pub doubt: Option<String>,
    /// Restores what was changed.
    pub restore: BoxFuture<'static, Result<(), Failure>>,
}

impl Misses {
    /// Stops listening, and restores what was changed.
    ///
    /// # Errors
    /// It could not be restored.
    pub async fn end(self) -> Result<(), Failure> {
        self.restore.await
    }
}

/// How a key is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    pub last: LastUse,
    /// Of key and value.
    pub bytes: Known<u64>,
}

/// When a key was read or written last, as far as the cache says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastUse {
    /// There is no such key.
    Gone,
    /// In whole seconds.
    Ago(Duration),
    /// How often instead of when: 0 to 255, on a logarithmic scale.
    Frequency(u8),
}

/// The memory of a cache.
#[derive(Clone, Debug, PartialEq)]
pub struct Headroom {
    /// Bytes in use.
    pub used: Known<u64>,
    /// Bytes that it may use; `None`: no limit is set.
    pub max: Known<Option<u64>>,
    /// What it does when they are used up.
    pub policy: Known<String>,
    /// Which of several servers is full first, and its share of the entries.
    pub full_first: Option<(String, f64)>,
}

impl Headroom {
    pub fn unknown(why: &str) -> Self {
        let why = || why.to_owned();
        Self { used: Err(why()), max: Err(why()), policy: Err(why()), full_first: None }
    }

    /// Bytes that are free; `None`: there is no limit, or it is not known.
    pub fn free(&self) -> Option<u64> {
        match (&self.max, &self.used) {
            (Ok(Some(max)), Ok(used)) => Some(max.saturating_sub(*used)),
            _ => None,
        }
    }
}
