//! A definition that is read in portions: where its rows lie, and which have changed since.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;

use super::assembler::Assembler;
use super::assembly::Assembly;
use super::compose::{Composer, Pick};
use super::encoded::stored;
use super::prepared::{Prepared, Reading};
use crate::application::ports::{Dividing, Entries, Overtaken, Param, PortionSql, Query};
use crate::domain::checkpoint::FinishedPortions;
use crate::domain::entry::{Entry, EntryBatch};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::portion::{DrivingTable, Portion, TableState};
use crate::domain::row::{Column, RowBatch};

/// Rows of a portion with joins: few enough for the database to look up what is joined to each of them,
/// rather than to read other tables from end to end.
pub(super) const ROWS_WITH_JOINS: u64 = 4096;

/// Blocks that are counted at once.
const SLICE_BLOCKS: u64 = 8192;

/// A plain query, with the places of the rows of its driving table.
pub(super) struct Portions {
    pub(super) table: DrivingTable,
    pub(super) sql: &'static dyn PortionSql,
    /// The definition's text, with the columns that conditions on places need.
    pub(super) located: String,
}

impl Portions {
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

    /// The table's state, and how to read it, if an earlier run has finished some of it; with an empty batch
    /// that says so.
    pub(super) fn resumed(
        &self,
        now: TableState,
        mut how: Dividing,
    ) -> (TableState, Dividing, Option<EntryBatch>) {
        let Some(finished) = how.finished.take() else {
            return (now, how, None);
        };
        if finished.state.storage != now.storage {
            let why = "its table was rewritten or replaced, or the server was restarted";
            let mut none = EntryBatch::default();
            none.warnings.push(format!("all of it is warmed: {why}"));
            return (now, how, Some(none));
        }
        let state = TableState { end: now.end.max(finished.state.end), ..finished.state };
        let taken_over = EntryBatch::taken_over(finished.keys);
        how.finished = Some(finished);
        (state, how, Some(taken_over))
    }

    /// How many keys of finished portions have not changed since, and so were not given again. What is
    /// joined would have to be looked up: there, and where the database does not answer, all are.
    pub(super) async fn count_finished(
        &self,
        prepared: &Prepared,
        finished: &FinishedPortions,
    ) -> u64 {
        let mut keys = 0;
        let slice = SLICE_BLOCKS * self.sql.places_a_block();
        for (from, end) in finished.ranges.iter().filter(|_| self.table.joined.is_none()) {
            let mut from = *from;
            while from < *end {
                let to = end.min(&from.saturating_add(slice)).to_owned();
                match self.count_unchanged(prepared, (from, to), &finished.state).await {
                    Ok(counted) => keys += counted,
                    Err(_) => return finished.keys,
                }
                from = to;
            }
        }
        if self.table.joined.is_some() { finished.keys } else { keys.min(finished.keys) }
    }

    /// The rows of a range that have not changed since the state.
    pub(super) fn rows(
        &self,
        prepared: &Prepared,
        Reading { pick, layout, .. }: Reading<'_>,
        range: (u64, u64),
        state: &TableState,
    ) -> BoxStream<'static, Result<RowBatch, Failure>> {
        let mut params = prepared.params.clone();
        let unchanged = self.unchanged(range, state, &mut params);
        let sql = self.composer(prepared).matching(pick, &unchanged);
        let query = prepared.query(sql, params, layout);
        prepared.sources.primary.rows(Query { brief: true, ..query })
    }

    /// All rows that have changed since the state, by a condition that tells; `brief`: they are few.
    pub(super) fn changed(
        &self,
        prepared: &Prepared,
        Reading { pick, layout, .. }: Reading<'_>,
        (changed, state): (&str, &TableState),
        brief: bool,
    ) -> BoxStream<'static, Result<RowBatch, Failure>> {
        let changed = format!("{changed} AND {}", self.sql.is_stored(&self.table, state));
        let sql = self.composer(prepared).matching(pick, &changed);
        let query = prepared.query(sql, prepared.params.clone(), layout);
        prepared.sources.primary.rows(Query { brief, ..query })
    }

    /// How many rows a portion has at most.
    pub(super) fn max_rows(&self) -> u64 {
        if self.table.joined.is_some() { ROWS_WITH_JOINS } else { u64::MAX }
    }

    /// The first place that may have a row, from a place on.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn first_from(&self, prepared: &Prepared, from: u64) -> Result<u64, Failure> {
        let Some(sql) = self.sql.first_from(&self.table, from) else {
            return Ok(from);
        };
        let label = prepared.definition.spec.id.to_string();
        Query::counting(label, sql).number(prepared.sources.primary.as_ref()).await
    }

    /// Which entries of a portion are no longer in it as they were.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn overtaken(
        &self,
        prepared: &Prepared,
        portion: &Portion,
        entries: &[Entry<'_>],
    ) -> Result<Overtaken, Failure> {
        match self.compared(prepared, portion, entries).await {
            Err(failure) if failure.kind == FailureKind::Query => {
                match self.state(prepared).await? {
                    Some(now) if now.storage == portion.state.storage => Err(failure),
                    // Nothing lies where it was.
                    _ => {
                        let indexes = (0..entries.len()).collect();
                        Ok(Overtaken { indexes, now: EntryBatch::default() })
                    }
                }
            }
            compared => compared,
        }
    }

    async fn compared(
        &self,
        prepared: &Prepared,
        portion: &Portion,
        entries: &[Entry<'_>],
    ) -> Result<Overtaken, Failure> {
        let range = (portion.from, portion.to);
        if self.table.alone.is_some()
            && self.count_unchanged(prepared, range, &portion.state).await? == portion.rows
        {
            return Ok(Overtaken::default());
        }
        let places = entries.iter().enumerate().map(|(i, entry)| (entry.key, i));
        let places: HashMap<&[u8], usize> = places.collect();
        let mut is_same = vec![false; entries.len()];
        let mut now = EntryBatch::default();
        let mut batches = self.current(prepared, portion);
        while let Some(batch) = batches.try_next().await? {
            for entry in batch.iter() {
                if let Some(i) = places.get(entry.key) {
                    is_same[*i] = entry.value == entries[*i].value;
                    if !is_same[*i] {
                        now.push(entry);
                    }
                }
            }
            now.failed.extend(batch.failed);
        }
        let indexes = (0..entries.len()).filter(|i| !is_same[*i]).collect();
        Ok(Overtaken { indexes, now })
    }

    /// How many rows of a range are not known to have changed since the state.
    async fn count_unchanged(
        &self,
        prepared: &Prepared,
        range: (u64, u64),
        state: &TableState,
    ) -> Result<u64, Failure> {
        let mut params = prepared.params.clone();
        let unchanged = self.unchanged(range, state, &mut params);
        prepared.count(self.composer(prepared).counted("count(*)", &unchanged), params).await
    }

    /// All entries that lie in a portion now.
    fn current<'a>(&'a self, prepared: &'a Prepared, portion: &Portion) -> Entries<'a> {
        let layout = &prepared.layout;
        let mut params = prepared.params.clone();
        let within = self.within((portion.from, portion.to), &portion.state, &mut params);
        let sql = self.composer(prepared).matching(Pick::Columns(&layout.columns), &within);
        let query = Query { brief: true, ..prepared.query(sql, params, layout) };
        let rows = prepared.sources.primary.rows(query);
        let entries = Assembly::new(Some(rows), Assembler::new(layout, usize::MAX)).into_stream();
        stored(entries, prepared.definition.spec.coding, true)
    }

    /// That a row lies in a range and is not known to have changed since the state.
    fn unchanged(&self, range: (u64, u64), state: &TableState, params: &mut Vec<Param>) -> String {
        let within = self.within(range, state, params);
        match self.sql.changed_since(state) {
            Some(changed) => format!("{within} AND NOT ({changed})"),
            None => within,
        }
    }

    /// That a row lies in a range, or an error where the table was rewritten.
    fn within(
        &self,
        (from, to): (u64, u64),
        state: &TableState,
        params: &mut Vec<Param>,
    ) -> String {
        let within = self.sql.within(from, to, params);
        format!("{within} AND {}", self.sql.is_stored(&self.table, state))
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
    let why = "its table was rewritten or replaced while it was read (by VACUUM, CLUSTER or a migration), \
               a partition was attached or detached, or the server was restarted";
    Failure::new(FailureKind::GaveWay, what, why).hint("run again when the table is at rest")
}
