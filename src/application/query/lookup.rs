//! Keys asked for by name.

use std::collections::{HashSet, VecDeque};

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use super::asked::{Asked, groups, rows_of};
use super::assembler::Assembler;
use super::assembly::{Assembly, MAX_LOSSES};
use super::prepared::{Prepared, Reading};
use crate::domain::entry::{EntryBatch, KeyError, Name};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::printable;
use crate::domain::row::ColumnKind;

/// Keys asked of the database in one query: as many as SQLite takes parameters.
const KEYS_A_QUERY: usize = 8_000;

/// How keys are looked up.
#[derive(Clone, Copy)]
pub(super) struct Lookups<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) reading: Reading<'a>,
    pub(super) batch_size: usize,
    pub(super) from_primary: bool,
}

/// The queries that are left, the one under way, and how often it was lost in a row.
type State<'a> = (VecDeque<Vec<Asked>>, Option<Lookup<'a>>, u32);

impl<'a> Lookups<'a> {
    /// The entries of some keys; of each there is something in the batches.
    pub(super) fn named(self, names: Vec<Name>) -> BoxStream<'a, Result<EntryBatch, Failure>> {
        let mut unknown = EntryBatch::default();
        let mut keys = Vec::with_capacity(names.len());
        for name in names {
            match Asked::of(self.prepared, name) {
                Ok(key) => keys.push(key),
                Err(failed) => unknown.failed.push(failed),
            }
        }
        let queue = groups(self.prepared, keys, KEYS_A_QUERY.min(self.batch_size).max(1));
        let state: State<'a> = (queue, None, 0);
        let found = stream::try_unfold(state, move |state| self.next(state));
        let unknown = (!unknown.is_void()).then_some(Ok(unknown));
        stream::iter(unknown).chain(found).boxed()
    }

    async fn next(
        self,
        (mut queue, mut current, mut losses): State<'a>,
    ) -> Result<Option<(EntryBatch, State<'a>)>, Failure> {
        loop {
            let next = || Some(self.begin(queue.pop_front()?));
            let Some(mut lookup) = current.take().or_else(next) else {
                return Ok(None);
            };
            match lookup.next().await {
                Ok(Some(batch)) => return Ok(Some((batch, (queue, Some(lookup), 0)))),
                Ok(None) => {}
                Err(failure) if failure.is_interruption() && losses < MAX_LOSSES => {
                    tracing::warn!(%failure, "retrying the remaining keys");
                    losses += 1;
                    queue.push_front(lookup.left());
                }
                // One key that its column's type cannot hold fails the whole query: halve it.
                Err(failure)
                    if failure.kind == FailureKind::Query
                        && self.casts_keys()
                        && lookup.is_fresh() =>
                {
                    let mut keys = lookup.keys;
                    if let [key] = keys.as_slice() {
                        return Ok(Some((failed(&key.key, &failure), (queue, None, 0))));
                    }
                    let right = keys.split_off(keys.len() / 2);
                    queue.push_front(right);
                    queue.push_front(keys);
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Asks for keys by the columns that they were made of.
    fn begin(self, keys: Vec<Asked>) -> Lookup<'a> {
        let source = self.prepared.source(self.from_primary);
        let rows = rows_of(self.prepared, &keys, self.reading, source);
        let assembler = Assembler::new(self.reading.layout, self.batch_size);
        Lookup {
            missing: keys.iter().map(|key| key.key.clone().into_bytes()).collect(),
            keys,
            assembly: Assembly::new(rows, assembler),
            ended: false,
        }
    }

    fn casts_keys(self) -> bool {
        let columns = self.prepared.key_columns();
        columns.iter().any(|column| matches!(column.column.kind, ColumnKind::Other(_)))
    }
}

/// Keys asked for by name, in one query.
struct Lookup<'a> {
    keys: Vec<Asked>,
    missing: HashSet<Vec<u8>>,
    assembly: Assembly<'a>,
    ended: bool,
}

impl Lookup<'_> {
    /// The next entries; at the end, the keys that no row has.
    async fn next(&mut self) -> Result<Option<EntryBatch>, Failure> {
        if self.ended {
            return Ok(None);
        }
        if let Some(batch) = self.assembly.next().await? {
            return Ok(Some(self.only_wanted(batch)));
        }
        self.ended = true;
        let mut batch = EntryBatch::default();
        batch.absent.extend(self.missing.drain().map(|key| printable(&key)));
        batch.absent.sort_unstable();
        Ok(Some(batch))
    }

    /// The keys that no entry has come for.
    fn left(self) -> Vec<Asked> {
        let missing = self.missing;
        let mut keys = self.keys;
        keys.retain(|key| missing.contains(key.key.as_bytes()));
        keys
    }

    fn is_fresh(&self) -> bool {
        self.missing.len() == self.keys.len() && !self.ended
    }

    /// A collation may find more rows than were asked for: only the very keys go on.
    fn only_wanted(&mut self, batch: EntryBatch) -> EntryBatch {
        let mut wanted = EntryBatch::with_capacity(batch.bytes(), batch.len());
        for entry in batch.iter().filter(|entry| self.missing.remove(entry.key)) {
            wanted.push(entry);
        }
        let mut found = |shown: &str| {
            let key = self.missing.iter().find(|key| printable(key) == shown).cloned();
            key.is_some_and(|key| self.missing.remove(&key))
        };
        let absent = batch.absent.into_iter();
        wanted.absent.extend(absent.filter(|key| found(key)));
        let failures = batch.failed.into_iter();
        wanted.failed.extend(failures.filter(|failure| found(&failure.key)));
        wanted
    }
}

fn failed(key: &str, failure: &Failure) -> EntryBatch {
    let mut batch = EntryBatch::default();
    batch.failed.push(KeyError { key: printable(key.as_bytes()), error: failure.why.clone() });
    batch
}
