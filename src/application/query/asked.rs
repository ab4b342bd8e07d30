//! What keys that are asked for may have been made of.

use std::collections::VecDeque;

use futures_util::stream::BoxStream;

use super::key_query;
use super::prepared::{Prepared, Reading};
use crate::application::ports::{Query, RowSource};
use crate::domain::entry::{KeyError, Name};
use crate::domain::failure::Failure;
use crate::domain::key::printable;
use crate::domain::row::RowBatch;

/// Readings of keys of several columns in one query, each of which is a condition of its own.
const READINGS_A_QUERY: usize = 200;

/// A key that is asked for, and all that it may have been made of.
pub(super) struct Asked {
    pub(super) key: String,
    pub(super) readings: Vec<Vec<String>>,
}

impl Asked {
    pub(super) fn of(prepared: &Prepared, name: Name) -> Result<Self, KeyError> {
        let unknown = |why: &str| KeyError {
            key: printable(name.key.as_bytes()),
            error: format!("whether it has a row is not known: {why}"),
        };
        if let Some(why) = &prepared.opaque {
            return Err(unknown(why));
        }
        let template = &prepared.definition.spec.key;
        let values = match name.ends.as_slice() {
            [] => None,
            ends => template.values(&name.key, ends),
        };
        let readings = match values {
            Some(values) => vec![values],
            None => {
                let (dialect, columns) = (prepared.dialect(), prepared.key_columns());
                let fits = |at: usize, value: &str| {
                    let column = columns.get(at);
                    column.is_some_and(|column| key_query::fits(dialect, column.column, value))
                };
                let read = template.read(&name.key, &fits);
                read.map_err(|too_many| unknown(&too_many.to_string()))?
            }
        };
        let key = name.key;
        Ok(Self { key, readings })
    }
}

/// Keys in groups that one query can ask for, each of at most `max`.
pub(super) fn groups(prepared: &Prepared, keys: Vec<Asked>, max: usize) -> VecDeque<Vec<Asked>> {
    let has_many = prepared.key_columns().len() > 1;
    let mut groups: VecDeque<Vec<Asked>> = VecDeque::new();
    let mut readings = 0;
    for key in keys {
        readings += key.readings.len();
        match groups.back_mut() {
            Some(group) if group.len() < max && !(has_many && readings > READINGS_A_QUERY) => {
                group.push(key);
            }
            _ => {
                readings = key.readings.len();
                groups.push_back(vec![key]);
            }
        }
    }
    groups
}

/// The rows of some keys; `None`: no row can have one of them.
pub(super) fn rows_of(
    prepared: &Prepared,
    keys: &[Asked],
    reading: Reading<'_>,
    source: &dyn RowSource,
) -> Option<BoxStream<'static, Result<RowBatch, Failure>>> {
    let columns = prepared.key_columns();
    let Reading { composer, pick, layout } = reading;
    let mut params = prepared.params.clone();
    let sql = if columns.is_empty() {
        composer.all(pick, prepared.definition.limit)
    } else {
        let readings: Vec<&Vec<String>> = keys.iter().flat_map(|key| &key.readings).collect();
        let dialect = prepared.dialect();
        let condition = key_query::condition(dialect, &columns, &readings, &mut params)?;
        composer.matching(pick, &condition)
    };
    Some(source.rows(Query { brief: true, ..prepared.query(sql, params, layout) }))
}
