//! A list of rows, and a map of them by the text of a column.

use std::collections::HashSet;

use super::rows::{Collect, push_text};
use crate::application::query::layout::Layout;
use crate::domain::entry::EntryBatch;
use crate::domain::key::printable;
use crate::domain::row::Row;
use crate::domain::strategy::Place;

/// A JSON array, or an object, one item after the other.
pub(super) struct Document {
    json: Vec<u8>,
    close: u8,
    names: HashSet<Vec<u8>>,
}

impl Document {
    pub(super) fn new(place: &Place<usize>) -> Self {
        let (open, close) = match place {
            Place::Key(_) => (b'{', b'}'),
            _ => (b'[', b']'),
        };
        Self { json: vec![open], close, names: HashSet::new() }
    }

    /// Appends the name that a row has in a map.
    fn add_name(&mut self, layout: &Layout, row: Row<'_>, at: usize) -> Result<(), String> {
        let column = &layout.columns[at].name;
        let name = layout.cell_text(row, at)?;
        let name = name.ok_or_else(|| {
            format!("column `{column}` is NULL: the row has no place in the value")
        })?;
        if !self.names.insert(name.clone()) {
            let name = printable(&name);
            return Err(format!("two rows have the {column} \"{name}\""));
        }
        let text = String::from_utf8_lossy(&name);
        let quoted = serde_json::to_writer(&mut self.json, &text);
        self.json.push(b':');
        quoted.map_err(|error| error.to_string())
    }
}

impl Collect for Document {
    fn add(&mut self, layout: &Layout, row: Row<'_>) -> Result<(), String> {
        if self.json.len() > 1 {
            self.json.push(b',');
        }
        if let Place::Key(at) = layout.place {
            self.add_name(layout, row, at)?;
        }
        layout.item(row, &mut self.json)
    }

    fn push_to(mut self: Box<Self>, batch: &mut EntryBatch, key: &[u8]) {
        self.json.push(self.close);
        push_text(batch, key, |out| out.extend_from_slice(&self.json));
    }
}
