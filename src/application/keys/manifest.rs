//! Which keys this tool has written: later runs know from it which keys are theirs.
//!
//! A run leaves a *key manifest* for each strategy: a list of [chunks](super::chunk::Chunk) of the
//! acknowledged keys, in the order of writing, which expires with the last of them; and a field in a
//! hash that describes it. A run writes it chunk by chunk, so a run that dies leaves what it had.

use std::collections::BTreeMap;
use std::time::SystemTime;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use super::chunk::{self, RecordedKey};
use crate::application::ports::Cache;
use crate::application::record::history::own_hash;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::namespace;

/// Chunks that are read together.
const READ_CHUNKS: usize = 4;

/// Older manifests of a strategy stay while they hold at most this many times the keys of the newest
/// complete one, or [`KEPT_KEYS`].
const KEPT_TIMES: u64 = 3;
const KEPT_KEYS: u64 = 100_000;

/// Max manifests of a strategy.
const MAX_MANIFESTS: usize = 50;

/// The keys that one run left for one strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyManifest {
    /// `catalog/hot-products`. Like `run_id` in the name of the field.
    #[serde(skip)]
    pub strategy: String,
    #[serde(skip)]
    pub run_id: String,
    /// How many; a key written twice counts twice.
    pub keys: u64,
    /// When the run began.
    #[serde(with = "rfc3339")]
    pub began_at: SystemTime,
    /// When the last of them was written.
    #[serde(with = "rfc3339")]
    pub ended_at: SystemTime,
    /// When the last of them expires.
    #[serde(with = "rfc3339")]
    pub expires_at: SystemTime,
    /// It has all keys of the selection, whatever was in the cache before.
    pub complete: bool,
    /// The fingerprint of the definition and its variables, where changes can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
}

/// Times as text, in milliseconds.
mod rfc3339 {
    use std::time::SystemTime;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &SystemTime, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&humantime::format_rfc3339_millis(*at))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_rfc3339(&text).map_err(serde::de::Error::custom)
    }
}

impl KeyManifest {
    /// Where its keys are.
    pub(super) fn key(&self, prefix: &str) -> String {
        namespace::manifest(prefix, &self.strategy, &self.run_id)
    }

    pub(super) fn field(&self) -> String {
        format!("{} {}", self.strategy, self.run_id)
    }

    pub(super) fn value(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn read(field: &[u8], value: &[u8]) -> Option<Self> {
        let (strategy, run_id) = std::str::from_utf8(field).ok()?.split_once(' ')?;
        Some(Self {
            strategy: strategy.to_owned(),
            run_id: run_id.to_owned(),
            ..serde_json::from_slice(value).ok()?
        })
    }

    fn is_over(&self, now: SystemTime) -> bool {
        self.expires_at <= now
    }
}

/// All manifests in the hash, newest first, expired ones too.
pub(super) async fn index(cache: &dyn Cache, prefix: &str) -> Result<Vec<KeyManifest>, Failure> {
    let key = namespace::manifests(prefix);
    let mut all: Vec<KeyManifest> = own_hash(cache, &key, "does not record which keys runs wrote")
        .await?
        .iter()
        .filter_map(|(field, value)| KeyManifest::read(field, value))
        .collect();
    all.sort_by(|a, b| (b.began_at, &b.run_id).cmp(&(a.began_at, &a.run_id)));
    Ok(all)
}

/// The manifests that have not expired, newest first: of one strategy (by its id), or of all.
///
/// # Errors
/// The cache's.
pub async fn manifests(
    cache: &dyn Cache,
    prefix: &str,
    strategy: Option<&str>,
) -> Result<Vec<KeyManifest>, Failure> {
    let now = SystemTime::now();
    let mut all = index(cache, prefix).await?;
    all.retain(|manifest| {
        !manifest.is_over(now) && strategy.is_none_or(|id| manifest.strategy == id)
    });
    Ok(all)
}

/// The keys of a manifest in the order of writing, some at a time. A key may come twice, and may no
/// longer be in the cache.
///
/// # Errors
/// The cache's, or a part of the list is gone.
pub fn keys<'a>(
    cache: &'a dyn Cache,
    prefix: &str,
    manifest: &KeyManifest,
) -> BoxStream<'a, Result<Vec<Vec<u8>>, Failure>> {
    let recorded = entries(cache, prefix, manifest);
    let keys =
        recorded.map_ok(|recorded| recorded.into_iter().map(|recorded| recorded.key).collect());
    keys.boxed()
}

/// The same, with the digest of each value.
///
/// # Errors
/// As for [`keys`].
pub fn entries<'a>(
    cache: &'a dyn Cache,
    prefix: &str,
    manifest: &KeyManifest,
) -> BoxStream<'a, Result<Vec<RecordedKey>, Failure>> {
    let list = manifest.key(prefix);
    let (id, expected) = (manifest.field(), manifest.keys);
    let chunks = stream::try_unfold((0, 0, false), move |(first, found, ended)| {
        let (list, id) = (list.clone(), id.clone());
        async move {
            if ended {
                return Ok(None);
            }
            let chunks = cache.meta().range(list.as_bytes(), first, READ_CHUNKS).await?;
            let ended = chunks.len() < READ_CHUNKS;
            let mut keys = Vec::with_capacity(chunks.len());
            for chunk in &chunks {
                let read = chunk::read(chunk);
                keys.push(read.map_err(|why| unreadable(&id, &why.to_string()))?);
            }
            let found = found + keys.iter().map(Vec::len).sum::<usize>() as u64;
            if ended && found < expected {
                return Err(unreadable(&id, "part of the list is gone"));
            }
            Ok::<_, Failure>(Some((keys, (first + chunks.len(), found, ended))))
        }
    });
    chunks.map_ok(|chunks| stream::iter(chunks).map(Ok)).try_flatten().boxed()
}

fn unreadable(manifest: &str, why: &str) -> Failure {
    let what = format!("the keys that {manifest} wrote are not known");
    Failure::new(FailureKind::CacheRefused, what, why)
        .hint("the next complete run records them again")
}

/// Deletes a manifest, not its keys.
///
/// # Errors
/// The cache's.
pub async fn forget(
    cache: &dyn Cache,
    prefix: &str,
    manifest: &KeyManifest,
) -> Result<(), Failure> {
    forget_all(cache, prefix, std::slice::from_ref(manifest)).await
}

/// The same if nothing depends on it: a list that stays expires.
pub async fn forget_quietly(cache: &dyn Cache, prefix: &str, manifest: &KeyManifest) {
    if let Err(failure) = forget(cache, prefix, manifest).await {
        tracing::debug!(%failure, "an old list of keys stays until it expires");
    }
}

pub(super) async fn forget_all(
    cache: &dyn Cache,
    prefix: &str,
    gone: &[KeyManifest],
) -> Result<(), Failure> {
    if gone.is_empty() {
        return Ok(());
    }
    let fields: Vec<String> = gone.iter().map(KeyManifest::field).collect();
    let lists: Vec<String> = gone.iter().map(|g| g.key(prefix)).collect();
    let lists: Vec<&[u8]> = lists.iter().map(String::as_bytes).collect();
    // In this order: a list that nobody knows of expires.
    let index = namespace::manifests(prefix);
    cache.meta().delete_fields(index.as_bytes(), &fields).await?;
    cache.remove(&lists).await.map(drop)
}

/// Expired manifests, and old ones that newer ones of the strategy cover. `all`: newest first.
pub(super) fn superfluous(all: &[KeyManifest], now: SystemTime) -> Vec<KeyManifest> {
    let mut gone = Vec::new();
    let mut strategies: BTreeMap<&str, Vec<&KeyManifest>> = BTreeMap::new();
    for manifest in all {
        match manifest.is_over(now) {
            true => gone.push(manifest.clone()),
            false => strategies.entry(&manifest.strategy).or_default().push(manifest),
        }
    }
    for of_one in strategies.into_values() {
        let newest_complete = of_one.iter().position(|manifest| manifest.complete);
        let room = newest_complete
            .map_or(u64::MAX, |at| of_one[at].keys.saturating_mul(KEPT_TIMES).max(KEPT_KEYS));
        let mut older = 0_u64;
        for (at, manifest) in of_one.into_iter().enumerate() {
            if newest_complete.is_some_and(|complete| at > complete) {
                older = older.saturating_add(manifest.keys);
            }
            let is_needed = newest_complete == Some(at);
            if !is_needed && (older > room || at >= MAX_MANIFESTS) {
                gone.push(manifest.clone());
            }
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn manifest(run: u64, keys: u64, complete: bool) -> KeyManifest {
        let at = |secs| SystemTime::UNIX_EPOCH + Duration::from_millis(secs);
        KeyManifest {
            strategy: "own/a".to_owned(),
            run_id: format!("run-{run}"),
            keys,
            began_at: at(run),
            ended_at: at(run + 5),
            expires_at: at(run + 1000),
            complete,
            definition: Some("d".to_owned()),
        }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let known = manifest(7, 12, true);
        let (field, value) = (known.field(), known.value());
        assert_eq!(KeyManifest::read(field.as_bytes(), value.as_bytes()), Some(known));
        // Fields may be added.
        let more = value.replacen('{', "{\"more\":[1],", 1);
        assert!(KeyManifest::read(field.as_bytes(), more.as_bytes()).is_some());
        for (field, value) in [("own/a", value.as_str()), ("own/a r", "{}"), ("own/a r", "")] {
            assert_eq!(KeyManifest::read(field.as_bytes(), value.as_bytes()), None);
        }
    }

    #[test]
    fn what_newer_ones_stand_for_is_not_kept() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(500);
        let runs = |all: &[KeyManifest]| -> Vec<String> {
            let gone = superfluous(all, now).into_iter();
            gone.map(|manifest| manifest.run_id).collect()
        };
        // Newest first: one that goes on, a complete one, and what was before.
        let mut all = vec![manifest(90, 5, false), manifest(80, 200_000, true)];
        all.extend((1..=5).rev().map(|run| manifest(run, 200_000, run % 2 == 0)));
        assert_eq!(runs(&all), ["run-2", "run-1"]);
        // Without a complete one everything may be needed, but not without end.
        all.remove(1);
        all.iter_mut().for_each(|manifest| manifest.complete = false);
        assert_eq!(runs(&all), Vec::<String>::new());
        let many: Vec<_> = (1..=70).rev().map(|run| manifest(run, 1, run == 3)).collect();
        let gone = runs(&many);
        assert_eq!(gone.len(), 19);
        assert!(!gone.contains(&"run-3".to_owned()));
        // What is over goes.
        let later = now + Duration::from_millis(505);
        let gone = superfluous(&all[..2], later).into_iter();
        let gone: Vec<String> = gone.map(|manifest| manifest.run_id).collect();
        assert_eq!(gone, ["run-5"]);
    }
}
