//! The columns of a query.

use sqlx::postgres::{PgRow, PgTypeInfo, PgTypeKind};
use sqlx::{Column as _, Row as _, TypeInfo as _};

use super::super::describe::all;
use super::super::driver::Refusal;
use super::codec::Codec;
use crate::domain::row::{Column, ColumnKind};

/// The columns of a row.
pub(super) fn columns(row: &PgRow) -> Result<Vec<Column>, Refusal> {
    all(row.columns(), |described| {
        let info = described.type_info();
        if let Codec::Unknown = Codec::of(info) {
            return Err(info.name().to_ascii_lowercase());
        }
        Ok(Column {
            name: described.name().to_owned(),
            kind: kind(info),
            declared: info.name().to_ascii_uppercase(),
        })
    })
}

fn kind(info: &PgTypeInfo) -> ColumnKind {
    if let PgTypeKind::Domain(base) = info.kind() {
        return kind(base);
    }
    match info.name().to_ascii_uppercase().as_str() {
        "INT2" | "INT4" | "INT8" | "OID" => ColumnKind::Integer,
        "TEXT" | "VARCHAR" | "NAME" => ColumnKind::Text,
        // In SQL, CHAR is one of a single character.
        "CHAR" => ColumnKind::Other("bpchar".to_owned()),
        "\"CHAR\"" => ColumnKind::Other("\"char\"".to_owned()),
        // User-defined types are named as in SQL, with quotes and schema if needed.
        _ => ColumnKind::Other(info.name().to_owned()),
    }
}
