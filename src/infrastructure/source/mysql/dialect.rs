//! SQL of MySQL and MariaDB.

use sqlparser::dialect::MySqlDialect;

use super::super::key_ranges::{KeyRanges, literal};
use crate::application::ports::dialect::SqlDialect;
use crate::application::ports::grammar::{Documents, Escapes, Grammar, With};
use crate::application::ports::{Param, PortionSql};
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
    documents: Some(Documents { functions: "json_extract", of_several: "" }),
    ..Grammar::new("mysql", &MySqlDialect {})
};

/// `_rowid` means a key of one integer, as long as it is this table with these keys and without such a column.
static PORTIONS: KeyRanges = KeyRanges {
    key: "_rowid",
    storage: |table| {
        let mut parts = table.name.parts.iter().rev().map(|part| literal(part));
        let name = parts.next().unwrap_or_default();
        let schema = parts.next().unwrap_or("DATABASE()".to_owned());
        let of = format!("WHERE table_schema = {schema} AND table_name = {name}");
        format!(
            "(SELECT CRC32(CONCAT(GROUP_CONCAT(column_name ORDER BY index_name, seq_in_index), \
             COALESCE((SELECT create_time FROM information_schema.tables {of}), ''))) \
             FROM information_schema.statistics {of} AND non_unique = 0 AND NOT EXISTS (SELECT 1 \
             FROM information_schema.columns {of} AND column_name = '_rowid'))"
        )
    },
    no_state: "its table has no key of one integer, or has negative keys",
};

/// Its SQL depends on the time zone of our sessions.
pub(crate) struct MysqlDialect {
    is_in_utc: bool,
}

pub(crate) static IN_UTC: MysqlDialect = MysqlDialect { is_in_utc: true };
pub(crate) static IN_ANOTHER_ZONE: MysqlDialect = MysqlDialect { is_in_utc: false };

/// How much further an index reaches back: within it clocks are set back at most once.
const A_DAY_AND_MORE: i64 = 25 * 3600;

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

    /// A TIMESTAMP is the same in all zones, and the server says it in that of the session, where
    /// an hour may come twice. As a number of seconds it is not turned into a local time.
    fn read(&self, column: &str, declared: &str) -> Option<String> {
        // Of a zero date there are no seconds, and `IS NULL` may take it for NULL.
        (declared == "TIMESTAMP" && !self.is_in_utc).then(|| {
            format!(
                "TIMESTAMP('1970-01-01') + INTERVAL \
                 IF({column} <=> NULL, NULL, COALESCE(UNIX_TIMESTAMP({column}), 0)) SECOND"
            )
        })
    }

    fn changed_since(&self, column: &str, declared: &str, since: Since) -> Option<String> {
        let compared = match declared {
            "DATETIME" => format!("{column} >= TIMESTAMP '{}'", since.local()),
            "TIMESTAMP" if !self.is_in_utc => {
                let seconds = since.seconds();
                let earlier = (seconds - A_DAY_AND_MORE).max(0);
                format!(
                    "({column} >= FROM_UNIXTIME({earlier}) AND UNIX_TIMESTAMP({column}) >= {seconds})"
                )
            }
            "TIMESTAMP" => format!("{column} >= TIMESTAMP '{}'", since.utc()),
            "DATE" => format!("{column} >= DATE '{}'", since.day()),
            _ => return None,
        };
        Some(format!("({compared} OR {column} IS NULL)"))
    }

    fn finds_by_text(&self, column: &Column) -> bool {
        match column.declared.as_str() {
            "TIMESTAMP" => self.is_in_utc,
            _ => {
                !matches!(&column.kind, ColumnKind::Other(name) if name == "BIT" || name == "JSON")
            }
        }
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
        match column.declared.as_str() {
            "BIGINT UNSIGNED" | "DECIMAL" | "DATE" | "DATETIME" => true,
            "TIMESTAMP" => self.is_in_utc,
            _ => false,
        }
    }

    /// Without the cast, it would be compared as a floating-point number.
    fn compared(&self, column: &Column, value: &str, params: &mut Vec<Param>) -> Option<String> {
        let (kind, declared) = (&column.kind, column.declared.as_str());
        let value = match declared {
            // Comparisons take no zone.
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
        Some(format!("CAST({} AS {cast})", self.bind(kind, value, params)))
    }

    fn portions(&self) -> &'static dyn PortionSql {
        &PORTIONS
    }

    fn text_type(&self) -> &'static str {
        "CHAR"
    }

    fn without_zeros(&self, column: &str) -> Option<String> {
        Some(format!("NULLIF({column}, 0)"))
    }

    fn grants(&self) -> Option<&'static str> {
        Some(include_str!("sql/grants.sql"))
    }

    fn json_list(&self, pairs: &str, order: &str) -> String {
        format!("COALESCE(JSON_ARRAYAGG(JSON_OBJECT({pairs}){order}), '[]')")
    }

    fn local_types(&self) -> &'static [&'static str] {
        &["DATETIME", "DATE"]
    }

    fn in_zone(&self, zone: &str) -> String {
        format!("CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', '{zone}'), or with a TIMESTAMP column")
    }
}
