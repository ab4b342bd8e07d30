//! SQL of MySQL and MariaDB.

use sqlparser::dialect::MySqlDialect;

use crate::application::ports::Param;
use crate::application::ports::dialect::SqlDialect;
use crate::application::ports::grammar::{Documents, Escapes, Grammar, With};
use crate::domain::changes::Since;
use crate::domain::encode::Hint;
use crate::domain::row::{Column, ColumnKind};

pub(crate) static GRAMMAR: Grammar = Grammar {
    string_quotes: &['\'', '"'],
    name_quotes: &[('`', '`')],
    escapes: Escapes::Always,
    parameters: &['?', ':', '@', '$'],
    hash_comments: true,
    spaced_comments: true,
    names_as_strings: true,
    sorts_nulls: false,
    with: With::Own,
    dual: true,
    documents: Some(Documents {
        functions: "json_extract",
        of_several: "",
    }),
    ..Grammar::new("mysql", &MySqlDialect {})
};

pub(crate) struct MysqlDialect;

/// Digits before and after the point that the widest DECIMAL has room for.
const WHOLE_DIGITS: usize = 35;
const DECIMAL_PLACES: usize = 30;

impl SqlDialect for MysqlDialect {
    fn grammar(&self) -> &'static Grammar {
        &GRAMMAR
    }

    fn quote(&self, name: &str) -> String {
        format!("`{}`", name.replace('`', "``"))
    }

    fn bytewise(&self, column: &str) -> String {
        format!("CAST({column} AS BINARY)")
    }

    fn changed_since(&self, column: &str, declared: &str, since: Since) -> Option<String> {
        let compared = match declared {
            "DATETIME" => format!("{column} >= TIMESTAMP '{}'", since.local()),
            // Sessions run in UTC.
            "TIMESTAMP" => format!("{column} >= TIMESTAMP '{}'", since.utc()),
            "DATE" => format!("{column} >= DATE '{}'", since.day()),
            _ => return None,
        };
        Some(format!("({compared} OR {column} IS NULL)"))
    }

    fn finds_by_text(&self, column: &Column) -> bool {
        !matches!(&column.kind, ColumnKind::Other(name) if name == "BIT" || name == "JSON")
    }

    fn alternatives(
        &self,
        column: &Column,
        _: Option<Hint>,
        value: &str,
        params: &mut Vec<Param>,
    ) -> Vec<String> {
        match &column.kind {
            // Its text has fewer digits than the comparison uses.
            ColumnKind::Other(name) if name == "FLOAT" => {
                let float = value.parse::<f32>().unwrap_or_default();
                vec![format!("{:e}", f64::from(float))]
            }
            kind => vec![self.bind(kind, value, params)],
        }
    }

    fn is_exact(&self, column: &Column) -> bool {
        matches!(
            column.declared.as_str(),
            "BIGINT UNSIGNED" | "DECIMAL" | "DATE" | "DATETIME" | "TIMESTAMP"
        )
    }

    /// Without the cast, it would be compared as a floating-point number.
    fn compared(&self, column: &Column, value: &str, params: &mut Vec<Param>) -> Option<String> {
        let (kind, declared) = (&column.kind, column.declared.as_str());
        let value = match declared {
            // Sessions are in UTC, and comparisons take no zone.
            "TIMESTAMP" => value.strip_suffix("+00:00")?,
            "DECIMAL" => {
                let (whole, places) = value.split_once('.').unwrap_or((value, ""));
                let whole = whole.trim_start_matches('-').len();
                (whole <= WHOLE_DIGITS && places.len() <= DECIMAL_PLACES).then_some(value)?
            }
            _ => value,
        };
        let cast = match (kind, declared) {
            (ColumnKind::Other(_), "BIGINT UNSIGNED") => "UNSIGNED",
            (ColumnKind::Other(_), "DECIMAL") => "DECIMAL(65, 30)",
            (ColumnKind::Other(_), "DATE") => "DATE",
            (ColumnKind::Other(_), "DATETIME" | "TIMESTAMP") => "DATETIME(6)",
            (ColumnKind::Other(_), _) => return None,
            _ => return Some(self.bind(kind, value, params)),
        };
        Some(format!(
            "CAST({} AS {cast})",
            self.bind(kind, value, params)
        ))
    }

    fn text_type(&self) -> &'static str {
        "CHAR"
    }

    fn without_zeros(&self, column: &str) -> Option<String> {
        Some(format!("NULLIF({column}, 0)"))
    }

    /// MySQL takes no order here.
    fn json_list(&self, pairs: &str, _: &str) -> String {
        format!("COALESCE(JSON_ARRAYAGG(JSON_OBJECT({pairs})), '[]')")
    }

    fn local_types(&self) -> &'static [&'static str] {
        &["DATETIME", "DATE"]
    }

    fn in_zone(&self, zone: &str) -> String {
        format!("CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', '{zone}'), or with a TIMESTAMP column")
    }
}
