//! Which keys this tool has written: what runs leave beside the entries, so that later ones know
//! what is theirs.
//!
//! A run leaves a *generation* for each strategy: a list of [chunks](super::chunk::Chunk) of the keys that the cache
//! acknowledged, in the order of writing, which ends when the last of them does; and a field in a
//! hash that says what is known of it. It is written while the run goes on, a chunk at a time,
//! beside the entries. A run that dies leaves what it had.

use std::collections::BTreeMap;
use std::time::SystemTime;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use super::chunk::{self, Kept};
use crate::application::ports::{Cache, CachedValue};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::OWN;

/// Chunks that are read together.
const READ_CHUNKS: usize = 4;

/// Older generations of a strategy are kept while they hold no more than so many times the keys of
/// the newest complete one, or [`KEPT_KEYS`].
const KEPT_TIMES: u64 = 3;
const KEPT_KEYS: u64 = 100_000;

/// Generations of a strategy that are kept.
const KEPT_GENERATIONS: usize = 50;

/// The hash of all generations.
pub(super) fn index_key(prefix: &str) -> String {
    format!("{prefix}{OWN}keys")
}

/// The keys that one run left for one strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// `catalog/hot-products`.
    pub strategy: String,
    pub run_id: String,
    /// How many; one that was written twice counts twice.
    pub keys: u64,
    /// When the run began.
    pub began_at: SystemTime,
    /// When the last of them had been written.
    pub ended_at: SystemTime,
    /// When the last of them ends.
    pub expires_at: SystemTime,
    /// These are all keys of the strategy's selection, whatever was in the cache before.
    pub complete: bool,
}

/// What stands in the hash's field.
#[derive(Serialize, Deserialize)]
struct Known {
    keys: u64,
    #[serde(with = "rfc3339")]
    began_at: SystemTime,
    #[serde(with = "rfc3339")]
    ended_at: SystemTime,
    #[serde(with = "rfc3339")]
    expires_at: SystemTime,
    complete: bool,
}

/// Times as text, in milliseconds.
mod rfc3339 {
    use std::time::SystemTime;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(at: &SystemTime, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&humantime::format_rfc3339_millis(*at))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_rfc3339(&text).map_err(serde::de::Error::custom)
    }
}

impl Generation {
    /// Where its keys are.
    pub(super) fn key(&self, prefix: &str) -> String {
        format!("{prefix}{OWN}keys:{}:{}", self.strategy, self.run_id)
    }

    pub(super) fn field(&self) -> String {
        format!("{} {}", self.strategy, self.run_id)
    }

    pub(super) fn value(&self) -> String {
        let known = Known {
            keys: self.keys,
            began_at: self.began_at,
            ended_at: self.ended_at,
            expires_at: self.expires_at,
            complete: self.complete,
        };
        serde_json::to_string(&known).unwrap_or_default()
    }

    fn read(field: &[u8], value: &[u8]) -> Option<Self> {
        let (strategy, run_id) = std::str::from_utf8(field).ok()?.split_once(' ')?;
        let known: Known = serde_json::from_slice(value).ok()?;
        Some(Self {
            strategy: strategy.to_owned(),
            run_id: run_id.to_owned(),
            keys: known.keys,
            began_at: known.began_at,
            ended_at: known.ended_at,
            expires_at: known.expires_at,
            complete: known.complete,
        })
    }

    fn is_over(&self, now: SystemTime) -> bool {
        self.expires_at <= now
    }
}

/// Everything in the hash, newest first, what is over too.
pub(super) async fn index(cache: &dyn Cache, prefix: &str) -> Result<Vec<Generation>, Failure> {
    let key = index_key(prefix);
    let fields = match cache.read(key.as_bytes()).await?.map(|cached| cached.value) {
        Some(CachedValue::Hash(fields)) => fields,
        None => return Ok(Vec::new()),
        Some(_) => {
            let what = format!("{key} does not say which keys runs have written");
            let why = format!("{key} holds something else than the tool's own hash");
            return Err(Failure::new(FailureKind::CacheRefused, what, why)
                .hint("delete that key; the next run writes it again"));
        }
    };
    let mut all: Vec<Generation> = fields
        .iter()
        .filter_map(|(field, value)| Generation::read(field, value))
        .collect();
    all.sort_by(|a, b| (b.began_at, &b.run_id).cmp(&(a.began_at, &a.run_id)));
    Ok(all)
}

/// The generations that have not ended, newest first: of one strategy (by its id), or of all.
///
/// # Errors
/// The cache's.
pub async fn generations(
    cache: &dyn Cache,
    prefix: &str,
    strategy: Option<&str>,
) -> Result<Vec<Generation>, Failure> {
    let now = SystemTime::now();
    let mut all = index(cache, prefix).await?;
    all.retain(|generation| {
        !generation.is_over(now) && strategy.is_none_or(|id| generation.strategy == id)
    });
    Ok(all)
}

/// The keys of a generation in the order of writing, some at a time. One may come twice, and some
/// may not be in the cache any more.
///
/// # Errors
/// The cache's, or a part of the list is gone: then these are not all.
pub fn keys<'a>(
    cache: &'a dyn Cache,
    prefix: &str,
    generation: &Generation,
) -> BoxStream<'a, Result<Vec<Vec<u8>>, Failure>> {
    let kept = kept(cache, prefix, generation);
    let keys = kept.map_ok(|kept| kept.into_iter().map(|kept| kept.key).collect());
    keys.boxed()
}

/// The same, with what was written at each key.
///
/// # Errors
/// As of [`keys`].
pub fn kept<'a>(
    cache: &'a dyn Cache,
    prefix: &str,
    generation: &Generation,
) -> BoxStream<'a, Result<Vec<Kept>, Failure>> {
    let list = generation.key(prefix);
    let (id, expected) = (generation.field(), generation.keys);
    let chunks = stream::try_unfold((0, 0, false), move |(first, found, ended)| {
        let (list, id) = (list.clone(), id.clone());
        async move {
            if ended {
                return Ok(None);
            }
            let chunks = cache
                .meta()
                .range(list.as_bytes(), first, READ_CHUNKS)
                .await?;
            let ended = chunks.len() < READ_CHUNKS;
            let mut keys = Vec::with_capacity(chunks.len());
            for chunk in &chunks {
                let read = chunk::read(chunk);
                keys.push(read.map_err(|why| unreadable(&id, &why.to_string()))?);
            }
            let found = found + keys.iter().map(Vec::len).sum::<usize>() as u64;
            if ended && found < expected {
                return Err(unreadable(&id, "a part of them is gone"));
            }
            Ok::<_, Failure>(Some((keys, (first + chunks.len(), found, ended))))
        }
    });
    chunks
        .map_ok(|chunks| stream::iter(chunks).map(Ok))
        .try_flatten()
        .boxed()
}

fn unreadable(generation: &str, why: &str) -> Failure {
    let what = format!("the keys that {generation} has written are not known");
    Failure::new(FailureKind::CacheRefused, what, why)
        .hint("the next complete run leaves them anew")
}

/// Forgets a generation. Its keys stay.
///
/// # Errors
/// The cache's.
pub async fn forget(
    cache: &dyn Cache,
    prefix: &str,
    generation: &Generation,
) -> Result<(), Failure> {
    forget_all(cache, prefix, std::slice::from_ref(generation)).await
}

/// The same where nothing depends on it: a list that stays ends by itself.
pub async fn forget_quietly(cache: &dyn Cache, prefix: &str, generation: &Generation) {
    if let Err(failure) = forget(cache, prefix, generation).await {
        tracing::debug!(%failure, "an old list of keys stays until it ends");
    }
}

pub(super) async fn forget_all(
    cache: &dyn Cache,
    prefix: &str,
    gone: &[Generation],
) -> Result<(), Failure> {
    if gone.is_empty() {
        return Ok(());
    }
    let fields: Vec<String> = gone.iter().map(Generation::field).collect();
    let lists: Vec<String> = gone.iter().map(|g| g.key(prefix)).collect();
    let lists: Vec<&[u8]> = lists.iter().map(String::as_bytes).collect();
    // In this order: a list that nobody knows of ends by itself.
    let index = index_key(prefix);
    cache
        .meta()
        .delete_fields(index.as_bytes(), &fields)
        .await?;
    cache.remove(&lists).await.map(drop)
}

/// Those that need not be kept: what is over, and of a strategy what its newer ones stand for.
/// `all`: newest first.
pub(super) fn superfluous(all: &[Generation], now: SystemTime) -> Vec<Generation> {
    let mut gone = Vec::new();
    let mut strategies: BTreeMap<&str, Vec<&Generation>> = BTreeMap::new();
    for generation in all {
        match generation.is_over(now) {
            true => gone.push(generation.clone()),
            false => strategies
                .entry(&generation.strategy)
                .or_default()
                .push(generation),
        }
    }
    for of_one in strategies.into_values() {
        let newest_complete = of_one.iter().position(|generation| generation.complete);
        let room = newest_complete.map_or(u64::MAX, |at| {
            of_one[at].keys.saturating_mul(KEPT_TIMES).max(KEPT_KEYS)
        });
        let mut older = 0_u64;
        for (at, generation) in of_one.into_iter().enumerate() {
            if newest_complete.is_some_and(|complete| at > complete) {
                older = older.saturating_add(generation.keys);
            }
            let is_needed = newest_complete == Some(at);
            if !is_needed && (older > room || at >= KEPT_GENERATIONS) {
                gone.push(generation.clone());
            }
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn generation(run: u64, keys: u64, complete: bool) -> Generation {
        let at = |secs| SystemTime::UNIX_EPOCH + Duration::from_millis(secs);
        Generation {
            strategy: "own/a".to_owned(),
            run_id: format!("run-{run}"),
            keys,
            began_at: at(run),
            ended_at: at(run + 5),
            expires_at: at(run + 1000),
            complete,
        }
    }

    #[test]
    fn a_generation_is_read_as_it_was_written() {
        let known = generation(7, 12, true);
        let (field, value) = (known.field(), known.value());
        assert_eq!(
            Generation::read(field.as_bytes(), value.as_bytes()),
            Some(known)
        );
        // Fields may be added.
        let more = value.replacen('{', "{\"more\":[1],", 1);
        assert!(Generation::read(field.as_bytes(), more.as_bytes()).is_some());
        for (field, value) in [
            ("own/a", value.as_str()),
            ("own/a r", "{}"),
            ("own/a r", ""),
        ] {
            assert_eq!(Generation::read(field.as_bytes(), value.as_bytes()), None);
        }
    }

    #[test]
    fn what_newer_ones_stand_for_is_not_kept() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(500);
        let runs = |all: &[Generation]| -> Vec<String> {
            let gone = superfluous(all, now).into_iter();
            gone.map(|generation| generation.run_id).collect()
        };
        // Newest first: one that goes on, a complete one, and what was before.
        let mut all = vec![generation(90, 5, false), generation(80, 200_000, true)];
        all.extend(
            (1..=5)
                .rev()
                .map(|run| generation(run, 200_000, run % 2 == 0)),
        );
        assert_eq!(runs(&all), ["run-2", "run-1"]);
        // Without a complete one everything may be needed, but not without end.
        all.remove(1);
        all.iter_mut()
            .for_each(|generation| generation.complete = false);
        assert_eq!(runs(&all), Vec::<String>::new());
        let many: Vec<_> = (1..=70)
            .rev()
            .map(|run| generation(run, 1, run == 3))
            .collect();
        let gone = runs(&many);
        assert_eq!(gone.len(), 19);
        assert!(!gone.contains(&"run-3".to_owned()));
        // What is over goes.
        let later = now + Duration::from_millis(505);
        let gone = superfluous(&all[..2], later).into_iter();
        let gone: Vec<String> = gone.map(|generation| generation.run_id).collect();
        assert_eq!(gone, ["run-5"]);
    }
}
