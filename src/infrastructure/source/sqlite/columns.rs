//! The columns of a query.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Executor as _, Row as _};

use super::super::driver::{Answer, safe};
use crate::application::ports::Param;
use crate::domain::row::{Column, ColumnKind};

/// A view shows the declared type of each column, which a prepared statement does not:
/// `NUMERIC(10,2)` keeps its digits, and a timestamp its meaning.
///
/// A view takes no parameters, so their values stand in its text.
pub(super) async fn of(
    session: &mut SqliteConnection,
    sql: &str,
    params: &[Param],
) -> Answer<Vec<Column>> {
    let sql = with_literals(sql, params);
    session.execute("DROP VIEW IF EXISTS temp.shopwarm_query").await?;
    let view = format!("CREATE TEMP VIEW shopwarm_query AS {sql}");
    session.execute(sqlx::raw_sql(safe(&view))).await?;
    let columns = session.fetch_all("PRAGMA temp.table_info(shopwarm_query)").await?;
    session.execute("DROP VIEW temp.shopwarm_query").await?;
    let column = |row: &SqliteRow| {
        let declared = row.try_get::<String, _>("type")?.to_ascii_uppercase();
        Ok(Column { name: row.try_get("name")?, kind: kind(&declared), declared })
    };
    let columns: Result<Vec<Column>, sqlx::Error> = columns.iter().map(column).collect();
    let mut columns = columns?;
    name_as_written(&mut columns);
    Ok(columns)
}

/// A text with its parameters as literals.
fn with_literals(sql: &str, params: &[Param]) -> String {
    let mut values = params.iter().map(|param| match param {
        Param::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Param::Int(integer) => integer.to_string(),
        Param::Bool(truth) => u8::from(*truth).to_string(),
        Param::Texts(_) | Param::Ints(_) => "NULL".to_owned(),
    });
    let mut literal = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        let end = match c {
            '\'' | '"' | '`' => closed(rest, &c.to_string()),
            '[' => closed(rest, "]"),
            '-' if rest.starts_with("--") => closed(rest, "\n"),
            '/' if rest.starts_with("/*") => closed(rest, "*/"),
            '?' => {
                literal.push_str(&values.next().unwrap_or_else(|| "?".to_owned()));
                rest = &rest[1..];
                continue;
            }
            c => c.len_utf8(),
        };
        literal.push_str(&rest[..end]);
        rest = &rest[end..];
    }
    literal
}

/// Where a quoted text or a comment ends; a doubled quote begins another.
fn closed(text: &str, by: &str) -> usize {
    let inside = &text[1..];
    inside.find(by).map_or(text.len(), |at| 1 + at + by.len())
}

/// Columns with the same name get a suffix: `id`, `id:1`.
fn name_as_written(columns: &mut [Column]) {
    for i in 1..columns.len() {
        let (before, this) = columns.split_at_mut(i);
        let name = &mut this[0].name;
        let plain = name.rsplit_once(':').map(|(plain, _)| plain);
        if let Some(plain) = plain.filter(|plain| before.iter().any(|c| c.name == *plain)) {
            *name = plain.to_owned();
        }
    }
}

fn kind(declared: &str) -> ColumnKind {
    match declared {
        // BLOB and NUM are columns or expressions without a type. Booleans are stored as numbers,
        // and are words in a key.
        "" | "BLOB" | "NUM" | "BOOL" | "BOOLEAN" => ColumnKind::Unknown,
        t if t.contains("INT") => ColumnKind::Integer,
        t if t.contains("CHAR") || t.contains("TEXT") || t.contains("CLOB") => ColumnKind::Text,
        t => ColumnKind::Other(t.to_owned()),
    }
}

/// The affinity of a column, see <https://sqlite.org/datatype3.html>, 3.1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Affinity {
    Text,
    Number,
    /// Stores every value unchanged.
    None,
}

/// `declared`: in capital letters.
pub(super) fn affinity(declared: &str) -> Affinity {
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if has(&["INT"]) {
        Affinity::Number
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Affinity::Text
    } else if declared.is_empty() || has(&["BLOB"]) || declared == "ANY" {
        Affinity::None
    } else {
        Affinity::Number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_stand_as_literals_where_they_are() {
        let params = [Param::Text("it's".to_owned()), Param::Int(7), Param::Bool(true)];
        let sql =
            "SELECT '?''?', \"?\", [?], `?` /* ? */ FROM t -- ?\n WHERE a=? AND b = ? AND c = ?";
        let literal = "SELECT '?''?', \"?\", [?], `?` /* ? */ FROM t -- ?\n WHERE a='it''s' AND b = 7 AND c = 1";
        assert_eq!(with_literals(sql, &params), literal);
    }
}
