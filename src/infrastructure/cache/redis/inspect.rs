//! Reading back: what stands at a key, without moving its value where a digest tells enough.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use redis::{Pipeline, RedisError, RedisResult, Value as Reply};
use sha1::{Digest as _, Sha1};

use super::node::Node;
use super::questions::Questions;
use super::servers::Servers;
use super::{RedisCache, pipe, words};
use crate::application::ports::{Cached, CachedValue};
use crate::domain::encode::MAX_VALUE_BYTES;
use crate::domain::entry::{Entry, EntryBatch, Fields, Value};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::meaning;
use crate::domain::standing::{Held, Kind, Standing};
use crate::domain::strategy::Shape;

/// Keys that one script looks at: the server does nothing else meanwhile.
const SCRIPT_KEYS: usize = 50;

/// Values fetched together, in bytes.
const FETCHED_BYTES: u64 = 1024 * 1024;

/// Keys asked for in one step of a scan.
const SCAN_COUNT: usize = 1000;

/// Bytes of values that one script digests, about; a single value may be longer.
const SCRIPT_BYTES: usize = 512 * 1024;

/// For each key: nothing, or its time left, type and length, and the digest of a text that is as
/// long as ours (ARGV; -1 of a hash). Another length needs no digest, and costs no reading.
const LOOK: &str = "local found = {} \
    for i, key in ipairs(KEYS) do \
        local ttl = redis.call('PTTL', key) \
        local wanted = tonumber(ARGV[i]) \
        if ttl == -2 then found[i] = false else \
            local kind, length = 'string', nil \
            if wanted >= 0 then length = redis.pcall('STRLEN', key) end \
            if type(length) ~= 'number' then kind = redis.call('TYPE', key).ok end \
            if kind == 'hash' then found[i] = {ttl, kind, redis.call('HLEN', key)} \
            elseif kind ~= 'string' then found[i] = {ttl, kind, 0} \
            elseif length == wanted then found[i] = {ttl, kind, length, redis.sha1hex(redis.call('GET', key))} \
            elseif type(length) == 'number' then found[i] = {ttl, kind, length} \
            else found[i] = {ttl, kind, redis.call('STRLEN', key)} end \
        end \
    end \
    return found";

/// The ways to look at keys, best first. Scripts may be denied, and old servers do not know the
/// read-only kind.
const WAYS: [Way; 3] = [Way::Script("EVAL_RO"), Way::Script("EVAL"), Way::Plain];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Script(&'static str),
    Plain,
}

/// What the server says of a key before any value is moved.
struct Facts {
    ttl: Option<Duration>,
    kind: Kind,
    /// Bytes of a text, fields of a hash.
    length: u64,
    /// SHA-1 of a text, in hexadecimal.
    digest: Option<Vec<u8>>,
}

type Looked = Result<Option<Facts>, String>;

impl RedisCache {
    pub(super) async fn inspect_batch(
        &self,
        batch: &EntryBatch,
        shape: Shape,
    ) -> Result<Vec<Standing>, Failure> {
        let mut standings = Vec::with_capacity(batch.len());
        let mut undecided = Vec::new();
        for (i, facts) in self.facts(batch).await?.into_iter().enumerate() {
            let entry = batch.get(i).expect("one for each entry");
            let (standing, open) = judge(entry, facts, shape);
            if open {
                undecided.push(i);
            }
            standings.push(standing);
        }
        self.compare(batch, shape, &undecided, &mut standings)
            .await?;
        Ok(standings)
    }

    /// What the server says of each key, in the best way that it allows.
    async fn facts(&self, batch: &EntryBatch) -> Result<Vec<Looked>, Failure> {
        loop {
            let at = self.way_to_inspect.load(Ordering::Relaxed);
            let way = WAYS[at.min(WAYS.len() - 1)];
            let Way::Script(command) = way else {
                return self.plain_facts(batch).await;
            };
            match self.script_facts(command, batch).await? {
                Ok(facts) => return Ok(facts),
                // One key that the user may not read refuses the whole script.
                Err(error) if error.detail().is_some_and(|d| d.contains("to access")) => {
                    return self.plain_facts(batch).await;
                }
                Err(_) => {
                    let _ = self.way_to_inspect.compare_exchange(
                        at,
                        at + 1,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                }
            }
        }
    }

    async fn script_facts(
        &self,
        command: &str,
        batch: &EntryBatch,
    ) -> Result<Result<Vec<Looked>, RedisError>, Failure> {
        // A cluster refuses a script about keys of several slots.
        let most = match self.servers {
            Servers::Cluster(_) => 1,
            _ => SCRIPT_KEYS,
        };
        let chunks = chunks(batch, most);
        let add = |pipe: &mut Pipeline, n: usize| {
            let chunk = &chunks[n];
            pipe.cmd(command).arg(LOOK).arg(chunk.len());
            for entry in chunk.clone().filter_map(|i| batch.get(i)) {
                pipe.arg(entry.key);
            }
            for entry in chunk.clone().filter_map(|i| batch.get(i)) {
                match entry.value {
                    Value::Text(text) => pipe.arg(text.len()),
                    Value::Hash(_) => pipe.arg(-1),
                };
            }
        };
        let questions = Questions {
            keys: chunks.iter().map(|chunk| key(batch, chunk.start)).collect(),
            commands: 1,
            add,
        };
        let mut facts = Vec::with_capacity(batch.len());
        for reply in self.ask(&questions).await? {
            match reply {
                Ok(Reply::Array(found)) => facts.extend(found.into_iter().map(script_fact)),
                Ok(_) => return Ok(Err(malformed())),
                Err(error) => return Ok(Err(error)),
            }
        }
        if facts.len() == batch.len() {
            Ok(Ok(facts))
        } else {
            Ok(Err(malformed()))
        }
    }

    /// The same with plain commands, where scripts are not allowed: no digest.
    async fn plain_facts(&self, batch: &EntryBatch) -> Result<Vec<Looked>, Failure> {
        let add = |pipe: &mut Pipeline, i: usize| {
            let Some(entry) = batch.get(i) else { return };
            pipe.cmd("PTTL").arg(entry.key);
            match entry.value {
                Value::Text(_) => pipe.cmd("STRLEN").arg(entry.key),
                Value::Hash(_) => pipe.cmd("HLEN").arg(entry.key),
            };
        };
        let questions = Questions {
            keys: batch.iter().map(|entry| entry.key).collect(),
            commands: 2,
            add,
        };
        let mut replies = self.ask(&questions).await?.into_iter();
        let mut facts = Vec::with_capacity(batch.len());
        let mut other = Vec::new();
        for (i, entry) in batch.iter().enumerate() {
            let (ttl, length) = (number(replies.next()), number(replies.next()));
            let kind = match entry.value {
                Value::Text(_) => Kind::Text,
                Value::Hash(_) => Kind::Hash,
            };
            facts.push(match (ttl, length) {
                (Ok(-2), _) => Ok(None),
                (Ok(ttl), Ok(length)) => Ok(Some(facts_of(ttl, kind, length))),
                (Ok(ttl), Err(error)) if error.code() == Some("WRONGTYPE") => {
                    other.push(i);
                    Ok(Some(facts_of(ttl, Kind::Other(String::new()), 0)))
                }
                (Err(error), _) | (_, Err(error)) => Err(words(&error)),
            });
        }
        self.name_types(batch, &other, &mut facts).await?;
        Ok(facts)
    }

    /// Asks for the types of keys that are none of ours.
    async fn name_types(
        &self,
        batch: &EntryBatch,
        keys: &[usize],
        facts: &mut [Looked],
    ) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        let add = |pipe: &mut Pipeline, n: usize| {
            pipe.cmd("TYPE").arg(key(batch, keys[n]));
        };
        let questions = Questions {
            keys: keys.iter().map(|i| key(batch, *i)).collect(),
            commands: 1,
            add,
        };
        for (i, reply) in keys.iter().zip(self.ask(&questions).await?) {
            if let (Ok(Some(facts)), Some(name)) = (&mut facts[*i], text(reply)) {
                facts.kind = Kind::named(&name);
            }
        }
        Ok(())
    }

    /// Fetches the values that their digests and lengths do not decide, a little at a time.
    async fn compare(
        &self,
        batch: &EntryBatch,
        shape: Shape,
        undecided: &[usize],
        standings: &mut [Standing],
    ) -> Result<(), Failure> {
        let mut rest = undecided;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |i: &&usize| {
                bytes += size(&standings[**i]);
                bytes <= FETCHED_BYTES
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (group, later) = rest.split_at(count);
            rest = later;
            let add = |pipe: &mut Pipeline, n: usize| {
                let Some(entry) = batch.get(group[n]) else {
                    return;
                };
                match entry.value {
                    Value::Text(_) => pipe.cmd("GET").arg(entry.key),
                    Value::Hash(_) => pipe.cmd("HGETALL").arg(entry.key),
                };
            };
            let questions = Questions {
                keys: group.iter().map(|i| key(batch, *i)).collect(),
                commands: 1,
                add,
            };
            for (i, reply) in group.iter().zip(self.ask(&questions).await?) {
                let entry = batch.get(*i).expect("one of the batch");
                settle(&mut standings[*i], entry, reply, shape);
            }
        }
        Ok(())
    }

    pub(super) async fn read_key(&self, key: &[u8]) -> Result<Option<Cached>, Failure> {
        let add = |pipe: &mut Pipeline| {
            pipe.cmd("PTTL").arg(key).cmd("GET").arg(key);
        };
        let mut replies = self.ask_about(key, 2, add).await?.into_iter();
        let ttl = replies.next();
        let value = match replies.next() {
            Some(Ok(Reply::BulkString(text))) => CachedValue::Text(text),
            Some(Ok(_)) => return Ok(None),
            Some(Err(error)) if error.code() == Some("WRONGTYPE") => {
                match self.read_fields(key).await? {
                    Some(value) => value,
                    None => return Ok(None),
                }
            }
            Some(Err(error)) => return Err(self.any_node().denied(&error)),
            None => return Ok(None),
        };
        // The value alone is worth showing where the time left may not be asked.
        let ttl = number(ttl).map(ttl_of).map_err(|error| words(&error));
        Ok(Some(Cached { value, ttl }))
    }

    async fn read_fields(&self, key: &[u8]) -> Result<Option<CachedValue>, Failure> {
        let add = |pipe: &mut Pipeline| {
            pipe.cmd("HGETALL").arg(key).cmd("TYPE").arg(key);
        };
        let mut replies = self.ask_about(key, 2, add).await?.into_iter();
        let fields = replies.next();
        let kind = replies.next().and_then(text).unwrap_or_default();
        match fields {
            Some(Ok(reply)) => Ok(Some(CachedValue::Hash(pairs(reply)))),
            Some(Err(error)) if error.code() == Some("WRONGTYPE") => {
                Ok(Some(CachedValue::Other(kind)))
            }
            Some(Err(error)) => Err(self.any_node().denied(&error)),
            None => Ok(None),
        }
    }

    /// Any of the servers, for words about all of them.
    pub(super) fn any_node(&self) -> Arc<Node> {
        self.servers.any()
    }

    /// SCAN, never KEYS: a server goes on with its work between two steps. One server after another.
    pub(super) fn scan_keys<'a>(
        &'a self,
        prefix: &'a [u8],
    ) -> BoxStream<'a, Result<Vec<Vec<u8>>, Failure>> {
        let pattern = glob(prefix);
        let nodes = VecDeque::from(self.servers.primaries());
        stream::try_unfold((nodes, b"0".to_vec()), move |(mut nodes, cursor)| {
            let pattern = pattern.clone();
            async move {
                let Some(node) = nodes.front() else {
                    return Ok(None);
                };
                let (next, keys) = scan_step(node, &cursor, &pattern).await?;
                if next == b"0" {
                    nodes.pop_front();
                }
                Ok(Some((keys, (nodes, next))))
            }
        })
        .boxed()
    }
}

async fn scan_step(
    node: &Node,
    cursor: &[u8],
    pattern: &[u8],
) -> Result<(Vec<u8>, Vec<Vec<u8>>), Failure> {
    let mut pipe = pipe();
    pipe.cmd("SCAN").arg(cursor);
    pipe.arg("MATCH").arg(pattern).arg("COUNT").arg(SCAN_COUNT);
    match node.ask(&pipe).await?.pop() {
        Some(Ok(reply)) => redis::from_redis_value(reply).map_err(|_| {
            let what = format!("the cache at {} cannot be scanned", node.place());
            Failure::new(
                FailureKind::CacheRefused,
                what,
                "its answer is of another form",
            )
        }),
        Some(Err(error)) => Err(node.denied(&error)),
        None => Err(node.denied(&malformed())),
    }
}

fn key(batch: &EntryBatch, i: usize) -> &[u8] {
    batch.get(i).map_or(&[][..], |entry| entry.key)
}

/// What is known of a key from the server's facts, and whether its value must be fetched to know
/// whether it is equal.
fn judge(entry: Entry<'_>, facts: Looked, shape: Shape) -> (Standing, bool) {
    let facts = match facts {
        Ok(Some(facts)) => facts,
        Ok(None) => return (Standing::Nothing, false),
        Err(why) => return (Standing::Unknown(why), false),
    };
    let is_text = facts.kind == Kind::Text;
    let mut held = Held {
        bytes: is_text.then_some(facts.length),
        ttl: facts.ttl,
        equal: false,
        kind: facts.kind,
    };
    let open = match entry.value {
        Value::Text(text) if is_text => {
            let known = facts.digest.map(|digest| digest == hex_digest(text));
            held.equal = known == Some(true);
            match known {
                Some(true) => false,
                // Other bytes may mean the same, unless the value is a plain text.
                Some(false) => shape != Shape::Text && facts.length <= MAX_VALUE_BYTES as u64,
                None => {
                    let same_length = facts.length == text.len() as u64;
                    (shape != Shape::Text || same_length) && facts.length <= MAX_VALUE_BYTES as u64
                }
            }
        }
        Value::Hash(fields) => {
            held.kind == Kind::Hash && facts.length == fields.iter().count() as u64
        }
        Value::Text(_) => false,
    };
    (Standing::Held(held), open)
}

/// Compares a fetched value.
fn settle(standing: &mut Standing, entry: Entry<'_>, reply: RedisResult<Reply>, shape: Shape) {
    let Standing::Held(held) = standing else {
        return;
    };
    match (reply, entry.value) {
        (Ok(Reply::BulkString(cached)), Value::Text(text)) => {
            held.bytes = Some(cached.len() as u64);
            held.equal = cached == text || (shape != Shape::Text && meaning::same(&cached, text));
        }
        (Ok(Reply::Nil), _) => *standing = Standing::Nothing,
        (Ok(reply), Value::Hash(fields)) => {
            let cached = pairs(reply);
            held.bytes = Some(cached.iter().map(|(n, v)| (n.len() + v.len()) as u64).sum());
            held.equal = same_fields(&cached, fields);
        }
        (Ok(_), Value::Text(_)) => {}
        (Err(error), _) => *standing = Standing::Unknown(words(&error)),
    }
}

fn same_fields(cached: &[(Vec<u8>, Vec<u8>)], fields: Fields<'_>) -> bool {
    let mut fields: Vec<(&[u8], &[u8])> = fields.iter().collect();
    let mut cached: Vec<(&[u8], &[u8])> = cached.iter().map(|(n, v)| (&**n, &**v)).collect();
    fields.sort_unstable();
    cached.sort_unstable();
    fields == cached
}

pub(super) fn hex_digest(text: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = Sha1::digest(text);
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| DIGITS[usize::from(digit)]).collect()
}

/// The bytes that fetching a value would move, at most.
fn size(standing: &Standing) -> u64 {
    match standing {
        Standing::Held(held) => held.bytes.unwrap_or(FETCHED_BYTES / 20),
        _ => 0,
    }
}

fn script_fact(found: Reply) -> Looked {
    let Reply::Array(found) = found else {
        return Ok(None);
    };
    let mut found = found.into_iter();
    let (Some(Reply::Int(ttl)), Some(Reply::BulkString(kind)), Some(Reply::Int(length))) =
        (found.next(), found.next(), found.next())
    else {
        return Err("the script's answer is of another form".to_owned());
    };
    let mut facts = facts_of(ttl, Kind::named(&String::from_utf8_lossy(&kind)), length);
    if let Some(Reply::BulkString(digest)) = found.next() {
        facts.digest = Some(digest);
    }
    Ok(Some(facts))
}

fn facts_of(ttl: i64, kind: Kind, length: i64) -> Facts {
    Facts {
        ttl: ttl_of(ttl),
        kind,
        length: u64::try_from(length).unwrap_or_default(),
        digest: None,
    }
}

fn ttl_of(millis: i64) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

pub(super) fn number(reply: Option<RedisResult<Reply>>) -> Result<i64, RedisError> {
    match reply {
        Some(Ok(Reply::Int(number))) => Ok(number),
        Some(Ok(Reply::Nil)) => Ok(0),
        Some(Err(error)) => Err(error),
        _ => Err(malformed()),
    }
}

fn text(reply: RedisResult<Reply>) -> Option<String> {
    redis::from_redis_value(reply.ok()?).ok()
}

/// Names and values of a hash, in either protocol's form.
fn pairs(reply: Reply) -> Vec<(Vec<u8>, Vec<u8>)> {
    redis::from_redis_value(reply).unwrap_or_default()
}

fn malformed() -> RedisError {
    (redis::ErrorKind::Parse, "a reply is of another form").into()
}

/// Runs of entries that one script looks at.
fn chunks(batch: &EntryBatch, most: usize) -> Vec<Range<usize>> {
    let mut chunks: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (i, entry) in batch.iter().enumerate() {
        bytes += entry.bytes() as usize;
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < most && bytes <= SCRIPT_BYTES => chunk.end = i + 1,
            _ => {
                bytes = entry.bytes() as usize;
                chunks.push(i..i + 1);
            }
        }
    }
    chunks
}

/// A pattern for all keys that begin with `prefix`.
fn glob(prefix: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(prefix.len() + 1);
    for byte in prefix {
        if b"*?[]\\^-".contains(byte) {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    pattern.push(b'*');
    pattern
}
