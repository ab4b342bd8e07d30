//! The tables of a database, as its catalogue lists them.

use std::collections::BTreeMap;

use super::key_rows::UniqueKeys;

/// What can be read without naming a schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// By name.
    pub tables: Vec<Table>,
    /// Schemas that are not searched, and how many tables each has.
    pub elsewhere: Vec<(String, u64)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    /// A view, or something else that has no keys.
    pub is_view: bool,
    /// In the order of the table.
    pub columns: Vec<TableColumn>,
    pub keys: UniqueKeys,
    pub foreign_keys: Vec<ForeignKey>,
    /// About how many rows it has; `None`: the database does not say it cheaply.
    pub rows: Option<u64>,
    /// An expression that changes whenever the row does.
    pub row_version: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    pub name: String,
    /// The type in the database's words.
    pub declared: String,
    pub kind: Kind,
    pub is_nullable: bool,
    /// Its default is a date of all zeros.
    pub has_zero_default: bool,
    /// The longest value in bytes, where the type says it.
    pub length: Option<u64>,
}

/// What a column holds, as far as it matters to a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Integer,
    Number,
    Text,
    Bool,
    /// A date with a time.
    Moment,
    Day,
    Time,
    Document,
    Binary,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    pub columns: Vec<String>,
    pub parent: String,
    /// The columns of the parent, in the same order.
    pub parent_columns: Vec<String>,
    /// Read off the names, since nothing is declared.
    pub is_guess: bool,
}

impl Schema {
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&TableColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns that tell its rows apart and are never NULL: the primary key, or else a unique one.
    pub fn key(&self) -> &[String] {
        let is_filled = |name: &String| self.column(name).is_some_and(|c| !c.is_nullable);
        let mut others = self.keys.others.iter();
        match self.keys.primary.as_slice() {
            [] => others
                .find(|key| !key.is_empty() && key.iter().all(is_filled))
                .map_or(&[], Vec::as_slice),
            primary => primary,
        }
    }
}

/// A column of a key, as [`UniqueKeys::of`] takes it, and of a foreign key, as [`foreign_keys`] does.
type KeyRow = (String, bool, Option<String>);
type ReferenceRow = (String, String, String, Option<String>);

/// Takes what a catalogue says in rows, each with its table.
pub fn add_keys(
    tables: &mut BTreeMap<String, Table>,
    keys: &[(String, KeyRow)],
    references: &[(String, ReferenceRow)],
) {
    for (name, table) in tables {
        let keys = keys.iter().filter(|(of, _)| of == name);
        table.keys = UniqueKeys::of(keys.map(|(_, key)| key.clone()));
        let references = references.iter().filter(|(of, _)| of == name);
        let references = references.map(|(_, reference)| reference.clone());
        table.foreign_keys = foreign_keys(references, |_| Vec::new());
    }
}

/// Puts together what a catalogue says in rows: which foreign key, a column of it, the parent and its
/// column; `None`: a column of the parent's primary key.
pub fn foreign_keys(
    rows: impl IntoIterator<Item = ReferenceRow>,
    primary: impl Fn(&str) -> Vec<String>,
) -> Vec<ForeignKey> {
    let mut keys: Vec<(String, ForeignKey)> = Vec::new();
    for (id, column, parent, parent_column) in rows {
        let at = keys.iter().position(|(known, _)| *known == id);
        let at = at.unwrap_or_else(|| {
            let key = ForeignKey {
                columns: Vec::new(),
                parent,
                parent_columns: Vec::new(),
                is_guess: false,
            };
            keys.push((id, key));
            keys.len() - 1
        });
        let key = &mut keys[at].1;
        let nth = key.columns.len();
        key.columns.push(column);
        let implied = || primary(&key.parent).get(nth).cloned();
        key.parent_columns.extend(parent_column.or_else(implied));
    }
    keys.into_iter().map(|(_, key)| key).collect()
}
