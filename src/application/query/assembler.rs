//! Rows to entries.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

use super::collect::{Collect, collector};
use super::layout::{Layout, merged};
use crate::domain::double;
use crate::domain::entry::{Collection, EntryBatch, KeyError};
use crate::domain::key::printable;
use crate::domain::outcome::WriteOutcome;
use crate::domain::row::{Row, text_of};
use crate::domain::strategy::Shape;
use crate::domain::version::Version;

/// A batch is handed on when it has this many bytes, whatever its number of entries: batches wait
/// in memory for the cache, several at a time.
const BATCH_BYTES: usize = 512 * 1024;

/// Slots for recent keys, 8 bytes each: a key that came this many keys ago is still known with a
/// probability of one third, one that came a tenth as many ago with nine tenths.
const REMEMBERED_KEYS: usize = 1 << 16;

const REPEATED: &str = "another row has this key too; the key's columns must tell rows apart";

/// Puts rows together into batches of entries.
pub(super) struct Assembler<'a> {
    layout: &'a Layout,
    batch_size: usize,
    batch: EntryBatch,
    key: Vec<u8>,
    /// Where in it each column ends; empty: its text alone tells.
    ends: Vec<u32>,
    /// The key whose rows are coming, where a value is made of several.
    open: Option<Open>,
    seen: Vec<u64>,
    hasher: RandomState,
    /// Rows so far.
    pub(super) rows: u64,
    /// A stream that was resumed may bring rows again.
    pub(super) is_resumed: bool,
    /// Entries, failures and absences so far.
    pub(super) keys: u64,
    /// Complete batches.
    pub(super) ready: Vec<EntryBatch>,
}

/// A value of several rows that is being put together.
struct Open {
    key: Vec<u8>,
    ends: Vec<u32>,
    value: Box<dyn Collect>,
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
            open: None,
            seen: vec![0; REMEMBERED_KEYS],
            hasher: RandomState::default(),
            rows: 0,
            is_resumed: false,
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
        if self.layout.groups_rows() {
            self.push_to_open(row);
            return;
        }
        let is_repeated = self.is_repeated();
        if is_repeated && self.is_resumed {
            self.rows -= 1;
            return;
        }
        if is_repeated {
            self.fail(printable(&self.key), REPEATED.into());
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

    /// Ends the last value and hands on what is left.
    pub(super) fn finish(&mut self) {
        self.close();
        if let Some(key) = self.layout.empty_key.as_ref().filter(|_| self.rows == 0) {
            self.open = Some(Open {
                version: self.layout.is_versioned().then_some(Version::EMPTY),
                ..self.opened(key.clone().into_bytes())
            });
            self.close();
        }
        if !self.batch.is_void() {
            self.ready.push(std::mem::take(&mut self.batch));
        }
    }

    /// Ends here: the value begun is dropped.
    pub(super) fn cut(&mut self) {
        self.open = None;
        self.finish();
    }

    fn push_entry(&mut self, row: Row<'_>) -> Result<(), String> {
        let layout = self.layout;
        let version = layout.version(row)?;
        let entries = self.batch.len();
        match layout.shape {
            Shape::Text => {
                let cell = layout.cell(row, layout.stored[0].0)?;
                match text_of(&cell)? {
                    None => self.batch.absent.push(printable(&self.key)),
                    Some(text) => self.batch.push_text(&self.key, |out| {
                        out.extend_from_slice(if layout.has_json_texts { &cell } else { &text });
                        Ok::<(), String>(())
                    })?,
                }
            }
            Shape::Hash => {
                let mut cells = Vec::with_capacity(layout.stored.len());
                for (at, name, _) in &layout.stored {
                    cells.push((name.as_bytes(), layout.cell(row, *at)?));
                }
                let mut fields = Vec::with_capacity(cells.len());
                for (name, cell) in &cells {
                    fields.extend(text_of(cell)?.map(|text| (*name, text)));
                }
                if fields.is_empty() {
                    self.batch.absent.push(printable(&self.key));
                } else {
                    let constants = layout.styles.constants.iter();
                    let constants = constants.map(|(name, text)| (name.as_bytes(), text.into()));
                    let fields = constants.chain(fields);
                    self.batch.push_collection(&self.key, Collection::Hash, fields);
                }
            }
            Shape::Json => self.batch.push_document(&self.key, |out| {
                let start = out.len();
                layout.object(row, out)?;
                double::check_document(&out[start..])
            })?,
            _ => {
                self.batch.push_text(&self.key, |out| layout.object(row, out))?;
            }
        }
        if self.batch.len() > entries {
            self.batch.stamp(version);
            self.batch.set_ends(&self.ends);
        }
        self.keys += 1;
        Ok(())
    }

    fn opened(&self, key: Vec<u8>) -> Open {
        Open { key, ends: Vec::new(), value: collector(self.layout), version: None, error: None }
    }

    fn push_to_open(&mut self, row: Row<'_>) {
        let has_key = self.open.as_ref().is_some_and(|open| open.key == self.key);
        let goes_on = has_key && self.open.as_ref().is_some_and(|open| open.ends == self.ends);
        if !goes_on {
            self.close();
            let why = match has_key {
                true => "rows with other values in the key's columns make the same key",
                false => {
                    "the rows of this key do not come together; the key's columns must sort as \
                     the key does"
                }
            };
            let error = self.is_repeated().then(|| why.to_owned());
            self.open =
                Some(Open { ends: self.ends.clone(), error, ..self.opened(self.key.clone()) });
        }
        let Some(open) = &mut self.open else { return };
        if open.error.is_none() {
            // Without one of its rows the value would be wrong: the whole key fails.
            open.error = open.value.add(self.layout, row).err();
        }
        match self.layout.version(row) {
            Ok(version) => open.version = merged(open.version, version),
            Err(error) => open.error = open.error.take().or(Some(error)),
        }
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        match open.error {
            Some(error) => self.fail(printable(&open.key), error),
            None => {
                let entries = self.batch.len();
                open.value.push_to(&mut self.batch, &open.key);
                if self.batch.len() > entries {
                    self.batch.stamp(open.version);
                    self.batch.set_ends(&open.ends);
                }
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

    /// Fails the keys of a batch from a worker that came before: another row has them.
    pub(super) fn check(&mut self, batch: &mut EntryBatch) {
        let Some(mut done) = batch.done.take() else { return };
        for (entry, outcome) in batch.iter().zip(&mut done.outcomes) {
            self.key.clear();
            self.key.extend_from_slice(entry.key);
            if self.is_repeated() {
                *outcome = WriteOutcome::Failed(REPEATED.to_owned());
            }
        }
        batch.done = Some(done);
    }

    /// Whether the key came lately. Memory is fixed: keys farther apart are not noticed, and the
    /// later one wins.
    fn is_repeated(&mut self) -> bool {
        let hash = self.hasher.hash_one(&self.key).max(1);
        let slot = &mut self.seen[hash as usize % REMEMBERED_KEYS];
        std::mem::replace(slot, hash) == hash
    }
}
