//! How it can be told which rows of a selection have changed.

/// What a definition's SQL says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// A value may change although no `_changed_at` says so; why, for people.
    None(String),
    /// A value changes with its own `_changed_at` only: the keys of the selection and whether each
    /// has changed say everything.
    Keys {
        /// Why changed rows alone do not.
        why: String,
    },
    /// Besides, whether a row is in the selection depends on nothing but itself: the changed rows
    /// of its table say everything.
    Rows(TrackedTable),
}

/// The one table that a definition reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedTable {
    /// As the SQL names it, quotes and schema too.
    pub name: String,
    /// The table's columns that the columns of the key's template are, in the template's order;
    /// names as the database stores them.
    pub key: Vec<String>,
    /// The table's column that `_changed_at` is.
    pub changed_at: String,
}
