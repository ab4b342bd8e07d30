//! Whether a definition can be read in portions, as its text, its tables and the database's plans tell.

use super::compose::Pick;
use super::portions::{Portions, ROWS_WITH_JOINS};
use super::prepared::Prepared;
use crate::application::ports::Scan;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::portion::TableState;

/// Rows of a table from which on a query of a portion must not scan it.
const MANY_ROWS: u64 = 10_000;

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
            let mut scanned = scan.names.iter().chain([&scan.table]);
            scanned.any(|table| names.iter().flatten().any(|name| name.eq_ignore_ascii_case(table)))
        };
        let scan = whole.scans.iter().find(is_driving);
        if scan.is_none() && !self.table.is_whole {
            return Err("the database would not scan its first table".into());
        }
        let rows = scan.and_then(|scan| scan.rows).unwrap_or(ROWS_WITH_JOINS);
        let width = state.end as f64 * ROWS_WITH_JOINS as f64 / rows.max(1) as f64;
        let middle = state.end / 2;
        let mut params = prepared.params.clone();
        let range = (middle, middle.saturating_add(width as u64));
        let within = self.sql.within(range.0, range.1, &mut params);
        let columns = Pick::Columns(&prepared.layout.columns);
        let part = self.composer(prepared).matching(columns, &within);
        let part = prepared.sources.bulk.plan(&part, &params).await?;
        match part.scans.iter().any(|scan| scan.rows.is_none_or(|rows| rows >= MANY_ROWS)) {
            true => Err("the database may scan a large table for each portion".into()),
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
            unique.push(prepared.unique_keys(table).await?);
        }
        match joined.multiplying(&unique) {
            Some(table) => {
                Err(format!("several rows of {} may be joined to one", table.name).into())
            }
            None => Ok(()),
        }
    }
}
