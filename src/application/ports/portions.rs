//! How a database reads a table in ranges of places.

use crate::domain::portion::{OneTable, Portion, TableState};

/// How one database's SQL says where rows lie and whether they have changed.
pub trait PortionSql: Send + Sync {
    /// A plain query over one table, with two more columns that the conditions below use; `None`:
    /// the text does not begin as such a query does.
    fn located(&self, sql: &str) -> Option<String>;

    /// Asks for a [`TableState`]: a row of its four numbers; none for a table that has no places, or of
    /// which the query may read less or more than its rows.
    fn state(&self, table: &OneTable) -> String;

    /// That a row lies in this range and has not changed since the state.
    fn within(&self, from: u64, to: u64, state: &TableState) -> String;

    /// True of the storage in the state, or else an error.
    fn is_stored(&self, table: &OneTable, state: &TableState) -> String;

    /// That a row has changed since the state, wherever it lies.
    fn changed_since(&self, state: &TableState) -> String;

    /// The number of rows, or a far larger one if the storage is another one.
    fn count(&self, table: &OneTable, portion: &Portion) -> String;

    /// Places that a block of the table has. Ranges of whole blocks are the cheapest.
    fn places_a_block(&self) -> u64;
}
