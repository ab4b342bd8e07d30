//! Rows found again where they lay: much cheaper than by their keys, where the database can say it.

use std::sync::Arc;

use futures_util::TryStreamExt as _;

use super::compose::{Composer, Pick};
use super::layout::Layout;
use super::prepared::Prepared;
use super::versions::Versions;
use crate::application::ports::Query;
use crate::domain::changes::Tracking;
use crate::domain::entry::Entry;
use crate::domain::failure::Failure;

/// A plain query over one table, with the locations of its rows.
pub(super) struct Located {
    /// The definition's text, with the location to be read.
    pub(super) sql: String,
    /// The same, with the location to be looked for.
    find: String,
    pub(super) layout: Layout,
}

impl Located {
    pub(super) async fn new(prepared: &Prepared) -> Option<Self> {
        let Prepared { definition, sources, .. } = prepared;
        let is_row = !definition.spec.value.groups_rows();
        let is_plain = matches!(definition.tracking, Tracking::Rows(..)) && is_row;
        // Another server may keep its rows elsewhere.
        if !is_plain || !Arc::ptr_eq(&sources.bulk, &sources.primary) {
            return None;
        }
        let dialect = prepared.dialect();
        let located = dialect.locate(&prepared.sql)?;
        let composer = Composer { sql: &located.read, ..prepared.composer() };
        // The rows of a view lie nowhere.
        let columns =
            sources.bulk.describe(&composer.all(Pick::All, None), &prepared.params).await.ok()?;
        let layout = Layout::new(definition, columns, &definition.documents).ok()?;
        layout.is_versioned().then_some(Self { sql: located.read, find: located.find, layout })
    }

    /// Takes the versions of rows that have not moved since they were read.
    pub(super) async fn versions(
        &self,
        prepared: &Prepared,
        entries: &[Entry<'_>],
        layout: &Layout,
        versions: &mut Versions<'_>,
    ) -> Result<(), Failure> {
        let locations: Vec<u64> = entries.iter().filter_map(|entry| entry.row_location).collect();
        if locations.is_empty() {
            return Ok(());
        }
        let (dialect, mut params) = (prepared.dialect(), prepared.params.clone());
        let is_there = dialect.is_at(&locations, &mut params);
        let composer = Composer { sql: &self.find, ..prepared.composer() };
        let sql = composer.matching(Pick::Versions, &is_there);
        let mut rows = prepared
            .sources
            .primary
            .rows(Query { brief: true, ..prepared.query(sql, params, layout) });
        while let Some(batch) = rows.try_next().await? {
            versions.take(&batch);
        }
        Ok(())
    }
}
