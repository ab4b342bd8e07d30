//! The tables on the search path.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgRow};

use super::super::driver::Answer;
use super::transaction::{Transaction, unnamed};
use crate::domain::schema::{Kind, Schema, Table, TableColumn, add_keys};

/// Without partitions, whose rows their parents have, and without the tables of extensions.
const LISTED: &str = include_str!("sql/listed.sql");

/// Whether all rows of a table have their `xmin`: those of another server or storage have none.
const HAS_XMIN: &str = "c.relkind IN ('r', 'p') AND NOT EXISTS (SELECT 1 FROM pg_class p
    LEFT JOIN pg_am a ON a.oid = p.relam WHERE (p.relkind = 'f' OR a.amname <> 'heap')
    AND (p.oid = c.oid OR p.oid IN (SELECT relid FROM pg_partition_tree(c.oid))
        OR p.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = c.oid)))";

/// A parent by inheritance has no key that covers its children.
const KEYS: &str = include_str!("sql/keys.sql");

const FOREIGN_KEYS: &str = include_str!("sql/foreign_keys.sql");

const ELSEWHERE: &str = include_str!("sql/elsewhere.sql");

pub(super) async fn schema(transaction: &mut Transaction<'_>) -> Answer<Schema> {
    let sql = format!(
        "SELECT c.relname::text, c.relkind::text, c.reltuples::float8, {HAS_XMIN} {LISTED} ORDER BY 1"
    );
    let mut tables = BTreeMap::new();
    for row in ask(transaction, &sql).await? {
        let (name, kind): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let rows: f64 = row.try_get(2)?;
        let is_table = kind == "r" || kind == "p";
        let table = Table {
            name: name.clone(),
            is_view: !is_table,
            // -1: it was never analysed.
            rows: (kind == "r" && rows >= 0.0).then_some(rows as u64),
            row_version: row.try_get::<bool, _>(3)?.then_some("xmin::text"),
            ..Table::default()
        };
        tables.insert(name, table);
    }
    columns(transaction, &mut tables).await?;
    let mut keys = Vec::new();
    for row in ask(transaction, KEYS).await? {
        let key = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        keys.push((row.try_get(0)?, key));
    }
    let mut references = Vec::new();
    for row in ask(transaction, FOREIGN_KEYS).await? {
        let (name, column, parent) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        references.push((row.try_get(0)?, (name, column, parent, row.try_get(4)?)));
    }
    add_keys(&mut tables, &keys, &references);
    let mut elsewhere = Vec::new();
    for row in ask(transaction, ELSEWHERE).await? {
        let count: i64 = row.try_get(1)?;
        elsewhere.push((row.try_get(0)?, count.unsigned_abs()));
    }
    Ok(Schema { tables: tables.into_values().collect(), elsewhere })
}

async fn columns(
    transaction: &mut Transaction<'_>,
    tables: &mut BTreeMap<String, Table>,
) -> Answer<()> {
    let sql = format!(
        "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
             coalesce(b.typname, t.typname)::text, coalesce(b.typtype, t.typtype)::text,
             NOT (a.attnotnull OR t.typnotnull)
         FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
         LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
         JOIN (SELECT c.oid, c.relname {LISTED}) c ON c.oid = a.attrelid
         WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum"
    );
    for row in ask(transaction, &sql).await? {
        let (table, base): (String, String) = (row.try_get(0)?, row.try_get(3)?);
        let class: String = row.try_get(4)?;
        let column = TableColumn {
            name: row.try_get(1)?,
            declared: row.try_get(2)?,
            kind: if class == "e" { Kind::Text } else { kind(&base) },
            is_nullable: row.try_get(5)?,
            has_zero_default: false,
            length: None,
        };
        if let Some(table) = tables.get_mut(&table) {
            table.columns.push(column);
        }
    }
    Ok(())
}

fn kind(base: &str) -> Kind {
    match base {
        "int2" | "int4" | "int8" | "oid" => Kind::Integer,
        "numeric" | "float4" | "float8" => Kind::Number,
        "text" | "varchar" | "bpchar" | "char" | "name" | "citext" | "uuid" => Kind::Text,
        "bool" => Kind::Bool,
        "timestamp" | "timestamptz" => Kind::Moment,
        "date" => Kind::Day,
        "time" | "timetz" => Kind::Time,
        "json" | "jsonb" => Kind::Document,
        "bytea" => Kind::Binary,
        _ => Kind::Other,
    }
}

async fn ask(transaction: &mut Transaction<'_>, sql: &str) -> Answer<Vec<PgRow>> {
    let rows = unnamed(sql, PgArguments::default());
    rows.fetch_all(transaction.connection()).await
}
