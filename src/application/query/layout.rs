//! What a row holds: its key, its value, its version.

use std::borrow::Cow;
use std::collections::HashSet;

use super::compose::version_columns;
use super::key_query::KeyColumn;
use super::styles::Styles;
use crate::domain::coding::Format;
use crate::domain::encode::Hint;
use crate::domain::key::BoundKey;
use crate::domain::row::{Column, Columns, Row, text_of};
use crate::domain::strategy::{CHANGED_AT, Definition, Place, Shape, VERSION};
use crate::domain::version::Version;
use crate::domain::written::Wrong;

/// The field that holds the nodes below a node of a tree.
pub(super) const CHILDREN: &str = "children";

/// How a definition's rows become entries: names and indexes, worked out once.
#[derive(Clone, Debug)]
pub struct Layout {
    pub columns: Columns,
    pub(super) shape: Shape,
    /// A text is stored as its JSON, for a format to be made of it.
    pub(super) has_json_texts: bool,
    pub(super) key: BoundKey,
    /// The stored columns: index, name, and `,"name":` as an object has it.
    pub(super) stored: Vec<(usize, String, Vec<u8>)>,
    pub(super) place: Place<usize>,
    /// The one key, if it has a value where there is no row.
    pub(super) empty_key: Option<String>,
    version: Option<usize>,
    pub hints: Vec<Option<Hint>>,
    pub(super) styles: Styles,
}

/// The stored columns: index, name, and what precedes the value in an object. The column of the
/// place says nothing new, unless there is no other.
fn stored(
    columns: &Columns,
    place: &Place<usize>,
    has_constants: bool,
) -> Vec<(usize, String, Vec<u8>)> {
    let is_stored = |(_, column): &(usize, &Column)| !column.name.starts_with('_');
    let says_place = |at: usize| matches!(place, Place::Key(key) | Place::Score(key) if *key == at);
    let all = || columns.iter().enumerate().filter(is_stored);
    let is_left = |(at, _): &(usize, &Column)| !says_place(*at) || all().count() == 1;
    let all = all().filter(is_left);
    let with_name = all.enumerate().map(|(nth, (at, column))| {
        let comma = if nth == 0 && !has_constants { "" } else { "," };
        let name = serde_json::Value::from(column.name.as_str());
        let start = format!("{comma}{name}:").into_bytes();
        (at, column.name.clone(), start)
    });
    with_name.collect()
}

/// Checks for columns that the shape does not allow.
fn check_stored(shape: Shape, stored: &[(usize, String, Vec<u8>)]) -> Result<(), Wrong> {
    let wrong = |why: &str| Err(Wrong::new("sql", why));
    match (shape, stored.len()) {
        (_, 0) => wrong("no column is stored: each name begins with `_`"),
        (Shape::Text, n) if n > 1 => Err(Wrong::several_texts(n)),
        (Shape::Tree, _) if stored.iter().any(|(_, name, _)| name == CHILDREN) => wrong(&format!(
            "the query has a column {CHILDREN}, which each node of a tree has anyway; \
             give it another name with AS"
        )),
        _ => Ok(()),
    }
}

impl Layout {
    /// Checks a definition against its query's columns.
    ///
    /// # Errors
    /// Says in words what does not fit.
    pub fn new(
        definition: &Definition,
        columns: Columns,
        documents: &[String],
    ) -> Result<Self, Wrong> {
        if let Some(twice) = repeated(&columns) {
            let why = format!("two columns are named {twice}; give each its own name with AS");
            return Err(Wrong::new("sql", why));
        }
        let index = |name: &str| columns.iter().position(|column| column.name == name);
        let missing = |field: &'static str, name: &str| {
            let known: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
            Wrong::no_column(field, name, &known)
        };
        let key = definition.spec.key.bind(index).map_err(|name| missing("key", &name))?;
        let is_document = |column: &Column| documents.contains(&column.name.to_ascii_lowercase());
        let document = |column| is_document(column).then_some(Hint::Json);
        let mut hints: Vec<Option<Hint>> = columns.iter().map(document).collect();
        for (name, hint) in &definition.types {
            let at = index(name).ok_or_else(|| missing("types", name))?;
            hints[at] = Some(*hint);
        }
        let styles = Styles::of(definition, &columns).map_err(|why| Wrong::new("fields", why))?;
        let place = definition
            .place
            .try_map(|field, name| index(name).ok_or_else(|| missing(field, name)))?;
        let stored = stored(&columns, &place, !styles.constants.is_empty());
        if let Some(field) = &definition.spec.version_field
            && !stored.iter().any(|(_, name, _)| **name == **field)
        {
            let why = format!("{field} is not a stored column of the query");
            return Err(Wrong::new("version_field", why));
        }
        if definition.trusts_changed_at && index(CHANGED_AT).is_none() {
            let why =
                "\"trust\" is about the column `_changed_at`, which the query does not return";
            return Err(Wrong::new("changed", why));
        }
        check_stored(definition.spec.value, &stored)?;
        Ok(Self {
            shape: definition.spec.value,
            has_json_texts: definition.spec.coding.format != Format::Json,
            place,
            empty_key: definition.spec.key.literal().filter(|_| definition.empty),
            version: index(VERSION),
            styles,
            columns,
            key,
            stored,
            hints,
        })
    }

    /// The index of a column.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The layout of the key's columns alone, with empty values; `None` where the key has none, or
    /// where it takes a row's values to know whether there is an entry at all.
    pub fn keys_only(&self, definition: &Definition) -> Option<Self> {
        match self.shape {
            Shape::Text | Shape::Hash | Shape::HashOfRows => None,
            _ => self.of_key(definition),
        }
    }

    /// The layout of the key's columns alone; `None` where the key has none.
    pub(super) fn of_key(&self, definition: &Definition) -> Option<Self> {
        let names = definition.spec.key.columns();
        self.only(definition, &names).filter(|_| !names.is_empty())
    }

    /// The layout of what tells whether an entry is still what its rows say; `None` where nothing
    /// does. A value of several rows is as fresh as all of them, of which everything is read.
    pub fn versions(&self, definition: &Definition) -> Option<Self> {
        self.version?;
        if self.groups_rows() {
            return Some(self.clone());
        }
        self.only(definition, &version_columns(definition))
    }

    /// The columns that the key's template names, in its order.
    pub(super) fn key_columns<'a>(&'a self, definition: &'a Definition) -> Vec<KeyColumn<'a>> {
        let names = definition.spec.key.columns().into_iter();
        let column = |name: &str| {
            let at = self.columns.iter().position(|column| column.name == name)?;
            let (column, hint) = (&self.columns[at], self.hints[at]);
            Some(KeyColumn { column, hint })
        };
        names.filter_map(column).collect()
    }

    /// Whether the query says which version of its row each entry is made of.
    pub fn is_versioned(&self) -> bool {
        self.version.is_some()
    }

    /// The layout of some columns that the key is among, and nothing of which is stored.
    fn only(&self, definition: &Definition, names: &[&str]) -> Option<Self> {
        let at: Option<Vec<usize>> = names.iter().map(|name| self.index(name)).collect();
        let at = at?;
        let index = |name: &str| names.iter().position(|known| *known == name);
        Some(Self {
            columns: at.iter().map(|at| self.columns[*at].clone()).collect(),
            shape: if self.groups_rows() { Shape::List } else { self.shape },
            has_json_texts: self.has_json_texts,
            key: definition.spec.key.bind(index).ok()?,
            stored: Vec::new(),
            place: Place::Next,
            empty_key: None,
            version: index(VERSION),
            hints: at.iter().map(|at| self.hints[*at]).collect(),
            styles: Styles::none(names.len()),
        })
    }

    /// Appends the key that a row is of.
    ///
    /// # Errors
    /// Names the column that no key can be made of, and why.
    pub fn key(&self, row: Row<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        self.key.render(row, out)
    }

    /// Whether all rows of one key make its value together.
    pub fn groups_rows(&self) -> bool {
        self.shape.groups_rows()
    }

    /// The version of a row; of one of several, everything in it, its rank too.
    ///
    /// # Errors
    /// A column could not be encoded, and why.
    pub fn version(&self, row: Row<'_>) -> Result<Option<Version>, String> {
        let Some(at) = self.version else {
            return Ok(None);
        };
        let is_one_of_several = self.groups_rows();
        let says = if is_one_of_several { row.whole() } else { row.json(at) };
        let says = says.map_err(|e| format!("column `{VERSION}`: {e}"))?;
        if says == b"null" {
            return Err(format!(
                "column `{VERSION}` is NULL: changes of the row could not be seen"
            ));
        }
        Ok(Some(if is_one_of_several { Version::of_row(says) } else { Version::of_column(says) }))
    }

    /// The layout of the key's columns and one more, whose text is the value. `None`: the key has no
    /// column.
    pub fn keys_and(&self, definition: &Definition, column: &str) -> Option<Self> {
        let names = definition.spec.key.columns();
        let keys = self.of_key(definition)?;
        let columns = keys.columns.iter().cloned();
        Some(Self {
            stored: vec![(names.len(), column.to_owned(), Vec::new())],
            columns: columns.chain([Column::integer(column)]).collect(),
            hints: keys.hints.iter().copied().chain([None]).collect(),
            styles: Styles::none(names.len() + 1),
            shape: Shape::Text,
            version: None,
            ..keys
        })
    }

    /// The JSON of a stored cell.
    ///
    /// # Errors
    /// Names the column that could not be encoded, and why.
    pub fn cell<'r>(&self, row: Row<'r>, at: usize) -> Result<Cow<'r, [u8]>, String> {
        let json = row.json(at);
        let json = json.map_err(|e| format!("column `{}`: {e}", self.columns[at].name))?;
        Ok(self.styles.cells[at].apply(json))
    }

    /// The text of a stored cell; `None`: it is NULL.
    ///
    /// # Errors
    /// As [`cell`](Self::cell).
    pub(super) fn cell_text(&self, row: Row<'_>, at: usize) -> Result<Option<Vec<u8>>, String> {
        let cell = self.cell(row, at)?;
        Ok(text_of(&cell)?.map(Cow::into_owned))
    }

    /// The one column that a row is in a value of several; `None`: it is an object.
    fn scalar(&self) -> Option<usize> {
        match self.stored.as_slice() {
            [(at, ..)] if self.styles.constants.is_empty() => Some(*at),
            _ => None,
        }
    }

    /// Appends what a row adds to a value of several: its one stored column, or an object.
    ///
    /// # Errors
    /// As [`object`](Self::object).
    pub(super) fn item(&self, row: Row<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        let Some(at) = self.scalar() else {
            return self.object(row, out);
        };
        out.extend_from_slice(&self.cell(row, at)?);
        Ok(())
    }

    /// The same as text: of one stored column its own; `None`: it is NULL.
    ///
    /// # Errors
    /// As [`object`](Self::object).
    pub(super) fn item_text(&self, row: Row<'_>) -> Result<Option<Vec<u8>>, String> {
        if let Some(at) = self.scalar() {
            return self.cell_text(row, at);
        }
        let mut object = Vec::new();
        self.object(row, &mut object)?;
        Ok(Some(object))
    }

    /// The text of a column as the database has it.
    ///
    /// # Errors
    /// Names the column, and says why it has none.
    pub(super) fn column_text<'r>(
        &self,
        row: Row<'r>,
        at: usize,
    ) -> Result<Option<Cow<'r, [u8]>>, String> {
        let text = row.text(at);
        text.map_err(|e| format!("column `{}`: {e}", self.columns[at].name))
    }

    /// Appends the row as an object.
    ///
    /// # Errors
    /// Names the column that could not be encoded, and why; `out` may hold a part.
    pub fn object(&self, row: Row<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        out.extend_from_slice(&self.styles.object_start);
        for (at, _, prefix) in &self.stored {
            out.extend_from_slice(prefix);
            out.extend_from_slice(&self.cell(row, *at)?);
        }
        out.push(b'}');
        Ok(())
    }
}

fn repeated(columns: &Columns) -> Option<&str> {
    let mut names = columns.iter().map(|column| column.name.as_str());
    let mut seen = HashSet::new();
    names.find(|name| !seen.insert(*name))
}

/// The version of an entry that has one more row.
pub(super) fn merged(so_far: Option<Version>, row: Option<Version>) -> Option<Version> {
    match (so_far, row) {
        (Some(so_far), Some(row)) => Some(so_far.and(row)),
        (so_far, row) => so_far.or(row),
    }
}
