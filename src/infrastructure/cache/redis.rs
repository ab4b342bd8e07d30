//! Redis and Valkey: pipelines over a few connections, and the truth about each key.
//!
//! A reply makes a key stored or failed. A connection that breaks leaves the keys of its batch
//! unknown; they are sent again, which is harmless, to whoever has them then, until a server has
//! answered nothing for too long. The crate's error texts are never shown: they repeat every error
//! of a pipeline.

mod address;
mod checkup;
mod cluster;
mod delete;
mod extend;
mod headroom;
mod inspect;
mod meta;
mod misses;
mod node;
mod questions;
mod sentinel;
mod servers;
mod store;
mod usage;
mod vitals;

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::BoxStream;
use redis::{Cmd, ErrorKind, Pipeline, RedisError};

use super::ConnectOptions;
use super::url::invalid_url;
use crate::application::ports::{
    Answer, Cache, Cached, Checked, Deletion, Extended, Headroom, Known, MetaStore, Misses, Mode,
    RightsProbe, Usage, WriteOptions, WriteOutcome, Written,
};
use crate::domain::entry::{Entry, EntryBatch};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::finding::Finding;
use crate::domain::key::{printable, shortened};
use crate::domain::standing::Standing;
use crate::domain::strategy::Shape;
use crate::domain::ttl::Ttl;
use node::{Lost, Node, Replies};
use servers::{Part, Picks, Servers, Wait};
use store::{Judged, cost, judge, longest_part, needs_transaction, stores};

/// Bytes that a server is sent together, at most, unless a single entry is larger.
const PIPELINE_BYTES: usize = 4 * 1024 * 1024;

pub(super) struct RedisCache {
    servers: Servers,
    /// How values are compared; each way that a server refuses is not tried again.
    way_to_inspect: AtomicUsize,
    /// The same for deleting a key only where its value is ours.
    way_to_delete: AtomicUsize,
}

/// # Errors
/// The URL cannot be read.
pub(super) fn check_url(url: &str) -> Result<(), Failure> {
    address::Address::parse(url, &ConnectOptions::default()).map(drop)
}

impl RedisCache {
    pub(super) async fn connect(url: &str, options: &ConnectOptions) -> Result<Self, Failure> {
        Ok(Self {
            servers: Servers::connect(url, options).await?,
            way_to_inspect: AtomicUsize::new(0),
            way_to_delete: AtomicUsize::new(0),
        })
    }

    async fn write_batch(&self, batch: &EntryBatch, how: &WriteOptions) -> Written {
        let delivery = Mutex::new(Delivery::new(batch.len(), how.mode));
        let parts = self.route(batch, Picks::Run(0..batch.len()), 0);
        let parts = parts.into_iter();
        join_all(parts.map(|part| self.deliver(batch, how, &delivery, part))).await;
        delivery
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .finish()
    }

    /// Entries in parts, each for one server and not too large for it.
    fn route(&self, batch: &EntryBatch, picks: Picks, losses: u32) -> VecDeque<Part> {
        let key = |i| batch.get(i).map_or(&[][..], |entry: Entry<'_>| entry.key);
        let mut parts = VecDeque::new();
        for mut part in self.servers.parts(picks, losses, key) {
            // Most batches are far from it.
            if batch.bytes() > PIPELINE_BYTES / 2 {
                while let Some(n) = too_many(batch, &part.picks) {
                    let (first, rest) = part.picks.split(n);
                    parts.push_back(Part {
                        node: Arc::clone(&part.node),
                        picks: first,
                        ..part
                    });
                    part.picks = rest;
                }
            }
            parts.push_back(part);
        }
        parts
    }

    /// Sends a part until each of its entries has its outcome, to other servers too where these have
    /// its keys by then.
    async fn deliver(
        &self,
        batch: &EntryBatch,
        how: &WriteOptions,
        delivery: &Mutex<Delivery>,
        part: Part,
    ) {
        let mut wait = Wait::new();
        let mut parts = VecDeque::from([part]);
        while let Some(mut part) = parts.pop_front() {
            refuse_too_long(&mut lock(delivery), batch, &mut part);
            if part.picks.len() == 0 {
                continue;
            }
            if lock(delivery).fatal.is_some() {
                return;
            }
            let node = Arc::clone(&part.node);
            let asked = Instant::now();
            match send(batch, &part, how).await {
                Ok(replies) => {
                    let rest = settle(delivery, batch, &part, replies, how, &self.servers);
                    if rest.settled > 0 {
                        wait.progress();
                    }
                    if rest.settled > 0 || rest.why_later.is_none() {
                        node.answered();
                    }
                    let again = self.follow(batch, delivery, &part, rest, asked, &mut wait);
                    parts.extend(again.await);
                }
                Err(Lost::Server { failure, sent }) => {
                    if sent {
                        lock(delivery).doubt(&part.picks);
                    } else if failure.kind == FailureKind::CacheDenied {
                        let outcome = WriteOutcome::Failed(failure.why.clone());
                        lock(delivery).settle_open(&part.picks, &outcome);
                    }
                    let elsewhere = self.give_up(batch, delivery, part, failure).await;
                    if !elsewhere.is_empty() {
                        wait.progress();
                    }
                    parts.extend(elsewhere);
                }
                Err(Lost::Unsent) => {
                    wait.pause().await;
                    self.servers.refresh().await;
                    push_front(&mut parts, self.route(batch, part.picks, part.losses));
                }
                // The server is up (it takes connections) and breaks this one: after two losses the
                // entry that does it is looked for.
                Err(Lost::Answer(why)) if part.losses > 0 && part.picks.len() == 1 => {
                    let why = format!("{why}; the server breaks the connection over this entry");
                    lock(delivery).settle(part.picks.at(0), WriteOutcome::Unknown(why));
                }
                Err(Lost::Answer(_)) if part.losses > 0 => {
                    self.servers.refresh().await;
                    let (first, second) = {
                        let middle = part.picks.len() / 2;
                        part.picks.split(middle)
                    };
                    push_front(&mut parts, self.route(batch, second, part.losses));
                    push_front(&mut parts, self.route(batch, first, part.losses));
                }
                Err(Lost::Answer(_)) => {
                    lock(delivery).doubt(&part.picks);
                    self.servers.refresh().await;
                    push_front(&mut parts, self.route(batch, part.picks, part.losses + 1));
                }
            }
        }
    }

    /// What is to be sent again of a part that was answered, after the wait that the answers ask for.
    async fn follow(
        &self,
        batch: &EntryBatch,
        delivery: &Mutex<Delivery>,
        part: &Part,
        rest: Rest,
        asked: Instant,
        wait: &mut Wait,
    ) -> VecDeque<Part> {
        let node = &part.node;
        let mut again = VecDeque::new();
        if let Some(error) = rest.why_later {
            // Of some slots a cluster may say so while the node is well.
            let gone = match (error.code(), self.servers.can_change()) {
                (Some("CLUSTERDOWN" | "TRYAGAIN"), true) => None,
                _ => node.silent(asked, || node.not_ready(&error)),
            };
            let is_down = self.servers.is_down(&error);
            let over = is_down || wait.is_over(node.patience()) && self.servers.can_change();
            if gone.is_some() || over {
                let outcome = WriteOutcome::Failed(words(&error));
                let whole = is_down && error.detail() == Some("The cluster is down");
                let nobody = !self.servers.can_change() || self.servers.are_gone();
                let mut delivery = lock(delivery);
                delivery.settle_open(&Picks::Some(rest.later), &outcome);
                if whole || nobody {
                    let failure = gone.unwrap_or_else(|| node.not_ready(&error));
                    delivery.fatal.get_or_insert(failure);
                }
            } else {
                wait.pause().await;
                self.servers.refresh().await;
                again = self.route(batch, Picks::Some(rest.later), part.losses);
            }
        }
        if lock(delivery).fatal.is_some() {
            return VecDeque::new();
        }
        if let Some(error) = rest.why_redirected {
            wait.hop().await;
            if wait.is_over(node.patience()) {
                let outcome = WriteOutcome::Failed(words(&error));
                let places = rest
                    .moved
                    .into_iter()
                    .chain(rest.asked.iter().map(|(i, _)| *i));
                lock(delivery).settle_open(&Picks::Some(places.collect()), &outcome);
                return again;
            }
            self.servers.refresh().await;
            again.extend(self.route(batch, Picks::Some(rest.moved), 0));
            again.extend(at_named(rest.asked));
        }
        again
    }

    /// A server is gone or refuses us: what others have by now goes to them, the rest stays as it is.
    async fn give_up(
        &self,
        batch: &EntryBatch,
        delivery: &Mutex<Delivery>,
        part: Part,
        failure: Failure,
    ) -> VecDeque<Part> {
        let mut elsewhere = VecDeque::new();
        if self.servers.can_change() {
            self.servers.refresh().await;
            for again in self.route(batch, part.picks, part.losses) {
                if !Arc::ptr_eq(&again.node, &part.node) {
                    elsewhere.push_back(again);
                    continue;
                }
                let why = failure.to_string();
                let outcome = match again.losses {
                    0 => WriteOutcome::Failed(why),
                    _ => WriteOutcome::Unknown(why),
                };
                if failure.kind == FailureKind::CacheUnreachable && !self.servers.are_gone() {
                    lock(delivery).settle_open(&again.picks, &outcome);
                } else {
                    lock(delivery).fatal = Some(failure.clone());
                }
            }
        } else {
            lock(delivery).fatal = Some(failure);
        }
        elsewhere
    }
}

/// Sends a part to its server, unless that would leave hashes half-written.
async fn send(batch: &EntryBatch, part: &Part, how: &WriteOptions) -> Result<Replies, Lost> {
    if needs_transaction(batch, part, how) {
        part.node.need_transactions().await?;
    }
    let pipe = stores(batch, part, how);
    part.node.send(&pipe, part.losses > 0).await
}

/// What the answers leave open.
#[derive(Default)]
struct Rest {
    settled: usize,
    later: Vec<usize>,
    why_later: Option<RedisError>,
    /// Other nodes have these keys.
    moved: Vec<usize>,
    /// Other nodes are to be asked about these, for now.
    asked: Vec<(usize, Arc<Node>)>,
    why_redirected: Option<RedisError>,
}

/// Takes a pipeline's replies.
fn settle(
    delivery: &Mutex<Delivery>,
    batch: &EntryBatch,
    part: &Part,
    replies: Replies,
    how: &WriteOptions,
    servers: &Servers,
) -> Rest {
    let node = &part.node;
    let mut delivery = lock(delivery);
    let mut replies = replies.into_iter();
    let mut rest = Rest::default();
    for i in part.picks.iter() {
        let Some(entry) = batch.get(i) else { break };
        if part.asking {
            replies.next();
        }
        match judge(&mut replies, entry, how) {
            Judged::Done(outcome) => {
                delivery.settle(i, outcome);
                rest.settled += 1;
            }
            Judged::Refused(error) => match course(servers, node, &error) {
                Course::Later => {
                    rest.later.push(i);
                    rest.why_later = Some(error);
                }
                Course::Elsewhere(None) => {
                    rest.moved.push(i);
                    rest.why_redirected = Some(error);
                }
                Course::Elsewhere(Some(there)) => {
                    rest.asked.push((i, there));
                    rest.why_redirected = Some(error);
                }
                Course::End => {
                    if let Some(failure) = node.refusal(&error) {
                        delivery.fatal.get_or_insert(failure);
                    }
                    delivery.settle(i, WriteOutcome::Failed(words(&error)));
                    rest.settled += 1;
                }
            },
        }
    }
    rest
}

/// What to do about an error.
enum Course {
    /// Nothing: it stands.
    End,
    /// Ask again.
    Later,
    /// Ask the node that has the key now, or this one for once.
    Elsewhere(Option<Arc<Node>>),
}

fn course(servers: &Servers, node: &Arc<Node>, error: &RedisError) -> Course {
    match (error.code(), servers) {
        (Some("MOVED"), Servers::Cluster(_)) => {
            servers.moved(node, error);
            Course::Elsewhere(None)
        }
        (Some("ASK"), Servers::Cluster(_)) => match servers.named(node, error) {
            // Nobody has the key there any more, nor here.
            Some(there) if there.is_gone() => Course::End,
            Some(there) => Course::Elsewhere(Some(there)),
            None => Course::Later,
        },
        // Another has taken its place, or is about to.
        (Some("READONLY"), _) if servers.can_change() => Course::Later,
        _ if is_transient(error) => Course::Later,
        _ => Course::End,
    }
}

/// Keys on their way, each to the node that was named for it.
fn at_named(asked: Vec<(usize, Arc<Node>)>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (i, node) in asked {
        let part = parts.iter_mut().find(|part| Arc::ptr_eq(&part.node, &node));
        match part {
            Some(Part {
                picks: Picks::Some(places),
                ..
            }) => places.push(i),
            _ => parts.push(Part {
                node,
                picks: Picks::Some(vec![i]),
                losses: 0,
                asking: true,
            }),
        }
    }
    parts
}

fn push_front(parts: &mut VecDeque<Part>, new: VecDeque<Part>) {
    for part in new.into_iter().rev() {
        parts.push_front(part);
    }
}

/// How many entries are enough for one pipeline, where these are too many.
fn too_many(batch: &EntryBatch, picks: &Picks) -> Option<usize> {
    let mut bytes = 0;
    let n = picks.iter().position(|i| {
        bytes += batch.get(i).map_or(0, cost);
        bytes > PIPELINE_BYTES
    })?;
    // One that is larger goes alone.
    let n = n.max(1);
    (n < picks.len()).then_some(n)
}

/// Takes out entries that the server would break the connection over.
fn refuse_too_long(delivery: &mut Delivery, batch: &EntryBatch, part: &mut Part) {
    let longest = part.node.longest_value();
    if batch.bytes() <= longest {
        return;
    }
    let mut is_any = false;
    for i in part.picks.iter() {
        let bytes = batch.get(i).map_or(0, longest_part);
        if bytes > longest {
            is_any = true;
            delivery.settle(i, WriteOutcome::Failed(format!(
                "{bytes} bytes is more than the server takes in one value (proto-max-bulk-len is {longest})"
            )));
        }
    }
    if is_any {
        part.picks = Picks::Some(part.picks.iter().filter(|i| delivery.is_open(*i)).collect());
    }
}

fn lock(delivery: &Mutex<Delivery>) -> MutexGuard<'_, Delivery> {
    delivery.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cache for RedisCache {
    fn write<'a>(&'a self, batch: &'a EntryBatch, how: &'a WriteOptions) -> BoxFuture<'a, Written> {
        self.write_batch(batch, how).boxed()
    }

    fn inspect<'a>(&'a self, batch: &'a EntryBatch, shape: Shape) -> Answer<'a, Vec<Standing>> {
        self.inspect_batch(batch, shape).boxed()
    }

    fn read<'a>(&'a self, key: &'a [u8]) -> Answer<'a, Option<Cached>> {
        self.read_key(key).boxed()
    }

    fn scan<'a>(&'a self, prefix: &'a [u8]) -> BoxStream<'a, Result<Vec<Vec<u8>>, Failure>> {
        self.scan_keys(prefix)
    }

    fn epoch(&self) -> Answer<'_, u64> {
        self.servers.epoch().boxed()
    }

    fn meta(&self) -> &dyn MetaStore {
        self
    }

    fn extend_if_equal<'a>(
        &'a self,
        batch: &'a EntryBatch,
        picks: &'a [usize],
        ttl: &'a Ttl,
    ) -> Answer<'a, Extended> {
        self.extend_entries(batch, picks, ttl).boxed()
    }

    fn delete_if_equal<'a>(
        &'a self,
        batch: &'a EntryBatch,
        picks: &'a [usize],
    ) -> Answer<'a, Vec<Deletion>> {
        self.delete_entries(batch, picks).boxed()
    }

    fn refresh_ttl<'a>(&'a self, keys: &'a [&'a [u8]], ttl: Ttl) -> Answer<'a, Vec<bool>> {
        let expire = move |pipe: &mut Pipeline, i: usize| {
            let key = keys[i];
            let mut expire = Cmd::with_capacity(3, key.len() + 32);
            expire.arg("PEXPIRE").arg(key).arg(ttl.millis_for(key));
            pipe.add_command(expire);
        };
        self.yes_or_no(keys, expire).boxed()
    }

    fn ttl_is_fresh<'a>(
        &'a self,
        keys: &'a [&'a [u8]],
        ttl: &'a Ttl,
        tolerance: Duration,
    ) -> Answer<'a, bool> {
        self.are_fresh(keys, ttl, tolerance).boxed()
    }

    // DEL, which a run needs for its hashes anyway: what is deleted here is small.
    fn remove<'a>(&'a self, keys: &'a [&'a [u8]]) -> Answer<'a, Vec<bool>> {
        let delete = move |pipe: &mut Pipeline, i: usize| {
            pipe.cmd("DEL").arg(keys[i]);
        };
        self.yes_or_no(keys, delete).boxed()
    }

    fn headroom(&self) -> BoxFuture<'_, Headroom> {
        self.measure_headroom().boxed()
    }

    fn checkup<'a>(&'a self, probes: &'a [RightsProbe]) -> BoxFuture<'a, Vec<Finding>> {
        self.check(probes).boxed()
    }

    fn usage<'a>(&'a self, keys: &'a [&'a [u8]]) -> Answer<'a, Vec<Usage>> {
        self.measure_usage(keys).boxed()
    }

    fn misses(&self, set_events: bool) -> Answer<'_, Misses> {
        self.listen_for_misses(set_events).boxed()
    }

    fn latency(&self) -> BoxFuture<'_, Option<Duration>> {
        self.measure_latency().boxed()
    }

    fn evicted(&self) -> BoxFuture<'_, Known<u64>> {
        self.count_evicted().boxed()
    }
}

/// The outcomes of a batch as they come in.
struct Delivery {
    outcomes: Vec<Option<WriteOutcome>>,
    /// Entries that were sent and not answered: whatever is said of them when they are sent again,
    /// they may be there.
    doubtful: HashSet<usize>,
    /// Nothing is written over.
    nx: bool,
    fatal: Option<Failure>,
}

impl Delivery {
    fn new(entries: usize, mode: Mode) -> Self {
        Self {
            nx: mode == Mode::OnlyMissing,
            outcomes: vec![None; entries],
            doubtful: HashSet::new(),
            fatal: None,
        }
    }

    fn settle(&mut self, i: usize, outcome: WriteOutcome) {
        self.outcomes[i] = Some(match outcome {
            WriteOutcome::Failed(why) if self.doubtful.contains(&i) => WriteOutcome::Unknown(why),
            // What stands there is likely ours, from the sending that had no answer.
            WriteOutcome::AlreadyPresent if self.nx && self.doubtful.contains(&i) => {
                WriteOutcome::Stored
            }
            outcome => outcome,
        });
    }

    fn doubt(&mut self, picks: &Picks) {
        self.doubtful.extend(picks.iter());
    }

    fn is_open(&self, i: usize) -> bool {
        self.outcomes[i].is_none()
    }

    fn settle_open(&mut self, picks: &Picks, outcome: &WriteOutcome) {
        for i in picks.iter() {
            if self.is_open(i) {
                self.settle(i, outcome.clone());
            }
        }
    }

    fn finish(self) -> Written {
        let why = self
            .fatal
            .as_ref()
            .map_or("no answer", |failure| failure.why.as_str());
        let unknown = || WriteOutcome::Unknown(why.to_owned());
        let outcomes = self.outcomes.into_iter().map(|o| o.unwrap_or_else(unknown));
        Written {
            outcomes: outcomes.collect(),
            fatal: self.fatal,
            checked: Checked::default(),
        }
    }
}

/// A pipeline whose commands fail one by one.
fn pipe() -> Pipeline {
    let mut pipe = redis::pipe();
    pipe.ignore_errors();
    pipe
}

/// The server asks to come back later.
fn is_transient(error: &RedisError) -> bool {
    matches!(
        error.code(),
        Some("LOADING" | "BUSY" | "TRYAGAIN" | "MASTERDOWN" | "CLUSTERDOWN" | "NOREPLICAS")
    )
}

/// An error in one short line: the server's code and sentence, or what broke.
fn words(error: &RedisError) -> String {
    let text = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, _) if error.is_timeout() => "no answer in time".to_owned(),
        (None, _) if error.kind() == ErrorKind::AuthenticationFailed => {
            "the password is wrong".to_owned()
        }
        (None, Some(detail)) => detail.to_owned(),
        (None, None) if error.is_io_error() || error.is_connection_dropped() => error.to_string(),
        (None, None) => error.category().to_owned(),
    };
    let line = text.lines().next().unwrap_or_default();
    shortened(&printable(line.as_bytes()), 200)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::Value;

    fn batch(sizes: &[usize]) -> EntryBatch {
        let mut batch = EntryBatch::default();
        for (i, size) in sizes.iter().enumerate() {
            let value = vec![b'x'; *size];
            batch.push(Entry {
                key: format!("key:{i}").as_bytes(),
                value: Value::Text(&value),
                version: None,
                row_location: None,
                ends: &[],
            });
        }
        batch
    }

    #[test]
    fn a_pipeline_is_no_larger_than_a_server_is_to_take() {
        let megabyte = 1024 * 1024;
        let many = batch(&[megabyte; 10]);
        // Four of them, and what is said beside them, are too many.
        assert_eq!(too_many(&many, &Picks::Run(0..10)), Some(3));
        assert_eq!(too_many(&many, &Picks::Run(7..10)), None);
        let odd = batch(&[10, 9 * megabyte, 10]);
        assert_eq!(too_many(&odd, &Picks::Run(0..3)), Some(1));
        assert_eq!(too_many(&odd, &Picks::Some(vec![1, 2])), Some(1));
        assert_eq!(too_many(&odd, &Picks::Some(vec![1])), None);
        assert_eq!(too_many(&batch(&[0; 500]), &Picks::Run(0..500)), None);
    }
}
