//! Ranges of a table that are read, written and verified as one unit.

use super::key_rows::TableName;

/// A table that a query reads row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTable {
    pub name: TableName,
    /// Names that must be columns of the table, as it stores them.
    pub columns: Vec<String>,
    /// Names of columns that the query gives, which may be the table's.
    pub given: Vec<String>,
    /// Functions that must be the database's own.
    pub functions: Vec<String>,
}

/// A table at the moment when a run began to read it in portions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableState {
    /// Every transaction before this one had ended: a row of an earlier transaction has not changed
    /// since.
    pub horizon: u64,
    /// A transaction later than all that had ended.
    pub next: u64,
    /// The place after the last row.
    pub end: u64,
    /// Changes when all rows are moved to other places, when its columns mean something else, or when
    /// the server is another one.
    pub storage: i64,
}

/// A range of places in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portion {
    pub from: u64,
    /// After the last place.
    pub to: u64,
    /// Rows that were read of it. Those that changed after the state are not among them.
    pub rows: u64,
    pub state: TableState,
}

/// Which part of a selection a batch of entries is, if it is read in portions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartOf {
    /// `is_last`: no further batch of the portion follows.
    Portion { portion: Portion, is_last: bool },
    /// What changed while the portions were read.
    Changed,
}
