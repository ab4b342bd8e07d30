//! What is stored at the keys of a batch, without moving a value where a digest is enough.

use std::ops::Range;

use redis::{Pipeline, RedisError, Value as Reply};

use super::RedisCache;
use super::compare::{Facts, Looked, compare_fetched, key, size, standing};
use super::reply::{self, malformed, number, text, words};
use super::servers::Servers;
use crate::domain::entry::{EntryBatch, Value};
use crate::domain::failure::Failure;
use crate::domain::standing::{Kind, Standing};
use crate::domain::strategy::Shape;

/// Keys that one script looks at: the server does nothing else meanwhile.
const SCRIPT_KEYS: usize = 50;

/// Values fetched together, in bytes.
const FETCHED_BYTES: u64 = 1024 * 1024;

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
            let (standing, open) = standing(entry, facts, shape);
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
            let at = self.way_to_inspect.current();
            let Way::Script(command) = WAYS[at] else {
                return self.plain_facts(batch).await;
            };
            match self.script_facts(command, batch).await? {
                Ok(facts) => return Ok(facts),
                // One key that the user may not read refuses the whole script.
                Err(error) if error.detail().is_some_and(|d| d.contains("to access")) => {
                    return self.plain_facts(batch).await;
                }
                Err(_) => self.way_to_inspect.is_refused(at),
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
        let mut facts = Vec::with_capacity(batch.len());
        for reply in self
            .ask(
                chunks.iter().map(|chunk| key(batch, chunk.start)).collect(),
                1,
                add,
            )
            .await?
        {
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
        let mut replies = self
            .ask(batch.iter().map(|entry| entry.key).collect(), 2, add)
            .await?
            .into_iter();
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
        for (i, reply) in keys.iter().zip(
            self.ask(keys.iter().map(|i| key(batch, *i)).collect(), 1, add)
                .await?,
        ) {
            if let (Ok(Some(facts)), Some(name)) = (&mut facts[*i], reply.ok().and_then(text)) {
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
            for (i, reply) in group.iter().zip(
                self.ask(group.iter().map(|i| key(batch, *i)).collect(), 1, add)
                    .await?,
            ) {
                let entry = batch.get(*i).expect("one of the batch");
                compare_fetched(&mut standings[*i], entry, reply, shape);
            }
        }
        Ok(())
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
        ttl: reply::ttl(ttl),
        kind,
        length: u64::try_from(length).unwrap_or_default(),
        digest: None,
    }
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
