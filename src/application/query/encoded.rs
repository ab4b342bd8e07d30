//! A strategy whose values are stored in another format than they are made in.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::application::ports::{Ask, Entries, QueryPlan, Tracked, WarmupStrategy};
use crate::domain::coding::Coding;
use crate::domain::entry::{Entry, EntryBatch, KeyError, Value};
use crate::domain::expected::Expected;
use crate::domain::failure::Failure;
use crate::domain::key::printable;
use crate::domain::precision::Precision;
use crate::domain::strategy::StrategySpec;
use crate::domain::version::Version;

/// Encodes the values of a strategy on their way to the cache; the rest is the strategy's.
pub struct Encoded {
    inner: Arc<dyn WarmupStrategy>,
    coding: Coding,
}

impl Encoded {
    /// The strategy as its spec says that it is stored; unchanged where that is how it is made.
    pub fn wrap(inner: Arc<dyn WarmupStrategy>) -> Arc<dyn WarmupStrategy> {
        let coding = inner.spec().coding;
        match coding.is_plain() {
            true => inner,
            false => Arc::new(Self { inner, coding }),
        }
    }
}

#[async_trait]
impl WarmupStrategy for Encoded {
    fn spec(&self) -> &StrategySpec {
        self.inner.spec()
    }

    fn entries(&self, ask: Ask) -> Entries<'_> {
        let has_values = ask.values;
        let entries = self.inner.entries(ask);
        match has_values {
            true => entries.map_ok(|batch| encoded(batch, self.coding)).boxed(),
            false => entries,
        }
    }

    async fn count(&self, limit: Option<u64>) -> Result<u64, Failure> {
        self.inner.count(limit).await
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

    fn is_versioned(&self) -> bool {
        self.inner.is_versioned()
    }

    fn opaque(&self) -> Option<&str> {
        self.inner.opaque()
    }

    async fn precision(&self) -> Result<Option<Precision>, Failure> {
        self.inner.precision().await
    }

    async fn versions(&self, entries: &[Entry<'_>]) -> Result<Vec<Option<Version>>, Failure> {
        self.inner.versions(entries).await
    }

    async fn plan(&self, limit: Option<u64>) -> Result<QueryPlan, Failure> {
        self.inner.plan(limit).await
    }

    fn tracked(&self) -> Result<&dyn Tracked, String> {
        self.inner.tracked()
    }
}

/// The same entries, encoded. A value that the format cannot hold costs its key.
fn encoded(mut batch: EntryBatch, coding: Coding) -> EntryBatch {
    let mut out = EntryBatch::with_capacity(batch.bytes(), batch.len());
    out.failed = std::mem::take(&mut batch.failed);
    out.absent = std::mem::take(&mut batch.absent);
    out.warnings = std::mem::take(&mut batch.warnings);
    for entry in batch.iter() {
        let Value::Text(text) = entry.value else {
            out.push(entry);
            continue;
        };
        match out.push_text(entry.key, |bytes| coding.encode(text, bytes)) {
            Ok(()) => {
                out.stamp(entry.version, entry.row_location);
                out.set_ends(entry.ends);
            }
            Err(error) => {
                let key = printable(entry.key);
                out.failed.push(KeyError { key, error });
            }
        }
    }
    out
}
