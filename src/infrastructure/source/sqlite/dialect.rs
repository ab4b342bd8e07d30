//! SQLite's SQL.

use sqlparser::dialect::SQLiteDialect;

use super::super::key_ranges::{KeyRanges, literal};
use crate::application::ports::dialect::SqlDialect;
use crate::application::ports::grammar::{Documents, Grammar};
use crate::application::ports::param::integer;
use crate::application::ports::{Param, PortionSql};
use crate::domain::changes::Since;
use crate::domain::encode::Hint;
use crate::domain::row::Column;

pub(crate) static GRAMMAR: Grammar = Grammar {
    name_quotes: &[('"', '"'), ('`', '`'), ('[', ']')],
    parameters: &['?', ':', '@', '$'],
    names_as_strings: true,
    default_schema: "main",
    latest: "greatest max",
    pure_of_several: "max min",
    documents: Some(Documents { functions: "json_quote", of_several: "json_extract" }),
    ..Grammar::new("sqlite", &SQLiteDialect {})
};

/// An INTEGER PRIMARY KEY is the row's id. Other tables may get other ids by VACUUM, which counts as a
/// change of the schema.
static PORTIONS: KeyRanges = KeyRanges {
    key: "rowid",
    storage: |table| {
        let name = literal(table.name.parts.last().map_or("", String::as_str));
        format!(
            "(SELECT CASE (SELECT group_concat(upper(type)) FROM pragma_table_xinfo({name}) \
             WHERE pk > 0) WHEN 'INTEGER' THEN t.rootpage ELSE v.schema_version END \
             FROM pragma_schema_version v, sqlite_schema t JOIN pragma_table_list l \
             ON l.schema = 'main' AND l.name = t.name AND l.type = 'table' AND l.wr = 0 \
             WHERE t.type = 'table' AND t.name = {name} COLLATE NOCASE AND NOT EXISTS (SELECT 1 \
             FROM pragma_table_xinfo({name}) WHERE name = 'rowid' COLLATE NOCASE))"
        )
    },
    no_state: "its table has no row ids, or has negative ones",
};

pub(crate) struct SqliteDialect;

impl SqlDialect for SqliteDialect {
    fn grammar(&self) -> &'static Grammar {
        &GRAMMAR
    }

    fn is_file(&self) -> bool {
        true
    }

    fn bytewise(&self, column: &str) -> String {
        format!("{column} COLLATE BINARY")
    }

    /// A time is a text that begins with a date, or a Julian day. Anything else (seconds since
    /// 1970, other date formats) cannot be compared and counts as changed.
    fn changed_since(&self, column: &str, _: &str, since: Since) -> Option<String> {
        let (local, day) = (since.local(), since.day());
        let date = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*";
        Some(format!(
            "CASE WHEN (typeof({column}) = 'text' AND {column} GLOB '{date}') \
             OR (typeof({column}) IN ('integer', 'real') \
                 AND {column} BETWEEN 2400000 AND 5373484) \
             THEN coalesce(julianday({column}) >= julianday( \
                 CASE WHEN length({column}) < 19 AND typeof({column}) = 'text' \
                 THEN '{day}' ELSE '{local}' END), 1) ELSE 1 END = 1"
        ))
    }

    fn portions(&self) -> &'static dyn PortionSql {
        &PORTIONS
    }

    fn stores_anything(&self) -> bool {
        true
    }

    fn finds_by_text(&self, column: &Column) -> bool {
        let opaque = ["TIME", "DATETIME", "JSON"];
        !opaque.iter().any(|name| column.declared.starts_with(name))
    }

    /// The possible stored forms of a text: SQLite does not enforce declared types.
    fn alternatives(
        &self,
        _: &Column,
        hint: Option<Hint>,
        value: &str,
        params: &mut Vec<Param>,
    ) -> Vec<String> {
        params.push(Param::Text(value.to_owned()));
        let mut all = vec!["?".to_owned()];
        if let Some(integer) = integer(value) {
            params.push(Param::Int(integer));
            all.push("?".to_owned());
        } else if let Ok(real) = value.parse::<f64>()
            && real.is_finite()
        {
            all.push(format!("{real:e}"));
        }
        if hint.is_some() {
            params.push(Param::Text(value.to_owned()));
            all.push("CAST(? AS BLOB)".to_owned());
        }
        all
    }

    fn is_exact(&self, _: &Column) -> bool {
        false
    }
}
