//! Ranges of a heap table's blocks; of a table with partitions, the same blocks of each of them.
//!
//! From version 14 on, a condition on `ctid` reads only these blocks, and an update always writes a
//! new row with the `xmin` of its transaction. Nothing but a rewrite of the whole table moves a row
//! and keeps its `xmin`, and then the table has another file.

use super::super::key_ranges::{PLACE, after_select, literal, quoted};
use crate::application::ports::{Param, PortionSql};
use crate::domain::portion::{DrivingTable, TableState};

pub(super) struct PostgresPortions;

/// System columns that stay as they are until the row is written anew.
const OF_EACH_VERSION: &str = "('xmin', 'tableoid')";

/// Always true. pgpool-II, which spreads queries over standbys, sends queries that call this
/// function to the primary.
pub(super) const AT_THE_PRIMARY: &str = "(SELECT pg_is_in_recovery()) IS NOT NULL";

/// The transaction that wrote a row, in a located query.
const WRITER: &str = "_shopwarm_writer";

/// More than a block of the largest size has rows.
const PLACES_A_BLOCK: u64 = 2048;

/// Each query locks all partitions and their indexes, and a server has room for a few thousand locks.
const MAX_PARTITIONS: u64 = 100;

impl PortionSql for PostgresPortions {
    fn located(&self, sql: &str, table: &DrivingTable) -> Option<String> {
        let (columns, alias) = (after_select(sql)?, quoted(&table.alias, '"'));
        Some(format!("SELECT {alias}.ctid AS {PLACE}, {alias}.xmin AS {WRITER},{columns}"))
    }

    /// Views and tables of other storage have no row here. A name that is no column would call a function
    /// with that name.
    fn state(&self, table: &DrivingTable) -> String {
        let alone = table.alone.clone().unwrap_or_default();
        // The size last: a rewrite in between is noticed.
        format!(
            "SELECT txid_snapshot_xmin(s.now) AS horizon, txid_snapshot_xmax(s.now) AS next, \
             {} AS storage, {PLACES_A_BLOCK} * {} / current_setting('block_size')::int8 AS places \
             FROM (SELECT txid_current_snapshot() AS now) s, pg_class c \
             WHERE c.oid = {} AND {} AND has_table_privilege(c.oid, 'SELECT') \
             AND NOT EXISTS (SELECT FROM unnest({}) AS n (name) WHERE NOT EXISTS (SELECT \
             FROM pg_attribute WHERE attrelid = c.oid AND (attnum > 0 OR attname IN {OF_EACH_VERSION}) \
             AND attname = n.name)) \
             AND NOT EXISTS (SELECT FROM pg_proc WHERE proname = ANY({}) \
             AND pronamespace <> 'pg_catalog'::regnamespace) \
             AND current_setting('server_version_num')::int >= 140000 AND {AT_THE_PRIMARY}",
            storage(table),
            of_tree(table, "max(pg_relation_size(tree.oid))"),
            oid(table),
            of_tree(table, &format!("bool_and({IS_HEAP}) AND count(*) <= {MAX_PARTITIONS}")),
            names(&alone.columns),
            names(&alone.functions),
        )
    }

    fn no_state(&self) -> &'static str {
        "it does not read a plain table, the table has more than 100 partitions or a foreign one, this user \
         may not read all of it, or the query calls a function of your own"
    }

    fn within(&self, from: u64, to: u64, _: &mut Vec<Param>) -> String {
        format!("q.{PLACE} >= {} AND q.{PLACE} < {}", tid(from), tid(to))
    }

    fn changed_since(&self, state: &TableState) -> Option<String> {
        Some(format!("age(q.{WRITER}) BETWEEN {}", ages(state)))
    }

    /// A division by zero is not worked out before the query runs, as the storage may change.
    fn is_stored(&self, table: &DrivingTable, state: &TableState) -> String {
        let (now, then) = (storage(table), state.storage);
        format!("(SELECT 1 / CASE {now} WHEN {then} THEN 1 ELSE 0 END) = 1")
    }

    fn first_from(&self, _: &DrivingTable, _: u64) -> Option<String> {
        None
    }

    fn max_readers(&self) -> usize {
        4
    }

    fn places_a_block(&self) -> u64 {
        PLACES_A_BLOCK
    }
}

fn oid(table: &DrivingTable) -> String {
    format!("to_regclass({})", literal(&table.name.name))
}

fn names(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| literal(name)).collect();
    format!("ARRAY[{}]::name[]", names.join(", "))
}

/// What holds rows of a table, or only has partitions.
const IS_HEAP: &str = "(SELECT relkind = 'p' OR relkind = 'r' AND EXISTS \
                       (SELECT FROM pg_am a WHERE a.oid = relam AND a.amname = 'heap') \
                       FROM pg_class WHERE pg_class.oid = tree.oid)";

/// An aggregate over the table and those that have its rows: its partitions, or tables that inherit from it.
fn of_tree(table: &DrivingTable, aggregate: &str) -> String {
    format!(
        "(WITH RECURSIVE tree (oid) AS (SELECT {}::oid UNION SELECT i.inhrelid \
         FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid \
         AND COALESCE(to_jsonb(i) ->> 'inhdetachpending', 'false') = 'false') SELECT {aggregate} FROM tree)",
        oid(table)
    )
}

/// The table's files, what its columns are, and the start of the server: one that was promoted may
/// count its transactions anew.
fn storage(table: &DrivingTable) -> String {
    let alone = table.alone.clone().unwrap_or_default();
    let columns = names(&[alone.columns, alone.given].concat());
    let files = format!(
        "hashtextextended(string_agg(concat_ws(' ', pg_relation_filenode(tree.oid), \
         (SELECT string_agg(concat_ws(' ', t.attnum, t.attname, t.atttypid, t.atttypmod, t.attmissingval, \
         (SELECT string_agg(e.enumlabel, ' ' ORDER BY e.oid) FROM pg_enum e \
         WHERE e.enumtypid = t.atttypid)), ',' ORDER BY t.attnum) \
         FROM pg_attribute t WHERE t.attrelid = tree.oid AND t.attname = ANY({columns}))), \
         ';' ORDER BY tree.oid), 0)"
    );
    let started = "(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8";
    format!("({} # {started})", of_tree(table, &files))
}

fn tid(place: u64) -> String {
    format!("CAST('({},{})' AS tid)", place / PLACES_A_BLOCK, place % PLACES_A_BLOCK)
}

/// The ages of transactions that may have changed something. The database counts transactions with
/// 32 bits: those of long ago seem to lie in the future, and have a negative age.
fn ages(state: &TableState) -> String {
    format!("0 AND (SELECT age(CAST('{}' AS xid)))", state.horizon % (1 << 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_names_blocks_and_a_transaction_of_32_bits() {
        let (from, to) = (2 * PLACES_A_BLOCK, 9 * PLACES_A_BLOCK + 5);
        assert_eq!(
            PostgresPortions.within(from, to, &mut Vec::new()),
            "q._shopwarm_place >= CAST('(2,0)' AS tid) AND q._shopwarm_place < CAST('(9,5)' AS tid)"
        );
        let state = TableState { horizon: (3 << 32) + 700, next: 0, end: 0, storage: 0 };
        let changed = PostgresPortions.changed_since(&state);
        assert_eq!(
            changed.as_deref(),
            Some("age(q._shopwarm_writer) BETWEEN 0 AND (SELECT age(CAST('700' AS xid)))")
        );
    }
}
