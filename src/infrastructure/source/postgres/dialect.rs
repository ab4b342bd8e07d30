//! SQL of PostgreSQL.

use std::path::{Path, PathBuf};

use sqlparser::dialect::PostgreSqlDialect;

use super::portions::{AT_THE_PRIMARY, PostgresPortions};
use crate::application::ports::dialect::SqlDialect;
use crate::application::ports::grammar::{Escapes, Grammar};
use crate::application::ports::param::{integer, param};
use crate::application::ports::{Param, PortionSql};
use crate::domain::changes::Since;
use crate::domain::row::{Column, ColumnKind};

pub(crate) static GRAMMAR: Grammar = Grammar {
    escapes: Escapes::AfterE,
    dollar_strings: true,
    numbered_parameters: true,
    carriage_returns: true,
    is_case_sensitive: true,
    default_schema: "public",
    names_writers: true,
    ..Grammar::new("postgres", &PostgreSqlDialect {})
};

pub(crate) struct PostgresDialect;

impl SqlDialect for PostgresDialect {
    fn grammar(&self) -> &'static Grammar {
        &GRAMMAR
    }

    fn folds_names(&self) -> bool {
        true
    }

    fn bind(&self, kind: &ColumnKind, value: &str, params: &mut Vec<Param>) -> String {
        params.push(param(kind, value));
        let bound = format!("${}", params.len());
        match kind {
            ColumnKind::Other(name) => format!("CAST({bound} AS {name})"),
            _ => bound,
        }
    }

    fn bytewise(&self, column: &str) -> String {
        format!("CAST({column} AS text) COLLATE \"C\"")
    }

    /// The column itself comes first, to use its index; the bytes break ties.
    fn key_order(&self, column: &str) -> Vec<String> {
        vec![column.to_owned(), self.bytewise(column)]
    }

    fn nulls_are_greatest(&self) -> bool {
        true
    }

    fn at_the_primary(&self, condition: &str) -> String {
        format!("({condition}) AND {AT_THE_PRIMARY}")
    }

    fn changed_since(&self, column: &str, declared: &str, since: Since) -> Option<String> {
        let compared = match declared {
            "TIMESTAMPTZ" => format!("{column} >= TIMESTAMPTZ '{}+00'", since.utc()),
            "TIMESTAMP" => format!("{column} >= TIMESTAMP '{}'", since.local()),
            "DATE" => format!("{column} >= DATE '{}'", since.day()),
            _ => return None,
        };
        Some(format!("({compared} OR {column} IS NULL)"))
    }

    fn finds_by_text(&self, column: &Column) -> bool {
        match &column.kind {
            ColumnKind::Other(name) => {
                let opaque = ["TIMETZ", "JSON", "JSONB", "BYTEA", "XML"];
                !opaque.contains(&name.as_str()) && !name.ends_with("[]")
            }
            _ => true,
        }
    }

    /// As an array: the query is prepared once for any number of keys.
    fn any_of(&self, column: &Column, values: &[&str], params: &mut Vec<Param>) -> Option<String> {
        let param = match &column.kind {
            ColumnKind::Integer => Param::Ints(values.iter().filter_map(|v| integer(v)).collect()),
            _ => Param::Texts(values.iter().map(|v| (*v).to_owned()).collect()),
        };
        params.push(param);
        let place = format!("${}", params.len());
        let array = match &column.kind {
            ColumnKind::Other(name) => format!("CAST({place} AS {name}[])"),
            _ => place,
        };
        Some(format!("q.{} = ANY({array})", self.quote(&column.name)))
    }

    fn is_exact(&self, column: &Column) -> bool {
        matches!(
            column.declared.as_str(),
            "BOOL"
                | "NUMERIC"
                | "UUID"
                | "DATE"
                | "TIME"
                | "TIMESTAMP"
                | "TIMESTAMPTZ"
                | "FLOAT4"
                | "FLOAT8"
                | "CHAR"
        )
    }

    fn portions(&self) -> &'static dyn PortionSql {
        &PostgresPortions
    }

    fn hex(&self, column: &str) -> String {
        format!("encode({column}, 'hex')")
    }

    fn json_list(&self, pairs: &str, order: &str) -> String {
        format!("COALESCE(json_agg(json_build_object({pairs}){order}), '[]')")
    }

    fn row_hash(&self, _: &str) -> String {
        "md5(q::text)".to_owned()
    }

    fn local_types(&self) -> &'static [&'static str] {
        &["TIMESTAMP", "DATE"]
    }

    fn in_zone(&self, zone: &str) -> String {
        format!("now() AT TIME ZONE '{zone}', or with a timestamptz column")
    }

    fn password_files(&self) -> Vec<PathBuf> {
        let named = std::env::var_os("PGPASSFILE").map(PathBuf::from);
        let home = std::env::var_os("HOME");
        let usual = home.map(|home| Path::new(&home).join(".pgpass"));
        named.into_iter().chain(usual).collect()
    }
}
