//! Ranges of a table that are read, written and verified as one unit.

/// A table at the moment when a run began to read it in portions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableState {
    /// Every transaction before this one had ended: a row of an earlier transaction has not changed
    /// since.
    pub horizon: u64,
    /// The first transaction that had not begun.
    pub next: u64,
    /// The place after the last row.
    pub end: u64,
    /// Changes when all rows are moved to other places, or the server is another one.
    pub storage: u64,
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

/// Which portion a batch of entries is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartOf {
    pub portion: Portion,
    /// No further batch of the portion follows.
    pub is_last: bool,
}
