//! Rows to entries.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

use super::key_query::KeyColumn;
use crate::domain::encode::Hint;
use crate::domain::entry::{EntryBatch, KeyError};
use crate::domain::key::{BoundKey, printable};
use crate::domain::row::{Column, ColumnKind, Columns, Row};
use crate::domain::strategy::{Definition, PLACE, Shape, VERSION};
use crate::domain::version::Version;

/// A batch is handed on when it has this many bytes, whatever its number of entries: batches wait
/// in memory for the cache, several at a time.
const BATCH_BYTES: usize = 512 * 1024;

/// Keys whose repetition can be noticed: of a key so many back, it is still known with a chance of
/// about one in three, of one a tenth as far back nine times in ten. 8 bytes each.
const REMEMBERED_KEYS: usize = 1 << 16;

/// How a definition's rows become entries: names and places, worked out once.
#[derive(Clone, Debug)]
pub struct Layout {
    pub columns: Columns,
    shape: Shape,
    key: BoundKey,
    /// The stored columns: place, name, and `,"name":` as it stands in an object.
    stored: Vec<(usize, String, Vec<u8>)>,
    version: Option<usize>,
    place: Option<usize>,
    pub hints: Vec<Option<Hint>>,
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
    ) -> Result<Self, String> {
        if let Some(twice) = repeated(&columns) {
            return Err(format!(
                "the query has two columns named {twice}; give each its own name with AS"
            ));
        }
        let place = |name: &str| columns.iter().position(|column| column.name == name);
        let missing = |what: &str, name: &str| {
            let known: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
            format!(
                "{what} {name}, which the query does not return (it returns {})",
                known.join(", ")
            )
        };
        let key = definition
            .spec
            .key
            .bind(place)
            .map_err(|name| missing("the key uses", &name))?;
        let is_document = |column: &Column| documents.contains(&column.name.to_ascii_lowercase());
        let document = |column| is_document(column).then_some(Hint::Json);
        let mut hints: Vec<Option<Hint>> = columns.iter().map(document).collect();
        for (name, hint) in &definition.types {
            let at = place(name).ok_or_else(|| missing("`types` names", name))?;
            hints[at] = Some(*hint);
        }
        let mut stored = Vec::new();
        for (at, column) in columns.iter().enumerate() {
            if !column.name.starts_with('_') {
                let comma = if stored.is_empty() { "" } else { "," };
                let name = serde_json::Value::from(column.name.as_str());
                stored.push((
                    at,
                    column.name.clone(),
                    format!("{comma}{name}:").into_bytes(),
                ));
            }
        }
        if let Some(field) = &definition.spec.version_field
            && !stored.iter().any(|(_, name, _)| **name == **field)
        {
            return Err(format!(
                "version_field names {field}, which is no stored column of the query"
            ));
        }
        match (definition.spec.value, stored.len()) {
            (_, 0) => Err("no column is stored: each name begins with `_`".into()),
            (Shape::Text, n) if n > 1 => Err(format!(
                "a `text` value has one stored column, the query returns {n}; \
                 name the others with a leading `_`"
            )),
            _ => Ok(Self {
                shape: definition.spec.value,
                version: place(VERSION),
                place: place(PLACE),
                columns,
                key,
                stored,
                hints,
            }),
        }
    }

    /// The layout of the key's columns alone, with empty values; `None` where the key has none, or
    /// where it takes a row's values to know whether there is an entry at all.
    pub fn keys_only(&self, definition: &Definition) -> Option<Self> {
        let names = definition.spec.key.columns();
        if names.is_empty() || matches!(self.shape, Shape::Text | Shape::Hash) {
            return None;
        }
        self.only(definition, &names)
    }

    /// The layout of what tells whether an entry is still what its rows say; `None` where nothing
    /// does. A list is as fresh as all its rows: of them everything is read.
    pub fn versions(&self, definition: &Definition) -> Option<Self> {
        self.version?;
        if self.shape == Shape::List {
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

    fn only(&self, definition: &Definition, names: &[&str]) -> Option<Self> {
        let place = |name: &str| self.columns.iter().position(|column| column.name == name);
        let places: Vec<usize> = names.iter().filter_map(|name| place(name)).collect();
        let column = |name: &str| names.iter().position(|known| *known == name);
        Some(Self {
            columns: places.iter().map(|at| self.columns[*at].clone()).collect(),
            shape: self.shape,
            key: definition.spec.key.bind(column).ok()?,
            stored: Vec::new(),
            version: column(VERSION),
            place: None,
            hints: places.iter().map(|at| self.hints[*at]).collect(),
        })
    }

    /// Appends the key that a row is of.
    ///
    /// # Errors
    /// Names the column that no key can be made of, and why.
    pub fn key(&self, row: Row<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        self.key.render(row, out)
    }

    /// Where a row lies, as a number.
    fn place(&self, row: Row<'_>) -> Option<u64> {
        let text = row.text(self.place?).ok()??;
        let text = std::str::from_utf8(&text).ok()?;
        let (block, item) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
        Some(block.parse::<u64>().ok()? << 16 | u64::from(item.parse::<u16>().ok()?))
    }

    pub fn is_list(&self) -> bool {
        self.shape == Shape::List
    }

    /// The version of a row; of a list's row, everything in it, its rank too.
    ///
    /// # Errors
    /// A column could not be encoded, and why.
    pub fn version(&self, row: Row<'_>) -> Result<Option<Version>, String> {
        let Some(at) = self.version else {
            return Ok(None);
        };
        let is_list = self.is_list();
        let says = match is_list {
            true => row.whole(),
            false => row.json(at),
        };
        let says = says.map_err(|e| format!("column {VERSION}: {e}"))?;
        if says == b"null" {
            return Err(format!(
                "column {VERSION} is NULL: whether the row changes could not be seen"
            ));
        }
        Ok(Some(match is_list {
            true => Version::of_row(says),
            false => Version::of_column(says),
        }))
    }

    /// The layout of the key's columns and one more, whose text is the value. `None`: the key has no
    /// column.
    pub fn keys_and(&self, definition: &Definition, column: &str) -> Option<Self> {
        let names = definition.spec.key.columns();
        if names.is_empty() {
            return None;
        }
        let place = |name: &str| self.columns.iter().position(|column| column.name == name);
        let places: Vec<usize> = names
            .iter()
            .map(|name| place(name))
            .collect::<Option<_>>()?;
        let mut columns: Vec<Column> = places.iter().map(|at| self.columns[*at].clone()).collect();
        let mut hints: Vec<Option<Hint>> = places.iter().map(|at| self.hints[*at]).collect();
        let key = |name: &str| names.iter().position(|known| *known == name);
        let stored = vec![(columns.len(), column.to_owned(), Vec::new())];
        columns.push(Column {
            name: column.to_owned(),
            kind: ColumnKind::Integer,
            declared: String::new(),
        });
        hints.push(None);
        Some(Self {
            columns: columns.into(),
            shape: Shape::Text,
            key: definition.spec.key.bind(key).ok()?,
            stored,
            hints,
            version: None,
            place: None,
        })
    }

    /// Appends the row as an object.
    ///
    /// # Errors
    /// Names the column that could not be encoded, and why; `out` may hold a part.
    pub fn object(&self, row: Row<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        out.push(b'{');
        for (at, name, prefix) in &self.stored {
            out.extend_from_slice(prefix);
            out.extend_from_slice(row.json(*at).map_err(|e| format!("column {name}: {e}"))?);
        }
        out.push(b'}');
        Ok(())
    }
}

/// The columns that tell an entry's version: those of its key, and that one.
pub fn version_columns(definition: &Definition) -> Vec<&str> {
    let mut names = definition.spec.key.columns();
    if !names.contains(&VERSION) {
        names.push(VERSION);
    }
    names
}

fn repeated(columns: &Columns) -> Option<&str> {
    let name = |i: usize| columns[i].name.as_str();
    (1..columns.len())
        .map(name)
        .enumerate()
        .find_map(|(before, this)| {
            // SQLite tells two columns of a subquery apart by a suffix: `id`, `id:1`.
            let plain = this.rsplit_once(':').map_or(this, |(plain, _)| plain);
            (0..=before)
                .map(name)
                .any(|n| n == this || n == plain)
                .then_some(plain)
        })
}

/// The version of an entry that has one more row.
pub fn merged(so_far: Option<Version>, row: Option<Version>) -> Option<Version> {
    match (so_far, row) {
        (Some(so_far), Some(row)) => Some(so_far.and(row)),
        (so_far, row) => so_far.or(row),
    }
}

/// Puts rows together into batches of entries.
pub(super) struct Assembler<'a> {
    layout: &'a Layout,
    batch_size: usize,
    batch: EntryBatch,
    key: Vec<u8>,
    /// Where in it each column ends; empty: its text alone tells.
    ends: Vec<u32>,
    list: Option<List>,
    seen: Vec<u64>,
    hasher: RandomState,
    /// Rows so far.
    pub(super) rows: u64,
    /// A stream that went on in the middle may bring rows again.
    pub(super) goes_on: bool,
    /// Entries, failures and absences so far.
    pub(super) keys: u64,
    /// Complete batches.
    pub(super) ready: Vec<EntryBatch>,
}

/// The list being put together.
struct List {
    key: Vec<u8>,
    ends: Vec<u32>,
    value: Vec<u8>,
    version: Option<Version>,
    error: Option<String>,
}

impl<'a> Assembler<'a> {
    pub(super) fn new(layout: &'a Layout, batch_size: usize) -> Self {
        Self {
            layout,
            batch_size,
            batch: EntryBatch::default(),
            key: Vec::new(),
            ends: Vec::new(),
            list: None,
            seen: vec![0; REMEMBERED_KEYS],
            hasher: RandomState::default(),
            rows: 0,
            goes_on: false,
            keys: 0,
            ready: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, row: Row<'_>) {
        self.rows += 1;
        if let Err(error) = self.render_key(row) {
            self.fail(format!("row {}", self.rows), error);
            return;
        }
        if self.layout.shape == Shape::List {
            self.push_to_list(row);
            return;
        }
        let is_repeated = self.is_repeated();
        if is_repeated && self.goes_on {
            self.rows -= 1;
            return;
        }
        if is_repeated {
            let error = "another row has this key too; the key's columns must tell rows apart";
            self.fail(printable(&self.key), error.into());
        } else if let Err(error) = self.push_entry(row) {
            self.fail(printable(&self.key), error);
        }
        self.hand_on_if_full();
    }

    fn render_key(&mut self, row: Row<'_>) -> Result<(), String> {
        self.key.clear();
        self.ends.clear();
        let template = &self.layout.key;
        if !template.has_several_columns() {
            return template.render(row, &mut self.key);
        }
        let ends = &mut self.ends;
        let ended = |end| ends.push(u32::try_from(end).unwrap_or(u32::MAX));
        template.render_with(row, &mut self.key, ended)
    }

    /// Ends the last list and hands on what is left.
    pub(super) fn finish(&mut self) {
        self.close_list();
        if !self.batch.is_void() {
            self.ready.push(std::mem::take(&mut self.batch));
        }
    }

    /// Ends here: the list begun is dropped.
    pub(super) fn cut(&mut self) {
        self.list = None;
        self.finish();
    }

    fn push_entry(&mut self, row: Row<'_>) -> Result<(), String> {
        let layout = self.layout;
        let version = layout.version(row)?;
        let entries = self.batch.len();
        match layout.shape {
            Shape::Text => {
                let (at, name, _) = &layout.stored[0];
                match row.text(*at).map_err(|e| format!("column {name}: {e}"))? {
                    None => self.batch.absent.push(printable(&self.key)),
                    Some(text) => self.batch.push_text(&self.key, |out| {
                        out.extend_from_slice(&text);
                        Ok::<(), String>(())
                    })?,
                }
            }
            Shape::Hash => {
                let mut fields = Vec::with_capacity(layout.stored.len());
                for (at, name, _) in &layout.stored {
                    let text = row.text(*at).map_err(|e| format!("column {name}: {e}"))?;
                    fields.extend(text.map(|text| (name.as_bytes(), text)));
                }
                if fields.is_empty() {
                    self.batch.absent.push(printable(&self.key));
                } else {
                    self.batch.push_hash(&self.key, fields.into_iter());
                }
            }
            Shape::Object | Shape::List => {
                self.batch
                    .push_text(&self.key, |out| layout.object(row, out))?;
            }
        }
        if self.batch.len() > entries {
            self.batch.stamp(version, layout.place(row));
            self.batch.set_ends(&self.ends);
        }
        self.keys += 1;
        Ok(())
    }

    fn push_to_list(&mut self, row: Row<'_>) {
        if self.list.as_ref().is_none_or(|list| list.key != self.key) {
            self.close_list();
            let error = self.is_repeated().then(|| {
                "the rows of this key do not come together; the key's columns must sort as \
                 the key does"
                    .to_owned()
            });
            self.list = Some(List {
                key: self.key.clone(),
                ends: self.ends.clone(),
                value: Vec::new(),
                version: None,
                error,
            });
        }
        let Some(list) = &mut self.list else { return };
        list.value
            .push(if list.value.is_empty() { b'[' } else { b',' });
        if list.error.is_none() {
            // A list without one of its rows would be a wrong list: the whole key fails.
            list.error = self.layout.object(row, &mut list.value).err();
        }
        match self.layout.version(row) {
            Ok(version) => list.version = merged(list.version, version),
            Err(error) => list.error = list.error.take().or(Some(error)),
        }
    }

    fn close_list(&mut self) {
        let Some(mut list) = self.list.take() else {
            return;
        };
        list.value.push(b']');
        match list.error {
            Some(error) => self.fail(printable(&list.key), error),
            None => {
                let push = self.batch.push_text(&list.key, |out| {
                    out.extend_from_slice(&list.value);
                    Ok::<(), std::convert::Infallible>(())
                });
                debug_assert!(push.is_ok());
                self.batch.stamp(list.version, None);
                self.batch.set_ends(&list.ends);
                self.keys += 1;
            }
        }
        self.hand_on_if_full();
    }

    fn fail(&mut self, key: String, error: String) {
        self.batch.failed.push(KeyError { key, error });
        self.keys += 1;
        self.hand_on_if_full();
    }

    fn hand_on_if_full(&mut self) {
        let batch = &self.batch;
        let entries = batch.len() + batch.failed.len() + batch.absent.len();
        if entries >= self.batch_size || batch.bytes() >= BATCH_BYTES {
            // The next batch is likely to be as large: one allocation instead of growth.
            let next = EntryBatch::with_capacity(batch.bytes(), batch.len());
            self.ready.push(std::mem::replace(&mut self.batch, next));
        }
    }

    /// Whether the key came lately. Memory is fixed: keys farther apart are not noticed, and the
    /// later one wins.
    fn is_repeated(&mut self) -> bool {
        let hash = self.hasher.hash_one(&self.key).max(1);
        let slot = &mut self.seen[hash as usize % REMEMBERED_KEYS];
        std::mem::replace(slot, hash) == hash
    }
}
