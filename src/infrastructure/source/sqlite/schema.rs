//! The tables of the file.

use sqlx::sqlite::SqliteConnection;

use super::super::driver::{Answer, safe};
use super::columns::{Affinity, affinity};
use super::tables::unique_keys;
use crate::domain::key_rows::{TableName, UniqueKeys};
use crate::domain::schema::{ForeignKey, Kind, Schema, Table, TableColumn, foreign_keys};

/// Without SQLite's own tables, and those behind virtual ones.
const TABLES: &str = "
    SELECT name, type FROM pragma_table_list
    WHERE schema = 'main' AND type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
    ORDER BY name";

pub(super) async fn schema(session: &mut SqliteConnection) -> Answer<Schema> {
    let named: Vec<(String, String)> =
        sqlx::query_as(safe(TABLES)).fetch_all(&mut *session).await?;
    let mut tables = Vec::new();
    for (name, kind) in named {
        let is_view = kind == "view";
        let of_keys = TableName { name: name.clone(), parts: vec![name.clone()] };
        tables.push(Table {
            is_view,
            columns: columns(session, &name).await.unwrap_or_default(),
            keys: match is_view {
                true => UniqueKeys::default(),
                false => unique_keys(session, &of_keys).await?,
            },
            foreign_keys: references(session, &name).await?,
            name,
            ..Table::default()
        });
    }
    Ok(Schema { tables, elsewhere: Vec::new() })
}

async fn columns(session: &mut SqliteConnection, table: &str) -> Answer<Vec<TableColumn>> {
    // A hidden column of a virtual table is none that can be read by its place.
    let sql =
        "SELECT name, upper(type), \"notnull\" = 0 FROM pragma_table_xinfo(?1) WHERE hidden <> 1";
    let rows: Vec<(String, String, bool)> =
        sqlx::query_as(sql).bind(table).fetch_all(session).await?;
    let column = |(name, declared, is_nullable): (String, String, bool)| TableColumn {
        kind: kind(&declared),
        name,
        declared,
        is_nullable,
        has_zero_default: false,
        length: None,
    };
    Ok(rows.into_iter().map(column).collect())
}

async fn references(session: &mut SqliteConnection, table: &str) -> Answer<Vec<ForeignKey>> {
    let sql = "SELECT CAST(f.id AS TEXT), f.\"from\", coalesce(t.name, f.\"table\"), f.\"to\"
               FROM pragma_foreign_key_list(?1) f
               LEFT JOIN pragma_table_list t
                 ON t.schema = 'main' AND t.name = f.\"table\" COLLATE NOCASE
               ORDER BY f.id, f.seq";
    let rows: Vec<(String, String, String, Option<String>)> =
        sqlx::query_as(sql).bind(table).fetch_all(&mut *session).await?;
    let mut primary = Vec::new();
    for (_, _, parent, to) in &rows {
        if to.is_none() {
            let sql = "SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk";
            let names = sqlx::query_scalar(sql).bind(parent);
            primary.push((parent.clone(), names.fetch_all(&mut *session).await?));
        }
    }
    let primary = |parent: &str| {
        let mut known = primary.iter();
        let found = known.find(|(name, _)| name == parent);
        found.map_or_else(Vec::new, |(_, names): &(_, Vec<String>)| names.clone())
    };
    Ok(foreign_keys(rows, primary))
}

fn kind(declared: &str) -> Kind {
    let name = declared.split('(').next().unwrap_or_default().trim();
    match name {
        "BOOL" | "BOOLEAN" => Kind::Bool,
        "DATE" => Kind::Day,
        "JSON" | "JSONB" => Kind::Document,
        "UUID" => Kind::Text,
        _ if name.starts_with("DATETIME") || name.starts_with("TIMESTAMP") => Kind::Moment,
        _ if name.starts_with("TIME") => Kind::Time,
        _ if declared.contains("INT") => Kind::Integer,
        _ => match affinity(declared) {
            Affinity::Text => Kind::Text,
            Affinity::Number => Kind::Number,
            Affinity::None => Kind::Binary,
        },
    }
}
