//! Inspects the keys of a batch, without fetching values if digests suffice.

use redis::{Pipeline, RedisError, Value as Reply};

use super::RedisCache;
use super::compare::{Facts, Found, compare_fetched, key, size, standing};
use super::parts::chunks;
use super::reply::{self, lists, number, text, words};
use super::values::{add_read, counting};
use crate::domain::entry::{EntryBatch, Value};
use crate::domain::failure::Failure;
use crate::domain::form::Form;
use crate::domain::standing::{Kind, Standing};

/// Bytes of values per fetch.
const FETCHED_BYTES: usize = 1024 * 1024;

/// Approximate bytes of values per script; a single value may be longer.
const SCRIPT_BYTES: usize = 512 * 1024;

/// For each key: nothing, or its time left, type and length, and the digest of a text with the same
/// length as ours (ARGV; -1 for another type). Other lengths need no digest.
const INSPECT: &str = include_str!("scripts/inspect.lua");

/// The ways to inspect keys, best first. Scripts may be denied, and old servers lack EVAL_RO.
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
        form: Form,
    ) -> Result<Vec<Standing>, Failure> {
        let mut standings = Vec::with_capacity(batch.len());
        let mut undecided = Vec::new();
        for (i, facts) in self.facts(batch).await?.into_iter().enumerate() {
            let entry = batch.get(i).expect("one for each entry");
            let (standing, open) = standing(entry, facts, form);
            if open {
                undecided.push(i);
            }
            standings.push(standing);
        }
        self.compare(batch, form, &undecided, &mut standings).await?;
        Ok(standings)
    }

    /// The server's facts about each key, in the best available way.
    async fn facts(&self, batch: &EntryBatch) -> Result<Vec<Found>, Failure> {
        loop {
            let at = self.way_to_inspect.current();
            let Way::Script(command) = WAYS[at] else {
                return self.plain_facts(batch).await;
            };
            match self.script_facts(command, batch).await? {
                Ok(facts) => return Ok(facts),
                // One unreadable key fails the whole script.
                Err(error) if error.detail().is_some_and(|d| d.contains("to access")) => {
                    return self.plain_facts(batch).await;
                }
                Err(_) => self.way_to_inspect.is_refused(at),
            }
        }
    }

    /// Inner `Err`: the server does not support this command.
    async fn script_facts(
        &self,
        command: &str,
        batch: &EntryBatch,
    ) -> Result<Result<Vec<Found>, RedisError>, Failure> {
        let sizes = batch.iter().map(|entry| entry.bytes() as usize);
        let chunks = chunks(sizes, self.servers.keys_per_script(), SCRIPT_BYTES);
        let add = |pipe: &mut Pipeline, n: usize| {
            let entries = || chunks[n].clone().filter_map(|i| batch.get(i));
            pipe.cmd(command).arg(INSPECT).arg(chunks[n].len());
            for entry in entries() {
                pipe.arg(entry.key);
            }
            for entry in entries() {
                match entry.value {
                    Value::Text(text) => pipe.arg(text.len()),
                    Value::Json(_) | Value::Collection(..) => pipe.arg(-1),
                };
            }
        };
        let keys = chunks.iter().map(|chunk| key(batch, chunk.start)).collect();
        let facts = lists(self.ask(keys, 1, &add).await?, batch.len());
        Ok(facts.map(|facts| facts.into_iter().map(script_fact).collect()))
    }

    /// The same with plain commands, without digests.
    async fn plain_facts(&self, batch: &EntryBatch) -> Result<Vec<Found>, Failure> {
        let add = |pipe: &mut Pipeline, i: usize| {
            let Some(entry) = batch.get(i) else { return };
            for command in ["PTTL", "TYPE", counting(entry.value)] {
                pipe.cmd(command).arg(entry.key);
            }
        };
        let keys = batch.iter().map(|entry| entry.key).collect();
        let mut replies = self.ask(keys, 3, &add).await?.into_iter();
        let facts = batch.iter().map(|entry| {
            let ttl = number(replies.next());
            let kind = replies.next().and_then(Result::ok).and_then(text);
            match (ttl, number(replies.next())) {
                (Ok(-2), _) => Ok(None),
                (Ok(ttl), Ok(length)) => {
                    let kind = match entry.value {
                        // It has the length of a text.
                        Value::Json(_) => Kind::Text,
                        value => value.into(),
                    };
                    Ok(Some(facts_of(ttl, kind, length)))
                }
                (Ok(ttl), Err(error)) if error.code() == Some("WRONGTYPE") => {
                    let kind = Kind::named(&kind.unwrap_or_default());
                    Ok(Some(facts_of(ttl, kind, 0)))
                }
                (Err(error), _) | (_, Err(error)) => Err(words(&error)),
            }
        });
        Ok(facts.collect())
    }

    /// Fetches the values that digest and length do not decide, in small groups.
    async fn compare(
        &self,
        batch: &EntryBatch,
        form: Form,
        undecided: &[usize],
        standings: &mut [Standing],
    ) -> Result<(), Failure> {
        let sizes = undecided.iter().map(|i| size(&standings[*i]));
        for group in chunks(sizes, usize::MAX, FETCHED_BYTES) {
            let group = &undecided[group];
            let add = |pipe: &mut Pipeline, n: usize| {
                let entry = batch.get(group[n]);
                let kind = entry.map_or(Kind::Text, |entry| entry.value.into());
                add_read(pipe, &kind, key(batch, group[n]));
            };
            let keys = group.iter().map(|i| key(batch, *i)).collect();
            for (i, reply) in group.iter().zip(self.ask(keys, 1, &add).await?) {
                let entry = batch.get(*i).expect("one of the batch");
                compare_fetched(&mut standings[*i], entry, reply, form);
            }
        }
        Ok(())
    }
}

fn script_fact(found: Reply) -> Found {
    let Reply::Array(found) = found else {
        return Ok(None);
    };
    let mut found = found.into_iter();
    let (Some(Reply::Int(ttl)), Some(Reply::BulkString(kind)), Some(Reply::Int(length))) =
        (found.next(), found.next(), found.next())
    else {
        return Err("the script's answer is malformed".to_owned());
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
