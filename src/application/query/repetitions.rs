//! Repeats a definition for values that only the database knows.

use futures_util::TryStreamExt as _;

use super::prepared::refused;
use crate::application::ports::{Param, Query, RowSource, Sources};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::parameter::{Each, Parameter, Statement};
use crate::domain::row::ColumnKind;
use crate::domain::strategy::Definition;
use crate::domain::written::Wrong;

/// Reads the values and returns the selected repetitions, or the definition itself if it is not
/// repeated. The result is empty if there are no values and `min_keys` is 0.
///
/// # Errors
/// A [`FailureKind::Config`] failure where the definition does not fit, or the database's own.
pub async fn repetitions(
    mut definition: Definition,
    sources: &Sources,
) -> Result<Vec<Definition>, Failure> {
    if !definition.is_open() || definition.fault.is_some() {
        return Ok(vec![definition]);
    }
    let (id, written) = (definition.spec.id.to_string(), definition.written.clone());
    let misfit = |wrong: &Wrong| written.fault(&id, wrong);
    let source = sources.with(definition.row_security).bulk;
    let mut each = std::mem::take(&mut definition.each);
    for (name, each) in &mut each {
        let Each::Query(statement) = each else {
            continue;
        };
        let values = match values(statement, &definition, source.as_ref()).await {
            Ok(values) => values,
            Err(failure) => {
                let (query, field) = (&statement.sql.text, format!("for.{name}"));
                let byte = failure.spot.as_ref().and_then(|spot| spot.byte(query));
                let place = byte.map(|byte| statement.place(byte));
                let from = (query.as_str(), source.as_ref());
                return Err(refused(&definition, &field, failure, place, from).await);
            }
        };
        if values.is_empty() {
            return match definition.spec.min_keys {
                0 => Ok(Vec::new()),
                _ => {
                    let wrong = Wrong::new(format!("for.{name}"), "the query gives no values");
                    Err(misfit(&wrong).hint("set min_keys = 0 if that is intended"))
                }
            };
        }
        *each = Each::Values(values);
    }
    let wanted = definition.wanted.clone();
    definition.each = each;
    let repeated = definition.repeated();
    let repeated = repeated.map_err(|wrong| misfit(&wrong))?;
    let ids: Vec<String> = repeated.iter().map(|d| d.spec.id.to_string()).collect();
    if let Some(name) = wanted.unknown(&ids) {
        let what = format!("there is no strategy `{name}`");
        let why = format!("known: {}", ids.join(", "));
        return Err(Failure::new(FailureKind::Usage, what, why));
    }
    let selected = repeated.into_iter();
    Ok(selected.filter(|d| wanted.takes(&d.spec.id)).collect())
}

/// The values of a query over one column.
async fn values(
    statement: &Statement,
    definition: &Definition,
    source: &dyn RowSource,
) -> Result<Vec<Parameter>, Failure> {
    let failed = |why: String| Failure::new(FailureKind::Query, "reading values failed", why);
    let params = statement.bound(&definition.vars).into_iter();
    let params: Vec<Param> = params.map(Param::from).collect();
    let columns = source.describe(&statement.sql.text, &params).await?;
    let [column] = &columns[..] else {
        let why = format!("the query returns {} columns, and must return one", columns.len());
        return Err(failed(why));
    };
    let is_number = column.kind == ColumnKind::Integer;
    let (label, sql) = (definition.spec.id.to_string(), statement.sql.text.clone());
    let mut rows =
        source.rows(Query { params, brief: true, ..Query::new(label, sql, columns.clone()) });
    let mut values = Vec::new();
    while let Some(batch) = rows.try_next().await? {
        for i in 0..batch.len() {
            let text = batch.row(i).text(0).map_err(|why| failed(why.to_string()))?;
            let text = text.ok_or_else(|| failed("a value is NULL".to_owned()))?;
            let mut text = String::from_utf8_lossy(&text).into_owned();
            // PostgreSQL fills up a `char(n)` with blanks, and compares it without them.
            if column.kind == ColumnKind::Other("bpchar".to_owned()) {
                text.truncate(text.trim_end_matches(' ').len());
            }
            let value = match text.parse() {
                Ok(number) if is_number => Parameter::Int(number),
                _ => Parameter::Text(text),
            };
            if !values.contains(&value) {
                values.push(value);
            }
        }
    }
    Ok(values)
}
