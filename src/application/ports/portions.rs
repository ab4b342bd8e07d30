//! How a database reads a table in ranges of places.

use super::param::Param;
use crate::domain::portion::{DrivingTable, TableState};

/// How one database's SQL says where rows lie and whether they have changed.
pub trait PortionSql: Send + Sync {
    /// A plain query with more columns, which the conditions below use; `None`: the text
    /// does not begin as such a query does.
    fn located(&self, sql: &str, table: &DrivingTable) -> Option<String>;

    /// Asks for a [`TableState`]: a row of its four numbers; an error, none or a negative one for a table
    /// that has no places, or of which the query may read less or more than its rows.
    fn state(&self, table: &DrivingTable) -> String;

    /// Why a table has no state, for people.
    fn no_state(&self) -> &'static str;

    /// That a row lies in this range. Databases that keep prepared statements get the range as parameters,
    /// so that one statement serves all portions.
    fn within(&self, from: u64, to: u64, params: &mut Vec<Param>) -> String;

    /// An error where the storage is not the one in the state, if the database can tell within a query;
    /// otherwise true.
    fn is_stored(&self, _table: &DrivingTable, _state: &TableState) -> String {
        "1 = 1".to_owned()
    }

    /// That a row has changed since the state, wherever it lies; `None`: rows do not tell, but they stay
    /// in their places, and new ones come after the last.
    fn changed_since(&self, state: &TableState) -> Option<String>;

    /// Asks for the first place with a row, from a place on; `None`: there are no long gaps.
    fn first_from(&self, table: &DrivingTable, from: u64) -> Option<String>;

    /// How many portions may be read at the same time if nothing else was asked for. More than one only
    /// where a row that moves while they are read cannot be missed.
    fn max_readers(&self) -> usize {
        1
    }

    /// Places that are read at once. Ranges of several such blocks are the cheapest.
    fn places_a_block(&self) -> u64;
}
