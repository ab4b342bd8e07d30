//! What the primary says of entries that were written a moment ago.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::assemble::{Layout, merged};
use crate::domain::entry::Entry;
use crate::domain::failure::Failure;
use crate::domain::row::RowBatch;
use crate::domain::version::Version;

/// The versions of some keys, put together from rows as they come.
pub struct Versions<'k> {
    layout: &'k Layout,
    places: HashMap<&'k [u8], usize, RandomState>,
    found: Vec<Option<Version>>,
    key: Vec<u8>,
}

impl<'k> Versions<'k> {
    pub fn of(entries: &'k [Entry<'k>], layout: &'k Layout) -> Self {
        let keys = entries.iter().enumerate().map(|(i, entry)| (entry.key, i));
        Self {
            layout,
            places: keys.collect(),
            found: vec![None; entries.len()],
            key: Vec::new(),
        }
    }

    /// Those of which nothing is known yet.
    pub fn missing(&self) -> impl Iterator<Item = usize> {
        let missing = self.found.iter().enumerate();
        missing.filter(|(_, found)| found.is_none()).map(|(i, _)| i)
    }

    /// Takes rows, those of keys that nobody asked for too: a collation may find more.
    ///
    /// # Errors
    /// A row says no version.
    pub fn hear(&mut self, rows: &RowBatch) -> Result<(), Failure> {
        for i in 0..rows.len() {
            let row = rows.row(i);
            self.key.clear();
            // A row without a key was no entry.
            if self.layout.key(row, &mut self.key).is_err() {
                continue;
            }
            let Some(place) = self.places.get(self.key.as_slice()) else {
                continue;
            };
            // One that says no version any more is another than it was.
            let version = self.layout.version(row).unwrap_or_default();
            let found = &mut self.found[*place];
            // Under a collation that takes 'a' for 'A' a row may come twice.
            *found = match self.layout.is_list() {
                true => merged(*found, version),
                false => version,
            };
        }
        Ok(())
    }

    /// One for each key, in their order; `None`: it has no row.
    pub fn finish(self) -> Vec<Option<Version>> {
        self.found
    }
}
