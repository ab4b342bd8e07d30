//! Values that are stored in another format than they are made in.

use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::application::ports::Entries;
use crate::domain::coding::Coding;
use crate::domain::entry::{EntryBatch, KeyError, Value};
use crate::domain::key::printable;

/// Entries as they are stored. `has_values`: otherwise there is nothing to encode.
pub fn stored(entries: Entries<'_>, coding: Coding, has_values: bool) -> Entries<'_> {
    match has_values && !coding.is_plain() {
        true => entries.map_ok(move |batch| encoded(batch, coding)).boxed(),
        false => entries,
    }
}

/// The same entries, encoded. A value that the format cannot hold costs its key.
pub(super) fn encoded(mut batch: EntryBatch, coding: Coding) -> EntryBatch {
    if batch.done.is_some() || coding.is_plain() {
        return batch;
    }
    let mut out = EntryBatch::with_capacity(batch.bytes(), batch.len());
    out.failed = std::mem::take(&mut batch.failed);
    out.absent = std::mem::take(&mut batch.absent);
    out.warnings = std::mem::take(&mut batch.warnings);
    out.part_of = batch.part_of;
    for entry in batch.iter() {
        let Value::Text(text) = entry.value else {
            out.push(entry);
            continue;
        };
        match out.push_text(entry.key, |bytes| coding.encode(text, bytes)) {
            Ok(()) => {
                out.stamp(entry.version);
                out.set_ends(entry.ends);
            }
            Err(error) => {
                let key = printable(entry.key);
                out.failed.push(KeyError { key, error });
            }
        }
    }
    out
}
