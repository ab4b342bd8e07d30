//! What the rows of a table say.

use crate::domain::row::Columns;

/// Tables with more rows than this are warmed only in part.
pub(super) const MANY: u64 = 100_000;

/// How many rows of such a table are warmed.
pub(super) const SOME: u64 = 10_000;

#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Exact unless `is_large`.
    pub(super) rows: u64,
    /// It has more rows than [`MANY`].
    pub(super) is_large: bool,
    /// By the table's own key.
    pub(super) key: Group,
    /// By each foreign key, in its order.
    pub(super) references: Vec<Group>,
    /// Columns that are not declared as moments, and hold moments of one format in all rows.
    pub(super) moments: Vec<String>,
    /// As the database describes the columns that are read.
    pub(super) columns: Option<Columns>,
    /// Why it cannot be read at all.
    pub(super) out: Option<String>,
}

/// The rows by the values of some columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    /// The columns can be read.
    pub(super) is_known: bool,
    /// Rows in which no column of it is NULL or empty.
    pub(super) filled: u64,
    /// One is empty in some rows, or NULL.
    pub(super) has_blanks: bool,
    pub(super) distinct: u64,
    /// The most rows with the same values.
    pub(super) most: u64,
}
