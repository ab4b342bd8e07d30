//! How a database reads a table in ranges of places.

use crate::domain::key_rows::TableName;
use crate::domain::portion::{Portion, TableState};

/// How one database's SQL says where rows lie and whether they have changed.
pub trait PortionSql: Send + Sync {
    /// A plain query over one table, with two more columns that the conditions below use; `None`:
    /// the text does not begin as such a query does.
    fn located(&self, sql: &str) -> Option<String>;

    /// Asks for a [`TableState`]: a row of its four numbers, or none for a table that has no places.
    fn state(&self, table: &TableName) -> String;

    /// That a row lies in this range and has not changed since the state.
    fn within(&self, from: u64, to: u64, state: &TableState) -> String;

    /// That a row has changed since the state, wherever it lies.
    fn changed_since(&self, state: &TableState) -> String;

    /// The number of rows, or another number if the rows of the table have been moved since.
    fn count(&self, table: &TableName, portion: &Portion) -> String;

    /// Places that a block of the table has. Ranges of whole blocks are the cheapest.
    fn places_a_block(&self) -> u64;
}
