//! Rows on their way from a database, already encoded.

use std::borrow::Cow;
use std::sync::Arc;

use super::encode::MAX_VALUE_BYTES;

/// Consecutive rows of one query: every cell's JSON in one buffer, so that a batch costs a few
/// allocations however many rows it has.
#[derive(Debug)]
pub struct RowBatch {
    columns: usize,
    text: Vec<u8>,
    /// Where each cell's JSON ends in `text`. An empty cell is one that could not be encoded.
    ends: Vec<usize>,
    errors: Vec<(usize, String)>,
}

impl RowBatch {
    pub fn new(columns: usize) -> Self {
        Self { columns, text: Vec::new(), ends: Vec::new(), errors: Vec::new() }
    }

    /// Appends the next cell, which `encode` writes as JSON. Its error costs that cell alone.
    pub fn push_cell(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> Result<(), String>) {
        let start = self.text.len();
        let mut result = encode(&mut self.text);
        let length = self.text.len() - start;
        if result.is_ok() && length > MAX_VALUE_BYTES {
            result =
                Err(format!("{length} bytes is more than a value may have ({MAX_VALUE_BYTES})"));
        }
        if let Err(error) = result {
            self.text.truncate(start);
            self.errors.push((self.ends.len(), error));
        }
        self.ends.push(self.text.len());
    }

    /// How many whole rows there are.
    pub fn len(&self) -> usize {
        self.ends.len() / self.columns.max(1)
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes that the batch holds.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    pub fn row(&self, index: usize) -> Row<'_> {
        Row { batch: self, first: index * self.columns }
    }
}

/// One row of a [`RowBatch`].
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    batch: &'a RowBatch,
    first: usize,
}

impl<'a> Row<'a> {
    /// The JSON of a column, or why it has none.
    ///
    /// # Errors
    /// The encoder's words.
    pub fn json(&self, column: usize) -> Result<&'a [u8], &'a str> {
        let cell = self.first + column;
        let start = if cell == 0 { 0 } else { self.batch.ends[cell - 1] };
        let json = &self.batch.text[start..self.batch.ends[cell]];
        if !json.is_empty() {
            return Ok(json);
        }
        let error = self.batch.errors.iter().find(|(at, _)| *at == cell);
        Err(error.map_or("not encoded", |(_, error)| error.as_str()))
    }

    /// The JSON of all columns, one after the other.
    ///
    /// # Errors
    /// The encoder's words about one of them.
    pub fn whole(&self) -> Result<&'a [u8], &'a str> {
        let columns = self.batch.columns;
        let mut cells = (0..columns).map(|column| self.json(column));
        cells.try_for_each(|cell| cell.map(drop))?;
        let start = match self.first {
            0 => 0,
            first => self.batch.ends[first - 1],
        };
        Ok(&self.batch.text[start..self.batch.ends[self.first + columns - 1]])
    }

    /// The text form of a column: a string without its quotes and escapes, anything else as its
    /// JSON. `None` is NULL.
    ///
    /// # Errors
    /// The encoder's words.
    pub fn text(&self, column: usize) -> Result<Option<Cow<'a, [u8]>>, &'a str> {
        text_of(self.json(column)?)
    }
}

/// The text form of a column's JSON, as [`Row::text`] gives it.
///
/// # Errors
/// It is no JSON.
pub fn text_of(json: &[u8]) -> Result<Option<Cow<'_, [u8]>>, &'static str> {
    Ok(match json {
        b"null" => None,
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => Some(Cow::Borrowed(inner)),
        [b'"', ..] => {
            let text: String = serde_json::from_slice(json).map_err(|_| "not encoded")?;
            Some(Cow::Owned(text.into_bytes()))
        }
        json => Some(Cow::Borrowed(json)),
    })
}

/// A column of a query, as the database describes it before any row is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: ColumnKind,
    /// The declared type in the database's words; empty where it does not say.
    pub declared: String,
}

impl Column {
    /// A column of whole numbers.
    pub fn integer(name: &str) -> Self {
        Self { name: name.to_owned(), kind: ColumnKind::Integer, declared: String::new() }
    }

    /// Whether it holds dates or times, by its type's name; arrays of them too.
    pub fn is_moment(&self) -> bool {
        // Behind a domain's name is the type that it is made of.
        let base = match &self.kind {
            ColumnKind::Other(name) => name.as_str(),
            _ => "",
        };
        [base, &self.declared].into_iter().any(|name| {
            let end = name.find(['(', '[']).unwrap_or(name.len());
            MOMENTS.contains(&name[..end].trim().to_ascii_uppercase().as_str())
        })
    }
}

/// The names of types of dates and times.
const MOMENTS: [&str; 9] = [
    "DATE",
    "DATETIME",
    "TIME",
    "TIME WITHOUT TIME ZONE",
    "TIMESTAMP",
    "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMP WITHOUT TIME ZONE",
    "TIMESTAMPTZ",
    "TIMETZ",
];

/// What a value must look like to be compared with a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    Integer,
    Text,
    /// Compared through a cast to this type of the database's.
    Other(String),
    /// The database does not say.
    Unknown,
}

/// The columns of a query, in order.
pub type Columns = Arc<[Column]>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_fails_costs_only_itself() {
        let mut rows = RowBatch::new(2);
        rows.push_cell(|out| {
            out.extend_from_slice(b"\"a\\n\"");
            Ok(())
        });
        rows.push_cell(|out| {
            out.extend_from_slice(b"half");
            Err("NaN".into())
        });
        rows.push_cell(|out| {
            out.extend_from_slice(b"null");
            Ok(())
        });
        rows.push_cell(|out| {
            out.extend_from_slice(b"12.50");
            Ok(())
        });
        assert_eq!(rows.len(), 2);
        assert_eq!(rows.row(0).text(0), Ok(Some(Cow::Borrowed(&b"a\n"[..]))));
        assert_eq!(rows.row(0).json(1), Err("NaN"));
        assert_eq!(rows.row(1).text(0), Ok(None));
        assert_eq!(rows.row(1).json(1), Ok(&b"12.50"[..]));
    }
}
