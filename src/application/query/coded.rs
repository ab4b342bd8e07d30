//! A coded strategy as the engine wants it: with the operator's prefix, and what was asked for only.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::encoded::stored;
use crate::application::ports::{Ask, Entries, QueryPlan, Wanted, WarmupStrategy};
use crate::domain::entry::{Entry, EntryBatch, KeyError, Name};
use crate::domain::expected::Expected;
use crate::domain::failure::Failure;
use crate::domain::key::printable;
use crate::domain::namespace;
use crate::domain::precision::Precision;
use crate::domain::strategy::StrategySpec;
use crate::domain::version::Version;

/// Knows the prefix, which the strategy inside does not.
pub struct CodedStrategy {
    inner: Arc<dyn WarmupStrategy>,
    spec: StrategySpec,
    prefix: String,
}

impl CodedStrategy {
    /// `spec`: as its definition says it, without the prefix.
    pub fn new(inner: Arc<dyn WarmupStrategy>, mut spec: StrategySpec, prefix: &str) -> Self {
        spec.key = spec.key.with_prefix(prefix);
        Self { inner, spec, prefix: prefix.to_owned() }
    }

    fn without_prefix(&self, wanted: &Wanted) -> Wanted {
        let bare = |name: &Name| {
            let key = name.key.strip_prefix(&self.prefix).unwrap_or(&name.key);
            Name::from(key.to_owned())
        };
        match wanted {
            Wanted::All { .. } => wanted.clone(),
            Wanted::Named(names) => Wanted::Named(names.iter().map(bare).collect()),
        }
    }
}

#[async_trait]
impl WarmupStrategy for CodedStrategy {
    fn spec(&self) -> &StrategySpec {
        &self.spec
    }

    fn entries(&self, ask: Ask) -> Entries<'_> {
        let (sieve, has_values) = (Sieve::new(self, &ask), ask.values);
        let keys = self.without_prefix(&ask.keys);
        let given = self.inner.entries(Ask { keys, ..ask });
        let parts = stream::try_unfold(Some((given, sieve)), |state| async move {
            let Some((mut given, mut sieve)) = state else {
                return Ok::<_, Failure>(None);
            };
            if sieve.left > 0
                && let Some(batch) = given.try_next().await?
            {
                let parts = sieve.pass(batch);
                return Ok(Some((parts, Some((given, sieve)))));
            }
            Ok(Some((vec![sieve.rest()], None)))
        });
        let parts = parts.map_ok(|parts| stream::iter(parts.into_iter().map(Ok)));
        stored(parts.try_flatten().boxed(), self.spec.coding, has_values)
    }

    async fn count(&self, limit: Option<u64>) -> Result<u64, Failure> {
        let keys = self.inner.count(limit).await?;
        Ok(limit.map_or(keys, |limit| keys.min(limit)))
    }

    async fn estimate(&self, limit: Option<u64>) -> Option<Expected> {
        self.inner.estimate(limit).await
    }

    async fn quiesced(&self) {
        self.inner.quiesced().await;
    }

    fn unfit(&self) -> Option<&Failure> {
        self.inner.unfit()
    }

    async fn precision(&self) -> Result<Option<Precision>, Failure> {
        self.inner.precision().await
    }

    fn is_versioned(&self) -> bool {
        self.inner.is_versioned()
    }

    fn opaque(&self) -> Option<&str> {
        self.inner.opaque()
    }

    async fn versions(&self, entries: &[Entry<'_>]) -> Result<Vec<Option<Version>>, Failure> {
        let bare = entries.iter().map(|entry| {
            let key = entry.key.strip_prefix(self.prefix.as_bytes());
            Entry { key: key.unwrap_or(entry.key), ..*entry }
        });
        self.inner.versions(&bare.collect::<Vec<_>>()).await
    }

    async fn plan(&self, limit: Option<u64>) -> Result<QueryPlan, Failure> {
        self.inner.plan(limit).await
    }
}

/// Lets through what was asked for.
struct Sieve<'a> {
    strategy: &'a CodedStrategy,
    /// Keys asked for by name that have not come yet.
    named: Option<BTreeSet<String>>,
    /// Entries that may still come.
    left: u64,
    batch_size: usize,
}

impl<'a> Sieve<'a> {
    fn new(strategy: &'a CodedStrategy, ask: &Ask) -> Self {
        let (named, left) = match &ask.keys {
            Wanted::All { limit } => (None, limit.unwrap_or(u64::MAX)),
            Wanted::Named(names) => {
                let names = names.iter().map(|name| name.key.clone());
                (Some(names.collect()), u64::MAX)
            }
        };
        Self { strategy, named, left, batch_size: ask.batch_size.max(1) }
    }

    fn pass(&mut self, mut given: EntryBatch) -> Vec<EntryBatch> {
        let (mut parts, mut part) = (Vec::new(), EntryBatch::default());
        part.warnings = std::mem::take(&mut given.warnings);
        for KeyError { key, error } in std::mem::take(&mut given.failed) {
            self.fail(&mut part, key, error);
        }
        for key in std::mem::take(&mut given.absent) {
            let key = format!("{}{key}", self.strategy.prefix);
            if self.is_asked(&key) {
                part.absent.push(printable(key.as_bytes()));
            }
        }
        for entry in given.iter() {
            let key = [self.strategy.prefix.as_bytes(), entry.key].concat();
            let text = String::from_utf8_lossy(&key);
            if let Err(error) = self.check(&key) {
                self.fail(&mut part, String::from_utf8_lossy(entry.key).into_owned(), error);
            } else if self.left > 0 && self.is_asked(&text) {
                self.left -= 1;
                let (key, ends) = (key.as_slice(), &[][..]);
                part.push(Entry { key, ends, ..entry });
            }
            if part.len() == self.batch_size {
                parts.push(std::mem::take(&mut part));
            }
        }
        parts.push(part);
        parts
    }

    /// Counts a key that cannot be stored, unless it was not asked for. What is no key, such as a row's
    /// number, is shown as it is.
    fn fail(&mut self, part: &mut EntryBatch, key: String, error: String) {
        let full = format!("{}{key}", self.strategy.prefix);
        let shown = |key: &str| printable(key.as_bytes());
        if !self.strategy.spec.key.makes(&full) {
            let key = shown(&key);
            part.failed.push(KeyError { key, error });
        } else if self.is_asked(&full) || self.is_asked_as_shown(&full) {
            let key = shown(&full);
            part.failed.push(KeyError { key, error });
        }
    }

    /// The same for a key as it is shown. A failed key must not be taken for one without a row.
    fn is_asked_as_shown(&mut self, key: &str) -> bool {
        let Some(named) = &mut self.named else {
            return true;
        };
        let meant = named.iter().find(|name| printable(name.as_bytes()) == key);
        meant.cloned().is_some_and(|name| named.remove(&name))
    }

    fn is_asked(&mut self, key: &str) -> bool {
        self.named.as_mut().is_none_or(|named| named.remove(key))
    }

    /// Whether the strategy may write a key: those of others, and the tool's own, it may not.
    fn check(&self, key: &[u8]) -> Result<(), String> {
        let template = &self.strategy.spec.key;
        let text = std::str::from_utf8(key).map_err(|_| "the key is not UTF-8".to_owned())?;
        let own = namespace::all(&self.strategy.prefix);
        match template.makes(text) {
            true if text.starts_with(&own) => {
                Err(format!("keys that begin with `{own}` are shopwarm's own"))
            }
            true => Ok(()),
            false => Err(format!("the key does not match `{template}`")),
        }
    }

    /// The keys asked for that never came.
    fn rest(self) -> EntryBatch {
        let mut batch = EntryBatch::default();
        let absent = self.named.into_iter().flatten();
        batch.absent.extend(absent.map(|key| printable(key.as_bytes())));
        batch
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// Gives everything, whatever is asked; the second is a key that fails, as it is shown.
    struct Words(StrategySpec, Option<String>);

    impl WarmupStrategy for Words {
        fn spec(&self) -> &StrategySpec {
            &self.0
        }

        fn entries(&self, _: Ask) -> Entries<'_> {
            let mut batch = EntryBatch::default();
            let failed = self.1.clone().map(|key| KeyError { key, error: "no value".to_owned() });
            batch.failed.extend(failed);
            for key in ["word:a", "word:b", "other:c", "word:d"] {
                batch.push_json(key, &key);
            }
            batch.into()
        }
    }

    /// Keys given, failed and absent, a batch each.
    fn given(ask: Ask) -> Vec<[Vec<String>; 3]> {
        given_of(ask, None)
    }

    fn given_of(ask: Ask, fails: Option<String>) -> Vec<[Vec<String>; 3]> {
        let spec = StrategySpec::new("own", "words", "word:{word}").expect("a template");
        let coded = CodedStrategy::new(Arc::new(Words(spec.clone(), fails)), spec, "eu:");
        let batches: Vec<_> =
            coded.entries(ask).try_collect().now_or_never().expect("ready").expect("entries");
        let keys = |batch: &EntryBatch| {
            let key = |entry: Entry<'_>| String::from_utf8_lossy(entry.key).into_owned();
            let failed = batch.failed.iter().map(|failed| failed.key.clone());
            [batch.iter().map(key).collect(), failed.collect(), batch.absent.clone()]
        };
        let batches = batches.iter().filter(|batch| !batch.is_void());
        batches.map(keys).collect()
    }

    fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
        texts.map(str::to_owned).to_vec()
    }

    #[test]
    fn only_what_was_asked_for_is_given_behind_the_prefix() {
        let none = Vec::new;
        assert_eq!(
            given(Ask::all(None).batch_size(2)),
            [
                [texts(["eu:word:a", "eu:word:b"]), none(), none()],
                [texts(["eu:word:d"]), texts(["other:c"]), none()],
            ]
        );
        assert_eq!(given(Ask::all(Some(1)))[0][0], texts(["eu:word:a"]));
        let named = Ask::named(["eu:word:z", "eu:word:b"].map(str::to_owned));
        let named = given(named);
        assert_eq!(named[0][0], texts(["eu:word:b"]));
        assert_eq!(named[1][2], texts(["eu:word:z"]));
    }

    #[test]
    fn a_key_that_failed_is_not_taken_for_one_without_a_row() {
        let raw = "eu:word:\u{1b}x";
        let shown = printable("word:\u{1b}x".as_bytes());
        assert_ne!(shown, "word:\u{1b}x");
        let all = given_of(Ask::named([raw.to_owned()]), Some(shown));
        assert_eq!(all[0][1][0], printable(raw.as_bytes()));
        assert!(all.iter().all(|batch| batch[2].is_empty()), "{all:?}");
    }
}
