//! The tables of the database that the URL names.

use std::collections::BTreeMap;

use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Executor as _, Row as _};

use super::super::driver::{Answer, safe};
use super::ask::cell;
use crate::domain::schema::{Kind, Schema, Table, TableColumn, add_keys};

const TABLES: &str = include_str!("sql/tables.sql");

const COLUMNS: &str = include_str!("sql/columns.sql");

const KEYS: &str = include_str!("sql/keys.sql");

const FOREIGN_KEYS: &str = include_str!("sql/foreign_keys.sql");

pub(super) async fn schema(session: &mut MySqlConnection) -> Answer<Schema> {
    let mut tables = BTreeMap::new();
    for row in ask(session, TABLES).await? {
        let name = cell(&row, 0)?;
        let table = Table {
            name: name.clone(),
            is_view: cell(&row, 1)?.contains("VIEW"),
            rows: optional(&row, 2)?.and_then(|rows| rows.parse().ok()),
            ..Table::default()
        };
        tables.insert(name, table);
    }
    for row in ask(session, COLUMNS).await? {
        if let Some(table) = tables.get_mut(&cell(&row, 0)?) {
            table.columns.push(column(&row)?);
        }
    }
    let mut keys = Vec::new();
    for row in ask(session, KEYS).await? {
        let name = cell(&row, 1)?;
        let is_primary = name == "PRIMARY";
        keys.push((cell(&row, 0)?, (name, is_primary, optional(&row, 2)?)));
    }
    let mut references = Vec::new();
    for row in ask(session, FOREIGN_KEYS).await? {
        let (name, column, parent) = (cell(&row, 1)?, cell(&row, 2)?, cell(&row, 3)?);
        references.push((cell(&row, 0)?, (name, column, parent, optional(&row, 4)?)));
    }
    add_keys(&mut tables, &keys, &references);
    Ok(Schema { tables: tables.into_values().collect(), elsewhere: Vec::new() })
}

fn column(row: &MySqlRow) -> Answer<TableColumn> {
    let default = optional(row, 5)?.unwrap_or_default();
    Ok(TableColumn {
        name: cell(row, 1)?,
        declared: cell(row, 2)?,
        kind: kind(&cell(row, 3)?.to_ascii_lowercase()),
        is_nullable: cell(row, 4)? == "YES",
        has_zero_default: default.contains("0000-00-00"),
        length: optional(row, 6)?.and_then(|length| length.parse().ok()),
    })
}

fn kind(data_type: &str) -> Kind {
    match data_type {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" | "bit" => Kind::Integer,
        "decimal" | "float" | "double" => Kind::Number,
        "date" => Kind::Day,
        "datetime" | "timestamp" => Kind::Moment,
        "time" => Kind::Time,
        "json" => Kind::Document,
        name if name.ends_with("char") || name.ends_with("text") => Kind::Text,
        name if name.ends_with("binary") || name.ends_with("blob") => Kind::Binary,
        "enum" | "set" | "uuid" | "inet4" | "inet6" => Kind::Text,
        _ => Kind::Other,
    }
}

async fn ask(session: &mut MySqlConnection, sql: &str) -> Answer<Vec<MySqlRow>> {
    session.fetch_all(sqlx::query(safe(sql))).await
}

fn optional(row: &MySqlRow, at: usize) -> Answer<Option<String>> {
    let bytes: Option<&[u8]> = row.try_get_unchecked(at)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
}
