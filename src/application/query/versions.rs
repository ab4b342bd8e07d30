//! What the primary says of entries that were written a moment ago.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use futures_util::TryStreamExt as _;

use super::asked::{Asked, groups, rows_of};
use super::compose::Pick;
use super::layout::{Layout, merged};
use super::prepared::{Prepared, Reading};
use crate::domain::entry::{Entry, KeyError, Name};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::row::RowBatch;
use crate::domain::version::Version;

/// Keys per query for versions: as many as SQLite and MySQL take parameters, four for each key.
const VERSIONS_A_QUERY: usize = 8_000;

/// The versions of some keys, put together from rows as they come.
pub(super) struct Versions<'k> {
    layout: &'k Layout,
    indexes: HashMap<&'k [u8], usize, RandomState>,
    found: Vec<Option<Version>>,
    key: Vec<u8>,
}

impl<'k> Versions<'k> {
    pub(super) fn new(entries: &'k [Entry<'k>], layout: &'k Layout) -> Self {
        let keys = entries.iter().enumerate().map(|(i, entry)| (entry.key, i));
        Self { layout, indexes: keys.collect(), found: vec![None; entries.len()], key: Vec::new() }
    }

    /// Takes rows, and ignores those of other keys, which a collation may find.
    pub(super) fn take(&mut self, rows: &RowBatch) {
        for i in 0..rows.len() {
            let row = rows.row(i);
            self.key.clear();
            // A row without a key was no entry.
            if self.layout.key(row, &mut self.key).is_err() {
                continue;
            }
            let Some(index) = self.indexes.get(self.key.as_slice()) else {
                continue;
            };
            // One that says no version any more is another than it was.
            let version = self.layout.version(row).unwrap_or_default();
            let found = &mut self.found[*index];
            // Under a collation that takes 'a' for 'A' a row may come twice.
            *found = if self.layout.groups_rows() { merged(*found, version) } else { version };
        }
    }

    /// Looks up the entries of which nothing is known yet: their rows lie elsewhere by now, so they
    /// have changed or are gone.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn look_up(
        &mut self,
        prepared: &Prepared,
        entries: &[Entry<'_>],
    ) -> Result<(), Failure> {
        let missing = self.found.iter().zip(entries).filter(|(found, _)| found.is_none());
        let missing = missing.filter_map(|(_, entry)| {
            let key = std::str::from_utf8(entry.key).ok()?.to_owned();
            let ends = entry.ends.to_vec();
            Some(Asked::of(prepared, Name { key, ends }))
        });
        let missing = missing.collect::<Result<_, _>>();
        let missing = missing.map_err(|KeyError { key, error }| {
            let what = format!("{key} cannot be looked up again");
            Failure::new(FailureKind::Internal, what, error)
        })?;
        let layout = self.layout;
        let reading = Reading {
            composer: prepared.composer(),
            // Of a value of several rows each counts, with all that is in it.
            pick: match layout.groups_rows() {
                true => Pick::Columns(&layout.columns),
                false => Pick::Versions,
            },
            layout,
        };
        for keys in groups(prepared, missing, VERSIONS_A_QUERY) {
            let Some(mut rows) = rows_of(prepared, &keys, reading, prepared.source(true)) else {
                continue;
            };
            while let Some(batch) = rows.try_next().await? {
                self.take(&batch);
            }
        }
        Ok(())
    }

    /// One for each key, in their order; `None`: there is no such entry.
    pub(super) fn finish(self) -> Vec<Option<Version>> {
        let empty = self.layout.empty_key.as_ref().map(|_| Version::EMPTY);
        let found = self.found.into_iter();
        found.map(|version| version.or(empty)).collect()
    }
}
