//! Finds what has changed in a definition's selection since a moment.

use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use super::asked::Asked;
use super::assembler::Assembler;
use super::assembly::Assembly;
use super::layout::Layout;
use super::prepared::Prepared;
use crate::application::ports::{ChangeScan, Tracked};
use crate::domain::changes::{Since, TrackedTable, Tracking};
use crate::domain::entry::{EntryBatch, Name};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key_rows::UniqueKeys;
use crate::domain::row::Column;
use crate::domain::strategy::{CHANGED_AT, Shape};

/// The column of a query for changes that says whether a key has changed.
const IS_CHANGED: &str = "is_changed";

/// Reads the changes of a definition's selection.
pub(super) struct Changes {
    prepared: Arc<Prepared>,
    /// The layout of keys with a changed flag.
    flags: Option<Layout>,
}

impl Changes {
    pub(super) fn new(prepared: &Arc<Prepared>) -> Self {
        let flags = prepared.layout.keys_and(&prepared.definition, IS_CHANGED);
        let prepared = Arc::clone(prepared);
        Self { prepared, flags }
    }

    fn changed_at(&self) -> Option<&Column> {
        let mut columns = self.prepared.layout.columns.iter();
        columns.find(|column| column.name == CHANGED_AT)
    }

    /// The query for changes; `None`: the type of `_changed_at` is not a moment.
    fn select_changes(&self, scan: ChangeScan, since: Since) -> Option<String> {
        let (composer, changed_at) = (self.prepared.composer(), self.changed_at()?);
        match (scan, &self.prepared.definition.tracking) {
            (ChangeScan::Rows, Tracking::Rows(table, _)) => {
                composer.changed_rows(table, changed_at, since)
            }
            _ => composer.key_changes(changed_at, since),
        }
    }

    /// Whether the key's columns are the table's primary key: no other row can have it.
    fn is_primary(&self, table: &TrackedTable, unique: &UniqueKeys) -> bool {
        let (mut key, mut primary) = (table.key.clone(), unique.primary.clone());
        if !self.prepared.dialect().grammar().is_case_sensitive {
            key.iter_mut().for_each(|name| name.make_ascii_lowercase());
        }
        key.sort_unstable();
        primary.sort_unstable();
        !primary.is_empty() && primary == key
    }
}

impl Changes {
    /// Changes whenever the stored form of a row would change.
    pub(super) fn fingerprint(&self) -> String {
        let Prepared { definition, layout, sql, params, .. } = self.prepared.as_ref();
        // A hasher with fixed keys: the same text gives the same fingerprint in every process.
        let mut hasher = std::hash::DefaultHasher::new();
        let text = format!(
            "{} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {} {} {:?}",
            env!("CARGO_PKG_VERSION"),
            definition.spec.key,
            definition.spec.value,
            definition.place,
            definition.spec.coding,
            definition.types,
            definition.style,
            definition.order_by,
            definition.limit,
            layout.columns,
            definition.trusts_changed_at,
            sql,
            params,
        );
        text.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}

#[async_trait]
impl Tracked for Changes {
    async fn scan(&self) -> Result<ChangeScan, String> {
        let definition = &self.prepared.definition;
        let since = Since::new(0, Duration::ZERO);
        let changed_at = self.changed_at().ok_or("it does not select `_changed_at`")?;
        if self.select_changes(ChangeScan::Keys, since).is_none() {
            let declared = &changed_at.declared;
            return Err(format!(
                "its _changed_at has the type {declared}, which is not a date with a time"
            ));
        }
        let (rows, identity) = match &definition.tracking {
            Tracking::None(why) => return Err(why.clone()),
            Tracking::Rows(table, identity) => (Some(table), identity),
            Tracking::Keys(identity) => (None, identity),
        };
        let mut unique = Vec::with_capacity(identity.tables.len());
        for table in &identity.tables {
            unique.push(
                self.prepared.unique_keys(table).await.map_err(|failure| failure.to_string())?,
            );
        }
        let is_whole = definition.limit.is_none();
        // Of a text it takes the value to know whether there is one.
        let is_there = definition.spec.value != Shape::Text;
        if let (Some(table), [unique]) = (rows, unique.as_slice())
            && is_whole
            && is_there
            && self.is_primary(table, unique)
        {
            return Ok(ChangeScan::Rows);
        }
        match identity.unfixed(&unique) {
            None => Ok(ChangeScan::Keys),
            Some(_) if definition.trusts_changed_at => Ok(ChangeScan::Keys),
            Some(table) => Err(format!(
                "its key does not tell one row of {}, by a primary or unique key of the table: \
                     another row may take its place without having changed",
                table.name
            )),
        }
    }

    async fn unchanged(&self, since: Since) -> Result<u64, Failure> {
        let composer = self.prepared.composer();
        let changed_at = self.changed_at();
        let sql = changed_at.and_then(|column| composer.count_unchanged(column, since));
        match sql {
            Some(sql) => self.prepared.count(sql, self.prepared.params.clone()).await,
            None => Ok(0),
        }
    }

    fn has_one_reading(&self, key: &str) -> bool {
        let asked = Asked::of(&self.prepared, Name::from(key.to_owned()));
        asked.is_ok_and(|asked| asked.readings.len() == 1)
    }

    fn changes(
        &self,
        scan: ChangeScan,
        since: Since,
        batch_size: usize,
    ) -> BoxStream<'_, Result<EntryBatch, Failure>> {
        let query = self.select_changes(scan, since).zip(self.flags.as_ref());
        let Some((sql, layout)) = query else {
            let why = "its changes cannot be found";
            let failure = Failure::new(FailureKind::Internal, "reading changes failed", why);
            return stream::iter([Err(failure)]).boxed();
        };
        let is_of_table = matches!(
            (scan, &self.prepared.definition.tracking),
            (ChangeScan::Rows, Tracking::Rows(..))
        );
        // A query over the table alone has none of the definition's parameters.
        let params = if is_of_table { Vec::new() } else { self.prepared.params.clone() };
        let query = self.prepared.query(sql, params, layout);
        let rows = self.prepared.sources.bulk.rows(query);
        let assembler = Assembler::new(layout, batch_size);
        Assembly::new(Some(rows), assembler).into_stream()
    }
}
