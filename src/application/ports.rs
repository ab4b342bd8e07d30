//! What the engine needs of the world around it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::domain::Dialect;
use crate::domain::changes::{Moment, Since};
use crate::domain::digest::Digest;
use crate::domain::encode::Hint;
use crate::domain::entry::{Entry, EntryBatch, Name};
use crate::domain::expected::Expected;
use crate::domain::failure::Failure;
use crate::domain::finding::Finding;
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::precision::Precision;
use crate::domain::row::{Columns, RowBatch};
use crate::domain::server::{ServerRole, ServerZone};
use crate::domain::standing::{Kind, Standing};
use crate::domain::strategy::{RowSecurity, Shape, StrategySpec};
use crate::domain::ttl::Ttl;
use crate::domain::version::Version;

/// What to warm: a bounded context's policy. How is the coordinator's business.
pub trait WarmupStrategy: Send + Sync {
    fn spec(&self) -> &StrategySpec;

    /// The entries asked for, in one streamed pass. A row that cannot be stored costs its key and
    /// comes in [`EntryBatch::failed`]; an `Err` ends the strategy.
    fn entries(&self, ask: Ask) -> BoxStream<'_, Result<EntryBatch, Failure>>;

    /// How many keys [`Wanted::All`] gives, counted by the database.
    fn count(&self, limit: Option<u64>) -> BoxFuture<'_, Result<u64, Failure>>;

    /// How many keys [`Wanted::All`] gives, if that is cheap to know.
    fn estimate(&self, limit: Option<u64>) -> BoxFuture<'_, Option<Expected>>;

    /// Waits until what was left in the middle has ended at the database.
    fn settled(&self) -> BoxFuture<'_, ()>;

    /// Why it cannot give any entries, where that was known before the run.
    fn unfit(&self) -> Option<&Failure> {
        None
    }

    /// Whether its entries carry a version.
    fn is_versioned(&self) -> bool {
        false
    }

    /// Why its keys cannot be looked up again, for people; `None`: they can.
    fn opaque(&self) -> Option<&str> {
        None
    }

    /// How finely the versions of its first rows tell changes apart; `None`: it has none, or no row.
    ///
    /// # Errors
    /// The database's.
    fn precision(&self) -> BoxFuture<'_, Result<Option<Precision>, Failure>> {
        async { Ok(None) }.boxed()
    }

    /// The versions that these entries would have now, in their order, as the primary says;
    /// `None`: there is no row. Only for a strategy that is not [opaque](Self::opaque).
    ///
    /// # Errors
    /// The database's.
    fn versions<'a>(
        &'a self,
        entries: &'a [Entry<'a>],
    ) -> BoxFuture<'a, Result<Vec<Option<Version>>, Failure>>;

    /// How the database means to answer [`Wanted::All`].
    fn plan(&self, limit: Option<u64>) -> BoxFuture<'_, Result<QueryPlan, Failure>>;

    /// Reads only what changed; `Err`: it cannot, and why, for people.
    fn tracked(&self) -> Result<&dyn Tracked, String> {
        Err("it is put together in code".to_owned())
    }
}

/// A strategy whose changes can be told.
pub trait Tracked: Send + Sync {
    /// Another text whenever the same rows would be stored otherwise: then what is in the cache is
    /// not to be kept.
    fn fingerprint(&self) -> String;

    /// The way that leads to all changes and reads least; `Err`: why there is none, for people.
    fn way(&self) -> BoxFuture<'_, Result<Way, String>>;

    /// How many rows of the selection have not changed since a moment, and have a key.
    fn unchanged(&self, since: Since) -> BoxFuture<'_, Result<u64, Failure>>;

    /// Whether a key's text alone tells what its columns are.
    fn has_one_reading(&self, key: &str) -> bool;

    /// Keys, and whether each has changed since a moment: its value is `1`, or `0`.
    fn changes(
        &self,
        way: Way,
        since: Since,
        batch_size: usize,
    ) -> BoxStream<'_, Result<EntryBatch, Failure>>;
}

/// How changes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The keys of the whole selection, whether they have changed or not.
    Keys,
    /// The keys of all rows that have changed, whether they are in the selection or not.
    Rows,
}

/// What is asked of a strategy.
#[derive(Clone, Debug)]
pub struct Ask {
    pub keys: Wanted,
    /// Entries a batch holds at most.
    pub batch_size: usize,
    /// Without them the entries' values may be empty, and the database reads less.
    pub values: bool,
    /// As the primary has them now, where rows come from a copy of it.
    pub from_primary: bool,
    /// Their versions will be asked for: where their rows lie makes that cheap.
    pub places: bool,
    /// Of a whole selection: in an order in which it can go on where it is interrupted, if there is
    /// one.
    pub in_order: bool,
}

#[derive(Clone, Debug)]
pub enum Wanted {
    /// The strategy's selection, at most so many keys of it.
    All { limit: Option<u64> },
    /// These keys, in the selection or not. Of each there is an entry, or it comes in
    /// [`EntryBatch::absent`] where no row has it, or in [`EntryBatch::failed`] where that is not
    /// known.
    Named(Vec<Name>),
}

/// Where rows come from. One adapter per database hides connection, session and wire format.
pub trait RowSource: Send + Sync {
    fn dialect(&self) -> Dialect;

    /// The same database, where a table with row-level security gives the rows that its policies
    /// show, and not an error; `None`: it has no such thing.
    fn filtered(&self) -> Option<Arc<dyn RowSource>> {
        None
    }

    /// Its clock, and since when somebody may have changed what is not to be seen yet. To be asked
    /// before anything is read: whoever reads later sees all that was changed before.
    ///
    /// # Errors
    /// It cannot be asked, or does not know, as a replica that does not say how far behind it is.
    fn moment(&self) -> BoxFuture<'_, Result<Moment, Failure>>;

    /// The keys by which a table's rows are known.
    ///
    /// # Errors
    /// The database's.
    fn unique_keys<'a>(
        &'a self,
        table: &'a TableName,
    ) -> BoxFuture<'a, Result<UniqueKeys, Failure>>;

    /// Prepares a query and says what it returns. Reads nothing.
    fn describe<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, Result<Columns, Failure>>;

    /// Streams the rows of a query. Dropping the stream ends the query at the database.
    fn rows(&self, query: Query) -> BoxStream<'static, Result<RowBatch, Failure>>;

    /// Whether it cannot be seen who waits for a query, so that one that is read slowly ends from time
    /// to time: a query should have an order in which it can go on.
    fn is_blind(&self) -> bool {
        false
    }

    /// Waits until queries whose streams were dropped have ended at the database, for a few seconds.
    fn settled(&self) -> BoxFuture<'_, ()>;

    /// How many rows a query returns, where the database can say it cheaply.
    fn estimate<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, Option<Expected>>;

    /// The plan that the database makes for a query. Reads no row.
    fn plan<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, Result<QueryPlan, Failure>>;

    /// What is to be known of the server before a run. Never fails: what cannot be asked is a
    /// finding.
    fn checkup(&self) -> BoxFuture<'_, Vec<Finding>>;

    /// Whether it has the latest state of its rows.
    fn role(&self) -> BoxFuture<'_, ServerRole> {
        async { ServerRole::Primary }.boxed()
    }

    /// The time zone of sessions that choose none; `None`: it has none, or does not say.
    fn zone(&self) -> BoxFuture<'_, Option<ServerZone>> {
        async { None }.boxed()
    }

    /// How it is at the moment, asked on a session of its own; `None`: nobody else is there to be
    /// disturbed, or it does not answer.
    fn vitals(&self) -> BoxFuture<'_, Option<SourceVitals>> {
        async { None }.boxed()
    }
}

/// The database that a strategy reads.
#[derive(Clone)]
pub struct Sources {
    /// Where selections are read; it may be a copy.
    pub bulk: Arc<dyn RowSource>,
    /// Where the latest state of a few rows is asked.
    pub primary: Arc<dyn RowSource>,
}

impl Sources {
    /// One database for both.
    pub fn one(source: Arc<dyn RowSource>) -> Self {
        Self {
            bulk: Arc::clone(&source),
            primary: source,
        }
    }

    /// Where a definition's rows come from.
    #[must_use]
    pub fn with(&self, row_security: RowSecurity) -> Self {
        let with = |source: &Arc<dyn RowSource>| match row_security {
            RowSecurity::Refuse => Arc::clone(source),
            RowSecurity::Apply => source.filtered().unwrap_or_else(|| Arc::clone(source)),
        };
        Self {
            bulk: with(&self.bulk),
            primary: with(&self.primary),
        }
    }

    /// Whether the operator names another server as the primary.
    pub fn names_a_primary(&self) -> bool {
        !Arc::ptr_eq(&self.bulk, &self.primary)
    }
}

/// How a database is at the moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SourceVitals {
    /// Of a query that reads nothing.
    pub latency: Duration,
    /// Sessions at work, ours among them; `None`: it does not say.
    pub active: Option<u64>,
    /// How far a replica is behind.
    pub lag: Option<Duration>,
}

/// A database's plan for a query, as far as it says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryPlan {
    /// In the planner's own unit.
    pub cost: Option<f64>,
    /// Rows that it expects to return.
    pub rows: Option<u64>,
    /// Tables that it reads from end to end.
    pub scans: Vec<Scan>,
}

/// A table that is read without an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    pub table: String,
    /// Rows that are read for it, about.
    pub rows: Option<u64>,
}

/// A query to stream.
#[derive(Clone, Debug)]
pub struct Query {
    /// Whose query it is, for the database's own lists of who does what.
    pub label: String,
    pub sql: String,
    pub params: Vec<Param>,
    /// What [`RowSource::describe`] said of it.
    pub columns: Columns,
    /// The hint of each column, by place.
    pub hints: Vec<Option<Hint>>,
    /// Its rows are few and come at once: it need not be read in portions, and is likely to come
    /// again with other parameters.
    pub brief: bool,
    /// Whoever reads it can go on at the last row with another query, so that it may end at any row.
    pub resumable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Param {
    Text(String),
    Int(i64),
    /// Many in one, where the database knows arrays.
    Texts(Vec<String>),
    Ints(Vec<i64>),
}

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

#[derive(Clone, Debug)]
pub struct WriteOptions {
    pub mode: Mode,
    pub ttl: Ttl,
    /// The field of a value that says how new it is: one that is newer is not written over.
    pub version_field: Option<Arc<str>>,
}

/// What happens to a key that is in the cache already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is written over.
    Refresh,
    /// It stays as it is.
    OnlyMissing,
}

/// What became of a batch.
#[derive(Debug)]
pub struct Written {
    /// One outcome for each entry, in the batch's order.
    pub outcomes: Vec<WriteOutcome>,
    /// Set when the cache can take nothing more; the run ends with it.
    pub fatal: Option<Failure>,
    pub checked: Checked,
}

/// What was found beside the outcomes.
#[derive(Debug, Default)]
pub struct Checked {
    /// The places of entries that stood there already: stored, with a new time, and not sent.
    pub identical: Vec<usize>,
    /// Entries that had become stale and were written again.
    pub repaired: u64,
    /// The places of entries that were written again, and what was written then.
    pub rewritten: Vec<(usize, Digest)>,
    /// Entries that had become stale and are left out.
    pub withdrawn: u64,
    /// Entries of which nobody could say whether they are stale.
    pub unverified: u64,
    /// The longest time that a stale entry may have been served.
    pub exposure: Duration,
    /// Why it was not possible.
    pub failure: Option<Failure>,
}

impl Written {
    /// A batch that nobody waits for any more.
    pub fn unknown(entries: usize, why: &str) -> Self {
        Self {
            outcomes: vec![WriteOutcome::Unknown(why.to_owned()); entries],
            fatal: None,
            checked: Checked::default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    Stored,
    AlreadyPresent,
    Failed(String),
    /// Written, overtaken by the application, and deleted again.
    Withdrawn,
    /// Sent, and no answer came.
    Unknown(String),
    /// Not written, only looked at.
    Seen(Standing),
}
