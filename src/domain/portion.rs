//! Ranges of a table that are read, written and verified as one unit.

use serde::{Deserialize, Serialize};

use super::key_rows::{KeyRows, TableName};

/// The table that a query begins with. It may join others to each of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrivingTable {
    pub name: TableName,
    /// What the query calls it.
    pub alias: String,
    /// What is joined to its rows.
    pub joined: Option<KeyRows>,
    /// Each of its rows is in the result.
    pub is_whole: bool,
    /// What the query takes from it, if its rows alone tell whether what the query gives has changed.
    pub alone: Option<Alone>,
}

/// What a query takes from its only table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alone {
    /// Names that must be columns of the table, as it stores them.
    pub columns: Vec<String>,
    /// Names of columns that the query gives, which may be the table's.
    pub given: Vec<String>,
    /// Functions that must be the database's own.
    pub functions: Vec<String>,
}

/// A table at the moment when a run began to read it in portions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableState {
    /// Rows of earlier transactions, which had all ended, or with lower keys, were there already.
    pub horizon: u64,
    /// Higher than all transactions that had ended, or than all keys.
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
    /// Rows that were read of it, without those that are known to have changed since the state.
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
    /// Keys of an earlier run, which are not read again; the batch is empty.
    TakenOver { keys: u64 },
}
