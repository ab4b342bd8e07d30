//! Values that stand already get their time again, and are not sent.

use redis::{ErrorKind, Pipeline, RedisError, Value as Reply};

use super::look::hex_digest;
use super::questions::Questions;
use super::servers::Servers;
use super::{RedisCache, pipe, words};
use crate::application::ports::Kept;
use crate::domain::entry::{Entry, EntryBatch, Value};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::ttl::Ttl;

/// Compared and prolonged in one step, or a key that ends in between would be missing. For each: the
/// value's length, its digest, and how long it is to live. Another length needs no digest.
const KEEP: &str = "local same = {} \
    for i, key in ipairs(KEYS) do \
        same[i] = 0 \
        if redis.pcall('STRLEN', key) == tonumber(ARGV[3 * i - 2]) \
            and redis.sha1hex(redis.call('GET', key)) == ARGV[3 * i - 1] then \
            same[i] = redis.call('PEXPIRE', key, ARGV[3 * i]) \
        end \
    end \
    return same";

/// Keys that one script is about, and bytes of values that it digests, about: the server does
/// nothing else meanwhile.
const SCRIPT_KEYS: usize = 50;
const SCRIPT_BYTES: usize = 512 * 1024;

/// What a key takes beside itself in a question, and the question beside its keys, about.
const KEY_BYTES: usize = 85;
const SCRIPT_CALL_BYTES: usize = 80;

impl RedisCache {
    pub(super) async fn keep_entries(
        &self,
        batch: &EntryBatch,
        picks: &[usize],
        ttl: &Ttl,
    ) -> Result<Kept, Failure> {
        match self.ask_to_keep(batch, picks, ttl).await? {
            Err(error) if is_not_loaded(&error) => {
                self.load_script().await?;
                let again = self.ask_to_keep(batch, picks, ttl).await?;
                again.map_err(|error| refused(&error))
            }
            answered => answered.map_err(|error| refused(&error)),
        }
    }

    /// `Err` within: a server does not run the script.
    async fn ask_to_keep(
        &self,
        batch: &EntryBatch,
        picks: &[usize],
        ttl: &Ttl,
    ) -> Result<Result<Kept, RedisError>, Failure> {
        // A cluster refuses a script about keys of several slots.
        let most = match self.servers {
            Servers::Cluster(_) => 1,
            _ => SCRIPT_KEYS,
        };
        let texts: Vec<(&[u8], &[u8])> =
            picks.iter().filter_map(|i| text(batch.get(*i)?)).collect();
        let chunks = chunks(&texts, most);
        let script = hex_digest(KEEP.as_bytes());
        let add = |pipe: &mut Pipeline, n: usize| {
            let chunk = chunks[n];
            pipe.cmd("EVALSHA").arg(&script).arg(chunk.len());
            for (key, _) in chunk {
                pipe.arg(*key);
            }
            for (key, value) in chunk {
                pipe.arg(value.len()).arg(hex_digest(value));
                pipe.arg(ttl.millis_for(key));
            }
        };
        let keys: usize = texts.iter().map(|(key, _)| key.len() + KEY_BYTES).sum();
        let questions = Questions {
            keys: chunks.iter().map(|chunk| chunk[0].0).collect(),
            commands: 1,
            add,
        };
        let mut kept = Kept {
            same: Vec::with_capacity(texts.len()),
            sent: (keys + chunks.len() * SCRIPT_CALL_BYTES) as u64,
        };
        for reply in self.ask(&questions).await? {
            match reply {
                Ok(Reply::Array(same)) => {
                    kept.same
                        .extend(same.iter().map(|one| *one == Reply::Int(1)));
                }
                Ok(_) => return Ok(Err(malformed())),
                Err(error) => return Ok(Err(error)),
            }
        }
        match kept.same.len() == picks.len() {
            true => Ok(Ok(kept)),
            false => Ok(Err(malformed())),
        }
    }

    /// Makes the script known to every server: it is called by its digest, which is shorter.
    async fn load_script(&self) -> Result<(), Failure> {
        for node in self.servers.primaries() {
            let mut load = pipe();
            load.cmd("SCRIPT").arg("LOAD").arg(KEEP);
            if let Some(Err(error)) = node.ask(&load).await?.pop() {
                return Err(refused(&error));
            }
        }
        Ok(())
    }
}

fn text(entry: Entry<'_>) -> Option<(&[u8], &[u8])> {
    match entry.value {
        Value::Text(text) => Some((entry.key, text)),
        Value::Hash(_) => None,
    }
}

/// Runs of texts that one script is about.
fn chunks<'t, 'e>(
    texts: &'t [(&'e [u8], &'e [u8])],
    most: usize,
) -> Vec<&'t [(&'e [u8], &'e [u8])]> {
    let mut chunks = Vec::new();
    let mut rest = texts;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |(_, value): &&(&[u8], &[u8])| {
            bytes += value.len();
            bytes <= SCRIPT_BYTES
        };
        let count = rest.iter().take(most).take_while(fits).count().max(1);
        let (chunk, later) = rest.split_at(count);
        chunks.push(chunk);
        rest = later;
    }
    chunks
}

fn is_not_loaded(error: &RedisError) -> bool {
    error.code() == Some("NOSCRIPT")
}

fn malformed() -> RedisError {
    (ErrorKind::Parse, "a reply is of another form").into()
}

fn refused(error: &RedisError) -> Failure {
    let what = "the cache does not compare values";
    Failure::new(FailureKind::CacheDenied, what, words(error))
        .hint("give the user +evalsha +script|load +strlen +get +pexpire")
}
