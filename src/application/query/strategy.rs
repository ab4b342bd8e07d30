//! A definition that runs.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::sync::OnceCell;

use super::assembler::Assembler;
use super::assembly::{Assembly, Rest};
use super::changes::Changes;
use super::compose::Pick;
use super::divisible::Undivided;
use super::encoded::stored;
use super::layout::Layout;
use super::lookup::Lookups;
use super::order::{self, Order};
use super::portioned;
use super::portions::Portions;
use super::prepared::{Prepared, Reading};
use super::single;
use super::versions::Versions;
use crate::application::ports::{
    Ask, Dividing, Entries, Overtaken, PortionAsk, Query, QueryPlan, ReadPortion, Tracked, Wanted,
    WarmupStrategy,
};
use crate::domain::changes::Tracking;
use crate::domain::entry::{Entry, EntryBatch};
use crate::domain::expected::Expected;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::portion::Portion;
use crate::domain::precision::Precision;
use crate::domain::strategy::{Definition, StrategySpec};
use crate::domain::version::Version;

/// Rows read to learn the precision of versions.
const SAMPLE: u64 = 100;

/// A [`Definition`] on a database: a [`WarmupStrategy`] that needs no code.
pub struct QueryStrategy {
    prepared: Arc<Prepared>,
    /// The layout of the keys, if they can be read alone.
    keys: Option<Layout>,
    /// The layout of the versions, if they can be read alone and keys can be looked up.
    versions: Option<Layout>,
    /// How it is read in portions; `Err`: why it is not, for people. Asked of the database once, if a
    /// whole selection is read.
    portions: OnceCell<Result<Portions, String>>,
    changes: Changes,
    /// The same definition in key order, if it has no order of its own.
    by_key: Option<Definition>,
}

impl QueryStrategy {
    pub fn new(prepared: Prepared) -> Self {
        let prepared = Arc::new(prepared);
        let Prepared { definition, layout, opaque, .. } = prepared.as_ref();
        Self {
            keys: layout.keys_only(definition),
            versions: layout.versions(definition).filter(|_| opaque.is_none()),
            portions: OnceCell::new(),
            changes: Changes::new(&prepared),
            by_key: order::in_key_order(definition),
            prepared,
        }
    }

    /// What to read of each row, and its layout.
    fn reading(&self, ask: &Ask) -> Reading<'_> {
        let composer = self.prepared.composer();
        let (pick, layout) = match &self.keys {
            Some(keys) if !ask.values => (Pick::Keys, keys),
            _ => {
                let layout = &self.prepared.layout;
                (Pick::Columns(&layout.columns), layout)
            }
        };
        Reading { composer, pick, layout }
    }

    /// # Errors
    /// Why it is read in one stream, for people.
    async fn in_portions(&self) -> Result<&Portions, String> {
        let ask = || async {
            match Portions::new(&self.prepared).await {
                Err(Undivided::Because(why)) => Ok(Err(why)),
                Err(Undivided::Failed(failure)) => Err(failure.why),
                Ok(portions) => Ok(Ok(portions)),
            }
        };
        self.portions.get_or_try_init(ask).await?.as_ref().map_err(String::clone)
    }

    /// The selection, at most `limit` keys of it.
    fn all(&self, limit: Option<u64>, mut ask: Ask) -> Entries<'_> {
        let Some(how) = ask.in_portions.take().filter(|_| limit.is_none()) else {
            return self.streamed(limit, &ask);
        };
        if let Some(portions) = self.portions.get() {
            return self.divided(portions.as_ref().ok(), &ask, how);
        }
        let all = async move { self.divided(self.in_portions().await.ok(), &ask, how) };
        stream::once(all).flatten().boxed()
    }

    fn divided<'a>(&'a self, by: Option<&'a Portions>, ask: &Ask, how: Dividing) -> Entries<'a> {
        match by {
            None => self.streamed(None, ask),
            Some(portions) => {
                let how = (ask.batch_size, how);
                portioned::entries(&self.prepared, portions, self.reading(ask), how)
            }
        }
    }

    /// The selection in one stream.
    fn streamed(&self, limit: Option<u64>, ask: &Ask) -> Entries<'_> {
        let prepared = self.prepared.as_ref();
        let mut reading = self.reading(ask);
        let layout = reading.layout;
        let (row_limit, dialect) = (prepared.row_limit(limit), prepared.dialect());
        let is_plain = |at: usize| layout.hints[at].is_none();
        let order = |definition| Order::of(definition, dialect, &layout.columns, is_plain);
        let in_order = ask.in_order || prepared.sources.bulk.is_blind();
        // With a limit another order would select other rows.
        let by_key = self.by_key.as_ref().filter(|_| in_order && row_limit.is_none());
        let order = match by_key.and_then(|by_key| Some((by_key, order(by_key)?))) {
            Some((by_key, order)) => {
                reading.composer.definition = by_key;
                Some(order)
            }
            None => order(&prepared.definition),
        };
        let sql = reading.composer.all(reading.pick, row_limit);
        let rows = prepared.sources.bulk.rows(Query {
            resumable: order.is_some(),
            ..prepared.query(sql, prepared.params.clone(), layout)
        });
        let assembler = Assembler::new(layout, ask.batch_size);
        let rest = order.map(|order| Rest::new(prepared, order, reading, row_limit));
        // Otherwise the query ends by itself, and its session can be used again.
        let limit = limit.filter(|_| layout.groups_rows());
        Assembly::of_selection(rows, assembler, limit, rest).into_stream()
    }
}

#[async_trait]
impl WarmupStrategy for QueryStrategy {
    fn spec(&self) -> &StrategySpec {
        &self.prepared.definition.spec
    }

    fn entries(&self, mut ask: Ask) -> BoxStream<'_, Result<EntryBatch, Failure>> {
        let has_values = ask.values;
        let entries = match std::mem::replace(&mut ask.keys, Wanted::All { limit: None }) {
            Wanted::All { limit } => self.all(limit, ask),
            Wanted::Named(keys) => {
                let lookups = Lookups {
                    prepared: &self.prepared,
                    reading: self.reading(&ask),
                    batch_size: ask.batch_size,
                    from_primary: ask.from_primary,
                };
                lookups.named(keys)
            }
        };
        stored(entries, self.spec().coding, has_values)
    }

    fn is_versioned(&self) -> bool {
        self.prepared.layout.is_versioned()
    }

    fn fingerprint(&self) -> Option<String> {
        Some(self.changes.fingerprint())
    }

    fn opaque(&self) -> Option<&str> {
        self.prepared.opaque.as_deref()
    }

    async fn precision(&self) -> Result<Option<Precision>, Failure> {
        let Some(layout) = &self.versions else {
            return Ok(None);
        };
        if layout.groups_rows() {
            return Ok(Some(Precision::Exact));
        }
        let sql = self.prepared.composer().versions(SAMPLE);
        let mut rows = self.prepared.bulk_rows(sql, layout);
        let mut finest = None;
        while let Some(batch) = rows.try_next().await? {
            let versions = (0..batch.len()).map(|i| layout.version(batch.row(i)));
            let versions = versions.filter_map(|version| version.ok().flatten());
            finest = finest.max(versions.map(Version::precision).max());
        }
        Ok(finest)
    }

    async fn versions(&self, entries: &[Entry<'_>]) -> Result<Vec<Option<Version>>, Failure> {
        let Some(layout) = &self.versions else {
            return Ok(vec![None; entries.len()]);
        };
        let prepared = self.prepared.as_ref();
        let mut versions = Versions::new(entries, layout);
        versions.look_up(prepared, entries).await?;
        Ok(versions.finish())
    }

    async fn portions(&self) -> Result<(), String> {
        self.in_portions().await.map(|_| ())
    }

    async fn portion(
        &self,
        ask: &PortionAsk,
        batch_size: usize,
    ) -> Result<Option<ReadPortion>, Failure> {
        let portions = self.in_portions().await.map_err(|why| {
            let what = format!("{} is not read in portions here", self.spec().id);
            Failure::new(FailureKind::Query, what, why)
        })?;
        let reading = self.reading(&Ask::all(None));
        single::read(&self.prepared, portions, reading, ask, batch_size).await
    }

    async fn overtaken(
        &self,
        portion: &Portion,
        entries: &[Entry<'_>],
    ) -> Result<Overtaken, Failure> {
        match self.in_portions().await {
            Ok(portions) => portions.overtaken(&self.prepared, portion, entries).await,
            Err(_) => {
                let indexes = (0..entries.len()).collect();
                Ok(Overtaken { indexes, now: EntryBatch::default() })
            }
        }
    }

    async fn count(&self, limit: Option<u64>) -> Result<u64, Failure> {
        self.prepared.count_keys(limit).await
    }

    async fn estimate(&self, limit: Option<u64>) -> Option<Expected> {
        let prepared = self.prepared.as_ref();
        if prepared.definition.spec.value.groups_rows() {
            // The database counts rows, and here a key has many.
            let is_one = prepared.definition.spec.key.columns().is_empty();
            return is_one.then_some(Expected::exactly(1));
        }
        let sql = prepared.composer().all(Pick::All, prepared.row_limit(limit));
        let bulk = &prepared.sources.bulk;
        bulk.estimate(&sql, &prepared.params).await
    }

    async fn quiesced(&self) {
        self.prepared.quiesced().await;
    }

    async fn plan(&self, limit: Option<u64>) -> Result<QueryPlan, Failure> {
        self.prepared.plan(limit).await
    }

    fn tracked(&self) -> Result<&dyn Tracked, String> {
        match (&self.prepared.definition.tracking, &self.prepared.opaque) {
            (Tracking::None(why), _) => Err(why.clone()),
            (_, Some(why)) => Err(format!("its keys cannot be looked up: {why}")),
            (Tracking::Keys(_) | Tracking::Rows(..), None) => Ok(&self.changes),
        }
    }
}
