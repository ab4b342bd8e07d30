//! The columns of a query.

use super::driver::Refusal;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::place::Spot;
use crate::domain::row::Column;

/// All columns, or an error with all those without a JSON form; `column` returns the name of such a
/// type.
pub(super) fn all<C: sqlx::Column>(
    described: &[C],
    column: impl Fn(&C) -> Result<Column, String>,
) -> Result<Vec<Column>, Refusal> {
    let mut refused = Vec::new();
    let mut columns = Vec::new();
    for described in described {
        match column(described) {
            Ok(column) => columns.push(column),
            Err(name) => refused.push((described.name().to_owned(), name)),
        }
    }
    if refused.is_empty() { Ok(columns) } else { Err(Refusal::Types(refused)) }
}

/// An error that names all columns to change in the query.
pub(super) fn unencodable(refused: &[(String, String)], text: &str) -> Failure {
    let each =
        refused.iter().map(|(column, name)| format!("column `{column}` has the type {name}"));
    let why = format!("{}, which has no JSON form", each.collect::<Vec<_>>().join(", "));
    let first = refused.first().map_or("", |(column, _)| column.as_str());
    let hint = format!("CAST it in the query, for example CAST({first} AS {text})");
    Failure {
        spot: Some(Box::new(Spot::Word(first.to_owned()))),
        ..Failure::new(FailureKind::Query, "preparing", why).hint(hint)
    }
}
