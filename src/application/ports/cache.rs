//! Where entries go.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use super::meta::Ledger;
use super::write::{WriteOptions, Written};
use crate::domain::entry::EntryBatch;
use crate::domain::failure::Failure;
use crate::domain::finding::Finding;
use crate::domain::standing::{Kind, Standing};
use crate::domain::strategy::Shape;
use crate::domain::ttl::Ttl;

/// Where entries go.
pub trait Cache: Ledger {
    /// Stores a batch, retrying within the adapter's bounds; writing the same batch again is
    /// harmless.
    fn write<'a>(&'a self, batch: &'a EntryBatch, how: &'a WriteOptions) -> BoxFuture<'a, Written>;

    /// Lets those of a batch's texts that stand there byte for byte live for their time from now on
    /// ([`Ttl::millis_for`]), compared and prolonged in one step each; one answer for each of
    /// `picks`. Moves no value, where a digest tells enough, and changes none.
    ///
    /// # Errors
    /// The cache is gone, or does not compare.
    fn keep<'a>(
        &'a self,
        batch: &'a EntryBatch,
        picks: &'a [usize],
        ttl: &'a Ttl,
    ) -> BoxFuture<'a, Result<Kept, Failure>>;

    /// Lets keys live for their time from now on ([`Ttl::millis_for`]); of each, in order, whether it
    /// is there. Changes no value.
    ///
    /// # Errors
    /// The cache is gone, or refuses one of them.
    fn touch<'a>(
        &'a self,
        keys: &'a [&'a [u8]],
        ttl: Ttl,
    ) -> BoxFuture<'a, Result<Vec<bool>, Failure>>;

    /// Whether all of these keys are there, and those of them that are looked at closely live for no
    /// less than `short` less than if they were given their time now. `false`: not so, or it cannot
    /// be told for less than giving it to them would cost.
    ///
    /// # Errors
    /// The cache is gone.
    fn lives_on<'a>(
        &'a self,
        _keys: &'a [&'a [u8]],
        _ttl: &'a Ttl,
        _short: Duration,
    ) -> BoxFuture<'a, Result<bool, Failure>> {
        async { Ok(false) }.boxed()
    }

    /// Deletes keys of any type; of each, in order, whether it was there. Where an answer was lost,
    /// one that was there may count as one that was not.
    ///
    /// # Errors
    /// The cache is gone, or refuses one of them; the others may be deleted.
    fn remove<'a>(&'a self, keys: &'a [&'a [u8]]) -> BoxFuture<'a, Result<Vec<bool>, Failure>>;

    /// Another number whenever what was acknowledged before may be gone: the server restarted, or
    /// another took its place. Asks the server.
    ///
    /// # Errors
    /// The cache is gone.
    fn epoch(&self) -> BoxFuture<'_, Result<u64, Failure>>;

    /// Deletes those of a batch's entries whose value is still the entry's: one answer for each of
    /// `picks`, in their order.
    ///
    /// # Errors
    /// The cache is gone, or refuses.
    fn withdraw<'a>(
        &'a self,
        batch: &'a EntryBatch,
        picks: &'a [usize],
    ) -> BoxFuture<'a, Result<Vec<Withdrawn>, Failure>>;

    /// What stands at each entry's key, compared with the entry: one [`Standing`] each, in the
    /// batch's order. Changes nothing, and moves no value where a digest tells enough.
    ///
    /// # Errors
    /// The cache is gone or refuses everything.
    fn inspect<'a>(
        &'a self,
        batch: &'a EntryBatch,
        shape: Shape,
    ) -> BoxFuture<'a, Result<Vec<Standing>, Failure>>;

    /// What is stored at a key, whole; `None`: nothing.
    ///
    /// # Errors
    /// The cache is gone, or refuses.
    fn read<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Cached>, Failure>>;

    /// All keys that begin with `prefix`, some at a time; one may come twice.
    fn scan<'a>(&'a self, prefix: &'a [u8]) -> BoxStream<'a, Result<Vec<Vec<u8>>, Failure>>;

    /// What memory the cache has.
    fn headroom(&self) -> BoxFuture<'_, Headroom>;

    /// What is to be known of the server before a run, and whether it would let one write keys like
    /// `probes`. Never fails: what cannot be asked is a finding.
    fn checkup<'a>(&'a self, probes: &'a [Probe]) -> BoxFuture<'a, Vec<Finding>>;

    /// When each key was used last, in order, and what it takes. Asking is no use.
    ///
    /// # Errors
    /// It does not tell, or is gone.
    fn usage<'a>(&'a self, keys: &'a [&'a [u8]]) -> BoxFuture<'a, Result<Vec<Usage>, Failure>>;

    /// Listens to keys that are asked for in vain; `set_events`: the server may be told to tell.
    ///
    /// # Errors
    /// It does not tell, or is gone. Nothing of it is changed then.
    fn misses(&self, set_events: bool) -> BoxFuture<'_, Result<Misses, Failure>>;

    /// How long anybody waits for it at the moment, asked on a connection of its own, so that what
    /// waits on ours does not count; `None`: nobody else is there to be disturbed, or it is gone.
    fn latency(&self) -> BoxFuture<'_, Option<Duration>> {
        async { None }.boxed()
    }

    /// How many keys it has ever evicted, asked on the same connection.
    fn evicted(&self) -> BoxFuture<'_, Known<u64>> {
        async { Ok(0) }.boxed()
    }
}

/// Which entries stand there already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub same: Vec<bool>,
    /// Bytes that asking took, about.
    pub sent: u64,
}

/// What became of an entry that is not to be served any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// It was there and is deleted.
    Deleted,
    /// Nothing was there.
    Gone,
    /// Another value stands there and stays.
    NotOurs,
}

/// A key that a run would write, to ask for the right to. A template without columns has but one
/// key, so a probe may be a key that is there: it is not to be changed.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Whose key it is; `None`: the tool's own record of its runs.
    pub strategy: Option<String>,
    pub key: Vec<u8>,
    /// What the probe's keys have in common, as a pattern for the operator: `Product:id:*`.
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CachedValue {
    Text(Vec<u8>),
    /// Names and values.
    Hash(Vec<(Vec<u8>, Vec<u8>)>),
    /// Of a type that is never written here, by its name.
    Other(String),
}

/// Keys that somebody asks the cache for in vain, from now on. To be ended, whatever happens.
pub struct Misses {
    /// Ends with an error when nothing more can be heard.
    pub keys: BoxStream<'static, Result<Vec<u8>, Failure>>,
    /// What was changed at the servers to hear them, in a sentence each.
    pub changed: Vec<String>,
    /// Why it is not known whether the servers tell at all.
    pub doubt: Option<String>,
    /// Puts back what was changed.
    pub restore: BoxFuture<'static, Result<(), Failure>>,
}

impl Misses {
    /// Hears no more, and puts back what was changed.
    ///
    /// # Errors
    /// It could not be put back.
    pub async fn end(self) -> Result<(), Failure> {
        self.restore.await
    }
}

/// How a key is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    pub last: LastUse,
    /// That it takes with its value.
    pub bytes: Known<u64>,
}

/// When a key was read or written last, as far as the cache says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastUse {
    /// It is not there.
    Gone,
    /// So long ago, in whole seconds.
    Ago(Duration),
    /// Not when, but about how often: 0 to 255, on a scale that is not even.
    Frequency(u8),
}

/// A figure, or why it is not known.
pub type Known<T> = Result<T, String>;

/// The memory of a cache.
#[derive(Clone, Debug, PartialEq)]
pub struct Headroom {
    /// Bytes in use.
    pub used: Known<u64>,
    /// Bytes that it may use; `None`: no limit is set.
    pub max: Known<Option<u64>>,
    /// What it does when they are used up.
    pub policy: Known<String>,
}

impl Headroom {
    /// Bytes that are free; `None`: there is no limit, or it is not known.
    pub fn free(&self) -> Option<u64> {
        match (&self.max, &self.used) {
            (Ok(Some(max)), Ok(used)) => Some(max.saturating_sub(*used)),
            _ => None,
        }
    }
}
