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
use crate::application::ports::{PortionSql, Query, Scan};
use crate::domain::digest::Digest;
use crate::domain::entry::Entry;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::portion::{DrivingTable, Portion, TableState};
use crate::domain::row::{Column, RowBatch};

/// Rows of a table from which a query of a portion must not scan it.
const MANY_ROWS: u64 = 10_000;

/// Rows of a portion with joins: few enough for the database to look up what is joined to each of them,
/// rather than to read other tables from end to end.
const ROWS_WITH_JOINS: u64 = 4096;

/// A plain query, with the places of the rows of its driving table.
pub(super) struct Portions {
    table: DrivingTable,
    pub(super) sql: &'static dyn PortionSql,
    /// The definition's text, with the columns that conditions on places need.
    located: String,
}

/// Why a definition is not read in portions.
pub(super) enum Undivided {
    /// For people.
    Because(String),
    /// It is not known, as the database did not answer.
    Failed(Failure),
}

impl<T: Into<String>> From<T> for Undivided {
    fn from(why: T) -> Self {
        Self::Because(why.into())
    }
}

impl From<Failure> for Undivided {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            FailureKind::Query => {
                Self::Because(format!("the database refuses its parts: {}", failure.why))
            }
            _ => Self::Failed(failure),
        }
    }
}

impl Portions {
    /// # Errors
    /// Why the definition is read in one stream.
    pub(super) async fn new(prepared: &Prepared) -> Result<Self, Undivided> {
        let Prepared { definition, layout, sources, .. } = prepared;
        let mut table = definition.in_portions().map_err(Undivided::Because)?.clone();
        if let Some(alone) = &mut table.alone {
            alone.given.extend(layout.columns.iter().map(|column| column.name.clone()));
        }
        if sources.names_a_primary() {
            return Err("--primary-url names another server".into());
        }
        let sql = prepared.dialect().portions();
        let located = sql.located(&prepared.sql, &table);
        let located = located.ok_or("its SQL does not begin with a plain SELECT")?;
        let portions = Self { table, sql, located };
        let state = match portions.state(prepared).await {
            Err(failure) if failure.kind == FailureKind::Query => None,
            state => state?,
        };
        let state = state.ok_or(sql.no_state())?;
        portions.check_joins(prepared).await?;
        portions.check_plans(prepared, &state).await?;
        Ok(portions)
    }

    /// Portions read the whole table, each of them a part of it.
    async fn check_plans(&self, prepared: &Prepared, state: &TableState) -> Result<(), Undivided> {
        let whole = prepared.plan(None).await?;
        let names = [Some(&self.table.alias), self.table.name.parts.last()];
        let is_driving = |scan: &&Scan| {
            names.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(&scan.table))
        };
        let scan = whole.scans.iter().find(is_driving);
        if scan.is_none() && !self.table.is_whole {
            return Err("the database would not scan its first table".into());
        }
        let rows = scan.and_then(|scan| scan.rows).unwrap_or(ROWS_WITH_JOINS);
        let width = state.end as f64 * ROWS_WITH_JOINS as f64 / rows.max(1) as f64;
        let middle = state.end / 2;
        let within = self.sql.within(middle, middle.saturating_add(width as u64), state);
        let columns = Pick::Columns(&prepared.layout.columns);
        let part = self.composer(prepared).matching(columns, &within);
        let part = prepared.sources.bulk.plan(&part, &prepared.params).await?;
        let mut scans = part.scans.iter().filter(is_driving);
        match scans.any(|scan| scan.rows.is_none_or(|rows| rows >= MANY_ROWS)) {
            true => Err("the database would scan its table for each portion".into()),
            false => Ok(()),
        }
    }

    /// A row of the table is one row of the query, so that a portion has a bounded number of rows.
    async fn check_joins(&self, prepared: &Prepared) -> Result<(), Undivided> {
        let Some(joined) = &self.table.joined else {
            return Ok(());
        };
        let mut unique = Vec::new();
        for table in &joined.tables {
            unique.push(prepared.sources.bulk.unique_keys(table).await?);
        }
        match joined.multiplying(&unique) {
            Some(table) => {
                Err(format!("several rows of {} may be joined to one", table.name).into())
            }
            None => Ok(()),
        }
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
        let sql = self.composer(prepared).matching(pick, &self.within(range, state));
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

    /// The indexes of entries that are no longer in their portion as they were.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn overtaken(
        &self,
        prepared: &Prepared,
        portion: &Portion,
        entries: &[Entry<'_>],
    ) -> Result<Vec<usize>, Failure> {
        let now = match self.changed_values(prepared, portion).await {
            Ok(None) => return Ok(Vec::new()),
            Ok(Some(now)) => now,
            Err(failure) if failure.kind != FailureKind::Query => return Err(failure),
            Err(failure) => match self.state(prepared).await? {
                Some(now) if now.storage == portion.state.storage => return Err(failure),
                _ => HashMap::new(),
            },
        };
        let is_other = |entry: &Entry<'_>| now.get(entry.key) != Some(&Digest::of(entry.value));
        let others = entries.iter().enumerate().filter(|(_, entry)| is_other(entry));
        Ok(others.map(|(i, _)| i).collect())
    }

    /// The values that a portion has now, without those that are known to have changed; `None`: as all
    /// rows tell, none has.
    async fn changed_values(
        &self,
        prepared: &Prepared,
        Portion { from, to, rows, state }: &Portion,
    ) -> Result<Option<HashMap<Vec<u8>, Digest>>, Failure> {
        let composer = self.composer(prepared);
        if self.table.alone.is_some() {
            let within = self.within((*from, *to), state);
            let count = prepared.count(composer.counted("count(*)", &within)).await?;
            if count == *rows {
                return Ok(None);
            }
        }
        let layout = &prepared.layout;
        let reading = Reading { composer, pick: Pick::Columns(&layout.columns), layout };
        let rows = self.rows(prepared, reading, (*from, *to), state);
        let entries = Assembly::new(Some(rows), Assembler::new(layout, usize::MAX)).into_stream();
        let mut batches = stored(entries, prepared.definition.spec.coding, true);
        let mut now = HashMap::new();
        while let Some(batch) = batches.try_next().await? {
            now.extend(batch.iter().map(|entry| (entry.key.to_vec(), Digest::of(entry.value))));
        }
        Ok(Some(now))
    }

    /// That a row lies in a range as it did, or an error where the table was rewritten.
    fn within(&self, (from, to): (u64, u64), state: &TableState) -> String {
        let within = self.sql.within(from, to, state);
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
               or the server was restarted";
    Failure::new(FailureKind::GaveWay, what, why).hint("run again when the table is at rest")
}
