//! Cache entries, in batches, on their way to the cache.

use std::ops::Range;

use super::outcome::Written;
use super::portion::PartOf;
pub use super::value::{Collection, Pairs, Value};
use super::version::Version;

/// Entries to write together. Keys and values lie in one buffer; an entry is a view of it.
#[derive(Debug, Default)]
pub struct EntryBatch {
    buffer: Vec<u8>,
    slots: Vec<Slot>,
    /// [`Entry::ends`] of all entries, one after the other.
    ends: Vec<u32>,
    /// Keys that will not be written, and why.
    pub failed: Vec<KeyError>,
    /// Keys with nothing to store: a `text` that is NULL, a key asked for that has no row.
    pub absent: Vec<String>,
    /// Warnings about how these entries were read.
    pub warnings: Vec<String>,
    /// Which part of their selection they are, if it is read in portions.
    pub part_of: Option<PartOf>,
    /// What became of them, if a worker has written them already; their values are empty here.
    pub done: Option<Box<Written>>,
}

#[derive(Debug)]
struct Slot {
    key: Range<usize>,
    value: Range<usize>,
    form: Form,
    version: Option<Version>,
    ends: Range<usize>,
}

#[derive(Debug)]
enum Form {
    Text,
    Json,
    /// With the ends of names and values.
    Collection(Collection, Vec<usize>),
}

/// A key that failed. `key` is shown as is: printable already, or a row number.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KeyError {
    pub key: String,
    pub error: String,
}

/// One key and the value to store there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    pub key: &'a [u8],
    pub value: Value<'a>,
    /// The version of its rows, if the query selects one.
    pub version: Option<Version>,
    /// Where in its key each column ends; empty: the text alone is unambiguous.
    pub ends: &'a [u32],
}

/// A key to look up, and how it was made, if known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub key: String,
    /// As [`Entry::ends`].
    pub ends: Vec<u32>,
}

impl From<String> for Name {
    fn from(key: String) -> Self {
        let ends = Vec::new();
        Self { key, ends }
    }
}

impl Entry<'_> {
    /// Key and value, as sent.
    pub fn bytes(&self) -> u64 {
        (self.key.len() + self.value.bytes()) as u64
    }
}

impl EntryBatch {
    pub fn with_capacity(bytes: usize, entries: usize) -> Self {
        Self {
            buffer: Vec::with_capacity(bytes),
            slots: Vec::with_capacity(entries),
            ..Self::default()
        }
    }

    /// Nothing to write: these keys are there by an earlier run.
    pub fn taken_over(keys: u64) -> Self {
        Self { part_of: Some(PartOf::TakenOver { keys }), ..Self::default() }
    }

    /// Appends a string entry; both closures append their bytes. An error leaves the batch as it
    /// was.
    ///
    /// # Errors
    /// The closures'.
    pub fn push_text<E>(
        &mut self,
        key: &[u8],
        value: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.push_form(key, Form::Text, value)
    }

    /// The same of a document, for a cache that has a type for them.
    ///
    /// # Errors
    /// The closure's.
    pub fn push_document<E>(
        &mut self,
        key: &[u8],
        value: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.push_form(key, Form::Json, value)
    }

    fn push_form<E>(
        &mut self,
        key: &[u8],
        form: Form,
        value: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(key);
        let middle = self.buffer.len();
        if let Err(error) = value(&mut self.buffer) {
            self.buffer.truncate(start);
            return Err(error);
        }
        self.slots.push(Slot {
            key: start..middle,
            value: middle..self.buffer.len(),
            form,
            version: None,
            ends: 0..0,
        });
        Ok(())
    }

    /// Appends a value as JSON; one that has no JSON form costs its key.
    pub fn push_json(&mut self, key: &str, value: &impl serde::Serialize) {
        let pushed = self.push_text(key.as_bytes(), |out| serde_json::to_writer(out, value));
        if let Err(error) = pushed {
            let (key, error) = (key.to_owned(), error.to_string());
            self.failed.push(KeyError { key, error });
        }
    }

    /// Appends an entry of several parts.
    pub fn push_collection<'p>(
        &mut self,
        key: &[u8],
        collection: Collection,
        pairs: impl Iterator<Item = (&'p [u8], std::borrow::Cow<'p, [u8]>)>,
    ) {
        let mut ends = Vec::new();
        let Ok(()) = self.push_form(key, Form::Text, |out| {
            for (name, value) in pairs {
                out.extend_from_slice(name);
                ends.push(out.len());
                out.extend_from_slice(&value);
                ends.push(out.len());
            }
            Ok::<(), std::convert::Infallible>(())
        });
        if let Some(last) = self.slots.last_mut() {
            last.form = Form::Collection(collection, ends);
        }
    }

    /// Sets the version of the last entry's rows.
    pub fn stamp(&mut self, version: Option<Version>) {
        if let Some(last) = self.slots.last_mut() {
            last.version = version;
        }
    }

    /// Sets where in the last entry's key each column ends.
    pub fn set_ends(&mut self, ends: &[u32]) {
        if let Some(last) = self.slots.last_mut() {
            let start = self.ends.len();
            self.ends.extend_from_slice(ends);
            last.ends = start..self.ends.len();
        }
    }

    /// Appends an entry of another batch.
    pub fn push(&mut self, entry: Entry<'_>) {
        let form = match entry.value {
            Value::Text(text) => Some((Form::Text, text)),
            Value::Json(text) => Some((Form::Json, text)),
            Value::Collection(collection, pairs) => {
                let pairs = pairs.iter().map(|(name, value)| (name, value.into()));
                self.push_collection(entry.key, collection, pairs);
                None
            }
        };
        if let Some((form, text)) = form {
            let Ok(()) = self.push_form(entry.key, form, |out| {
                out.extend_from_slice(text);
                Ok::<(), std::convert::Infallible>(())
            });
        }
        self.stamp(entry.version);
        self.set_ends(entry.ends);
    }

    /// A copy of some entries. The first part takes failures, absent keys and warnings along; only
    /// the last part ends a portion.
    #[must_use]
    pub fn part(&mut self, range: Range<usize>) -> Self {
        let bytes = self.slots[range.clone()].iter().map(|s| self.entry(s).bytes());
        let mut part = Self::with_capacity(bytes.sum::<u64>() as usize, range.len());
        part.failed = std::mem::take(&mut self.failed);
        part.absent = std::mem::take(&mut self.absent);
        part.warnings = std::mem::take(&mut self.warnings);
        let is_end = range.end == self.slots.len();
        part.part_of = self.part_of;
        if let Some(PartOf::Portion { is_last, .. }) = &mut part.part_of {
            *is_last &= is_end;
        }
        for slot in &self.slots[range] {
            part.push(self.entry(slot));
        }
        part
    }

    /// Keeps the entries whose keys pass.
    pub fn retain(&mut self, is_kept: impl Fn(&[u8]) -> bool) {
        let buffer = &self.buffer;
        self.slots.retain(|slot| is_kept(&buffer[slot.key.clone()]));
    }

    /// How many entries there are to write.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Nothing to write and nothing to report.
    pub fn is_void(&self) -> bool {
        self.slots.is_empty() && self.failed.is_empty() && self.absent.is_empty()
    }

    /// The bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    pub fn get(&self, index: usize) -> Option<Entry<'_>> {
        self.slots.get(index).map(|slot| self.entry(slot))
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.slots.iter().map(|slot| self.entry(slot))
    }

    fn entry<'a>(&'a self, slot: &'a Slot) -> Entry<'a> {
        Entry {
            key: &self.buffer[slot.key.clone()],
            value: match &slot.form {
                Form::Text => Value::Text(&self.buffer[slot.value.clone()]),
                Form::Json => Value::Json(&self.buffer[slot.value.clone()]),
                Form::Collection(collection, ends) => Value::Collection(
                    *collection,
                    Pairs { buffer: &self.buffer, start: slot.value.start, ends },
                ),
            },
            version: slot.version,
            ends: &self.ends[slot.ends.clone()],
        }
    }
}
