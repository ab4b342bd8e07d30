//! How a definition's columns are stored: the style of their cells, and the constants before them.

use serde_json::{Map, Value as Json};

use crate::domain::row::{Column, Columns};
use crate::domain::strategy::Definition;
use crate::domain::style::{CellStyle, Dates};

#[derive(Clone, Debug)]
pub(super) struct Styles {
    /// Of each column.
    pub(super) cells: Vec<CellStyle>,
    /// What an object begins with: the brace, and the constant fields.
    pub(super) object_start: Vec<u8>,
    /// The constant fields of a hash.
    pub(super) constants: Vec<(String, Vec<u8>)>,
}

impl Styles {
    /// # Errors
    /// A constant has the name of a stored column.
    pub(super) fn of(definition: &Definition, columns: &Columns) -> Result<Self, String> {
        let constants = &definition.style.fields;
        if let Some(column) = columns.iter().find(|c| constants.contains_key(&c.name)) {
            return Err(format!("it names {}, which is a column of the query too", column.name));
        }
        let cells = columns.iter().map(|column| cell(definition, column));
        Ok(Self {
            cells: cells.collect(),
            object_start: object_start(constants),
            constants: texts(constants),
        })
    }

    /// Columns as they are, without constants.
    pub(super) fn none(columns: usize) -> Self {
        Self {
            cells: vec![CellStyle::default(); columns],
            object_start: b"{".to_vec(),
            constants: Vec::new(),
        }
    }
}

/// A column that `types` names is written as it says.
fn cell(definition: &Definition, column: &Column) -> CellStyle {
    let mut types = definition.types.iter();
    if types.any(|(name, _)| *name == column.name) {
        return CellStyle::default();
    }
    CellStyle {
        numbers: definition.style.numbers,
        dates: if column.is_moment() { definition.style.dates } else { Dates::Iso },
    }
}

/// `{`, or `{"@class":"shop.Product"`.
fn object_start(constants: &Map<String, Json>) -> Vec<u8> {
    let mut start = Json::Object(constants.clone()).to_string().into_bytes();
    start.pop();
    start
}

fn texts(constants: &Map<String, Json>) -> Vec<(String, Vec<u8>)> {
    let text = |value: &Json| match value {
        Json::String(text) => text.clone().into_bytes(),
        value => value.to_string().into_bytes(),
    };
    let texts = constants.iter();
    texts.map(|(name, value)| (name.clone(), text(value))).collect()
}
