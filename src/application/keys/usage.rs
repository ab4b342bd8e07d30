//! Whether warming helps: which of the lists of written keys were used since.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt as _;

use super::manifest::{self, KeyManifest};
use crate::application::ports::{Cache, Known, LastUse};
use crate::domain::failure::{Failure, FailureKind};

/// A server counts idle times in whole seconds of a coarse clock.
pub const MARGIN: Duration = Duration::from_secs(2);

/// Keys that are asked about together.
const WINDOW: usize = 500;

/// The access frequency that a server gives to a new key.
const NEW_FREQUENCY: u8 = 5;

/// What became of the keys of one strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    pub manifest: KeyManifest,
    /// A later run has written some of these keys, which counts as use.
    pub overwritten: bool,
    /// Keys that were asked about, spread evenly over all.
    pub sampled: u64,
    /// Of these: used since the run.
    pub used: u64,
    /// There, and not used.
    pub unused: u64,
    /// Expired, evicted or deleted.
    pub gone: u64,
    /// Bytes that the unused ones take.
    pub unused_bytes: Known<u64>,
    /// An estimate: the server knows how often a key is used, not when.
    pub by_frequency: bool,
}

impl Effect {
    /// A count of the sample as one of all keys.
    pub fn scaled(&self, count: u64) -> u64 {
        if self.sampled == 0 {
            return 0;
        }
        let all = u128::from(count) * u128::from(self.manifest.keys);
        u64::try_from(all / u128::from(self.sampled)).unwrap_or(u64::MAX)
    }

    /// Whether every key was asked about.
    pub fn is_exact(&self) -> bool {
        self.sampled == self.manifest.keys
    }
}

/// The manifests of a run, or the newest (complete, if any) of each strategy. `all`: newest first.
///
/// # Errors
/// There is none.
pub fn chosen(all: &[KeyManifest], run: Option<&str>) -> Result<Vec<KeyManifest>, Failure> {
    let unknown = |what: &str, why: String| {
        Failure::new(FailureKind::Usage, what, why)
            .hint("`shopwarm runs` lists the runs; their lists of keys are kept until they expire")
    };
    let Some(run) = run.filter(|run| *run != "last") else {
        let mut newest: BTreeMap<&str, &KeyManifest> = BTreeMap::new();
        for manifest in all.iter().rev() {
            let known = newest.get(manifest.strategy.as_str());
            if manifest.complete || known.is_none_or(|known| !known.complete) {
                newest.insert(&manifest.strategy, manifest);
            }
        }
        if newest.is_empty() {
            let why = "no run has left a list of keys, or all have expired".to_owned();
            return Err(unknown("the keys of earlier runs are not known", why));
        }
        return Ok(newest.into_values().cloned().collect());
    };
    let mut ids: Vec<&str> = all.iter().map(|g| g.run_id.as_str()).collect();
    ids.retain(|id| id.contains(run));
    ids.sort_unstable();
    ids.dedup();
    let exact = ids.iter().find(|id| **id == run).copied();
    let id = match (exact, ids.as_slice()) {
        (Some(id), _) => id,
        (None, [id]) => *id,
        (None, []) => {
            let what = format!("there is no run `{run}` with a list of keys");
            return Err(unknown(
                &what,
                "it left no list of keys, or the list has expired".to_owned(),
            ));
        }
        (None, several) => {
            let what = format!("`{run}` is ambiguous");
            return Err(unknown(&what, format!("{} runs match it", several.len())));
        }
    };
    let of_run = all.iter().filter(|manifest| manifest.run_id == id);
    let mut of_run: Vec<KeyManifest> = of_run.cloned().collect();
    of_run.sort_by(|a, b| a.strategy.cmp(&b.strategy));
    Ok(of_run)
}

/// Asks about at most `sample` keys of a manifest. `all`: every manifest that is known.
///
/// # Errors
/// The cache's: it does not tell, or is gone.
pub async fn of(
    cache: &dyn Cache,
    prefix: &str,
    manifest: &KeyManifest,
    all: &[KeyManifest],
    sample: u64,
) -> Result<Effect, Failure> {
    let is_later = |other: &KeyManifest| {
        other.strategy == manifest.strategy
            && other.keys > 0
            && other.ended_at > manifest.ended_at
            && other.run_id != manifest.run_id
    };
    let mut effect = Effect {
        manifest: manifest.clone(),
        overwritten: all.iter().any(is_later),
        sampled: 0,
        used: 0,
        unused: 0,
        gone: 0,
        unused_bytes: Ok(0),
        by_frequency: false,
    };
    let mut keys = manifest::keys(cache, prefix, manifest);
    let mut window = Vec::new();
    let mut at = 0;
    while let Some(some) = keys.try_next().await? {
        for key in some {
            if is_picked(at, manifest.keys, sample) {
                window.push(key);
            }
            at += 1;
            if window.len() == WINDOW {
                effect.ask(cache, &std::mem::take(&mut window)).await?;
            }
        }
    }
    effect.ask(cache, &window).await?;
    Ok(effect)
}

/// Whether the key at a place is one of `sample` that are spread evenly over `all`.
fn is_picked(at: u64, all: u64, sample: u64) -> bool {
    if sample >= all {
        return true;
    }
    let before = |at: u64| u128::from(at) * u128::from(sample) / u128::from(all.max(1));
    before(at + 1) > before(at)
}

impl Effect {
    async fn ask(&mut self, cache: &dyn Cache, keys: &[Vec<u8>]) -> Result<(), Failure> {
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let usages = cache.usage(&keys).await?;
        let since = SystemTime::now().duration_since(self.manifest.ended_at);
        let since = since.unwrap_or_default();
        for usage in usages {
            self.sampled += 1;
            let is_used = match usage.last {
                LastUse::Gone => {
                    self.gone += 1;
                    continue;
                }
                LastUse::Ago(idle) => idle + MARGIN <= since,
                LastUse::Frequency(count) => {
                    self.by_frequency = true;
                    count > NEW_FREQUENCY
                }
            };
            if is_used {
                self.used += 1;
                continue;
            }
            self.unused += 1;
            self.unused_bytes = match (self.unused_bytes.clone(), usage.bytes) {
                (Ok(sum), Ok(bytes)) => Ok(sum + bytes),
                (Err(why), _) | (Ok(_), Err(why)) => Err(why),
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(strategy: &str, run: u64, complete: bool) -> KeyManifest {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(run);
        KeyManifest {
            strategy: strategy.to_owned(),
            run_id: format!("run-{run}"),
            keys: 10,
            began_at: at,
            ended_at: at,
            expires_at: at,
            complete,
            definition: None,
        }
    }

    #[test]
    fn a_sample_is_spread_evenly_and_no_larger_than_asked_for() {
        for (all, sample) in [(10, 3), (10_000, 9_999), (7, 7), (7, 100), (1, 1), (999, 10)] {
            let picked: Vec<u64> = (0..all).filter(|at| is_picked(*at, all, sample)).collect();
            assert_eq!(picked.len() as u64, sample.min(all), "{all} {sample}");
            let longest = picked.windows(2).map(|two| two[1] - two[0]).max();
            assert!(longest.unwrap_or(1) <= all / sample + 1, "{picked:?}");
        }
    }

    #[test]
    fn the_newest_complete_of_each_is_meant_or_those_of_a_run() {
        let all = [
            manifest("own/a", 5, false),
            manifest("own/a", 4, true),
            manifest("own/b", 4, false),
            manifest("own/b", 3, false),
            manifest("own/a", 2, true),
        ];
        let ids = |run: Option<&str>| -> Vec<(String, String)> {
            let chosen = chosen(&all, run).expect("some").into_iter();
            chosen.map(|g| (g.strategy, g.run_id)).collect()
        };
        let pair = |strategy: &str, run: &str| (strategy.to_owned(), run.to_owned());
        let newest = [pair("own/a", "run-4"), pair("own/b", "run-4")];
        assert_eq!(ids(None), newest);
        assert_eq!(ids(Some("last")), newest);
        assert_eq!(ids(Some("5")), [pair("own/a", "run-5")]);
        assert_eq!(ids(Some("run-2")), [pair("own/a", "run-2")]);
        assert!(chosen(&all, Some("run-")).is_err());
        assert!(chosen(&all, Some("nobody")).is_err());
        assert!(chosen(&[], None).is_err());
    }
}
