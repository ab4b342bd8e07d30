//! How keys are found again: by the columns that they were made of.
//!
//! A key holds the text of its columns. Where the database compares a column with its text, a key
//! that no row has is known to have none. Where it does not (a time in another form, say), nothing
//! is known, and nothing may be deleted for it: see [`opaque`].

use super::compose::quoted;
use crate::application::ports::param::integer;
use crate::application::ports::{Dialect, Param};
use crate::domain::encode::Hint;
use crate::domain::row::{Column, ColumnKind};

/// A column that a key is made of.
#[derive(Clone, Copy)]
pub(super) struct KeyColumn<'a> {
    pub column: &'a Column,
    pub hint: Option<Hint>,
}

/// Why the keys of some columns cannot be looked up again, for people; `None`: they can.
pub(super) fn opaque(dialect: Dialect, columns: &[KeyColumn<'_>]) -> Option<String> {
    let column = columns.iter().find(|column| !is_comparable(dialect, column))?;
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
    let is_hint_plain = match column.hint {
        None | Some(Hint::String | Hint::Number) => true,
        // "yes" is true, too.
        Some(Hint::Bool) => {
            !dialect.stores_anything()
                && (*kind == ColumnKind::Integer || *kind == ColumnKind::Other("BOOL".into()))
        }
        Some(Hint::Json | Hint::Base64) => false,
    };
    is_hint_plain && dialect.finds_by_text(column.column)
}

/// Whether a column may hold a value that has this text.
pub(super) fn fits(dialect: Dialect, column: &Column, value: &str) -> bool {
    if dialect.stores_anything() {
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
pub(super) fn condition(
    dialect: Dialect,
    columns: &[KeyColumn<'_>],
    keys: &[&Vec<String>],
    params: &mut Vec<Param>,
) -> Option<String> {
    if keys.is_empty() {
        return None;
    }
    if let [column] = columns {
        let values: Vec<&str> = keys.iter().map(|key| key[0].as_str()).collect();
        return Some(one_of(dialect, column, &values, params));
    }
    let mut each = Vec::with_capacity(keys.len());
    for key in keys {
        let equal = columns.iter().zip(*key);
        let equal = equal.map(|(column, value)| is_in(dialect, column, &[value], params));
        each.push(equal.collect::<Vec<_>>().join(" AND "));
    }
    Some(either(&each))
}

fn one_of(
    dialect: Dialect,
    column: &KeyColumn<'_>,
    values: &[&str],
    params: &mut Vec<Param>,
) -> String {
    let any_of = dialect.any_of(column.column, values, params);
    any_of.unwrap_or_else(|| is_in(dialect, column, values, params))
}

fn is_in(
    dialect: Dialect,
    column: &KeyColumn<'_>,
    values: &[&str],
    params: &mut Vec<Param>,
) -> String {
    let KeyColumn { column, hint } = *column;
    let values = values.iter();
    let values = values.flat_map(|value| dialect.alternatives(column, hint, value, params));
    let values: Vec<String> = values.collect();
    format!("{} IN ({})", quoted(dialect, &column.name), values.join(", "))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infrastructure::source::dialects::{MYSQL, POSTGRES, SQLITE};

    fn column(kind: ColumnKind, declared: &str) -> Column {
        Column { name: "k".to_owned(), kind, declared: declared.to_owned() }
    }

    fn other(name: &str) -> Column {
        column(ColumnKind::Other(name.to_owned()), name)
    }

    #[test]
    fn what_is_not_stored_as_the_key_has_it_is_said() {
        let why = |dialect, column: &Column, hint| opaque(dialect, &[KeyColumn { column, hint }]);
        let text = column(ColumnKind::Text, "TEXT");
        let integer = column(ColumnKind::Integer, "INT4");
        for dialect in [POSTGRES, MYSQL, SQLITE] {
            assert_eq!(why(dialect, &text, None), None);
            assert_eq!(why(dialect, &text, Some(Hint::String)), None);
            for hint in [Hint::Json, Hint::Base64, Hint::Bool] {
                assert!(why(dialect, &text, Some(hint)).is_some(), "{hint:?}");
            }
        }
        assert_eq!(why(POSTGRES, &integer, Some(Hint::Bool)), None);
        assert!(why(SQLITE, &integer, Some(Hint::Bool)).is_some());
        for name in ["TIMESTAMPTZ", "NUMERIC", "FLOAT4", "UUID", "mood"] {
            assert_eq!(why(POSTGRES, &other(name), None), None, "{name}");
        }
        for name in ["TIMETZ", "INT4[]", "JSONB", "BYTEA"] {
            assert!(why(POSTGRES, &other(name), None).is_some(), "{name}");
        }
        assert_eq!(why(MYSQL, &other("FLOAT"), None), None);
        assert!(why(MYSQL, &other("BIT"), None).is_some());
        for name in ["DATETIME(6)", "TIME(3)", "TIMESTAMP", "JSONB"] {
            assert!(why(SQLITE, &other(name), None).is_some(), "{name}");
        }
        let said = why(SQLITE, &other("DATETIME"), None).expect("why");
        assert!(said.contains("k (DATETIME)") && said.contains("CAST"), "{said}");
    }

    #[test]
    fn a_value_fits_a_column_that_can_hold_it() {
        for (column, yes, no) in [
            (column(ColumnKind::Integer, "INT4"), "-7", "7a"),
            (other("UUID"), "550e8400-e29b-41d4-a716-446655440000", "b:550e8400"),
            (other("NUMERIC"), "12.50", "a-12"),
            (other("DATE"), "2026-01-31", "x-2026-01-31"),
            (other("TIMESTAMP"), "2026-01-31T10:00:00", "2026-01-31"),
            (other("TIME"), "10:00:00", "a:10"),
            (other("BOOL"), "true", "1"),
        ] {
            assert!(fits(POSTGRES, &column, yes), "{column:?}");
            assert!(!fits(POSTGRES, &column, no), "{column:?}");
            assert!(fits(SQLITE, &column, no), "any class of value");
        }
    }

    #[test]
    fn keys_are_asked_for_by_all_that_they_may_be_stored_as() {
        let plain = column(ColumnKind::Integer, "INTEGER");
        let key = KeyColumn { column: &plain, hint: None };
        let ask = |dialect, values: &[&str]| {
            let keys: Vec<Vec<String>> = values.iter().map(|v| vec![(*v).to_owned()]).collect();
            let mut params = Vec::new();
            let keys: Vec<&Vec<String>> = keys.iter().collect();
            let condition = condition(dialect, &[key], &keys, &mut params);
            (condition.expect("keys"), params.len())
        };
        assert_eq!(ask(POSTGRES, &["1", "2"]), ("q.\"k\" = ANY($1)".into(), 1));
        assert_eq!(ask(MYSQL, &["1", "2"]), ("q.`k` IN (?, ?)".into(), 2));
        assert_eq!(ask(SQLITE, &["1", "A12", "1.5"]), ("q.\"k\" IN (?, ?, ?, ?, 1.5e0)".into(), 4));
        let float = other("FLOAT");
        let float = KeyColumn { column: &float, hint: None };
        let value = MYSQL.alternatives(float.column, None, "0.1", &mut Vec::new());
        assert_eq!(value, ["1.0000000149011612e-1"]);
        let many: Vec<String> = (0..5).map(|n| n.to_string()).collect();
        assert_eq!(either(&many), "(((0) OR (1)) OR ((2) OR ((3) OR (4))))");
    }
}
