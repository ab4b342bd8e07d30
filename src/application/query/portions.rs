//! A definition that is read in portions: where its rows lie, and which have changed since.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;

use super::compose::{Composer, Pick};
use super::layout::Layout;
use super::prepared::{Prepared, Reading};
use crate::application::ports::{PortionSql, Query};
use crate::domain::entry::Entry;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::portion::{OneTable, Portion, TableState};
use crate::domain::row::{Column, RowBatch};

/// A plain query over one table, with the places of its rows.
pub(super) struct Portions {
    table: OneTable,
    pub(super) sql: &'static dyn PortionSql,
    /// The definition's text, with the columns that conditions on places need.
    located: String,
    keys: Layout,
}

impl Portions {
    /// # Errors
    /// Why the definition is read in one stream, for people.
    pub(super) async fn new(prepared: &Prepared) -> Result<Self, String> {
        let Prepared { definition, layout, sources, .. } = prepared;
        let mut table = definition.in_portions()?.clone();
        table.given.extend(layout.columns.iter().map(|column| column.name.clone()));
        if !Arc::ptr_eq(&sources.bulk, &sources.primary) {
            return Err("--primary-url names another server".to_owned());
        }
        let sql = prepared.dialect().portions();
        let sql = sql.ok_or("the database does not say where rows lie")?;
        let keys = layout.of_key(definition).ok_or("its key has no column")?;
        let located = sql.located(&prepared.sql).ok_or("its SQL does not begin with SELECT")?;
        let portions = Self { table, sql, located, keys };
        let state = portions.state(prepared).await.map_err(|failure| failure.why)?;
        state.ok_or(
            "its table is partitioned or inherited, this user may not read all of it, or the query \
             calls a function of your own",
        )?;
        let text = portions.composer(prepared).all(Pick::Columns(&layout.columns), None);
        let described = sources.bulk.describe(&text, &prepared.params).await;
        described.map(|_| portions).map_err(|failure| failure.why)
    }

    pub(super) fn composer<'a>(&'a self, prepared: &'a Prepared) -> Composer<'a> {
        Composer { sql: &self.located, ..prepared.composer() }
    }

    /// The table as it is now; `None`: its rows have no places.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn state(&self, prepared: &Prepared) -> Result<Option<TableState>, Failure> {
        let label = prepared.definition.spec.id.to_string();
        let columns = ["horizon", "next", "storage", "places"].map(Column::integer);
        let sql = self.sql.state(&self.table);
        let query = Query { brief: true, ..Query::new(label, sql, Arc::new(columns)) };
        let mut rows = prepared.sources.primary.rows(query);
        let mut state = None;
        // To the end: an unfinished query costs its connection.
        while let Some(batch) = rows.try_next().await? {
            state = state_of(&batch);
        }
        Ok(state)
    }

    /// The rows of a range that have not changed since the state.
    pub(super) fn rows(
        &self,
        prepared: &Prepared,
        Reading { pick, layout, .. }: Reading<'_>,
        range: (u64, u64),
        state: &TableState,
    ) -> BoxStream<'static, Result<RowBatch, Failure>> {
        let within = self.sql.within(range.0, range.1, state);
        let within = format!("{within} AND {}", self.sql.is_stored(&self.table, state));
        let sql = self.composer(prepared).matching(pick, &within);
        let query = prepared.query(sql, prepared.params.clone(), layout);
        prepared.sources.primary.rows(Query { brief: true, ..query })
    }

    /// All rows that have changed since the state; `brief`: they are few.
    pub(super) fn changed(
        &self,
        prepared: &Prepared,
        Reading { pick, layout, .. }: Reading<'_>,
        state: &TableState,
        brief: bool,
    ) -> BoxStream<'static, Result<RowBatch, Failure>> {
        let is_stored = self.sql.is_stored(&self.table, state);
        let changed = format!("{} AND {is_stored}", self.sql.changed_since(state));
        let sql = self.composer(prepared).matching(pick, &changed);
        let query = prepared.query(sql, prepared.params.clone(), layout);
        prepared.sources.primary.rows(Query { brief, ..query })
    }

    /// The indexes of entries with rows that are no longer in their portion as they were.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn overtaken(
        &self,
        prepared: &Prepared,
        portion: &Portion,
        entries: &[Entry<'_>],
    ) -> Result<Vec<usize>, Failure> {
        let Portion { from, to, rows, state } = portion;
        let within = self.sql.within(*from, *to, state);
        let count = self.sql.count(&self.table, portion);
        let count = prepared.count(self.composer(prepared).counted(&count, &within)).await?;
        if count == *rows {
            return Ok(Vec::new());
        }
        // More rows than there were cannot be the same rows.
        if count > *rows {
            return Ok((0..entries.len()).collect());
        }
        let composer = self.composer(prepared);
        let reading = Reading { composer, pick: Pick::Keys, layout: &self.keys };
        let mut there = HashSet::new();
        let mut key = Vec::new();
        let mut rows = self.rows(prepared, reading, (*from, *to), state);
        while let Some(batch) = rows.try_next().await? {
            for i in 0..batch.len() {
                key.clear();
                if self.keys.key(batch.row(i), &mut key).is_ok() {
                    there.insert(key.clone());
                }
            }
        }
        let entries = entries.iter().enumerate();
        let gone = entries.filter(|(_, entry)| !there.contains(entry.key));
        Ok(gone.map(|(i, _)| i).collect())
    }
}

fn state_of(batch: &RowBatch) -> Option<TableState> {
    let number = |column| {
        let text = batch.row(0).text(column).ok()??;
        std::str::from_utf8(&text).ok()?.parse::<i64>().ok()
    };
    let positive = |column| u64::try_from(number(column)?).ok();
    let (horizon, next) = (positive(0)?, positive(1)?);
    Some(TableState { horizon, next, storage: number(2)?, end: positive(3)? })
}

/// The table's rows may have been moved while they were read, so that some were missed.
pub(super) fn moved(prepared: &Prepared) -> Failure {
    let what = format!("{}: begins again", prepared.definition.spec.id);
    let why = "its table was rewritten while it was read (VACUUM FULL, CLUSTER, a migration), or the \
               server was restarted";
    Failure::new(FailureKind::GaveWay, what, why).hint("run again when the table is at rest")
}
