//! Ranges of a table's integer key. A row keeps its key, and what is added should have a higher one.

use crate::application::ports::{Param, PortionSql};
use crate::domain::portion::{DrivingTable, TableState};

/// The place of a row, in a located query.
pub(super) const PLACE: &str = "_shopwarm_place";

/// Rows that are about as cheap to read as one.
const ROWS_A_BLOCK: u64 = 64;

/// A database that has a name for the integer key of any table.
pub(super) struct KeyRanges {
    pub(super) key: &'static str,
    /// Changes when rows get other keys; an error where the table has no such key.
    pub(super) storage: fn(&DrivingTable) -> String,
    pub(super) no_state: &'static str,
}

impl PortionSql for KeyRanges {
    fn located(&self, sql: &str, table: &DrivingTable) -> Option<String> {
        let columns = after_select(sql)?;
        let place = format!("{}.{} AS {PLACE}", quoted(&table.alias, '`'), self.key);
        // MySQL takes a bare * in front only.
        Some(match columns.trim_start().strip_prefix('*') {
            Some(rest) => format!("SELECT *, {place}{rest}"),
            None => format!("SELECT {place},{columns}"),
        })
    }

    fn state(&self, table: &DrivingTable) -> String {
        let (key, name, storage) = (self.key, &table.name.name, (self.storage)(table));
        let end = "CASE WHEN b.lowest < 0 THEN -1 ELSE COALESCE(b.highest + 1, 0) END";
        format!(
            "SELECT {end} AS horizon, {end} AS next, {storage} AS storage, {end} AS places \
             FROM (SELECT (SELECT min({key}) FROM {name}) AS lowest, \
             (SELECT max({key}) FROM {name}) AS highest) b"
        )
    }

    fn no_state(&self) -> &'static str {
        self.no_state
    }

    fn within(&self, from: u64, to: u64, params: &mut Vec<Param>) -> String {
        params.extend([from, to].map(|place| Param::Int(place.min(i64::MAX as u64) as i64)));
        format!("q.{PLACE} >= ? AND q.{PLACE} < ?")
    }

    fn changed_since(&self, _: &TableState) -> Option<String> {
        None
    }

    fn first_from(&self, table: &DrivingTable, from: u64) -> Option<String> {
        let (key, name, last) = (self.key, &table.name.name, i64::MAX);
        Some(format!("SELECT COALESCE(min({key}), {last}) AS n FROM {name} WHERE {key} >= {from}"))
    }

    fn places_a_block(&self) -> u64 {
        ROWS_A_BLOCK
    }
}

/// What follows SELECT in a query that begins with it.
pub(super) fn after_select(sql: &str) -> Option<&str> {
    let (select, rest) = sql.trim_start().split_at_checked("SELECT".len())?;
    let is_select = select.eq_ignore_ascii_case("SELECT") && rest.starts_with(char::is_whitespace);
    // The database reads hints only right after SELECT.
    (is_select && !rest.trim_start().starts_with("/*")).then_some(rest)
}

pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

pub(super) fn quoted(name: &str, quote: char) -> String {
    format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_query_that_begins_with_select_has_places() {
        assert_eq!(after_select("  select id FROM t"), Some(" id FROM t"));
        assert_eq!(after_select("(SELECT id FROM t)"), None);
        assert_eq!(after_select("SELECTED"), None);
        assert_eq!(after_select("TABLE t"), None);
        assert_eq!(after_select("SELECT /*+ NO_INDEX_MERGE(t) */ id FROM t"), None);
    }
}
