//! How keys are found again: by the columns that they were made of.
//!
//! A key holds the text of its columns. Where the database compares a column with its text, a key
//! that no row has is known to have none. Where it does not (a time in another form, say), nothing
//! is known, and nothing may be deleted for it: see [`opaque`].

use super::ports::Param;
use crate::domain::Dialect;
use crate::domain::encode::Hint;
use crate::domain::row::{Column, ColumnKind};

/// A column that a key is made of.
#[derive(Clone, Copy)]
pub struct KeyColumn<'a> {
    pub column: &'a Column,
    pub hint: Option<Hint>,
}

/// Why the keys of some columns cannot be looked up again, for people; `None`: they can.
pub fn opaque(dialect: Dialect, columns: &[KeyColumn<'_>]) -> Option<String> {
    let column = columns
        .iter()
        .find(|column| !is_comparable(dialect, column))?;
    let Column { name, declared, .. } = column.column;
    let kind = match declared.as_str() {
        "" => String::new(),
        declared => format!(" ({declared})"),
    };
    Some(format!(
        "its key column {name}{kind} is not stored as the key has it; CAST it to text in the query"
    ))
}

/// Whether the database finds a column's value by the text that we make of it.
fn is_comparable(dialect: Dialect, column: &KeyColumn<'_>) -> bool {
    let kind = &column.column.kind;
    let declared = column.column.declared.as_str();
    let is_hint_plain = match column.hint {
        None | Some(Hint::String | Hint::Number) => true,
        // "yes" is true, too.
        Some(Hint::Bool) => {
            dialect != Dialect::Sqlite
                && (*kind == ColumnKind::Integer || *kind == ColumnKind::Other("BOOL".into()))
        }
        Some(Hint::Json | Hint::Base64) => false,
    };
    let is_kind_plain = match (dialect, kind) {
        (Dialect::Postgres, ColumnKind::Other(name)) => {
            let opaque = ["TIMETZ", "JSON", "JSONB", "BYTEA", "XML"];
            !opaque.contains(&name.as_str()) && !name.ends_with("[]")
        }
        (Dialect::Mysql, ColumnKind::Other(name)) => name != "BIT" && name != "JSON",
        (Dialect::Sqlite, _) => {
            let opaque = ["TIME", "DATETIME", "JSON"];
            !opaque.iter().any(|name| declared.starts_with(name))
        }
        _ => true,
    };
    is_hint_plain && is_kind_plain
}

/// Whether a column may hold a value that has this text.
pub fn fits(dialect: Dialect, column: &Column, value: &str) -> bool {
    // There a column holds values of any kind.
    if dialect == Dialect::Sqlite {
        return true;
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_date = |text: &str| {
        let mut parts = text.splitn(3, '-');
        parts.clone().count() == 3 && parts.all(|part| !part.is_empty() && digits(part))
    };
    match &column.kind {
        ColumnKind::Integer => integer(value).is_some(),
        ColumnKind::Text | ColumnKind::Unknown => true,
        ColumnKind::Other(name) => match name.as_str() {
            "BOOL" => matches!(value, "true" | "false"),
            "UUID" => {
                let is_part = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
                value.len() == 36 && value.bytes().all(is_part)
            }
            "NUMERIC" | "DECIMAL" | "FLOAT" | "DOUBLE" | "FLOAT4" | "FLOAT8"
            | "BIGINT UNSIGNED" => {
                value.parse::<f64>().is_ok_and(f64::is_finite) && !value.starts_with(['+', '.'])
            }
            "DATE" => is_date(value),
            "TIMESTAMP" | "TIMESTAMPTZ" | "DATETIME" => {
                value.split_once('T').is_some_and(|(date, _)| is_date(date))
            }
            "TIME" => value.split(':').take(2).all(digits) && value.contains(':'),
            _ => true,
        },
    }
}

/// The condition that the rows of some keys meet: each key is a value for each column, as text, that
/// [`fits`]. `None`: there are no keys.
pub fn condition(
    dialect: Dialect,
    columns: &[KeyColumn<'_>],
    keys: &[&Vec<String>],
    params: &mut Vec<Param>,
) -> Option<String> {
    if keys.is_empty() {
        return None;
    }
    match columns {
        [column] if dialect == Dialect::Postgres => Some(any_of(column.column, keys, params)),
        [column] => {
            let mut values = Vec::with_capacity(keys.len());
            for key in keys {
                values.extend(alternatives(dialect, column, &key[0], params));
            }
            let name = quoted(dialect, &column.column.name);
            Some(format!("{name} IN ({})", values.join(", ")))
        }
        _ => {
            let mut each = Vec::with_capacity(keys.len());
            for key in keys {
                let equal = columns.iter().zip(*key).map(|(column, value)| {
                    let values = alternatives(dialect, column, value, params);
                    let name = quoted(dialect, &column.column.name);
                    format!("{name} IN ({})", values.join(", "))
                });
                each.push(equal.collect::<Vec<_>>().join(" AND "));
            }
            Some(either(&each))
        }
    }
}

/// One of several conditions, nested as little as can be: databases limit how deep they may be.
fn either(conditions: &[String]) -> String {
    match conditions {
        [] => "1 = 0".to_owned(),
        [one] => format!("({one})"),
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            format!("({} OR {})", either(left), either(right))
        }
    }
}

/// One array holds all values: PostgreSQL prepares the query once, however many keys there are.
fn any_of(column: &Column, keys: &[&Vec<String>], params: &mut Vec<Param>) -> String {
    let values = keys.iter().map(|values| &values[0]);
    let name = quoted(Dialect::Postgres, &column.name);
    let array = match &column.kind {
        ColumnKind::Integer => {
            params.push(Param::Ints(values.filter_map(|v| integer(v)).collect()));
            "$1".to_owned()
        }
        kind => {
            params.push(Param::Texts(values.cloned().collect()));
            match kind {
                ColumnKind::Other(name) => format!("CAST($1 AS {name}[])"),
                _ => "$1".to_owned(),
            }
        }
    };
    format!("{name} = ANY({array})")
}

/// The expressions of which one equals the column where it has this text.
fn alternatives(
    dialect: Dialect,
    column: &KeyColumn<'_>,
    value: &str,
    params: &mut Vec<Param>,
) -> Vec<String> {
    let kind = &column.column.kind;
    match (dialect, kind) {
        (Dialect::Sqlite, _) => of_any_class(column.hint, value, params),
        // Its text has fewer digits than it is compared with.
        (Dialect::Mysql, ColumnKind::Other(name)) if name == "FLOAT" => {
            let float = value.parse::<f32>().unwrap_or_default();
            vec![format!("{:e}", f64::from(float))]
        }
        _ => vec![bind(dialect, kind, value, params)],
    }
}

/// What SQLite may have stored where we read a text: declared types bind nothing there.
fn of_any_class(hint: Option<Hint>, value: &str, params: &mut Vec<Param>) -> Vec<String> {
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

/// The number that a key's text stands for; truth is a number where there is no type for it.
fn integer(value: &str) -> Option<i64> {
    match value {
        "true" => Some(1),
        "false" => Some(0),
        value => value.parse().ok(),
    }
}

/// Adds a value as a parameter for a column of this kind, and returns its expression.
pub(super) fn bind(
    dialect: Dialect,
    kind: &ColumnKind,
    value: &str,
    params: &mut Vec<Param>,
) -> String {
    params.push(match (kind, integer(value)) {
        (ColumnKind::Integer, Some(integer)) => Param::Int(integer),
        _ => Param::Text(value.to_owned()),
    });
    let bound = match dialect {
        Dialect::Postgres => format!("${}", params.len()),
        Dialect::Mysql | Dialect::Sqlite => "?".to_owned(),
    };
    match (dialect, kind) {
        (Dialect::Postgres, ColumnKind::Other(name)) => format!("CAST({bound} AS {name})"),
        _ => bound,
    }
}

/// A column of the definition's query.
pub(super) fn quoted(dialect: Dialect, column: &str) -> String {
    match dialect {
        Dialect::Mysql => format!("q.`{}`", column.replace('`', "``")),
        Dialect::Postgres | Dialect::Sqlite => format!("q.\"{}\"", column.replace('"', "\"\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::Dialect::{Mysql, Postgres, Sqlite};
    use super::*;

    fn column(kind: ColumnKind, declared: &str) -> Column {
        Column {
            name: "k".to_owned(),
            kind,
            declared: declared.to_owned(),
        }
    }

    fn other(name: &str) -> Column {
        column(ColumnKind::Other(name.to_owned()), name)
    }

    #[test]
    fn what_is_not_stored_as_the_key_has_it_is_said() {
        let why = |dialect, column: &Column, hint| opaque(dialect, &[KeyColumn { column, hint }]);
        let text = column(ColumnKind::Text, "TEXT");
        let integer = column(ColumnKind::Integer, "INT4");
        for dialect in [Postgres, Mysql, Sqlite] {
            assert_eq!(why(dialect, &text, None), None);
            assert_eq!(why(dialect, &text, Some(Hint::String)), None);
            for hint in [Hint::Json, Hint::Base64, Hint::Bool] {
                assert!(why(dialect, &text, Some(hint)).is_some(), "{hint:?}");
            }
        }
        assert_eq!(why(Postgres, &integer, Some(Hint::Bool)), None);
        assert!(why(Sqlite, &integer, Some(Hint::Bool)).is_some());
        for name in ["TIMESTAMPTZ", "NUMERIC", "FLOAT4", "UUID", "mood"] {
            assert_eq!(why(Postgres, &other(name), None), None, "{name}");
        }
        for name in ["TIMETZ", "INT4[]", "JSONB", "BYTEA"] {
            assert!(why(Postgres, &other(name), None).is_some(), "{name}");
        }
        assert_eq!(why(Mysql, &other("FLOAT"), None), None);
        assert!(why(Mysql, &other("BIT"), None).is_some());
        for name in ["DATETIME(6)", "TIME(3)", "TIMESTAMP", "JSONB"] {
            assert!(why(Sqlite, &other(name), None).is_some(), "{name}");
        }
        let said = why(Sqlite, &other("DATETIME"), None).expect("why");
        assert!(
            said.contains("k (DATETIME)") && said.contains("CAST"),
            "{said}"
        );
    }

    #[test]
    fn a_value_fits_a_column_that_can_hold_it() {
        for (column, yes, no) in [
            (column(ColumnKind::Integer, "INT4"), "-7", "7a"),
            (
                other("UUID"),
                "550e8400-e29b-41d4-a716-446655440000",
                "b:550e8400",
            ),
            (other("NUMERIC"), "12.50", "a-12"),
            (other("DATE"), "2026-01-31", "x-2026-01-31"),
            (other("TIMESTAMP"), "2026-01-31T10:00:00", "2026-01-31"),
            (other("TIME"), "10:00:00", "a:10"),
            (other("BOOL"), "true", "1"),
        ] {
            assert!(fits(Postgres, &column, yes), "{column:?}");
            assert!(!fits(Postgres, &column, no), "{column:?}");
            assert!(fits(Sqlite, &column, no), "any class of value");
        }
    }

    #[test]
    fn keys_are_asked_for_by_all_that_they_may_be_stored_as() {
        let plain = column(ColumnKind::Integer, "INTEGER");
        let key = KeyColumn {
            column: &plain,
            hint: None,
        };
        let ask = |dialect, values: &[&str]| {
            let keys: Vec<Vec<String>> = values.iter().map(|v| vec![(*v).to_owned()]).collect();
            let mut params = Vec::new();
            let keys: Vec<&Vec<String>> = keys.iter().collect();
            let condition = condition(dialect, &[key], &keys, &mut params);
            (condition.expect("keys"), params.len())
        };
        assert_eq!(ask(Postgres, &["1", "2"]), ("q.\"k\" = ANY($1)".into(), 1));
        assert_eq!(ask(Mysql, &["1", "2"]), ("q.`k` IN (?, ?)".into(), 2));
        assert_eq!(
            ask(Sqlite, &["1", "A12", "1.5"]),
            ("q.\"k\" IN (?, ?, ?, ?, 1.5e0)".into(), 4)
        );
        let float = other("FLOAT");
        let float = KeyColumn {
            column: &float,
            hint: None,
        };
        let value = alternatives(Mysql, &float, "0.1", &mut Vec::new());
        assert_eq!(value, ["1.0000000149011612e-1"]);
        let many: Vec<String> = (0..5).map(|n| n.to_string()).collect();
        assert_eq!(either(&many), "(((0) OR (1)) OR ((2) OR ((3) OR (4))))");
    }
}
